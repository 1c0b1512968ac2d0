"""Filters for what happened: jobs, events, instances, reservations, changes, and what of it to archive.

Times bound the period that is asked about, 0 where a side is open.
"""

from __future__ import annotations

import msgspec

from protocol.constants import NO_VAL, DbdMessageType, ReservationFlag
from protocol.dbd_constants import DbJobFlag, EventCondFlag, EventType, JobCondFlag, PurgeFlag
from protocol.messages.common import SelectedStep
from protocol.schema import Field, Record, epoch, list_of, message, string, u16, u32, u64

__all__ = [
    "DbArchiveCond",
    "DbEventCond",
    "DbInstanceCond",
    "DbJobCond",
    "DbReservationCond",
    "DbTxnCond",
]


@message(DbdMessageType.DBD_GET_EVENTS)
class DbEventCond(Record):
    """Which events."""

    cluster_list: list[str | None] | None = None
    cond_flags: int = 0
    cpus_max: int = 0
    cpus_min: int = 0
    event_type: int = 0
    format_list: list[str | None] | None = None
    node_list: str | None = None
    period_end: int = 0
    period_start: int = 0
    reason_list: list[str | None] | None = None
    reason_uid_list: list[str | None] | None = None
    state_list: list[str | None] | None = None

    WIRE = (
        Field("cluster_list", list_of(string)),
        Field("cond_flags", u32, means=EventCondFlag),
        Field("cpus_max", u32),
        Field("cpus_min", u32),
        Field("event_type", u16, means=EventType),
        Field("format_list", list_of(string)),
        Field("node_list", string),
        Field("period_end", epoch),
        Field("period_start", epoch),
        Field("reason_list", list_of(string)),
        Field("reason_uid_list", list_of(string)),
        Field("state_list", list_of(string)),
    )


@message(DbdMessageType.DBD_GET_INSTANCES)
class DbInstanceCond(Record):
    """Which instances."""

    cluster_list: list[str | None] | None = None
    extra_list: list[str | None] | None = None
    format_list: list[str | None] | None = None
    instance_id_list: list[str | None] | None = None
    instance_type_list: list[str | None] | None = None
    node_list: str | None = None
    time_end: int = 0
    time_start: int = 0

    WIRE = (
        Field("cluster_list", list_of(string)),
        Field("extra_list", list_of(string)),
        Field("format_list", list_of(string)),
        Field("instance_id_list", list_of(string)),
        Field("instance_type_list", list_of(string)),
        Field("node_list", string),
        Field("time_end", epoch),
        Field("time_start", epoch),
    )


@message(DbdMessageType.DBD_GET_RESVS)
class DbReservationCond(Record):
    """Which reservations."""

    cluster_list: list[str | None] | None = None
    flags: int = 0
    format_list: list[str | None] | None = None
    id_list: list[str | None] | None = None
    name_list: list[str | None] | None = None
    nodes: str | None = None
    time_end: int = 0
    time_start: int = 0
    with_usage: int = 0

    WIRE = (
        Field("cluster_list", list_of(string)),
        Field("flags", u64, means=ReservationFlag),
        Field("format_list", list_of(string)),
        Field("id_list", list_of(string)),
        Field("name_list", list_of(string)),
        Field("nodes", string),
        Field("time_end", epoch),
        Field("time_start", epoch),
        Field("with_usage", u16),
    )


@message(DbdMessageType.DBD_GET_TXN)
class DbTxnCond(Record):
    """Which changes."""

    acct_list: list[str | None] | None = None
    action_list: list[str | None] | None = None
    actor_list: list[str | None] | None = None
    cluster_list: list[str | None] | None = None
    format_list: list[str | None] | None = None
    id_list: list[str | None] | None = None
    info_list: list[str | None] | None = None
    name_list: list[str | None] | None = None
    time_end: int = 0
    time_start: int = 0
    user_list: list[str | None] | None = None
    with_assoc_info: int = 0

    WIRE = (
        Field("acct_list", list_of(string)),
        Field("action_list", list_of(string)),
        Field("actor_list", list_of(string)),
        Field("cluster_list", list_of(string)),
        Field("format_list", list_of(string)),
        Field("id_list", list_of(string)),
        Field("info_list", list_of(string)),
        Field("name_list", list_of(string)),
        Field("time_end", epoch),
        Field("time_start", epoch),
        Field("user_list", list_of(string)),
        Field("with_assoc_info", u16),
    )


