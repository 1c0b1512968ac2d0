"""Statistics, priorities, shares, licences, burst buffers, associations: what the reporting commands ask for."""

from __future__ import annotations

import msgspec

from protocol.constants import AssocMgrFlag, BurstBufferFlag, BurstBufferState, MessageType, ShowFlag, StatsCommand
from protocol.messages.accounting import DbUser
from protocol.messages.accounting_usage import DbAssocWithUsage, DbQosWithUsage
from protocol.messages.common import StepId
from protocol.schema import (
    Field,
    If,
    Record,
    array,
    double,
    epoch,
    list_of,
    longdouble,
    message,
    repeat,
    string,
    u8,
    u16,
    u32,
    u64,
    vector,
)

__all__ = [
    "AssocMgrInfoRequest",
    "AssocMgrInfoResponse",
    "AssocSharesObject",
    "BurstBufferInfo",
    "BurstBufferInfoResponse",
    "BurstBufferInfoResponseBuffers",
    "BurstBufferInfoResponsePool",
    "BurstBufferInfoResponseUse",
    "BurstBufferStatusRequest",
    "BurstBufferStatusResponse",
    "LicenseInfo",
    "LicenseInfoRequest",
    "LicenseInfoResponse",
    "PriorityFactors",
    "PriorityFactorsFilter",
    "PriorityFactorsObject",
    "PriorityFactorsRequest",
    "PriorityFactorsResponse",
    "SharesRequest",
    "SharesResponse",
    "StatsRequest",
    "StatsResponse",
]


@message(MessageType.REQUEST_SHARE_INFO)
class SharesRequest(Record):
    """Body of REQUEST_SHARE_INFO."""

    acct_list: list[str | None] | None = None
    user_list: list[str | None] | None = None

    WIRE = (
        Field("acct_list", list_of(string)),
        Field("user_list", list_of(string)),
    )


class AssocSharesObject(Record):
    """Part of SharesResponse."""

    assoc_id: int = 0
    cluster: str | None = None
    name: str | None = None
    parent: str | None = None
    partition: str | None = None
    shares_norm: float = 0.0
    shares_raw: int = 0
    tres_run_secs: list[int] = []
    tres_grp_mins: list[int] = []
    usage_efctv: float = 0.0
    usage_norm: float = 0.0
    usage_raw: int = 0
    usage_tres_raw: list[str | None] = []
    fs_factor: float = 0.0
    level_fs: float = 0.0
    user: int = 0

    WIRE = (
        Field("assoc_id", u32),
        Field("cluster", string),
        Field("name", string),
        Field("parent", string),
        Field("partition", string),
        Field("shares_norm", double),
        Field("shares_raw", u32),
        Field("tres_run_secs", vector(u64), unit="s"),
        Field("tres_grp_mins", vector(u64), unit="min"),
        Field("usage_efctv", double),
        Field("usage_norm", double),
        Field("usage_raw", u64),
        Field("usage_tres_raw", vector(longdouble)),
        Field("fs_factor", double),
        Field("level_fs", double),
        Field("user", u16),
    )


@message(MessageType.RESPONSE_SHARE_INFO)
class SharesResponse(Record):
    """Body of RESPONSE_SHARE_INFO."""

    tres_names: list[str | None] = []
    assoc_shares_list: list[AssocSharesObject] | None = None
    tot_shares: int = 0

    WIRE = (
        Field("tres_names", vector(string)),
        Field("assoc_shares_list", list_of(AssocSharesObject)),
        Field("tot_shares", u64),
    )


