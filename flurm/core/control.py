"""What users and administrators do to jobs that exist: update, hold, release, cancel, signal, requeue, top."""

from collections.abc import Callable

import msgspec

from flurm.core import arrays, dependencies, lifecycle, mail
from flurm.core.commands import KillJob, KillJobs, RequeueJob, TopJobs, UpdateJob
from flurm.core.effects import Done, Effect, Rejected, Result, Results, ScheduleSoon, SignalJob
from flurm.core.enums import JobFlag, JobState, PartitionState, Reason, Refusal
from flurm.core.features import check as check_features
from flurm.core.job_records import Job, JobSpec
from flurm.core.names import BadNodeList, expand
from flurm.core.outcome import Outcome, is_operator, rejected
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from flurm.core.submission import first_priority, known_features, priority_within_bounds, waiting_reason
from flurm.core.tables import put

SIGKILL = 9

_PENDING_ONLY = frozenset(
    {
        "partitions", "features", "min_nodes", "max_nodes", "num_tasks", "cpus_per_task", "min_cpus", "max_cpus",
        "memory_per_cpu_mib", "memory_per_node_mib", "begin_s", "dependency", "required_nodes", "excluded_nodes",
        "work_dir", "std_out", "std_err", "std_in", "exclusive", "contiguous", "min_cpus_per_node",
    }
)  # fmt: skip
_FIELD_TYPES = {field.name: field.type for field in msgspec.structs.fields(JobSpec)}


def on_target(
    cluster: Cluster, target: str, act: Callable[[Cluster, Job], Outcome], *, whole_array_first: bool = False
) -> Outcome:
    """Carry out an action on each record that a user's job name stands for, and gather the answers."""
    parsed = arrays.parse_target(target, cluster.settings.max_array_size)
    if parsed is None:
        return rejected(cluster, Refusal.INVALID_JOB_ID)
    if parsed.tasks is None:
        jobs = arrays.records_of(cluster, parsed.job_id)
        single = cluster.jobs.get(parsed.job_id)
        if single is not None and (single.array is None or single.array.job_id != single.id):
            jobs = [single]
        if not jobs:
            return rejected(cluster, Refusal.INVALID_JOB_ID)
        return _on_jobs(cluster, [job.id for job in jobs], act)
    cluster_after, ids = _split_tasks(cluster, parsed.job_id, parsed.tasks)
    if not ids:
        return rejected(cluster, Refusal.INVALID_JOB_ID)
    outcome = _on_jobs(cluster_after, ids, act)
    return rejected(cluster, outcome.reply.code, outcome.reply.text) if isinstance(outcome.reply, Rejected) else outcome


def _split_tasks(cluster: Cluster, array_job_id: int, tasks: int) -> tuple[Cluster, list[int]]:
    ids = []
    for job in arrays.records_of(cluster, array_job_id):
        assert job.array is not None
        if job.array.task_id is not None:
            if tasks >> job.array.task_id & 1:
                ids.append(job.id)
        elif job.array.waiting & ~tasks == 0:
            ids.append(job.id)
        else:
            meta = job
            for task in arrays.bits_of(job.array.waiting & tasks):
                cluster, own = arrays.split(cluster, meta, task)
                ids.append(own.id)
                meta = cluster.jobs[meta.id]
    return cluster, ids


def _on_jobs(cluster: Cluster, ids: list[int], act: Callable[[Cluster, Job], Outcome]) -> Outcome:
    effects: list[Effect] = []
    results: list[tuple[Job, Rejected | None]] = []
    for job_id in ids:
        job = cluster.jobs[job_id]
        outcome = act(cluster, job)
        cluster = outcome.cluster
        effects.extend(outcome.effects)
        results.append((job, outcome.reply if isinstance(outcome.reply, Rejected) else None))
    refused = [r for _, r in results if r is not None]
    if not refused:
        return Outcome(cluster, Done(), tuple(effects))
    if len(refused) == len(results) and len({r.code for r in refused}) == 1:
        return Outcome(cluster, refused[0], tuple(effects))
    reply = Results(tuple(Result(arrays.label(job), r.code if r else None) for job, r in results))
    return Outcome(cluster, reply, tuple(effects))


def may_touch(cluster: Cluster, job: Job, user_id: int) -> bool:
    """Whether a user may change a job: its owner and operators."""
    return job.spec.user_id == user_id or is_operator(cluster, user_id)


