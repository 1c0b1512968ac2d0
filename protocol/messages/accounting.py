"""Accounting records that the controller sends and receives: associations, QOS, users, clusters, federations."""

from __future__ import annotations

import msgspec

from protocol.constants import NO_VAL, MessageType
from protocol.schema import (
    Field,
    If,
    Record,
    Switch,
    array,
    bits,
    boolean,
    double,
    epoch,
    list_of,
    longdouble,
    message,
    string,
    u8,
    u16,
    u32,
    u64,
    vector,
)
from protocol.wire import Bits

__all__ = [
    "DbAccounting",
    "DbAssocMembers",
    "DbAssocUsage",
    "DbAssocWithUsage",
    "DbClusRes",
    "DbCluster",
    "DbClusterAccounting",
    "DbCoord",
    "DbFederation",
    "DbQos",
    "DbQosUsage",
    "DbQosWithUsage",
    "DbRes",
    "DbRollup",
    "DbRollupStats",
    "DbRpcObj",
    "DbStats",
    "DbTresNoalloc",
    "DbUpdateObject",
    "DbUsedLimits",
    "DbUser",
    "DbWckey",
]


class DbTresNoalloc(Record):
    """Part of DbClusterAccounting, DbAccounting, NodeRegistrationResponse, JobAccounting and others."""

    alloc_secs: int = 0
    count: int = 0
    id: int = 0
    name: str | None = None
    type: str | None = None

    WIRE = (
        Field("alloc_secs", u64),
        Field("count", u64),
        Field("id", u32),
        Field("name", string),
        Field("type", string),
    )


class DbClusterAccounting(Record):
    """Part of DbCluster."""

    alloc_secs: int = 0
    tres_rec: DbTresNoalloc = msgspec.field(default_factory=DbTresNoalloc)
    down_secs: int = 0
    idle_secs: int = 0
    over_secs: int = 0
    pdown_secs: int = 0
    period_start: int = 0
    plan_secs: int = 0

    WIRE = (
        Field("alloc_secs", u64),
        Field("tres_rec", DbTresNoalloc),
        Field("down_secs", u64),
        Field("idle_secs", u64),
        Field("over_secs", u64),
        Field("pdown_secs", u64),
        Field("period_start", epoch),
        Field("plan_secs", u64),
    )


class DbAccounting(Record):
    """Part of DbAssocMembers, DbWckey."""

    alloc_secs: int = 0
    tres_rec: DbTresNoalloc = msgspec.field(default_factory=DbTresNoalloc)
    id: int = 0
    id_alt: int = 0
    period_start: int = 0

    WIRE = (
        Field("alloc_secs", u64),
        Field("tres_rec", DbTresNoalloc),
        Field("id", u32),
        Field("id_alt", u32, since="24.11"),
        Field("period_start", epoch),
    )