class PriorityFactors(Record):
    """Part of PriorityFactorsObject."""

    priority_age: float = 0.0
    priority_assoc: float = 0.0
    priority_fs: float = 0.0
    priority_js: float = 0.0
    priority_part: float = 0.0
    priority_qos: float = 0.0
    priority_site: int = 0
    priority_tres: list[float] = []
    tres_names: list[str | None] = []
    tres_weights: list[float] = []
    nice: int = 0

    WIRE = (
        Field("priority_age", double),
        Field("priority_assoc", double),
        Field("priority_fs", double),
        Field("priority_js", double),
        Field("priority_part", double),
        Field("priority_qos", double),
        Field("priority_site", u32, unit="over NICE_OFFSET"),
        Field("priority_tres", vector(double)),
        Field("tres_names", vector(string)),
        Field("tres_weights", vector(double)),
        Field("nice", u32, unit="over NICE_OFFSET"),
    )


class PriorityFactorsObject(Record):
    """Part of PriorityFactorsResponse."""

    account: str | None = None
    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    partition: str | None = None
    direct_prio: float = 0.0
    prio_factors: PriorityFactors = msgspec.field(default_factory=PriorityFactors)
    qos: str | None = None
    user_id: int = 0
    priority_age: float = 0.0
    priority_assoc: float = 0.0
    priority_fs: float = 0.0
    priority_js: float = 0.0
    priority_part: float = 0.0
    priority_qos: float = 0.0
    priority_site: int = 0
    priority_tres: list[float] = []
    tres_cnt: int = 0
    tres_names: list[str | None] = []
    tres_weights: list[float] = []
    nice: int = 0

    WIRE = (
        Field("account", string, since="23.02"),
        Field("job_id", u32, until="25.11"),
        Field("step_id", StepId, since="26.05"),
        Field("partition", string, since="23.02"),
        Field("direct_prio", double, since="23.02"),
        If(
            "not direct_prio",
            (Field("prio_factors", PriorityFactors),),
            since="23.02",
        ),
        Field("qos", string, since="23.02"),
        Field("user_id", u32),
        Field("priority_age", double, until="22.05"),
        Field("priority_assoc", double, until="22.05"),
        Field("priority_fs", double, until="22.05"),
        Field("priority_js", double, until="22.05"),
        Field("priority_part", double, until="22.05"),
        Field("priority_qos", double, until="22.05"),
        Field("direct_prio", double, until="22.05"),
        Field("priority_site", u32, until="22.05", unit="over NICE_OFFSET"),
        Field("priority_tres", vector(double), until="22.05"),
        Field("tres_cnt", u32, until="22.05"),
        Field("tres_names", vector(string), until="22.05"),
        Field("tres_weights", vector(double), until="22.05"),
        Field("nice", u32, until="22.05", unit="over NICE_OFFSET"),
        Field("partition", string, until="22.05"),
    )


@message(MessageType.RESPONSE_PRIORITY_FACTORS)
class PriorityFactorsResponse(Record):
    """Body of RESPONSE_PRIORITY_FACTORS."""

    priority_factors_list: list[PriorityFactorsObject] | None = None

    WIRE = (Field("priority_factors_list", list_of(PriorityFactorsObject)),)


class BurstBufferInfoResponsePool(Record):
    """One element of `pool` in BurstBufferInfoResponse."""

    name: str | None = None
    total_space: int = 0
    granularity: int = 0
    unfree_space: int = 0
    used_space: int = 0

    WIRE = (
        Field("name", string),
        Field("total_space", u64, unit="bytes"),
        Field("granularity", u64, unit="bytes"),
        Field("unfree_space", u64, unit="bytes"),
        Field("used_space", u64, unit="bytes"),
    )


class BurstBufferInfoResponseBuffers(Record):
    """One element of `buffers` in BurstBufferInfoResponse."""

    account: str | None = None
    array_job_id: int = 0
    array_task_id: int = 0
    create_time: int = 0
    job_id: int = 0
    name__2: str | None = None
    partition: str | None = None
    pool: str | None = None
    qos: str | None = None
    size: int = 0
    state: int = 0
    user_id: int = 0

    WIRE = (
        Field("account", string),
        Field("array_job_id", u32),
        Field("array_task_id", u32),
        Field("create_time", epoch),
        Field("job_id", u32),
        Field("name__2", string),
        Field("partition", string),
        Field("pool", string),
        Field("qos", string),
        Field("size", u64, unit="bytes"),
        Field("state", u16, means=BurstBufferState),
        Field("user_id", u32),
    )


