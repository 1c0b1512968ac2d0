"""Numbers of the accounting half of the wire: what records, filters and persistent connections carry.

Names are Slurm's own without their common prefix, as in `protocol.constants`. Several flag words carry in their upper
bits how the rest is meant when a record travels in a modification: NOTSET leaves the flags as they are, ADD and REMOVE
change only those that are named.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

__all__ = [
    "FEDERATION_STATE_BASE",
    "PURGE_BASE",
    "RC_AS_CLUSTER_ID",
    "AccountFlag",
    "AdminLevel",
    "AssocCondFlag",
    "AssocFlag",
    "ClusterClass",
    "ClusterFlag",
    "CoordSet",
    "DbJobFlag",
    "DbdConfFlag",
    "EventCondFlag",
    "EventType",
    "FederationFlag",
    "FederationState",
    "JobCondFlag",
    "NodeStateChange",
    "Oversubscribe",
    "PersistFlag",
    "PersistType",
    "ProblemType",
    "PurgeFlag",
    "QosCondFlag",
    "QosFlag",
    "ResourceFlag",
    "ResourceType",
    "RollupInterval",
    "UpdateType",
    "UserFlag",
    "WckeyFlag",
]

FEDERATION_STATE_BASE = 0x0F
PURGE_BASE = 0xFFFF
"""Low half of a purge age: how many of the units that the flags name."""
RC_AS_CLUSTER_ID = 0x80000000
"""Bit in the return code of DBD_REGISTER_CTLD's answer (24.11): the rest of it is the cluster's id."""


class AdminLevel(IntEnum):
    """What a user may change in the accounting database."""

    NOTSET = 0
    NONE = 1
    OPERATOR = 2
    SUPER_USER = 3


class ClusterClass(IntEnum):
    """Use that a cluster is meant for."""

    NONE = 0
    CAPABILITY = 1
    CAPACITY = 2
    CAPAPACITY = 3


class EventType(IntEnum):
    """What an event happened to."""

    ALL = 0
    CLUSTER = 1
    NODE = 2


class ProblemType(IntEnum):
    """What is wrong with an association that DBD_GOT_PROBS lists (it stands in the record's id)."""

    NOT_SET = 0
    ACCT_NO_ASSOC = 1
    ACCT_NO_USERS = 2
    USER_NO_ASSOC = 3
    USER_NO_UID = 4


class ResourceType(IntEnum):
    """Kind of a shared resource."""

    NOTSET = 0
    LICENSE = 1


class UpdateType(IntEnum):
    """What an object of ACCOUNTING_UPDATE_MSG tells the controller."""

    NOTSET = 0
    ADD_USER = 1
    ADD_ASSOC = 2
    ADD_COORD = 3
    MODIFY_USER = 4
    MODIFY_ASSOC = 5
    REMOVE_USER = 6
    REMOVE_ASSOC = 7
    REMOVE_COORD = 8
    ADD_QOS = 9
    REMOVE_QOS = 10
    MODIFY_QOS = 11
    ADD_WCKEY = 12
    REMOVE_WCKEY = 13
    MODIFY_WCKEY = 14
    ADD_CLUSTER = 15
    REMOVE_CLUSTER = 16
    REMOVE_ASSOC_USAGE = 17
    ADD_RES = 18
    REMOVE_RES = 19
    MODIFY_RES = 20
    UPDATE_QOS_USAGE = 21
    REMOVE_QOS_USAGE = 21
    ADD_TRES = 22
    UPDATE_FEDS = 23


class NodeStateChange(IntEnum):
    """What DBD_NODE_STATE reports."""

    DOWN = 1
    UP = 2
    UPDATE = 3


class Oversubscribe(IntEnum):
    """Whether a job shares its resources (26.05)."""

    NO = 0
    YES = 1
    OK = 2


class RollupInterval(IntEnum):
    """Index of an interval in the roll-up statistics."""

    HOUR = 0
    DAY = 1
    MONTH = 2


class FederationState(IntEnum):
    """Base state of a cluster in its federation; DRAIN (16) and REMOVE (32) are flags on top."""

    NA = 0
    ACTIVE = 1
    INACTIVE = 2


class PersistType(IntEnum):
    """Who opens a persistent connection to whom."""

    NONE = 0
    DBD = 1
    FED = 2
    HA_CTL = 3
    HA_DBD = 4
    ACCT_UPDATE = 5


class PersistFlag(IntFlag):
    """Flags of PERSIST_RC."""

    DBD = 0x01
    RECONNECT = 0x02
    ALREADY_INITED = 0x04
    P_USER_CASE = 0x08
    SUPPRESS_ERR = 0x10
    EXT_DBD = 0x20
    DONT_UPDATE_CLUSTER = 0x40
    P_RESOURCE_CASE = 0x80


class CoordSet(IntEnum):
    """How a user came to coordinate an account."""

    INDIRECT = 0
    DIRECT = 1
    BY_ACCT = 2


class AssocFlag(IntFlag):
    """Flags of an association."""

    DELETED = 0x1
    NO_UPDATE = 0x2
    EXACT = 0x4
    USER_COORD_NO = 0x8
    USER_COORD = 0x10000
    BLOCK_ADD = 0x20000


class AssocCondFlag(IntFlag):
    """Flags of a filter for associations (24.11; before, each was a field of its own)."""

    WITH_DELETED = 0x1
    WITH_USAGE = 0x2
    ONLY_DEFS = 0x4
    RAW_QOS = 0x8
    SUB_ACCTS = 0x10
    WOPI = 0x20
    WOPL = 0x40
    QOS_USAGE = 0x80
    WITH_NG_USAGE = 0x100


class AccountFlag(IntFlag):
    """Flags of an account, and of a filter for accounts (24.05)."""

    DELETED = 0x1
    WASSOC = 0x2
    WCOORD = 0x4
    USER_COORD_NO = 0x8
    USER_COORD = 0x10000


class UserFlag(IntFlag):
    """Flags of a user."""

    DELETED = 0x1


class WckeyFlag(IntFlag):
    """Flags of a workload characterization key."""

    DELETED = 0x1


class QosFlag(IntFlag):
    """Flags of a QOS."""

    PART_MIN_NODE = 0x1
    PART_MAX_NODE = 0x2
    PART_TIME_LIMIT = 0x4
    ENFORCE_USAGE_THRES = 0x8
    NO_RESERVE = 0x10
    REQ_RESV = 0x20
    DENY_LIMIT = 0x40
    OVER_PART_QOS = 0x80
    NO_DECAY = 0x100
    USAGE_FACTOR_SAFE = 0x200
    RELATIVE = 0x400
    RELATIVE_SET = 0x800
    PART_QOS = 0x1000
    DELETED = 0x2000
    NOTSET = 0x10000000
    ADD = 0x20000000
    REMOVE = 0x40000000


class QosCondFlag(IntFlag):
    """Flags of a filter for QOS (24.11)."""

    WITH_DELETED = 0x1


class ResourceFlag(IntFlag):
    """Flags of a shared resource."""

    ABSOLUTE = 0x1
    SHARED_POOL = 0x2
    NOTSET = 0x10000000
    ADD = 0x20000000
    REMOVE = 0x40000000


class ClusterFlag(IntFlag):
    """Flags of a cluster."""

    REGISTER = 0x1
    DELETED = 0x2
    MULTSD = 0x80
    FE = 0x200
    CRAY = 0x400
    FED = 0x800
    EXT = 0x1000


class FederationFlag(IntFlag):
    """Flags of a federation."""

    NOTSET = 0x10000000
    ADD = 0x20000000
    REMOVE = 0x40000000


class EventCondFlag(IntFlag):
    """Flags of a filter for events."""

    OPEN = 0x1


class JobCondFlag(IntFlag):
    """Flags of a filter for jobs."""

    DUP = 0x1
    NO_STEP = 0x2
    NO_TRUNC = 0x4
    RUNAWAY = 0x8
    WHOLE_HETJOB = 0x10
    NO_WHOLE_HETJOB = 0x20
    NO_WAIT = 0x40
    NO_DEFAULT_USAGE = 0x80
    SCRIPT = 0x100
    ENV = 0x200


class DbJobFlag(IntFlag):
    """How a job came to be scheduled."""

    NOTSET = 0x1
    SUBMIT = 0x2
    SCHED = 0x4
    BACKFILL = 0x8
    START_R = 0x10
    ALTERED = 0x20


class PurgeFlag(IntFlag):
    """Upper half of a purge age: its unit, and whether records are archived first."""

    HOURS = 0x10000
    DAYS = 0x20000
    MONTHS = 0x40000
    ARCHIVE = 0x80000


class DbdConfFlag(IntFlag):
    """Flags of the accounting daemon's configuration (26.05)."""

    ALLOW_NO_DEF_ACCT = 0x01
    ALL_RES_ABS = 0x02
    DISABLE_COORD_DBD = 0x04
    GET_DBVER = 0x08
    DISABLE_ARCHIVE_COMMANDS = 0x10
    DISABLE_ROLLUPS = 0x20
