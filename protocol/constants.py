"""Numbers that Slurm's messages carry: absent and infinite values, steps, states, reasons, flags.

Member names are Slurm's own without their common prefix; where a number changed its meaning, the newest release names
it and the older name is an alias.

Reasons of jobs, message numbers and enums of single fields have files of their own; all can be imported from here.
"""

from __future__ import annotations

from enum import Enum, IntEnum, IntFlag

from protocol.field_constants import (
    AccelBind,
    AssocMgrFlag,
    BroadcastFlag,
    BurstBufferFlag,
    BurstBufferState,
    CertFlag,
    Compression,
    ContainerStatus,
    CpuBindType,
    CpuFrequency,
    CpuGovernor,
    CronFlag,
    DependencyState,
    DynamicNode,
    HealthCheckState,
    JobDefault,
    JobExclusive,
    JobOversubscribe,
    LogFormatFlag,
    LogLevel,
    PriorityFlag,
    PriorityReset,
    ProfileFlag,
    PropagatePriority,
    RebootFlag,
    ReconfigFlag,
    SelectPlugin,
    Signal,
    SpecialStep,
    StatsCommand,
    SwitchPlugin,
    TaskDistributionFlag,
    TopologyPlugin,
    TriggerFlag,
    TriggerResource,
    TriggerType,
    UpdateMode,
    X11Flag,
)
from protocol.job_reasons import JobReason
from protocol.message_types import MESSAGE_BOUNDS, DbdMessageType, MessageType

__all__ = [
    "ALLOC_SID_ADMIN_HOLD",
    "ALLOC_SID_USER_HOLD",
    "ARRAY_NO_TASK",
    "AUTH_PLUGIN_JWT",
    "AUTH_PLUGIN_MUNGE",
    "AUTH_PLUGIN_NONE",
    "AUTH_PLUGIN_SLURM",
    "BATCH_STEP",
    "COMPOSED",
    "CORE_SPEC_THREAD",
    "EXTERN_STEP",
    "GRES_MAGIC",
    "HASH_K12",
    "HASH_NONE",
    "HASH_SHA3",
    "INFINITE",
    "INFINITE8",
    "INFINITE16",
    "INFINITE64",
    "INTERACTIVE_STEP",
    "JOB_STATE_BASE",
    "MAX_MESSAGE_SIZE",
    "MAX_NORMAL_STEP",
    "MEM_PER_CPU",
    "MESSAGE_BOUNDS",
    "NICE_OFFSET",
    "NODE_STATE_BASE",
    "NO_CONSUME_VAL64",
    "NO_VAL",
    "NO_VAL8",
    "NO_VAL16",
    "NO_VAL64",
    "PENDING_STEP",
    "SELECT_CONS_TRES",
    "SELECT_LINEAR",
    "SHARED_FORCE",
    "SIG_ABORT",
    "SIG_DEBUG_WAKE",
    "SIG_FAILURE",
    "SIG_NODE_FAIL",
    "SIG_OOM",
    "SIG_PREEMPTED",
    "SIG_REQUEUED",
    "SIG_TERM_KILL",
    "SIG_TIME_LIMIT",
    "SLURMCTLD_PORT",
    "SLURMDBD_PORT",
    "SLURMD_PORT",
    "SWITCH_NONE",
    "WARN_SENT",
    "AccelBind",
    "AccountingEnforce",
    "AssocMgrFlag",
    "BroadcastFlag",
    "BurstBufferFlag",
    "BurstBufferState",
    "CertFlag",
    "Compression",
    "ConfigFlag",
    "ConfigRequestFlag",
    "ContainerStatus",
    "CpuBind",
    "CpuBindType",
    "CpuFrequency",
    "CpuGovernor",
    "CronFlag",
    "DbdMessageType",
    "DebugFlag",
    "DependencyState",
    "DependencyType",
    "DynamicNode",
    "HeaderFlag",
    "HealthCheckState",
    "JobDefault",
    "JobExclusive",
    "JobFlag",
    "JobOversubscribe",
    "JobReason",
    "JobShared",
    "JobState",
    "JobStateFlag",
    "KillFlag",
    "LaunchFlag",
    "LogFormat",
    "LogFormatFlag",
    "LogLevel",
    "MailFlag",
    "MemBind",
    "MessageType",
    "NodeState",
    "NodeStateFlag",
    "OpenMode",
    "PartitionFlag",
    "PartitionLimitEnforcement",
    "PartitionState",
    "PreemptMode",
    "PriorityFlag",
    "PriorityReset",
    "PrivateData",
    "ProfileFlag",
    "PrologFlag",
    "PropagatePriority",
    "ReadyBit",
    "RebootFlag",
    "ReconfigFlag",
    "RegistrationFlag",
    "ReservationFlag",
    "SelectFlag",
    "SelectPlugin",
    "ShowFlag",
    "ShutdownOp",
    "Signal",
    "SpecialStep",
    "StatsCommand",
    "StepFlag",
    "SuspendOp",
    "SwitchPlugin",
    "TaskDistribution",
    "TaskDistributionFlag",
    "TopologyPlugin",
    "Tres",
    "TriggerFlag",
    "TriggerResource",
    "TriggerType",
    "UpdateMode",
    "X11Flag",
]