class BurstBufferInfoResponseUse(Record):
    """One element of `use` in BurstBufferInfoResponse."""

    used: int = 0
    user_id__2: int = 0

    WIRE = (
        Field("used", u64, unit="bytes"),
        Field("user_id__2", u32),
    )


class BurstBufferInfo(Record):
    """One element of `bb_array` in BurstBufferInfoResponse."""

    name: str | None = None
    allow_users: str | None = None
    create_buffer: str | None = None
    default_pool: str | None = None
    deny_users: str | None = None
    destroy_buffer: str | None = None
    flags: int = 0
    get_sys_state: str | None = None
    get_sys_status: str | None = None
    granularity: int = 0
    pool: list[BurstBufferInfoResponsePool] = []
    poll_interval: int = 0
    other_timeout: int = 0
    start_stage_in: str | None = None
    start_stage_out: str | None = None
    stop_stage_in: str | None = None
    stop_stage_out: str | None = None
    stage_in_timeout: int = 0
    stage_out_timeout: int = 0
    total_space: int = 0
    unfree_space: int = 0
    used_space: int = 0
    validate_timeout: int = 0
    buffers: list[BurstBufferInfoResponseBuffers] = []
    use: list[BurstBufferInfoResponseUse] = []

    WIRE = (
        Field("name", string),
        Field("allow_users", string),
        Field("create_buffer", string),
        Field("default_pool", string),
        Field("deny_users", string),
        Field("destroy_buffer", string),
        Field("flags", u32, means=BurstBufferFlag),
        Field("get_sys_state", string),
        Field("get_sys_status", string),
        Field("granularity", u64, unit="bytes"),
        Field("pool", array(BurstBufferInfoResponsePool)),
        Field("poll_interval", u32, since="24.05", unit="s"),
        Field("other_timeout", u32, unit="s"),
        Field("start_stage_in", string),
        Field("start_stage_out", string),
        Field("stop_stage_in", string),
        Field("stop_stage_out", string),
        Field("stage_in_timeout", u32, unit="s"),
        Field("stage_out_timeout", u32, unit="s"),
        Field("total_space", u64, unit="bytes"),
        Field("unfree_space", u64, unit="bytes"),
        Field("used_space", u64, unit="bytes"),
        Field("validate_timeout", u32, unit="s"),
        Field("buffers", array(BurstBufferInfoResponseBuffers)),
        Field("use", array(BurstBufferInfoResponseUse)),
    )


@message(MessageType.RESPONSE_BURST_BUFFER_INFO)
class BurstBufferInfoResponse(Record):
    """Body of RESPONSE_BURST_BUFFER_INFO."""

    bb_array: list[BurstBufferInfo] = []

    WIRE = (Field("bb_array", array(BurstBufferInfo)),)


@message(MessageType.REQUEST_STATS_INFO)
class StatsRequest(Record):
    """Body of REQUEST_STATS_INFO."""

    command_id: int = 0

    WIRE = (Field("command_id", u16, means=StatsCommand),)


