"""Reading a segment back: where it ends, and whether what follows is a torn tail or corruption.

A crash may lose or tear whatever was not synced, and only that: the last batch of the last segment. So bytes that are
no record are a torn tail where nothing readable follows them, or where what follows belongs to the same batch and
sectors in between were never written. They are cut off and reported. Anything else was once durable: ``CorruptLog``.

Zeros up to the end of a file are space that was taken in advance and not used. They hide nothing: records that became
zeros in an earlier segment are missed by the one that follows it, and at the end of the last one there is no telling
them from a batch that never reached the disk.
"""

from __future__ import annotations

from array import array
from pathlib import Path

import msgspec

from flurm.raft.records import Entry
from flurm.storage.errors import CorruptLog
from flurm.storage.records import (
    HEADER_SIZE,
    RECORD_BEGINNING,
    RECORD_OVERHEAD,
    BadRecord,
    Record,
    decode_header,
    decode_record,
    peek_index,
)

_SECTOR = 512
DAMAGE_ADVICE = (
    "Nothing was changed. Restore this directory from a backup or from another controller, "
    "or remove the damaged segment and all later ones if losing their entries is acceptable."
)


class TornTail(msgspec.Struct, frozen=True):
    """Bytes that a crash left half-written and that were cut off: never acknowledged, but worth a line in the log."""

    path: str
    offset: int
    length: int
    problem: str


class Scan(msgspec.Struct):
    """A segment as read: where its records start, where they end, its last term, and its torn tail."""

    first_index: int
    previous_term: int
    offsets: array[int]
    end: int
    last_term: int
    torn: TornTail | None = None

    @property
    def last_index(self) -> int:
        """Index of the last record, one less than ``first_index`` where there is none."""
        return self.first_index + len(self.offsets) - 1


def scan_segment(path: Path, data: bytes, is_last: bool) -> Scan | None:
    """Read all of a segment's bytes.

    None where it is the last one and its creation was cut short. Raises CorruptLog.
    """
    used = len(data.rstrip(b"\0"))
    try:
        first_index, previous_term = decode_header(data)
    except BadRecord as error:
        if is_last and used <= HEADER_SIZE:
            return None
        raise CorruptLog(path, 0, str(error), DAMAGE_ADVICE) from None
    scan = Scan(first_index, previous_term, array("Q"), HEADER_SIZE, previous_term)
    while scan.end < used:
        try:
            record = decode_record(data, scan.end)
        except BadRecord as error:
            _judge(path, data, used, scan, str(error), is_last)
            scan.torn = TornTail(str(path), scan.end, used - scan.end, str(error))
            return scan
        _check_order(path, scan, record.entry)
        scan.offsets.append(scan.end)
        scan.end, scan.last_term = record.end, record.entry.term
    return scan


def _check_order(path: Path, scan: Scan, entry: Entry) -> None:
    if entry.index != scan.last_index + 1:
        problem = f"expected entry {scan.last_index + 1}, found {entry.index}"
        raise CorruptLog(path, scan.end, problem, DAMAGE_ADVICE)
    if entry.term < scan.last_term:
        problem = f"expected a term of at least {scan.last_term}, found {entry.term}"
        raise CorruptLog(path, scan.end, problem, DAMAGE_ADVICE)


def _judge(path: Path, data: bytes, used: int, scan: Scan, problem: str, is_last: bool) -> None:
    """Return where the bytes after ``scan.end`` are a torn tail, raise CorruptLog where they are not."""
    if not is_last:
        raise CorruptLog(path, scan.end, problem, DAMAGE_ADVICE)
    following = _next_record(data, used, scan)
    if following is None:
        return
    start, record = following
    if record.starts_batch or not _misses_a_sector(data, scan.end, start):
        readable = f"{problem}, yet entry {record.entry.index} behind it is readable"
        raise CorruptLog(path, scan.end, readable, DAMAGE_ADVICE)


def _next_record(data: bytes, used: int, scan: Scan) -> tuple[int, Record] | None:
    """The first readable record with a later index after the bad one, by trying every offset."""
    lowest = scan.last_index + 2
    highest = lowest + (used - scan.end) // RECORD_OVERHEAD
    for start in range(scan.end + 1, min(used, len(data) - RECORD_OVERHEAD + 1)):
        if lowest <= peek_index(data, start) <= highest:
            try:
                return start, decode_record(data, start)
            except BadRecord:
                continue
    return None


def _misses_a_sector(data: bytes, start: int, end: int) -> bool:
    """Whether a sector's share of the bytes from ``start``, where a record begins, to ``end`` is all zeros, and too
    long to be so by nature: where the record begins a length and a checksum are enough."""
    enough, further = RECORD_BEGINNING, min(end - start, 2 * RECORD_OVERHEAD)
    while start < end:
        stop = min(end, (start // _SECTOR + 1) * _SECTOR)
        if stop - start >= enough and not any(data[start:stop]):
            return True
        start, enough = stop, further
    return False
