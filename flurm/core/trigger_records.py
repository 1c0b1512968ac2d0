"""What a trigger is, and what is noted for triggers while nobody has looked yet."""

from enum import IntEnum, IntFlag

from immutables import Map

from flurm.core.record import Record


class TriggerKind(IntFlag):
    """Events, by their numbers on the wire."""

    UP = 0x1
    DOWN = 0x2
    FAIL = 0x4
    TIME = 0x8
    FINI = 0x10
    RECONFIG = 0x20
    IDLE = 0x80
    DRAINED = 0x100
    PRI_CTLD_FAIL = 0x200
    PRI_CTLD_RES_OP = 0x400
    PRI_CTLD_RES_CTRL = 0x800
    PRI_CTLD_ACCT_FULL = 0x1000
    BU_CTLD_FAIL = 0x2000
    BU_CTLD_RES_OP = 0x4000
    BU_CTLD_AS_CTRL = 0x8000
    PRI_DBD_FAIL = 0x10000
    PRI_DBD_RES_OP = 0x20000
    PRI_DB_FAIL = 0x40000
    PRI_DB_RES_OP = 0x80000
    BURST_BUFFER = 0x100000
    DRAINING = 0x200000
    RESUME = 0x400000


EVENT_WORDS = {
    TriggerKind.RECONFIG: "reconfig",
    TriggerKind.PRI_CTLD_FAIL: "primary_slurmctld_failure",
    TriggerKind.PRI_CTLD_RES_OP: "primary_slurmctld_resumed_operation",
    TriggerKind.PRI_CTLD_RES_CTRL: "primary_slurmctld_resumed_control",
    TriggerKind.PRI_CTLD_ACCT_FULL: "primary_slurmctld_acct_buffer_full",
    TriggerKind.BU_CTLD_FAIL: "backup_slurmctld_failure",
    TriggerKind.BU_CTLD_RES_OP: "backup_slurmctld_resumed_operation",
    TriggerKind.BU_CTLD_AS_CTRL: "backup_slurmctld_assumed_control",
    TriggerKind.PRI_DBD_FAIL: "primary_slurmdbd_failure",
    TriggerKind.PRI_DBD_RES_OP: "primary_slurmdbd_resumed_operation",
    TriggerKind.PRI_DB_FAIL: "primary_database_failure",
    TriggerKind.PRI_DB_RES_OP: "primary_database_resumed_operation",
    TriggerKind.BURST_BUFFER: "burst_buffer",
}
"""What a program is told of an event that is of no node and no job."""


class TriggerResource(IntEnum):
    """What a trigger watches, by the number on the wire."""

    JOB = 1
    NODE = 2
    SLURMCTLD = 3
    SLURMDBD = 4
    DATABASE = 5
    FRONT_END = 6
    OTHER = 7


class Trigger(Record, frozen=True):
    """A program to be run at an event."""

    id: int
    resource: int
    kind: int
    program: str
    user_id: int
    resource_id: str | None = None
    """A job id, node names, `*`, as it was asked for."""
    offset_s: int = 0
    permanent: bool = False
    control: int = 0
    due_s: int = 0
    """The event has been, and the program is to be run then; 0: it has not."""
    argument: str = ""
    """What the program will be told."""
    fired_s: int = 0
    """When it last ran, where it is permanent."""


class TriggerEvents(Record, frozen=True):
    """What happened and nobody has looked at: kinds as masks, of nodes by name."""

    since_s: int = 0
    """When it was first seen that something has happened to nodes; 0: not yet."""
    nodes: Map[str, int] = Map()
    other: int = 0
