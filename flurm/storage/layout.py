"""A state directory as a whole: open it, and get back what the last run left.

::

    lock                    who owns the directory
    raft/hard_state         term and vote
    raft/log-*.seg          the segment log
    snapshots/*.snap        the last two snapshots
    blobs/                  job scripts and environments

Opening takes the lock, reads the newest snapshot that is whole, and checks that the log goes on where it ends. A
damaged snapshot is reported and put aside, and the one before it used, as long as the log reaches back that far.

A snapshot that came from a leader is put in place before the log is begun anew after it. A crash in between shows when
the directory is opened: a log that ends before the snapshot, or holds another entry where the snapshot ends, goes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import structlog

from flurm.raft.events import Recovered
from flurm.raft.records import Configuration
from flurm.storage.blobs import BlobStore
from flurm.storage.errors import CorruptLog, StorageError, from_os_error
from flurm.storage.files import Device
from flurm.storage.hard_state import ADVICE, HardStateFile
from flurm.storage.lock import StateDirLock
from flurm.storage.segments import SEGMENT_BYTES, SegmentLog
from flurm.storage.snapshots import NewestInfo, SnapshotInfo, SnapshotStore
from flurm.storage.transfer import Incoming, Outgoing, Piece
from flurm.storage.writer import LogWriter, Notify

log = structlog.get_logger(__name__)


RESTORING = "restoring"
"""A file of this name stands in a directory that a backup is being restored to, or that is being cleared."""


class Store:
    """An open state directory; ``close`` gives everything back. Raises StateDirHeld, CorruptLog, StorageError."""

    def __init__(
        self,
        directory: Path,
        segment_bytes: int = SEGMENT_BYTES,
        device: Device | None = None,
        blob_device: Device | None = None,
    ) -> None:
        self.directory = directory
        self.use = threading.RLock()
        """Held by whoever opens the log anew or changes its writer: one that was killed may still be about it."""
        self._segment_bytes, self._device = segment_bytes, device
        self.lock = StateDirLock(directory)
        self.lock.acquire()
        try:
            self._check_whole()
            self.hard_state = HardStateFile(directory / "raft" / "hard_state")
            self.snapshots = SnapshotStore(directory / "snapshots")
            self.blobs = BlobStore(directory / "blobs", device=blob_device or device)
            self._outgoing = Outgoing(self.snapshots)
            self._open_newest()
        except OSError as error:
            self.lock.release()
            raise from_os_error("opening", directory, error) from error
        except BaseException:
            self.lock.release()
            raise

    def reopen(self) -> None:
        """Read snapshot and log anew from disk, keeping the lock; what a poisoned log needs. Writers must be stopped.

        Raises CorruptLog, StorageError.
        """
        self.segments.close()
        self._incoming.close()
        try:
            self._open_newest()
        except OSError as error:
            raise from_os_error("opening", self.directory, error) from error

    def _check_whole(self) -> None:
        if (self.directory / RESTORING).exists():
            problem = f"restoring a backup to {self.directory}, or clearing it, was cut short"
            raise StorageError(
                f"{problem}: do it again with `flurm backup restore --force FILE`, or `flurm slurmctld -c`"
            )

    def _open_newest(self) -> None:
        newest = self.snapshots.newest_info()
        self.snapshot: SnapshotInfo | None = newest.snapshot
        self.segments = self._open_log(newest, self._segment_bytes, self._device)
        self._incoming = Incoming(self.snapshots, self._device)
        self._report(newest)

    def recovered(self) -> Recovered:
        """The first event for a Raft server: hard state, where the snapshot ends, and the entries after it.

        Raises CorruptLog where the hard state is older than the log, as when its file was lost.
        """
        index, term = self._snapshot_position()
        hard_state = self.hard_state.load()
        if hard_state.term < self.segments.last_term:
            problem = f"expected term {self.segments.last_term} or later, found {hard_state.term}"
            raise CorruptLog(self.hard_state.path, 0, problem, ADVICE)
        return Recovered(
            hard_state=hard_state,
            snapshot_index=index,
            snapshot_term=term,
            entries=tuple(self.segments.read(index + 1, self.segments.last_index)),
            configuration=self.snapshot.configuration if self.snapshot else None,
        )

    def writer(self, notify: Notify, refused_epoch: int = -1) -> LogWriter:
        """A log writer over this store, not yet started; it drops what is of ``refused_epoch`` or before."""
        return LogWriter(self.segments, self.hard_state, notify, self._incoming, self.blobs.sync, refused_epoch)

    def take_snapshot(
        self,
        index: int,
        term: int,
        chunks: Iterable[bytes],
        writer: LogWriter,
        configuration: Configuration | bytes | None = None,
    ) -> None:
        """Write a snapshot of the state after (``index``, ``term``), then drop the log that no kept one needs.

        Blobs that only the log would bring again are made durable before. Takes as long as the disk does: call it from
        a thread that may wait. Raises StorageError.
        """
        self.blobs.sync()
        self.snapshots.write(index, term, chunks, configuration)
        writer.compact(self.snapshots.oldest_index())

    def read_chunk(self, index: int, offset: int, size: int) -> Piece:
        """A piece for a member that needs a snapshot; from any thread, also while newer snapshots are taken.

        It is of snapshot ``index`` from ``offset``, or of the newest from 0 where ``offset`` is 0 or that one is gone:
        the piece says which. Once a transfer has begun its snapshot stays readable. Raises StorageError, also where
        there is no snapshot.
        """
        return self._outgoing.read(index, offset, size)

    def close(self) -> None:
        """Let go of everything; writers must have been stopped."""
        self.segments.close()
        self._incoming.close()
        self._outgoing.close()
        self.blobs.close()
        self.lock.release()

    def _snapshot_position(self) -> tuple[int, int]:
        return (self.snapshot.index, self.snapshot.term) if self.snapshot else (0, 0)

    def _open_log(self, newest: NewestInfo, segment_bytes: int, device: Device | None) -> SegmentLog:
        index, term = self._snapshot_position()
        segments = SegmentLog(self.directory / "raft", index, term, segment_bytes, device)
        base_index, _ = segments.base
        if base_index > index:
            problem = f"expected entry {index + 1}, found {segments.first_index} as the first one"
            reasons = "".join(f" {damaged}" for damaged in newest.damaged)
            advice = f"The log begins after the newest snapshot that can be read.{reasons} Restore a backup."
            raise CorruptLog(segments.directory, 0, problem, advice)
        if not segments.holds(index, term):
            self.blobs.sync()
            segments.reset(index, term)
        return segments

    def _report(self, newest: NewestInfo) -> None:
        for damaged in newest.damaged:
            aside = damaged.path.rename(damaged.path.with_suffix(".damaged"))
            log.error("snapshot damaged, using the one before", reason=str(damaged), moved_to=str(aside))
        for missing in self.blobs.packs.damaged:
            log.warning("blob unreadable", reason=str(missing))
        for torn in self.blobs.packs.torn:
            log.info("blobs torn off before they were durable; the log has them", reason=str(torn))
        tail = self.segments.torn
        if tail is not None:
            log.warning("torn tail cut off", file=tail.path, offset=tail.offset, bytes=tail.length, why=tail.problem)
