"""Accounting records that controllers, clients and the accounting daemon share: associations, users, clusters."""

from __future__ import annotations

import msgspec

from protocol.constants import NO_VAL, NO_VAL16, MessageType, Tres
from protocol.dbd_constants import (
    AdminLevel,
    AssocFlag,
    ClusterClass,
    ClusterFlag,
    CoordSet,
    FederationFlag,
    FederationState,
    UserFlag,
    WckeyFlag,
)
from protocol.schema import Field, If, Record, boolean, epoch, list_of, message, string, u8, u16, u32, u64

__all__ = [
    "DbAccounting",
    "DbAssocMembers",
    "DbCluster",
    "DbClusterAccounting",
    "DbCoord",
    "DbFederation",
    "DbTresNoalloc",
    "DbUser",
    "DbWckey",
]


class DbTresNoalloc(Record):
    """A trackable resource: its number, type and name, and how much of it."""

    alloc_secs: int = 0
    count: int = 0
    id: int = 0
    name: str | None = None
    type: str | None = None

    WIRE = (
        Field("alloc_secs", u64, unit="s"),
        Field("count", u64),
        Field("id", u32, means=Tres),
        Field("name", string),
        Field("type", string),
    )


class DbClusterAccounting(Record):
    """Usage of a cluster in one period, by TRES."""

    alloc_secs: int = 0
    tres_rec: DbTresNoalloc = msgspec.field(default_factory=DbTresNoalloc)
    down_secs: int = 0
    idle_secs: int = 0
    over_secs: int = 0
    pdown_secs: int = 0
    period_start: int = 0
    plan_secs: int = 0

    WIRE = (
        Field("alloc_secs", u64, unit="s"),
        Field("tres_rec", DbTresNoalloc),
        Field("down_secs", u64, unit="s"),
        Field("idle_secs", u64, unit="s"),
        Field("over_secs", u64, unit="s"),
        Field("pdown_secs", u64, unit="s"),
        Field("period_start", epoch),
        Field("plan_secs", u64, unit="s"),
    )


class DbAccounting(Record):
    """Usage of an association or key in one period, by TRES."""

    alloc_secs: int = 0
    tres_rec: DbTresNoalloc = msgspec.field(default_factory=DbTresNoalloc)
    id: int = 0
    id_alt: int = 0
    period_start: int = 0

    WIRE = (
        Field("alloc_secs", u64, unit="s"),
        Field("tres_rec", DbTresNoalloc),
        Field("id", u32),
        Field("id_alt", u32, since="24.11"),
        Field("period_start", epoch),
    )