def update(cluster: Cluster, command: UpdateJob) -> Outcome:
    """Change a job's fields, hold it, release it."""
    outcome = on_target(cluster, command.target, lambda c, job: _update_one(c, job, command))
    changed = outcome.cluster is not cluster
    if not changed:
        return outcome
    return outcome._replace(
        cluster=outcome.cluster.with_(jobs_changed_s=command.now_s), effects=(*outcome.effects, ScheduleSoon())
    )


def _update_one(cluster: Cluster, job: Job, command: UpdateJob) -> Outcome:
    if not may_touch(cluster, job, command.user_id):
        return rejected(cluster, Refusal.USER_ID_MISSING)
    if job.state.is_finished:
        return rejected(cluster, Refusal.JOB_FINISHED)
    refusal = _check_changes(cluster, job, command)
    if refusal is not None:
        return Outcome(cluster, refusal)
    job = _with_changes(cluster, job, command)
    if command.array_limit is not None and job.array is not None:
        job = job.with_(array=job.array.with_(max_running=command.array_limit))
    if command.priority is not None:
        cluster, job = _with_priority(cluster, job, command)
    cluster = put(cluster, waiting_reason(cluster, job, command.now_s))
    if _is_released_in_vain(cluster, job, command):
        return Outcome(cluster, Rejected(Refusal.REQUESTED_PART_CONFIG_UNAVAILABLE))
    return Outcome(cluster)


def _is_released_in_vain(cluster: Cluster, job: Job, command: UpdateJob) -> bool:
    """Whether a job was released in a partition that is INACTIVE: it is done, and the user is told that it waits."""
    partition = cluster.partitions.get(job.partition)
    return command.priority == UNLIMITED and partition is not None and partition.state is PartitionState.INACTIVE


def _check_changes(cluster: Cluster, job: Job, command: UpdateJob) -> Rejected | None:
    changes, operator = command.spec_changes, is_operator(cluster, command.user_id)
    if job.state is not JobState.PENDING and set(changes) & _PENDING_ONLY:
        return Rejected(Refusal.JOB_NOT_PENDING)
    for name in changes.get("partitions", ()):  # type: ignore[attr-defined]
        if name not in cluster.partitions:
            return Rejected(Refusal.INVALID_PARTITION_NAME)
    features = changes.get("features")
    if features and (refused := check_features(str(features), known_features(cluster))):
        return Rejected(refused)
    dependency = changes.get("dependency")
    if dependency and dependencies.parse(cluster, str(dependency)) is None:
        return Rejected(Refusal.DEPENDENCY)
    nice = changes.get("nice")
    if isinstance(nice, int) and nice < 0 and not operator:
        return Rejected(Refusal.ACCESS_DENIED)
    if "admin_comment" in changes and not operator:
        return Rejected(Refusal.ACCESS_DENIED)
    limit = changes.get("time_limit_min")
    if isinstance(limit, int) and not operator and not _may_set_limit(cluster, job, limit):
        return Rejected(Refusal.ACCESS_DENIED)
    if job.is_pending and job.priority == 0 and command.priority not in (None, 0, UNLIMITED):
        return Rejected(Refusal.JOB_HELD)
    if command.priority is not None and not operator and not _may_set_priority(job, command):
        return Rejected(Refusal.ACCESS_DENIED)
    return _check_nodes(cluster, job, changes)


def _check_nodes(cluster: Cluster, job: Job, changes: dict[str, object]) -> Rejected | None:
    """Refuse nodes that are none, and more of them than the job's partition has."""
    for field in ("required_nodes", "excluded_nodes"):
        text = changes.get(field)
        try:
            names = expand(str(text)) if text else []
        except BadNodeList:
            return Rejected(Refusal.INVALID_NODE_NAME)
        if any(name not in cluster.nodes for name in names):
            return Rejected(Refusal.INVALID_NODE_NAME)
    wanted, partition = changes.get("min_nodes"), cluster.partitions.get(job.partition)
    if isinstance(wanted, int) and partition is not None and wanted > partition.node_mask.bit_count():
        return Rejected(Refusal.REQUESTED_PART_CONFIG_UNAVAILABLE)
    return None


def _may_set_limit(cluster: Cluster, job: Job, limit_min: int) -> bool:
    now = job.time_limit_min if job.time_limit_min is not None else job.spec.time_limit_min
    if now is not None and limit_min <= now:
        return True
    partition = cluster.partitions.get(job.partition)
    return job.state is JobState.PENDING and partition is not None and limit_min <= partition.max_time_min


def _may_set_priority(job: Job, command: UpdateJob) -> bool:
    if command.priority == UNLIMITED:
        return job.hold != "admin"
    return command.priority is not None and command.priority <= job.priority