INFINITE8 = 0xFF
INFINITE16 = 0xFFFF
INFINITE = 0xFFFFFFFF
INFINITE64 = 0xFFFFFFFFFFFFFFFF
NO_VAL8 = 0xFE
NO_VAL16 = 0xFFFE
NO_VAL = 0xFFFFFFFE
NO_VAL64 = 0xFFFFFFFFFFFFFFFE
NO_CONSUME_VAL64 = 0xFFFFFFFFFFFFFFFD

MAX_NORMAL_STEP = 0xFFFFFFF0
PENDING_STEP = 0xFFFFFFFD
EXTERN_STEP = 0xFFFFFFFC
BATCH_STEP = 0xFFFFFFFB
INTERACTIVE_STEP = 0xFFFFFFFA

MAX_MESSAGE_SIZE = 1 << 30
MEM_PER_CPU = 1 << 63
"""Bit in a memory size: MiB per CPU instead of per node."""
NICE_OFFSET = 0x80000000
SHARED_FORCE = 0x8000
JOB_STATE_BASE = 0xFF
NODE_STATE_BASE = 0x0F
CORE_SPEC_THREAD = 0x8000
ARRAY_NO_TASK = NO_VAL
WARN_SENT = 0x8000
ALLOC_SID_ADMIN_HOLD = 1
ALLOC_SID_USER_HOLD = 2
SLURMCTLD_PORT = 6817
SLURMD_PORT = 6818
SLURMDBD_PORT = 6819
AUTH_PLUGIN_NONE = 100
AUTH_PLUGIN_MUNGE = 101
AUTH_PLUGIN_JWT = 102
AUTH_PLUGIN_SLURM = 103
HASH_NONE = 1
HASH_K12 = 2
HASH_SHA3 = 4
SELECT_CONS_TRES = 109
SELECT_LINEAR = 102
SWITCH_NONE = 100
SIG_OOM = 253
SIG_TERM_KILL = 991
SIG_REQUEUED = 993
SIG_PREEMPTED = 994
SIG_DEBUG_WAKE = 995
SIG_TIME_LIMIT = 996
SIG_ABORT = 997
SIG_NODE_FAIL = 998
SIG_FAILURE = 999
GRES_MAGIC = 0x438A34D4


class JobState(IntEnum):
    """Base state of a job: the low byte of its state."""

    PENDING = 0
    RUNNING = 1
    SUSPENDED = 2
    COMPLETE = 3
    CANCELLED = 4
    FAILED = 5
    TIMEOUT = 6
    NODE_FAIL = 7
    PREEMPTED = 8
    BOOT_FAIL = 9
    DEADLINE = 10
    OOM = 11


