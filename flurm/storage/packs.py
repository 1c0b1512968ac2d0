"""Pack files: many small blobs in one append-only file, and one fdatasync for everybody who waits.

A record is: length u32, SHA-256 (32 bytes), CRC-32C of those two u32, content. Which blob is where is kept in memory
and read back when the packs are opened. A blob's content is always checked when it is read.

``put`` may be called from many threads. Whoever finds nobody writing writes for all that wait, the others wait for it:
with n callers a sync is shared by about n. ``keep`` only writes; ``sync`` makes all that was kept durable, beside those
who write.

Up to where everything is durable stands in the file ``synced`` (pack number u64, offset u64, CRC-32C u32), written
after each ``sync`` and when the packs are opened. A power cut may have torn what lies behind, so contents are checked
there, and what cannot be read is dropped without a word: whoever kept it brings it again. Anything unreadable before
that is damage and reported. A pack whose tail is torn is left as it is and no longer appended to.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from flurm.storage.errors import BlobsLost, CorruptBlob, StorageError, from_os_error
from flurm.storage.files import Device, make_directory, remove_leftovers, sync_directory, write_atomically

PACK_BYTES = 16 * 1024 * 1024
_HEAD = struct.Struct("<I32s")
_CRC = struct.Struct("<I")
_OVERHEAD = _HEAD.size + _CRC.size
_NAME = "pack-{:010d}.blobs"
_SYNCED = struct.Struct("<QQ")
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
    """The packs in ``directory``. Raises StorageError.

    ``damaged`` lists what opening them found unreadable, ``torn`` what a power cut took from what was not yet durable.
    ``read_only`` opens them beside whoever writes them, and changes nothing.
    """

    def __init__(
        self,
        directory: Path,
        pack_bytes: int = PACK_BYTES,
        device: Device | None = None,
        read_only: bool = False,
    ) -> None:
        self.directory = directory if read_only else make_directory(directory)
        self._read_only = read_only
        self.pack_bytes = pack_bytes
        self.syncs = 0
        self.damaged: list[CorruptBlob] = []
        self.torn: list[CorruptBlob] = []
        self._device = device or Device()
        self._places: dict[str, _Place] = {}
        self._fd = -1
        self._number = 0
        self._end = 0
        self._changed = threading.Condition()
        self._gathering = _Round()
        self._writing = False
        self._volatile: dict[str, int] = {}
        """What was kept and is not known to be durable: digest to the number of its pack."""
        self._suspect: set[str] = set()
        """Those of them whose sync failed: what the disk has nobody knows."""
        self._lost: set[str] = set()
        """Those of them that could not be read after that: only whoever kept them can bring them again."""
        self._unsynced: dict[int, int] = {}
        """The packs that they are in: number to a file of its own, so that no other sync takes its errors away."""
        self._named = True
        self._naming = threading.Lock()
        self._syncing = threading.Lock()
        try:
            self._open()
        except OSError as error:
            raise from_os_error("opening packs in", directory, error) from error

    def __contains__(self, digest: str) -> bool:
        return digest in self._places

    def digests(self) -> set[str]:
        """The digests of all blobs here, and of those that are to be kept again."""
        return set(self._places) | self._lost

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

    def keep(self, blobs: Mapping[str, bytes]) -> None:
        """Store ``blobs`` (digest to content) so that they can be read; ``sync`` makes them durable."""
        with self._exclusively():
            try:
                self._append(blobs, sync=False)
            except OSError as error:
                raise from_os_error("appending to", self._path(self._number), error) from error

    def is_sound(self, digest: str) -> bool:
        """Whether ``digest`` is here and no sync of it has failed."""
        return digest in self._places and digest not in self._suspect

    def is_durable(self, digest: str) -> bool:
        """Whether ``digest`` is here to stay."""
        return digest in self._places and digest not in self._volatile

    def sync(self) -> None:
        """Make everything kept so far durable; who keeps and puts meanwhile does not wait. Raises StorageError.

        After a sync that failed the next one writes what it was about once more, into another pack. What the disk
        does not give back for that is lost (BlobsLost), then and from now on, until it is kept again or forgotten.
        """
        with self._syncing:
            again = self._suspects()
            if again:
                self.keep(again)
            with self._exclusively():
                unsynced, self._unsynced = self._unsynced, {}
                kept, upto = dict(self._volatile), (self._number, self._end)
            try:
                if unsynced:
                    self._sync_packs(unsynced, kept)
                    self._mark_synced(*upto)
            finally:
                self._suspects()
                if self._lost:
                    raise BlobsLost(self.directory, len(self._lost))

    def _suspects(self) -> dict[str, bytes]:
        """The contents of those whose sync has failed; those that cannot be read are lost."""
        contents = {}
        for digest in list(self._suspect):
            try:
                contents[digest] = self.get(digest)
            except KeyError:
                pass  # forgotten meanwhile
            except CorruptBlob:
                self.forget([digest])
                self._lost.add(digest)
        return contents

    def _sync_packs(self, unsynced: dict[int, int], kept: dict[str, int]) -> None:
        try:
            for fd in unsynced.values():
                self._device.sync(fd)
            self._sync_names()
        except OSError as error:
            with self._exclusively():
                self._suspect.update(kept.keys() & self._volatile.keys())
                if self._number in unsynced:
                    self._close_pack()
            raise from_os_error("syncing packs in", self.directory, error) from error
        finally:
            for fd in unsynced.values():
                os.close(fd)
        self.syncs += 1
        for digest, number in kept.items():
            if self._volatile.get(digest) == number:
                self._volatile.pop(digest, None)

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
            self._volatile.pop(digest, None)
            self._suspect.discard(digest)
            self._lost.discard(digest)

    def compact(self) -> int:
        """Rewrite each full pack that is less than half in use; returns the bytes freed. Raises StorageError."""
        freed, emptied = 0, []
        for path in self._paths():
            number, size = _number(path), path.stat().st_size
            if number >= self._number:
                break
            live = [digest for digest, place in list(self._places.items()) if place.pack == number]
            used = sum(self._places[digest].length + _OVERHEAD for digest in live)
            if live and used * 2 >= size:
                continue
            if live:
                self.keep(self._contents(live))
            emptied.append(path)
            freed += size - used
        if emptied:
            self.sync()
        for path in emptied:
            path.unlink()
        return freed

    def _contents(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The contents of those of ``digests`` that have not been forgotten meanwhile."""
        contents = {}
        for digest in digests:
            with contextlib.suppress(KeyError):
                contents[digest] = self.get(digest)
        return contents

    def close(self) -> None:
        """Let go of the files; nothing is synced."""
        self._close_pack()
        while self._unsynced:
            os.close(self._unsynced.popitem()[1])

    def _close_pack(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Be the only one who writes."""
        with self._changed:
            while self._writing:
                self._changed.wait()
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write_round(self, round_: _Round) -> None:
        try:
            self._append(round_.blobs, sync=True)
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

    def _append(self, blobs: Mapping[str, bytes], sync: bool) -> None:
        if self._fd < 0 or self._end >= self.pack_bytes:
            self._begin_pack()
        if not sync and self._number not in self._unsynced:
            self._unsynced[self._number] = os.open(self._path(self._number), os.O_RDWR | os.O_CLOEXEC)
        places, records, offset = {}, [], self._end
        for digest, content in blobs.items():
            head = _HEAD.pack(len(content), bytes.fromhex(digest))
            records.append(head + _CRC.pack(google_crc32c.value(head)) + content)
            places[digest] = _Place(self._number, offset + _OVERHEAD, len(content))
            offset += len(records[-1])
        self._write(b"".join(records))
        if sync:
            self._sync_pack()
            self.syncs += 1
        self._end = offset
        for digest in places:
            self._suspect.discard(digest)
            self._lost.discard(digest)
            if sync:
                self._volatile.pop(digest, None)
            else:
                self._volatile[digest] = self._number
        self._places.update(places)

    def _write(self, data: bytes) -> None:
        """Append ``data``. A failed write is cut off; after a failed cut the pack is left alone."""
        try:
            self._device.write(self._fd, data, self._end)
        except OSError:
            try:
                self._device.truncate(self._fd, self._end)
            except OSError:
                self._close_pack()
            raise

    def _sync_pack(self) -> None:
        """Make all of the pack durable, its name too; after a failed sync it is left alone."""
        try:
            self._device.sync(self._fd)
            self._sync_names()
        except OSError:
            self._suspect.update(digest for digest, number in list(self._volatile.items()) if number == self._number)
            self._close_pack()
            raise

    def _begin_pack(self) -> None:
        self._close_pack()
        path = self._path(self._number + 1)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with self._naming:
            self._named = False
        self._number += 1
        self._end = 0

    def _sync_names(self) -> None:
        with self._naming:
            if not self._named:
                sync_directory(self.directory)
                self._named = True

    def _open(self) -> None:
        if not self._read_only:
            remove_leftovers(self.directory)
        paths = self._paths()
        synced = self._synced() or (_number(paths[-1]) if paths else 0, 0)
        for path in paths:
            self._number = _number(path)
            self._end = self._scan(path, synced)
        if self._read_only:
            return
        if paths and self._end == paths[-1].stat().st_size:
            self._fd = os.open(paths[-1], os.O_RDWR | os.O_CLOEXEC)
        if (self._number, self._end) != self._synced():
            sync_directory(self.directory)
            self._mark_synced(self._number, self._end)

    def _mark_synced(self, number: int, offset: int) -> None:
        data = _SYNCED.pack(number, offset)
        write_atomically(self.directory / "synced", [data, _CRC.pack(google_crc32c.value(data))])

    def _synced(self) -> tuple[int, int] | None:
        """Up to where everything was durable (pack number, offset); None where nobody says so."""
        try:
            data = (self.directory / "synced").read_bytes()
        except FileNotFoundError:
            return None
        if len(data) != _SYNCED.size + _CRC.size or data[_SYNCED.size :] != _CRC.pack(
            google_crc32c.value(data[: _SYNCED.size])
        ):
            return None
        number, offset = _SYNCED.unpack_from(data)
        return number, offset

    def _scan(self, path: Path, synced: tuple[int, int]) -> int:
        """Take up the blobs in ``path``; returns the offset up to which it is readable.

        Contents from ``synced`` (pack number, offset) on are checked: a power cut may have torn them.
        """
        data, offset, number = _read_from_disk(path), 0, _number(path)
        while offset < len(data):
            start = offset + _OVERHEAD
            head = data[offset : offset + _HEAD.size]
            intact = start <= len(data) and google_crc32c.value(head) == _CRC.unpack_from(data, start - _CRC.size)[0]
            length, digest = _HEAD.unpack(head) if intact else (0, b"")
            unsure = (number, offset) >= synced
            lost = self.torn if unsure else self.damaged
            if not intact or start + length > len(data):
                problem = f"expected a blob, found {len(data) - offset} other bytes"
                lost.append(CorruptBlob(path, offset, problem, "They were left alone."))
                return offset
            if not unsure or hashlib.sha256(data[start : start + length]).digest() == digest:
                self._places[digest.hex()] = _Place(number, start, length)
            else:
                problem = f"expected content with SHA-256 {digest.hex()}, found other"
                lost.append(CorruptBlob(path, start, problem, _ADVICE))
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