@message(MessageType.RESPONSE_STATS_INFO)
class StatsResponse(Record):
    """Body of RESPONSE_STATS_INFO."""

    parts_packed: int = 0
    req_time: int = 0
    req_time_start: int = 0
    server_thread_count: int = 0
    agent_queue_size: int = 0
    agent_count: int = 0
    agent_thread_count: int = 0
    dbd_agent_queue_size: int = 0
    gettimeofday_latency: int = 0
    jobs_submitted: int = 0
    jobs_started: int = 0
    jobs_completed: int = 0
    jobs_canceled: int = 0
    jobs_failed: int = 0
    jobs_pending: int = 0
    jobs_running: int = 0
    job_states_ts: int = 0
    schedule_cycle_max: int = 0
    schedule_cycle_last: int = 0
    schedule_cycle_sum: int = 0
    schedule_cycle_counter: int = 0
    schedule_cycle_depth: int = 0
    schedule_exit: list[int] = []
    schedule_queue_len: int = 0
    bf_backfilled_jobs: int = 0
    bf_last_backfilled_jobs: int = 0
    bf_cycle_counter: int = 0
    bf_cycle_sum: int = 0
    bf_cycle_last: int = 0
    bf_last_depth: int = 0
    bf_last_depth_try: int = 0
    bf_queue_len: int = 0
    bf_cycle_max: int = 0
    bf_when_last_cycle: int = 0
    bf_depth_sum: int = 0
    bf_depth_try_sum: int = 0
    bf_queue_len_sum: int = 0
    bf_table_size: int = 0
    bf_table_size_sum: int = 0
    bf_active: int = 0
    bf_backfilled_het_jobs: int = 0
    bf_exit: list[int] = []
    rpc_type_size: int = 0
    rpc_type_id: list[int] = []
    rpc_type_cnt: list[int] = []
    rpc_type_time: list[int] = []
    rpc_queue_enabled: int = 0
    rpc_type_queued: list[int] = []
    rpc_type_dropped: list[int] = []
    rpc_type_cycle_last: list[int] = []
    rpc_type_cycle_max: list[int] = []
    rpc_user_size: int = 0
    rpc_user_id: list[int] = []
    rpc_user_cnt: list[int] = []
    rpc_user_time: list[int] = []
    rpc_queue_type_id: list[int] = []
    rpc_queue_count: list[int] = []
    rpc_dump_types: list[int] = []
    rpc_dump_hostlist: list[str | None] = []

    WIRE = (
        Field("parts_packed", u32, until="25.05"),
        If(
            "parts_packed",
            (
                Field("req_time", epoch),
                Field("req_time_start", epoch),
                Field("server_thread_count", u32),
                Field("agent_queue_size", u32),
                Field("agent_count", u32),
                Field("agent_thread_count", u32),
                Field("dbd_agent_queue_size", u32),
                Field("gettimeofday_latency", u32, unit="us"),
                Field("jobs_submitted", u32),
                Field("jobs_started", u32),
                Field("jobs_completed", u32),
                Field("jobs_canceled", u32),
                Field("jobs_failed", u32),
                Field("jobs_pending", u32),
                Field("jobs_running", u32),
                Field("job_states_ts", epoch),
                Field("schedule_cycle_max", u32, unit="us"),
                Field("schedule_cycle_last", u32, unit="us"),
                Field("schedule_cycle_sum", u32, unit="us"),
                Field("schedule_cycle_counter", u32),
                Field("schedule_cycle_depth", u32),
                Field("schedule_exit", vector(u32), since="23.11"),
                Field("schedule_queue_len", u32),
                Field("bf_backfilled_jobs", u32),
                Field("bf_last_backfilled_jobs", u32),
                Field("bf_cycle_counter", u32),
                Field("bf_cycle_sum", u64, unit="us"),
                Field("bf_cycle_last", u32, unit="us"),
                Field("bf_last_depth", u32),
                Field("bf_last_depth_try", u32),
                Field("bf_queue_len", u32),
                Field("bf_cycle_max", u32, unit="us"),
                Field("bf_when_last_cycle", epoch),
                Field("bf_depth_sum", u32),
                Field("bf_depth_try_sum", u32),
                Field("bf_queue_len_sum", u32),
                Field("bf_table_size", u32),
                Field("bf_table_size_sum", u32),
                Field("bf_active", u32),
                Field("bf_backfilled_het_jobs", u32),
                Field("bf_exit", vector(u32), since="23.11"),
            ),
            until="25.05",
        ),
        Field("req_time", epoch, since="25.11"),
        Field("req_time_start", epoch, since="25.11"),
        Field("server_thread_count", u32, since="25.11"),
        Field("agent_queue_size", u32, since="25.11"),
        Field("agent_count", u32, since="25.11"),
        Field("agent_thread_count", u32, since="25.11"),
        Field("dbd_agent_queue_size", u32, since="25.11"),
        Field("gettimeofday_latency", u32, since="25.11", unit="us"),
        Field("jobs_submitted", u32, since="25.11"),
        Field("jobs_started", u32, since="25.11"),
        Field("jobs_completed", u32, since="25.11"),
        Field("jobs_canceled", u32, since="25.11"),
        Field("jobs_failed", u32, since="25.11"),
        Field("jobs_pending", u32, since="25.11"),
        Field("jobs_running", u32, since="25.11"),
        Field("job_states_ts", epoch, since="25.11"),
        Field("schedule_cycle_max", u32, since="25.11", unit="us"),
        Field("schedule_cycle_last", u32, since="25.11", unit="us"),
        Field("schedule_cycle_sum", u64, since="25.11", unit="us"),
        Field("schedule_cycle_counter", u32, since="25.11"),
        Field("schedule_cycle_depth", u32, since="25.11"),
        Field("schedule_exit", vector(u32), since="25.11"),
        Field("schedule_queue_len", u32, since="25.11"),
        Field("bf_backfilled_jobs", u32, since="25.11"),
        Field("bf_last_backfilled_jobs", u32, since="25.11"),
        Field("bf_cycle_counter", u32, since="25.11"),
        Field("bf_cycle_sum", u64, since="25.11", unit="us"),
        Field("bf_cycle_last", u32, since="25.11", unit="us"),
        Field("bf_last_depth", u32, since="25.11"),
        Field("bf_last_depth_try", u32, since="25.11"),
        Field("bf_queue_len", u32, since="25.11"),
        Field("bf_cycle_max", u32, since="25.11", unit="us"),
        Field("bf_when_last_cycle", epoch, since="25.11"),
        Field("bf_depth_sum", u32, since="25.11"),
        Field("bf_depth_try_sum", u32, since="25.11"),
        Field("bf_queue_len_sum", u32, since="25.11"),
        Field("bf_table_size", u32, since="25.11"),
        Field("bf_table_size_sum", u32, since="25.11"),
        Field("bf_active", u32, since="25.11"),
        Field("bf_backfilled_het_jobs", u32, since="25.11"),
        Field("bf_exit", vector(u32), since="25.11"),
        Field("rpc_type_size", u32),
        Field("rpc_type_id", vector(u16), means=MessageType),
        Field("rpc_type_cnt", vector(u32)),
        Field("rpc_type_time", vector(u64), unit="us"),
        Field("rpc_queue_enabled", u8, since="24.05"),
        If(
            "rpc_queue_enabled",
            (
                Field("rpc_type_queued", vector(u16)),
                Field("rpc_type_dropped", vector(u64)),
                Field("rpc_type_cycle_last", vector(u16)),
                Field("rpc_type_cycle_max", vector(u16)),
            ),
            since="24.05",
        ),
        Field("rpc_user_size", u32),
        Field("rpc_user_id", vector(u32)),
        Field("rpc_user_cnt", vector(u32)),
        Field("rpc_user_time", vector(u64), unit="us"),
        Field("rpc_queue_type_id", vector(u32), means=MessageType),
        Field("rpc_queue_count", vector(u32)),
        Field("rpc_dump_types", vector(u32), means=MessageType),
        Field("rpc_dump_hostlist", vector(string)),
    )