class JobStateFlag(IntFlag):
    """Flags on top of the base state of a job."""

    LAUNCH_FAILED = 0x100
    UPDATE_DB = 0x200
    REQUEUE = 0x400
    REQUEUE_HOLD = 0x800
    SPECIAL_EXIT = 0x1000
    RESIZING = 0x2000
    CONFIGURING = 0x4000
    COMPLETING = 0x8000
    STOPPED = 0x10000
    RECONFIG_FAIL = 0x20000
    POWER_UP_NODE = 0x40000
    REVOKED = 0x80000
    REQUEUE_FED = 0x100000
    RESV_DEL_HOLD = 0x200000
    SIGNALING = 0x400000
    STAGE_OUT = 0x800000
    EXPEDITING = 0x1000000


class NodeState(IntEnum):
    """Base state of a node: the low four bits of its state."""

    UNKNOWN = 0
    DOWN = 1
    IDLE = 2
    ALLOCATED = 3
    ERROR = 4
    MIXED = 5
    FUTURE = 6


class NodeStateFlag(IntFlag):
    """Flags on top of the base state of a node; RESUME only in update requests."""

    EXTERNAL = 16
    NET = 16
    RES = 32
    UNDRAIN = 64
    CLOUD = 128
    RESUME = 0x100
    DRAIN = 0x200
    COMPLETING = 0x400
    NO_RESPOND = 0x800
    POWERED_DOWN = 0x1000
    FAIL = 0x2000
    POWERING_UP = 0x4000
    MAINT = 0x8000
    REBOOT_REQUESTED = 0x10000
    REBOOT_CANCEL = 0x20000
    POWERING_DOWN = 0x40000
    DYNAMIC_FUTURE = 0x80000
    REBOOT_ISSUED = 0x100000
    PLANNED = 0x200000
    INVALID_REG = 0x400000
    POWER_DOWN = 0x800000
    POWER_UP = 0x1000000
    POWER_DRAIN = 0x2000000
    DYNAMIC_NORM = 0x4000000
    BLOCKED = 0x8000000


class PartitionState(IntEnum):
    """What a partition admits: bit 0 submission, bit 1 scheduling."""

    INACTIVE = 0
    DOWN = 1
    DRAIN = 2
    UP = 3


class PartitionFlag(IntFlag):
    """Flags of a partition; _CLR ones only in update requests."""

    DEFAULT = 1
    HIDDEN = 2
    NO_ROOT = 4
    ROOT_ONLY = 8
    REQ_RESV = 16
    LLN = 32
    EXCLUSIVE_USER = 64
    PDOI = 128
    DEFAULT_CLR = 0x100
    HIDDEN_CLR = 0x200
    NO_ROOT_CLR = 0x400
    ROOT_ONLY_CLR = 0x800
    REQ_RESV_CLR = 0x1000
    LLN_CLR = 0x2000
    EXC_USER_CLR = 0x4000
    PDOI_CLR = 0x8000
    EXCLUSIVE_TOPO = 0x10000
    EXC_TOPO_CLR = 0x20000
    SCHED_FAILED = 0x40000
    SCHED_CLEARED = 0x80000


class PartitionLimitEnforcement(IntEnum):
    """EnforcePartLimits."""

    NONE = 0
    ALL = 1
    ANY = 2


class ShowFlag(IntFlag):
    """What an information request wants to see."""

    ALL = 1
    DETAIL = 2
    MIXED = 8
    LOCAL = 16
    SIBLING = 32
    FEDERATION = 64
    FUTURE = 128


class JobShared(IntEnum):
    """Sharing of nodes by a job (`shared`)."""

    NONE = 0
    OK = 1
    USER = 2
    MCS = 3
    TOPO = 4


class KillFlag(IntFlag):
    """How to signal or cancel a job."""

    JOB_BATCH = 1
    ARRAY_TASK = 2
    JOB_ARRAY = 2
    STEPS_ONLY = 4
    FULL_JOB = 8
    FED_REQUEUE = 16
    HURRY = 32
    OOM = 64
    NO_SIBS = 128
    JOB_RESV = 0x100
    NO_CRON = 0x200
    NO_SIG_FAIL = 0x400
    JOBS_VERBOSE = 0x800
    CRON = 0x1000
    FAIL_JOB = 0x2000


