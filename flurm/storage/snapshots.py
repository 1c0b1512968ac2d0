"""Snapshots: the applied state as of one log index, as a file that is there whole or not at all.

A file is a header (magic, format version u32, index u64, term u64, compression u8, CRC-32C of the header u32), the
content, and a footer (length of the content as stored u64, its CRC-32C u32). It is written to a temporary name, synced,
renamed, and the directory synced. The last two are kept, so that one damaged file costs no more than the log between
them; whoever compacts the log keeps it from ``oldest_index`` on.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import google_crc32c
import msgspec

from flurm.storage.errors import CorruptSnapshot, from_os_error
from flurm.storage.files import make_directory, remove_leftovers, sync_directory, write_atomically

KEPT = 2
_HEADER = struct.Struct("<8sIQQB")
_FOOTER = struct.Struct("<QI")
_CRC = struct.Struct("<I")
_MAGIC = b"FLURMSNP"
_VERSION = 1
_NAME = "snapshot-{:020d}.snap"
_START = _HEADER.size + _CRC.size
_ADVICE = "Restore the state directory from a backup or from another controller."


class Compression(enum.IntEnum):
    """How a snapshot's content is stored. The numbers stand on disk."""

    NONE = 0
    ZLIB = 1


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot that was read: the state after the entry (index, term), as its writer encoded it."""

    index: int
    term: int
    content: bytes


class Newest(msgspec.Struct, frozen=True):
    """The newest snapshot that can be read, None where there is none, and what was found wrong with newer ones."""

    snapshot: Snapshot | None
    damaged: tuple[CorruptSnapshot, ...] = ()


class SnapshotStore:
    """The snapshots in ``directory``. Writing is for one thread at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = make_directory(directory)
        remove_leftovers(directory)

    def write(
        self, index: int, term: int, chunks: Iterable[bytes], compression: Compression = Compression.ZLIB
    ) -> Path:
        """Store the state after entry (``index``, ``term``) durably, drop the third newest. Raises StorageError."""
        path = self.directory / _NAME.format(index)
        write_atomically(path, _encode(index, term, chunks, compression))
        try:
            for old in self._paths()[:-KEPT]:
                old.unlink()
            sync_directory(self.directory)
        except OSError as error:
            raise from_os_error("removing old snapshots in", self.directory, error) from error
        return path

    def newest(self) -> Newest:
        """The newest snapshot whose content is what was written, with a report of each newer one that is not."""
        damaged: list[CorruptSnapshot] = []
        for path in reversed(self._paths()):
            try:
                return Newest(self.read(path), tuple(damaged))
            except CorruptSnapshot as error:
                damaged.append(error)
        return Newest(None, tuple(damaged))

    def oldest_index(self) -> int:
        """Index of the oldest snapshot kept, 0 where there is none: the log is needed from the next entry on."""
        paths = self._paths()
        return int(paths[0].stem.removeprefix("snapshot-")) if paths else 0

    def read(self, path: Path) -> Snapshot:
        """The snapshot in ``path``. Raises CorruptSnapshot, StorageError."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise from_os_error("reading", path, error) from error
        return _decode(path, data)

    def _paths(self) -> list[Path]:
        return sorted(self.directory.glob("snapshot-*.snap"))


def _encode(index: int, term: int, chunks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    header = _HEADER.pack(_MAGIC, _VERSION, index, term, compression)
    yield header + _CRC.pack(google_crc32c.value(header))
    length, crc = 0, 0
    for chunk in _compressed(chunks) if compression is Compression.ZLIB else chunks:
        length, crc = length + len(chunk), google_crc32c.extend(crc, chunk)
        yield chunk
    yield _FOOTER.pack(length, crc)


def _compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(level=1)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _decode(path: Path, data: bytes) -> Snapshot:
    if len(data) < _START + _FOOTER.size:
        raise CorruptSnapshot(path, 0, f"expected {_START + _FOOTER.size} bytes or more, found {len(data)}", _ADVICE)
    (expected,) = _CRC.unpack_from(data, _HEADER.size)
    found = google_crc32c.value(data[: _HEADER.size])
    magic, version, index, term, compression = _HEADER.unpack_from(data)
    if magic != _MAGIC or found != expected:
        problem = f"expected a snapshot header with CRC-32C {expected:08x}, found {found:08x}"
        raise CorruptSnapshot(path, 0, problem, _ADVICE)
    if version != _VERSION or compression not in list(Compression):
        problem = f"expected format version {_VERSION}, found {version} (compression {compression})"
        raise CorruptSnapshot(path, 0, problem, "It was written by a newer release: use that one.")
    content = data[_START : -_FOOTER.size]
    length, expected = _FOOTER.unpack_from(data, len(data) - _FOOTER.size)
    found = google_crc32c.value(content)
    if length != len(content) or found != expected:
        problem = f"expected {length} bytes with CRC-32C {expected:08x}, found {len(content)} with {found:08x}"
        raise CorruptSnapshot(path, _START, problem, _ADVICE)
    return Snapshot(index, term, zlib.decompress(content) if compression == Compression.ZLIB else content)
