"""Jobs as clients read them: a core `Job` becomes a `JobInfo`, field for field what slurmctld sends.

One record class serves all releases; the few values that differ by release are told the version. `NO_VAL` and its
kin stand for "not given", and which of zero, NO_VAL and NULL stands where was read off real controllers. Nothing in a
job's form depends on the time of asking, so that `flurm.bridge.kept` can keep its bytes; it depends on the job, its
partition, the configured shape of its nodes, and the request's show flags.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from signal import strsignal

from flurm.bridge.resources import Sizes, job_resources, node_bits, node_list, sizes_of, tres_text
from flurm.core.dependencies import describe as describe_dependencies
from flurm.core.enums import JobState, Reason
from flurm.core.job_records import Job, JobSpec
from flurm.core.names import BadNodeList, node_mask
from flurm.core.node_records import Partition
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from protocol.constants import (
    INFINITE16,
    MEM_PER_CPU,
    NICE_OFFSET,
    NO_VAL,
    NO_VAL16,
    SELECT_CONS_TRES,
    JobFlag,
    JobReason,
    ShowFlag,
)
from protocol.hostlist import fold
from protocol.messages import JobInfo, MultiCoreData, StepId
from protocol.versions import Version
from protocol.wire import Bits

__all__ = [
    "REASONS",
    "in_listing_order",
    "is_hidden",
    "job_info",
    "requested_cpus",
    "requested_memory",
    "time_limit_min",
]

UserName = Callable[[int], str | None]

REASONS: dict[str, int] = {}
"""Number of a reason by its printed name; where two have the same, the first is meant."""
for _reason in JobReason:
    REASONS.setdefault(_reason.text, int(_reason))


def job_info(
    cluster: Cluster, job: Job, version: int, show_flags: int, user_name: UserName, sizes: Sizes | None = None
) -> JobInfo:
    """The record of one job for a client of `version`; `user_name` gives a uid's name or None.

    `sizes` saves looking at all nodes of a partition again for every job; it lasts as long as the nodes' configuration.
    """
    spec = job.spec
    partition = cluster.partitions.get(job.partition)
    info = JobInfo(step_id=StepId(job_id=job.id, step_id=NO_VAL, step_het_comp=NO_VAL))
    info.job_id = job.id
    info.batch_host = job.batch_host
    info.bitflags = _bitflags(job)
    info.cluster = cluster.settings.cluster_name
    info.mail_user = spec.mail_user or user_name(spec.user_id)
    info.priority = job.priority
    info.restart_cnt = job.restarts
    info.select_jobinfo = SELECT_CONS_TRES
    info.show_flags = show_flags
    info.start_protocol_ver = spec.protocol_version or version
    info.std_err = _in_work_dir(spec, spec.std_err)
    info.std_in = _in_work_dir(spec, spec.std_in) or "/dev/null"
    info.std_out = _in_work_dir(spec, spec.std_out)
    info.command = _command(spec, version)
    info.has_accrue_time = True
    info.oom_kill_step = NO_VAL16
    _show_spec(info, spec)
    _show_state(info, job, version)
    _show_times(info, job, partition)
    _show_array(info, job)
    _show_request(info, cluster, job, partition, version, {} if sizes is None else sizes)
    _show_nodes(info, cluster, job)
    if version >= Version.V25_05:
        info.user_name = spec.user_name or user_name(spec.user_id)
    if show_flags & _SHOW_DETAIL:
        info.job_resrcs = job_resources(cluster, job, requested_cpus(job))
    return info


def is_hidden(cluster: Cluster, job: Job, show_flags: int, closed: frozenset[str] = frozenset()) -> bool:
    """Whether a job is left out because all its partitions are hidden, or `closed` to whoever asks, and the client did
    not ask for all."""
    if show_flags & ShowFlag.ALL:
        return False
    names = (job.partition,) if job.allocation is not None else job.spec.partitions or (job.partition,)
    found = [cluster.partitions[name] for name in names if name in cluster.partitions]
    return bool(found) and all(partition.hidden or partition.name in closed for partition in found)


def in_listing_order(cluster: Cluster) -> list[int]:
    """Job ids in slurmctld's order: as submitted; an array's waiting rest moves behind what was there at each split."""
    place: dict[int, int] = {}
    for array_id, members in cluster.arrays.items():
        split = sorted(job_id for job_id in members if job_id != array_id)
        if split:
            place[split[0]] = array_id
            place.update((later, earlier) for earlier, later in pairwise(split))
            place[array_id] = split[-1]
    ids = list(cluster.jobs)
    if not place:
        ids.sort()
        return ids
    ids.sort(key=lambda job_id: (place.get(job_id, job_id), job_id))
    return ids


def time_limit_min(job: Job, partition: Partition | None) -> int:
    """The time limit that clients see, filled in from the partition while nothing else is known."""
    for limit in (job.time_limit_min, job.spec.time_limit_min):
        if limit is not None:
            return limit
    if partition is None:
        return UNLIMITED
    return partition.max_time_min if partition.default_time_min is None else partition.default_time_min


def requested_cpus(job: Job) -> int:
    """CPUs that a job asks for."""
    spec = job.spec
    cpus = max(spec.min_cpus, (spec.num_tasks or 1) * (spec.cpus_per_task or 1), spec.min_nodes, 1)
    return min(cpus, _MOST_CPUS)


_MOST_CPUS = NO_VAL - 1
"""No more fit into the record, whatever a user asks for; so large a job never runs."""


def requested_memory(spec: JobSpec) -> int:
    """`pn_min_memory`: MiB per node, or per CPU with the flag that says so; 0 is all of a node's."""
    if spec.memory_per_cpu_mib is not None:
        return MEM_PER_CPU | spec.memory_per_cpu_mib
    return spec.memory_per_node_mib or 0


