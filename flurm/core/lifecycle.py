"""The job state machine: how a job gets from PENDING to its end.

    PENDING --start--> RUNNING --batch ended--> COMPLETED | FAILED
    PENDING | RUNNING --cancel--> CANCELLED        RUNNING --time is up--> TIMEOUT
    RUNNING --node lost--> NODE_FAIL               RUNNING | ended --requeue--> PENDING

`TRANSITIONS` is the whole of it; any other event in a state is refused. A job that held resources passes through
COMPLETING, a flag beside its new state, until every node has said that nothing of it is left and EpilogSlurmctld, where
there is one, is done. One that got resources is CONFIGURING, a flag as well, while PrologSlurmctld runs
(`flurm.core.programs`).
"""

import os
import signal

from flurm.core import arrays, mail, programs
from flurm.core.commands import ApplyPlan, BatchEnded, EpilogDone, ExpireJobs, LaunchDone, PurgeJobs, Start
from flurm.core.effects import Effect, JobEnded, LaunchBatch, PingNodes, ScheduleSoon, TerminateJob
from flurm.core.enums import JobFlag, JobState, NodeFlag, NodeState, Reason, Refusal
from flurm.core.job_records import Job
from flurm.core.node_records import Node
from flurm.core.outcome import Outcome, rejected
from flurm.core.placement import check_still_free
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from flurm.core.submission import LAUNCH_FAILED_HELD, time_limit_of, waiting_reason
from flurm.core.tables import drop, mark_completing, occupy, put, put_node, vacate

TRANSITIONS: dict[tuple[JobState, str], JobState] = {
    (JobState.PENDING, "start"): JobState.RUNNING,
    (JobState.PENDING, "cancel"): JobState.CANCELLED,
    (JobState.PENDING, "deadline"): JobState.DEADLINE,
    (JobState.PENDING, "lose node"): JobState.NODE_FAIL,
    (JobState.RUNNING, "succeed"): JobState.COMPLETED,
    (JobState.RUNNING, "fail"): JobState.FAILED,
    (JobState.RUNNING, "run out of memory"): JobState.OUT_OF_MEMORY,
    (JobState.RUNNING, "cancel"): JobState.CANCELLED,
    (JobState.RUNNING, "time out"): JobState.TIMEOUT,
    (JobState.RUNNING, "deadline"): JobState.DEADLINE,
    (JobState.RUNNING, "lose node"): JobState.NODE_FAIL,
    (JobState.RUNNING, "requeue"): JobState.PENDING,
    (JobState.RUNNING, "suspend"): JobState.SUSPENDED,
    (JobState.SUSPENDED, "resume"): JobState.RUNNING,
    (JobState.SUSPENDED, "cancel"): JobState.CANCELLED,
    (JobState.SUSPENDED, "time out"): JobState.TIMEOUT,
    (JobState.SUSPENDED, "lose node"): JobState.NODE_FAIL,
    (JobState.SUSPENDED, "requeue"): JobState.PENDING,
    **{(state, "requeue"): JobState.PENDING for state in JobState if state.is_finished},
}


FREED: tuple[Effect, ...] = (ScheduleSoon(),)
"""A node may have room now."""
_ENDED_FROM_OUTSIDE = (JobState.CANCELLED, JobState.TIMEOUT, JobState.DEADLINE, JobState.PREEMPTED)
"""The script's exit status comes after the job's end in these, and is noted then."""


def next_state(state: JobState, event: str) -> JobState:
    """The state after an event. Raises KeyError where the machine knows no such transition."""
    return TRANSITIONS[state, event]


def apply_plan(cluster: Cluster, command: ApplyPlan) -> Outcome:
    """Start what the scheduler decided, as far as it still fits, and note why the others wait."""
    if command.shape_version not in (None, cluster.shape_version):
        return Outcome(cluster, effects=(ScheduleSoon(),))
    effects: list[Effect] = []
    changed = False
    for start in command.starts:
        job = _startable(cluster, start)
        if job is None:
            continue
        if job.array is not None and job.array.task_id is None:
            assert start.task_id is not None
            cluster, job = arrays.split(cluster, job, start.task_id)
        cluster, job = _start(cluster, job, start, command.now_s)
        if job.launch == "wanted":
            effects.append(LaunchBatch(job.id))
        changed = True
    for outlook in command.outlooks:
        waiting = cluster.jobs.get(outlook.job_id)
        if waiting is None or not waiting.is_pending or waiting.priority == 0:
            continue
        cluster = put(
            cluster,
            waiting.with_(
                reason=outlook.reason,
                reason_text=outlook.text,
                start_s=outlook.start_s,
                planned_nodes=outlook.nodes,
                last_evaluated_s=command.now_s,
            ),
        )
        changed = True
    if changed:
        cluster = cluster.with_(jobs_changed_s=command.now_s, nodes_changed_s=command.now_s)
    if command.starts and changed and _anybody_waits_for_a_begin(cluster):
        return retest_dependents(cluster, command.now_s, (*effects, ScheduleSoon()))
    return Outcome(cluster, effects=tuple(effects))