class LicenseInfo(Record):
    """One element of `lic` in LicenseInfoResponse."""

    lic_array_name: str | None = None
    lic_array_total: int = 0
    lic_array_in_use: int = 0
    lic_array_reserved: int = 0
    lic_array_remote: int = 0
    lic_array_last_consumed: int = 0
    lic_array_last_deficit: int = 0
    lic_array_last_update: int = 0
    lic_array_mode: int = 0
    lic_array_nodes: str | None = None

    WIRE = (
        Field("lic_array_name", string),
        Field("lic_array_total", u32),
        Field("lic_array_in_use", u32),
        Field("lic_array_reserved", u32),
        Field("lic_array_remote", u8),
        Field("lic_array_last_consumed", u32, since="23.02"),
        Field("lic_array_last_deficit", u32, since="23.02"),
        Field("lic_array_last_update", epoch, since="23.02"),
        Field("lic_array_mode", u8, since="25.05"),
        Field("lic_array_nodes", string, since="25.05"),
    )


@message(MessageType.RESPONSE_LICENSE_INFO)
class LicenseInfoResponse(Record):
    """Body of RESPONSE_LICENSE_INFO."""

    num_lic: int = 0
    last_update: int = 0
    lic: list[LicenseInfo] = []

    WIRE = (
        Field("num_lic", u32),
        Field("last_update", epoch),
        Field("lic", repeat(LicenseInfo, "num_lic")),
    )


