"""Names of job, node and partition states, long and short, and how words on a command line are turned into them."""

from __future__ import annotations

from protocol.constants import JOB_STATE_BASE, NODE_STATE_BASE, JobState, JobStateFlag, NodeState, NodeStateFlag

__all__ = [
    "job_base",
    "job_state",
    "job_state_compact",
    "job_state_named",
    "node_state",
    "node_state_complete",
    "partition_state",
    "with_use",
]

_J, _JF, _N, _NF = JobState, JobStateFlag, NodeState, NodeStateFlag

_JOB_BASES = {
    _J.PENDING: ("PENDING", "PD"),
    _J.RUNNING: ("RUNNING", "R"),
    _J.SUSPENDED: ("SUSPENDED", "S"),
    _J.COMPLETE: ("COMPLETED", "CD"),
    _J.CANCELLED: ("CANCELLED", "CA"),
    _J.FAILED: ("FAILED", "F"),
    _J.TIMEOUT: ("TIMEOUT", "TO"),
    _J.NODE_FAIL: ("NODE_FAIL", "NF"),
    _J.PREEMPTED: ("PREEMPTED", "PR"),
    _J.BOOT_FAIL: ("BOOT_FAIL", "BF"),
    _J.DEADLINE: ("DEADLINE", "DL"),
    _J.OOM: ("OUT_OF_MEMORY", "OOM"),
}
_JOB_FLAGS = {
    _JF.COMPLETING: ("COMPLETING", "CG"),
    _JF.STAGE_OUT: ("STAGE_OUT", "SO"),
    _JF.CONFIGURING: ("CONFIGURING", "CF"),
    _JF.RESIZING: ("RESIZING", "RS"),
    _JF.REQUEUE: ("REQUEUED", "RQ"),
    _JF.REQUEUE_FED: ("REQUEUE_FED", "RF"),
    _JF.REQUEUE_HOLD: ("REQUEUE_HOLD", "RH"),
    _JF.SPECIAL_EXIT: ("SPECIAL_EXIT", "SE"),
    _JF.STOPPED: ("STOPPED", "ST"),
    _JF.REVOKED: ("REVOKED", "RV"),
    _JF.RESV_DEL_HOLD: ("RESV_DEL_HOLD", "RD"),
    _JF.SIGNALING: ("SIGNALING", "SI"),
}
"""Flags that are shown in place of the base state, the first that is set."""
JOB_STATE_WORDS = (
    "PENDING,RUNNING,SUSPENDED,COMPLETED,CANCELLED,FAILED,TIMEOUT,NODE_FAIL,PREEMPTED,BOOT_FAIL,DEADLINE,"
    "OUT_OF_MEMORY,COMPLETING,CONFIGURING,RESIZING,RESV_DEL_HOLD,REQUEUED,REQUEUE_FED,REQUEUE_HOLD,REVOKED,"
    "SIGNALING,SPECIAL_EXIT,STAGE_OUT,STOPPED"
)
NODE_STATE_WORDS = (
    "unknown,down,idle,allocated,?,mixed,future,drain,drained,draining,no_respond,reserved,perfctrs,cloud,"
    "completing,powering_down,powered_down,power_down,powering_up,fail,maint,reboot,reboot^,unknown"
)


def job_base(state: int) -> int:
    """The base state without flags."""
    return state & JOB_STATE_BASE


def job_state(state: int) -> str:
    """The long name."""
    return _job_names(state)[0]


def job_state_compact(state: int) -> str:
    """The name of two letters."""
    return _job_names(state)[1]


def _job_names(state: int) -> tuple[str, str]:
    for flag, names in _JOB_FLAGS.items():
        if state & flag:
            return names
    return _JOB_BASES.get(JobState(job_base(state)), ("?", "?")) if job_base(state) in set(JobState) else ("?", "?")


def job_state_named(word: str) -> int | None:
    """The state or flag that a word means, in either form; None where it means none."""
    wanted = word.upper()
    for table in (_JOB_BASES, _JOB_FLAGS):
        for state, names in table.items():
            if wanted in names:
                return int(state)
    return None


_NODE_BASES = {
    _N.DOWN: ("DOWN", "DOWN"),
    _N.IDLE: ("IDLE", "IDLE"),
    _N.ALLOCATED: ("ALLOCATED", "ALLOC"),
    _N.ERROR: ("ERROR", "ERR"),
    _N.MIXED: ("MIXED", "MIX"),
    _N.FUTURE: ("FUTURE", "FUTR"),
    _N.UNKNOWN: ("UNKNOWN", "UNK"),
}


def with_use(state: int, cpus_used: int, cpus: int) -> int:
    """A node's state with the base that its use gives it: the controller calls a node allocated that is mixed."""
    base = state & NODE_STATE_BASE
    if base not in (_N.ALLOCATED, _N.MIXED, _N.IDLE) or not cpus_used:
        return state
    return (state & ~NODE_STATE_BASE) | (_N.MIXED if cpus_used < cpus else _N.ALLOCATED)


