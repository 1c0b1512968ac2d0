"""How sinfo puts nodes together: those of a partition that look alike in what is shown make one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from protocol.constants import NodeState, NodeStateFlag
from protocol.hostlist import expand, fold_sorted
from protocol.messages import NodeInfo, PartitionInfo

__all__ = ["Group", "group_nodes", "sort_groups"]

_F = NodeStateFlag


class Group(msgspec.Struct):
    """Nodes on one line, with the partition they are shown for; a partition may have a line without nodes."""

    part: PartitionInfo
    part_index: int
    nodes: list[NodeInfo] = []

    @property
    def first(self) -> NodeInfo | None:
        """The node whose features, reason and addresses stand for all."""
        return self.nodes[0] if self.nodes else None

    @property
    def names(self) -> str:
        """The nodes as a host list."""
        return fold_sorted(node.name or "" for node in self.nodes)

    def least_and_most(self, value: Callable[[NodeInfo], float]) -> tuple[float, float]:
        """The range of a number over the nodes."""
        values = [value(node) for node in self.nodes] or [0]
        return min(values), max(values)

    def node_counts(self) -> tuple[int, int, int, int]:
        """Nodes allocated, idle, in another state, and in all."""
        kinds = [_kind(node) for node in self.nodes]
        return kinds.count("A"), kinds.count("I"), kinds.count("O"), len(kinds)

    def cpu_counts(self) -> tuple[int, int, int, int]:
        """CPUs allocated, idle, in another state, and in all."""
        counts = [node_cpus(node) for node in self.nodes]
        columns = [sum(each) for each in zip(*counts, strict=True)] or [0, 0, 0, 0]
        return columns[0], columns[1], columns[2], columns[3]


def node_cpus(node: NodeInfo) -> tuple[int, int, int, int]:
    """A node's CPUs allocated, idle, otherwise unusable, and in all."""
    total, used = node.cpus_efctv or node.cpus, node.select_nodeinfo.alloc_cpus
    drained = node.node_state & (_F.DRAIN | _F.FAIL) or node.node_state & 0xF in (NodeState.DOWN, NodeState.UNKNOWN)
    free = total - used
    return used, 0 if drained else free, free if drained else 0, total


def _kind(node: NodeInfo) -> str:
    state, base = node.node_state, node.node_state & 0xF
    if base in (NodeState.ALLOCATED, NodeState.MIXED) or state & _F.COMPLETING:
        return "A"
    if state & (_F.DRAIN | _F.FAIL) or base != NodeState.IDLE:
        return "O"
    return "I"


Alike = Callable[[NodeInfo], object]


def group_nodes(
    parts: Sequence[PartitionInfo],
    nodes: Iterable[NodeInfo],
    shown: Callable[[NodeInfo], bool],
    alike: Alike,
    part_alike: Callable[[PartitionInfo], object],
) -> list[Group]:
    """The lines in the partitions' order; a partition that none of the nodes is shown for has an empty one.

    Partitions that agree in what is shown of them share their lines, and a node counts once on a line.
    """
    by_name = {node.name: node for node in nodes}
    found: dict[object, Group] = {}
    for index, part in enumerate(parts):
        here, kind = 0, part_alike(part)
        for name in expand(part.nodes) if part.nodes else []:
            node = by_name.get(name)
            if node is None or not shown(node):
                continue
            here += 1
            group = found.setdefault((kind, alike(node)), Group(part, index, []))
            if node not in group.nodes:
                group.nodes.append(node)
        if not here:
            found.setdefault((kind, None), Group(part, index, []))
    return [group for key, group in found.items() if group.nodes or not _has_nodes(found, key)]


def _has_nodes(found: dict[object, Group], key: object) -> bool:
    """Whether another line stands for the same partitions and has nodes."""
    return any(each[0] == key[0] and group.nodes for each, group in found.items())  # type: ignore[index]


def _first(attribute: str) -> Callable[[Group], Any]:
    return lambda group: getattr(group.first, attribute, None) or "" if group.first else ""


_KEYS: dict[str, Callable[[Group], Any]] = {
    "A": lambda group: group.node_counts()[0],
    "b": _first("features_act"),
    "c": lambda group: group.first.cpus if group.first else 0,
    "d": lambda group: group.first.tmp_disk if group.first else 0,
    "D": lambda group: len(group.nodes),
    "E": _first("reason"),
    "f": _first("features"),
    "F": lambda group: group.node_counts()[0],
    "g": lambda group: group.part.allow_groups or "",
    "H": lambda group: group.first.reason_time if group.first else 0,
    "l": lambda group: group.part.max_time,
    "m": lambda group: group.first.real_memory if group.first else 0,
    "n": _first("node_hostname"),
    "N": lambda group: _natural(group.nodes[0].name or "") if group.nodes else (),
    "O": lambda group: group.first.cpu_load if group.first else 0,
    "P": lambda group: group.part.name or "",
    "#P": lambda group: group.part_index,
    "R": lambda group: group.part.name or "",
    "t": lambda group: _state_rank(group),
    "T": lambda group: _state_rank(group),
    "u": lambda group: group.first.reason_uid if group.first else 0,
    "w": lambda group: group.first.weight if group.first else 0,
}


def _natural(name: str) -> tuple[str, int]:
    prefix = name.rstrip("0123456789")
    return prefix, int(name[len(prefix) :] or 0)


def _state_rank(group: Group) -> tuple[int, int]:
    """By base state, then by the flags beside it: a drained node stands beside an idle one."""
    state = group.first.node_state if group.first is not None else 0
    return state & 0xF, state & ~0xF


def sort_groups(groups: Sequence[Group], order: str) -> list[Group]:
    """The lines by the letters of `-S`, the first counting most; `-` reverses, `#` keeps the configured order."""
    result = list(groups)
    for word in reversed([each for each in order.split(",") if each]):
        backwards, letter = word.startswith("-"), word.lstrip("+-")
        if (key := _KEYS.get(letter)) is not None:
            result.sort(key=key, reverse=backwards)
    return result
