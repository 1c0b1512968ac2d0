"""Taking in a job: every rule a submission must pass, and the record it becomes.

What can never run is refused; what merely cannot run now is accepted and waits, as slurmctld does.
"""

from flurm.core import arrays, dependencies, mail, placement
from flurm.core.commands import CloseQueue, OpenQueue, SubmitJob
from flurm.core.effects import Rejected, ScheduleSoon, Submitted
from flurm.core.enums import JobState, PartitionState, Reason, Refusal
from flurm.core.features import check as check_features
from flurm.core.free import Layout
from flurm.core.job_records import Job, JobSpec
from flurm.core.node_records import Partition
from flurm.core.outcome import Outcome, is_operator, rejected
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from flurm.core.tables import give_id, put


def submit(cluster: Cluster, command: SubmitJob) -> Outcome:
    """Accept or refuse a submission. Whether it could ever run was asked before it was written (`check`)."""
    refusal = _check_rules(cluster, command)
    if refusal is not None:
        return Outcome(cluster, refusal)
    spec = with_defaults(cluster, command.spec)
    cluster, job_id = give_id(cluster)
    cluster, priority = first_priority(cluster, spec, held=command.hold)
    job = Job(
        id=job_id,
        spec=spec,
        priority=priority,
        partition=spec.partitions[0],
        submit_s=command.now_s,
        eligible_s=max(spec.begin_s, command.now_s),
        dependencies=dependencies.parse(cluster, spec.dependency) or () if spec.dependency else (),
    )
    if command.hold or priority == 0:
        by_user = not is_operator(cluster, spec.user_id) or command.hold
        job = job.with_(hold="user" if by_user else "admin", eligible_s=spec.begin_s)
    if command.array is not None:
        request = arrays.parse(command.array, cluster.settings.max_array_size)
        assert request is not None
        job = job.with_(array=arrays.new_array(job_id, request))
    cluster, job = mail.invalid_dependency(cluster, waiting_reason(cluster, job, command.now_s), command.now_s)
    cluster = put(cluster, job).with_(jobs_changed_s=command.now_s)
    may_start = job.priority > 0 and not job.dependencies and job.spec.begin_s <= command.now_s
    return Outcome(cluster, Submitted(job_id), (ScheduleSoon(),) if may_start else ())


def close_queue(cluster: Cluster, command: CloseQueue) -> Outcome:
    """Refuse whatever is submitted from now on; administrators only."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.USER_ID_MISSING)
    return Outcome(cluster.with_(closed=command.reason))


def open_queue(cluster: Cluster, command: OpenQueue) -> Outcome:
    """Accept submissions again; administrators only."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.USER_ID_MISSING)
    return Outcome(cluster.with_(closed=None))


def check(cluster: Cluster, command: SubmitJob) -> Rejected | None:
    """Why this submission is refused, or None; cheap enough to ask before anything is written."""
    refusal = _check_rules(cluster, command)
    return refusal if refusal is not None else _check_can_run(cluster, command)


def _check_rules(cluster: Cluster, command: SubmitJob) -> Rejected | None:
    if cluster.closed is not None:
        return Rejected(Refusal.SUBMISSIONS_DISABLED)
    spec = command.spec
    for test in (_check_partitions, _check_times, _check_sizes, _check_array, _check_dependency):
        refusal = test(cluster, command)
        if refusal is not None:
            return refusal
    if spec.features and (refused := check_features(spec.features, known_features(cluster))):
        return Rejected(refused)
    if len(cluster.jobs) >= cluster.settings.max_job_count:
        return Rejected(Refusal.MAX_JOBS)
    return None


def known_features(cluster: Cluster) -> frozenset[str]:
    """Every feature of any node."""
    return frozenset(feature for node in cluster.nodes.values() for feature in node.features)


def default_partition(cluster: Cluster) -> Partition | None:
    """The partition of jobs that name none."""
    return next((p for p in cluster.partitions.values() if p.is_default), None)


def partition_names(cluster: Cluster, spec: JobSpec) -> tuple[str, ...]:
    """The partitions that a job is for: those it names, else the default one."""
    if spec.partitions:
        return spec.partitions
    default = default_partition(cluster)
    return (default.name,) if default else ()


