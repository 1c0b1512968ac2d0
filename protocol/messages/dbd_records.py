"""Records that the accounting daemon alone keeps: accounts, events, instances, reservations, changes."""

from __future__ import annotations

from protocol.constants import NO_VAL, DbdMessageType, NodeState, ReservationFlag
from protocol.dbd_constants import AccountFlag, DbdConfFlag, EventType, PersistFlag, PurgeFlag
from protocol.messages.accounting import DbAssocMembers, DbCoord, DbTresNoalloc
from protocol.schema import Field, Record, double, epoch, list_of, message, string, u16, u32, u64

__all__ = [
    "DbAccount",
    "DbArchive",
    "DbEvent",
    "DbInstance",
    "DbReservation",
    "DbTxn",
    "DbdConf",
]


class DbAccount(Record):
    """An account, with its associations and coordinators where the question asked for them."""

    assoc_list: list[DbAssocMembers] | None = None
    coordinators: list[DbCoord] | None = None
    description: str | None = None
    flags: int = 0
    name: str | None = None
    organization: str | None = None

    WIRE = (
        Field("assoc_list", list_of(DbAssocMembers)),
        Field("coordinators", list_of(DbCoord)),
        Field("description", string),
        Field("flags", u32, means=AccountFlag),
        Field("name", string),
        Field("organization", string),
    )


class DbEvent(Record):
    """A time in which a cluster or a node was not available, or had other resources."""

    cluster: str | None = None
    cluster_nodes: str | None = None
    event_type: int = 0
    node_name: str | None = None
    period_start: int = 0
    period_end: int = 0
    reason: str | None = None
    reason_uid: int = 0
    state: int = 0
    tres_str: str | None = None

    WIRE = (
        Field("cluster", string),
        Field("cluster_nodes", string),
        Field("event_type", u16, means=EventType),
        Field("node_name", string),
        Field("period_start", epoch),
        Field("period_end", epoch),
        Field("reason", string),
        Field("reason_uid", u32),
        Field("state", u32, means=NodeState),
        Field("tres_str", string),
    )


class DbInstance(Record):
    """What a node in the cloud was, and from when until when."""

    cluster: str | None = None
    extra: str | None = None
    instance_id: str | None = None
    instance_type: str | None = None
    node_name: str | None = None
    time_end: int = 0
    time_start: int = 0

    WIRE = (
        Field("cluster", string),
        Field("extra", string),
        Field("instance_id", string),
        Field("instance_type", string),
        Field("node_name", string),
        Field("time_end", epoch),
        Field("time_start", epoch),
    )


@message(DbdMessageType.DBD_ADD_RESV, DbdMessageType.DBD_REMOVE_RESV, DbdMessageType.DBD_MODIFY_RESV)
class DbReservation(Record):
    """A reservation as the accounting daemon keeps it; also what the controller reports about one."""

    assocs: str | None = None
    cluster: str | None = None
    comment: str | None = None
    flags: int = 0
    id: int = 0
    name: str | None = None
    nodes: str | None = None
    node_inx: str | None = None
    time_end: int = 0
    time_force: int = 0
    time_start: int = 0
    time_start_prev: int = 0
    tres_str: str | None = None
    tres_list: list[DbTresNoalloc] | None = None
    unused_wall: float = 0.0

    WIRE = (
        Field("assocs", string),
        Field("cluster", string),
        Field("comment", string, since="23.02"),
        Field("flags", u64, means=ReservationFlag),
        Field("id", u32),
        Field("name", string),
        Field("nodes", string),
        Field("node_inx", string),
        Field("time_end", epoch),
        Field("time_force", epoch, since="25.05"),
        Field("time_start", epoch),
        Field("time_start_prev", epoch),
        Field("tres_str", string),
        Field("tres_list", list_of(DbTresNoalloc)),
        Field("unused_wall", double, unit="s"),
    )


class DbTxn(Record):
    """One change of the database: who did what, when, to whom."""

    accts: str | None = None
    action: int = 0
    actor_name: str | None = None
    clusters: str | None = None
    id: int = 0
    set_info: str | None = None
    timestamp: int = 0
    users: str | None = None
    where_query: str | None = None

    WIRE = (
        Field("accts", string),
        Field("action", u16, means=DbdMessageType),
        Field("actor_name", string),
        Field("clusters", string),
        Field("id", u32),
        Field("set_info", string),
        Field("timestamp", epoch),
        Field("users", string),
        Field("where_query", string),
    )


@message(DbdMessageType.DBD_ARCHIVE_LOAD)
class DbArchive(Record):
    """An archive file to load, or the statement itself."""

    archive_file: str | None = None
    insert: str | None = None

    WIRE = (
        Field("archive_file", string),
        Field("insert", string),
    )


@message(DbdMessageType.DBD_GOT_CONFIG)
class DbdConf(Record):
    """Configuration of the accounting daemon."""

    archive_dir: str | None = None
    archive_script: str | None = None
    commit_delay: int = 0
    dbd_addr: str | None = None
    dbd_backup: str | None = None
    dbd_host: str | None = None
    dbd_port: int = 0
    debug_level: int = 0
    default_qos: str | None = None
    flags: int = 0
    log_file: str | None = None
    max_purge_limit: int = 0
    max_time_range: int = 0
    parameters: str | None = None
    persist_conn_rc_flags: int = 0
    pid_file: str | None = None
    purge_event: int = NO_VAL
    purge_job: int = NO_VAL
    purge_resv: int = NO_VAL
    purge_step: int = NO_VAL
    purge_suspend: int = NO_VAL
    purge_txn: int = NO_VAL
    purge_usage: int = NO_VAL
    purge_jobscript: int = NO_VAL
    purge_jobenv: int = NO_VAL
    storage_loc: str | None = None
    storage_pass_script: str | None = None
    storage_user: str | None = None
    syslog_debug: int = 0
    track_wckey: int = 0
    track_ctld: int = 0

    WIRE = (
        Field("archive_dir", string),
        Field("archive_script", string),
        Field("commit_delay", u16, unit="s"),
        Field("dbd_addr", string),
        Field("dbd_backup", string),
        Field("dbd_host", string),
        Field("dbd_port", u16),
        Field("debug_level", u16),
        Field("default_qos", string),
        Field("flags", u32, means=DbdConfFlag),
        Field("log_file", string),
        Field("max_purge_limit", u32),
        Field("max_time_range", u32, unit="s"),
        Field("parameters", string),
        Field("persist_conn_rc_flags", u16, means=PersistFlag),
        Field("pid_file", string),
        Field("purge_event", u32, means=PurgeFlag),
        Field("purge_job", u32, means=PurgeFlag),
        Field("purge_resv", u32, means=PurgeFlag),
        Field("purge_step", u32, means=PurgeFlag),
        Field("purge_suspend", u32, means=PurgeFlag),
        Field("purge_txn", u32, means=PurgeFlag),
        Field("purge_usage", u32, means=PurgeFlag),
        Field("purge_jobscript", u32, means=PurgeFlag),
        Field("purge_jobenv", u32, means=PurgeFlag),
        Field("storage_loc", string),
        Field("storage_pass_script", string),
        Field("storage_user", string),
        Field("syslog_debug", u16),
        Field("track_wckey", u16),
        Field("track_ctld", u16),
    )