class JobFlag(IntFlag):
    """`bitflags` of a job."""

    KILL_INV_DEP = 1
    NO_KILL_INV_DEP = 2
    HAS_STATE_DIR = 4
    BACKFILL_TEST = 8
    GRES_ENFORCE_BIND = 16
    TEST_NOW_ONLY = 32
    SEND_ENV = 64
    SPREAD_JOB = 0x100
    USE_MIN_NODES = 0x200
    KILL_HURRY = 0x400
    TRES_STR_CALC = 0x800
    SIB_JOB_FLUSH = 0x1000
    HET_JOB_FLAG = 0x2000
    NTASKS_SET = 0x4000
    CPUS_SET = 0x8000
    BF_WHOLE_NODE_TEST = 0x10000
    TOP_PRIO_TMP = 0x20000
    ACCRUE_OVER = 0x40000
    GRES_DISABLE_BIND = 0x80000
    WAS_RUNNING = 0x100000
    RESET_ACCRUE_TIME = 0x200000
    CRON_JOB = 0x400000
    MEM_SET = 0x800000
    EXTERNAL_JOB = 0x1000000
    RESIZED = 0x1000000
    USE_DEFAULT_ACCT = 0x2000000
    USE_DEFAULT_PART = 0x4000000
    USE_DEFAULT_QOS = 0x8000000
    USE_DEFAULT_WCKEY = 0x10000000
    DEPENDENT = 0x20000000
    MAGNETIC = 0x40000000
    PART_ASSIGNED = 0x80000000
    BACKFILL_SCHED = 0x100000000
    BACKFILL_LAST = 0x200000000
    TASKS_CHANGED = 0x400000000
    SEND_SCRIPT = 0x800000000
    RESET_LIC_TASK = 0x1000000000
    RESET_LIC_JOB = 0x2000000000
    GRES_ONE_TASK_PER_SHARING = 0x4000000000
    GRES_MULT_TASKS_PER_SHARING = 0x8000000000
    GRES_ALLOW_TASK_SHARING = 0x10000000000
    STEPMGR_ENABLED = 0x20000000000
    HETJOB_PURGE = 0x40000000000
    SPREAD_SEGMENTS = 0x80000000000
    CONSOLIDATE_SEGMENTS = 0x100000000000
    EXPEDITED_REQUEUE = 0x200000000000
    NEED_MORE_FEATURES = 0x400000000000
    IMPLICIT_MAX_NODES = 0x800000000000


class MailFlag(IntFlag):
    """When to send mail."""

    JOB_BEGIN = 1
    JOB_END = 2
    JOB_FAIL = 4
    JOB_REQUEUE = 8
    JOB_TIME100 = 16
    JOB_TIME90 = 32
    JOB_TIME80 = 64
    JOB_TIME50 = 128
    JOB_STAGE_OUT = 0x100
    ARRAY_TASKS = 0x200
    INVALID_DEPEND = 0x400


class OpenMode(IntEnum):
    """What happens to output files that exist."""

    APPEND = 1
    TRUNCATE = 2


class PreemptMode(IntFlag):
    """How jobs are preempted."""

    OFF = 0
    SUSPEND = 1
    REQUEUE = 2
    CANCEL = 8
    COND_OFF = 16
    PRIORITY = 0x2000
    WITHIN = 0x4000
    GANG = 0x8000


class PrivateData(IntFlag):
    """What ordinary users may not see of others."""

    JOBS = 1
    NODES = 2
    PARTITIONS = 4
    USAGE = 8
    USERS = 16
    ACCOUNTS = 32
    RESERVATIONS = 64
    CLOUD_NODES = 128
    EVENTS = 0x100


