"""A model of one member's storage: what it is asked for happens later, and a crash keeps only what was synced.

It behaves as ``flurm.storage`` promises: requests are carried out in order, neighbouring appends share one sync, hard
state before entries, a replaced suffix is cut off before the new one is written. What is being written when the member
crashes may have reached the disk wholly, in part, or not at all; what waited behind it has not.

A full disk refuses an append, having cut off the suffix before or not, and everything else of that epoch. A broken one
must be opened anew: its owner restarts.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from flurm.raft.effects import Append, StoreChunk
from flurm.raft.events import (
    Appended,
    AppendFailed,
    ChunkFailed,
    ChunkStored,
    Event,
    FailureKind,
    Recovered,
    SnapshotStored,
    SnapshotTaken,
)
from flurm.raft.records import Configuration, Entry, HardState


class Snapshot(msgspec.Struct, frozen=True):
    """The state after (``index``, ``term``), as bytes."""

    index: int = 0
    term: int = 0
    configuration: Configuration | None = None
    data: bytes = b""


Request: TypeAlias = Append | StoreChunk | Snapshot
Later: TypeAlias = Callable[[float, Callable[[], None]], None]


class Disk:
    """One member's storage. ``later`` has something happen after some milliseconds, ``notify`` takes the answers."""

    def __init__(
        self, draw: random.Random, sync_ms: tuple[float, float], later: Later, notify: Callable[[Event], None]
    ) -> None:
        self._draw = draw
        self._sync_ms = sync_ms
        self._later = later
        self._notify = notify
        self.slow_ms = 0.0
        self.full = False
        self.broken = False
        self.hard_state = HardState()
        self.snapshot = Snapshot()
        self.base_index = 0
        self.entries: list[Entry] = []
        self._pieces = b""
        self._queue: deque[Request] = deque()
        self._writing: list[Request] = []
        self._refused_epoch = -1
        self._mount = 0

    @property
    def last(self) -> tuple[int, int]:
        """Index and term of the last entry on disk."""
        if self.entries:
            return self.entries[-1].index, self.entries[-1].term
        return (self.base_index, self.snapshot.term) if self.base_index else (0, 0)

    @property
    def continues_snapshot(self) -> bool:
        """Whether the log begins at the snapshot or reaches over it; what does not is left from before it."""
        if self.base_index == self.snapshot.index:
            return True
        position = self.snapshot.index - self.base_index - 1
        return 0 <= position < len(self.entries) and self.entries[position].term == self.snapshot.term

    def holds(self, entry: Entry) -> bool:
        """Whether the entry, or a snapshot after it, is durable."""
        if entry.index <= self.snapshot.index:
            return True
        position = entry.index - self.base_index - 1
        return 0 <= position < len(self.entries) and self.entries[position].term == entry.term

    def submit(self, request: Request) -> None:
        """Queue a request; the answer comes through ``notify``."""
        self._queue.append(request)
        if not self._writing:
            self._begin()

    def crash(self) -> None:
        """Lose what is not durable: of what is being written a part may have arrived."""
        self._mount += 1
        if self._writing and self._draw.random() < 0.7:
            self._arrive_in_part(self._writing)
        self._writing, self._pieces = [], b""
        self._queue.clear()

    def recover(self) -> Recovered:
        """Open what is there; a log that does not continue the snapshot is left from before it and goes."""
        snapshot = self.snapshot
        if not self.continues_snapshot:
            self.entries = []
        self.entries = [entry for entry in self.entries if entry.index > snapshot.index]
        self.base_index = snapshot.index
        self._refused_epoch = -1
        self.broken = False
        return Recovered(self.hard_state, snapshot.index, snapshot.term, tuple(self.entries), snapshot.configuration)

    def _begin(self) -> None:
        """Write the next request, and with an append those that continue it."""
        request = self._queue.popleft()
        self._writing = [request]
        while isinstance(request, Append) and self._queue and _continued(request, self._queue[0]):
            request = self._queue.popleft()
            self._writing.append(request)
        low, high = self._sync_ms
        duration = low + (high - low) * self._draw.random() + self.slow_ms * self._draw.random()
        mount = self._mount
        self._later(duration, lambda: self._finish(mount))

    def _finish(self, mount: int) -> None:
        if mount != self._mount:
            return
        done, self._writing = self._writing, []
        answer = self._carry_out(done)
        if self._queue:
            self._begin()
        if answer is not None:
            self._notify(answer)

    def _carry_out(self, requests: list[Request]) -> Event | None:
        request = requests[0]
        if isinstance(request, Append):
            return self._append([append for append in requests if isinstance(append, Append)])
        if isinstance(request, StoreChunk):
            return self._store(request)
        return self._take(request)

    def _append(self, group: list[Append]) -> Event | None:
        epoch = group[0].epoch
        if epoch <= self._refused_epoch:
            return None
        entries = [entry for append in group for entry in append.entries]
        if self.full or self.broken:
            self._refused_epoch = epoch
            if entries and self._draw.random() < 0.5:
                self._cut(entries[0].index)
            kind = FailureKind.POISONED if self.broken else FailureKind.FULL
            return AppendFailed(self.last[0], kind, "no space" if self.full else "broken", epoch)
        self._write(group[0].hard_state, entries)
        return Appended(*self.last, group[0].hard_state, epoch)

    def _write(self, hard_state: HardState | None, entries: list[Entry]) -> None:
        if hard_state is not None:
            self.hard_state = hard_state
        if entries:
            self._cut(entries[0].index)
            last = self.last[0]
            assert entries[0].index == last + 1, f"entry {entries[0].index} written after {last}"
            self.entries += entries

    def _cut(self, first: int) -> None:
        assert first > self.base_index, f"entry {first} is replaced, the log on disk begins after {self.base_index}"
        del self.entries[first - self.base_index - 1 :]

    def _store(self, piece: StoreChunk) -> Event:
        if self.full:
            return ChunkFailed(piece.index, 0, "no space")
        if piece.offset == 0:
            self._pieces = b""
        if piece.offset != len(self._pieces):
            return ChunkFailed(piece.index, 0, "a piece is missing")
        self._pieces += piece.data
        if not piece.done:
            return ChunkStored(piece.index, len(self._pieces))
        self.snapshot = Snapshot(piece.index, piece.term, piece.configuration, self._pieces)
        self.entries, self.base_index = [], piece.index
        return SnapshotStored(piece.index, piece.term, piece.configuration)

    def _take(self, snapshot: Snapshot) -> Event | None:
        """Keep a snapshot of the own state, and of the log only what follows it."""
        if self.full or snapshot.index <= self.snapshot.index:
            return None
        self.snapshot = snapshot
        self.entries = [entry for entry in self.entries if entry.index > snapshot.index]
        self.base_index = snapshot.index
        return SnapshotTaken(snapshot.index, snapshot.term)

    def _arrive_in_part(self, requests: list[Request]) -> None:
        request = requests[0]
        if isinstance(request, Append):
            entries = [entry for append in requests if isinstance(append, Append) for entry in append.entries]
            if request.epoch <= self._refused_epoch or self.full or self.broken:
                return
            arrived = entries[: self._draw.randint(0, len(entries))]
            if entries and not arrived and self._draw.random() < 0.5:
                self._cut(entries[0].index)
            self._write(request.hard_state, arrived)
        elif isinstance(request, Snapshot):
            self._take(request)
        elif request.done and request.offset == len(self._pieces) and not self.full:
            data = self._pieces + request.data
            self.snapshot = Snapshot(request.index, request.term, request.configuration, data)


def _continued(last: Append, request: Request) -> bool:
    if not isinstance(request, Append) or request.hard_state is not None or request.epoch != last.epoch:
        return False
    return bool(last.entries and request.entries) and request.entries[0].index == last.entries[-1].index + 1
