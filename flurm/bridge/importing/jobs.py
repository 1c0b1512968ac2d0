"""One job of a slurmctld, as squeue and scontrol are told of it, as a job of FLURM's.

What a user asked for is told only as far as clients show it: that is what a `JobSpec` can be filled with. From 22.05 to
26.05 the fields are the same but for a few that were added, so one table does for all.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from flurm.bridge.importing.holdings import allocation_of, names_of, node_names
from flurm.core.enums import JobFlag, JobState, Reason
from flurm.core.job_records import ArrayTask, Job, JobSpec
from flurm.core.records import Cluster
from protocol.constants import (
    INFINITE16,
    MEM_PER_CPU,
    NICE_OFFSET,
    NO_VAL,
    NO_VAL16,
    JobReason,
)
from protocol.constants import JobFlag as BitFlag
from protocol.messages import JobInfo
from protocol.versions import Version

__all__ = ["UserName", "job_id_of", "job_of", "open_mode_of", "spec_of"]

UserName = Callable[[int], str | None]

_BASE_STATE = 0xFF
_TEXTS = (
    "account", "qos", "wckey", "comment", "admin_comment", "extra", "licenses", "mcs_label", "network", "container",
    "burst_buffer", "features", "prefer", "cluster_features", "batch_features", "tres_bind", "tres_freq",
    "tres_per_job", "tres_per_node", "tres_per_socket", "tres_per_task", "cpus_per_tres", "mem_per_tres", "work_dir",
    "std_in", "std_out", "std_err",
)  # fmt: skip
_RENAMED_TEXTS = {
    "resv_name": "reservation",
    "alloc_node": "submit_host",
    "req_nodes": "required_nodes",
    "exc_nodes": "excluded_nodes",
    "submit_line": "submit_line",
}
_NUMBERS = {
    "ntasks_per_node": ("ntasks_per_node", (0, NO_VAL16)),
    "ntasks_per_tres": ("ntasks_per_tres", (0, NO_VAL16)),
    "shared": ("exclusive", (NO_VAL16,)),
    "core_spec": ("core_spec", (NO_VAL16,)),
    "cpu_freq_min": ("cpu_freq_min", (NO_VAL,)),
    "cpu_freq_max": ("cpu_freq_max", (NO_VAL,)),
    "cpu_freq_gov": ("cpu_freq_governor", (NO_VAL,)),
    "time_limit": ("time_limit_min", (NO_VAL,)),
    "time_min": ("time_min_min", (0, NO_VAL)),
    "profile": ("profile", (0,)),
    "max_cpus": ("max_cpus", (0, NO_VAL)),
}
"""Field of the job's record, that of the spec, and the values that stand for none."""
_LAYOUT = {
    "boards_per_node": (0, NO_VAL16),
    "sockets_per_board": (0, NO_VAL16),
    "sockets_per_node": (0, NO_VAL16),
    "cores_per_socket": (0, NO_VAL16),
    "threads_per_core": (0, NO_VAL16),
    "ntasks_per_board": (0, NO_VAL16),
    "ntasks_per_socket": (0, INFINITE16),
    "ntasks_per_core": (0, INFINITE16),
    "plane_size": (0, NO_VAL16),
}
_WORKED_OUT = (
    BitFlag.TRES_STR_CALC | BitFlag.NTASKS_SET | BitFlag.CPUS_SET | BitFlag.ACCRUE_OVER | BitFlag.WAS_RUNNING
    | BitFlag.USE_DEFAULT_ACCT | BitFlag.USE_DEFAULT_QOS | BitFlag.USE_DEFAULT_WCKEY | BitFlag.DEPENDENT
    | BitFlag.PART_ASSIGNED | BitFlag.BACKFILL_SCHED | BitFlag.BACKFILL_LAST | BitFlag.BACKFILL_TEST
    | BitFlag.CRON_JOB | BitFlag.HAS_STATE_DIR | BitFlag.HET_JOB_FLAG | BitFlag.TOP_PRIO_TMP
)  # fmt: skip
"""Flags that tell how a job stands, not how it was submitted."""


def job_id_of(info: JobInfo) -> int:
    """The job's id, which from 25.11 on is told elsewhere."""
    return info.job_id or info.step_id.job_id


