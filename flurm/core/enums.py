"""The words of a cluster: job and node states, pending reasons, refusals.

Names and numbers are Slurm's, because users know them. A `Refusal` is a value, never an exception: what the user
asked for is not to be had, and its name is Slurm's error name, which the bridge turns into a number on the wire.
"""

from enum import IntEnum, IntFlag, StrEnum


class JobState(IntEnum):
    """Base state of a job (squeue(1), JOB STATE CODES)."""

    PENDING = 0
    RUNNING = 1
    SUSPENDED = 2
    COMPLETED = 3
    CANCELLED = 4
    FAILED = 5
    TIMEOUT = 6
    NODE_FAIL = 7
    PREEMPTED = 8
    BOOT_FAIL = 9
    DEADLINE = 10
    OUT_OF_MEMORY = 11

    @property
    def is_finished(self) -> bool:
        """Whether the job has left its resources or never gets any."""
        return self > JobState.SUSPENDED


class JobFlag(IntFlag):
    """What goes on beside the base state."""

    NONE = 0
    LAUNCH_FAILED = 0x100
    REQUEUE = 0x400
    REQUEUE_HOLD = 0x800
    SPECIAL_EXIT = 0x1000
    CONFIGURING = 0x4000
    COMPLETING = 0x8000
    SIGNALING = 0x400000


class NodeState(IntEnum):
    """Base state of a node; ALLOCATED and MIXED are derived from what runs there and never stored."""

    UNKNOWN = 0
    DOWN = 1
    IDLE = 2
    ALLOCATED = 3
    ERROR = 4
    MIXED = 5
    FUTURE = 6


class NodeFlag(IntFlag):
    """What goes on beside a node's base state."""

    NONE = 0
    DRAIN = 0x200
    COMPLETING = 0x400
    NO_RESPOND = 0x800
    FAIL = 0x2000
    MAINT = 0x8000
    REBOOT_REQUESTED = 0x10000
    PLANNED = 0x200000
    INVALID_REG = 0x400000
    DYNAMIC_NORM = 0x4000000


class PartitionState(IntFlag):
    """SUBMIT: takes new jobs; SCHEDULE: starts them (scontrol(1), partition State)."""

    INACTIVE = 0
    DOWN = 1
    DRAIN = 2
    UP = 3


class Reason(StrEnum):
    """Why a job is pending or how it ended, as clients print it."""

    NONE = "None"
    PRIORITY = "Priority"
    DEPENDENCY = "Dependency"
    RESOURCES = "Resources"
    PARTITION_NODE_LIMIT = "PartitionNodeLimit"
    PARTITION_TIME_LIMIT = "PartitionTimeLimit"
    PARTITION_DOWN = "PartitionDown"
    PARTITION_INACTIVE = "PartitionInactive"
    PARTITION_CONFIG = "PartitionConfig"
    HELD_ADMIN = "JobHeldAdmin"
    HELD_USER = "JobHeldUser"
    BEGIN_TIME = "BeginTime"
    NODE_NOT_AVAIL = "ReqNodeNotAvail"
    BAD_CONSTRAINTS = "BadConstraints"
    SYSTEM_FAILURE = "SystemFailure"
    LAUNCH_FAILURE = "JobLaunchFailure"
    NON_ZERO_EXIT_CODE = "NonZeroExitCode"
    RAISED_SIGNAL = "RaisedSignal"
    TIME_LIMIT = "TimeLimit"
    NODE_DOWN = "NodeDown"
    CLEANING = "Cleaning"
    DEPENDENCY_NEVER_SATISFIED = "DependencyNeverSatisfied"
    JOB_ARRAY_TASK_LIMIT = "JobArrayTaskLimit"
    REQUEUED_HELD = "JobHoldMaxRequeue"
    DEADLINE = "DeadLine"
    OUT_OF_MEMORY = "OutOfMemory"


