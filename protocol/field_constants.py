"""Enums and flags that single fields of messages take, beyond the states and flags in `protocol.constants`.

They are there for whoever reads the wire (`Field.means`); FLURM decides by few of them. Import them from
`protocol.constants`.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

__all__ = [
    "AccelBind",
    "AssocMgrFlag",
    "BroadcastFlag",
    "BurstBufferFlag",
    "BurstBufferState",
    "CertFlag",
    "Compression",
    "ContainerStatus",
    "CpuBindType",
    "CpuFrequency",
    "CpuGovernor",
    "CronFlag",
    "DependencyState",
    "DynamicNode",
    "HealthCheckState",
    "JobDefault",
    "JobExclusive",
    "JobOversubscribe",
    "LogFormatFlag",
    "LogLevel",
    "PriorityFlag",
    "PriorityReset",
    "ProfileFlag",
    "PropagatePriority",
    "RebootFlag",
    "ReconfigFlag",
    "SelectPlugin",
    "Signal",
    "SpecialStep",
    "StatsCommand",
    "SwitchPlugin",
    "TaskDistributionFlag",
    "TopologyPlugin",
    "TriggerFlag",
    "TriggerResource",
    "TriggerType",
    "UpdateMode",
    "X11Flag",
]


class AccelBind(IntFlag):
    """Binding of tasks to accelerators and network cards."""

    VERBOSE = 1
    CLOSEST_GPU = 2
    CLOSEST_NIC = 8


class AssocMgrFlag(IntFlag):
    """What `scontrol show assoc_mgr` wants to see."""

    ASSOC = 1
    USERS = 2
    QOS = 4


class BroadcastFlag(IntFlag):
    """Flags of a block of a broadcast file."""

    FORCE = 1
    LAST_BLOCK = 2
    SO = 4
    EXE = 8


class BurstBufferFlag(IntFlag):
    """Flags of a burst buffer plugin."""

    DISABLE_PERSISTENT = 1
    ENABLE_PERSISTENT = 2
    EMULATE_CRAY = 4
    PRIVATE_DATA = 8
    TEARDOWN_FAILURE = 16


class BurstBufferState(IntEnum):
    """State of a burst buffer."""

    PENDING = 0
    ALLOCATING = 1
    ALLOCATED = 2
    DELETING = 5
    DELETED = 6
    STAGING_IN = 17
    STAGED_IN = 18
    PRE_RUN = 24
    ALLOC_REVOKE = 26
    RUNNING = 33
    SUSPEND = 34
    POST_RUN = 41
    STAGING_OUT = 49
    STAGED_OUT = 50
    TEARDOWN = 65
    TEARDOWN_FAIL = 67
    COMPLETE = 69


class CertFlag(IntFlag):
    """Flags of a node's certificate."""

    TOKEN_SET = 1


class Compression(IntEnum):
    """How the block of a broadcast file is compressed."""

    OFF = 0
    LZ4 = 2


class ContainerStatus(IntEnum):
    """State of a container."""

    INVALID = 0
    UNKNOWN = 44544
    CREATING = 44545
    CREATED = 44546
    STARTING = 44547
    RUNNING = 44548
    STOPPING = 44549
    STOPPED = 44550


class CpuBindType(IntFlag):
    """CPU binding of the tasks of a job or step: the bits of `CpuBind` that fit into 16."""

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


class CpuFrequency(IntEnum):
    """CPU frequencies that are not given in kHz."""

    LOW = 0x80000001
    MEDIUM = 0x80000002
    HIGH = 0x80000003
    HIGHM1 = 0x80000004
    CONSERVATIVE = 0x88000000
    ONDEMAND = 0x84000000
    PERFORMANCE = 0x82000000
    POWERSAVE = 0x81000000
    USERSPACE = 0x80800000
    SCHEDUTIL = 0x80400000


class CpuGovernor(IntFlag):
    """CPU frequency governors; RANGE is set in all of them."""

    SCHEDUTIL = 0x400000
    USERSPACE = 0x800000
    POWERSAVE = 0x1000000
    PERFORMANCE = 0x2000000
    ONDEMAND = 0x4000000
    CONSERVATIVE = 0x8000000
    RANGE = 0x80000000


class CronFlag(IntFlag):
    """Fields of a crontab entry that are wildcards."""

    WILD_MINUTE = 2
    WILD_HOUR = 4
    WILD_DOM = 8
    WILD_MONTH = 16
    WILD_DOW = 32


class DependencyState(IntEnum):
    """Whether a dependency is fulfilled."""

    NOT_FULFILLED = 0
    FULFILLED = 1
    FAILED = 2


class DynamicNode(IntEnum):
    """How a node came to be."""

    NONE = 0
    FUTURE = 1
    NORM = 2


class HealthCheckState(IntFlag):
    """HealthCheckNodeState; CYCLE was OLD_CYCLE until 25.05."""

    IDLE = 1
    ALLOC = 2
    MIXED = 4
    NONDRAINED_IDLE = 8
    CYCLE = 0x100
    START_ONLY = 0x200
    REBOOT_ONLY = 0x400
    ANY = 0xFF
    OLD_CYCLE = 0x8000


class JobDefault(IntEnum):
    """What a default of a partition's jobs is about."""

    CPU_PER_GPU = 1
    MEM_PER_GPU = 2


class JobExclusive(IntEnum):
    """What a job has nodes for itself against (26.05)."""

    NONE = 0
    NODE = 1
    USER = 2
    MCS = 3
    TOPO = 4


