----------------------------- MODULE Scheduling -----------------------------
(***************************************************************************)
(* What starts when: planning on a snapshot, applying later.               *)
(*                                                                         *)
(* The scheduler plans on the state as it was published (flurm/sched), and *)
(* its plan travels through the log as ApplyPlan.  Meanwhile jobs end,     *)
(* others are cancelled, nodes drain, and a leader that was replaced may   *)
(* have a plan of its own under way.  So whoever applies a plan looks      *)
(* again (flurm.core.placement.check_still_free), and a start that no      *)
(* longer fits is left out.                                                *)
(*                                                                         *)
(* Plan is EASY backfill (flurm.sched.plan with depth 1): jobs in order;   *)
(* who fits starts; the first who does not is promised the earliest place  *)
(* that the time limits of what runs allow; who comes later starts only    *)
(* where that does not move the promise.                                   *)
(*                                                                         *)
(* Time passes in units of a time limit.  A plan is applied within the     *)
(* unit in which it was made: milliseconds against minutes.                *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
    Nodes, Cpus,     \* so many CPUs on each node
    Jobs,            \* names of Shapes
    MaxPlans,        \* plans under way at once
    MaxDrains,       \* how often an administrator drains a node
    Again,           \* TRUE: jobs that are over come back as new ones at the end of the queue
    Bug

Everything == Cardinality(Nodes)
Shapes ==   \* how many nodes, CPUs on each, time limit
    [wide |-> [nodes |-> Everything, cpus |-> Cpus, limit |-> 1],
     half |-> [nodes |-> 1, cpus |-> Cpus, limit |-> 1],
     long |-> [nodes |-> 1, cpus |-> 1, limit |-> 2],
     other |-> [nodes |-> 1, cpus |-> 1, limit |-> 2],
     short |-> [nodes |-> 1, cpus |-> 1, limit |-> 1]]
MaxLimit == 2

VARIABLES
    queue,    \* pending jobs, the first to start first
    alloc,    \* running jobs -> CPUs on each node
    left,     \* running jobs -> time until their limits
    used,     \* Nodes -> CPUs handed out, as the nodes' records have it
    drained,  \* nodes that get no further job
    plans,    \* plans proposed and not yet applied, each a sequence of starts
    starts,   \* Jobs -> how often the present submission was started
    drains
vars == <<queue, alloc, left, used, drained, plans, starts, drains>>

Running == DOMAIN alloc
Pending == {queue[i] : i \in 1..Len(queue)}
Nothing == [n \in Nodes |-> 0]
Plus(a, b) == [n \in Nodes |-> a[n] + b[n]]
Less(a, b) == [n \in Nodes |-> IF a[n] > b[n] THEN a[n] - b[n] ELSE 0]
Least(a, b) == [n \in Nodes |-> IF a[n] < b[n] THEN a[n] ELSE b[n]]
Fits(a, free) == \A n \in Nodes : a[n] <= free[n]
Without(f, x) == [y \in DOMAIN f \ {x} |-> f[y]]
Drop(s, x) == SelectSeq(s, LAMBDA y : y # x)
RECURSIVE Total(_, _)
Total(f, S) == IF S = {} THEN Nothing
               ELSE LET x == CHOOSE x \in S : TRUE IN Plus(f[x], Total(f, S \ {x}))

Init ==
    /\ queue \in {q \in [1..Cardinality(Jobs) -> Jobs] : \A i, k \in DOMAIN q : q[i] = q[k] => i = k}
    /\ alloc = <<>> /\ left = <<>>
    /\ used = Nothing
    /\ drained = {}
    /\ plans = <<>>
    /\ starts = [j \in Jobs |-> 0]
    /\ drains = 0

-----------------------------------------------------------------------------
(* The plan: a walk over the queue with what is free now, what runs (with  *)
(* what the plan itself starts) and the promise, if there is one.          *)

Places(j, free) ==
    {[n \in Nodes |-> IF n \in S THEN Shapes[j].cpus ELSE 0] :
        S \in {S \in SUBSET Nodes : Cardinality(S) = Shapes[j].nodes /\ \A n \in S : free[n] >= Shapes[j].cpus}}
Idle == [n \in Nodes |-> IF n \in drained THEN 0 ELSE Cpus]
FreeNow == Less(Idle, used)
Back(runs, limits, time) == Total(runs, {j \in DOMAIN runs : limits[j] <= time})
FreeThen(free, runs, limits, time) == Least(Idle, Plus(free, Back(runs, limits, time)))

NoPromise == [at |-> 99, spare |-> Nothing]
Promise(j, free, runs, limits) ==
    LET times == {t \in 0..MaxLimit : Places(j, FreeThen(free, runs, limits, t)) # {}} IN
    IF times = {} \/ Bug = "no promise" THEN NoPromise
    ELSE LET at == CHOOSE t \in times : \A u \in times : t <= u
             then == FreeThen(free, runs, limits, at)
         IN [at |-> at, spare |-> Less(then, CHOOSE a \in Places(j, then) : TRUE)]

RECURSIVE Walk(_, _, _, _, _)
Walk(rest, free, runs, limits, promise) ==
    IF rest = <<>> THEN <<>>
    ELSE LET j == Head(rest)
             mine == IF Shapes[j].limit > promise.at THEN Least(free, promise.spare) ELSE free
             places == Places(j, mine)
         IN IF places # {}
            THEN LET a == CHOOSE a \in places : TRUE
                     after == IF Shapes[j].limit > promise.at
                              THEN [promise EXCEPT !.spare = Less(@, a)] ELSE promise
                 IN <<[job |-> j, place |-> a]>> \o
                    Walk(Tail(rest), Less(free, a), (j :> a) @@ runs, (j :> Shapes[j].limit) @@ limits, after)
            ELSE Walk(Tail(rest), free, runs, limits,
                      IF promise = NoPromise THEN Promise(j, free, runs, limits) ELSE promise)

Plan == Walk(queue, FreeNow, alloc, left, NoPromise)

MakePlan ==
    /\ Len(plans) < MaxPlans
    /\ Plan # <<>>
    /\ plans' = Append(plans, Plan)
    /\ UNCHANGED <<queue, alloc, left, used, drained, starts, drains>>

-----------------------------------------------------------------------------
(* ApplyPlan: start after start, each looked at again (lifecycle.apply_plan, *)
(* placement.check_still_free).                                            *)

StillFree(place, taken) ==
    \/ \A n \in Nodes : place[n] > 0 => n \notin drained /\ taken[n] + place[n] <= Cpus
    \/ Bug = "apply without a second look"
Startable(start, world) ==
    /\ start.job \in {world.queue[i] : i \in 1..Len(world.queue)} \/ Bug = "start what already runs"
    /\ StillFree(start.place, world.used)

RECURSIVE Applied(_, _)
Applied(todo, world) ==
    IF todo = <<>> THEN world
    ELSE LET s == Head(todo) IN
         Applied(Tail(todo),
                 IF ~Startable(s, world) THEN world
                 ELSE [queue |-> Drop(world.queue, s.job),
                       alloc |-> (s.job :> s.place) @@ world.alloc,
                       left |-> (s.job :> Shapes[s.job].limit) @@ world.left,
                       used |-> Plus(world.used, s.place),
                       starts |-> [world.starts EXCEPT ![s.job] = @ + 1]])

ApplyPlan ==
    /\ plans # <<>>
    /\ LET world == Applied(Head(plans), [queue |-> queue, alloc |-> alloc, left |-> left, used |-> used,
                                         starts |-> starts]) IN
        /\ queue' = world.queue /\ alloc' = world.alloc /\ left' = world.left
        /\ used' = world.used /\ starts' = world.starts
    /\ plans' = Tail(plans)
    /\ UNCHANGED <<drained, drains>>

-----------------------------------------------------------------------------
(* The world: jobs end, at their limit at the latest; time passes.          *)

End(j) ==
    /\ j \in Running
    /\ used' = Less(used, alloc[j])
    /\ alloc' = Without(alloc, j)
    /\ left' = Without(left, j)
    /\ UNCHANGED <<queue, drained, plans, starts, drains>>
EndAtLimit == \E j \in Running : left[j] = 0 /\ End(j)

Cancel(j) ==
    /\ j \in Pending
    /\ queue' = Drop(queue, j)
    /\ UNCHANGED <<alloc, left, used, drained, plans, starts, drains>>

Planned(j) == \E i \in 1..Len(plans) : \E k \in 1..Len(plans[i]) : plans[i][k].job = j
Submit(j) ==   \* a new job with the shape of one that is over
    /\ Again
    /\ j \notin Pending \cup Running /\ ~Planned(j)
    /\ queue' = Append(queue, j)
    /\ starts' = [starts EXCEPT ![j] = 0]
    /\ UNCHANGED <<alloc, left, used, drained, plans, drains>>

Tick ==
    /\ Running # {} /\ plans = <<>>
    /\ \A j \in Running : left[j] > 0
    /\ left' = [j \in Running |-> left[j] - 1]
    /\ UNCHANGED <<queue, alloc, used, drained, plans, starts, drains>>

Drain(n) ==
    /\ n \notin drained /\ drains < MaxDrains
    /\ drained' = drained \cup {n} /\ drains' = drains + 1
    /\ UNCHANGED <<queue, alloc, left, used, plans, starts>>
Resume(n) ==
    /\ n \in drained
    /\ drained' = drained \ {n}
    /\ UNCHANGED <<queue, alloc, left, used, plans, starts, drains>>

Next ==
    \/ MakePlan \/ ApplyPlan \/ Tick
    \/ \E j \in Jobs : End(j) \/ Cancel(j) \/ Submit(j)
    \/ \E n \in Nodes : Drain(n) \/ Resume(n)
Spec == Init /\ [][Next]_vars
LiveSpec ==
    /\ Spec
    /\ WF_vars(MakePlan) /\ WF_vars(ApplyPlan) /\ WF_vars(EndAtLimit) /\ SF_vars(Tick)
    /\ \A n \in Nodes : WF_vars(Resume(n))

-----------------------------------------------------------------------------
TypeOK ==
    /\ Pending \cap Running = {} \/ Bug = "start what already runs"
    /\ DOMAIN left = Running
    /\ Len(plans) <= MaxPlans

NeverOverAllocated ==
    /\ Fits(used, [n \in Nodes |-> Cpus])
    /\ Fits(Total(alloc, Running), [n \in Nodes |-> Cpus])
UsedIsWhatRuns == used = Total(alloc, Running)
NeverStartedTwice == \A j \in Jobs : starts[j] <= 1
(* Nothing starts on a node that was drained.                              *)
NothingNewOnDrained ==
    [][\A j \in DOMAIN alloc' \ Running : \A n \in Nodes : alloc'[j][n] > 0 => n \notin drained]_vars

(* Nobody waits for ever, however many others come.                        *)
NobodyStarves == \A j \in Jobs : j \in Pending ~> j \notin Pending
=============================================================================
