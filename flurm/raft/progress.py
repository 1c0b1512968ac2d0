"""What a leader knows of another member: how much of the log it has, what is on its way to it, when it was last heard.

A member is probed with one message at a time until it is known where its log meets the leader's. Then entries are
streamed to it, ``next_index`` running ahead of the answers as far as the window allows. One that needs entries that
the leader no longer holds gets a snapshot first.
"""

from __future__ import annotations

import enum
from collections import deque

import msgspec

from flurm.raft.limits import Limits
from flurm.raft.records import Entry


class Phase(enum.Enum):
    """How a member is sent the log at the moment."""

    PROBE = "probe"
    REPLICATE = "replicate"
    SNAPSHOT = "snapshot"


class SnapshotSent(msgspec.Struct):
    """Where the transfer of a snapshot stands: the member has the bytes up to ``offset``."""

    index: int
    offset: int = 0
    in_flight: bool = False
    sent_ms: int = 0


class Progress(msgspec.Struct):
    """One member as its leader sees it."""

    next_index: int
    heard_ms: int
    match_index: int = 0
    phase: Phase = Phase.PROBE
    round: int = 0
    probing: bool = False
    snapshot: SnapshotSent | None = None
    window: deque[tuple[int, int]] = msgspec.field(default_factory=deque)
    """Messages under way: (last index, bytes)."""
    window_bytes: int = 0
    told_commit: int = 0
    """The commit index in the last message to it."""
    machines: tuple[int, int] | None = None
    """The oldest and the newest version of the state machine that it can do, once it has said so in this term."""
    leaving_until_ms: int | None = None
    """It no longer belongs to the cluster and is told so until then."""

    def probe(self, next_index: int) -> None:
        """Find out whether the member has what comes before ``next_index``."""
        self.phase, self.next_index = Phase.PROBE, max(next_index, self.match_index + 1)
        self.probing = False
        self.snapshot = None
        self.window.clear()
        self.window_bytes = 0

    def replicate(self) -> None:
        """Stream what follows ``match_index``."""
        self.probe(self.match_index + 1)
        self.phase = Phase.REPLICATE

    def await_snapshot(self, index: int) -> None:
        """The member gets the snapshot that ends at ``index``."""
        self.probe(self.next_index)
        self.phase, self.snapshot = Phase.SNAPSHOT, SnapshotSent(index)

    def sent(self, last_index: int, size: int) -> None:
        """Entries up to ``last_index`` are on their way."""
        self.window.append((last_index, size))
        self.window_bytes += size
        self.next_index = last_index + 1

    def matched(self, index: int) -> bool:
        """The member holds everything up to ``index``; whether that is news."""
        while self.window and self.window[0][0] <= index:
            self.window_bytes -= self.window.popleft()[1]
        if index <= self.match_index:
            return False
        self.match_index = index
        self.next_index = max(self.next_index, index + 1)
        return True

    def has_room(self, limits: Limits) -> bool:
        """Whether another message may be sent before the next answer."""
        return len(self.window) < limits.window_messages and self.window_bytes < limits.window_bytes


def size_of(entries: tuple[Entry, ...]) -> int:
    """What ``entries`` count in a window, in bytes."""
    return sum(len(entry.payload) for entry in entries)