class JobOversubscribe(IntEnum):
    """Whether a job shares its resources (26.05)."""

    NO = 0
    YES = 1
    OK = 2


class LogFormatFlag(IntFlag):
    """Flags on top of a log format."""

    FORMAT_STDERR = 0x8000


class LogLevel(IntEnum):
    """How much a daemon logs."""

    QUIET = 0
    FATAL = 1
    ERROR = 2
    INFO = 3
    VERBOSE = 4
    DEBUG = 5
    DEBUG2 = 6
    DEBUG3 = 7
    DEBUG4 = 8
    DEBUG5 = 9
    NOT_SET = 10


class PriorityFlag(IntFlag):
    """PriorityFlags."""

    ACCRUE_ALWAYS = 1
    MAX_TRES = 2
    SIZE_RELATIVE = 4
    DEPTH_OBLIVIOUS = 8
    CALCULATE_RUNNING = 16
    FAIR_TREE = 32
    INCR_ONLY = 64
    NO_NORMAL_ASSOC = 128
    NO_NORMAL_PART = 0x100
    NO_NORMAL_QOS = 0x200
    NO_NORMAL_TRES = 0x400
    MAX_TRES_GRES = 0x800


class PriorityReset(IntEnum):
    """PriorityUsageResetPeriod."""

    NONE = 0
    NOW = 1
    DAILY = 2
    WEEKLY = 3
    MONTHLY = 4
    QUARTERLY = 5
    YEARLY = 6


class ProfileFlag(IntFlag):
    """What a job's profile gathers."""

    NONE = 1
    ENERGY = 2
    TASK = 4
    LUSTRE = 8
    NETWORK = 16


class PropagatePriority(IntEnum):
    """PropagatePrioProcess."""

    OFF = 0
    ON = 1
    NICER = 2


class RebootFlag(IntFlag):
    """How nodes are rebooted."""

    ASAP = 1
    FORCE = 2


class ReconfigFlag(IntFlag):
    """ReconfigFlags."""

    KEEP_PART_INFO = 1
    KEEP_PART_STAT = 2
    KEEP_POWER_SAVE_SETTINGS = 4
    KEEP_NODE_STATE_FUTURE = 8


class SelectPlugin(IntEnum):
    """Which plugin wrote data about selected resources."""

    CONS_RES = 101
    LINEAR = 102
    SERIAL = 106
    CRAY_LINEAR = 107
    CRAY_CONS_RES = 108
    CONS_TRES = 109
    CRAY_CONS_TRES = 110


class Signal(IntEnum):
    """Signals of Linux, and those that Slurm's daemons give a meaning of their own."""

    NONE = 0
    HUP = 1
    INT = 2
    QUIT = 3
    ILL = 4
    TRAP = 5
    ABRT = 6
    BUS = 7
    FPE = 8
    KILL = 9
    USR1 = 10
    SEGV = 11
    USR2 = 12
    PIPE = 13
    ALRM = 14
    TERM = 15
    STKFLT = 16
    CHLD = 17
    CONT = 18
    STOP = 19
    TSTP = 20
    TTIN = 21
    TTOU = 22
    URG = 23
    XCPU = 24
    XFSZ = 25
    VTALRM = 26
    PROF = 27
    WINCH = 28
    IO = 29
    PWR = 30
    SYS = 31
    OOM = 253
    TERM_KILL = 991
    UME = 992
    REQUEUED = 993
    PREEMPTED = 994
    DEBUG_WAKE = 995
    TIME_LIMIT = 996
    ABORT = 997
    NODE_FAIL = 998
    FAILURE = 999


class SpecialStep(IntEnum):
    """Step ids that are not numbers of ordinary steps."""

    INTERACTIVE = 0xFFFFFFFA
    BATCH = 0xFFFFFFFB
    EXTERN = 0xFFFFFFFC
    PENDING = 0xFFFFFFFD


class StatsCommand(IntEnum):
    """What is to be done with the controller's statistics."""

    RESET = 0
    GET = 1


class SwitchPlugin(IntEnum):
    """Which plugin wrote data about a network."""

    NONE = 100
    GENERIC = 101
    CRAY = 102
    SLINGSHOT = 104
    NVIDIA_IMEX = 105


class TaskDistributionFlag(IntFlag):
    """Flags on top of a task distribution."""

    NO_PACK_NODES = 0x400000
    PACK_NODES = 0x800000


class TopologyPlugin(IntEnum):
    """Which plugin describes the network."""

    FLAT = 100
    TORUS3D = 101
    TREE = 102
    BLOCK = 103
    RING = 104


class TriggerFlag(IntFlag):
    """Flags of a trigger."""

    PERM = 1


class TriggerResource(IntEnum):
    """What a trigger watches."""

    JOB = 1
    NODE = 2
    SLURMCTLD = 3
    SLURMDBD = 4
    DATABASE = 5
    FRONT_END = 6
    OTHER = 7


class TriggerType(IntFlag):
    """Which events a trigger fires at."""

    UP = 1
    DOWN = 2
    FAIL = 4
    TIME = 8
    FINI = 16
    RECONFIG = 32
    IDLE = 128
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


class UpdateMode(IntEnum):
    """What an update does to a list."""

    SET = 0
    ADD = 1
    REMOVE = 2


class X11Flag(IntFlag):
    """Whose X11 connection a job forwards."""

    ALL = 1
    BATCH = 2
    FIRST = 4
    LAST = 8
