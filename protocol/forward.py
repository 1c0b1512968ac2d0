"""Fan-out: one request for many nodes travels as a tree, and the answers of all come back in one reply.

A sender cuts its list into at most `tree_width` branches. The first node of a branch, its head, gets the request with
the nodes behind it in the header; it answers for all of its branch, its own answer as the reply and the others as
`ret_list`. A head that hands on does the same with the list that it was given: `FanOut` serves sender and relay.

`FanOut` is a pure machine: `start`, `answered`, `failed` and `expired` take what happened and the time, and return the
requests to send now; when `is_done`, `answers` has exactly one item for each node. It never has more than `MAX_AT_ONCE`
requests under way, and sends each node at most one request of its own.

Seen with libslurm 22.05 and 24.11 (nodes that only listen, trees of width 2, 3 and 5, up to 30 nodes) and slurmd 22.05:
- 22.05 fills branch after branch: first a head and `tree_width` nodes behind it each, then rounds of `tree_width` more.
- 24.11 makes branches as equal as it can, longer ones first, and gives the tree twice the message timeout per level.
- Where a head fails, the sender of 22.05 asks each node behind it directly; its slurmd as a relay makes the next node
  the head of those that are left. So does this module, for a few heads: then a relay asks the others directly, too.
- slurmd 22.05 hands on with time 0 and width 0: the next node is to use its own.
- The first relay puts the address that it was called from into `orig_addr`; further ones keep it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.frame import Forward, Frame, RetItem
from protocol.hostlist import fold
from protocol.versions import Version
from protocol.wire import Address

__all__ = [
    "MAX_AT_ONCE",
    "MAX_NODES",
    "MOST_HEADS",
    "FanOut",
    "Send",
    "branches",
    "depth",
    "first_header",
    "onward",
    "tree_timeout_ms",
]

DEFAULT_WIDTH = 16
DEFAULT_TIMEOUT_MS = 10_000
LONGEST_TIMEOUT_MS = 600_000
MAX_NODES = 0xFFFF
"""The header counts further nodes in 16 bits."""
MAX_AT_ONCE = 64
MOST_HEADS = 4
"""So many heads of a branch may fail before a relay asks those behind them one by one."""
_OWN_SHARE = 10
"""A hop keeps one part in so many of its time for its own answer, where the header does not tell the depth."""


class Send(NamedTuple):
    """A request to send now: to `node`, with the nodes behind it in its header, and how long to wait for the reply."""

    node: str
    forward: Forward | None
    timeout_ms: int


class _Branch(NamedTuple):
    head: str
    behind: Sequence[str]
    heads_failed: int = 0


def branches(nodes: Sequence[str], width: int, version: int) -> list[Sequence[str]]:
    """The list cut into at most `width` parts, none of them empty, as daemons of this protocol version cut it."""
    total = len(nodes)
    if total <= width:
        sizes = [1] * total
    elif version >= Version.V24_11:
        sizes = [total // width + (index < total % width) for index in range(width)]
    else:
        sizes = _filled(total, width)
    parts, start = [], 0
    for size in sizes:
        parts.append(nodes[start : start + size])
        start += size
    return parts


def _filled(total: int, width: int) -> list[int]:
    """Branch sizes as 22.05 fills them; whole rounds at once, so that a long list takes no longer."""
    first = width + 1
    if total <= width * first:
        whole, rest = divmod(total, first)
        return [first] * whole + [rest] * (rest > 0)
    rounds, left = divmod(total - width * first, width * width)
    return [first + rounds * width + min(max(left - index * width, 0), width) for index in range(width)]


def depth(total: int, width: int) -> int:
    """How many levels a tree of this width needs for so many nodes."""
    level, reached, row = 0, 0, 1
    while reached < total:
        row *= width
        reached += row
        level += 1
    return level


def tree_timeout_ms(total: int, width: int, message_timeout_ms: int, version: int) -> int:
    """How long the sender of a request to `total` nodes lets a branch take."""
    levels = 2 * max(depth(total, max(width, 1)), 1) if version >= Version.V24_11 else 1
    return min(message_timeout_ms * levels, LONGEST_TIMEOUT_MS)


def first_header(nodes: Iterable[str], width: int, message_timeout_ms: int, version: int) -> Forward:
    """The header of a sender, for `FanOut`: all the nodes, its own tree's width, depth and time."""
    names = list(dict.fromkeys(nodes))
    timeout_ms = tree_timeout_ms(len(names), width, message_timeout_ms, version)
    levels = depth(len(names), max(width, 1))
    return Forward(fold(names), timeout_ms, width, tree_depth=levels, count=len(names))


def onward(frame: Frame, send: Send, caller: Address) -> Frame:
    """The frame for a branch: credential and body as they came, the branch's header, the first sender's address."""
    origin = frame.orig_addr if frame.orig_addr.family else caller
    return msgspec.structs.replace(frame, forward=send.forward, ret_list=[], orig_addr=origin)