def node_state(state: int, *, compact: bool = False) -> str:
    """A node's state with the one mark for what matters most about it, upper case: `IDLE*`, `DRAINED`."""
    name, short = _node_names(state)
    return (short if compact else name) + _node_mark(state, name)


def _node_names(state: int) -> tuple[str, str]:
    base = state & NODE_STATE_BASE
    busy = bool(state & _NF.COMPLETING) or base in (_N.ALLOCATED, _N.MIXED)
    if state & _NF.MAINT and not state & _NF.DRAIN and base not in (_N.ALLOCATED, _N.DOWN, _N.MIXED):
        return "MAINT", "MAINT"
    if state & (_NF.REBOOT_REQUESTED | _NF.REBOOT_ISSUED):
        return ("REBOOT", "BOOT") if not busy or state & _NF.REBOOT_ISSUED else _plain(base)
    if state & _NF.DRAIN:
        if busy or base == _N.ERROR:
            return "DRAINING", "DRNG"
        return "DRAINED", "DRAIN"
    if state & _NF.FAIL:
        return ("FAILING", "FAILG") if busy else ("FAIL", "FAIL")
    if state & _NF.INVALID_REG and base not in (_N.ALLOCATED, _N.MIXED):
        return "INVAL", "INVAL"
    if base == _N.DOWN:
        return "DOWN", "DOWN"
    if base in (_N.ALLOCATED,) and state & _NF.COMPLETING:
        return "ALLOCATED+", "ALLOC+"
    if state & _NF.COMPLETING and base != _N.MIXED:
        return "COMPLETING", "COMP"
    if base == _N.IDLE and state & (_NF.POWERED_DOWN | _NF.POWERING_DOWN):
        return _plain(base)
    if base == _N.IDLE and state & _NF.RES:
        return "RESERVED", "RESV"
    if base == _N.IDLE and state & _NF.PLANNED:
        return "PLANNED", "PLND"
    return _plain(base)


def _plain(base: int) -> tuple[str, str]:
    return _NODE_BASES[NodeState(base)] if base in set(NodeState) else ("?", "?")


def _node_mark(state: int, name: str) -> str:
    if state & _NF.POWERING_DOWN:
        return "%"
    if state & _NF.POWERED_DOWN:
        return "~"
    if state & _NF.POWER_DOWN:
        return "!"
    if state & (_NF.POWERING_UP | _NF.POWER_UP):
        return "#"
    if state & _NF.REBOOT_ISSUED and name == "REBOOT":
        return "^"
    if state & _NF.MAINT and name != "MAINT":
        return "$"
    if state & _NF.REBOOT_REQUESTED:
        return "@"
    if state & _NF.NO_RESPOND:
        return "*"
    return ""


_NODE_FLAG_WORDS = (
    (_NF.CLOUD, "CLOUD"),
    (_NF.COMPLETING, "COMPLETING"),
    (_NF.DRAIN, "DRAIN"),
    (_NF.DYNAMIC_FUTURE, "DYNAMIC_FUTURE"),
    (_NF.DYNAMIC_NORM, "DYNAMIC_NORM"),
    (_NF.INVALID_REG, "INVALID_REG"),
    (_NF.FAIL, "FAIL"),
    (_NF.MAINT, "MAINTENANCE"),
    (_NF.POWER_DOWN, "POWER_DOWN"),
    (_NF.POWER_UP, "POWER_UP"),
    (_NF.POWERED_DOWN, "POWERED_DOWN"),
    (_NF.REBOOT_REQUESTED, "REBOOT_REQUESTED"),
    (_NF.REBOOT_ISSUED, "REBOOT_ISSUED"),
    (_NF.RES, "RESERVED"),
    (_NF.RESUME, "RESUME"),
    (_NF.NO_RESPOND, "NOT_RESPONDING"),
    (_NF.PLANNED, "PLANNED"),
    (_NF.POWERING_DOWN, "POWERING_DOWN"),
    (_NF.POWERING_UP, "POWERING_UP"),
)


def node_flag_words(state: int) -> list[str]:
    """The names of all flags that are set."""
    return [word for flag, word in _NODE_FLAG_WORDS if state & flag]


def node_base_word(state: int) -> str:
    """The name of the base state alone."""
    return _plain(state & NODE_STATE_BASE)[0]


def node_state_complete(state: int) -> str:
    """Base state and every flag: `IDLE+DRAIN+NOT_RESPONDING`, as scontrol writes it."""
    return "+".join([node_base_word(state), *node_flag_words(state)])


def partition_state(state_up: int) -> str:
    """A partition's state, upper case."""
    return {3: "UP", 1: "DOWN", 2: "DRAIN", 0: "INACTIVE"}.get(state_up, "unknown")