def _anybody_waits_for_a_begin(cluster: Cluster) -> bool:
    return any(d.kind == "after" for job_id in cluster.dependent for d in cluster.jobs[job_id].dependencies)


def _startable(cluster: Cluster, start: Start) -> Job | None:
    job = cluster.jobs.get(start.job_id)
    if job is None or not job.is_pending or job.priority == 0 or job.dependencies:
        return None
    if job.array is not None and job.array.task_id is None:
        if start.task_id is None or not job.array.waiting >> start.task_id & 1:
            return None
        if job.array.max_running and arrays.running_tasks(cluster, job.array.job_id) >= job.array.max_running:
            return None
    return job if check_still_free(cluster, start.allocation) else None


def _start(cluster: Cluster, job: Job, start: Start, now_s: int) -> tuple[Cluster, Job]:
    partition = cluster.partitions[start.partition]
    limit = time_limit_of(job, partition)
    started = job.with_(
        state=next_state(job.state, "start"),
        reason=Reason.NONE,
        reason_text=None,
        partition=partition.name,
        time_limit_min=limit,
        start_s=now_s,
        end_s=now_s + 60 * limit if limit != UNLIMITED else now_s + 365 * 24 * 3600,
        eligible_s=job.eligible_s or now_s,
        last_evaluated_s=now_s,
        scheduled_by=start.by,
        planned_nodes=0,
        allocation=start.allocation,
        node_names=tuple(cluster.names_in(start.allocation.node_mask)),
        launch="wanted",
        exit_status=0,
        derived_exit_status=0,
        kill_requested_s=0,
        mails_sent=0,
    )
    cluster, started = programs.before_start(cluster, started, now_s)
    cluster = occupy(put(cluster, started), started, now_s)
    return mail.began(cluster, started, now_s), started


def launch_done(cluster: Cluster, command: LaunchDone) -> Outcome:
    """Note that the batch host has the script; where it could not take it, the job waits again or is held."""
    job = cluster.jobs.get(command.job_id)
    if job is None or job.state is not JobState.RUNNING or job.restarts != command.restarts:
        return Outcome(cluster)
    if command.error is None:
        return Outcome(put(cluster, job.with_(launch="sent")))
    if command.drain_node and command.drain_node in cluster.nodes:
        cluster = _drain(cluster, command.drain_node, command.error, command.now_s)
    return requeue(cluster, job, command.now_s, reason=Reason.NONE)


def drained(node: Node, reason: str, now_s: int) -> Node:
    """A node that gets no further job, for a fault of its own; a reason that it was drained for before stays."""
    if node.flags & NodeFlag.DRAIN:
        return node
    return node.with_(flags=node.flags | NodeFlag.DRAIN, reason=reason, reason_s=now_s, reason_uid=0)


def _drain(cluster: Cluster, name: str, reason: str, now_s: int) -> Cluster:
    return put_node(cluster, drained(cluster.nodes[name], reason, now_s)).with_(nodes_changed_s=now_s)


def batch_ended(cluster: Cluster, command: BatchEnded) -> Outcome:
    """The batch script is over: the job ends, with the state its exit status gives."""
    job = cluster.jobs.get(command.job_id)
    if job is None:
        return rejected(cluster, Refusal.INVALID_JOB_ID)
    if job.batch_host != command.node and job.node_names:
        return rejected(cluster, Refusal.ALREADY_DONE)  # of a run that the node has lost; it need not ask again
    if job.state.is_finished or job.flags & JobFlag.COMPLETING:
        if job.flags & JobFlag.COMPLETING and job.state in _ENDED_FROM_OUTSIDE and not job.exit_status:
            cluster = put(cluster, job.with_(exit_status=command.exit_status)).with_(jobs_changed_s=command.now_s)
        return rejected(cluster, Refusal.ALREADY_DONE)
    if job.state is JobState.PENDING:
        return rejected(cluster, Refusal.JOB_PENDING)
    if command.slurm_rc:
        if command.drain_reason and command.node in cluster.nodes:
            cluster = _drain(cluster, command.node, command.drain_reason, command.now_s)
        return requeue(cluster, job, command.now_s, reason=Reason.LAUNCH_FAILURE, hold=True)
    job = job.with_(exit_status=command.exit_status)
    if command.exit_status == 0:
        return finish(cluster, job, "succeed", command.now_s)
    if os.WIFSIGNALED(command.exit_status):
        number = os.WTERMSIG(command.exit_status)
        text = f"{Reason.RAISED_SIGNAL}:{number}({signal.strsignal(number)})"
        return finish(cluster, job, "fail", command.now_s, reason=Reason.RAISED_SIGNAL, text=text)
    return finish(cluster, job, "fail", command.now_s, reason=Reason.NON_ZERO_EXIT_CODE)