class DbAssocMembers(Record):
    """Part of DbCluster, DbUser, DbUpdateObject, DbAssocWithUsage."""

    accounting_list: list[DbAccounting] | None = None
    acct: str | None = None
    cluster: str | None = None
    comment: str | None = None
    def_qos_id: int = 0
    flags: int = 0
    shares_raw: int = 0
    grp_tres_mins: str | None = None
    grp_tres_run_mins: str | None = None
    grp_tres: str | None = None
    grp_jobs: int = 0
    grp_jobs_accrue: int = 0
    grp_submit_jobs: int = 0
    grp_wall: int = 0
    id: int = 0
    is_def: int = 0
    lft: int = 0
    lineage: str | None = None
    max_tres_mins_pj: str | None = None
    max_tres_run_mins: str | None = None
    max_tres_pj: str | None = None
    max_tres_pn: str | None = None
    max_jobs: int = 0
    max_jobs_accrue: int = 0
    min_prio_thresh: int = 0
    max_submit_jobs: int = 0
    max_wall_pj: int = 0
    parent_acct: str | None = None
    parent_id: int = 0
    partition: str | None = None
    priority: int = 0
    qos_list: list[str | None] | None = None
    rgt: int = 0
    uid: int = 0
    user: str | None = None

    WIRE = (
        Field("accounting_list", list_of(DbAccounting)),
        Field("acct", string),
        Field("cluster", string),
        Field("comment", string, since="23.02"),
        Field("def_qos_id", u32),
        Field("flags", u16, until="23.11"),
        Field("flags", u32, since="24.05"),
        Field("shares_raw", u32),
        Field("grp_tres_mins", string),
        Field("grp_tres_run_mins", string),
        Field("grp_tres", string),
        Field("grp_jobs", u32),
        Field("grp_jobs_accrue", u32),
        Field("grp_submit_jobs", u32),
        Field("grp_wall", u32),
        Field("id", u32),
        Field("is_def", u16),
        Field("lft", u32, until="23.02"),
        Field("lineage", string, since="23.11"),
        Field("max_tres_mins_pj", string),
        Field("max_tres_run_mins", string),
        Field("max_tres_pj", string),
        Field("max_tres_pn", string),
        Field("max_jobs", u32),
        Field("max_jobs_accrue", u32),
        Field("min_prio_thresh", u32),
        Field("max_submit_jobs", u32),
        Field("max_wall_pj", u32),
        Field("parent_acct", string),
        Field("parent_id", u32),
        Field("partition", string),
        Field("priority", u32),
        Field("qos_list", list_of(string)),
        Field("rgt", u32, until="23.02"),
        Field("uid", u32),
        Field("user", string),
    )


class DbCluster(Record):
    """Part of Allocation, Reroute, DbFederation."""

    accounting_list: list[DbClusterAccounting] | None = None
    classification: int = 0
    control_host: str | None = None
    control_port: int = 0
    dimensions: int = 0
    fed_feature_list: list[str | None] | None = None
    fed_name: str | None = None
    fed_id: int = 0
    fed_state: int = 0
    fed_sync_recvd: int = 0
    fed_sync_sent: int = 0
    flags: int = 0
    name: str | None = None
    nodes: str | None = None
    plugin_id_select: int = 0
    root_assoc: DbAssocMembers = msgspec.field(default_factory=DbAssocMembers)
    rpc_version: int = 0
    fed_recv_open: int = 0
    fed_send_open: int = 0
    tres_str: str | None = None
    has_accounting_list: bool = False
    id: int = 0

    WIRE = (
        Field("accounting_list", list_of(DbClusterAccounting), until="24.05"),
        Field("classification", u16, until="24.05"),
        Field("control_host", string, until="24.05"),
        Field("control_port", u32, until="24.05"),
        Field("dimensions", u16, until="24.05"),
        Field("fed_feature_list", list_of(string), until="24.05"),
        Field("fed_name", string, until="24.05"),
        Field("fed_id", u32, until="24.05"),
        Field("fed_state", u32, until="24.05"),
        Field("fed_sync_recvd", u8, until="24.05"),
        Field("fed_sync_sent", u8, until="24.05"),
        Field("flags", u32, until="24.05"),
        Field("name", string, until="24.05"),
        Field("nodes", string, until="24.05"),
        Field("plugin_id_select", u32, until="23.11"),
        Field("root_assoc", DbAssocMembers, until="24.05"),
        Field("rpc_version", u16, until="24.05"),
        Field("fed_recv_open", u8, until="24.05"),
        Field("fed_send_open", u8, until="24.05"),
        Field("tres_str", string, until="24.05"),
        Field("has_accounting_list", boolean, since="24.11"),
        If(
            "has_accounting_list",
            (
                Field("accounting_list", list_of(DbClusterAccounting)),
                Field("classification", u16),
                Field("control_host", string),
                Field("control_port", u32),
                Field("dimensions", u16),
                Field("fed_feature_list", list_of(string)),
                Field("fed_name", string),
                Field("fed_id", u32),
                Field("fed_state", u32),
                Field("fed_sync_recvd", u8),
                Field("fed_sync_sent", u8),
                Field("flags", u32),
                Field("id", u16),
                Field("name", string),
                Field("nodes", string),
                Field("root_assoc", DbAssocMembers),
                Field("rpc_version", u16),
                Field("fed_recv_open", u8),
                Field("fed_send_open", u8),
                Field("tres_str", string),
            ),
            since="24.11",
        ),
    )


