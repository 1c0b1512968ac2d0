"""Filters: which accounts, jobs, events the accounting daemon is asked for, or shall change.

A list that is not there (None) or empty does not restrict anything. Elements of id lists are decimal texts.
"""

from __future__ import annotations

import msgspec

from protocol.constants import NO_VAL, DbdMessageType, PreemptMode
from protocol.dbd_constants import (
    AccountFlag,
    AdminLevel,
    AssocCondFlag,
    ClusterClass,
    ClusterFlag,
    QosCondFlag,
    ResourceFlag,
)
from protocol.messages.accounting import DbAssocMembers
from protocol.schema import Field, If, Record, boolean, epoch, list_of, message, string, tail, u16, u32, u64

__all__ = [
    "DbAccountCond",
    "DbAddAssocCond",
    "DbAssocCond",
    "DbClusterCond",
    "DbFederationCond",
    "DbQosCond",
    "DbResCond",
    "DbTresCond",
    "DbUserCond",
    "DbWckeyCond",
]


@message(DbdMessageType.DBD_GET_ASSOCS, DbdMessageType.DBD_GET_PROBS, DbdMessageType.DBD_REMOVE_ASSOCS)
class DbAssocCond(Record):
    """Which associations."""

    acct_list: list[str | None] | None = None
    cluster_list: list[str | None] | None = None
    def_qos_id_list: list[str | None] | None = None
    format_list: list[str | None] | None = None
    id_list: list[str | None] | None = None
    only_defs: int = 0
    partition_list: list[str | None] | None = None
    parent_acct_list: list[str | None] | None = None
    qos_list: list[str | None] | None = None
    usage_end: int = 0
    usage_start: int = 0
    user_list: list[str | None] | None = None
    with_usage: int = 0
    with_deleted: int = 0
    with_raw_qos: int = 0
    with_sub_accts: int = 0
    without_parent_info: int = 0
    without_parent_limits: int = 0
    has_acct_list: bool = True
    flags: int = 0

    WIRE = (
        Field("acct_list", list_of(string), until="24.05"),
        Field("cluster_list", list_of(string), until="24.05"),
        Field("def_qos_id_list", list_of(string), until="24.05"),
        Field("format_list", list_of(string), until="24.05"),
        Field("id_list", list_of(string), until="24.05"),
        Field("only_defs", u16, until="24.05"),
        Field("partition_list", list_of(string), until="24.05"),
        Field("parent_acct_list", list_of(string), until="24.05"),
        Field("qos_list", list_of(string), until="24.05"),
        Field("usage_end", epoch, until="24.05"),
        Field("usage_start", epoch, until="24.05"),
        Field("user_list", list_of(string), until="24.05"),
        Field("with_usage", u16, until="24.05"),
        Field("with_deleted", u16, until="24.05"),
        Field("with_raw_qos", u16, until="24.05"),
        Field("with_sub_accts", u16, until="24.05"),
        Field("without_parent_info", u16, until="24.05"),
        Field("without_parent_limits", u16, until="24.05"),
        Field("has_acct_list", boolean, since="24.11"),
        If(
            "has_acct_list",
            (
                Field("acct_list", list_of(string)),
                Field("cluster_list", list_of(string)),
                Field("def_qos_id_list", list_of(string)),
                Field("flags", u32, means=AssocCondFlag),
                Field("format_list", list_of(string)),
                Field("id_list", list_of(string)),
                Field("partition_list", list_of(string)),
                Field("parent_acct_list", list_of(string)),
                Field("qos_list", list_of(string)),
                Field("usage_end", epoch),
                Field("usage_start", epoch),
                Field("user_list", list_of(string)),
            ),
            since="24.11",
        ),
    )