@message(DbdMessageType.DBD_GET_JOBS_COND)
class DbJobCond(Record):
    """Which jobs."""

    acct_list: list[str | None] | None = None
    associd_list: list[str | None] | None = None
    cluster_list: list[str | None] | None = None
    constraint_list: list[str | None] | None = None
    cpus_max: int = 0
    cpus_min: int = 0
    db_flags: int = DbJobFlag.NOTSET
    exitcode: int = 0
    flags: int = 0
    format_list: list[str | None] | None = None
    groupid_list: list[str | None] | None = None
    jobname_list: list[str | None] | None = None
    nodes_max: int = 0
    nodes_min: int = 0
    partition_list: list[str | None] | None = None
    qos_list: list[str | None] | None = None
    reason_list: list[str | None] | None = None
    resv_list: list[str | None] | None = None
    resvid_list: list[str | None] | None = None
    step_list: list[SelectedStep] | None = None
    state_list: list[str | None] | None = None
    timelimit_max: int = 0
    timelimit_min: int = 0
    usage_end: int = 0
    usage_start: int = 0
    used_nodes: str | None = None
    userid_list: list[str | None] | None = None
    wckey_list: list[str | None] | None = None

    WIRE = (
        Field("acct_list", list_of(string)),
        Field("associd_list", list_of(string)),
        Field("cluster_list", list_of(string)),
        Field("constraint_list", list_of(string)),
        Field("cpus_max", u32),
        Field("cpus_min", u32),
        Field("db_flags", u32, means=DbJobFlag),
        Field("exitcode", u32),
        Field("flags", u32, means=JobCondFlag),
        Field("format_list", list_of(string)),
        Field("groupid_list", list_of(string)),
        Field("jobname_list", list_of(string)),
        Field("nodes_max", u32),
        Field("nodes_min", u32),
        Field("partition_list", list_of(string)),
        Field("qos_list", list_of(string)),
        Field("reason_list", list_of(string)),
        Field("resv_list", list_of(string)),
        Field("resvid_list", list_of(string)),
        Field("step_list", list_of(SelectedStep)),
        Field("state_list", list_of(string)),
        Field("timelimit_max", u32, unit="min"),
        Field("timelimit_min", u32, unit="min"),
        Field("usage_end", epoch),
        Field("usage_start", epoch),
        Field("used_nodes", string),
        Field("userid_list", list_of(string)),
        Field("wckey_list", list_of(string)),
    )


@message(DbdMessageType.DBD_ARCHIVE_DUMP)
class DbArchiveCond(Record):
    """What to archive and purge. An age is a number with `PurgeFlag` in its upper half, NO_VAL where it is not set."""

    archive_dir: str | None = None
    archive_script: str | None = None
    job_cond: DbJobCond = msgspec.field(default_factory=DbJobCond)
    purge_event: int = NO_VAL
    purge_job: int = NO_VAL
    purge_resv: int = NO_VAL
    purge_step: int = NO_VAL
    purge_suspend: int = NO_VAL
    purge_txn: int = NO_VAL
    purge_usage: int = NO_VAL
    purge_jobscript: int = NO_VAL
    purge_jobenv: int = NO_VAL

    WIRE = (
        Field("archive_dir", string),
        Field("archive_script", string),
        Field("job_cond", DbJobCond),
        Field("purge_event", u32, means=PurgeFlag),
        Field("purge_job", u32, means=PurgeFlag),
        Field("purge_resv", u32, means=PurgeFlag),
        Field("purge_step", u32, means=PurgeFlag),
        Field("purge_suspend", u32, means=PurgeFlag),
        Field("purge_txn", u32, means=PurgeFlag),
        Field("purge_usage", u32, means=PurgeFlag),
        Field("purge_jobscript", u32, since="26.05", means=PurgeFlag),
        Field("purge_jobenv", u32, since="26.05", means=PurgeFlag),
    )
