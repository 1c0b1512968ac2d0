"""Snapshots on their way from one member to another: the file as it is, in pieces.

``Outgoing`` hands out pieces of a snapshot. It keeps the file open while it is being sent, so that newer snapshots may
replace it meanwhile: only the whole of one file is worth anything to the receiver.

``Incoming`` takes the pieces in, each one durable before it is answered. They gather in a file beside the snapshots
(``incoming-<index>-<term>.part``) that outlives a restart: all of it but the last megabyte is known to be durable then,
for at most that much is written between two syncs. The last piece makes it a snapshot, once its checksums are right.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TypeAlias

import msgspec

from flurm.raft.effects import StoreChunk
from flurm.raft.events import ChunkFailed, ChunkStored
from flurm.storage.errors import CorruptSnapshot, StorageError, from_os_error
from flurm.storage.files import Device, sync_directory
from flurm.storage.snapshots import SnapshotInfo, SnapshotStore

PIECE_BYTES = 1024 * 1024
_KEPT_OPEN = 4
_NAME = "incoming-{:020d}-{:020d}.part"


class _Open(msgspec.Struct, frozen=True):
    info: SnapshotInfo
    fd: int


class Piece(msgspec.Struct, frozen=True):
    """Bytes of a snapshot file from ``offset``; with ``done`` they are the last ones."""

    snapshot: SnapshotInfo
    offset: int
    data: bytes
    done: bool


class Outgoing:
    """Reads pieces of the snapshots in ``snapshots``, for several receivers at once and from any thread."""

    def __init__(self, snapshots: SnapshotStore) -> None:
        self._snapshots = snapshots
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, index: int, offset: int, size: int) -> Piece:
        """Up to ``size`` bytes of snapshot ``index`` from ``offset``, of the newest from 0 where that is not open.

        A transfer begins with offset 0, whatever the index, and gets the newest. Raises StorageError, also where there
        is no snapshot.
        """
        with self._lock:
            found = self._open.get(index) if offset > 0 else None
            if found is None or offset > found.info.size:
                found, offset = self._newest(), 0
            self._open.move_to_end(found.info.index)
            try:
                data = os.pread(found.fd, size, offset)
            except OSError as error:
                raise from_os_error("reading", found.info.path, error) from error
            return Piece(found.info, offset, data, done=offset + len(data) >= found.info.size)

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            while self._open:
                os.close(self._open.popitem()[1].fd)

    def _newest(self) -> _Open:
        """The newest snapshot, opened and found whole: a damaged one would be sent in vain, again and again."""
        paths = self._snapshots.paths()
        last = max(self._open, default=-1)
        if paths and self._snapshots.path(last) == paths[-1]:
            return self._open[last]
        info = self._snapshots.newest_info().snapshot
        if info is None:
            raise StorageError(f"there is no snapshot in {self._snapshots.directory} to send")
        if info.index not in self._open:
            try:
                self._open[info.index] = _Open(info, os.open(info.path, os.O_RDONLY | os.O_CLOEXEC))
            except FileNotFoundError:
                return self._newest()
            except OSError as error:
                raise from_os_error("opening", info.path, error) from error
            while len(self._open) > _KEPT_OPEN:
                os.close(self._open.popitem(last=False)[1].fd)
        return self._open[info.index]


Stored: TypeAlias = ChunkStored | ChunkFailed | SnapshotInfo
"""What became of a piece; a SnapshotInfo where it was the last one and the snapshot is in place."""


class Incoming:
    """Takes one snapshot at a time into ``snapshots``; for one thread. A piece of another one begins anew."""

    def __init__(self, snapshots: SnapshotStore, device: Device | None = None) -> None:
        self._snapshots = snapshots
        self._device = device or Device()
        self._part: tuple[int, int] | None = None
        self._fd = -1
        self._end = 0
        self._placed: tuple[int, int] | None = None

    def store(self, chunk: StoreChunk) -> Stored | None:
        """Make ``chunk`` durable; None where it came before, and its snapshot is in place. Raises nothing.

        ``ChunkFailed`` says from which byte on pieces are wanted.
        """
        if self._placed == (chunk.index, chunk.term):
            return None
        try:
            self._open(chunk)
            if chunk.offset > self._end:
                return ChunkFailed(chunk.index, self._end, f"the pieces before byte {chunk.offset} are missing")
            self._write(chunk.data[self._end - chunk.offset :])
            return self._place(chunk) if chunk.done else ChunkStored(chunk.index, self._end)
        except CorruptSnapshot as error:
            self._discard()
            return ChunkFailed(chunk.index, 0, str(error))
        except OSError as error:
            problem = from_os_error("storing a snapshot in", self._snapshots.directory, error)
            return ChunkFailed(chunk.index, self._end, str(problem))
        except StorageError as error:
            return ChunkFailed(chunk.index, self._end, str(error))

    def close(self) -> None:
        """Let go of the file; what was durable waits for the next piece."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._part, self._end = -1, None, 0

    def _open(self, chunk: StoreChunk) -> None:
        """Make the file that ``chunk`` belongs to the open one, emptied where the chunk is the first."""
        wanted = (chunk.index, chunk.term)
        if self._part != wanted:
            self.close()
            path = self._path(wanted)
            for other in self._snapshots.directory.glob("incoming-*.part"):
                if other != path:
                    other.unlink()
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._part = wanted
            self._end = max(0, os.fstat(self._fd).st_size - PIECE_BYTES)
            sync_directory(self._snapshots.directory)
        if chunk.offset == 0:
            self._end = 0
            self._device.truncate(self._fd, 0)

    def _write(self, data: bytes) -> None:
        """Append ``data``, with a sync at least every PIECE_BYTES."""
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            try:
                self._device.write(self._fd, piece, self._end)
                self._device.sync(self._fd)
            except OSError:
                self._cut()
                raise
            self._end += len(piece)

    def _cut(self) -> None:
        """Cut off what was not synced; what was stays good, also when a sync failed."""
        try:
            self._device.truncate(self._fd, self._end)
        except OSError:
            self._discard()

    def _place(self, chunk: StoreChunk) -> SnapshotInfo:
        assert self._part is not None
        self._device.truncate(self._fd, self._end)
        path = self._path(self._part)
        info = self._snapshots.check(path)
        if (info.index, info.term) != self._part:
            problem = f"expected the snapshot of {self._part}, found that of ({info.index}, {info.term})"
            raise CorruptSnapshot(path, 0, problem, "It will be sent again.")
        info = self._snapshots.take_over(path, chunk.configuration)
        self._placed = self._part
        self.close()
        return info

    def _discard(self) -> None:
        if self._part is not None:
            self._path(self._part).unlink(missing_ok=True)
        self.close()

    def _path(self, part: tuple[int, int]) -> Path:
        return self._snapshots.directory / _NAME.format(*part)
