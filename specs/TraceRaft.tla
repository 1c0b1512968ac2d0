------------------------------ MODULE TraceRaft ------------------------------
(***************************************************************************)
(* Recorded runs of real members held against Raft.                        *)
(*                                                                         *)
(* A recording has, step for step, what each member knew and what its disk *)
(* held.  One recorded step may be several of Raft.tla's, or none, so this *)
(* spec does not replay actions: it follows the recording and says, as     *)
(* invariants over two states that follow one another and what was seen    *)
(* before, what steps of Raft.tla may change and when.  The comment of     *)
(* each invariant names the actions that it stands for.                    *)
(*                                                                         *)
(* TraceData is made by specs/traces.py: Traces, each with its members     *)
(* (numbers from 1), first voters, and steps; and Configurations, which    *)
(* entries of logs refer to.  A step is a sequence of members' changes,    *)
(* packed, because TLC reads numbers faster than records:                  *)
(*   <<member, alive + 2 role + 8 vote + 64 vote on disk, term, term on    *)
(*     disk, commit index, entries of the log that stay, new entries ...>> *)
(* An entry is 1000 times its term plus what it is: 0 no-op, 1 command,    *)
(* 2 machine version, 2 + n the n-th configuration.                        *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, TLC, TraceData

VARIABLES
    trace, step,
    before, now,   \* members -> record, before and after the step
    leaders,       \* <<term, member>> of everybody seen to lead
    ballots,       \* <<term, voter, candidate>> of every vote seen on a disk
    agreed         \* the log as far as some leader has committed it
vars == <<trace, step, before, now, leaders, ballots, agreed>>

Nobody == 0
Roles == <<"follower", "candidate", "leader">>
Term(entry) == entry \div 1000
What(entry) == entry % 1000
Unpacked(c, oldLog) ==
    [alive |-> c[2] % 2 = 1, role |-> Roles[((c[2] \div 2) % 4) + 1], vote |-> (c[2] \div 8) % 8,
     dvote |-> c[2] \div 64, term |-> c[3], dterm |-> c[4], commit |-> c[5],
     log |-> SubSeq(oldLog, 1, c[6]) \o SubSeq(c, 7, Len(c))]
Members == Traces[trace].members
Min(a, b) == IF a < b THEN a ELSE b
Prefix(l, n) == SubSeq(l, 1, Min(n, Len(l)))
Majority(S, voters) == 2 * Cardinality(S \cap voters) > Cardinality(voters)
Decides(S, c) == Majority(S, c.voters) /\ (c.outgoing = {} \/ Majority(S, c.outgoing))

(* Configurations that may be in force: none older than what is agreed;    *)
(* what a leader holds in memory alone may be the end of a joint one.      *)
At(l, n) ==
    LET places == {i \in 1..Min(n, Len(l)) : What(l[i]) > 2} IN
    IF places = {} THEN [voters |-> Traces[trace].voters, outgoing |-> {}]
    ELSE Configurations[What(l[CHOOSE i \in places : \A k \in places : k <= i]) - 2]
Recorded == {At(agreed, Len(agreed))} \cup
            UNION {{At(now[m].log, n) : n \in Min(Len(agreed), Len(now[m].log))..Len(now[m].log)} : m \in Members}
InForce == Recorded \cup {[voters |-> c.voters, outgoing |-> {}] : c \in {c \in Recorded : c.outgoing # {}}}

Leads(state, m) == state[m].alive /\ state[m].role = "leader"
Crashed(m) == ~before[m].alive \/ ~now[m].alive
(* Who led before the step or leads after it, in the term of after it: one  *)
(* that learns of a newer term may learn a commit index along with that.    *)
LedIn(old, new, m) == Leads(new, m) \/ (Leads(old, m) /\ old[m].term = new[m].term)
Commits(m) == now[m].commit > before[m].commit /\ LedIn(before, now, m)
(* Members that hold the log up to n as some disk has it, of that term.     *)
HoldersOf(l, n) == {v \in Members : Len(now[v].log) >= n /\ Prefix(now[v].log, n) = Prefix(l, n)}
Witnesses(n, t) == {v \in Members : Len(now[v].log) >= n /\ Term(now[v].log[n]) = t}

SeenLeaders(state) == {<<state[m].term, m>> : m \in {m \in DOMAIN state : Leads(state, m)}}
SeenBallots(state) == {<<state[m].dterm, m, state[m].dvote>> : m \in {m \in DOMAIN state : state[m].dvote # Nobody}}

Start(i, state) ==
    /\ trace = i /\ step = 1
    /\ before = state /\ now = state
    /\ leaders = {<<state[m].term, m>> : m \in {m \in DOMAIN state : Leads(state, m)}}
    /\ ballots = SeenBallots(state)
    /\ agreed = <<>>
Changed(state, changes) ==
    [m \in DOMAIN state |->
        IF \E k \in 1..Len(changes) : changes[k][1] = m
        THEN Unpacked(changes[CHOOSE k \in 1..Len(changes) : changes[k][1] = m], state[m].log) ELSE state[m]]
Init == \E i \in 1..Len(Traces) :
    Start(i, Changed([m \in Traces[i].members |-> [log |-> <<>>]], Traces[i].steps[1]))

Further ==   \* the longest log that a leader's commit index now covers
    LET found == {<<m, v>> \in Members \X Members :
                    /\ now'[m].commit > Len(agreed)
                    /\ LedIn(now, now', m)
                    /\ Len(now'[v].log) >= now'[m].commit
                    /\ Term(now'[v].log[now'[m].commit]) = now'[m].term}
    IN IF found = {} THEN agreed
       ELSE LET best == CHOOSE p \in found : \A q \in found : now'[q[1]].commit <= now'[p[1]].commit
            IN Prefix(now'[best[2]].log, now'[best[1]].commit)

Next ==
    /\ step < Len(Traces[trace].steps)
    /\ step' = step + 1
    /\ before' = now
    /\ now' = Changed(now, Traces[trace].steps[step + 1])
    /\ leaders' = leaders \cup SeenLeaders(now')
    /\ ballots' = ballots \cup SeenBallots(now')
    /\ agreed' = Further
    /\ UNCHANGED trace
Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Campaign, HandleRequestVote, LearnTerm, Crash: terms never go back, on  *)
(* disk not even in a crash.                                               *)
TermsOnlyGrow ==
    \A m \in Members : /\ now[m].dterm >= before[m].dterm
                       /\ ~Crashed(m) => now[m].term >= before[m].term
(* HandleRequestVote: a vote once given in a term stays.                   *)
OneVotePerTerm ==
    /\ \A m \in Members : ~Crashed(m) /\ now[m].term = before[m].term /\ before[m].vote # Nobody
                              => now[m].vote = before[m].vote
    /\ \A a, b \in ballots : a[1] = b[1] /\ a[2] = b[2] => a[3] = b[3]
(* Crash: what comes up is what was on disk.                               *)
RestartsFromDisk ==
    \A m \in Members : ~before[m].alive /\ now[m].alive =>
        now[m].dterm = before[m].dterm /\ now[m].dvote = before[m].dvote /\ now[m].log = before[m].log
(* BecomeLeader: votes that are on disks, from a majority.                 *)
LeadersAreElected ==
    \A m \in Members : Leads(now, m) /\ (~Leads(before, m) \/ before[m].term # now[m].term) =>
        \E c \in InForce : Decides({v \in Members : <<now[m].term, v, m>> \in ballots}, c)
OneLeaderPerTerm == \A a, b \in leaders : a[1] = b[1] => a = b
(* Propose, HandleAppendEntries: entries come from who led in their term.  *)
EntriesComeFromLeaders ==
    \A m \in Members : now[m].log # before[m].log =>
        /\ \A i \in 1..Len(now[m].log) : \E l \in leaders : l[1] = Term(now[m].log[i])
        /\ \A i \in 2..Len(now[m].log) : Term(now[m].log[i - 1]) <= Term(now[m].log[i])
(* LogMatching, of disks: equal up to some place, no term in common after   *)
(* it.  The place is looked for from the end, where it mostly is.          *)
LogsMatch ==
    \A a, b \in Members : (a # b /\ now[a].log # before[a].log) =>
        LET most == Min(Len(now[a].log), Len(now[b].log)) IN
        \E d \in 0..most :
            /\ Prefix(now[a].log, most - d) = Prefix(now[b].log, most - d)
            /\ \A i \in (most - d + 1)..most : Term(now[a].log[i]) # Term(now[b].log[i])
(* AdvanceCommit: of the own term, on disks of a majority.                 *)
CommitsAreDurable ==
    \A m \in Members : Commits(m) =>
        \E v \in Witnesses(now[m].commit, now[m].term) : \E c \in InForce :
            Decides(HoldersOf(now[v].log, now[m].commit), c)
(* LearnCommit: nobody goes further than some leader has gone.             *)
FollowersFollow == \A m \in Members : now[m].alive => now[m].commit <= Len(agreed)
CommitsOnlyGrow == \A m \in Members : ~Crashed(m) => now[m].commit >= before[m].commit
(* StateMachineSafety and LeaderCompleteness, of disks.                    *)
AgreedStays ==
    /\ \A m \in Members : LET n == Min(now[m].commit, Len(now[m].log)) IN
                          now[m].alive => Prefix(now[m].log, n) = Prefix(agreed, n)
    /\ \A m \in Members : Leads(now, m) /\ ~Leads(before, m) =>
           LET n == Min(Len(agreed), Len(now[m].log)) IN Prefix(now[m].log, n) = Prefix(agreed, n)
=============================================================================
