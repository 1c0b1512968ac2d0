"""Parts that many messages share: step ids, selections, identities, allocated resources, layouts."""

from __future__ import annotations

import msgspec

from protocol.constants import (
    NO_VAL,
    CronFlag,
    DependencyState,
    DependencyType,
    JobDefault,
    MessageType,
    SelectFlag,
    SpecialStep,
    SwitchPlugin,
    TaskDistribution,
)
from protocol.schema import (
    Field,
    If,
    Record,
    bits,
    epoch,
    list_of,
    mem,
    message,
    repeat,
    string,
    u8,
    u16,
    u32,
    u64,
    vector,
)
from protocol.versions import Version
from protocol.wire import Bits

__all__ = [
    "AcctGatherEnergy",
    "ConfigKeyPair",
    "ConfigPluginParams",
    "CronEntry",
    "Dependency",
    "DependencyList",
    "JobDefaults",
    "JobResources",
    "LastUpdate",
    "MultiCoreData",
    "SelectedStep",
    "StepId",
    "StepLayout",
    "SwitchStepinfo",
    "UserIdentity",
]


@message(MessageType.REQUEST_BUILD_INFO)
class LastUpdate(Record):
    """Body of REQUEST_BUILD_INFO."""

    last_update: int = 0

    WIRE = (Field("last_update", epoch),)


class ConfigKeyPair(Record):
    """Part of ConfigPluginParams, BuildInfoResponse, ContainerState."""

    name: str | None = None
    value: str | None = None

    WIRE = (
        Field("name", string),
        Field("value", string),
    )


class JobDefaults(Record):
    """Part of BuildInfoResponse, PartitionInfo."""

    type: int = 0
    value: int = 0

    WIRE = (
        Field("type", u16, means=JobDefault),
        Field("value", u64),
    )


class ConfigPluginParams(Record):
    """Part of BuildInfoResponse."""

    name: str | None = None
    key_pairs: list[ConfigKeyPair] | None = None

    WIRE = (
        Field("name", string),
        Field("key_pairs", list_of(ConfigKeyPair)),
    )


@message(
    MessageType.REQUEST_JOB_STEP_STAT,
    MessageType.REQUEST_STEP_LAYOUT,
    MessageType.REQUEST_JOB_STEP_PIDS,
    MessageType.REQUEST_JOB_MEM_USAGE,
    MessageType.SRUN_JOB_COMPLETE,
)
class StepId(Record):
    """Body of SRUN_JOB_COMPLETE, REQUEST_STEP_LAYOUT, REQUEST_JOB_STEP_STAT, REQUEST_JOB_STEP_PIDS,
    REQUEST_JOB_MEM_USAGE."""

    sluid: int = 0
    job_id: int = 0
    step_id: int = 0
    step_het_comp: int = 0

    WIRE = (
        Field("sluid", u64, since="24.11"),
        Field("job_id", u32),
        Field("step_id", u32, means=SpecialStep),
        Field("step_het_comp", u32),
    )


class JobResources(Record):
    """Part of JobInfo, JobRecord."""

    nhosts: int = NO_VAL
    ncpus: int = 0
    next_step_node_inx: int = 0
    node_req: int = 0
    nodes: str | None = None
    whole_node: int = 0
    threads_per_core: int = 0
    cr_type: int = 0
    cpu_array_reps: list[int] = []
    cpu_array_value: list[int] = []
    cpus: list[int] = []
    cpus_used: list[int] = []
    memory_allocated: list[int] = []
    memory_used: list[int] = []
    sockets_per_node: list[int] = []
    cores_per_socket: list[int] = []
    sock_core_rep_count: list[int] = []
    core_bitmap: Bits | None = None
    core_bitmap_used: Bits | None = None
    node_bitmap: Bits | None = None
    node_ranks: list[int] = []

    WIRE = (
        Field("nhosts", u32, unit="nodes"),
        If(
            "nhosts != NO_VAL",
            (
                Field("ncpus", u32, unit="CPUs"),
                Field("next_step_node_inx", u32, since="24.11"),
                Field("node_req", u32),
                Field("nodes", string),
                Field("whole_node", u8),
                Field("threads_per_core", u16, unit="threads"),
                Field("cr_type", u16, means=SelectFlag),
                Field("cpu_array_reps", vector(u32)),
                Field("cpu_array_value", vector(u16), unit="CPUs"),
                Field("cpus", vector(u16), unit="CPUs"),
                Field("cpus_used", vector(u16), unit="CPUs"),
                Field("memory_allocated", vector(u64), unit="MiB"),
                Field("memory_used", vector(u64), unit="MiB"),
                Field("sockets_per_node", vector(u16), unit="sockets"),
                Field("cores_per_socket", vector(u16), unit="cores"),
                Field("sock_core_rep_count", vector(u32)),
                Field("core_bitmap", bits),
                Field("core_bitmap_used", bits),
                Field("node_bitmap", bits, since="24.05", until="25.11"),
                Field("node_ranks", vector(u32), since="26.05"),
            ),
        ),
    )


class MultiCoreData(Record):
    """Part of JobInfo, LoadJobDetails."""

    flag: int = 0
    boards_per_node: int = 0
    sockets_per_board: int = 0
    sockets_per_node: int = 0
    cores_per_socket: int = 0
    threads_per_core: int = 0
    ntasks_per_board: int = 0
    ntasks_per_socket: int = 0
    ntasks_per_core: int = 0
    plane_size: int = 0

    WIRE = (
        Field("flag", u8),
        If(
            "flag",
            (
                If(
                    "flag == 0xff",
                    (
                        Field("boards_per_node", u16, unit="boards"),
                        Field("sockets_per_board", u16, unit="sockets"),
                        Field("sockets_per_node", u16, unit="sockets"),
                        Field("cores_per_socket", u16, unit="cores"),
                        Field("threads_per_core", u16, unit="threads"),
                        Field("ntasks_per_board", u16, unit="tasks"),
                        Field("ntasks_per_socket", u16, unit="tasks"),
                        Field("ntasks_per_core", u16, unit="tasks"),
                        Field("plane_size", u16),
                    ),
                ),
            ),
        ),
    )