def finish(
    cluster: Cluster, job: Job, event: str, now_s: int, *, reason: Reason = Reason.NONE, text: str | None = None
) -> Outcome:
    """End a job that holds resources: COMPLETING until its nodes are clean."""
    assert job.allocation is not None
    mask = job.allocation.node_mask
    ended = job.with_(
        state=next_state(job.state, event),
        flags=job.flags | JobFlag.COMPLETING,
        reason=reason,
        reason_text=text,
        end_s=now_s,
        launch=None,
        completing=mask,
    )
    cluster, ended = programs.after_end(cluster, ended, now_s)
    cluster = mark_completing(put(cluster, ended), ended)
    cluster = mail.ended(cluster, ended, now_s)
    cluster = cluster.with_(jobs_changed_s=now_s, nodes_changed_s=now_s)
    effects = (TerminateJob(ended.id, tuple(cluster.names_in(mask))), JobEnded(ended.id, ended.state.name))
    return retest_dependents(cluster, now_s, effects)


def requeue(
    cluster: Cluster, job: Job, now_s: int, *, reason: Reason = Reason.NONE, hold: bool = False, delay: bool = True
) -> Outcome:
    """Put a job that holds resources back in the queue; it may start again when its nodes are clean."""
    assert job.allocation is not None
    mask = job.allocation.node_mask
    again = _waiting_again(cluster, job, now_s, reason=reason, hold=hold, delay=delay)
    again = again.with_(flags=again.flags | JobFlag.COMPLETING, completing=mask)
    cluster, again = programs.after_end(cluster, again, now_s)
    cluster = mark_completing(put(cluster, again), again)
    cluster = mail.requeued(cluster, job, now_s)
    cluster = cluster.with_(jobs_changed_s=now_s, nodes_changed_s=now_s)
    return Outcome(cluster, effects=(TerminateJob(job.id, tuple(cluster.names_in(mask))), ScheduleSoon()))


def requeue_ended(cluster: Cluster, job: Job, now_s: int, *, hold: bool) -> Outcome:
    """Put a job that has ended back in the queue."""
    again = _waiting_again(cluster, job, now_s, reason=Reason.NONE, hold=hold, delay=True)
    again = again.with_(allocation=None)
    cluster = mail.requeued(cluster, job, now_s)
    cluster = put(cluster, waiting_reason(cluster, again, now_s)).with_(jobs_changed_s=now_s)
    return Outcome(cluster, effects=(ScheduleSoon(),))


def _waiting_again(cluster: Cluster, job: Job, now_s: int, *, reason: Reason, hold: bool, delay: bool) -> Job:
    begin_s = max(job.spec.begin_s, now_s + cluster.settings.requeue_delay_s) if delay else job.spec.begin_s
    again = job.with_(
        state=next_state(job.state, "requeue"),
        spec=job.spec.with_(begin_s=begin_s),
        reason=reason,
        reason_text=None,
        launch=None,
        start_s=0,
        end_s=0,
        eligible_s=max(begin_s, now_s),
        submit_s=job.submit_s,
        time_limit_min=None,
        restarts=job.restarts + 1,
        kill_requested_s=0,
    )
    if hold:
        text = LAUNCH_FAILED_HELD if reason is Reason.LAUNCH_FAILURE else None
        again = again.with_(priority=0, hold="user", requeue_held=True, reason_text=text)
    return again


def epilog_done(cluster: Cluster, command: EpilogDone) -> Outcome:
    """One node is clean of the job; when the last one is, the job no longer is COMPLETING.

    A node that was down says so of jobs that it lost, and may then get others; one that still is down is asked to
    register again, and may then be up.
    """
    node = cluster.nodes.get(command.node)
    job = cluster.jobs.get(command.job_id)
    if node is not None and command.job_id in node.lost:
        node = node.with_(lost=tuple(job_id for job_id in node.lost if job_id != command.job_id))
        cluster = put_node(cluster, node)
    if node is None or job is None or not job.completing >> node.index & 1:
        came_back = node is not None and node.state is NodeState.DOWN
        return Outcome(cluster, effects=(PingNodes((command.node,)),) if came_back else (ScheduleSoon(),))
    if command.return_code:
        cluster = _drain(cluster, node.name, "Epilog error", command.now_s)
        node = cluster.nodes[node.name]
    cluster = vacate(cluster, job, node, command.now_s)
    job = settled(cluster, job.with_(completing=job.completing & ~(1 << node.index)), command.now_s)
    cluster = put(cluster, job).with_(jobs_changed_s=command.now_s, nodes_changed_s=command.now_s)
    if job.flags & JobFlag.COMPLETING:
        return Outcome(cluster, effects=FREED)
    return retest_dependents(cluster, command.now_s, FREED)