class DbAssocMembers(Record):
    """An association: account, user, cluster and partition, and the limits that hold for them.

    A number that is NO_VAL says nothing, INFINITE that there is no limit; texts are `id=value` lists by TRES.
    """

    accounting_list: list[DbAccounting] | None = None
    acct: str | None = None
    cluster: str | None = None
    comment: str | None = None
    def_qos_id: int = NO_VAL
    flags: int = 0
    shares_raw: int = NO_VAL
    grp_tres_mins: str | None = None
    grp_tres_run_mins: str | None = None
    grp_tres: str | None = None
    grp_jobs: int = NO_VAL
    grp_jobs_accrue: int = NO_VAL
    grp_submit_jobs: int = NO_VAL
    grp_wall: int = NO_VAL
    id: int = 0
    is_def: int = NO_VAL16
    lft: int = NO_VAL
    lineage: str | None = None
    max_tres_mins_pj: str | None = None
    max_tres_run_mins: str | None = None
    max_tres_pj: str | None = None
    max_tres_pn: str | None = None
    max_jobs: int = NO_VAL
    max_jobs_accrue: int = NO_VAL
    min_prio_thresh: int = NO_VAL
    max_submit_jobs: int = NO_VAL
    max_wall_pj: int = NO_VAL
    parent_acct: str | None = None
    parent_id: int = 0
    partition: str | None = None
    priority: int = NO_VAL
    qos_list: list[str | None] | None = None
    rgt: int = NO_VAL
    uid: int = 0
    user: str | None = None

    WIRE = (
        Field("accounting_list", list_of(DbAccounting)),
        Field("acct", string),
        Field("cluster", string),
        Field("comment", string, since="23.02"),
        Field("def_qos_id", u32),
        Field("flags", u16, until="23.11", means=AssocFlag),
        Field("flags", u32, since="24.05", means=AssocFlag),
        Field("shares_raw", u32),
        Field("grp_tres_mins", string),
        Field("grp_tres_run_mins", string),
        Field("grp_tres", string),
        Field("grp_jobs", u32),
        Field("grp_jobs_accrue", u32),
        Field("grp_submit_jobs", u32),
        Field("grp_wall", u32, unit="min"),
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
        Field("max_wall_pj", u32, unit="min"),
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
    """A cluster: where its controller listens, which version it speaks, its place in a federation.

    From 24.11 on a cluster that is not there travels as one byte: `has_accounting_list` is False then.
    """

    accounting_list: list[DbClusterAccounting] | None = None
    classification: int = 0
    control_host: str | None = None
    control_port: int = 0
    dimensions: int = 0
    fed_feature_list: list[str | None] | None = None
    fed_name: str | None = None
    fed_id: int = 0
    fed_state: int = NO_VAL
    fed_sync_recvd: int = 0
    fed_sync_sent: int = 0
    flags: int = NO_VAL
    name: str | None = None
    nodes: str | None = None
    plugin_id_select: int = 0
    root_assoc: DbAssocMembers = msgspec.field(default_factory=DbAssocMembers)
    rpc_version: int = 0
    fed_recv_open: int = 0
    fed_send_open: int = 0
    tres_str: str | None = None
    has_accounting_list: bool = True
    id: int = 0

    WIRE = (
        Field("accounting_list", list_of(DbClusterAccounting), until="24.05"),
        Field("classification", u16, until="24.05", means=ClusterClass),
        Field("control_host", string, until="24.05"),
        Field("control_port", u32, until="24.05"),
        Field("dimensions", u16, until="24.05"),
        Field("fed_feature_list", list_of(string), until="24.05"),
        Field("fed_name", string, until="24.05"),
        Field("fed_id", u32, until="24.05"),
        Field("fed_state", u32, until="24.05", means=FederationState),
        Field("fed_sync_recvd", u8, until="24.05"),
        Field("fed_sync_sent", u8, until="24.05"),
        Field("flags", u32, until="24.05", means=ClusterFlag),
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
                Field("classification", u16, means=ClusterClass),
                Field("control_host", string),
                Field("control_port", u32),
                Field("dimensions", u16),
                Field("fed_feature_list", list_of(string)),
                Field("fed_name", string),
                Field("fed_id", u32),
                Field("fed_state", u32, means=FederationState),
                Field("fed_sync_recvd", u8),
                Field("fed_sync_sent", u8),
                Field("flags", u32, means=ClusterFlag),
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
    """An account that a user coordinates, or a user that coordinates an account."""

    name: str | None = None
    direct: int = 0

    WIRE = (
        Field("name", string),
        Field("direct", u16, means=CoordSet),
    )


class DbWckey(Record):
    """A workload characterization key of a user on a cluster."""

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
        Field("flags", u32, means=WckeyFlag),
        Field("id", u32),
        Field("is_def", u16),
        Field("name", string),
        Field("uid", u32),
        Field("user", string),
    )


class DbUser(Record):
    """A user. From 25.11 on one that is not there travels as one byte: `has_admin_level` is False then."""

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
    has_admin_level: bool = True
    def_qos_id: int = 0

    WIRE = (
        Field("admin_level", u16, until="25.05", means=AdminLevel),
        Field("assoc_list", list_of(DbAssocMembers), until="25.05"),
        Field("coord_accts", list_of(DbCoord), until="25.05"),
        Field("default_acct", string, until="25.05"),
        Field("default_wckey", string, until="25.05"),
        Field("flags", u32, until="25.05", means=UserFlag),
        Field("name", string, until="25.05"),
        Field("old_name", string, until="25.05"),
        Field("uid", u32, until="25.05"),
        Field("wckey_list", list_of(DbWckey), until="25.05"),
        Field("has_admin_level", boolean, since="25.11"),
        If(
            "has_admin_level",
            (
                Field("admin_level", u16, means=AdminLevel),
                Field("assoc_list", list_of(DbAssocMembers)),
                Field("coord_accts", list_of(DbCoord)),
                Field("def_qos_id", u32),
                Field("default_acct", string),
                Field("default_wckey", string),
                Field("flags", u32, means=UserFlag),
                Field("name", string),
                Field("old_name", string),
                Field("uid", u32),
                Field("wckey_list", list_of(DbWckey)),
            ),
            since="25.11",
        ),
    )


@message(MessageType.RESPONSE_FED_INFO)
class DbFederation(Record):
    """A federation and its clusters; as RESPONSE_FED_INFO without `has_name`: there is none."""

    has_name: int = 0
    name: str | None = None
    flags: int = FederationFlag.NOTSET
    cluster_list: list[DbCluster] | None = None

    WIRE = (
        Field("has_name", u8),
        If(
            "has_name",
            (
                Field("name", string),
                Field("flags", u32, means=FederationFlag),
                Field("cluster_list", list_of(DbCluster)),
            ),
        ),
    )
