"""sinfo: partitions and the state of their nodes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from flurm.client.connection import Controller
from flurm.client.errors import CommandError, Refused
from flurm.client.layout import Column, long_format, render, short_format
from flurm.client.nodes import load_nodes
from flurm.client.options import flag, parse, takes
from flurm.client.sinfo_fields import LETTERS, WORDS, View
from flurm.client.sinfo_groups import group_nodes, sort_groups
from flurm.client.states import NODE_STATE_WORDS, node_state
from flurm.client.texts import clock
from protocol.constants import MessageType, NodeState, NodeStateFlag, PartitionFlag, ShowFlag
from protocol.hostlist import expand
from protocol.messages import (
    NodeInfo,
    PartitionInfo,
    PartitionInfoRequest,
    PartitionInfoResponse,
)

__all__ = ["OPTIONS", "lines", "run", "understand"]

OPTIONS = (
    flag("all", "a"),
    flag("dead", "d"),
    flag("exact", "e"),
    flag("federation", ""),
    takes("format", "o"),
    takes("Format", "O", "Format"),
    flag("help", ""),
    flag("hide", ""),
    takes("iterate", "i"),
    flag("json", ""),
    flag("list_reasons", "R"),
    flag("local", ""),
    flag("long", "l"),
    takes("clusters", "M", "clusters", "cluster"),
    takes("nodes", "n"),
    flag("noconvert", ""),
    flag("Node", "N", "Node"),
    flag("noheader", "h"),
    takes("partition", "p"),
    flag("reservation", "T"),
    flag("responding", "r"),
    takes("sort", "S"),
    takes("states", "t"),
    flag("summarize", "s"),
    flag("usage", ""),
    flag("verbose", "v"),
    flag("version", "V"),
)
_ENVIRONMENT = {
    "SINFO_ALL": "all",
    "SINFO_FORMAT": "format",
    "SINFO_FORMAT2": "Format",
    "SINFO_PARTITION": "partition",
    "SINFO_SORT": "sort",
}
_FORMATS = {
    "short": "%9P %.5a %.10l %.6D %.6t %N",
    "long": "%9P %.5a %.10l %.10s %.4r %.8h %.10g %.6D %.11T %N",
    "summary": "%9P %.5a %.10l %.16F %N",
    "node": "%N|%.6D %.9P %6t",
    "node_long": "%N|%.6D %.9P %.11T %4c %.8z %.6m %.8d %.6w %.8f %20E",
    "reasons": "%20E %9u %19H %N",
    "reasons_long": "%20E %12U %19H %6t %N",
}
_COMPLAINT = "Invalid node format specification"
_F = NodeStateFlag
_BUSY = (NodeState.ALLOCATED, NodeState.MIXED)


class Request(msgspec.Struct):
    """A command line, understood."""

    options: dict[str, str | None]
    nodes: set[str] | None = None
    states: list[Callable[[int], bool]] | None = None
    partitions: set[str] | None = None

    def has(self, name: str) -> bool:
        """Whether the option was given."""
        return name in self.options

    def shows(self, node: NodeInfo) -> bool:
        """Whether the node may be counted."""
        silent = bool(node.node_state & _F.NO_RESPOND)
        return not (
            (self.nodes is not None and node.name not in self.nodes)
            or (self.has("dead") and not silent)
            or (self.has("responding") and silent)
            or (self.states is not None and not any(each(node.node_state) for each in self.states))
            or (self.has("list_reasons") and not node.reason)
        )


def run(argv: list[str], controller: Callable[[], Controller]) -> int:
    """Print what was asked for and return the exit status."""
    request = understand(argv)
    while True:
        _show(request, controller())
        period_s = request.options.get("iterate")
        if period_s is None:
            return 0
        print(flush=True)
        time.sleep(int(period_s))


def understand(argv: list[str]) -> Request:
    """Read the command line and the environment. Raises UsageError or CommandError."""
    given, operands = parse("sinfo", OPTIONS, argv)
    if operands:
        raise CommandError(f"sinfo: error: Unrecognized option: {operands[0]}")
    options = {dest: os.environ[name] for name, dest in _ENVIRONMENT.items() if name in os.environ} | dict(given)
    if "Format" in dict(given):
        options.pop("format", None)
    elif "format" in dict(given):
        options.pop("Format", None)
    request = Request(options)
    if nodes := options.get("nodes"):
        request.nodes = set(expand(nodes))
    if parts := options.get("partition"):
        request.partitions = set(parts.split(","))
    if words := options.get("states"):
        request.states = [_state_test(each) for each in words.split(",") if each and each.lower() != "all"] or None
    elif "list_reasons" in options:
        request.states = [_state_test(each) for each in ("down", "drain", "fail")]
    return request


def _state_test(word: str) -> Callable[[int], bool]:
    """What a state must fulfil to be meant by a word of `-t`. Raises CommandError."""
    tests: dict[str, Callable[[int], bool]] = {
        "alloc": lambda state: state & 0xF in (NodeState.ALLOCATED, NodeState.MIXED),
        "cloud": lambda state: bool(state & _F.CLOUD),
        "comp": lambda state: bool(state & _F.COMPLETING),
        "down": lambda state: state & 0xF == NodeState.DOWN,
        "drain": lambda state: bool(state & _F.DRAIN),
        "drained": lambda state: bool(state & _F.DRAIN) and not _is_busy(state),
        "draining": lambda state: bool(state & _F.DRAIN) and _is_busy(state),
        "fail": lambda state: bool(state & _F.FAIL),
        "future": lambda state: state & 0xF == NodeState.FUTURE,
        "idle": lambda state: state & 0xF == NodeState.IDLE and not state & (_F.DRAIN | _F.COMPLETING),
        "maint": lambda state: bool(state & _F.MAINT),
        "mixed": lambda state: state & 0xF == NodeState.MIXED,
        "no_respond": lambda state: bool(state & _F.NO_RESPOND),
        "planned": lambda state: bool(state & _F.PLANNED),
        "powered_down": lambda state: bool(state & _F.POWERED_DOWN),
        "reserved": lambda state: bool(state & _F.RES),
        "unknown": lambda state: state & 0xF == NodeState.UNKNOWN,
    }
    wanted = {"allocated": "alloc", "completing": "comp", "mix": "mixed", "drng": "draining", "failing": "fail"}
    lowered = wanted.get(word.lower(), word.lower())
    if lowered not in tests:
        matching = [name for name in tests if name.startswith(lowered) and len(lowered) > 2]
        if not matching:
            raise CommandError(
                f'sinfo: error: Bad state string: "{word}"\nsinfo: error: valid states: {NODE_STATE_WORDS}'
            )
        lowered = matching[0]
    return tests[lowered]


def _is_busy(state: int) -> bool:
    return state & 0xF in _BUSY or bool(state & _F.COMPLETING)


def _show(request: Request, controller: Controller) -> None:
    if request.has("reservation"):
        _show_reservations(controller)
        return
    flags = int(ShowFlag.ALL) if request.has("all") else 0
    parts, nodes = _load(controller, flags)
    if request.has("json"):
        from flurm.client.json_out import nodes_document, print_document

        print_document(nodes_document(nodes, parts))
        return
    if request.has("long") and not request.has("noheader"):
        print(clock(time.time()))
    for line in lines(request, parts, nodes):
        print(line)


def _load(controller: Controller, flags: int) -> tuple[list[PartitionInfo], list[NodeInfo]]:
    try:
        parts = controller.fetch(
            PartitionInfoResponse, MessageType.REQUEST_PARTITION_INFO, PartitionInfoRequest(show_flags=flags)
        ).partition_array
    except Refused as error:
        raise CommandError(f"slurm_load_partitions: {error}") from error
    try:
        return parts, load_nodes(controller, flags | ShowFlag.ALL)
    except Refused as error:
        raise CommandError(f"slurm_load_node: {error}") from error


def lines(request: Request, parts: Sequence[PartitionInfo], nodes: Sequence[NodeInfo]) -> list[str]:
    """What is printed below the date line."""
    wanted = [part for part in parts if request.partitions is None or part.name in request.partitions]
    kind = _kind(request)
    columns = _columns(request, kind, nodes)
    by_node = request.has("Node")
    groups = group_nodes(wanted, nodes, request.shows, _alike(columns, by_node=by_node), _parts_alike(columns, by_node))
    if by_node or request.has("list_reasons"):
        groups = [group for group in groups if group.nodes]
    default_order = "N" if by_node else "E,H,N" if kind.startswith("reasons") else "#P,-t"
    if kind.startswith("reasons"):
        groups = sort_groups(groups, "N")
        default_order = ""
    view = View(exact=request.has("exact"))
    ordered = sort_groups(groups, request.options.get("sort") or default_order)
    return list(render(columns, ordered, view, header=not request.has("noheader")))


def _kind(request: Request) -> str:
    long = "_long" if request.has("long") else ""
    if request.has("summarize"):
        return "summary"
    if request.has("list_reasons"):
        return "reasons" + long
    if request.has("Node"):
        return "node" + long
    return "long" if long else "short"


def _columns(request: Request, kind: str, nodes: Sequence[NodeInfo]) -> list[Column]:
    if words := request.options.get("Format"):
        if words.lower() == "all":
            words = ",".join(WORDS)
        return long_format(words, WORDS, "sinfo: error: Invalid job format specification")
    text = request.options.get("format")
    if not text:
        widest = max([len(node.name or "") for node in nodes] + [9])
        text = _FORMATS[kind].replace("%N|", f"%{widest}N ")
    return short_format(text, LETTERS, _COMPLAINT)


def _alike(columns: Sequence[Column], *, by_node: bool) -> Callable[[NodeInfo], object]:
    """What nodes must have in common to share a line: the fields shown that cannot be summed up."""
    if by_node:
        return lambda node: node.name
    headers = {each.field.header for each in columns if each.field}
    tests = [test for header, test in _MUST_AGREE.items() if header in headers]
    return lambda node: tuple(test(node) for test in tests)


def _parts_alike(columns: Sequence[Column], by_node: bool) -> Callable[[PartitionInfo], object]:
    """What partitions must have in common to share lines."""
    if by_node:
        return lambda part: part.name
    headers = {each.field.header for each in columns if each.field}
    tests = [test for header, test in _PARTS_MUST_AGREE.items() if header in headers]
    return lambda part: tuple(test(part) for test in tests)


_PARTS_MUST_AGREE: dict[str, Callable[[PartitionInfo], object]] = {
    "PARTITION": lambda part: part.name,
    "AVAIL": lambda part: part.state_up,
    "ALLOCNODES": lambda part: part.allow_alloc_nodes,
    "DEFAULTTIME": lambda part: part.default_time,
    "GROUPS": lambda part: part.allow_groups,
    "JOB_SIZE": lambda part: (part.min_nodes, part.max_nodes),
    "MAX_CPUS_PER_NODE": lambda part: part.max_cpus_per_node,
    "OVERSUBSCRIBE": lambda part: part.max_share,
    "PREEMPT_MODE": lambda part: part.preempt_mode,
    "PRIO_JOB_FACTOR": lambda part: part.priority_job_factor,
    "PRIO_TIER": lambda part: part.priority_tier,
    "ROOT": lambda part: part.flags & PartitionFlag.ROOT_ONLY,
    "TIMELIMIT": lambda part: part.max_time,
}
_MUST_AGREE: dict[str, Callable[[NodeInfo], object]] = {
    "STATE": lambda node: node_state(node.node_state),
    "STATECOMPLETE": lambda node: node_state(node.node_state),
    "REASON": lambda node: node.reason,
    "TIMESTAMP": lambda node: node.reason_time,
    "USER": lambda node: node.reason_uid if node.reason_time else None,
    "AVAIL_FEATURES": lambda node: node.features,
    "ACTIVE_FEATURES": lambda node: node.features_act,
    "GRES": lambda node: node.gres,
    "GRES_USED": lambda node: node.gres_used,
    "HOSTNAMES": lambda node: node.node_hostname,
    "NODE_ADDR": lambda node: node.node_addr,
    "VERSION": lambda node: node.version,
    "COMMENT": lambda node: node.comment,
    "EXTRA": lambda node: node.extra,
}


def _show_reservations(controller: Controller) -> None:
    print("No reservations in the system", file=sys.stdout)