def spec_of(info: JobInfo, version: int, user_name: UserName) -> JobSpec:
    """What the job asks for, as far as clients are told; without script, environment and dependency."""
    state = JobState(info.job_state & _BASE_STATE)
    fields: dict[str, object] = {name: _text(getattr(info, name)) for name in _TEXTS}
    fields |= {field: _text(getattr(info, name)) for name, field in _RENAMED_TEXTS.items()}
    for name, (field, unset) in _NUMBERS.items():
        fields[field] = _given(getattr(info, name), unset)
    for name, unset in _LAYOUT.items():
        fields[name] = _given(getattr(info.boards_per_node, name), unset)
    fields |= _size(info, state)
    flags = BitFlag(info.bitflags)
    return JobSpec(
        name=info.name or "",
        user_id=info.user_id,
        group_id=info.group_id,
        user_name=info.user_name or user_name(info.user_id),
        partitions=tuple(part for part in (info.partition or "").split(",") if part),
        submit_sid=info.alloc_sid,
        argv=_arguments(info, version),
        tmp_disk_mib=info.pn_min_tmp_disk,
        contiguous=bool(info.contiguous),
        req_switch=info.req_switch,
        wait_for_switch_s=info.wait4switch,
        begin_s=_begin_s(info, state),
        deadline_s=info.deadline,
        nice=info.nice - NICE_OFFSET if info.nice else 0,
        site_factor=info.site_factor - NICE_OFFSET if info.site_factor else 0,
        requeue=bool(info.requeue),
        reboot=bool(info.reboot),
        delay_boot_s=info.delay_boot,
        mail_type=info.mail_type,
        mail_user=info.mail_user if info.mail_type else None,
        bit_flags=int(flags & ~_WORKED_OUT),
        protocol_version=info.start_protocol_ver,
        kill_invalid_dependency=_kill_invalid_dependency(flags),
    ).with_(**fields)


def _text(value: str | None) -> str | None:
    return None if value in (None, "", "(null)") else value


def _given(value: int, unset: tuple[int, ...]) -> int | None:
    return None if value in unset else value


def _size(info: JobInfo, state: JobState) -> dict[str, object]:
    """CPUs, nodes, tasks and memory: of a job that has started, what it holds is told, and what it asked for stands
    in its TRES."""
    asked = dict(part.split("=", 1) for part in (info.tres_req_str or "").split(",") if "=" in part)
    flags = BitFlag(info.bitflags)
    tasks = info.num_tasks if flags & BitFlag.NTASKS_SET and info.num_tasks != NO_VAL else None
    cpus_per_task = info.cpus_per_task if flags & BitFlag.CPUS_SET and info.cpus_per_task != NO_VAL16 else None
    waits = state is JobState.PENDING
    least_cpus = max((cpus_per_task or 1) * (info.ntasks_per_node or 1), 1)
    per_cpu = bool(info.pn_min_memory & MEM_PER_CPU)
    memory_mib = info.pn_min_memory & ~MEM_PER_CPU
    return {
        "min_nodes": _number(asked.get("node")) or max(info.num_nodes, 1),
        "max_nodes": _given(info.max_nodes, (0, NO_VAL)) if waits else None,
        "min_cpus": _number(asked.get("cpu")) or max(info.num_cpus, 1),
        "num_tasks": tasks,
        "cpus_per_task": cpus_per_task,
        "min_cpus_per_node": info.pn_min_cpus if least_cpus < info.pn_min_cpus < NO_VAL16 else None,
        "memory_per_cpu_mib": memory_mib if per_cpu else None,
        "memory_per_node_mib": None if per_cpu else memory_mib,
    }


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


def _arguments(info: JobInfo, version: int) -> tuple[str, ...]:
    """The script and its arguments: one text up to 22.05, later the script alone, and the arguments are where the
    submission's command line is told."""
    if not info.command:
        return ()
    if version <= Version.V22_05:
        return tuple(info.command.split(" "))
    try:
        line = shlex.split(info.submit_line or "")
    except ValueError:
        line = []
    base = info.command.rpartition("/")[2]
    place = next((i for i, word in enumerate(line) if i and word.rpartition("/")[2] == base), len(line))
    return (info.command, *line[place + 1 :])