def _with_changes(cluster: Cluster, job: Job, command: UpdateJob) -> Job:
    changes = {
        name: msgspec.convert(value, _FIELD_TYPES[name], strict=False) for name, value in command.spec_changes.items()
    }
    if job.state is not JobState.PENDING:
        changes.pop("nice", None)
    if not changes:
        return job
    spec = job.spec.with_(**changes)
    job = job.with_(spec=spec)
    if "partitions" in changes and spec.partitions:
        job = job.with_(partition=spec.partitions[0])
    if "dependency" in changes:
        job = job.with_(dependencies=dependencies.parse(cluster, spec.dependency) or () if spec.dependency else ())
    if "begin_s" in changes:
        job = job.with_(eligible_s=max(spec.begin_s, job.submit_s))
    if "nice" in changes and job.priority > 0:
        before = command_nice(job, changes, cluster)
        job = job.with_(priority=priority_within_bounds(job.priority + before - spec.nice))
    if "time_limit_min" in changes and job.state in (JobState.RUNNING, JobState.SUSPENDED):
        limit = spec.time_limit_min if spec.time_limit_min is not None else UNLIMITED
        end_s = job.start_s + (60 * limit if limit != UNLIMITED else 365 * 24 * 3600)
        job = job.with_(time_limit_min=limit, end_s=end_s)
    return job


def command_nice(job: Job, changes: dict[str, object], cluster: Cluster) -> int:
    """The nice value that the job's priority has been reckoned with so far."""
    stored = cluster.jobs.get(job.id)
    return stored.spec.nice if stored is not None else 0


def _with_priority(cluster: Cluster, job: Job, command: UpdateJob) -> tuple[Cluster, Job]:
    if command.priority == 0:
        kind = command.hold_kind or ("admin" if is_operator(cluster, command.user_id) else "user")
        if job.state is not JobState.PENDING:
            reason = Reason.HELD_ADMIN if kind == "admin" else Reason.HELD_USER
            return cluster, job.with_(priority=0, hold=kind, reason=reason)
        return cluster, job.with_(priority=0, hold=kind, eligible_s=job.spec.begin_s)
    if command.priority == UNLIMITED:
        if job.priority:
            return cluster, job
        released = job.spec.with_(requested_priority=None)
        cluster, priority = first_priority(cluster, released, held=False)
        return cluster, job.with_(
            spec=released, priority=priority, hold=None, eligible_s=max(command.now_s, job.spec.begin_s),
            requeue_held=False, flags=job.flags & ~JobFlag.SPECIAL_EXIT,
        )  # fmt: skip
    assert command.priority is not None
    return cluster, job.with_(priority=command.priority, hold=None, eligible_s=job.eligible_s or command.now_s)


def kill(cluster: Cluster, command: KillJob) -> Outcome:
    """Cancel a job, or send it a signal."""
    before, cluster = cluster, _drop_waiting_tasks(cluster, command)
    outcome = on_target(cluster, command.target, lambda c, job: _kill_one(c, job, command))
    nothing_else = isinstance(outcome.reply, Rejected) and outcome.reply.code is Refusal.INVALID_JOB_ID
    if cluster is not before and nothing_else:
        return lifecycle.retest_dependents(cluster.with_(jobs_changed_s=command.now_s), command.now_s)
    return outcome


def _drop_waiting_tasks(cluster: Cluster, command: KillJob) -> Cluster:
    """Take cancelled tasks out of an array's waiting rest where some of it stays: they never become records."""
    target = arrays.parse_target(command.target, cluster.settings.max_array_size)
    if target is None or target.tasks is None or command.signal != SIGKILL:
        return cluster
    for job in arrays.records_of(cluster, target.job_id):
        array = job.array
        if array is None or array.task_id is not None or not job.is_pending:
            continue
        rest = array.waiting & ~target.tasks
        if rest and rest != array.waiting and may_touch(cluster, job, command.user_id):
            cluster = put(cluster, job.with_(array=array.with_(waiting=rest)))
    return cluster