class ReservationFlag(IntFlag):
    """Flags of a reservation."""

    MAINT = 1
    NO_MAINT = 2
    DAILY = 4
    NO_DAILY = 8
    WEEKLY = 16
    NO_WEEKLY = 32
    IGN_JOBS = 64
    NO_IGN_JOB = 128
    ANY_NODES = 0x100
    NO_ANY_NODES = 0x200
    STATIC = 0x400
    NO_STATIC = 0x800
    PART_NODES = 0x1000
    NO_PART_NODES = 0x2000
    OVERLAP = 0x4000
    SPEC_NODES = 0x8000
    FIRST_CORES = 0x10000
    TIME_FLOAT = 0x20000
    REPLACE = 0x40000
    ALL_NODES = 0x80000
    PURGE_COMP = 0x100000
    WEEKDAY = 0x200000
    NO_WEEKDAY = 0x400000
    WEEKEND = 0x800000
    NO_WEEKEND = 0x1000000
    FLEX = 0x2000000
    NO_FLEX = 0x4000000
    DUR_PLUS = 0x8000000
    DUR_MINUS = 0x10000000
    NO_HOLD_JOBS = 0x20000000
    REPLACE_DOWN = 0x40000000
    NO_PURGE_COMP = 0x80000000
    MAGNETIC = 0x100000000
    NO_MAGNETIC = 0x200000000
    SKIP = 0x400000000
    HOURLY = 0x800000000
    NO_HOURLY = 0x1000000000
    GRES_REQ = 0x2000000000
    TRES_PER_NODE = 0x4000000000
    USER_DEL = 0x8000000000
    NO_USER_DEL = 0x10000000000
    SCHED_FAILED = 0x20000000000
    FORCE_START = 0x40000000000


class HeaderFlag(IntFlag):
    """Flags in the header of a frame."""

    GLOBAL_AUTH_KEY = 1
    CONNECTION = 2
    MSG_KEEP_BUFFER = 4
    USE_BCAST_NETWORK = 16
    CTLD_QUEUE_PROCESSING = 32
    NO_AUTH_CRED = 64
    PACK_ADDRS = 128


class ConfigFlag(IntFlag):
    """`conf_flags` of the build information."""

    OR = 1
    SJC = 2
    DRJ = 4
    ASRU = 8
    PAM = 16
    WCKEY = 32
    IPV4_ENABLED = 64
    IPV6_ENABLED = 128
    SJX = 0x100
    SJS = 0x200
    SJE = 0x400
    L3CSOCK = 0x800
    NNSOCK = 0x1000
    ECORE = 0x2000
    SHR = 0x4000
    CONTAIN_SPANK = 0x8000
    NO_STDIO = 0x10000
    DISABLE_HTTP = 0x20000
    HC_REPORT_HEALTH = 0x40000


class PrologFlag(IntFlag):
    """PrologFlags."""

    ALLOC = 1
    NOHOLD = 2
    CONTAIN = 4
    SERIAL = 8
    X11 = 16
    DEFER_BATCH = 32
    FORCE_REQUEUE_ON_FAIL = 64
    RUN_IN_JOB = 128


class LogFormat(IntEnum):
    """LogTimeFormat."""

    ISO8601_MS = 0
    ISO8601 = 1
    RFC5424_MS = 2
    RFC5424 = 3
    CLOCK = 4
    SHORT = 5
    THREAD_ID = 6
    RFC3339 = 7


class SelectFlag(IntFlag):
    """SelectTypeParameters (CR_*)."""

    CPU = 1
    SOCKET = 2
    CORE = 4
    BOARD = 8
    MEMORY = 16
    OTHER_CONS_RES = 32
    ENFORCE_BINDING_GRES = 64
    ONE_TASK_PER_SHARING_GRES = 128
    ONE_TASK_PER_CORE = 0x100
    PACK_NODES = 0x200
    LL_SHARED_GRES = 0x400
    OTHER_CONS_TRES = 0x800
    CORE_DEFAULT_DIST_BLOCK = 0x1000
    LLN = 0x4000
    LINEAR = 0x8000


