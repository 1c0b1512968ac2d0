"""QOS and shared resources as accounting records."""

from __future__ import annotations

import msgspec

from protocol.constants import NO_VAL, NO_VAL16, PreemptMode
from protocol.dbd_constants import QosFlag, ResourceFlag, ResourceType
from protocol.schema import Field, If, Record, bits, double, epoch, list_of, string, u16, u32
from protocol.wire import Bits

__all__ = [
    "DbClusRes",
    "DbQos",
    "DbRes",
]


class DbQos(Record):
    """A quality of service: limits, priority, what it preempts.

    A number that is NO_VAL says nothing, INFINITE that there is no limit; texts are `id=value` lists by TRES.
    """

    description: str | None = None
    id: int = 0
    flags: int = QosFlag.NOTSET
    grace_time: int = NO_VAL
    grp_tres_mins: str | None = None
    grp_tres_run_mins: str | None = None
    grp_tres: str | None = None
    grp_jobs: int = NO_VAL
    grp_jobs_accrue: int = NO_VAL
    grp_submit_jobs: int = NO_VAL
    grp_wall: int = NO_VAL
    max_tres_mins_pj: str | None = None
    max_tres_run_mins_pa: str | None = None
    max_tres_run_mins_pu: str | None = None
    max_tres_pa: str | None = None
    max_tres_pj: str | None = None
    max_tres_pn: str | None = None
    max_tres_pu: str | None = None
    max_jobs_pa: int = NO_VAL
    max_jobs_pu: int = NO_VAL
    max_jobs_accrue_pa: int = NO_VAL
    max_jobs_accrue_pu: int = NO_VAL
    min_prio_thresh: int = NO_VAL
    max_submit_jobs_pa: int = NO_VAL
    max_submit_jobs_pu: int = NO_VAL
    max_wall_pj: int = NO_VAL
    min_tres_pj: str | None = None
    name: str | None = None
    preempt_bitstr: Bits | None = None
    preempt_list: list[str | None] | None = None
    preempt_mode: int = NO_VAL16
    preempt_exempt_time: int = NO_VAL
    priority: int = NO_VAL
    usage_factor: float = float(NO_VAL)
    usage_thres: float = float(NO_VAL)
    limit_factor: float = float(NO_VAL)

    WIRE = (
        Field("description", string),
        Field("id", u32),
        Field("flags", u32, means=QosFlag),
        Field("grace_time", u32, unit="s"),
        Field("grp_tres_mins", string),
        Field("grp_tres_run_mins", string),
        Field("grp_tres", string),
        Field("grp_jobs", u32),
        Field("grp_jobs_accrue", u32),
        Field("grp_submit_jobs", u32),
        Field("grp_wall", u32, unit="min"),
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
        Field("max_wall_pj", u32, unit="min"),
        Field("min_tres_pj", string),
        Field("name", string),
        Field("preempt_bitstr", bits),
        Field("preempt_list", list_of(string)),
        Field("preempt_mode", u16, means=PreemptMode),
        Field("preempt_exempt_time", u32, unit="s"),
        Field("priority", u32),
        Field("usage_factor", double),
        Field("usage_thres", double),
        Field("limit_factor", double),
    )


class DbClusRes(Record):
    """What one cluster may use of a shared resource."""

    cluster: str | None = None
    percent_allowed: int = 0
    allowed: int = 0

    WIRE = (
        Field("cluster", string),
        Field("percent_allowed", u16, until="22.05", unit="%"),
        Field("allowed", u32, since="23.02"),
    )


class DbRes(Record):
    """A shared resource, licenses above all. `clus_res_rec` is one cluster's part of it, there unless `has_clus_res` is
    NO_VAL."""

    clus_res_list: list[DbClusRes] | None = None
    has_clus_res: int = NO_VAL
    clus_res_rec: DbClusRes = msgspec.field(default_factory=DbClusRes)
    count: int = NO_VAL
    description: str | None = None
    flags: int = ResourceFlag.NOTSET
    id: int = NO_VAL
    manager: str | None = None
    name: str | None = None
    percent_used: int = 0
    allocated: int = NO_VAL
    last_consumed: int = NO_VAL
    server: str | None = None
    type: int = ResourceType.NOTSET
    last_update: int = 0

    WIRE = (
        Field("clus_res_list", list_of(DbClusRes)),
        Field("has_clus_res", u32),
        If(
            "has_clus_res != NO_VAL",
            (Field("clus_res_rec", DbClusRes),),
        ),
        Field("count", u32),
        Field("description", string),
        Field("flags", u32, means=ResourceFlag),
        Field("id", u32),
        Field("manager", string),
        Field("name", string),
        Field("percent_used", u16, until="22.05", unit="%"),
        Field("allocated", u32, since="23.02"),
        Field("last_consumed", u32, since="23.02"),
        Field("server", string),
        Field("type", u32, means=ResourceType),
        Field("last_update", epoch, since="23.02"),
    )