def _kill_one(cluster: Cluster, job: Job, command: KillJob) -> Outcome:
    if not may_touch(cluster, job, command.user_id):
        return rejected(cluster, Refusal.ACCESS_DENIED)
    if command.array_only and job.array is None:
        return rejected(cluster, Refusal.INVALID_JOB_ID)
    if job.state.is_finished:
        return rejected(cluster, Refusal.ALREADY_DONE)
    cancels = command.signal == SIGKILL and not (command.batch_only or command.steps_only)
    if job.state is JobState.PENDING:
        if command.signal != SIGKILL:
            return rejected(cluster, Refusal.TRANSITION_STATE_NO_UPDATE)
        if job.flags & JobFlag.COMPLETING:
            ended = job.with_(state=JobState.CANCELLED, reason=Reason.NONE, end_s=command.now_s)
            cluster = mail.ended(put(cluster, ended), ended, command.now_s)
            return lifecycle.retest_dependents(cluster, command.now_s)
        return lifecycle.cancel_pending(cluster, job, command.now_s)
    if cancels:
        return lifecycle.finish(cluster, job.with_(kill_requested_s=command.now_s), "cancel", command.now_s)
    signal = SignalJob(
        job.id,
        job.node_names,
        command.signal,
        batch_only=command.batch_only,
        whole_job=command.whole_job,
        steps_only=command.steps_only,
    )
    return Outcome(cluster, effects=(signal,))


def kill_many(cluster: Cluster, command: KillJobs) -> Outcome:
    """Cancel or signal several jobs; one that is refused does not keep the others from it."""
    effects: list[Effect] = []
    results: list[Result] = []
    for target in command.targets:
        one = KillJob(
            now_s=command.now_s, user_id=command.user_id, target=target, signal=command.signal,
            batch_only=command.batch_only, whole_job=command.whole_job, steps_only=command.steps_only,
        )  # fmt: skip
        outcome = kill(cluster, one)
        cluster = outcome.cluster
        effects.extend(outcome.effects)
        match outcome.reply:
            case Rejected(code):
                results.append(Result(target, code))
            case Results(parts):
                results.extend(parts)
            case _:
                results.append(Result(target))
    return Outcome(cluster, Results(tuple(results)), tuple(effects))


def requeue(cluster: Cluster, command: RequeueJob) -> Outcome:
    """Put a job back in the queue, held where asked for."""
    return on_target(cluster, command.target, lambda c, job: _requeue_one(c, job, command))


def _requeue_one(cluster: Cluster, job: Job, command: RequeueJob) -> Outcome:
    if not may_touch(cluster, job, command.user_id):
        return rejected(cluster, Refusal.ACCESS_DENIED)
    if not job.spec.requeue:
        return rejected(cluster, Refusal.DISABLED)
    if job.flags & JobFlag.COMPLETING:
        return rejected(cluster, Refusal.TRANSITION_STATE_NO_UPDATE)
    if job.state is JobState.PENDING:
        return rejected(cluster, Refusal.JOB_PENDING)
    if job.state.is_finished:
        return lifecycle.requeue_ended(cluster, job, command.now_s, hold=command.hold)
    reason = Reason.LAUNCH_FAILURE if command.launch_failed else Reason.NONE
    return lifecycle.requeue(cluster, job, command.now_s, reason=reason, hold=command.hold)


def top(cluster: Cluster, command: TopJobs) -> Outcome:
    """Put the named jobs before their owner's other waiting ones, whose nice values rise by what is given away."""
    if not is_operator(cluster, command.user_id) and not cluster.settings.user_may_top:
        return rejected(cluster, Refusal.ACCESS_DENIED)
    wanted = []
    for text in command.targets:
        target = arrays.parse_target(text, cluster.settings.max_array_size)
        job = cluster.jobs.get(target.job_id) if target else None
        if job is None:
            return rejected(cluster, Refusal.INVALID_JOB_ID)
        if not may_touch(cluster, job, command.user_id):
            return rejected(cluster, Refusal.ACCESS_DENIED)
        if job.state is not JobState.PENDING:
            return rejected(cluster, Refusal.JOB_NOT_PENDING)
        if job.priority == 0:
            return rejected(cluster, Refusal.JOB_HELD)
        wanted.append(job)
    if not wanted:
        return Outcome(cluster)
    owner = wanted[0].spec.user_id
    peers = [cluster.jobs[i] for i in cluster.pending if cluster.jobs[i].spec.user_id == owner]
    peers = [job for job in peers if job.priority and job.partition == wanted[0].partition]
    chosen = {job.id for job in wanted}
    others = [job for job in peers if job.id not in chosen]
    highest = max((job.priority for job in peers), default=0)
    for job in wanted:
        cluster = put(cluster, _shifted(job, highest - job.priority))
    raised = sum(highest - job.priority for job in wanted)
    for job in others:
        cluster = put(cluster, _shifted(job, -(raised // max(1, len(others)))))
    return Outcome(cluster.with_(jobs_changed_s=command.now_s), effects=(ScheduleSoon(),))


def _shifted(job: Job, by: int) -> Job:
    """The job with its priority moved, its nice value telling why."""
    return job.with_(priority=priority_within_bounds(job.priority + by), spec=job.spec.with_(nice=job.spec.nice - by))