def _show_spec(info: JobInfo, spec: JobSpec) -> None:
    """What is shown as it was submitted. One by one: making the record from this many keywords takes longer."""
    info.user_id = spec.user_id
    info.group_id = spec.group_id
    info.name = spec.name
    info.account = spec.account
    info.qos = spec.qos
    info.wckey = spec.wckey
    info.comment = spec.comment
    info.admin_comment = spec.admin_comment
    info.extra = spec.extra
    info.licenses = spec.licenses
    info.mcs_label = spec.mcs_label
    info.resv_name = spec.reservation
    info.alloc_node = spec.submit_host
    info.alloc_sid = spec.submit_sid
    info.batch_flag = int(spec.script_digest is not None)
    info.container = spec.container
    info.burst_buffer = spec.burst_buffer
    info.delay_boot = spec.delay_boot_s
    info.mail_type = spec.mail_type
    info.network = spec.network
    info.nice = NICE_OFFSET + spec.nice
    info.site_factor = NICE_OFFSET + spec.site_factor
    info.profile = spec.profile or 0
    info.reboot = int(spec.reboot)
    info.req_switch = spec.req_switch
    info.wait4switch = spec.wait_for_switch_s
    info.requeue = int(spec.requeue)
    info.work_dir = spec.work_dir
    info.submit_line = spec.submit_line
    info.tres_bind = spec.tres_bind
    info.tres_freq = spec.tres_freq
    info.tres_per_job = spec.tres_per_job
    info.tres_per_node = spec.tres_per_node
    info.tres_per_socket = spec.tres_per_socket
    info.tres_per_task = spec.tres_per_task
    info.cpus_per_tres = spec.cpus_per_tres
    info.mem_per_tres = spec.mem_per_tres


def _show_state(info: JobInfo, job: Job, version: int) -> None:
    info.job_state = int(job.state) | int(job.flags)
    info.state_reason = REASONS.get(job.reason, 0)
    info.state_desc = job.reason_text
    signal_number = job.exit_status & 0x7F
    if job.state is JobState.FAILED and job.reason in _ENDED_BADLY and signal_number:
        if version <= Version.V22_05:
            info.state_reason = int(JobReason.FAIL_LAUNCH)
            info.state_desc = None
        else:
            info.state_reason = int(JobReason.FAIL_SIGNAL)
            info.state_desc = f"RaisedSignal:{signal_number}({strsignal(signal_number)})"
    info.exit_code = job.exit_status
    info.derived_ec = job.derived_exit_status
    info.dependency = describe_dependencies(job.dependencies)


_ENDED_BADLY = (Reason.NON_ZERO_EXIT_CODE, Reason.RAISED_SIGNAL)


def _show_times(info: JobInfo, job: Job, partition: Partition | None) -> None:
    limit = time_limit_min(job, partition)
    eligible_s = 0 if _is_blocked(job) else job.eligible_s
    end_s = job.end_s
    if job.state is JobState.PENDING:
        end_s = job.start_s + 60 * min(limit, 365 * 24 * 60) if job.start_s else 0
    info.time_limit = limit
    info.time_min = job.spec.time_min_min or 0
    info.submit_time = job.submit_s
    info.eligible_time = info.accrue_time = eligible_s
    info.start_time = job.start_s
    info.end_time = end_s
    info.last_sched_eval = job.last_evaluated_s or job.submit_s
    info.deadline = job.spec.deadline_s