class DbCoord(Record):
    """Part of DbUser."""

    name: str | None = None
    direct: int = 0

    WIRE = (
        Field("name", string),
        Field("direct", u16),
    )


class DbWckey(Record):
    """Part of DbUser, DbUpdateObject."""

    accounting_list: list[DbAccounting] | None = None
    cluster: str | None = None
    flags: int = 0
    id: int = 0
    is_def: int = 0
    name: str | None = None
    uid: int = 0
    user: str | None = None

    WIRE = (
        Field("accounting_list", list_of(DbAccounting)),
        Field("cluster", string),
        Field("flags", u32),
        Field("id", u32),
        Field("is_def", u16),
        Field("name", string),
        Field("uid", u32),
        Field("user", string),
    )


class DbUser(Record):
    """Part of DbUpdateObject, AssocMgrInfoResponse."""

    admin_level: int = 0
    assoc_list: list[DbAssocMembers] | None = None
    coord_accts: list[DbCoord] | None = None
    default_acct: str | None = None
    default_wckey: str | None = None
    flags: int = 0
    name: str | None = None
    old_name: str | None = None
    uid: int = 0
    wckey_list: list[DbWckey] | None = None
    has_admin_level: bool = False
    def_qos_id: int = 0

    WIRE = (
        Field("admin_level", u16, until="25.05"),
        Field("assoc_list", list_of(DbAssocMembers), until="25.05"),
        Field("coord_accts", list_of(DbCoord), until="25.05"),
        Field("default_acct", string, until="25.05"),
        Field("default_wckey", string, until="25.05"),
        Field("flags", u32, until="25.05"),
        Field("name", string, until="25.05"),
        Field("old_name", string, until="25.05"),
        Field("uid", u32, until="25.05"),
        Field("wckey_list", list_of(DbWckey), until="25.05"),
        Field("has_admin_level", boolean, since="25.11"),
        If(
            "has_admin_level",
            (
                Field("admin_level", u16),
                Field("assoc_list", list_of(DbAssocMembers)),
                Field("coord_accts", list_of(DbCoord)),
                Field("def_qos_id", u32),
                Field("default_acct", string),
                Field("default_wckey", string),
                Field("flags", u32),
                Field("name", string),
                Field("old_name", string),
                Field("uid", u32),
                Field("wckey_list", list_of(DbWckey)),
            ),
            since="25.11",
        ),
    )


class DbQos(Record):
    """Part of DbQosWithUsage, DbUpdateObject."""

    description: str | None = None
    id: int = 0
    flags: int = 0
    grace_time: int = 0
    grp_tres_mins: str | None = None
    grp_tres_run_mins: str | None = None
    grp_tres: str | None = None
    grp_jobs: int = 0
    grp_jobs_accrue: int = 0
    grp_submit_jobs: int = 0
    grp_wall: int = 0
    max_tres_mins_pj: str | None = None
    max_tres_run_mins_pa: str | None = None
    max_tres_run_mins_pu: str | None = None
    max_tres_pa: str | None = None
    max_tres_pj: str | None = None
    max_tres_pn: str | None = None
    max_tres_pu: str | None = None
    max_jobs_pa: int = 0
    max_jobs_pu: int = 0
    max_jobs_accrue_pa: int = 0
    max_jobs_accrue_pu: int = 0
    min_prio_thresh: int = 0
    max_submit_jobs_pa: int = 0
    max_submit_jobs_pu: int = 0
    max_wall_pj: int = 0
    min_tres_pj: str | None = None
    name: str | None = None
    preempt_bitstr: Bits | None = None
    preempt_list: list[str | None] | None = None
    preempt_mode: int = 0
    preempt_exempt_time: int = 0
    priority: int = 0
    usage_factor: float = 0.0
    usage_thres: float = 0.0
    limit_factor: float = 0.0

    WIRE = (
        Field("description", string),
        Field("id", u32),
        Field("flags", u32),
        Field("grace_time", u32),
        Field("grp_tres_mins", string),
        Field("grp_tres_run_mins", string),
        Field("grp_tres", string),
        Field("grp_jobs", u32),
        Field("grp_jobs_accrue", u32),
        Field("grp_submit_jobs", u32),
        Field("grp_wall", u32),
        Field("max_tres_mins_pj", string),
        Field("max_tres_run_mins_pa", string),
        Field("max_tres_run_mins_pu", string),
        Field("max_tres_pa", string),
        Field("max_tres_pj", string),
        Field("max_tres_pn", string),
        Field("max_tres_pu", string),
        Field("max_jobs_pa", u32),
        Field("max_jobs_pu", u32),
        Field("max_jobs_accrue_pa", u32),
        Field("max_jobs_accrue_pu", u32),
        Field("min_prio_thresh", u32),
        Field("max_submit_jobs_pa", u32),
        Field("max_submit_jobs_pu", u32),
        Field("max_wall_pj", u32),
        Field("min_tres_pj", string),
        Field("name", string),
        Field("preempt_bitstr", bits),
        Field("preempt_list", list_of(string)),
        Field("preempt_mode", u16),
        Field("preempt_exempt_time", u32),
        Field("priority", u32),
        Field("usage_factor", double),
        Field("usage_thres", double),
        Field("limit_factor", double),
    )