@message(DbdMessageType.DBD_GET_ACCOUNTS, DbdMessageType.DBD_REMOVE_ACCOUNTS)
class DbAccountCond(Record):
    """Which accounts. Programs of 24.05 and later leave the three words at the end out where they are 0 when they
    talk to an older peer, so that a body may end before them."""

    assoc_cond: DbAssocCond = msgspec.field(default_factory=DbAssocCond)
    description_list: list[str | None] | None = None
    flags: int = 0
    organization_list: list[str | None] | None = None
    with_assocs: int | None = 0
    with_coords: int | None = 0
    with_deleted: int | None = 0

    WIRE = (
        Field("assoc_cond", DbAssocCond),
        Field("description_list", list_of(string)),
        Field("flags", u32, since="24.05", means=AccountFlag),
        Field("organization_list", list_of(string)),
        Field("with_assocs", tail(u16), until="23.11"),
        Field("with_coords", tail(u16), until="23.11"),
        Field("with_deleted", tail(u16), until="23.11"),
    )


@message(DbdMessageType.DBD_GET_USERS, DbdMessageType.DBD_REMOVE_USERS)
class DbUserCond(Record):
    """Which users."""

    admin_level: int = 0
    assoc_cond: DbAssocCond = msgspec.field(default_factory=DbAssocCond)
    def_acct_list: list[str | None] | None = None
    def_wckey_list: list[str | None] | None = None
    with_assocs: int = 0
    with_coords: int = 0
    with_deleted: int = 0
    with_wckeys: int = 0

    WIRE = (
        Field("admin_level", u16, means=AdminLevel),
        Field("assoc_cond", DbAssocCond),
        Field("def_acct_list", list_of(string)),
        Field("def_wckey_list", list_of(string)),
        Field("with_assocs", u16),
        Field("with_coords", u16),
        Field("with_deleted", u16),
        Field("with_wckeys", u16),
    )


class DbAddAssocCond(Record):
    """Associations to make while accounts or users are added: every combination of the lists."""

    acct_list: list[str | None] | None = None
    assoc: DbAssocMembers = msgspec.field(default_factory=DbAssocMembers)
    cluster_list: list[str | None] | None = None
    partition_list: list[str | None] | None = None
    user_list: list[str | None] | None = None
    wckey_list: list[str | None] | None = None

    WIRE = (
        Field("acct_list", list_of(string)),
        Field("assoc", DbAssocMembers),
        Field("cluster_list", list_of(string)),
        Field("partition_list", list_of(string)),
        Field("user_list", list_of(string)),
        Field("wckey_list", list_of(string)),
    )


@message(DbdMessageType.DBD_GET_WCKEYS, DbdMessageType.DBD_REMOVE_WCKEYS)
class DbWckeyCond(Record):
    """Which keys."""

    cluster_list: list[str | None] | None = None
    format_list: list[str | None] | None = None
    id_list: list[str | None] | None = None
    name_list: list[str | None] | None = None
    only_defs: int = 0
    usage_end: int = 0
    usage_start: int = 0
    user_list: list[str | None] | None = None
    with_usage: int = 0
    with_deleted: int = 0

    WIRE = (
        Field("cluster_list", list_of(string)),
        Field("format_list", list_of(string)),
        Field("id_list", list_of(string)),
        Field("name_list", list_of(string)),
        Field("only_defs", u16),
        Field("usage_end", epoch),
        Field("usage_start", epoch),
        Field("user_list", list_of(string)),
        Field("with_usage", u16),
        Field("with_deleted", u16),
    )


@message(DbdMessageType.DBD_GET_QOS, DbdMessageType.DBD_REMOVE_QOS)
class DbQosCond(Record):
    """Which QOS."""

    description_list: list[str | None] | None = None
    format_list: list[str | None] | None = None
    id_list: list[str | None] | None = None
    name_list: list[str | None] | None = None
    preempt_mode: int = 0
    with_deleted: int = 0
    has_description_list: bool = True
    flags: int = 0

    WIRE = (
        Field("description_list", list_of(string), until="24.05"),
        Field("format_list", list_of(string), until="24.05"),
        Field("id_list", list_of(string), until="24.05"),
        Field("name_list", list_of(string), until="24.05"),
        Field("preempt_mode", u16, until="24.05", means=PreemptMode),
        Field("with_deleted", u16, until="24.05"),
        Field("has_description_list", boolean, since="24.11"),
        If(
            "has_description_list",
            (
                Field("description_list", list_of(string)),
                Field("flags", u16, means=QosCondFlag),
                Field("format_list", list_of(string)),
                Field("id_list", list_of(string)),
                Field("name_list", list_of(string)),
                Field("preempt_mode", u16, means=PreemptMode),
            ),
            since="24.11",
        ),
    )