def settled(cluster: Cluster, job: Job, now_s: int) -> Job:
    """The job, no longer COMPLETING where neither a node nor EpilogSlurmctld keeps it so."""
    if job.completing or job.epilog_run:
        return job
    job = job.with_(flags=job.flags & ~JobFlag.COMPLETING)
    if job.state is JobState.PENDING:
        job = waiting_reason(cluster, job.with_(allocation=None, node_names=()), now_s)
    return job


def cancel_pending(cluster: Cluster, job: Job, now_s: int, *, event: str = "cancel") -> Outcome:
    """End a job that never started."""
    state = next_state(job.state, event)
    ended = job.with_(state=state, start_s=now_s, end_s=now_s, dependencies=(), planned_nodes=0)
    cluster = put(cluster, ended).with_(jobs_changed_s=now_s)
    cluster = mail.ended(cluster, ended, now_s)
    return retest_dependents(cluster, now_s, (JobEnded(job.id, state.name), ScheduleSoon()))


def retest_dependents(cluster: Cluster, now_s: int, effects: tuple[Effect, ...] = ()) -> Outcome:
    """Test every waiting job's dependencies again, after some job's state changed; `effects` go in front of its own.

    A job that ends because its dependency never comes true (sbatch(1), --kill-on-invalid-dep) may be what others
    depend on, so the round is repeated until nothing ends any more.
    """
    ended: list[Effect] = []
    again = True
    while again:
        again = False
        for job_id in cluster.dependent:
            job = cluster.jobs[job_id]
            cluster, tested = mail.invalid_dependency(cluster, waiting_reason(cluster, job, now_s), now_s)
            over = ends_unsatisfied(cluster, tested)
            if over:
                tested = tested.with_(state=JobState.CANCELLED, start_s=now_s, end_s=now_s)
                cluster = cluster.with_(jobs_changed_s=now_s)
                ended.append(JobEnded(job_id, tested.state.name))
                again = True
            if tested != job:
                cluster = put(cluster, tested)
            if over:
                cluster = mail.ended(cluster, tested, now_s)
    return Outcome(cluster, effects=(*effects, *ended))


def ends_unsatisfied(cluster: Cluster, job: Job) -> bool:
    """Whether a waiting job is to end because what it depends on never comes true."""
    if job.reason is not Reason.DEPENDENCY_NEVER_SATISFIED or not job.is_pending:
        return False
    wanted = job.spec.kill_invalid_dependency
    return cluster.settings.kill_invalid_dependency if wanted is None else wanted


def expire(cluster: Cluster, command: ExpireJobs) -> Outcome:
    """End jobs whose time is up."""
    effects: list[Effect] = []
    for job_id in command.ids:
        job = cluster.jobs.get(job_id)
        if job is None or job.state.is_finished:
            continue
        event = "deadline" if command.state is JobState.DEADLINE else "time out"
        if job.state is JobState.PENDING:
            if event != "deadline":
                continue
            outcome = cancel_pending(cluster, job, command.now_s, event=event)
        else:
            reason = Reason.DEADLINE if event == "deadline" else Reason.TIME_LIMIT
            if event == "time out":
                cluster = mail.timed_out(cluster, job, command.now_s)
            outcome = finish(cluster, job, event, command.now_s, reason=reason)
        cluster = outcome.cluster
        effects.extend(outcome.effects)
    return Outcome(cluster, effects=tuple(effects))


def wake(cluster: Cluster, now_s: int) -> Outcome:
    """Give jobs whose begin time has come, or whose `after` delay is over, the reason they now have.

    Those that were submitted with a dependency that had failed already end here.
    """
    for job_id in cluster.pending:
        job = cluster.jobs[job_id]
        if job.reason is Reason.BEGIN_TIME or job.dependencies:
            tested = waiting_reason(cluster, job, now_s)
            if tested is not job:
                cluster = put(cluster, tested)
    return retest_dependents(cluster.with_(jobs_changed_s=now_s), now_s, (ScheduleSoon(),))


def purge(cluster: Cluster, command: PurgeJobs) -> Outcome:
    """Forget ended jobs; an array goes as a whole, when all of it has ended."""
    for job_id in command.ids:
        job = cluster.jobs.get(job_id)
        if job is not None and job.state.is_finished and not job.completing:
            cluster = drop(cluster, job)
    return Outcome(cluster.with_(jobs_changed_s=command.now_s))
