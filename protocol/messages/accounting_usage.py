"""Usage and statistics of accounting records, and the updates of a controller that carry them."""

from __future__ import annotations

import msgspec

from protocol.constants import DbdMessageType
from protocol.dbd_constants import UpdateType
from protocol.messages.accounting import DbAssocMembers, DbFederation, DbTresNoalloc, DbUser, DbWckey
from protocol.messages.accounting_qos import DbQos, DbRes
from protocol.schema import (
    Field,
    Record,
    Switch,
    array,
    bits,
    double,
    epoch,
    list_of,
    longdouble,
    message,
    string,
    u16,
    u32,
    u64,
    vector,
)
from protocol.wire import Bits

__all__ = [
    "DbAssocUsage",
    "DbAssocWithUsage",
    "DbQosUsage",
    "DbQosWithUsage",
    "DbRollup",
    "DbRollupStats",
    "DbRpcObj",
    "DbStats",
    "DbUpdateObject",
    "DbUsedLimits",
]


class DbRollup(Record):
    """How often usage was rolled up by the hour, day or month, and how long it took."""

    count: int = 0
    timestamp: int = 0
    time_last: int = 0
    time_max: int = 0
    time_total: int = 0

    WIRE = (
        Field("count", u16),
        Field("timestamp", epoch),
        Field("time_last", u64, unit="us"),
        Field("time_max", u64, unit="us"),
        Field("time_total", u64, unit="us"),
    )


class DbRollupStats(Record):
    """Roll-ups of a cluster, in the order of `RollupInterval`."""

    cluster_name: str | None = None
    rollup: list[DbRollup] = []

    WIRE = (
        Field("cluster_name", string),
        Field("rollup", array(DbRollup, u16)),
    )


class DbRpcObj(Record):
    """How many requests of one kind, or of one user, and how long they took together."""

    cnt: int = 0
    id: int = 0
    time: int = 0

    WIRE = (
        Field("cnt", u32),
        Field("id", u32),
        Field("time", u64, unit="us"),
    )


@message(DbdMessageType.DBD_GOT_STATS)
class DbStats(Record):
    """Statistics of the accounting daemon."""

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


class DbUsedLimits(Record):
    """What a user or account uses of the limits of a QOS."""

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
    """What is used of the limits of a QOS."""

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
    """A QOS as the controller has it: limits as arrays in the order of its TRES, and their use."""

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


class DbAssocUsage(Record):
    """What an association uses, and its share."""

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
    """An association as the controller has it: limits as arrays in the order of its TRES, and their use."""

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


class DbUpdateObject(Record):
    """Objects of one kind that were added, changed or removed; `type` says what happened and what they are."""

    type: int = UpdateType.NOTSET
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
        Field("type", u16, means=UpdateType),
        Switch(
            "type",
            (
                (
                    (
                        UpdateType.ADD_USER,
                        UpdateType.MODIFY_USER,
                        UpdateType.REMOVE_USER,
                        UpdateType.ADD_COORD,
                        UpdateType.REMOVE_COORD,
                    ),
                    (Field("objects", list_of(DbUser)),),
                ),
                (
                    (
                        UpdateType.ADD_ASSOC,
                        UpdateType.MODIFY_ASSOC,
                        UpdateType.REMOVE_ASSOC,
                        UpdateType.REMOVE_ASSOC_USAGE,
                    ),
                    (Field("objects", list_of(DbAssocMembers)),),
                ),
                (
                    (UpdateType.ADD_QOS, UpdateType.MODIFY_QOS, UpdateType.REMOVE_QOS),
                    (Field("objects", list_of(DbQos)),),
                ),
                (
                    (UpdateType.ADD_WCKEY, UpdateType.MODIFY_WCKEY, UpdateType.REMOVE_WCKEY),
                    (Field("objects", list_of(DbWckey)),),
                ),
                (
                    (UpdateType.ADD_RES, UpdateType.MODIFY_RES, UpdateType.REMOVE_RES),
                    (Field("objects", list_of(DbRes)),),
                ),
                ((UpdateType.ADD_TRES,), (Field("objects", list_of(DbTresNoalloc)),)),
                ((DbdMessageType.DBD_GOT_STATS,), (Field("objects", list_of(DbStats)),)),
                ((UpdateType.UPDATE_FEDS,), (Field("objects", list_of(DbFederation)),)),
                (
                    (UpdateType.UPDATE_QOS_USAGE,),
                    (
                        Field("objects", list_of(DbQos), until="23.02"),
                        Field("objects", list_of(DbQosWithUsage), since="23.11"),
                    ),
                ),
            ),
        ),
    )