class FanOut:
    """One request on its way to the nodes of `header`; `nodes` are their names, `itself` who hands on.

    A sender has no name in `itself`: its header goes out as it stands, and it waits a little longer than it says. A
    relay gives a branch less time than it has. Names that stand twice are asked once, and a relay does not ask itself,
    as its answer is the reply. More than MAX_NODES raise ValueError.
    """

    def __init__(self, header: Forward, nodes: Iterable[str], version: int, *, itself: str | None = None) -> None:
        self._header = header
        self._version = version
        self._is_relay = itself is not None
        self._nodes = [name for name in dict.fromkeys(nodes) if name != itself]
        if len(self._nodes) > MAX_NODES:
            raise ValueError(f"a request for {len(self._nodes)} nodes: more than {MAX_NODES} do not fit in a header")
        self._width = header.tree_width or DEFAULT_WIDTH
        self._timeout_ms = min(header.timeout_ms or DEFAULT_TIMEOUT_MS, LONGEST_TIMEOUT_MS)
        self._deadline_s = 0.0
        self._waiting: deque[_Branch] = deque()
        self._under_way: dict[str, _Branch] = {}
        self._answers: dict[str, RetItem] = {}

    @property
    def is_done(self) -> bool:
        """Whether every node has an answer or a failure."""
        return len(self._answers) == len(self._nodes)

    @property
    def answers(self) -> list[RetItem]:
        """One item for each node that is settled, in the order in which they were."""
        return list(self._answers.values())

    @property
    def deadline_s(self) -> float:
        """When `expired` is due, on the clock of `start`."""
        return self._deadline_s

    def start(self, now_s: float) -> list[Send]:
        """The first requests."""
        own_ms = 0 if self._is_relay else self._timeout_ms // _OWN_SHARE
        self._deadline_s = now_s + (self._timeout_ms + own_ms) / 1000
        for part in branches(self._nodes, self._width, self._version):
            self._waiting.append(_Branch(part[0], part[1:]))
        return self._next(now_s)

    def answered(self, head: str, answer: RetItem, others: Iterable[RetItem], now_s: float) -> list[Send]:
        """A head replied, with what it got from those behind it. Whom it does not mention has failed."""
        branch = self._under_way.pop(head, None)
        if branch is None:
            return []
        self._answers[head] = msgspec.structs.replace(answer, node_name=head)
        open_names = set(branch.behind)
        for item in others:
            if item.node_name in open_names:
                open_names.discard(item.node_name)
                self._answers[item.node_name] = item
        self._give_up(name for name in branch.behind if name in open_names)
        return self._next(now_s)

    def failed(self, head: str, now_s: float) -> list[Send]:
        """A head was not reached or did not reply: it has failed, and those behind it are asked in another way."""
        branch = self._under_way.pop(head, None)
        if branch is None:
            return []
        self._give_up([head])
        heads_failed = branch.heads_failed + 1
        if self._is_relay and branch.behind and heads_failed < MOST_HEADS:
            self._waiting.append(_Branch(branch.behind[0], branch.behind[1:], heads_failed))
        else:
            self._waiting.extend(_Branch(name, ()) for name in branch.behind)
        return self._next(now_s)

    def expired(self) -> None:
        """The time is up: who has not answered has failed."""
        self._waiting.clear()
        self._under_way.clear()
        self._give_up(name for name in self._nodes if name not in self._answers)

    def _next(self, now_s: float) -> list[Send]:
        left_ms = round((self._deadline_s - now_s) * 1000)
        if left_ms <= 0:
            self.expired()
        sends = []
        while self._waiting and len(self._under_way) < MAX_AT_ONCE:
            branch = self._waiting.popleft()
            self._under_way[branch.head] = branch
            sends.append(Send(branch.head, self._header_for(branch.behind, left_ms), left_ms))
        return sends

    def _header_for(self, behind: Sequence[str], left_ms: int) -> Forward | None:
        """The header for a branch, with less time than we have: its late answer would find nobody waiting."""
        if not behind:
            return None
        levels = self._header.tree_depth
        part_ms = left_ms - left_ms // _OWN_SHARE
        if not self._is_relay:
            part_ms = min(left_ms * _OWN_SHARE // (_OWN_SHARE + 1), self._timeout_ms)
        elif levels > 1:
            part_ms = left_ms * (levels - 1) // levels
        return msgspec.structs.replace(
            self._header,
            nodes=fold(behind),
            count=len(behind),
            timeout_ms=max(part_ms, 1),
            tree_width=self._width,
            tree_depth=max(levels - 1, 0) if self._is_relay else levels,
        )

    def _give_up(self, names: Iterable[str]) -> None:
        for name in names:
            self._answers[name] = RetItem(
                name, MessageType.RESPONSE_FORWARD_FAILED, Errno.SLURM_COMMUNICATIONS_CONNECTION_ERROR
            )