class DbClusRes(Record):
    """Part of DbRes."""

    cluster: str | None = None
    percent_allowed: int = 0
    allowed: int = 0

    WIRE = (
        Field("cluster", string),
        Field("percent_allowed", u16, until="22.05"),
        Field("allowed", u32, since="23.02"),
    )


class DbRes(Record):
    """Part of DbUpdateObject."""

    clus_res_list: list[DbClusRes] | None = None
    count: int = NO_VAL
    clus_res_rec: DbClusRes = msgspec.field(default_factory=DbClusRes)
    count_or_flag: int = NO_VAL
    count__3: int = 0
    description: str | None = None
    flags: int = 0
    id: int = 0
    manager: str | None = None
    name: str | None = None
    percent_used: int = 0
    allocated: int = 0
    last_consumed: int = 0
    server: str | None = None
    type: int = 0
    last_update: int = 0

    WIRE = (
        Field("clus_res_list", list_of(DbClusRes)),
        Field("count", u32, since="24.11"),
        If(
            "count != NO_VAL",
            (Field("clus_res_rec", DbClusRes),),
            since="24.11",
        ),
        Field("count_or_flag", u32),
        If(
            "count_or_flag != NO_VAL",
            (Field("clus_res_rec", DbClusRes),),
            until="24.05",
        ),
        Field("count__3", u32, until="24.05"),
        Field("description", string),
        Field("flags", u32),
        Field("id", u32),
        Field("manager", string),
        Field("name", string),
        Field("percent_used", u16, until="22.05"),
        Field("allocated", u32, since="23.02"),
        Field("last_consumed", u32, since="23.02"),
        Field("server", string),
        Field("type", u32),
        Field("last_update", epoch, since="23.02"),
    )


class DbRollup(Record):
    """One element of `rollup` in DbRollupStats."""

    count: int = 0
    timestamp: int = 0
    time_last: int = 0
    time_max: int = 0
    time_total: int = 0

    WIRE = (
        Field("count", u16),
        Field("timestamp", epoch),
        Field("time_last", u64),
        Field("time_max", u64),
        Field("time_total", u64),
    )


class DbRollupStats(Record):
    """Part of DbStats."""

    cluster_name: str | None = None
    rollup: list[DbRollup] = []

    WIRE = (
        Field("cluster_name", string),
        Field("rollup", array(DbRollup, u16)),
    )


class DbRpcObj(Record):
    """Part of DbStats."""

    cnt: int = 0
    id: int = 0
    time: int = 0

    WIRE = (
        Field("cnt", u32),
        Field("id", u32),
        Field("time", u64),
    )


class DbStats(Record):
    """Part of DbUpdateObject."""

    dbd_rollup_stats: DbRollupStats = msgspec.field(default_factory=DbRollupStats)
    rollup_stats: list[DbRollupStats] | None = None
    rpc_list: list[DbRpcObj] | None = None
    time_start: int = 0
    user_list: list[DbRpcObj] | None = None

    WIRE = (
        Field("dbd_rollup_stats", DbRollupStats),
        Field("rollup_stats", list_of(DbRollupStats)),
        Field("rpc_list", list_of(DbRpcObj)),
        Field("time_start", epoch),
        Field("user_list", list_of(DbRpcObj)),
    )