def _is_blocked(job: Job) -> bool:
    """Held without a begin time, or waiting for other jobs: nobody knows when it is eligible."""
    held = job.priority == 0 and not job.spec.begin_s
    return job.state is JobState.PENDING and (held or bool(job.dependencies))


def _show_array(info: JobInfo, job: Job) -> None:
    array = job.array
    if array is None:
        info.array_task_id = NO_VAL
        return
    info.array_job_id = array.job_id
    info.array_task_id = NO_VAL if array.task_id is None else array.task_id
    info.array_max_tasks = array.max_running
    if array.task_id is None and array.waiting and job.state is JobState.PENDING:
        info.array_task_str = f"0x{array.waiting:0{array.highest // 4 + 1}X}"


def _show_request(
    info: JobInfo, cluster: Cluster, job: Job, partition: Partition | None, version: int, sizes: Sizes
) -> None:
    spec = job.spec
    cpus, mask = requested_cpus(job), partition.node_mask if partition else 0
    cpus_per_node, memory_per_node_mib = sizes_of(cluster, mask, sizes)
    if not cluster.settings.memory_is_consumed:
        memory_per_node_mib = 0
    memory_mib = _requested_memory_mib(spec, cpus, memory_per_node_mib)
    info.tres_req_str = tres_text(cpus, memory_mib, spec.min_nodes)
    info.num_cpus, info.max_cpus = cpus, spec.max_cpus or 0
    info.num_nodes = _expected_nodes(spec, cpus, cpus_per_node)
    info.max_nodes = _shown_max_nodes(job, info.num_nodes, version)
    never_ran = job.state.is_finished and not job.node_names
    info.num_tasks = spec.num_tasks or (NO_VAL if never_ran else max(spec.min_nodes, 1))
    info.cpus_per_task = spec.cpus_per_task or 1
    least = max(spec.min_cpus_per_node or 1, (spec.cpus_per_task or 1) * (spec.ntasks_per_node or 1))
    info.pn_min_cpus = min(least, NO_VAL16 - 1)
    info.pn_min_memory = requested_memory(spec)
    info.pn_min_tmp_disk = spec.tmp_disk_mib
    info.ntasks_per_node = spec.ntasks_per_node or 0
    info.ntasks_per_tres = spec.ntasks_per_tres or 0
    info.shared = NO_VAL16 if spec.exclusive is None else spec.exclusive
    info.contiguous = int(spec.contiguous)
    info.core_spec = NO_VAL16 if spec.core_spec is None else spec.core_spec
    info.cpu_freq_min = NO_VAL if spec.cpu_freq_min is None else spec.cpu_freq_min
    info.cpu_freq_max = NO_VAL if spec.cpu_freq_max is None else spec.cpu_freq_max
    info.cpu_freq_gov = NO_VAL if spec.cpu_freq_governor is None else spec.cpu_freq_governor
    info.features, info.prefer = spec.features, spec.prefer
    info.cluster_features, info.batch_features = spec.cluster_features, spec.batch_features
    info.boards_per_node = MultiCoreData(
        flag=0xFF,
        boards_per_node=spec.boards_per_node or 0,
        sockets_per_board=spec.sockets_per_board or 0,
        sockets_per_node=spec.sockets_per_node or NO_VAL16,
        cores_per_socket=spec.cores_per_socket or NO_VAL16,
        threads_per_core=spec.threads_per_core or NO_VAL16,
        ntasks_per_board=spec.ntasks_per_board or 0,
        ntasks_per_socket=spec.ntasks_per_socket or INFINITE16,
        ntasks_per_core=spec.ntasks_per_core or INFINITE16,
        plane_size=spec.plane_size or 0,
    )


def _requested_memory_mib(spec: JobSpec, cpus: int, whole_node_mib: int) -> int:
    """Memory that a job asks for over all its nodes; 0 per node is all that a node has."""
    if spec.memory_per_cpu_mib is not None:
        return spec.memory_per_cpu_mib * cpus
    per_node_mib = spec.memory_per_node_mib
    return (whole_node_mib if per_node_mib == 0 else per_node_mib or 0) * spec.min_nodes


