"""The segment log: entries in numbered files, appended in batches with one write and one fdatasync each.

A segment is named by the index of its first entry. Only the last one is written; when it has grown large enough the
next begins. A prefix goes by deleting segments (after a snapshot), a suffix by cutting files (when another leader's
entries replace it). The offset of every entry is kept in memory, 8 bytes each.

A segment gets its full length when it is begun, as zeros that have their place on the disk: a sync then has no length
and no new blocks to write down (measured on ext4: the median append of 350 bytes to 50 kB is a sixth to a quarter
faster). Where there is not plenty of room, or the file system does not have it, the file grows as it is written. What
is left over is cut off when the next segment begins or the log is closed.

**When the disk fails.** A write that fails, because the disk is full or broken, is undone: the file is cut back to
where it was, the error is raised, and the next append finds the log as if nothing had happened. A *sync* that fails
is another matter: the kernel marks the pages clean although they never reached the disk, so a second sync would
succeed without having written them, and reading the file would show data that a power cut would lose. The log
therefore refuses everything after a failed sync (``LogPoisoned``) and has to be opened anew. Opening drops the file
from the page cache before it is read, so that recovery sees what the disk has, and cuts off what it has not.

One thread at a time. Names and lengths become durable before anything that relies on them is written, and a name is
gone for good before the next one goes: a crash in between leaves a shorter log, never one with a hole.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from flurm.raft.records import Entry
from flurm.storage.errors import CorruptLog, LogPoisoned, StorageError, from_os_error
from flurm.storage.files import Device, make_directory, sync_directory
from flurm.storage.records import HEADER_SIZE, PAYLOAD_MAX, BadRecord, decode_record, encode_header, encode_record
from flurm.storage.recovery import DAMAGE_ADVICE, Scan, TornTail, scan_segment

SEGMENT_BYTES = 16 * 1024 * 1024
_PLENTY = 16
"""Space is taken in advance where this many segments would find room."""
_NAME = "log-{:020d}.seg"


class _Segment:
    """One file: where its entries are."""

    def __init__(self, path: Path, scan: Scan) -> None:
        self.path = path
        self.first_index = scan.first_index
        self.previous_term = scan.previous_term
        self.offsets = scan.offsets
        self.end = scan.end

    @property
    def last_index(self) -> int:
        return self.first_index + len(self.offsets) - 1

    def read(self, first: int, last: int) -> Iterator[Entry]:
        if first > last:
            return
        start = self.offsets[first - self.first_index]
        stop = self.offsets[last + 1 - self.first_index] if last < self.last_index else self.end
        with self.path.open("rb") as file:
            data = os.pread(file.fileno(), stop - start, start)
        offset = 0
        while offset < len(data):
            try:
                record = decode_record(data, offset)
            except BadRecord as error:
                raise CorruptLog(self.path, start + offset, str(error), DAMAGE_ADVICE) from None
            yield record.entry
            offset = record.end


class SegmentLog:
    """The log in ``directory``; opened, it is recovered: ``torn`` says what was cut off, None where nothing was.

    An empty directory begins after the entry (``base_index``, ``base_term``). Raises CorruptLog where the files hold
    something that no crash explains, StorageError where they cannot be read or written.
    """

    def __init__(
        self,
        directory: Path,
        base_index: int = 0,
        base_term: int = 0,
        segment_bytes: int = SEGMENT_BYTES,
        device: Device | None = None,
    ) -> None:
        self.directory = make_directory(directory)
        self.segment_bytes = segment_bytes
        self.torn: TornTail | None = None
        self._device = device or Device()
        self._poison: str | None = None
        self._fd = -1
        self._segments: list[_Segment] = []
        self._last_term = base_term
        try:
            self._recover()
            if not self._segments:
                self._begin_segment(base_index + 1)
        except OSError as error:
            raise from_os_error("opening the log in", directory, error) from error

    @property
    def first_index(self) -> int:
        """Index of the oldest entry held, one more than ``last_index`` where there is none."""
        return self._segments[0].first_index

    @property
    def base(self) -> tuple[int, int]:
        """Index and term of the entry before the first one."""
        return self._segments[0].first_index - 1, self._segments[0].previous_term

    @property
    def last_index(self) -> int:
        """Index of the newest entry; all up to it are durable."""
        return self._segments[-1].last_index

    @property
    def last_term(self) -> int:
        """Term of the newest entry."""
        return self._last_term

    @property
    def size(self) -> int:
        """Bytes in all segments."""
        return sum(segment.end for segment in self._segments)

    def holds(self, index: int, term: int) -> bool:
        """Whether the entry at ``index`` is here with ``term``, or is the one before the first. Raises CorruptLog."""
        if (index, term) == self.base:
            return True
        if not self.first_index <= index <= self.last_index:
            return False
        (entry,) = self.read(index, index)
        return entry.term == term

    def append(self, entries: Sequence[Entry]) -> None:
        """Make ``entries``, which must follow the last one, durable with one write and one sync: all or none.

        Raises StorageFull or StorageError where nothing was written and the log is as before, LogPoisoned where the
        log must be opened anew.
        """
        self._check_usable()
        if not entries:
            return
        data = self._encode(entries)
        if self._segments[-1].end + sum(map(len, data)) > self.segment_bytes and self._segments[-1].offsets:
            self._roll()
        segment = self._segments[-1]
        try:
            self._device.write(self._fd, b"".join(data), segment.end)
        except OSError as error:
            self._cut(segment, segment.end)
            raise from_os_error("appending to", segment.path, error) from error
        self._sync(segment)
        for record in data:
            segment.offsets.append(segment.end)
            segment.end += len(record)
        self._last_term = entries[-1].term

    def replace(self, entries: Sequence[Entry]) -> None:
        """Make ``entries`` durable in the place of whatever the log holds from the first one's index on.

        What they replace is gone for good before they are written: a crash in between leaves neither, never a mixture.
        Raises as ``append`` and ``truncate_suffix`` do; what was to be replaced may be gone then.
        """
        if entries and entries[0].index <= self.last_index:
            self.truncate_suffix(entries[0].index)
        self.append(entries)

    def truncate_suffix(self, first: int) -> None:
        """Remove the entry ``first`` and all after it, durably. Raises StorageError."""
        self._check_usable()
        if first > self.last_index:
            return
        if first < self.first_index:
            raise StorageError(f"entry {first} is no longer in the log, which begins at {self.first_index}")
        try:
            while first < self._segments[-1].first_index:
                self._segments.pop().path.unlink()
                self._open_last()
                sync_directory(self.directory)
        except OSError as error:
            raise self._poisoned(f"cutting the log in {self.directory}", error) from error
        segment = self._segments[-1]
        position = first - segment.first_index
        self._cut(segment, segment.offsets[position])
        self._allocate(self._fd, segment.end)
        del segment.offsets[position:]
        self._last_term = self._read_last_term()

    def truncate_prefix(self, upto: int) -> None:
        """Delete the segments that hold no entry after ``upto``; the last one stays. Raises StorageError."""
        try:
            while len(self._segments) > 1 and self._segments[0].last_index <= upto:
                self._segments[0].path.unlink()
                del self._segments[0]
                sync_directory(self.directory)
        except OSError as error:
            raise from_os_error("compacting the log in", self.directory, error) from error

    def reset(self, base_index: int, base_term: int) -> None:
        """Forget every entry and go on after (``base_index``, ``base_term``), which a snapshot covers."""
        self._check_usable()
        try:
            for segment in reversed(self._segments):
                segment.path.unlink()
                sync_directory(self.directory)
            self._segments.clear()
            self._last_term = base_term
            self._begin_segment(base_index + 1)
        except OSError as error:
            raise self._poisoned(f"resetting the log in {self.directory}", error) from error

    def read(self, first: int, last: int) -> Iterator[Entry]:
        """The entries from ``first`` to ``last``, both included; all of them must be held."""
        if first <= last and not self.first_index <= first <= last <= self.last_index:
            asked = f"entries {first} to {last}"
            raise StorageError(f"{asked} are not all in the log, which has {self.first_index} to {self.last_index}")
        for segment in list(self._segments):
            yield from segment.read(max(first, segment.first_index), min(last, segment.last_index))

    def poison(self, why: str) -> None:
        """Refuse everything from now on, until the log is opened anew."""
        self._poison = why

    def close(self) -> None:
        """Let go of the files; everything appended is durable already."""
        if self._fd >= 0:
            if self._poison is None:
                self._trim()
            os.close(self._fd)
            self._fd = -1
        self._poison = self._poison or "it was closed"

    def _encode(self, entries: Sequence[Entry]) -> list[bytes]:
        index, term = self.last_index, self._last_term
        for entry in entries:
            if entry.index != index + 1 or entry.term < term:
                follows = f"entry {entry.index} of term {entry.term} does not follow {index} of term {term}"
                raise ValueError(f"{follows}: the log takes entries in order and without gaps")
            if len(entry.payload) > PAYLOAD_MAX:
                raise ValueError(f"entry {entry.index} has {len(entry.payload)} bytes, at most {PAYLOAD_MAX} are taken")
            index, term = entry.index, entry.term
        return [encode_record(entry, starts_batch=not position) for position, entry in enumerate(entries)]

    def _roll(self) -> None:
        try:
            self._begin_segment(self.last_index + 1)
        except OSError as error:
            raise from_os_error("beginning a segment in", self.directory, error) from error

    def _begin_segment(self, first_index: int) -> None:
        path = self.directory / _NAME.format(first_index)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._device.write(fd, encode_header(first_index, self._last_term), 0)
            self._allocate(fd, HEADER_SIZE)
            self._device.sync(fd)
            sync_directory(self.directory)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        if self._fd >= 0:
            self._trim()
            os.close(self._fd)
        self._fd = fd
        scan = Scan(first_index, self._last_term, array("Q"), HEADER_SIZE, self._last_term)
        self._segments.append(_Segment(path, scan))

    def _allocate(self, fd: int, used: int) -> None:
        """Take the space of a whole segment for the file of ``used`` bytes, where that is to be had for nothing."""
        try:
            room = os.fstatvfs(fd)
            if room.f_bavail * room.f_frsize >= _PLENTY * self.segment_bytes and used < self.segment_bytes:
                self._device.allocate(fd, self.segment_bytes)
        except OSError:
            # It may have been extended half-way: zeros behind the end do no harm, but here they are of no use either.
            with contextlib.suppress(OSError):
                os.ftruncate(fd, used)

    def _trim(self) -> None:
        """Give back what the last segment did not use; after a crash it may still be there, which does no harm."""
        if self._segments:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._segments[-1].end)

    def _open_last(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = os.open(self._segments[-1].path, os.O_RDWR | os.O_CLOEXEC)

    def _cut(self, segment: _Segment, size: int) -> None:
        try:
            self._device.truncate(self._fd, size)
        except OSError as error:
            raise self._poisoned(f"cutting {segment.path} back to {size} bytes", error) from error
        segment.end = size

    def _sync(self, segment: _Segment) -> None:
        try:
            self._device.sync(self._fd)
        except OSError as error:
            raise self._poisoned(f"syncing {segment.path}", error) from error

    def _poisoned(self, doing: str, error: OSError) -> LogPoisoned:
        self._poison = f"{doing} failed: {error.strerror or error}"
        return LogPoisoned(f"{self._poison}; what the file holds is unknown, open the log anew")

    def _check_usable(self) -> None:
        if self._poison is not None:
            raise LogPoisoned(f"the log in {self.directory} cannot be written: {self._poison}; open it anew")

    def _read_last_term(self) -> int:
        segment = self._segments[-1]
        if not segment.offsets:
            return segment.previous_term
        (entry,) = segment.read(segment.last_index, segment.last_index)
        return entry.term

    def _recover(self) -> None:
        paths = sorted(self.directory.glob("log-*.seg"))
        for path in paths:
            data = _read_from_disk(path)
            scan = scan_segment(path, data, is_last=path == paths[-1])
            if scan is None:
                self.torn = TornTail(str(path), 0, len(data), "the segment's creation was cut short")
                path.unlink()
                sync_directory(self.directory)
                break
            self._check_follows(path, scan)
            self._segments.append(_Segment(path, scan))
            self._last_term = scan.last_term
            self.torn = scan.torn
        if self._segments:
            self._open_last()
            if self.torn is not None and self._segments[-1].path == Path(self.torn.path):
                self._device.truncate(self._fd, self._segments[-1].end)
            self._allocate(self._fd, self._segments[-1].end)

    def _check_follows(self, path: Path, scan: Scan) -> None:
        expected = self._segments[-1].last_index + 1 if self._segments else scan.first_index
        if scan.first_index != expected or path.name != _NAME.format(expected):
            problem = f"expected the segment that begins with entry {expected}, found {scan.first_index}"
            advice = "A segment is missing or was renamed: put it back or restore the directory from a backup."
            raise CorruptLog(path, 0, problem, advice)


def _read_from_disk(path: Path) -> bytes:
    """All bytes of ``path`` as the disk has them, past whatever the page cache believes."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()