class Refusal(StrEnum):
    """Why a request is turned down; the value is the name of Slurm's error number."""

    ACCESS_DENIED = "ESLURM_ACCESS_DENIED"
    PERMISSION = "EACCES"
    SUBMISSIONS_DISABLED = "ESLURM_SUBMISSIONS_DISABLED"
    USER_ID_MISSING = "ESLURM_USER_ID_MISSING"
    ALREADY_DONE = "ESLURM_ALREADY_DONE"
    BAD_TASK_COUNT = "ESLURM_BAD_TASK_COUNT"
    BATCH_ONLY = "ESLURM_BATCH_ONLY"
    DEPENDENCY = "ESLURM_DEPENDENCY"
    DISABLED = "ESLURM_DISABLED"
    ENVIRONMENT_MISSING = "ESLURM_ENVIRONMENT_MISSING"
    GROUP_ID_MISSING = "ESLURM_GROUP_ID_MISSING"
    INTERNAL = "ESLURM_INTERNAL"
    INVALID_ARRAY = "ESLURM_INVALID_ARRAY"
    INVALID_CORE_CNT = "ESLURM_INVALID_CORE_CNT"
    INVALID_CPU_COUNT = "ESLURM_INVALID_CPU_COUNT"
    INVALID_FEATURE = "ESLURM_INVALID_FEATURE"
    INVALID_GRES = "ESLURM_INVALID_GRES"
    INVALID_JOB_ID = "ESLURM_INVALID_JOB_ID"
    INVALID_LICENSES = "ESLURM_INVALID_LICENSES"
    INVALID_NICE = "ESLURM_INVALID_NICE"
    INVALID_NODE_COUNT = "ESLURM_INVALID_NODE_COUNT"
    INVALID_NODE_NAME = "ESLURM_INVALID_NODE_NAME"
    INVALID_NODE_STATE = "ESLURM_INVALID_NODE_STATE"
    INVALID_PARTITION_NAME = "ESLURM_INVALID_PARTITION_NAME"
    DEFAULT_PARTITION_NOT_SET = "ESLURM_DEFAULT_PARTITION_NOT_SET"
    INVALID_TASK_MEMORY = "ESLURM_INVALID_TASK_MEMORY"
    INVALID_TIME_LIMIT = "ESLURM_INVALID_TIME_LIMIT"
    INVALID_TIME_VALUE = "ESLURM_INVALID_TIME_VALUE"
    INVALID_TIME_MIN_LIMIT = "ESLURM_INVALID_TIME_MIN_LIMIT"
    JOB_FINISHED = "ESLURM_JOB_FINISHED"
    JOB_HELD = "ESLURM_JOB_HELD"
    JOB_NOT_FINISHED = "ESLURM_JOB_NOT_FINISHED"
    JOB_NOT_PENDING = "ESLURM_JOB_NOT_PENDING"
    JOB_NOT_RUNNING = "ESLURM_JOB_NOT_RUNNING"
    JOB_PENDING = "ESLURM_JOB_PENDING"
    JOB_SCRIPT_MISSING = "ESLURM_JOB_SCRIPT_MISSING"
    MAX_JOBS = "EAGAIN"
    MISSING_TIME_LIMIT = "ESLURM_MISSING_TIME_LIMIT"
    NODE_NOT_AVAIL = "ESLURM_NODE_NOT_AVAIL"
    NODES_BUSY = "ESLURM_NODES_BUSY"
    NOT_SUPPORTED = "ESLURM_NOT_SUPPORTED"
    PARTITION_DOWN = "ESLURM_PARTITION_DOWN"
    PARTITION_IN_USE = "ESLURM_PARTITION_IN_USE"
    PARTITION_NOT_AVAIL = "ESLURM_PARTITION_NOT_AVAIL"
    PATHNAME_TOO_LONG = "ESLURM_PATHNAME_TOO_LONG"
    RESERVATION_INVALID = "ESLURM_RESERVATION_INVALID"
    REQUESTED_NODES_NOT_IN_PARTITION = "ESLURM_REQUESTED_NODES_NOT_IN_PARTITION"
    REQUESTED_NODE_CONFIG_UNAVAILABLE = "ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE"
    REQUESTED_PART_CONFIG_UNAVAILABLE = "ESLURM_REQUESTED_PART_CONFIG_UNAVAILABLE"
    JOB_MISSING_SIZE_SPECIFICATION = "ESLURM_JOB_MISSING_SIZE_SPECIFICATION"
    TOO_MANY_REQUESTED_CPUS = "ESLURM_TOO_MANY_REQUESTED_CPUS"
    TRANSITION_STATE_NO_UPDATE = "ESLURM_TRANSITION_STATE_NO_UPDATE"
    WRITING_TO_FILE = "ESLURM_WRITING_TO_FILE"