def with_defaults(cluster: Cluster, spec: JobSpec) -> JobSpec:
    """Fill in what the user left open, from the partition and the settings."""
    partitions = partition_names(cluster, spec)
    changes: dict[str, object] = {"partitions": partitions}
    if spec.memory_per_cpu_mib is None and spec.memory_per_node_mib is None and partitions:
        changes |= _default_memory(cluster, cluster.partitions[partitions[0]])
    return spec.with_(**changes)


def _default_memory(cluster: Cluster, partition: Partition) -> dict[str, object]:
    settings = cluster.settings
    for per_cpu, per_node in (
        (partition.default_memory_per_cpu_mib, partition.default_memory_per_node_mib),
        (settings.default_memory_per_cpu_mib, settings.default_memory_per_node_mib),
    ):
        if per_cpu:
            return {"memory_per_cpu_mib": per_cpu}
        if per_node:
            return {"memory_per_node_mib": per_node}
    return {"memory_per_node_mib": 0}


def first_priority(cluster: Cluster, spec: JobSpec, *, held: bool) -> tuple[Cluster, int]:
    """Priority of a new or released job as priority/basic gives it: one less than the last."""
    if held or spec.requested_priority == 0:
        return cluster, 0
    if spec.requested_priority is not None and is_operator(cluster, spec.user_id):
        return cluster, spec.requested_priority
    priority = priority_within_bounds(cluster.next_priority - spec.nice)
    return cluster.with_(next_priority=max(2, cluster.next_priority - 1)), priority


def priority_within_bounds(priority: int) -> int:
    """A priority that is neither a hold nor the value that stands for none, however nice somebody is."""
    return max(1, min(priority, UNLIMITED - 2))


def waiting_reason(cluster: Cluster, job: Job, now_s: int) -> Job:
    """Say why a pending job waits, for the reasons that do not depend on free resources."""
    if job.state is not JobState.PENDING:
        return job
    if job.priority == 0:
        return _held(job)
    tested, verdict = dependencies.test(cluster, job, now_s)
    if tested != job.dependencies:
        job = job.with_(dependencies=tested)
    if verdict == dependencies.FAILED:
        reason = Reason.DEPENDENCY_NEVER_SATISFIED
    elif verdict == dependencies.UNFULFILLED:
        reason = Reason.DEPENDENCY
    elif job.spec.begin_s > now_s:
        reason = Reason.BEGIN_TIME
    elif job.reason in _STANDING:
        reason = Reason.NONE
    else:
        return job
    start_s = job.spec.begin_s if reason is Reason.BEGIN_TIME else 0
    return job.with_(reason=reason, reason_text=None, start_s=start_s, planned_nodes=0)


def _held(job: Job) -> Job:
    """A held job waits for nothing else, and what it depends on is not looked at until it is released."""
    reason = Reason.HELD_ADMIN if job.hold == "admin" else Reason.HELD_USER
    text = (job.reason_text if job.reason_text == LAUNCH_FAILED_HELD else REQUEUED_HELD) if job.requeue_held else None
    return job.with_(reason=reason, reason_text=text, start_s=job.spec.begin_s, planned_nodes=0)


REQUEUED_HELD = "job requeued in held state"
LAUNCH_FAILED_HELD = "launch failed requeued held"
_STANDING = (
    Reason.HELD_USER,
    Reason.HELD_ADMIN,
    Reason.DEPENDENCY,
    Reason.DEPENDENCY_NEVER_SATISFIED,
    Reason.BEGIN_TIME,
)


def _check_partitions(cluster: Cluster, command: SubmitJob) -> Rejected | None:
    spec = command.spec
    if not spec.partitions and default_partition(cluster) is None:
        return Rejected(Refusal.DEFAULT_PARTITION_NOT_SET)
    for name in spec.partitions:
        if name not in cluster.partitions:
            return Rejected(Refusal.INVALID_PARTITION_NAME, f"invalid partition specified: {name}")
    for name in partition_names(cluster, spec):
        partition = cluster.partitions[name]
        if not partition.state & PartitionState.DOWN:
            return Rejected(Refusal.PARTITION_NOT_AVAIL)
        if partition.disable_root_jobs and spec.user_id == 0:
            return Rejected(Refusal.USER_ID_MISSING)
        if partition.root_only and not is_operator(cluster, spec.user_id):
            return Rejected(Refusal.ACCESS_DENIED)
        if partition.max_jobs_per_user is not None and _jobs_of(cluster, spec.user_id, name) >= (
            partition.max_jobs_per_user
        ):
            return Rejected(Refusal.MAX_JOBS, f"partition {name} takes {partition.max_jobs_per_user} jobs per user")
    return None


