"""One record of the segment log, and the header of a segment file, as bytes.

A record is little-endian: payload length u32, CRC-32C u32, term u64, index u64, kind u8, payload. The checksum covers
everything but itself. The top bit of the kind marks the first record of a batch: a batch is written only after the one
before it has been synced, so a readable later batch proves that everything before it had reached the disk.

A segment begins with a header of 32 bytes: magic, format version u32, index of its first record u64, term of the record
before that u64, CRC-32C u32 of all that.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import google_crc32c

from flurm.raft.records import Entry, EntryKind

_LENGTH = struct.Struct("<I")
_CRC = struct.Struct("<I")
_REST = struct.Struct("<QQB")
_HEADER = struct.Struct("<8sIQQ")
_MAGIC = b"FLURMSEG"
_VERSION = 1
_BATCH_START = 0x80

_INDEX = struct.Struct("<Q")

RECORD_BEGINNING = _LENGTH.size + _CRC.size
RECORD_OVERHEAD = _LENGTH.size + _CRC.size + _REST.size
HEADER_SIZE = _HEADER.size + _CRC.size
PAYLOAD_MAX = 64 * 1024 * 1024


class Record(NamedTuple):
    """A record that was read: its entry, whether it begins a batch, and the offset after it."""

    entry: Entry
    starts_batch: bool
    end: int


class BadRecord(Exception):
    """The bytes at an offset are no record; says why."""


def encode_record(entry: Entry, starts_batch: bool) -> bytes:
    """The bytes of ``entry``."""
    kind = entry.kind | _BATCH_START if starts_batch else entry.kind
    length = _LENGTH.pack(len(entry.payload))
    rest = _REST.pack(entry.term, entry.index, kind) + entry.payload
    return length + _CRC.pack(google_crc32c.value(length + rest)) + rest


def decode_record(data: bytes, offset: int) -> Record:
    """The record at ``offset`` of ``data``; BadRecord says why there is none."""
    start = offset + RECORD_OVERHEAD
    if start > len(data):
        raise BadRecord(f"expected a record header of {RECORD_OVERHEAD} bytes, found {len(data) - offset}")
    (length,) = _LENGTH.unpack_from(data, offset)
    if length > PAYLOAD_MAX:
        raise BadRecord(f"expected a length of at most {PAYLOAD_MAX}, found {length}")
    end = start + length
    if end > len(data):
        raise BadRecord(f"expected a payload of {length} bytes, found {len(data) - start}")
    (expected,) = _CRC.unpack_from(data, offset + _LENGTH.size)
    rest = offset + _LENGTH.size + _CRC.size
    found = google_crc32c.value(data[offset : offset + _LENGTH.size] + data[rest:end])
    if found != expected:
        raise BadRecord(f"expected CRC-32C {expected:08x}, found {found:08x}")
    term, index, kind = _REST.unpack_from(data, rest)
    try:
        entry = Entry(index, term, EntryKind(kind & ~_BATCH_START), data[start:end])
    except ValueError:
        known = ", ".join(str(int(k)) for k in EntryKind)
        raise BadRecord(f"expected an entry kind of {known}, found {kind & ~_BATCH_START}") from None
    return Record(entry, bool(kind & _BATCH_START), end)


def peek_index(data: bytes, offset: int) -> int:
    """The index that a record at ``offset`` would have; nothing is checked."""
    (index,) = _INDEX.unpack_from(data, offset + _LENGTH.size + _CRC.size + 8)
    return index


def encode_header(first_index: int, previous_term: int) -> bytes:
    """The header of a segment whose first record will have ``first_index``, after one of ``previous_term``."""
    header = _HEADER.pack(_MAGIC, _VERSION, first_index, previous_term)
    return header + _CRC.pack(google_crc32c.value(header))


def decode_header(data: bytes) -> tuple[int, int]:
    """First index and previous term from a segment's header; BadRecord says why there is none."""
    if len(data) < HEADER_SIZE:
        raise BadRecord(f"expected a segment header of {HEADER_SIZE} bytes, found {len(data)}")
    magic, version, first_index, previous_term = _HEADER.unpack_from(data)
    (expected,) = _CRC.unpack_from(data, _HEADER.size)
    found = google_crc32c.value(data[: _HEADER.size])
    if magic != _MAGIC or found != expected:
        raise BadRecord(f"expected a segment header with CRC-32C {expected:08x}, found {found:08x}")
    if version != _VERSION:
        raise BadRecord(f"expected format version {_VERSION}, found {version}")
    return first_index, previous_term