@message(MessageType.RESPONSE_FED_INFO)
class DbFederation(Record):
    """Body of RESPONSE_FED_INFO."""

    has_name: int = 0
    name: str | None = None
    flags: int = 0
    cluster_list: list[DbCluster] | None = None

    WIRE = (
        Field("has_name", u8),
        If(
            "has_name",
            (
                Field("name", string),
                Field("flags", u32),
                Field("cluster_list", list_of(DbCluster)),
            ),
        ),
    )


class DbUsedLimits(Record):
    """Part of DbQosUsage."""

    accrue_cnt: int = 0
    acct: str | None = None
    jobs: int = 0
    submit_jobs: int = 0
    tres: list[int] = []
    tres_run_secs: list[int] = []
    uid: int = 0

    WIRE = (
        Field("accrue_cnt", u32),
        Field("acct", string),
        Field("jobs", u32),
        Field("submit_jobs", u32),
        Field("tres", vector(u64)),
        Field("tres_run_secs", vector(u64)),
        Field("uid", u32),
    )


class DbQosUsage(Record):
    """Part of DbQosWithUsage."""

    accrue_cnt: int = 0
    grp_used_jobs: int = 0
    grp_used_submit_jobs: int = 0
    grp_used_tres: list[int] = []
    grp_used_tres_run_secs: list[int] = []
    grp_used_wall: float = 0.0
    norm_priority: float = 0.0
    usage_raw: str | None = None
    usage_tres_raw: list[str | None] = []
    user_limit_list: list[DbUsedLimits] | None = None
    acct_limit_list: list[DbUsedLimits] | None = None

    WIRE = (
        Field("accrue_cnt", u32),
        Field("grp_used_jobs", u32),
        Field("grp_used_submit_jobs", u32),
        Field("grp_used_tres", vector(u64)),
        Field("grp_used_tres_run_secs", vector(u64)),
        Field("grp_used_wall", double),
        Field("norm_priority", double),
        Field("usage_raw", longdouble),
        Field("usage_tres_raw", vector(longdouble)),
        Field("user_limit_list", list_of(DbUsedLimits)),
        Field("acct_limit_list", list_of(DbUsedLimits)),
    )


class DbQosWithUsage(Record):
    """Part of DbUpdateObject, AssocMgrInfoResponse."""

    qos: DbQos = msgspec.field(default_factory=DbQos)
    grp_tres_mins_ctld: list[int] = []
    grp_tres_run_mins_ctld: list[int] = []
    grp_tres_ctld: list[int] = []
    max_tres_mins_pj_ctld: list[int] = []
    max_tres_run_mins_pa_ctld: list[int] = []
    max_tres_run_mins_pu_ctld: list[int] = []
    max_tres_pa_ctld: list[int] = []
    max_tres_pj_ctld: list[int] = []
    max_tres_pn_ctld: list[int] = []
    max_tres_pu_ctld: list[int] = []
    min_tres_pj_ctld: list[int] = []
    usage: DbQosUsage = msgspec.field(default_factory=DbQosUsage)

    WIRE = (
        Field("qos", DbQos),
        Field("grp_tres_mins_ctld", vector(u64)),
        Field("grp_tres_run_mins_ctld", vector(u64)),
        Field("grp_tres_ctld", vector(u64)),
        Field("max_tres_mins_pj_ctld", vector(u64)),
        Field("max_tres_run_mins_pa_ctld", vector(u64)),
        Field("max_tres_run_mins_pu_ctld", vector(u64)),
        Field("max_tres_pa_ctld", vector(u64)),
        Field("max_tres_pj_ctld", vector(u64)),
        Field("max_tres_pn_ctld", vector(u64)),
        Field("max_tres_pu_ctld", vector(u64)),
        Field("min_tres_pj_ctld", vector(u64)),
        Field("usage", DbQosUsage),
    )


