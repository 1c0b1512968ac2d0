"""Pack files: many small blobs in one append-only file, and one fdatasync for everybody who waits.

A record is: length u32, SHA-256 (32 bytes), CRC-32C of those two u32, content. Which blob is where is kept in memory
and read back when the packs are opened. The contents of the last pack are checked then, because a crash may have torn
its tail; a pack whose tail is torn is left as it is and no longer appended to. A blob's content is always checked when
it is read.

``put`` may be called from many threads. Whoever finds nobody writing writes for all that wait, the others wait for it:
with n callers a sync is shared by about n.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from flurm.storage.errors import CorruptBlob, StorageError, from_os_error
from flurm.storage.files import Device, make_directory, sync_directory

PACK_BYTES = 16 * 1024 * 1024
_HEAD = struct.Struct("<I32s")
_CRC = struct.Struct("<I")
_OVERHEAD = _HEAD.size + _CRC.size
_NAME = "pack-{:010d}.blobs"
_ADVICE = "Restore it from a backup or submit the job that needs it again."


class _Place(NamedTuple):
    pack: int
    offset: int
    length: int


class _Round:
    """What is written with one sync: the blobs of all callers that came while the round before was written."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.done = False
        self.error: StorageError | None = None


class PackFiles:
    """The packs in ``directory``; ``damaged`` lists what opening them found unreadable. Raises StorageError."""

    def __init__(self, directory: Path, pack_bytes: int = PACK_BYTES, device: Device | None = None) -> None:
        self.directory = make_directory(directory)
        self.pack_bytes = pack_bytes
        self.syncs = 0
        self.damaged: list[CorruptBlob] = []
        self._device = device or Device()
        self._places: dict[str, _Place] = {}
        self._fd = -1
        self._number = 0
        self._end = 0
        self._changed = threading.Condition()
        self._gathering = _Round()
        self._writing = False
        try:
            self._open()
        except OSError as error:
            raise from_os_error("opening packs in", directory, error) from error

    def __contains__(self, digest: str) -> bool:
        return digest in self._places

    def digests(self) -> set[str]:
        """The digests of all blobs here."""
        return set(self._places)

    def put(self, blobs: Mapping[str, bytes]) -> None:
        """Make ``blobs`` (digest to content) durable together with those of other callers. Raises StorageError."""
        with self._changed:
            mine = self._gathering
            mine.blobs.update(blobs)
            while self._writing and not mine.done:
                self._changed.wait()
            if not mine.done:
                self._gathering = _Round()
                self._writing = True
        if not mine.done:
            self._write_round(mine)
        if mine.error is not None:
            raise mine.error

    def get(self, digest: str) -> bytes:
        """The content of ``digest``. Raises KeyError, CorruptBlob, StorageError."""
        place = self._places[digest]
        path = self._path(place.pack)
        try:
            with path.open("rb") as file:
                data = os.pread(file.fileno(), place.length, place.offset)
        except OSError as error:
            if self._places.get(digest) != place:
                return self.get(digest)
            raise from_os_error("reading", path, error) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise CorruptBlob(path, place.offset, f"expected content with SHA-256 {digest}, found other", _ADVICE)
        return data

    def forget(self, digests: Iterable[str]) -> None:
        """Drop ``digests`` from the index; their bytes go when their pack is compacted."""
        for digest in digests:
            self._places.pop(digest, None)

    def compact(self) -> int:
        """Rewrite each full pack that is less than half in use; returns the bytes freed. Raises StorageError."""
        freed = 0
        for path in self._paths():
            number, size = _number(path), path.stat().st_size
            if number >= self._number:
                break
            live = [digest for digest, place in list(self._places.items()) if place.pack == number]
            used = sum(self._places[digest].length + _OVERHEAD for digest in live)
            if live and used * 2 >= size:
                continue
            if live:
                self.put({digest: self.get(digest) for digest in live})
            path.unlink()
            freed += size - used
        return freed

    def close(self) -> None:
        """Let go of the files."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write_round(self, round_: _Round) -> None:
        try:
            self._append(round_.blobs)
        except OSError as error:
            round_.error = from_os_error("appending to", self._path(self._number), error)
        except BaseException as error:
            round_.error = StorageError(f"appending to {self._path(self._number)}: {error!r}")
            raise
        finally:
            with self._changed:
                round_.done = True
                self._writing = False
                self._changed.notify_all()

    def _append(self, blobs: Mapping[str, bytes]) -> None:
        if self._fd < 0 or self._end >= self.pack_bytes:
            self._begin_pack()
        places, records, offset = {}, [], self._end
        for digest, content in blobs.items():
            head = _HEAD.pack(len(content), bytes.fromhex(digest))
            records.append(head + _CRC.pack(google_crc32c.value(head)) + content)
            places[digest] = _Place(self._number, offset + _OVERHEAD, len(content))
            offset += len(records[-1])
        self._write(b"".join(records))
        self.syncs += 1
        self._end = offset
        self._places.update(places)

    def _write(self, data: bytes) -> None:
        """Append ``data`` and sync it. A failed write is cut off; after a failed cut or sync the pack is left alone."""
        try:
            self._device.write(self._fd, data, self._end)
        except OSError:
            try:
                self._device.truncate(self._fd, self._end)
            except OSError:
                self.close()
            raise
        try:
            self._device.sync(self._fd)
        except OSError:
            self.close()
            raise

    def _begin_pack(self) -> None:
        self.close()
        self._number += 1
        self._fd = os.open(self._path(self._number), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._end = 0
        try:
            sync_directory(self.directory)
        except OSError:
            self.close()
            raise

    def _open(self) -> None:
        paths = self._paths()
        for path in paths:
            self._number = _number(path)
            self._end = self._scan(path, check_content=path == paths[-1])
        if paths and self._end == paths[-1].stat().st_size:
            self._fd = os.open(paths[-1], os.O_RDWR | os.O_CLOEXEC)

    def _scan(self, path: Path, check_content: bool) -> int:
        """Take up the blobs in ``path``; returns the offset up to which it is readable."""
        data, offset = _read_from_disk(path), 0
        while offset < len(data):
            start = offset + _OVERHEAD
            head = data[offset : offset + _HEAD.size]
            intact = start <= len(data) and google_crc32c.value(head) == _CRC.unpack_from(data, start - _CRC.size)[0]
            length, digest = _HEAD.unpack(head) if intact else (0, b"")
            if not intact or start + length > len(data):
                problem = f"expected a blob, found {len(data) - offset} other bytes"
                self.damaged.append(CorruptBlob(path, offset, problem, "They were left alone."))
                return offset
            if not check_content or hashlib.sha256(data[start : start + length]).digest() == digest:
                self._places[digest.hex()] = _Place(_number(path), start, length)
            else:
                problem = f"expected content with SHA-256 {digest.hex()}, found other"
                self.damaged.append(CorruptBlob(path, start, problem, _ADVICE))
            offset = start + length
        return offset

    def _paths(self) -> list[Path]:
        return sorted(self.directory.glob("pack-*.blobs"))

    def _path(self, number: int) -> Path:
        return self.directory / _NAME.format(number)


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("pack-"))


def _read_from_disk(path: Path) -> bytes:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()
