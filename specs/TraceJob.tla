------------------------------- MODULE TraceJob -------------------------------
(***************************************************************************)
(* Recorded lives of real jobs held against JobLifeCycle.                  *)
(*                                                                         *)
(* A recording has, for every command of the log, the jobs and nodes that  *)
(* it changed, and the processes that ran on the nodes at that moment.     *)
(* Between two of its states a command has been applied, or a node has     *)
(* started something, so what a step may change is said here with the      *)
(* operators that JobLifeCycle.tla makes its actions of (L!Ended, L!Again, *)
(* ...), by command; and its invariants are looked at in every state.      *)
(*                                                                         *)
(* JobData is made by specs/job_traces.py: MostJobs, NodeNames and Traces, *)
(* each a sequence of steps:                                               *)
(*   <<command, changed jobs, changed nodes, processes>>                   *)
(*   a job is <<number, state, completing, alloc, host, launch, restarts,  *)
(*     held, exit>>, a node <<name, up, jobs that hold it>>                *)
(* A job that was not submitted yet is like one that waits.  A node may    *)
(* have several jobs here; that they fit is Scheduling's matter.           *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, JobData

VARIABLES
    trace, step,
    before, now,   \* jobs -> record, before and after the step
    used, up, procs,
    launched,      \* <<job, restarts>> of everything that a node has ever started
    twice          \* TRUE once something was started a second time
vars == <<trace, step, before, now, used, up, procs, launched, twice>>

AllJobs == 1..MostJobs
L == INSTANCE JobLifeCycle WITH
    Jobs <- AllJobs, Nodes <- NodeNames, Wide <- {}, Requeueable <- {}, MaxRestarts <- 1000, MaxFaults <- 0,
    Bug <- "", job <- now, flying <- {}, ends <- {}, seen <- launched, misjudged <- FALSE, faults <- 0

Fresh == [state |-> "PENDING", completing |-> {}, alloc |-> {}, host |-> "none", launch |-> "none", restarts |-> 0,
          held |-> FALSE, exit |-> "none"]
Record(c) == [state |-> c[2], completing |-> c[3], alloc |-> c[4], host |-> c[5], launch |-> c[6], restarts |-> c[7],
              held |-> c[8], exit |-> c[9]]
Step(n) == Traces[trace][n]
Command == Step(step)[1]
Touched == IF step = 0 THEN {} ELSE {Step(step)[2][k][1] : k \in 1..Len(Step(step)[2])}

Init ==
    /\ trace \in 1..Len(Traces) /\ step = 0
    /\ now = [j \in AllJobs |-> Fresh] /\ before = now
    /\ used = [n \in NodeNames |-> {}] /\ up = [n \in NodeNames |-> FALSE]
    /\ procs = {} /\ launched = {} /\ twice = FALSE

Runs(S) == {<<p[1], p[2]>> : p \in S}
Next ==
    /\ step < Len(Traces[trace])
    /\ step' = step + 1
    /\ LET changes == Step(step + 1) fresh == changes[4] \ procs IN
        /\ before' = now
        /\ now' = [j \in AllJobs |->
                     IF \E k \in 1..Len(changes[2]) : changes[2][k][1] = j
                     THEN Record(changes[2][CHOOSE k \in 1..Len(changes[2]) : changes[2][k][1] = j]) ELSE now[j]]
        /\ used' = [n \in NodeNames |->
                     IF \E c \in changes[3] : c[1] = n THEN (CHOOSE c \in changes[3] : c[1] = n)[3] ELSE used[n]]
        /\ up' = [n \in NodeNames |->
                     IF \E c \in changes[3] : c[1] = n THEN (CHOOSE c \in changes[3] : c[1] = n)[2] ELSE up[n]]
        /\ procs' = changes[4]
        /\ launched' = launched \cup Runs(fresh)
        /\ twice' = (twice \/ Runs(fresh) \cap launched # {} \/ Cardinality(Runs(fresh)) # Cardinality(fresh))
    /\ UNCHANGED trace
Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* What a command may make of a job's record.  The code forgets the host   *)
(* of a job that has no nodes, and the exit status of one that waits.      *)
Is(s, r) == s = [r EXCEPT !.host = IF r.alloc = {} THEN "none" ELSE @,
                          !.exit = IF r.state = "PENDING" /\ @ = "zero" THEN "none" ELSE @]
Without(r, S) ==   \* L!Left, of several nodes
    LET left == r.completing \ S IN
    [r EXCEPT !.completing = left, !.alloc = IF left = {} /\ r.state = "PENDING" THEN {} ELSE @]

