"""Everything that sinfo can show about partitions and groups of nodes: `-o` letters and `-O` words."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flurm.client.layout import Field
from flurm.client.sinfo_groups import Group
from flurm.client.states import node_state, node_state_complete, partition_state
from flurm.client.texts import moment, or_null, span, user_name
from protocol.constants import INFINITE, NO_VAL, NO_VAL64, SHARED_FORCE, PartitionFlag, PreemptMode
from protocol.messages import NodeInfo, PartitionInfo

__all__ = ["LETTERS", "WORDS", "View"]


class View(NamedTuple):
    """What a field may need besides its group."""

    exact: bool = False


def _field(header: str, text: Callable[[Group], str]) -> Field:
    return Field(header, lambda group, view: text(group))


def _node(header: str, text: Callable[[NodeInfo], str], absent: str = "") -> Field:
    return _field(header, lambda group: text(group.first) if group.first else absent)


def _part(header: str, text: Callable[[PartitionInfo], str]) -> Field:
    return _field(header, lambda group: text(group.part))


def _number(header: str, value: Callable[[NodeInfo], float]) -> Field:
    def text(group: Group, view: View) -> str:
        least, most = group.least_and_most(value)
        if least == most:
            return _amount(least)
        return f"{_amount(least)}-{_amount(most)}" if view.exact else f"{_amount(least)}+"

    return Field(header, text)


def _amount(value: float) -> str:
    return str(int(value))


def _load(header: str) -> Field:
    def text(group: Group, view: View) -> str:
        if any(node.cpu_load == NO_VAL for node in group.nodes) or not group.nodes:
            return "N/A"
        least, most = group.least_and_most(lambda node: node.cpu_load)
        return f"{least / 100:.2f}" if least == most else f"{least / 100:.2f}-{most / 100:.2f}"

    return Field(header, text)


def _free_memory(header: str) -> Field:
    def text(group: Group, view: View) -> str:
        if any(node.free_mem == NO_VAL64 for node in group.nodes) or not group.nodes:
            return "N/A"
        least, most = group.least_and_most(lambda node: node.free_mem)
        return f"{int(least)}" if least == most else f"{int(least)}-{int(most)}"

    return Field(header, text)


def _slashes(counts: tuple[int, ...]) -> str:
    return "/".join(str(each) for each in counts)


def _span_of(minutes: int) -> str:
    return "infinite" if minutes == INFINITE else "n/a" if minutes == NO_VAL else span(minutes * 60)


def _size(part: PartitionInfo) -> str:
    least = max(part.min_nodes, 1)
    if part.max_nodes == INFINITE:
        return f"{least}-infinite"
    return str(least) if least == part.max_nodes else f"{least}-{part.max_nodes}"


def _oversubscribe(part: PartitionInfo) -> str:
    share, force = part.max_share & ~SHARED_FORCE, part.max_share & SHARED_FORCE
    if share == 0:
        return "EXCLUSIVE"
    if force:
        return f"FORCE:{share}"
    return "NO" if share == 1 else f"YES:{share}"


def _preempt(part: PartitionInfo) -> str:
    mode = 0 if part.preempt_mode == 0xFFFE else part.preempt_mode
    names = [flag.name or "" for flag in (PreemptMode.SUSPEND, PreemptMode.REQUEUE, PreemptMode.CANCEL) if mode & flag]
    return ",".join((["GANG"] if mode & PreemptMode.GANG else []) + names) or "OFF"


def _name(part: PartitionInfo) -> str:
    return (part.name or "") + ("*" if part.flags & PartitionFlag.DEFAULT else "")


def _reason_time(node: NodeInfo) -> str:
    return moment(node.reason_time)


def _reason_user(node: NodeInfo, *, long: bool) -> str:
    if not node.reason_time:
        return "Unknown"
    name = user_name(node.reason_uid)
    return f"{name}({node.reason_uid})" if long else name


def _sct(group: Group, view: View) -> str:
    return ":".join(each.text(group, view) for each in (_SOCKETS, _CORES, _THREADS))


_SOCKETS = _number("SOCKETS", lambda node: node.sockets)
_CORES = _number("CORES", lambda node: node.cores)
_THREADS = _number("THREADS", lambda node: node.threads)

LETTERS = {
    "a": _part("AVAIL", lambda part: partition_state(part.state_up).lower()),
    "A": _field("NODES(A/I)", lambda group: _slashes(group.node_counts()[:2])),
    "b": _node("ACTIVE_FEATURES", lambda node: or_null(node.features_act)),
    "B": _part(
        "MAX_CPUS_PER_NODE",
        lambda part: "UNLIMITED" if part.max_cpus_per_node == INFINITE else str(part.max_cpus_per_node),
    ),
    "c": _number("CPUS", lambda node: node.cpus),
    "C": _field("CPUS(A/I/O/T)", lambda group: _slashes(group.cpu_counts())),
    "d": _number("TMP_DISK", lambda node: node.tmp_disk),
    "D": _field("NODES", lambda group: str(len(group.nodes))),
    "e": _free_memory("FREE_MEM"),
    "E": _node("REASON", lambda node: node.reason or "none", "none"),
    "f": _node("AVAIL_FEATURES", lambda node: or_null(node.features)),
    "F": _field("NODES(A/I/O/T)", lambda group: _slashes(group.node_counts())),
    "g": _part("GROUPS", lambda part: part.allow_groups or "all"),
    "G": _node("GRES", lambda node: or_null(node.gres)),
    "h": _part("OVERSUBSCRIBE", _oversubscribe),
    "H": _node("TIMESTAMP", _reason_time, "Unknown"),
    "I": _part("PRIO_JOB_FACTOR", lambda part: str(part.priority_job_factor)),
    "l": _part("TIMELIMIT", lambda part: _span_of(part.max_time)),
    "L": _part("DEFAULTTIME", lambda part: _span_of(part.default_time)),
    "m": _number("MEMORY", lambda node: node.real_memory),
    "M": _part("PREEMPT_MODE", _preempt),
    "n": _field("HOSTNAMES", lambda group: _unique(group, "node_hostname")),
    "N": _field("NODELIST", lambda group: group.names),
    "o": _field("NODE_ADDR", lambda group: _unique(group, "node_addr")),
    "O": _load("CPU_LOAD"),
    "p": _part("PRIO_TIER", lambda part: str(part.priority_tier)),
    "P": _part("PARTITION", _name),
    "r": _part("ROOT", lambda part: "yes" if part.flags & PartitionFlag.ROOT_ONLY else "no"),
    "R": _part("PARTITION", lambda part: part.name or ""),
    "s": _part("JOB_SIZE", _size),
    "S": _part("ALLOCNODES", lambda part: part.allow_alloc_nodes or "all"),
    "t": _node("STATE", lambda node: node_state(node.node_state, compact=True).lower(), "n/a"),
    "T": _node("STATE", lambda node: node_state(node.node_state).lower(), "n/a"),
    "u": _node("USER", lambda node: _reason_user(node, long=False), "Unknown"),
    "U": _node("USER", lambda node: _reason_user(node, long=True), "Unknown"),
    "v": _node("VERSION", lambda node: or_null(node.version)),
    "V": _field("CLUSTER", lambda group: "N/A"),
    "w": _number("WEIGHT", lambda node: node.weight),
    "X": _SOCKETS,
    "Y": _CORES,
    "Z": _THREADS,
    "z": Field("S:C:T", _sct),
}


def _unique(group: Group, attribute: str) -> str:
    seen = list(dict.fromkeys(getattr(node, attribute) or "" for node in group.nodes))
    return ",".join(seen)


_LETTER_OF_WORD = {
    "allocnodes": "S",
    "available": "a",
    "cluster": "V",
    "cores": "Y",
    "cpus": "c",
    "cpusload": "O",
    "cpusstate": "C",
    "defaulttime": "L",
    "disk": "d",
    "features": "f",
    "features_act": "b",
    "freemem": "e",
    "gres": "G",
    "groups": "g",
    "maxcpuspernode": "B",
    "memory": "m",
    "nodeaddr": "o",
    "nodeai": "A",
    "nodeaiot": "F",
    "nodehost": "n",
    "nodelist": "N",
    "nodes": "D",
    "oversubscribe": "h",
    "partition": "P",
    "partitionname": "R",
    "preemptmode": "M",
    "priorityjobfactor": "I",
    "prioritytier": "p",
    "reason": "E",
    "root": "r",
    "share": "h",
    "size": "s",
    "socketcorethread": "z",
    "sockets": "X",
    "statecompact": "t",
    "statelong": "T",
    "threads": "Z",
    "time": "l",
    "timestamp": "H",
    "user": "u",
    "userlong": "U",
    "version": "v",
    "weight": "w",
}
WORDS = {word: LETTERS[letter] for word, letter in _LETTER_OF_WORD.items()} | {
    "allocmem": _number("ALLOCMEM", lambda node: node.select_nodeinfo.alloc_memory),
    "comment": _node("COMMENT", lambda node: or_null(node.comment)),
    "extra": _node("EXTRA", lambda node: or_null(node.extra)),
    "gresused": _node("GRES_USED", lambda node: or_null(node.gres_used)),
    "port": _number("PORT", lambda node: node.port),
    "statecomplete": _node("STATECOMPLETE", lambda node: node_state_complete(node.node_state).lower(), "n/a"),
}
