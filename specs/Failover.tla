------------------------------ MODULE Failover ------------------------------
(***************************************************************************)
(* What leaders do in the world, and what becomes of it when they die.     *)
(*                                                                         *)
(* Consensus is taken for granted here (Raft.tla): one line of committed   *)
(* commands, one state, one leader.  A leader may die, or be replaced and  *)
(* not know it yet, at any moment: between a commit and what it asks for,  *)
(* between that and the answer.  A deposed leader goes on carrying out     *)
(* what it had in hand.  Of what was in a dead leader's log but not        *)
(* committed, a prefix survives.                                           *)
(*                                                                         *)
(* Commands give effects: launch a run, kill a run.  Everything that an    *)
(* effect asks for also stands in the state (flurm.core.recovery), where   *)
(* the next leader finds it.  Nodes take every message twice.  A run is    *)
(* <<job, restarts>>.                                                      *)
(*                                                                         *)
(* Clients ask whichever controller they like; it forwards their request   *)
(* with an id of its own, and asks again under the same id until there is  *)
(* an answer.                                                              *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
    Controllers,
    Requests,       \* ids of submissions
    MaxAsks,        \* how often one is forwarded
    MaxDeaths, MaxRestarts,
    MaxLine,        \* commands in a leader's log that are not committed yet
    LateReports,    \* TRUE: what a node once reported may come again at any time, from a controller that retries
    Bug

VARIABLES
    jobs,      \* the committed state: job id -> record
    leader,
    line,      \* in the leader's log, not committed
    todo,      \* Controllers -> effects in hand
    sent,      \* messages to the node: what was sent may arrive at any later time, again and again
    runs,      \* running on the node
    executed,  \* how often each run was started there
    taken,     \* launches that the node remembers
    revoked,   \* runs that the node was told to end
    over,      \* runs that have ended by themselves
    asks,      \* Requests -> how often forwarded
    told,      \* Requests -> the answers that the client got
    deaths,
    confused   \* TRUE once a report of one run was taken for that of another
node == <<runs, executed, taken, revoked, over>>
vars == <<jobs, leader, line, todo, sent, node, asks, told, deaths, confused>>

JobIds == 1..Cardinality(Requests) * (IF Bug = "no table of request ids" THEN MaxAsks ELSE 1)
Runs == JobIds \X (0..MaxRestarts)
None == "none"
Clean == 99
Exists(j) == j \in 1..Len(jobs)

Init ==
    /\ jobs = <<>>
    /\ leader = None
    /\ line = <<>>
    /\ todo = [c \in Controllers |-> {}]
    /\ sent = {}
    /\ runs = {} /\ executed = [r \in Runs |-> 0] /\ taken = {} /\ revoked = {} /\ over = {}
    /\ asks = [q \in Requests |-> 0]
    /\ told = [q \in Requests |-> {}]
    /\ deaths = 0 /\ confused = FALSE

-----------------------------------------------------------------------------
(* Commands and what they do: <<new state, effects>>.                       *)

Launch(j, r) == [what |-> "launch", run |-> <<j, r>>]
Kill(j, r) == [what |-> "kill", run |-> <<j, r>>]
Same(record, run) == record.restarts = run[2] \/ Bug = "reports do not name the run"
Keep == <<jobs, {}>>
With(j, record, effects) == <<[jobs EXCEPT ![j] = record], effects>>
Wind(j, record) ==   \* an ended run holds its node until that is clean
    With(j, [record EXCEPT !.state = "ended", !.launch = None, !.dirty = record.restarts], {Kill(j, record.restarts)})

JobOf(request) == {j \in 1..Len(jobs) : jobs[j].request = request}
Submitted(request) ==
    IF JobOf(request) # {} /\ Bug # "no table of request ids" THEN Keep
    ELSE <<Append(jobs, [request |-> request, state |-> "pending", restarts |-> 0, launch |-> None, dirty |-> Clean]), {}>>

Apply(c) ==
    IF c.what = "submit" THEN Submitted(c.request)
    ELSE LET j == c.run[1] record == jobs[j] IN
    CASE c.what = "start" /\ record.state = "pending" /\ record.dirty = Clean ->
            With(j, [record EXCEPT !.state = "running", !.launch = "wanted"], {Launch(j, record.restarts)})
      [] c.what = "launched" /\ record.state = "running" /\ record.restarts = c.run[2] ->
            With(j, [record EXCEPT !.launch = "sent"], {})
      [] c.what = "ended" /\ record.state = "running" /\ Same(record, c.run) -> Wind(j, record)
      [] c.what = "cancel" /\ record.state = "running" -> Wind(j, record)
      [] c.what = "cancel" /\ record.state = "pending" -> With(j, [record EXCEPT !.state = "ended"], {})
      [] c.what = "requeue" /\ record.state = "running" /\ record.restarts < MaxRestarts ->
            With(j, [record EXCEPT !.state = "pending", !.launch = None, !.restarts = @ + 1, !.dirty = record.restarts],
                 {Kill(j, record.restarts)})
      [] c.what = "clean" /\ record.dirty # Clean /\ (record.dirty = c.run[2] \/ Bug = "reports do not name the run") ->
            With(j, [record EXCEPT !.dirty = Clean], {})
      [] OTHER -> Keep

(* flurm.core.recovery.outstanding                                         *)
Outstanding ==
    UNION {(IF jobs[j].dirty # Clean THEN {Kill(j, jobs[j].dirty)} ELSE {})
           \cup (IF jobs[j].state = "running" /\ jobs[j].launch = "wanted" THEN {Launch(j, jobs[j].restarts)} ELSE {})
           : j \in 1..Len(jobs)}

-----------------------------------------------------------------------------
(* Leaders                                                                 *)

Propose(c) ==
    /\ leader # None /\ Len(line) < MaxLine
    /\ \A i \in 1..Len(line) : line[i] # c
    /\ line' = Append(line, c)

(* The oldest command commits; the leader applies it, answers, and has its *)
(* effects in hand.  The answer may get lost.                              *)
Commit ==
    /\ leader # None /\ line # <<>>
    /\ LET c == Head(line) result == Apply(c) IN
        /\ jobs' = result[1]
        /\ todo' = [todo EXCEPT ![leader] = @ \cup result[2]]
        /\ confused' = (confused \/ (/\ c.what \in {"ended", "clean"} /\ result[1] # jobs
                                     /\ c.run[2] # (IF c.what = "clean" THEN jobs[c.run[1]].dirty
                                                    ELSE jobs[c.run[1]].restarts)))
        /\ told' \in IF c.what # "submit" THEN {told}
                     ELSE {told, [told EXCEPT ![c.request] = @ \cup
                                  {IF Bug = "no table of request ids" THEN Len(result[1])
                                   ELSE CHOOSE j \in 1..Len(result[1]) : result[1][j].request = c.request}]}
    /\ line' = Tail(line)
    /\ UNCHANGED <<leader, sent, node, asks, deaths>>

