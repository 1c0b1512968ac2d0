---------------------------- MODULE JobLifeCycle ----------------------------
(***************************************************************************)
(* One job after another from its submission to its end, as flurm/core     *)
(* decides it: lifecycle.py, control.py, nodes.py.                         *)
(*                                                                         *)
(* Two halves.  What the cluster believes: each job's record, and for each *)
(* node whose cores are taken there.  What is true on the nodes: processes *)
(* that run, and ends that no controller has acknowledged yet.  Every      *)
(* command of the log that matters to a job is one step here, and so is    *)
(* everything that a node does by itself.  A process is <<job, restarts,   *)
(* node>>, so that a job meeting its former self would be seen.            *)
(*                                                                         *)
(* A node holds one job at a time: how many fit is the matter of           *)
(* Scheduling.                                                             *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
    Jobs, Nodes,
    Wide,           \* jobs that need two nodes; the others need one
    Requeueable,    \* jobs that go back to the queue when they lose a node
    MaxRestarts,
    MaxFaults,      \* how often nodes may fail
    Bug

VARIABLES
    job,        \* Jobs -> record: state, completing, alloc, host, launch, restarts, held, exit
    used,       \* Nodes -> jobs that hold it
    up,         \* Nodes -> TRUE while the cluster counts on it: in service, and clean of what it lost
    flying,     \* launches on their way to a node: <<job, restarts, node>>
    procs,      \* processes that run: <<job, restarts, node>>
    ends,       \* ended, not yet acknowledged: <<job, restarts, node, exit>>
    seen,       \* launches that a node has taken or refused for ever: <<job, restarts>>
    misjudged,  \* TRUE once a job has been given the exit status of an earlier run
    faults
vars == <<job, used, up, flying, procs, ends, seen, misjudged, faults>>

Finished == {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE",
             "OUT_OF_MEMORY"}
Holding == {"RUNNING", "SUSPENDED"}
States == {"PENDING"} \cup Holding \cup Finished
Outside == {"CANCELLED", "TIMEOUT", "DEADLINE", "PREEMPTED"}   \* the script's exit status comes after the end

(* flurm.core.lifecycle.TRANSITIONS; tests/specs holds the two together.    *)
Transitions == {
    <<"PENDING", "start", "RUNNING">>,
    <<"PENDING", "cancel", "CANCELLED">>,
    <<"PENDING", "deadline", "DEADLINE">>,
    <<"PENDING", "lose node", "NODE_FAIL">>,
    <<"RUNNING", "succeed", "COMPLETED">>,
    <<"RUNNING", "fail", "FAILED">>,
    <<"RUNNING", "run out of memory", "OUT_OF_MEMORY">>,
    <<"RUNNING", "cancel", "CANCELLED">>,
    <<"RUNNING", "time out", "TIMEOUT">>,
    <<"RUNNING", "deadline", "DEADLINE">>,
    <<"RUNNING", "lose node", "NODE_FAIL">>,
    <<"RUNNING", "requeue", "PENDING">>,
    <<"RUNNING", "suspend", "SUSPENDED">>,
    <<"SUSPENDED", "resume", "RUNNING">>,
    <<"SUSPENDED", "cancel", "CANCELLED">>,
    <<"SUSPENDED", "time out", "TIMEOUT">>,
    <<"SUSPENDED", "lose node", "NODE_FAIL">>,
    <<"SUSPENDED", "requeue", "PENDING">>
} \cup {<<state, "requeue", "PENDING">> : state \in Finished}

Knows(state, event) == \E t \in Transitions : t[1] = state /\ t[2] = event
After(state, event) == (CHOOSE t \in Transitions : t[1] = state /\ t[2] = event)[3]

IsPending(j) == job[j].state = "PENDING" /\ job[j].completing = {}
Width(j) == IF j \in Wide THEN 2 ELSE 1

Init ==
    /\ job = [j \in Jobs |-> [state |-> "PENDING", completing |-> {}, alloc |-> {}, host |-> "none",
                              launch |-> "none", restarts |-> 0, held |-> FALSE, exit |-> "none"]]
    /\ used = [n \in Nodes |-> {}]
    /\ up = [n \in Nodes |-> TRUE]
    /\ flying = {} /\ procs = {} /\ ends = {} /\ seen = {} /\ misjudged = FALSE /\ faults = 0

Record(j, r) == job' = [job EXCEPT ![j] = r]

(* lifecycle.finish: the job has ended, its nodes have not said so.         *)
Ended(r, event) ==
    [r EXCEPT !.state = After(@, event), !.launch = "none", !.completing = r.alloc]
(* lifecycle.requeue: back in the queue, to start when its nodes are clean. *)
Again(r, hold) ==
    [r EXCEPT !.state = After(@, "requeue"), !.launch = "none", !.restarts = @ + 1, !.held = @ \/ hold,
              !.completing = IF r.state \in Finished \/ Bug = "requeue at once" THEN {} ELSE r.alloc,
              !.alloc = IF r.state \in Finished THEN {} ELSE @]
MayRestart(j) == job[j].restarts < MaxRestarts

-----------------------------------------------------------------------------
(* Commands                                                                *)

(* ApplyPlan                                                               *)
Start(j, S) ==
    LET host == CHOOSE n \in S : TRUE IN
    /\ IsPending(j) \/ (Bug = "start while completing" /\ job[j].state = "PENDING")
    /\ ~job[j].held
    /\ Cardinality(S) = Width(j)
    /\ \A n \in S : up[n] /\ used[n] = {}
    /\ Record(j, [job[j] EXCEPT !.state = After(@, "start"), !.alloc = S, !.host = host, !.launch = "wanted",
                                !.exit = "none"])
    /\ used' = [n \in Nodes |-> IF n \in S THEN used[n] \cup {j} ELSE used[n]]
    /\ UNCHANGED <<up, flying, procs, ends, seen, misjudged, faults>>

(* KillJob, ExpireJobs and what an administrator does to a job.             *)
Order(j, event) ==
    /\ Knows(job[j].state, event)
    /\ IF job[j].state \in Holding /\ event \notin {"suspend", "resume"}
       THEN Record(j, Ended(job[j], event))
       ELSE Record(j, [job[j] EXCEPT !.state = After(@, event)])
    /\ UNCHANGED <<used, up, flying, procs, ends, seen, misjudged, faults>>

Requeue(j, hold) ==
    /\ MayRestart(j)
    /\ job[j].completing = {} /\ job[j].state # "PENDING"
    /\ Record(j, Again(job[j], hold))
    /\ UNCHANGED <<used, up, flying, procs, ends, seen, misjudged, faults>>

Release(j) ==
    /\ job[j].held
    /\ Record(j, [job[j] EXCEPT !.held = FALSE])
    /\ UNCHANGED <<used, up, flying, procs, ends, seen, misjudged, faults>>

(* LaunchBatch is sent to the batch host, as often as it may; ...           *)
Launch(j) ==
    LET launch == <<j, job[j].restarts, job[j].host>> IN
    /\ job[j].launch = "wanted" /\ job[j].state = "RUNNING"
    /\ up[job[j].host]
    /\ <<j, job[j].restarts>> \notin seen /\ launch \notin flying
    /\ flying' = flying \cup {launch}
    /\ UNCHANGED <<job, used, up, procs, ends, seen, misjudged, faults>>

(* ... and reaches it at any later time, whatever the cluster thinks of the *)
(* node by then.                                                           *)
Arrive(l) ==
    LET run == <<l[1], l[2]>> IN
    /\ flying' = flying \ {l}
    /\ seen' = seen \cup {run}
    /\ procs' = IF run \in seen THEN procs ELSE procs \cup {l}
    /\ UNCHANGED <<job, used, up, ends, misjudged, faults>>

(* LaunchDone: the host has the script, ...                                *)
LaunchDone(j) ==
    /\ job[j].launch = "wanted" /\ job[j].state = "RUNNING"
    /\ <<j, job[j].restarts>> \in seen
    /\ Record(j, [job[j] EXCEPT !.launch = "sent"])
    /\ UNCHANGED <<used, up, flying, procs, ends, seen, misjudged, faults>>

(* ... or would not take it.                                               *)
LaunchRefused(j) ==
    LET r == job[j].restarts IN
    /\ MayRestart(j)
    /\ job[j].launch = "wanted" /\ job[j].state = "RUNNING"
    /\ up[job[j].host]
    /\ <<j, r>> \notin seen
    /\ seen' = seen \cup {<<j, r>>}
    /\ Record(j, Again(job[j], FALSE))
    /\ UNCHANGED <<used, up, flying, procs, ends, misjudged, faults>>

(* On the node: the script ends by itself.                                 *)
ScriptEnds(p, exit) ==
    /\ procs' = procs \ {p}
    /\ ends' = ends \cup {<<p[1], p[2], p[3], exit>>}
    /\ UNCHANGED <<job, used, up, flying, seen, misjudged, faults>>

(* BatchEnded: the report says no more than job and node.                  *)
Verdict(exit) == CASE exit = "zero" -> "succeed" [] exit = "oom" -> "run out of memory" [] OTHER -> "fail"
BatchEnded(e) ==
    LET j == e[1] r == job[j] IN
    /\ up[e[3]]
    /\ ends' = ends \ {e}
    /\ IF r.state \in Holding /\ r.completing = {} /\ r.host = e[3]
       THEN /\ misjudged' = (misjudged \/ e[2] # r.restarts)
            /\ IF Knows(r.state, Verdict(e[4]))
               THEN Record(j, [Ended(r, Verdict(e[4])) EXCEPT !.exit = e[4]])
               ELSE UNCHANGED job
       ELSE /\ UNCHANGED misjudged
            /\ IF r.completing # {} /\ r.state \in Outside /\ r.exit = "none" /\ r.host = e[3]
               THEN Record(j, [r EXCEPT !.exit = e[4]])
               ELSE UNCHANGED job
    /\ UNCHANGED <<used, up, flying, procs, seen, faults>>

(* TerminateJob reaches a node of a job that is ending, which then takes no *)
(* older launch of the job.                                                *)
Here(j, n) == {p \in procs : p[1] = j /\ p[3] = n}
Over(j) == {<<j, r>> : r \in 0..job[j].restarts - (IF job[j].state = "PENDING" THEN 1 ELSE 0)}
Terminate(j, n) ==
    /\ n \in job[j].completing /\ up[n]
    /\ Here(j, n) # {} \/ ~(Over(j) \subseteq seen)
    /\ procs' = procs \ Here(j, n)
    /\ ends' = ends \cup {<<j, p[2], n, "signal">> : p \in Here(j, n)}
    /\ seen' = seen \cup Over(j)
    /\ UNCHANGED <<job, used, up, flying, misjudged, faults>>

(* vacate: the node is the job's no more.                                  *)
Left(j, n) ==
    LET left == job[j].completing \ {n} IN
    /\ used' = [used EXCEPT ![n] = @ \ {j}]
    /\ Record(j, [job[j] EXCEPT !.completing = left, !.alloc = IF left = {} /\ job[j].state = "PENDING" THEN {} ELSE @])

Unreported(j, n) == {e \in ends : e[1] = j /\ e[3] = n}
(* EpilogDone: the node is clean.  It says so after all its other reports  *)
(* of the job (actors/node_daemon/reporter.py keeps them in order).        *)
EpilogDone(j, n) ==
    /\ n \in job[j].completing /\ up[n]
    /\ (Here(j, n) = {} /\ Over(j) \subseteq seen) \/ Bug = "clean while it runs"
    /\ Unreported(j, n) = {} \/ Bug = "epilog overtakes the end"
    /\ Left(j, n)
    /\ UNCHANGED <<up, flying, procs, ends, seen, misjudged, faults>>

(* NodesMissing(down): the cluster gives the node up, with all it held.     *)
Lost(j, n) ==
    LET r == job[j]
        after == IF r.state \notin Holding THEN r
                 ELSE IF j \in Requeueable /\ MayRestart(j) THEN Again(r, FALSE) ELSE Ended(r, "lose node")
        left == after.completing \ {n}
    IN [after EXCEPT !.completing = left, !.alloc = IF left = {} /\ after.state = "PENDING" THEN {} ELSE @]
NodeDown(n) ==
    /\ up[n] /\ faults < MaxFaults
    /\ faults' = faults + 1
    /\ up' = [up EXCEPT ![n] = FALSE]
    /\ job' = [j \in Jobs |-> IF j \in used[n] THEN Lost(j, n) ELSE job[j]]
    /\ used' = [used EXCEPT ![n] = {}]
    /\ UNCHANGED <<flying, procs, ends, seen, misjudged>>

(* A node that is down loses its processes, or is told to end them.        *)
ProcessesGone(n) ==
    /\ ~up[n]
    /\ \E p \in procs : p[3] = n
    /\ procs' = {p \in procs : p[3] # n}
    /\ UNCHANGED <<job, used, up, flying, ends, seen, misjudged, faults>>

(* RegisterNode, and EpilogDone of each job it lost: a node that was down   *)
(* is back once it is clean, and takes no launch that is still under way;  *)
(* what it still would report is of jobs that it no longer has.            *)
NodeBack(n) ==
    /\ ~up[n]
    /\ (\A p \in procs : p[3] # n) \/ Bug = "back with old processes"
    /\ up' = [up EXCEPT ![n] = TRUE]
    /\ ends' = {e \in ends : e[3] # n}
    /\ seen' = IF Bug = "back before a launch arrives" THEN seen
                ELSE seen \cup {<<l[1], l[2]>> : l \in {l \in flying : l[3] = n}}
    /\ UNCHANGED <<job, used, flying, procs, misjudged, faults>>

-----------------------------------------------------------------------------
Carried(j) == Launch(j) \/ LaunchDone(j) \/ (\E l \in flying : l[1] = j /\ Arrive(l)) \/ \E n \in Nodes : Terminate(j, n) \/ EpilogDone(j, n)
Reported == \E e \in ends : BatchEnded(e)
ByNodes(n) == ProcessesGone(n) \/ NodeBack(n)
ByScript(p) == \E exit \in {"zero", "one", "oom"} : ScriptEnds(p, exit)
Due(j) == job[j].state \in Holding /\ Order(j, "time out")
Starts(j) == \E S \in SUBSET Nodes : Start(j, S)
ByPeople(j) ==
    \/ \E event \in {"cancel", "deadline", "suspend", "resume"} : Order(j, event)
    \/ \E hold \in BOOLEAN : Requeue(j, hold)
    \/ Release(j) \/ LaunchRefused(j)

Next ==
    \/ \E j \in Jobs : Carried(j) \/ Due(j) \/ Starts(j) \/ ByPeople(j)
    \/ Reported
    \/ \E n \in Nodes : ByNodes(n) \/ NodeDown(n)
    \/ \E p \in procs : ByScript(p)

Spec == Init /\ [][Next]_vars
LiveSpec ==
    /\ Spec
    /\ \A j \in Jobs : WF_vars(Carried(j)) /\ SF_vars(Due(j)) /\ SF_vars(Starts(j))
    /\ WF_vars(Reported)
    /\ \A n \in Nodes : WF_vars(ByNodes(n))

-----------------------------------------------------------------------------
TypeOK ==
    /\ \A j \in Jobs : job[j].state \in States /\ job[j].completing \subseteq Nodes
                       /\ job[j].launch \in {"none", "wanted", "sent"} /\ job[j].restarts <= MaxRestarts
    /\ \A p \in procs : p[1] \in Jobs /\ p[3] \in Nodes

(* A node is a job's exactly while the job runs or is not yet gone there.   *)
HeldExactly ==
    \A j \in Jobs : \A n \in Nodes :
        j \in used[n] <=> \/ job[j].state \in Holding /\ n \in job[j].alloc /\ up[n]
                          \/ n \in job[j].completing
OneJobPerNode == \A n \in Nodes : Cardinality(used[n]) <= 1

(* No job runs twice at once on nodes that the cluster counts on.          *)
RunsOnce == \A p, q \in procs : p[1] = q[1] /\ up[p[3]] /\ up[q[3]] => p = q
(* What runs there holds its node.                                         *)
NothingRunsUnknown == \A p \in procs : up[p[3]] => p[1] \in used[p[3]]

ExitFits ==
    \A j \in Jobs : /\ job[j].state = "COMPLETED" => job[j].exit = "zero"
                    /\ job[j].state = "FAILED" => job[j].exit \in {"one", "signal"}
                    /\ job[j].state = "OUT_OF_MEMORY" => job[j].exit = "oom"
JudgedByItsOwnEnd == ~misjudged

(* Every change is one of the table's; what has ended stays so, but for a  *)
(* requeue, which counts as one.                                           *)
OnlyKnownTransitions ==
    [][\A j \in Jobs : job'[j].state # job[j].state =>
          \E t \in Transitions : t[1] = job[j].state /\ t[3] = job'[j].state]_vars
TerminalStaysTerminal ==
    [][\A j \in Jobs : job[j].state \in Finished =>
          \/ job'[j].state = job[j].state
          \/ job'[j].state = "PENDING" /\ job'[j].restarts = job[j].restarts + 1]_vars

StartedJobsEnd == \A j \in Jobs : job[j].state = "RUNNING" ~> (job[j].state \in Finished \/ job[j].held)
NodesComeFree == \A j \in Jobs : job[j].completing # {} ~> job[j].completing = {}
=============================================================================