def _jobs_of(cluster: Cluster, user_id: int, partition: str) -> int:
    ids = (*cluster.pending, *cluster.active)
    jobs = (cluster.jobs[i] for i in ids)
    return sum(1 for job in jobs if job.spec.user_id == user_id and job.partition == partition)


def _check_times(cluster: Cluster, command: SubmitJob) -> Rejected | None:
    spec = command.spec
    if spec.deadline_s and spec.deadline_s < command.now_s:
        return Rejected(Refusal.INVALID_TIME_VALUE)
    if spec.time_limit_min is not None and spec.time_min_min is not None and spec.time_min_min > spec.time_limit_min:
        return Rejected(Refusal.INVALID_TIME_LIMIT)
    if cluster.settings.enforce_part_limits == "NO" or spec.time_limit_min is None:
        return None
    limits = [cluster.partitions[n].max_time_min for n in partition_names(cluster, spec)]
    fits = [spec.time_limit_min <= limit for limit in limits]
    enough = any(fits) if cluster.settings.enforce_part_limits == "ANY" else all(fits)
    return None if enough else Rejected(Refusal.INVALID_TIME_LIMIT)


def _check_sizes(cluster: Cluster, command: SubmitJob) -> Rejected | None:
    spec = command.spec
    if spec.max_nodes is not None and spec.max_nodes < spec.min_nodes:
        return Rejected(Refusal.INVALID_NODE_COUNT)
    if spec.num_tasks == 0 or spec.min_nodes == 0:
        return Rejected(Refusal.BAD_TASK_COUNT if spec.num_tasks == 0 else Refusal.INVALID_NODE_COUNT)
    return None


def _check_array(cluster: Cluster, command: SubmitJob) -> Rejected | None:
    if command.array is None or arrays.parse(command.array, cluster.settings.max_array_size):
        return None
    return Rejected(Refusal.INVALID_ARRAY)


def _check_dependency(cluster: Cluster, command: SubmitJob) -> Rejected | None:
    if not command.spec.dependency:
        return None
    found = dependencies.parse(cluster, command.spec.dependency)
    if found is None or (command.strict and any(dependency.job_id >= cluster.next_job_id for dependency in found)):
        return Rejected(Refusal.DEPENDENCY)
    return None


def _check_can_run(cluster: Cluster, command: SubmitJob) -> Rejected | None:
    """Refuse only where no partition could ever run it; a job that is held may come to fit before it is released."""
    spec = with_defaults(cluster, command.spec)
    held = command.hold or spec.requested_priority == 0
    first: Rejected | None = None
    for name in spec.partitions:
        found = placement.misfit(cluster, spec, cluster.partitions[name], _layout_of(cluster))
        refusal = _refusal_of(found, command.strict)
        if refusal is None or (held and refusal.code is Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE):
            return None
        first = first or refusal
    return first


def _refusal_of(found: placement.Misfit | None, strict: bool) -> Rejected | None:
    if found is None:
        return None
    if found.refusal is not None:
        return Rejected(found.refusal, found.text)
    too_large = found.reason in (Reason.PARTITION_CONFIG, Reason.PARTITION_NODE_LIMIT)
    return Rejected(Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE) if strict and too_large else None


_newest_layout: list[tuple[tuple[str, ...], int, Layout]] = []


def _layout_of(cluster: Cluster) -> Layout:
    """The layout of the nodes as configured, kept for as long as nobody changes them: submissions come in thousands."""
    for order, version, layout in _newest_layout:
        if order is cluster.node_order and version == cluster.shape_version:
            return layout
    layout = Layout(cluster)
    _newest_layout[:] = [(cluster.node_order, cluster.shape_version, layout)]
    return layout


def time_limit_of(job: Job, partition: Partition) -> int:
    """Minutes the job may run in the partition."""
    if job.spec.time_limit_min is not None:
        return job.spec.time_limit_min
    if partition.default_time_min is not None:
        return partition.default_time_min
    return partition.max_time_min if partition.max_time_min is not None else UNLIMITED
