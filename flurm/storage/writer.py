"""The log writer: a thread that turns appends into group commits, so that nobody else waits for a disk.

It takes everything that waits, makes one write and one fdatasync of it, and tells the Raft server's owner with the
events that the Raft core expects: ``Appended`` for the last entry that became durable, ``AppendFailed`` where storage
refused. While one group is synced the next one gathers; under load a sync is shared by many.

After a refusal the writer drops what is left of that append's epoch, for those entries would leave a gap; the Raft
server knows, and begins a new epoch. A log that is poisoned stays so: every later append is refused until the owner
has opened storage anew.

Pieces of a leader's snapshot pass through the same queue, one sync each, so that the log is begun anew after the last
of them in order with the appends around it. Where the log holds the very entry that the snapshot ends with, what
follows it stays: it may have been acknowledged (Raft paper, section 7).

The queue is bounded. The Raft server's own limits keep it from filling, so a full queue is a programming error.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeAlias

import msgspec
import structlog

from flurm.raft.effects import Append, StoreChunk
from flurm.raft.events import Appended, AppendFailed, ChunkFailed, ChunkStored, FailureKind, SnapshotStored
from flurm.raft.records import Entry, HardState
from flurm.storage.errors import LogPoisoned, StorageError, StorageFull
from flurm.storage.hard_state import HardStateFile
from flurm.storage.segments import SegmentLog
from flurm.storage.snapshots import SnapshotInfo
from flurm.storage.transfer import Incoming

QUEUE_MAX = 65_536
GROUP_BYTES = 4 * 1024 * 1024

Said: TypeAlias = Appended | AppendFailed | ChunkStored | ChunkFailed | SnapshotStored
Notify: TypeAlias = Callable[[Said], None]

log = structlog.get_logger(__name__)


class Counters(msgspec.Struct):
    """What the writer has done so far."""

    syncs: int = 0
    entries: int = 0
    bytes: int = 0
    failures: int = 0
    largest_group: int = 0


class _Compact(msgspec.Struct, frozen=True):
    upto: int


class _Stop(msgspec.Struct, frozen=True):
    pass


_Request: TypeAlias = Append | StoreChunk | _Compact | _Stop


class LogWriter:
    """Owns ``segments`` and ``hard_state`` from ``start`` to ``stop``; ``notify`` is called in the writer's thread.

    ``notify`` must not block and not raise: put the event into a mailbox. ``incoming`` takes pieces of snapshots;
    ``sync_blobs`` makes durable what else only a log would bring back, before that log goes.
    """

    def __init__(
        self,
        segments: SegmentLog,
        hard_state: HardStateFile,
        notify: Notify,
        incoming: Incoming | None = None,
        sync_blobs: Callable[[], None] = lambda: None,
    ) -> None:
        self.counters = Counters()
        self._segments = segments
        self._hard_state = hard_state
        self._notify = notify
        self._incoming = incoming
        self._sync_blobs = sync_blobs
        self._queue: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._epoch = 0
        self._crash: Exception | None = None
        self.refused_epoch = -1
        """Whatever comes of this epoch or an earlier one follows what was refused. A writer that takes over from
        another for the same server has to know."""
        self._thread = threading.Thread(target=self._run, name="flurm-log-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def submit(self, work: Append | StoreChunk) -> None:
        """Queue an append or a piece of a snapshot; ``notify`` will hear of it.

        Raises queue.Full, LogPoisoned where the writer has crashed.
        """
        if self._crash is not None:
            raise LogPoisoned(f"the log writer crashed, open the log anew: {self._crash!r}")
        self._put(work)

    def compact(self, upto: int) -> None:
        """Queue the removal of segments that hold no entry after ``upto``. Raises queue.Full."""
        self._put(_Compact(upto))

    def _put(self, request: _Request) -> None:
        if self._queue.qsize() >= QUEUE_MAX:
            raise queue.Full
        self._queue.put(request)

    def waiting(self) -> int:
        """How many requests are queued."""
        return self._queue.qsize()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Write and report everything queued so far, then end. Raises StorageError where the disk hangs for longer."""
        self._queue.put(_Stop())
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise StorageError(f"the log writer did not finish within {timeout_s:g} s: the device does not answer")

    def _run(self) -> None:
        try:
            while self._work(self._queue.get()):
                pass
        except Exception as error:
            log.exception("log writer crashed")
            self._crash = error
            self._notify(AppendFailed(0, FailureKind.POISONED, f"the log writer crashed: {error!r}", self._epoch))

    def _work(self, request: _Request | None) -> bool:
        """Carry out ``request`` and what waits behind it; False where that was the end."""
        while request is not None:
            if isinstance(request, Append):
                group, following = self._gather(request)
                self._write(group)
                request = following
                continue
            if isinstance(request, _Stop):
                return False
            if isinstance(request, StoreChunk):
                self._store_chunk(request)
            else:
                self._compact(request.upto)
            return True
        return True

    def _gather(self, first: Append) -> tuple[list[Append], _Request | None]:
        """``first`` and what waits and can be written along with it, and the request that ended the group."""
        group, size = [first], _size(first)
        while size < GROUP_BYTES:
            try:
                request = self._queue.get_nowait()
            except queue.Empty:
                break
            if not isinstance(request, Append) or not _continues(group[-1], request):
                return group, request
            group.append(request)
            size += _size(request)
        return group, None

    def _write(self, group: list[Append]) -> None:
        self._epoch = group[0].epoch
        if self._epoch <= self.refused_epoch:
            return
        entries = [entry for append in group for entry in append.entries]
        try:
            hard_state = self._store(group[0].hard_state, entries)
        except StorageError as error:
            self._refuse(error)
            return
        self._count(entries)
        self._notify(Appended(self._segments.last_index, self._segments.last_term, hard_state, self._epoch))

    def _store(self, hard_state: HardState | None, entries: list[Entry]) -> HardState | None:
        if hard_state is not None:
            self._hard_state.save(hard_state)
        if entries:
            self._segments.replace(entries)
        return hard_state

    def _refuse(self, error: StorageError) -> None:
        self.refused_epoch = self._epoch
        self.counters.failures += 1
        kind = _failure_kind(error)
        log.error("append refused", reason=str(error), kind=kind.value, last_index=self._segments.last_index)
        self._notify(AppendFailed(self._segments.last_index, kind, str(error), self._epoch))

    def _store_chunk(self, chunk: StoreChunk) -> None:
        assert self._incoming is not None, "this writer takes no snapshots"
        stored = self._incoming.store(chunk)
        if isinstance(stored, SnapshotInfo):
            self._begin_after(stored, chunk)
        elif stored is not None:
            self._notify(stored)

    def _begin_after(self, snapshot: SnapshotInfo, chunk: StoreChunk) -> None:
        """Let the log begin after ``snapshot``, which is in place: opening the directory now would do the same."""
        try:
            self._sync_blobs()
            if self._segments.holds(snapshot.index, snapshot.term):
                self._segments.truncate_prefix(snapshot.index)
            else:
                self._segments.reset(snapshot.index, snapshot.term)
        except StorageError as error:
            # The log no longer fits the snapshot: nothing may be written to it until storage is opened anew.
            self._segments.poison(f"beginning the log after snapshot {snapshot.index} failed: {error}")
            self._refuse(LogPoisoned(f"the log does not begin after snapshot {snapshot.index}: {error}"))
            return
        log.info("snapshot received", index=snapshot.index, term=snapshot.term, bytes=snapshot.size)
        self._notify(SnapshotStored(snapshot.index, snapshot.term, snapshot.configuration or chunk.configuration))

    def _compact(self, upto: int) -> None:
        try:
            self._segments.truncate_prefix(upto)
        except StorageError as error:
            # The log is merely longer than it has to be; the next snapshot tries again.
            log.warning("log not compacted", upto=upto, reason=str(error))

    def _count(self, entries: list[Entry]) -> None:
        self.counters.syncs += 1
        self.counters.entries += len(entries)
        self.counters.bytes += sum(len(entry.payload) for entry in entries)
        self.counters.largest_group = max(self.counters.largest_group, len(entries))


def _failure_kind(error: StorageError) -> FailureKind:
    if isinstance(error, StorageFull):
        return FailureKind.FULL
    return FailureKind.POISONED if isinstance(error, LogPoisoned) else FailureKind.FAILED


def _size(append: Append) -> int:
    return sum(len(entry.payload) for entry in append.entries)


def _continues(last: Append, append: Append) -> bool:
    """Whether ``append`` can be written in one go with ``last``: entries only, of the same epoch, the next ones."""
    if append.hard_state is not None or append.epoch != last.epoch or not append.entries or not last.entries:
        return False
    return append.entries[0].index == last.entries[-1].index + 1