(* Heartbeats of the node manager: what is still to be done is done again. *)
TakeUp(c) == todo' = [todo EXCEPT ![c] = IF Bug = "the new leader forgets" THEN @ ELSE @ \cup Outstanding]
Beat ==
    /\ leader # None
    /\ Outstanding \ sent # {}
    /\ ~(Outstanding \subseteq todo[leader])
    /\ TakeUp(leader)
    /\ UNCHANGED <<jobs, leader, line, sent, node, asks, told, deaths, confused>>

CarryOut(c, effect) ==
    /\ effect \in todo[c]
    /\ todo' = [todo EXCEPT ![c] = @ \ {effect}]
    /\ sent' = sent \cup {effect}
    /\ UNCHANGED <<jobs, leader, line, node, asks, told, deaths, confused>>

Die ==
    /\ leader # None /\ deaths < MaxDeaths
    /\ deaths' = deaths + 1
    /\ leader' = None
    /\ \E n \in 0..Len(line) : line' = SubSeq(line, 1, n)
    /\ todo' \in {todo, [todo EXCEPT ![leader] = {}]}   \* deposed, or dead
    /\ UNCHANGED <<jobs, sent, node, asks, told, confused>>

Elect(c) ==
    /\ leader = None
    /\ leader' = c
    /\ TakeUp(c)
    /\ UNCHANGED <<jobs, line, sent, node, asks, told, deaths, confused>>

-----------------------------------------------------------------------------
(* Clients                                                                 *)

Ask(q) ==
    /\ asks[q] < MaxAsks /\ told[q] = {}
    /\ asks' = [asks EXCEPT ![q] = @ + 1]
    /\ Propose([what |-> "submit", request |-> q, ask |-> asks[q]])
    /\ told' = IF Bug = "answer before commit" THEN [told EXCEPT ![q] = {Len(jobs) + 1}] ELSE told
    /\ UNCHANGED <<jobs, leader, todo, sent, node, deaths, confused>>

Order(j, what) ==
    /\ Exists(j)
    /\ \/ what = "start" /\ jobs[j].state = "pending" /\ jobs[j].dirty = Clean
       \/ what = "cancel" /\ jobs[j].state \in {"pending", "running"}
       \/ what = "requeue" /\ jobs[j].state = "running" /\ jobs[j].restarts < MaxRestarts
    /\ Propose([what |-> what, run |-> <<j, jobs[j].restarts>>])
    /\ UNCHANGED <<jobs, leader, todo, sent, node, asks, told, deaths, confused>>

-----------------------------------------------------------------------------
(* The node                                                                *)