@message(MessageType.REQUEST_LICENSE_INFO)
class LicenseInfoRequest(Record):
    """Body of REQUEST_LICENSE_INFO."""

    last_update: int = 0
    show_flags: int = 0

    WIRE = (
        Field("last_update", epoch),
        Field("show_flags", u16, means=ShowFlag),
    )


@message(MessageType.REQUEST_ASSOC_MGR_INFO)
class AssocMgrInfoRequest(Record):
    """Body of REQUEST_ASSOC_MGR_INFO."""

    acct_list: list[str | None] | None = None
    flags: int = 0
    qos_list: list[str | None] | None = None
    user_list: list[str | None] | None = None

    WIRE = (
        Field("acct_list", list_of(string)),
        Field("flags", u32, means=AssocMgrFlag),
        Field("qos_list", list_of(string)),
        Field("user_list", list_of(string)),
    )


@message(MessageType.RESPONSE_ASSOC_MGR_INFO)
class AssocMgrInfoResponse(Record):
    """Body of RESPONSE_ASSOC_MGR_INFO."""

    tres_names: list[str | None] = []
    assoc_list: list[DbAssocWithUsage] = []
    qos_list: list[DbQosWithUsage] = []
    user_list: list[DbUser] = []

    WIRE = (
        Field("tres_names", vector(string)),
        Field("assoc_list", array(DbAssocWithUsage)),
        Field("qos_list", array(DbQosWithUsage)),
        Field("user_list", array(DbUser)),
    )


@message(MessageType.REQUEST_BURST_BUFFER_STATUS)
class BurstBufferStatusRequest(Record):
    """Body of REQUEST_BURST_BUFFER_STATUS."""

    argv: list[str | None] = []

    WIRE = (Field("argv", vector(string)),)


@message(MessageType.RESPONSE_BURST_BUFFER_STATUS)
class BurstBufferStatusResponse(Record):
    """Body of RESPONSE_BURST_BUFFER_STATUS."""

    status_resp: str | None = None

    WIRE = (Field("status_resp", string),)


class PriorityFactorsFilter(Record):
    """Part of PriorityFactorsRequest."""

    job_id_list: list[int] | None = None
    uid_list: list[int] | None = None
    partitions: str | None = None

    WIRE = (
        Field("job_id_list", list_of(u32), until="22.05"),
        Field("uid_list", list_of(u32), until="22.05"),
        Field("partitions", string, until="22.05"),
    )


@message(MessageType.REQUEST_PRIORITY_FACTORS)
class PriorityFactorsRequest(Record):
    """Body of REQUEST_PRIORITY_FACTORS."""

    request: PriorityFactorsFilter = msgspec.field(default_factory=PriorityFactorsFilter)

    WIRE = (Field("request", PriorityFactorsFilter, until="23.11"),)