class DebugFlag(IntFlag):
    """DebugFlags."""

    SELECT_TYPE = 1
    STEPS = 2
    TRIGGERS = 4
    CPU_BIND = 8
    NET_RAW = 16
    NO_CONF_HASH = 32
    GRES = 64
    MPI = 128
    DATA = 0x100
    CONMGR = 0x200
    WORKQ = 0x200
    NET = 0x400
    PRIO = 0x800
    BACKFILL = 0x1000
    GANG = 0x2000
    RESERVATION = 0x4000
    AUDIT_TLS = 0x8000
    FRONT_END = 0x8000
    SACK = 0x10000
    SWITCH = 0x20000
    ENERGY = 0x40000
    TLS = 0x80000
    EXT_SENSORS = 0x80000
    LICENSE = 0x100000
    PROFILE = 0x200000
    INTERCONNECT = 0x400000
    GLOB_SILENCE = 0x800000
    NAMESPACE = 0x1000000
    JOB_CONT = 0x1000000
    AUDIT_RPCS = 0x2000000
    PROTOCOL = 0x4000000
    BACKFILL_MAP = 0x8000000
    TRACE_JOBS = 0x10000000
    ROUTE = 0x20000000
    DB_ASSOC = 0x40000000
    DB_EVENT = 0x80000000
    DB_JOB = 0x100000000
    DB_QOS = 0x200000000
    DB_QUERY = 0x400000000
    DB_RESV = 0x800000000
    DB_RES = 0x1000000000
    DB_STEP = 0x2000000000
    DB_USAGE = 0x4000000000
    DB_WCKEY = 0x8000000000
    BURST_BUF = 0x10000000000
    CPU_FREQ = 0x20000000000
    POWER = 0x40000000000
    THREAD = 0x80000000000
    TIME_CRAY = 0x80000000000
    DB_ARCHIVE = 0x100000000000
    DB_TRES = 0x200000000000
    JOBCOMP = 0x400000000000
    ESEARCH = 0x400000000000
    NODE_FEATURES = 0x800000000000
    FEDR = 0x1000000000000
    HETJOB = 0x2000000000000
    ACCRUE = 0x4000000000000
    DBD_AGENT = 0x8000000000000
    AGENT = 0x10000000000000
    DEPENDENCY = 0x20000000000000
    JAG = 0x40000000000000
    CGROUP = 0x80000000000000
    SCRIPT = 0x100000000000000
    METRICS = 0x200000000000000


class TaskDistribution(IntEnum):
    """How tasks are spread over nodes, sockets and cores."""

    CYCLIC = 1
    NODECYCLIC = 1
    BLOCK = 2
    NODEBLOCK = 2
    ARBITRARY = 3
    PLANE = 4
    SOCKCYCLIC = 16
    CYCLIC_CYCLIC = 17
    BLOCK_CYCLIC = 18
    SOCKBLOCK = 32
    CYCLIC_BLOCK = 33
    BLOCK_BLOCK = 34
    SOCKCFULL = 48
    CYCLIC_CFULL = 49
    BLOCK_CFULL = 50
    CORECYCLIC = 256
    CYCLIC_CYCLIC_CYCLIC = 273
    BLOCK_CYCLIC_CYCLIC = 274
    CYCLIC_BLOCK_CYCLIC = 289
    BLOCK_BLOCK_CYCLIC = 290
    CYCLIC_CFULL_CYCLIC = 305
    BLOCK_CFULL_CYCLIC = 306
    COREBLOCK = 512
    CYCLIC_CYCLIC_BLOCK = 529
    BLOCK_CYCLIC_BLOCK = 530
    CYCLIC_BLOCK_BLOCK = 545
    BLOCK_BLOCK_BLOCK = 546
    CYCLIC_CFULL_BLOCK = 561
    BLOCK_CFULL_BLOCK = 562
    CORECFULL = 768
    CYCLIC_CYCLIC_CFULL = 785
    BLOCK_CYCLIC_CFULL = 786
    CYCLIC_BLOCK_CFULL = 801
    BLOCK_BLOCK_CFULL = 802
    CYCLIC_CFULL_CFULL = 817
    BLOCK_CFULL_CFULL = 818
    UNKNOWN = 8192