class AcctGatherEnergy(Record):
    """Part of NodeInfo, NodeRegistration, AcctGatherNodeResponse."""

    base_consumed_energy: int = 0
    ave_watts: int = 0
    consumed_energy: int = 0
    current_watts: int = 0
    previous_consumed_energy: int = 0
    poll_time: int = 0
    slurmd_start_time: int = 0

    WIRE = (
        Field("base_consumed_energy", u64, unit="J"),
        Field("ave_watts", u32, unit="W"),
        Field("consumed_energy", u64, unit="J"),
        Field("current_watts", u32, unit="W"),
        Field("previous_consumed_energy", u64, unit="J"),
        Field("poll_time", epoch),
        Field("slurmd_start_time", epoch, since="24.11"),
    )


class CronEntry(Record):
    """Part of JobDescription, LoadJobDetails."""

    set: int = 0
    flags: int = 0
    minute: Bits | None = None
    hour: Bits | None = None
    day_of_month: Bits | None = None
    month: Bits | None = None
    day_of_week: Bits | None = None
    cronspec: str | None = None
    line_start: int = 0
    line_end: int = 0

    WIRE = (
        Field("set", u8),
        If(
            "set",
            (
                Field("flags", u32, means=CronFlag),
                Field("minute", bits),
                Field("hour", bits),
                Field("day_of_month", bits),
                Field("month", bits),
                Field("day_of_week", bits),
                Field("cronspec", string),
                Field("line_start", u32),
                Field("line_end", u32),
            ),
        ),
    )


class Dependency(Record):
    """One element of `dependencies` in DependencyList."""

    array_task_id: int = 0
    depend_type: int = 0
    depend_flags: int = 0
    depend_state: int = 0
    depend_time: int = 0
    job_id: int = 0
    parsed_array_task_id: int = 0
    singleton_bits: int = 0

    WIRE = (
        Field("array_task_id", u32),
        Field("depend_type", u16, means=DependencyType),
        Field("depend_flags", u16),
        Field("depend_state", u32, means=DependencyState),
        Field("depend_time", u32),
        Field("job_id", u32),
        Field("parsed_array_task_id", u32, since="25.11"),
        Field("singleton_bits", u64),
    )


class DependencyList(Record):
    """Part of DependencyUpdate, LoadJobDetails."""

    cnt: int = 0
    dependencies: list[Dependency] = []

    WIRE = (
        Field("cnt", u32),
        If(
            "cnt",
            (Field("dependencies", repeat(Dependency, "cnt")),),
        ),
    )


@message(MessageType.REQUEST_JOB_SBCAST_CRED)
class SelectedStep(Record):
    """Body of REQUEST_JOB_SBCAST_CRED."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    array_task_id: int = 0
    het_job_offset: int = 0
    array_bitmap: Bits | None = None

    WIRE = (
        Field("step_id", StepId),
        Field("array_task_id", u32),
        Field("het_job_offset", u32),
        Field("array_bitmap", bits, since="24.11"),
    )


class UserIdentity(Record):
    """Part of CredentialBody, JobRecord, SbcastCredential."""

    uid: int = 0
    gid: int = 0
    pw_name: str | None = None
    pw_gecos: str | None = None
    pw_dir: str | None = None
    pw_shell: str | None = None
    gids: list[int] = []
    gr_names: list[str | None] = []

    WIRE = (
        Field("uid", u32),
        Field("gid", u32),
        Field("pw_name", string),
        Field("pw_gecos", string),
        Field("pw_dir", string),
        Field("pw_shell", string),
        Field("gids", vector(u32)),
        Field("gr_names", vector(string)),
    )


class SwitchStepinfo(Record):
    """Part of CredentialBody, LoadStepState, JobRecord, LaunchTasks and others."""

    blob: bytes = b""
    plugin_id: int = 0

    WIRE = (
        Field("blob", mem, since="24.11"),
        Field("plugin_id", u32, until="23.02", means=SwitchPlugin),
    )


@message(MessageType.RESPONSE_STEP_LAYOUT)
class StepLayout(Record):
    """Body of RESPONSE_STEP_LAYOUT."""

    has_layout: int = 0
    unused_str: str | None = None
    node_list: str | None = None
    node_cnt: int = 0
    start_protocol_ver: int = 0
    task_cnt: int = 0
    task_dist: int = 0
    tids: list[list[int]] = []
    cpt_compact_array: list[int] = []
    cpt_compact_reps: list[int] = []
    alias_addrs: str | None = None

    WIRE = (
        Field("has_layout", u16),
        If(
            "has_layout",
            (
                Field("unused_str", string),
                Field("node_list", string),
                Field("node_cnt", u32, unit="nodes"),
                Field("start_protocol_ver", u16, means=Version),
                Field("task_cnt", u32, unit="tasks"),
                Field("task_dist", u32, means=TaskDistribution),
                Field("tids", repeat(vector(u32), "node_cnt")),
                Field("cpt_compact_array", vector(u16), since="23.11", unit="CPUs"),
                Field("cpt_compact_reps", vector(u32), since="23.11"),
                Field("alias_addrs", string, since="23.11"),
            ),
        ),
    )