TakeLaunch(run) ==
    /\ Launch(run[1], run[2]) \in sent
    /\ run \notin taken \/ (Bug = "launch taken twice" /\ executed[run] < 2)
    /\ run \notin revoked \/ Bug = "kill leaves no mark"
    /\ taken' = taken \cup {run}
    /\ executed' = [executed EXCEPT ![run] = @ + 1]
    /\ runs' = runs \cup {run}
    /\ UNCHANGED <<jobs, leader, line, todo, sent, revoked, over, asks, told, deaths, confused>>

TakeKill(run) ==
    /\ Kill(run[1], run[2]) \in sent
    /\ run \notin revoked
    /\ revoked' = revoked \cup {r \in Runs : r[1] = run[1] /\ r[2] <= run[2]}
    /\ runs' = runs \ {run}
    /\ UNCHANGED <<jobs, leader, line, todo, sent, executed, taken, over, asks, told, deaths, confused>>

ScriptEnds(run) ==
    /\ run \in runs
    /\ runs' = runs \ {run}
    /\ over' = over \cup {run}
    /\ UNCHANGED <<jobs, leader, line, todo, sent, executed, taken, revoked, asks, told, deaths, confused>>

(* Reports go to the leader until the state shows that they came.          *)
Reports(run, what) ==
    /\ Exists(run[1])
    /\ LET record == jobs[run[1]] IN
       \/ what = "launched" /\ run \in taken /\ record.launch = "wanted" /\ record.restarts = run[2]
       \/ what = "ended" /\ run \in over /\ record.state = "running" /\ (record.restarts = run[2] \/ LateReports)
       \/ what = "clean" /\ run \in revoked /\ run \notin runs /\ record.dirty # Clean
          /\ (record.dirty = run[2] \/ LateReports)
    /\ Propose([what |-> what, run |-> run])
    /\ UNCHANGED <<jobs, leader, todo, sent, node, asks, told, deaths, confused>>

-----------------------------------------------------------------------------
Told(run) == Reports(run, "launched") \/ Reports(run, "clean")
Next ==
    \/ Commit \/ Beat \/ Die
    \/ \E c \in Controllers : Elect(c) \/ \E effect \in todo[c] : CarryOut(c, effect)
    \/ \E q \in Requests : Ask(q)
    \/ \E j \in JobIds : \E what \in {"start", "cancel", "requeue"} : Order(j, what)
    \/ \E run \in Runs : TakeLaunch(run) \/ TakeKill(run) \/ ScriptEnds(run) \/ Told(run) \/ Reports(run, "ended")
Spec == Init /\ [][Next]_vars
LiveSpec ==
    /\ Spec
    /\ WF_vars(Commit) /\ WF_vars(Beat)
    /\ WF_vars(\E c \in Controllers : Elect(c))
    /\ \A c \in Controllers : \A run \in Runs :
        WF_vars(CarryOut(c, Launch(run[1], run[2]))) /\ WF_vars(CarryOut(c, Kill(run[1], run[2])))
    /\ \A q \in Requests : SF_vars(Ask(q))
    /\ \A run \in Runs : WF_vars(TakeLaunch(run)) /\ WF_vars(TakeKill(run)) /\ SF_vars(Told(run))

-----------------------------------------------------------------------------
TypeOK ==
    /\ leader \in Controllers \cup {None}
    /\ Len(line) <= MaxLine
    /\ \A j \in 1..Len(jobs) : jobs[j].state \in {"pending", "running", "ended"} /\ jobs[j].restarts <= MaxRestarts

NoAcknowledgedJobIsLost ==
    \A q \in Requests : \A j \in told[q] : Exists(j) /\ jobs[j].request = q
NoDoubleSubmission ==
    \A a, b \in 1..Len(jobs) : jobs[a].request = jobs[b].request => a = b
LaunchedOnce == \A r \in Runs : executed[r] <= 1
(* What runs is what the cluster wants to run, or is about to be killed.   *)
NothingRunsUnwanted ==
    \A r \in runs : \/ jobs[r[1]].state = "running" /\ jobs[r[1]].restarts = r[2]
                    \/ jobs[r[1]].dirty = r[2]
OneRunAtATime == \A a, b \in runs : a[1] = b[1] => a = b
ReportsCountForTheirOwnRun == ~confused

LaunchWanted(j, r) == Exists(j) /\ jobs[j].state = "running" /\ jobs[j].restarts = r /\ jobs[j].launch = "wanted"
EveryLaunchHappens == \A r \in Runs : LaunchWanted(r[1], r[2]) ~> (executed[r] = 1 \/ ~LaunchWanted(r[1], r[2]))
Ending(j) == Exists(j) /\ jobs[j].dirty # Clean
EveryEndIsCarriedOut == \A j \in JobIds : Ending(j) ~> ~Ending(j)
EverySubmissionIsAnswered == \A q \in Requests : asks[q] > 0 ~> (told[q] # {} \/ asks[q] = MaxAsks)
=============================================================================