def _expected_nodes(spec: JobSpec, cpus: int, cpus_per_node: int) -> int:
    """Nodes that a waiting job is expected to take."""
    nodes = max(spec.min_nodes, 1, -(-cpus // max(1, cpus_per_node)))
    if spec.num_tasks and spec.ntasks_per_node:
        nodes = max(nodes, -(-spec.num_tasks // spec.ntasks_per_node))
    return nodes


def _shown_max_nodes(job: Job, expected_nodes: int, version: int) -> int:
    """The most nodes a waiting job takes; from 23.02 on one is worked out for jobs that were held from the start."""
    spec = job.spec
    if job.node_names:
        return 0
    if spec.max_nodes is not None:
        return spec.max_nodes
    if job.priority or job.restarts or version < Version.V23_02 or spec.cpus_per_task or spec.ntasks_per_core:
        return 0
    return expected_nodes


def _show_nodes(info: JobInfo, cluster: Cluster, job: Job) -> None:
    spec = job.spec
    info.req_nodes, info.req_node_inx = _node_request(cluster, spec.required_nodes)
    info.exc_nodes, info.exc_node_inx = _node_request(cluster, spec.excluded_nodes)
    info.billable_tres = float(requested_cpus(job) if job.restarts else NO_VAL)
    if job.allocation is None:
        info.sched_nodes = node_list(cluster, job.planned_nodes)
        waits = job.state is JobState.PENDING
        info.partition = ",".join(spec.partitions) if waits and spec.partitions else job.partition
        return
    allocation, partition = job.allocation, job.partition
    nodes = len(allocation.shares)
    info.partition = partition
    info.nodes = fold(job.node_names)
    info.node_inx = node_bits(cluster, allocation.node_mask)
    info.num_cpus, info.num_nodes = allocation.cpus, nodes
    info.billable_tres = float(allocation.cpus)
    info.tres_alloc_str = tres_text(allocation.cpus, allocation.memory_mib, nodes)


def _node_request(cluster: Cluster, text: str | None) -> tuple[str | None, Bits | None]:
    """A node list that a user wrote, and its bitmap where its nodes are still known."""
    if not text:
        return None, None
    try:
        return text, node_bits(cluster, node_mask(cluster, text))
    except (BadNodeList, KeyError):
        return text, None


def _in_work_dir(spec: JobSpec, path: str | None) -> str | None:
    """A file name of a job as an absolute path; its patterns are for the client to fill in."""
    if not path or path.startswith("/") or not spec.work_dir:
        return path or None
    return f"{spec.work_dir.rstrip('/')}/{path}"


def _command(spec: JobSpec, version: int) -> str | None:
    """The script, with its arguments up to 22.05."""
    if not spec.argv:
        return None
    return " ".join(spec.argv) if version <= Version.V22_05 else spec.argv[0]


def _bitflags(job: Job) -> int:
    spec = job.spec
    flags = spec.bit_flags
    if spec.account is None:
        flags |= _DEFAULT_ACCOUNT
    if spec.qos is None:
        flags |= _DEFAULT_QOS
    if spec.wckey is None:
        flags |= _DEFAULT_WCKEY
    if flags & _DEFAULT_PARTITION:
        flags |= _PARTITION_ASSIGNED
    if spec.num_tasks is not None:
        flags |= _TASKS_SET
    if spec.cpus_per_task is not None:
        flags |= _CPUS_SET
    if job.scheduled_by == "Backfill":
        flags |= _BY_BACKFILL
    if job.state is JobState.RUNNING:
        flags |= _WAS_RUNNING
    elif job.state.is_finished and job.node_names:
        flags |= _TRES_COUNTED
    if not job.node_names and (job.priority == 0 or job.dependencies):
        flags |= _DEPENDENT
    return flags


_DEFAULT_ACCOUNT = int(JobFlag.USE_DEFAULT_ACCT)
_DEFAULT_QOS = int(JobFlag.USE_DEFAULT_QOS)
_DEFAULT_WCKEY = int(JobFlag.USE_DEFAULT_WCKEY)
_DEFAULT_PARTITION = int(JobFlag.USE_DEFAULT_PART)
_PARTITION_ASSIGNED = int(JobFlag.PART_ASSIGNED)
_TASKS_SET = int(JobFlag.NTASKS_SET)
_CPUS_SET = int(JobFlag.CPUS_SET)
_BY_BACKFILL = int(JobFlag.BACKFILL_SCHED)
_WAS_RUNNING = int(JobFlag.WAS_RUNNING)
_TRES_COUNTED = int(JobFlag.TRES_STR_CALC)
_DEPENDENT = int(JobFlag.DEPENDENT)
_SHOW_DETAIL = int(ShowFlag.DETAIL)
