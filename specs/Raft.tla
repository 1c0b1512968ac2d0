-------------------------------- MODULE Raft --------------------------------
(***************************************************************************)
(* Agreement between controllers, as flurm/raft does it: Raft with         *)
(* pre-vote, leadership transfer, joint membership changes and a disk that *)
(* answers later.                                                          *)
(*                                                                         *)
(* What makes the model small is how it sees the network.  Messages may be *)
(* lost, delayed, doubled and overtaken, so all that matters is what has   *)
(* ever been said.  Four variables hold that, and they only grow:          *)
(* requests for votes, grants, for each term its leader's log and commit   *)
(* index (an AppendEntries is any piece of it) and what each member        *)
(* acknowledged to that leader.  Receiving a message is a step that looks  *)
(* there, at any later time or never.                                      *)
(*                                                                         *)
(* A member has what it knows (term, vote, log) and what its disk knows    *)
(* (dterm, dvote, dlog).  Sync makes the disk catch up and only then says  *)
(* what the member may say: its request for votes, its vote, its           *)
(* acknowledgement.  A crash goes back to the disk.  Only members in Lossy *)
(* crash with something unwritten.  For the others a late disk is the same *)
(* as a late message and a crash the same as silence, so their steps       *)
(* include Sync and they need not crash.                                   *)
(*                                                                         *)
(* Bug is "" or the name of a rule to break; docs/specs.md lists them.     *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
    Members,      \* everybody who may ever belong to the cluster
    Voters,       \* who decides at first
    Targets,      \* sets of voters that an administrator may ask for
    MaxTerm, MaxLog, MaxCrashes,
    Lossy,        \* who may crash and lose what was not written
    Appliers,     \* followers whose commit index is followed too; it decides nothing, so one is as good as all
    PreVote,      \* TRUE: pre-votes and transfers are steps; FALSE: anybody campaigns at any time, which allows more
    OldTerms,     \* TRUE: begin where two leaders have come and gone, each with an entry that nobody else has
    Cut,          \* members whose messages get nowhere
    Calm,         \* TRUE: elections do not collide and crashes end, which is what liveness assumes
    Bug

VARIABLES
    role, term, vote, log, commit,   \* what a member knows
    dterm, dvote, dlog,              \* what its disk holds
    pre,                             \* who has answered a member's pre-vote
    requests, grants, led, acks,     \* what has been said
    handed,                          \* transfers: whom the leader of a term told to campaign
    crashes

memory == <<role, term, vote, log, commit>>
disk == <<dterm, dvote, dlog>>
said == <<requests, grants, led, acks, handed>>
vars == <<memory, disk, pre, said, crashes>>

Terms == 1..MaxTerm
Nobody == "nobody"
Special == {Voters, Lossy, Appliers, Cut} \cup Targets
Symmetry == {p \in Permutations(Members) : \A S \in Special : {p[m] : m \in S} = S}

Noop(t) == [term |-> t, holds |-> <<>>]
Command(t) == [term |-> t, holds |-> <<"command">>]
Change(t, new, old) == [term |-> t, holds |-> <<new, old>>]

Min(a, b) == IF a < b THEN a ELSE b
Max(S) == CHOOSE x \in S : \A y \in S : y <= x
LastTerm(l) == IF l = <<>> THEN 0 ELSE l[Len(l)].term
Prefix(l, n) == SubSeq(l, 1, n)
Common(a, b) ==   \* how many entries two logs share from the beginning
    LET most == Min(Len(a), Len(b)) IN
    CHOOSE n \in 0..most : (\A i \in 1..n : a[i] = b[i]) /\ (n = most \/ a[n + 1] # b[n + 1])
Reachable(m) == m \notin Cut

(* Configurations: the newest entry of the log counts, committed or not.    *)
Changes(l) == {i \in 1..Len(l) : Len(l[i].holds) = 2}
LastChange(l) == IF Changes(l) = {} THEN 0 ELSE Max(Changes(l))
Config(l) == IF LastChange(l) = 0 THEN [voters |-> Voters, outgoing |-> {}]
             ELSE [voters |-> l[LastChange(l)].holds[1], outgoing |-> l[LastChange(l)].holds[2]]
Majority(S, voters) == 2 * Cardinality(S \cap voters) > Cardinality(voters)
Decides(S, config) ==
    /\ Majority(S, config.voters)
    /\ config.outgoing = {} \/ Majority(S, config.outgoing) \/ Bug = "one majority"
Deciders(config) == config.voters \cup config.outgoing

UpToDate(lastTerm, lastIndex, l) ==
    \/ lastTerm > LastTerm(l)
    \/ lastTerm = LastTerm(l) /\ lastIndex >= Len(l)
    \/ Bug = "shorter log wins"

NotLed == [by |-> Nobody, elections |-> 0, log |-> <<>>, commit |-> 0]

Empty ==
    /\ log = [m \in Members |-> <<>>]
    /\ term = [m \in Members |-> 0]
    /\ vote = [m \in Members |-> Nobody]
    /\ requests = {} /\ grants = {}
    /\ led = [t \in Terms |-> NotLed]
    /\ acks = [t \in Terms |-> [m \in Members |-> 0]]

(* First a led in term 1, then b in term 2, without a's vote: the Raft      *)
(* paper's figure 8, four steps in.                                        *)
AfterTwoLeaders(a, b) ==
    LET leader == <<a, b>>
        voters == <<Members \ {b}, Members \ {a}>>
    IN /\ log = [m \in Members |-> IF m = a THEN <<Noop(1)>> ELSE IF m = b THEN <<Noop(2)>> ELSE <<>>]
       /\ term = [m \in Members |-> IF m = a THEN 1 ELSE 2]
       /\ vote = [m \in Members |-> IF m = a THEN a ELSE b]
       /\ requests = {[term |-> t, from |-> leader[t], lastTerm |-> 0, lastIndex |-> 0] : t \in 1..2}
       /\ grants = UNION {{[term |-> t, from |-> m, to |-> leader[t]] : m \in voters[t]} : t \in 1..2}
       /\ led = [t \in Terms |-> IF t > 2 THEN NotLed
                                ELSE [by |-> leader[t], elections |-> 1, log |-> <<Noop(t)>>, commit |-> 0]]
       /\ acks = [t \in Terms |-> [m \in Members |-> IF t <= 2 /\ leader[t] = m THEN 1 ELSE 0]]

Init ==
    /\ IF OldTerms THEN \E a, b \in Members : a # b /\ AfterTwoLeaders(a, b) ELSE Empty
    /\ role = [m \in Members |-> "follower"]
    /\ commit = [m \in Members |-> 0]
    /\ dterm = term /\ dvote = vote /\ dlog = log
    /\ pre = [m \in Members |-> {}]
    /\ handed = {}
    /\ crashes = 0

-----------------------------------------------------------------------------
(* The disk, and what is said once it has answered.  These speak of the    *)
(* next state, so that a step of a member that is not lossy includes them. *)

SaysRequest(m) ==
    IF role'[m] = "candidate" /\ (m \notin Lossy \/ dterm'[m] = term'[m] \/ Bug = "ask before durable")
    THEN {[term |-> term'[m], from |-> m, lastTerm |-> LastTerm(log'[m]), lastIndex |-> Len(log'[m])]} ELSE {}
SaysGrant(m) == IF vote'[m] # Nobody THEN {[term |-> term'[m], from |-> m, to |-> vote'[m]]} ELSE {}
Holds(m) ==   \* how much of the log of its term's leader
    IF term'[m] # 0 /\ role'[m] \in {"follower", "leader"} THEN Common(log'[m], led'[term'[m]].log) ELSE 0
SaysAck(m) == IF Holds(m) = 0 THEN acks ELSE [acks EXCEPT ![term'[m]][m] = IF Holds(m) > @ THEN Holds(m) ELSE @]

Written(m) ==
    /\ dterm' = [dterm EXCEPT ![m] = term'[m]]
    /\ dvote' = [dvote EXCEPT ![m] = vote'[m]]
    /\ dlog' = [dlog EXCEPT ![m] = log'[m]]
    /\ requests' = requests \cup SaysRequest(m)
    /\ grants' = grants \cup SaysGrant(m)
    /\ acks' = SaysAck(m)

Settle(m) ==   \* the end of every step that changes what a member knows
    IF m \in Lossy
    THEN /\ UNCHANGED disk
         /\ requests' = IF Bug = "ask before durable" THEN requests \cup SaysRequest(m) ELSE requests
         /\ grants' = IF Bug = "vote before durable" THEN grants \cup SaysGrant(m) ELSE grants
         /\ acks' = IF Bug = "acknowledge before durable" THEN SaysAck(m) ELSE acks
    ELSE Written(m)

(* Appended: everything is durable.                                        *)
Sync(m) ==
    /\ m \in Lossy
    /\ UNCHANGED <<memory, pre, led, handed, crashes>>
    /\ Written(m)
    /\ <<disk, requests, grants, acks>>' # <<disk, requests, grants, acks>>

-----------------------------------------------------------------------------
(* Elections                                                               *)

Elects(m) == m \in Deciders(Config(log[m]))

(* RaftServer, a tick after the election timeout: would anybody vote for   *)
(* me?  The term stays as it is.                                           *)
AskBefore(m) ==
    /\ PreVote
    /\ role[m] \in {"follower", "candidate"}
    /\ term[m] < MaxTerm
    /\ Elects(m)
    /\ role' = [role EXCEPT ![m] = "precandidate"]
    /\ pre' = [pre EXCEPT ![m] = {m}]
    /\ UNCHANGED <<term, vote, log, commit, disk, said, crashes>>

(* Answering a pre-vote changes nothing at the member that answers.        *)
GrantBefore(m, other) ==
    /\ role[m] = "precandidate"
    /\ other \notin pre[m]
    /\ Reachable(m) /\ Reachable(other)
    /\ term[other] <= term[m] + 1
    /\ UpToDate(LastTerm(log[m]), Len(log[m]), log[other])
    /\ pre' = [pre EXCEPT ![m] = @ \cup {other}]
    /\ UNCHANGED <<memory, disk, said, crashes>>

(* Calm elections: nobody campaigns while somebody leads or can still win. *)
CanWin(m) == Decides({v \in Members : term[v] < term[m] \/ (term[v] = term[m] /\ vote[v] \in {m, Nobody})}, Config(log[m]))
Busy(m) ==
    \/ role[m] = "leader" /\ \A v \in Members : term[v] <= term[m]
    \/ role[m] = "candidate" /\ CanWin(m)
Quiet == \A m \in Members : ~Busy(m)
WillingFor(m) == {v \in Members : Reachable(v) /\ term[v] <= term[m] + 1
                                  /\ UpToDate(LastTerm(log[m]), Len(log[m]), log[v])}

MayCampaign(m) ==
    \/ Calm /\ Quiet /\ Decides(WillingFor(m), Config(log[m]))
    \/ ~Calm /\ ~PreVote /\ role[m] # "leader"
    \/ ~Calm /\ PreVote /\ role[m] = "precandidate" /\ Decides(pre[m], Config(log[m]))
    \/ ~Calm /\ PreVote /\ role[m] = "follower" /\ <<term[m], m>> \in handed
    \/ Bug = "no pre-vote" /\ role[m] # "leader"

(* RaftServer._campaign: a new term and a vote for oneself, which others   *)
(* hear of when it is on disk.                                             *)
Campaign(m) ==
    /\ term[m] < MaxTerm
    /\ Elects(m)
    /\ MayCampaign(m)
    /\ role' = [role EXCEPT ![m] = "candidate"]
    /\ term' = [term EXCEPT ![m] = @ + 1]
    /\ vote' = [vote EXCEPT ![m] = m]
    /\ pre' = [pre EXCEPT ![m] = {}]
    /\ UNCHANGED <<log, commit, led, handed, crashes>>
    /\ Settle(m)

(* A request for a vote arrives and is granted in memory; Sync answers.    *)
HandleRequestVote(m, request) ==
    /\ request.from # m
    /\ Reachable(m) /\ Reachable(request.from)
    /\ request.term >= term[m]
    /\ \/ request.term > term[m]
       \/ vote[m] = Nobody /\ role[m] \in {"follower", "precandidate"}
       \/ Bug = "vote twice"
    /\ UpToDate(request.lastTerm, request.lastIndex, log[m])
    /\ role' = [role EXCEPT ![m] = "follower"]
    /\ term' = [term EXCEPT ![m] = request.term]
    /\ vote' = [vote EXCEPT ![m] = request.from]
    /\ pre' = [pre EXCEPT ![m] = {}]
    /\ UNCHANGED <<log, commit, led, handed, crashes>>
    /\ Settle(m)

(* Any message of a later term: RaftServer._step.                          *)
LearnTerm(m, other) ==
    /\ Reachable(m) /\ Reachable(other)
    /\ term[other] > term[m]
    /\ role' = [role EXCEPT ![m] = "follower"]
    /\ term' = [term EXCEPT ![m] = term[other]]
    /\ vote' = [vote EXCEPT ![m] = Nobody]
    /\ pre' = [pre EXCEPT ![m] = {}]
    /\ UNCHANGED <<log, commit, led, handed, crashes>>
    /\ Settle(m)

VotesFor(m) == {g.from : g \in {g \in grants : g.term = term[m] /\ g.to = m}}

(* RaftServer._become_leader: a no-op opens the term.                      *)
BecomeLeader(m) ==
    LET opened == Append(log[m], Noop(term[m])) IN
    /\ role[m] = "candidate"
    /\ Len(log[m]) < MaxLog
    /\ Decides(VotesFor(m), Config(log[m]))
    /\ role' = [role EXCEPT ![m] = "leader"]
    /\ log' = [log EXCEPT ![m] = opened]
    /\ led' = [led EXCEPT ![term[m]] = [by |-> m, elections |-> @.elections + 1, log |-> opened, commit |-> 0]]
    /\ UNCHANGED <<term, vote, commit, pre, handed, crashes>>
    /\ Settle(m)

-----------------------------------------------------------------------------
Crash(m) ==
    /\ m \in Lossy
    /\ crashes < MaxCrashes
    /\ crashes' = crashes + 1
    /\ role' = [role EXCEPT ![m] = "follower"]
    /\ term' = [term EXCEPT ![m] = dterm[m]]
    /\ vote' = [vote EXCEPT ![m] = dvote[m]]
    /\ log' = [log EXCEPT ![m] = dlog[m]]
    /\ commit' = [commit EXCEPT ![m] = 0]
    /\ pre' = [pre EXCEPT ![m] = {}]
    /\ UNCHANGED <<disk, said>>

-----------------------------------------------------------------------------
(* Replication                                                             *)

Extend(m, entry) ==
    /\ Len(log[m]) < MaxLog
    /\ log' = [log EXCEPT ![m] = Append(@, entry)]
    /\ led' = [led EXCEPT ![term[m]].log = Append(@, entry)]
    /\ UNCHANGED <<role, term, vote, commit, pre, handed, crashes>>
    /\ Settle(m)

Propose(m) == role[m] = "leader" /\ Extend(m, Command(term[m]))

(* ChangeMembership: joint first, then the new voters alone.               *)
ChangeMembership(m, new) ==
    LET config == Config(log[m]) IN
    /\ role[m] = "leader"
    /\ config.outgoing = {} /\ config.voters # new
    /\ LastChange(log[m]) <= commit[m]
    /\ commit[m] > 0 /\ log[m][commit[m]].term = term[m]
    /\ Extend(m, Change(term[m], new, IF Bug = "no joint configuration" THEN {} ELSE config.voters))

LeaveJoint(m) ==
    LET config == Config(log[m]) IN
    /\ role[m] = "leader"
    /\ config.outgoing # {}
    /\ LastChange(log[m]) <= commit[m]
    /\ Extend(m, Change(term[m], config.voters, {}))

(* The next entry of a leader's log arrives; what contradicts it goes.     *)
Follow(m, t, l, c) ==
    /\ role' = [role EXCEPT ![m] = "follower"]
    /\ vote' = [vote EXCEPT ![m] = IF t > term[m] THEN Nobody ELSE @]
    /\ term' = [term EXCEPT ![m] = t]
    /\ pre' = [pre EXCEPT ![m] = {}]
    /\ log' = [log EXCEPT ![m] = l]
    /\ commit' = [commit EXCEPT ![m] = c]

MayFollow(m, t) ==
    /\ led[t].elections > 0
    /\ t >= term[m]
    /\ ~(t = term[m] /\ role[m] = "leader")
    /\ Reachable(m) /\ Reachable(led[t].by)

HandleAppendEntries(m, t) ==
    /\ MayFollow(m, t)
    /\ LET same == Common(log[m], led[t].log) IN
        /\ \/ /\ same < Len(led[t].log)
              /\ Follow(m, t, Prefix(led[t].log, same + 1), commit[m])
           \/ /\ Bug = "truncate what agrees" /\ same > 1 /\ same = Len(log[m])
              /\ Follow(m, t, Prefix(led[t].log, same - 1), commit[m])
           \/ /\ same = Len(led[t].log)   \* a heartbeat
              /\ (t > term[m] \/ role[m] # "follower")
              /\ Follow(m, t, log[m], commit[m])
    /\ UNCHANGED <<led, handed, crashes>>
    /\ Settle(m)

(* The commit index that comes with it counts as far as the logs agree.    *)
LearnCommit(m, t) ==
    /\ m \in Appliers
    /\ MayFollow(m, t)
    /\ LET known == Min(led[t].commit, IF Bug = "commit what does not match" THEN Len(log[m])
                                       ELSE Common(log[m], led[t].log)) IN
        /\ known > commit[m]
        /\ Follow(m, t, log[m], known)
    /\ UNCHANGED <<led, handed, crashes>>
    /\ Settle(m)

Agreed(m, n) == Decides({v \in Members : acks[term[m]][v] >= n}, Config(log[m]))

(* RaftServer._advance_commit: by count only what is of the own term.      *)
AdvanceCommit(m, n) ==
    /\ role[m] = "leader"
    /\ n > commit[m] /\ n <= Len(log[m])
    /\ log[m][n].term = term[m] \/ Bug = "commit an old term"
    /\ Agreed(m, n)
    /\ commit' = [commit EXCEPT ![m] = n]
    /\ led' = [led EXCEPT ![term[m]].commit = n]
    /\ UNCHANGED <<role, term, vote, log, disk, pre, requests, grants, acks, handed, crashes>>

(* A leader that is no voter any more stops when that is committed.        *)
StepDown(m) ==
    /\ role[m] = "leader"
    /\ LastChange(log[m]) <= commit[m]
    /\ ~Elects(m)
    /\ role' = [role EXCEPT ![m] = "follower"]
    /\ UNCHANGED <<term, vote, log, commit, disk, pre, said, crashes>>

(* TransferLeadership: TimeoutNow goes to somebody who has everything.     *)
Transfer(m, other) ==
    /\ PreVote
    /\ role[m] = "leader" /\ other # m
    /\ Reachable(m) /\ Reachable(other)
    /\ other \in Config(log[m]).voters
    /\ acks[term[m]][other] = Len(log[m])
    /\ <<term[m], other>> \notin handed
    /\ handed' = handed \cup {<<term[m], other>>}
    /\ UNCHANGED <<memory, disk, pre, requests, grants, led, acks, crashes>>

-----------------------------------------------------------------------------
Step(m) ==
    \/ AskBefore(m) \/ Campaign(m) \/ BecomeLeader(m) \/ Sync(m)
    \/ \E other \in Members : GrantBefore(m, other) \/ LearnTerm(m, other) \/ Transfer(m, other)
    \/ \E request \in requests : HandleRequestVote(m, request)
    \/ LeaveJoint(m) \/ StepDown(m)
    \/ \E t \in Terms : HandleAppendEntries(m, t) \/ LearnCommit(m, t)
    \/ \E n \in 1..MaxLog : AdvanceCommit(m, n)

Wish(m) == Propose(m) \/ \E new \in Targets : ChangeMembership(m, new)

Next == \E m \in Members : Step(m) \/ Wish(m) \/ Crash(m)
Spec == Init /\ [][Next]_vars
LiveSpec == Init /\ [][\E m \in Members : Step(m) \/ Crash(m)]_vars /\ \A m \in Members : WF_vars(Step(m))

-----------------------------------------------------------------------------
TypeOK ==
    /\ role \in [Members -> {"follower", "precandidate", "candidate", "leader"}]
    /\ term \in [Members -> 0..MaxTerm] /\ dterm \in [Members -> 0..MaxTerm]
    /\ vote \in [Members -> Members \cup {Nobody}] /\ dvote \in [Members -> Members \cup {Nobody}]
    /\ \A m \in Members : Len(log[m]) <= MaxLog /\ Len(dlog[m]) <= MaxLog /\ commit[m] <= MaxLog
    /\ crashes \in 0..MaxCrashes

(* At most one member leads in a term, and that once.                      *)
ElectionSafety ==
    /\ \A t \in Terms : led[t].elections <= 1
    /\ \A a, b \in Members : role[a] = "leader" /\ role[b] = "leader" /\ term[a] = term[b] => a = b

(* Entries with the same index and term have the same logs before them.    *)
LogMatching ==
    \A a, b \in Members : \A i \in 1..Min(Len(log[a]), Len(log[b])) :
        log[a][i].term = log[b][i].term => Prefix(log[a], i) = Prefix(log[b], i)

(* What was committed in a term is in the log of every later leader.       *)
LeaderCompleteness ==
    \A t \in Terms : \A later \in t + 1..MaxTerm :
        led[later].elections > 0 =>
            /\ Len(led[later].log) >= led[t].commit
            /\ Prefix(led[later].log, led[t].commit) = Prefix(led[t].log, led[t].commit)

(* Nobody applies another entry where somebody has applied one.            *)
StateMachineSafety ==
    \A m \in Members : commit[m] <= Len(log[m]) /\ \A t \in Terms :
        LET both == Min(commit[m], led[t].commit) IN Prefix(log[m], both) = Prefix(led[t].log, both)

(* What a leader counted for a commit survives on disks of a majority.     *)
CommittedIsDurable ==
    \A m \in Members : role[m] = "leader" /\ commit[m] > 0 =>
        Majority({v \in Members : Len(dlog[v]) >= commit[m]
                                  /\ Prefix(dlog[v], commit[m]) = Prefix(log[m], commit[m])},
                 Config(Prefix(log[m], commit[m])).voters)

(* A member that nobody hears never makes the term grow.                   *)
CutOffIsHarmless == PreVote => \A m \in Cut : term[m] = 0

-----------------------------------------------------------------------------
(* Once crashes are over somebody leads for good, and everybody learns     *)
(* what is committed.                                                      *)
SomebodyLeads == <>[](\E m \in Members : role[m] = "leader" /\ commit[m] >= 1)
EverybodyCatchesUp == <>[](\A a, b \in Members : commit[a] = commit[b] /\ commit[a] >= 1)
=============================================================================