class CpuBind(IntFlag):
    """CPU binding of tasks."""

    VERBOSE = 1
    TO_THREADS = 2
    TO_CORES = 4
    TO_SOCKETS = 8
    TO_LDOMS = 16
    NONE = 32
    RANK = 64
    MAP = 128
    MASK = 0x100
    LDRANK = 0x200
    LDMAP = 0x400
    LDMASK = 0x800
    ONE_THREAD_PER_CORE = 0x2000
    CPU_AUTO_BIND_TO_THREADS = 0x4000
    CPU_AUTO_BIND_TO_CORES = 0x10000
    CPU_AUTO_BIND_TO_SOCKETS = 0x20000
    SLURMD_OFF_SPEC = 0x40000
    OFF = 0x80000
    OOM_KILL_STEP = 0x100000
    SLURMD_SPEC_OVERRIDE = 0x200000


class MemBind(IntFlag):
    """Memory binding of tasks."""

    VERBOSE = 1
    NONE = 2
    RANK = 4
    MAP = 8
    MASK = 16
    LOCAL = 32
    SORT = 64
    PREFER = 128


class LaunchFlag(IntFlag):
    """Flags of a task launch."""

    PARALLEL_DEBUG = 1
    MULTI_PROG = 2
    PTY = 4
    BUFFERED_IO = 8
    LABEL_IO = 16
    EXT_LAUNCHER = 32
    NO_ALLOC = 64
    OVERCOMMIT = 128
    NO_SIG_FAIL = 0x100
    GRES_ALLOW_TASK_SHARING = 0x200
    WAIT_FOR_CHILDREN = 0x400
    KILL_ON_BAD_EXIT = 0x800
    LOCAL_IO = 0x1000


class StepFlag(IntFlag):
    """Flags of a step request."""

    EXCLUSIVE = 1
    NO_KILL = 2
    OVERCOMMIT = 4
    WHOLE = 8
    INTERACTIVE = 16
    MEM_ZERO = 32
    OVERLAP_FORCE = 64
    NO_SIG_FAIL = 128
    EXT_LAUNCHER = 0x100
    GRES_ALLOW_TASK_SHARING = 0x200
    WAIT_FOR_CHILDREN = 0x400
    KILL_ON_BAD_EXIT = 0x800
    ASYNC = 0x1000


class ReadyBit(IntFlag):
    """What is ready when a job is asked for its readiness."""

    NODE_STATE = 1
    JOB_STATE = 2
    PROLOG_STATE = 4


class SuspendOp(IntEnum):
    """What REQUEST_SUSPEND does."""

    SUSPEND = 0
    RESUME = 1


class ShutdownOp(IntEnum):
    """What REQUEST_SHUTDOWN stops."""

    ALL = 0
    ABORT = 1
    CTLD = 2


class ConfigRequestFlag(IntFlag):
    """Who asks for the configuration."""

    SLURMD = 1
    SACKD = 2


class RegistrationFlag(IntFlag):
    """Flags of a node registration."""

    CONFIGLESS = 1
    RESP = 2


class AccountingEnforce(IntFlag):
    """AccountingStorageEnforce."""

    ASSOCS = 1
    LIMITS = 2
    WCKEYS = 4
    QOS = 8
    SAFE = 16
    NO_JOBS = 32
    NO_STEPS = 64
    TRES = 128


class DependencyType(IntEnum):
    """Kind of a dependency."""

    AFTER = 1
    AFTER_ANY = 2
    AFTER_NOT_OK = 3
    AFTER_OK = 4
    SINGLETON = 5
    EXPAND = 6
    AFTER_CORRESPOND = 7
    BURST_BUFFER = 8


class Tres(IntEnum):
    """Ids of the trackable resources that every cluster has."""

    CPU = 1
    MEM = 2
    ENERGY = 3
    NODE = 4
    BILLING = 5
    FS_DISK = 6
    VMEM = 7
    PAGES = 8


COMPOSED: dict[type[Enum], tuple[type[IntFlag], int]] = {
    JobState: (JobStateFlag, JOB_STATE_BASE),
    NodeState: (NodeStateFlag, NODE_STATE_BASE),
    LogFormat: (LogFormatFlag, 0x7FFF),
    TaskDistribution: (TaskDistributionFlag, 0xFFFF),
}
"""Enums that share a number with flags: the flags, and the mask of the bits that the enum takes."""