class DbUpdateObject(Record):
    """Part of AccountingUpdate."""

    type: int = 0
    objects: (
        list[DbUser]
        | list[DbAssocMembers]
        | list[DbQos]
        | list[DbWckey]
        | list[DbRes]
        | list[DbTresNoalloc]
        | list[DbStats]
        | list[DbFederation]
        | list[DbQosWithUsage]
        | None
    ) = None

    WIRE = (
        Field("type", u16),
        Switch(
            "type",
            (
                (
                    (
                        4,
                        1,
                        6,
                        3,
                        8,
                    ),
                    (Field("objects", list_of(DbUser)),),
                ),
                (
                    (
                        2,
                        5,
                        7,
                        17,
                    ),
                    (Field("objects", list_of(DbAssocMembers)),),
                ),
                (
                    (
                        9,
                        11,
                        10,
                        21,
                    ),
                    (Field("objects", list_of(DbQos)),),
                ),
                (
                    (
                        12,
                        14,
                        13,
                    ),
                    (Field("objects", list_of(DbWckey)),),
                ),
                (
                    (
                        18,
                        20,
                        19,
                    ),
                    (Field("objects", list_of(DbRes)),),
                ),
                ((22,), (Field("objects", list_of(DbTresNoalloc)),)),
                ((1490,), (Field("objects", list_of(DbStats)),)),
                ((23,), (Field("objects", list_of(DbFederation)),)),
                (
                    (21,),
                    (
                        Field("objects", list_of(DbQosWithUsage), until="24.11"),
                        Field("objects", list_of(DbQosWithUsage), since="25.05"),
                    ),
                ),
            ),
        ),
    )


class DbAssocUsage(Record):
    """Part of DbAssocWithUsage."""

    accrue_cnt: int = 0
    grp_used_tres: list[int] = []
    grp_used_tres_run_secs: list[int] = []
    grp_used_wall: float = 0.0
    fs_factor: float = 0.0
    level_shares: int = 0
    shares_norm: float = 0.0
    usage_efctv: str | None = None
    usage_norm: str | None = None
    usage_raw: str | None = None
    usage_tres_raw: list[str | None] = []
    used_jobs: int = 0
    used_submit_jobs: int = 0
    level_fs: str | None = None
    valid_qos: Bits | None = None

    WIRE = (
        Field("accrue_cnt", u32),
        Field("grp_used_tres", vector(u64)),
        Field("grp_used_tres_run_secs", vector(u64)),
        Field("grp_used_wall", double),
        Field("fs_factor", double),
        Field("level_shares", u32),
        Field("shares_norm", double),
        Field("usage_efctv", longdouble),
        Field("usage_norm", longdouble),
        Field("usage_raw", longdouble),
        Field("usage_tres_raw", vector(longdouble)),
        Field("used_jobs", u32),
        Field("used_submit_jobs", u32),
        Field("level_fs", longdouble),
        Field("valid_qos", bits),
    )


class DbAssocWithUsage(Record):
    """Part of AssocMgrInfoResponse."""

    assoc: DbAssocMembers = msgspec.field(default_factory=DbAssocMembers)
    usage: DbAssocUsage = msgspec.field(default_factory=DbAssocUsage)
    grp_tres_mins_ctld: list[int] = []
    grp_tres_run_mins_ctld: list[int] = []
    grp_tres_ctld: list[int] = []
    max_tres_mins_ctld: list[int] = []
    max_tres_run_mins_ctld: list[int] = []
    max_tres_ctld: list[int] = []
    max_tres_pn_ctld: list[int] = []

    WIRE = (
        Field("assoc", DbAssocMembers),
        Field("usage", DbAssocUsage),
        Field("grp_tres_mins_ctld", vector(u64)),
        Field("grp_tres_run_mins_ctld", vector(u64)),
        Field("grp_tres_ctld", vector(u64)),
        Field("max_tres_mins_ctld", vector(u64)),
        Field("max_tres_run_mins_ctld", vector(u64)),
        Field("max_tres_ctld", vector(u64)),
        Field("max_tres_pn_ctld", vector(u64)),
    )