@message(DbdMessageType.DBD_GET_RES, DbdMessageType.DBD_REMOVE_RES)
class DbResCond(Record):
    """Which shared resources."""

    cluster_list: list[str | None] | None = None
    description_list: list[str | None] | None = None
    flags: int = ResourceFlag.NOTSET
    format_list: list[str | None] | None = None
    id_list: list[str | None] | None = None
    manager_list: list[str | None] | None = None
    name_list: list[str | None] | None = None
    allowed_list: list[str | None] | None = None
    server_list: list[str | None] | None = None
    type_list: list[str | None] | None = None
    with_deleted: int = 0
    with_clusters: int = 0

    WIRE = (
        Field("cluster_list", list_of(string)),
        Field("description_list", list_of(string)),
        Field("flags", u32, means=ResourceFlag),
        Field("format_list", list_of(string)),
        Field("id_list", list_of(string)),
        Field("manager_list", list_of(string)),
        Field("name_list", list_of(string)),
        Field("allowed_list", list_of(string)),
        Field("server_list", list_of(string)),
        Field("type_list", list_of(string)),
        Field("with_deleted", u16),
        Field("with_clusters", u16),
    )


@message(DbdMessageType.DBD_GET_TRES)
class DbTresCond(Record):
    """Which trackable resources."""

    count: int = 0
    format_list: list[str | None] | None = None
    id_list: list[str | None] | None = None
    name_list: list[str | None] | None = None
    type_list: list[str | None] | None = None
    with_deleted: int = 0

    WIRE = (
        Field("count", u64),
        Field("format_list", list_of(string)),
        Field("id_list", list_of(string)),
        Field("name_list", list_of(string)),
        Field("type_list", list_of(string)),
        Field("with_deleted", u16),
    )


@message(DbdMessageType.DBD_GET_CLUSTERS, DbdMessageType.DBD_REMOVE_CLUSTERS)
class DbClusterCond(Record):
    """Which clusters."""

    classification: int = 0
    cluster_list: list[str | None] | None = None
    federation_list: list[str | None] | None = None
    flags: int = NO_VAL
    format_list: list[str | None] | None = None
    plugin_id_select_list: list[str | None] | None = None
    rpc_version_list: list[str | None] | None = None
    usage_end: int = 0
    usage_start: int = 0
    with_usage: int = 0
    with_deleted: int = 0

    WIRE = (
        Field("classification", u16, means=ClusterClass),
        Field("cluster_list", list_of(string)),
        Field("federation_list", list_of(string)),
        Field("flags", u32, means=ClusterFlag),
        Field("format_list", list_of(string)),
        Field("plugin_id_select_list", list_of(string), until="23.02"),
        Field("rpc_version_list", list_of(string)),
        Field("usage_end", epoch),
        Field("usage_start", epoch),
        Field("with_usage", u16),
        Field("with_deleted", u16),
    )


@message(DbdMessageType.DBD_GET_FEDERATIONS, DbdMessageType.DBD_REMOVE_FEDERATIONS)
class DbFederationCond(Record):
    """Which federations."""

    cluster_list: list[str | None] | None = None
    federation_list: list[str | None] | None = None
    format_list: list[str | None] | None = None
    with_deleted: int = 0

    WIRE = (
        Field("cluster_list", list_of(string)),
        Field("federation_list", list_of(string)),
        Field("format_list", list_of(string)),
        Field("with_deleted", u16),
    )