Started(r, s) ==   \* L!Start
    /\ r.state = "PENDING" /\ r.completing = {} /\ ~r.held
    /\ s.alloc # {} /\ s.host \in s.alloc
    /\ \A n \in s.alloc : up[n]
    /\ s = [r EXCEPT !.state = L!After(@, "start"), !.alloc = s.alloc, !.host = s.host, !.launch = "wanted",
                     !.exit = "none"]
Ordered(r, s, event) ==   \* L!Order
    /\ L!Knows(r.state, event)
    /\ Is(s, IF r.state \in L!Holding THEN L!Ended(r, event) ELSE [r EXCEPT !.state = L!After(@, event)])
Requeued(r, s) ==   \* L!Requeue
    /\ r.completing = {} /\ r.state # "PENDING"
    /\ \E hold \in BOOLEAN : Is(s, L!Again(r, hold))
Launched(r, s) ==   \* L!LaunchDone, L!LaunchRefused
    /\ r.state = "RUNNING" /\ r.launch = "wanted"
    /\ Is(s, [r EXCEPT !.launch = "sent"]) \/ Is(s, L!Again(r, FALSE))
Judged(r, s) ==   \* L!BatchEnded; where the node could not run the job it waits again, held
    \/ /\ r.state \in L!Holding /\ r.completing = {}
       /\ \E exit \in {"zero", "one", "signal", "oom"} :
            L!Knows(r.state, L!Verdict(exit)) /\ Is(s, [L!Ended(r, L!Verdict(exit)) EXCEPT !.exit = exit])
    \/ r.completing # {} /\ r.state \in L!Outside /\ r.exit = "none" /\ s = [r EXCEPT !.exit = s.exit]
    \/ r.state \in L!Holding /\ Is(s, L!Again(r, TRUE))
Cleaned(j, r, s) ==   \* L!EpilogDone
    \E n \in r.completing : Is(s, Without(r, {n})) /\ \A p \in procs : ~(p[1] = j /\ p[3] = n)
Lost(r, s) ==   \* L!Lost: nodes that are down, or have forgotten the job
    \E t \in {r} \cup (IF r.state \in L!Holding THEN {L!Again(r, FALSE), L!Ended(r, "lose node")} ELSE {}) :
        \E S \in SUBSET {n \in NodeNames : ~up[n]} : Is(s, Without(t, S))

May(j, r, s) ==
    CASE Command = "SubmitJob" -> r = Fresh /\ s = [Fresh EXCEPT !.held = s.held]
      [] Command = "UpdateJob" -> r.state \notin L!Finished /\ s = [r EXCEPT !.held = ~@]
      [] Command = "ApplyPlan" -> Started(r, s)
      [] Command = "LaunchDone" -> Launched(r, s)
      [] Command \in {"KillJob", "KillJobs"} -> Ordered(r, s, "cancel")
      [] Command = "ExpireJobs" -> Ordered(r, s, "time out") \/ Ordered(r, s, "deadline")
      [] Command = "RequeueJob" -> Requeued(r, s)
      [] Command = "BatchEnded" -> Judged(r, s)
      [] Command = "EpilogDone" -> Cleaned(j, r, s)
      [] Command \in {"NodesMissing", "RegisterNode", "UpdateNode"} -> Lost(r, s)
      [] OTHER -> FALSE
CommandsDoTheirOwn == \A j \in Touched : now[j] = before[j] \/ May(j, before[j], now[j])

(* The properties of steps of JobLifeCycle.                                *)
OnlyKnownTransitions ==
    \A j \in Touched : now[j].state # before[j].state =>
        \E t \in L!Transitions : t[1] = before[j].state /\ t[3] = now[j].state
TerminalStaysTerminal ==
    \A j \in Touched : before[j].state \in L!Finished =>
        \/ now[j].state = before[j].state
        \/ now[j].state = "PENDING" /\ now[j].restarts = before[j].restarts + 1

(* Its invariants.                                                         *)
TypeOK == L!TypeOK
HeldExactly == L!HeldExactly
RunsOnce == L!RunsOnce
NothingRunsUnknown == L!NothingRunsUnknown
ExitFits == L!ExitFits
(* L!Launch: a node takes each run once, and no run but the job's latest.   *)
LaunchedOnce == ~twice
LaunchedAsWanted == \A p \in procs : up[p[3]] => now[p[1]].restarts \in {p[2], p[2] + 1}
=============================================================================