def _begin_s(info: JobInfo, state: JobState) -> int:
    """The begin time of a job that waits for it: nobody is eligible in the future for another reason."""
    if state is not JobState.PENDING or info.state_reason in _ELIGIBLE:
        return 0
    return info.eligible_time if info.eligible_time > info.submit_time and info.eligible_time == info.start_time else 0


_ELIGIBLE = (JobReason.PRIORITY, JobReason.RESOURCES, JobReason.ARRAY_TASK_LIMIT)
"""Reasons of jobs that only wait for their turn."""


def _kill_invalid_dependency(flags: BitFlag) -> bool | None:
    if flags & BitFlag.KILL_INV_DEP:
        return True
    return False if flags & BitFlag.NO_KILL_INV_DEP else None


def job_of(info: JobInfo, spec: JobSpec, cluster: Cluster, array: ArrayTask | None) -> Job:
    """The job as it stands: what runs goes on, and is taken for launched.

    Raises LookupError where it holds something, but of no node that the cluster has.
    """
    state = JobState(info.job_state & _BASE_STATE)
    completing = bool(info.job_state & JobFlag.COMPLETING)
    holds = state in (JobState.RUNNING, JobState.SUSPENDED) or completing
    allocation = allocation_of(info, cluster) if info.nodes and (holds or state.is_finished) else None
    if allocation is None and holds:
        raise LookupError(f"job {job_id_of(info)} runs on {info.nodes}")
    waits = state is JobState.PENDING
    mask = allocation.node_mask if allocation is not None and completing else 0
    return Job(
        id=job_id_of(info),
        spec=spec,
        state=state,
        flags=JobFlag(info.job_state & _KEPT_FLAGS),
        reason=_reason(info.state_reason),
        reason_text=info.state_desc,
        priority=info.priority,
        hold=_hold(info) if waits and not info.priority else None,
        array=array,
        partition=spec.partitions[0] if spec.partitions else "",
        time_limit_min=None if waits else info.time_limit,
        submit_s=info.submit_time,
        eligible_s=info.eligible_time,
        start_s=info.start_time,
        end_s=0 if waits else info.end_time,
        last_evaluated_s=info.last_sched_eval,
        scheduled_by=_scheduled_by(info),
        planned_nodes=cluster.mask_of([name for name in names_of(info.sched_nodes) if name in cluster.nodes]),
        allocation=allocation,
        node_names=node_names(info, allocation, cluster),
        launch=_launch(info, state),
        completing=mask,
        exit_status=info.exit_code,
        derived_exit_status=info.derived_ec,
        restarts=info.restart_cnt,
        requeue_held=waits and bool(info.job_state & JobFlag.REQUEUE_HOLD),
    )


_KEPT_FLAGS = int(JobFlag.COMPLETING | JobFlag.SPECIAL_EXIT | JobFlag.REQUEUE_HOLD | JobFlag.LAUNCH_FAILED)


def _reason(number: int) -> Reason:
    try:
        return Reason(JobReason(number).text)
    except ValueError:
        return Reason.NONE


def _hold(info: JobInfo) -> str:
    return "admin" if info.state_reason == JobReason.HELD else "user"


def _scheduled_by(info: JobInfo) -> str | None:
    if info.bitflags & BitFlag.BACKFILL_SCHED:
        return "Backfill"
    return "Main" if info.start_time and info.job_state & _BASE_STATE else None


def _launch(info: JobInfo, state: JobState) -> str | None:
    """A script that waits for its node to be ready has not been sent; a node that has it says so when it is sent."""
    if state is not JobState.RUNNING or info.job_state & JobFlag.COMPLETING or not info.batch_flag:
        return None
    return "wanted" if info.job_state & JobFlag.CONFIGURING else "sent"


_OPEN_MODE = re.compile(rb"^#SBATCH\b.*--open-mode[= ](?:(a)|t)", re.M)


def open_mode_of(script: bytes) -> int:
    """Whether a script asks for its output to be appended to what is there (1) or to replace it (2); 0: neither."""
    found = _OPEN_MODE.search(script)
    return 0 if found is None else 1 if found[1] else 2
