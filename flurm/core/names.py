"""Node names in text: ``n[1-3,7],login`` to names, and names to node masks.

Users and administrators write node lists in bracket form, and the state keeps what they wrote because `scontrol show
job` echoes it. This is the small half of a host list that the core needs, reading; the wire has its own, complete one.
"""

import itertools
import re

from flurm.core.records import Cluster

MOST_NAMES = 65_536
"""No list may stand for more names than this."""

_PART = re.compile(r"([^\[\],]*)\[([^\[\]]*)\]|([^\[\],]+)")


class BadNodeList(ValueError):
    """The text is no node list; the message says which part is wrong."""


def known_nodes(cluster: Cluster, text: str) -> list[str] | None:
    """The cluster's nodes that a list, or ALL, names; None where it names none, or one that there is not."""
    try:
        names = list(cluster.node_order) if text.upper() == "ALL" else expand(text)
    except BadNodeList:
        return None
    return names if names and all(name in cluster.nodes for name in names) else None


def expand(text: str) -> list[str]:
    """The names that a node list stands for, in the order written. Raises BadNodeList."""
    names: list[str] = []
    for entry in split(text):
        names += _expand_entry(entry)
        if len(names) > MOST_NAMES:
            raise BadNodeList(f"{text[:40]!r} stands for more than {MOST_NAMES} names")
    return names


def split(text: str) -> list[str]:
    """The parts of a list at the commas outside brackets. Raises BadNodeList where brackets do not pair."""
    parts, depth, start = [], 0, 0
    for position, char in enumerate(text):
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
        if not 0 <= depth <= 1:
            break
    if depth:
        raise BadNodeList(f"brackets do not pair in {text[:40]!r}")
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def node_mask(cluster: Cluster, text: str | None) -> int:
    """The nodes of a list as a mask; ALL is every node. Raises BadNodeList, and KeyError for a name of no node."""
    if not text:
        return 0
    if text.upper() == "ALL":
        return (1 << len(cluster.node_order)) - 1
    return cluster.mask_of(expand(text))


def _expand_entry(entry: str) -> list[str]:
    choices: list[list[str]] = []
    for literal, ranges, plain in _PART.findall(entry):
        choices.append([plain or literal])
        if ranges:
            choices.append([number for piece in ranges.split(",") for number in _expand_range(piece, entry)])
        elif not plain:
            raise BadNodeList(f"empty brackets in {entry[:40]!r}")
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > MOST_NAMES:
        raise BadNodeList(f"{entry[:40]!r} stands for more than {MOST_NAMES} names")
    return ["".join(parts) for parts in itertools.product(*choices)]


def _expand_range(piece: str, entry: str) -> list[str]:
    first, dash, last = piece.strip().partition("-")
    last = last if dash else first
    if (
        not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit())
        or len(first) > 18
        or len(last) > 18
    ):
        raise BadNodeList(f"{piece!r} is no number or range of numbers in {entry[:40]!r}")
    low, high, width = int(first), int(last), len(first)
    if high < low or high - low >= MOST_NAMES:
        raise BadNodeList(f"range {piece!r} runs backwards or too far in {entry[:40]!r}")
    return [f"{number:0{width}d}" for number in range(low, high + 1)]


def compress(names: list[str] | tuple[str, ...]) -> str:
    """The bracket form of names in their order: runs that differ in their trailing number fold."""
    folded: list[tuple[str, list[tuple[int, int]], int]] = []
    for name in names:
        match = re.fullmatch(r"(.*?)([0-9]{1,18})", name, re.DOTALL)
        if match is None:
            folded.append((name, [], 0))
            continue
        prefix, digits = match.groups()
        number, width = int(digits), len(digits)
        if folded and folded[-1][0] == prefix and folded[-1][1] and folded[-1][2] == width:
            ranges = folded[-1][1]
            if ranges[-1][1] + 1 == number:
                ranges[-1] = (ranges[-1][0], number)
            else:
                ranges.append((number, number))
        else:
            folded.append((prefix, [(number, number)], width))
    return ",".join(_fold(*entry) for entry in folded)


def _fold(prefix: str, ranges: list[tuple[int, int]], width: int) -> str:
    if not ranges:
        return prefix
    pieces = [f"{low:0{width}d}" if low == high else f"{low:0{width}d}-{high:0{width}d}" for low, high in ranges]
    if len(pieces) == 1 and "-" not in pieces[0]:
        return prefix + pieces[0]
    return f"{prefix}[{','.join(pieces)}]"
