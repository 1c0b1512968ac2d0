"""Snapshots: the applied state as of one log index, as a file that is there whole or not at all.

A file is a header (magic, format version u32, index u64, term u64, compression u8, length of the configuration u32, the
configuration, CRC-32C of all that u32), the content, and a footer (length of the content as stored u64, its CRC-32C
u32). Version 1, still read, had no configuration. It is written to a temporary name, synced, renamed, and the directory
synced. The last two are kept, so that one damaged file costs no more than the log between them; whoever compacts the
log keeps it from ``oldest_index`` on.

Files are written and read piece by piece; only who asks for the content gets all of it at once.
"""

from __future__ import annotations

import enum
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import msgspec

from flurm.raft.records import Configuration
from flurm.storage.errors import CorruptSnapshot, from_os_error
from flurm.storage.files import make_directory, remove_leftovers, sync_directory, write_atomically

KEPT = 2
_START = struct.Struct("<8sI")
_HEADERS = {1: struct.Struct("<8sIQQB"), 2: struct.Struct("<8sIQQBI")}
_FOOTER = struct.Struct("<QI")
_CRC = struct.Struct("<I")
_MAGIC = b"FLURMSNP"
_VERSION = 2
_CONFIGURATION_MAX = 1024 * 1024
_PIECE = 1024 * 1024
_NAME = "snapshot-{:020d}.snap"
_ADVICE = "Restore the state directory from a backup or from another controller."


class Compression(enum.IntEnum):
    """How a snapshot's content is stored. The numbers stand on disk."""

    NONE = 0
    ZLIB = 1


class SnapshotInfo(msgspec.Struct, frozen=True):
    """What a snapshot file is: the state after the entry (index, term), who the cluster was then, its whole size.

    ``configuration`` is None where the file does not say: it was written by a cluster of one.
    """

    index: int
    term: int
    configuration: Configuration | None
    size: int
    path: Path


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot that was read: the state after the entry (index, term), as its writer encoded it."""

    index: int
    term: int
    content: bytes
    configuration: Configuration | None = None


class Newest(msgspec.Struct, frozen=True):
    """The newest snapshot that can be read, None where there is none, and what was found wrong with newer ones."""

    snapshot: Snapshot | None
    damaged: tuple[CorruptSnapshot, ...] = ()


class NewestInfo(msgspec.Struct, frozen=True):
    """As ``Newest``, without the content."""

    snapshot: SnapshotInfo | None
    damaged: tuple[CorruptSnapshot, ...] = ()


class SnapshotStore:
    """The snapshots in ``directory``. Raises StorageError."""

    def __init__(self, directory: Path) -> None:
        self.directory = make_directory(directory)
        self._changing = threading.Lock()
        remove_leftovers(directory)

    def write(
        self,
        index: int,
        term: int,
        chunks: Iterable[bytes],
        configuration: Configuration | bytes | None = None,
        compression: Compression = Compression.ZLIB,
    ) -> Path:
        """Store the state after entry (``index``, ``term``) durably, drop the third newest.

        ``chunks`` are consumed one by one. ``configuration`` is the one in force at that entry, also as ``encode``
        made it. Raises StorageError.
        """
        if compression is Compression.ZLIB:
            chunks = _compressed(chunks)
        path = self.path(index)
        write_atomically(path, _file(_header(index, term, configuration, compression), chunks))
        self._drop_old()
        return path

    def take_over(self, path: Path, configuration: Configuration) -> SnapshotInfo:
        """Make the file at ``path``, on this file system, one of the snapshots, durably; ``path`` is gone then.

        One that does not say its configuration gets ``configuration``. Raises CorruptSnapshot, StorageError.
        """
        info = self.check(path)
        target = self.path(info.index)
        if info.configuration is None:
            header, chunks = _stored(path)
            again = _header(info.index, info.term, configuration, header.compression)
            write_atomically(target, _file(again, chunks))
        try:
            if info.configuration is None:
                path.unlink()
            else:
                path.replace(target)
            sync_directory(self.directory)
        except OSError as error:
            raise from_os_error("putting in place", target, error) from error
        self._drop_old()
        return msgspec.structs.replace(info, configuration=info.configuration or configuration, path=target)

    def newest(self) -> Newest:
        """The newest snapshot whose content is what was written, with a report of each newer one that is not."""
        damaged: list[CorruptSnapshot] = []
        for path in reversed(self.paths()):
            try:
                return Newest(self.read(path), tuple(damaged))
            except CorruptSnapshot as error:
                damaged.append(error)
        return Newest(None, tuple(damaged))

    def newest_info(self) -> NewestInfo:
        """What the newest whole snapshot is, read through once and not kept in memory."""
        damaged: list[CorruptSnapshot] = []
        for path in reversed(self.paths()):
            try:
                return NewestInfo(self.check(path), tuple(damaged))
            except CorruptSnapshot as error:
                damaged.append(error)
        return NewestInfo(None, tuple(damaged))

    def oldest_index(self) -> int:
        """Index of the oldest snapshot kept, 0 where there is none: the log is needed from the next entry on."""
        paths = self.paths()
        return int(paths[0].stem.removeprefix("snapshot-")) if paths else 0

    @staticmethod
    def read(path: Path) -> Snapshot:
        """The snapshot in ``path``. Raises CorruptSnapshot, StorageError."""
        header, chunks = _stored(path)
        if header.compression is Compression.ZLIB:
            chunks = _decompressed(chunks)
        try:
            content = b"".join(chunks)
        except zlib.error as error:
            raise CorruptSnapshot(path, 0, f"its content cannot be read: {error}", _ADVICE) from error
        except OSError as error:
            raise from_os_error("reading", path, error) from error
        return Snapshot(header.index, header.term, content, header.configuration)

    @staticmethod
    def check(path: Path) -> SnapshotInfo:
        """What the file at ``path`` is, once all of it has been found whole. Raises CorruptSnapshot, StorageError."""
        header, chunks = _stored(path)
        try:
            for _ in chunks:
                pass
            size = path.stat().st_size
        except OSError as error:
            raise from_os_error("reading", path, error) from error
        return SnapshotInfo(header.index, header.term, header.configuration, size, path)

    def path(self, index: int) -> Path:
        """Where the snapshot of ``index`` is, or would be."""
        return self.directory / _NAME.format(index)

    def paths(self) -> list[Path]:
        """The snapshot files, oldest first."""
        return sorted(self.directory.glob("snapshot-*.snap"))

    def _drop_old(self) -> None:
        try:
            with self._changing:
                for old in self.paths()[:-KEPT]:
                    old.unlink()
                sync_directory(self.directory)
        except OSError as error:
            raise from_os_error("removing old snapshots in", self.directory, error) from error


class _Header(msgspec.Struct, frozen=True):
    index: int
    term: int
    compression: Compression
    configuration: Configuration | None


def _header(index: int, term: int, configuration: Configuration | bytes | None, compression: Compression) -> bytes:
    encoded = configuration.encode() if isinstance(configuration, Configuration) else configuration or b""
    header = _HEADERS[_VERSION].pack(_MAGIC, _VERSION, index, term, compression, len(encoded)) + encoded
    return header + _CRC.pack(google_crc32c.value(header))


def _file(header: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A whole file of content ``chunks`` as they are stored."""
    yield header
    length, crc = 0, 0
    for chunk in chunks:
        length, crc = length + len(chunk), google_crc32c.extend(crc, chunk)
        yield chunk
    yield _FOOTER.pack(length, crc)


def _compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(level=1)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _decompressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decompressor = zlib.decompressobj()
    for chunk in chunks:
        yield decompressor.decompress(chunk)
    yield decompressor.flush()


def _stored(path: Path) -> tuple[_Header, Iterator[bytes]]:
    """The header of the file at ``path``, and its content as it is stored, which is checked as it is read."""
    try:
        file = path.open("rb")
        try:
            header = _read_header(path, file)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise from_os_error("reading", path, error) from error
    return header, _read_content(path, file)


def _read_header(path: Path, file: BinaryIO) -> _Header:
    start = file.read(_START.size)
    magic, version = _START.unpack(start) if len(start) == _START.size else (start, 0)
    if magic != _MAGIC or version not in _HEADERS:
        problem = f"expected a snapshot of format version 1 or {_VERSION}, found {magic!r} of version {version}"
        raise CorruptSnapshot(path, 0, problem, f"{_ADVICE} One that a newer release wrote needs that release.")
    layout = _HEADERS[version]
    data = start + file.read(layout.size - _START.size)
    fields = layout.unpack(data) if len(data) == layout.size else (0, 0, 0, 0, 0)
    _, _, index, term, compression, *length = fields
    if length and length[0] <= _CONFIGURATION_MAX:
        data += file.read(length[0])
    crc, found = file.read(_CRC.size), google_crc32c.value(data)
    if crc != _CRC.pack(found):
        problem = f"expected a snapshot header with CRC-32C {crc[::-1].hex()}, found {found:08x}"
        raise CorruptSnapshot(path, 0, problem, _ADVICE)
    encoded = data[layout.size :]
    try:
        configuration = Configuration.decode(encoded) if encoded else None
        return _Header(index, term, Compression(compression), configuration)
    except (ValueError, msgspec.DecodeError) as error:
        raise CorruptSnapshot(path, 0, str(error), "It was written by a newer release: use that one.") from error


def _read_content(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """The stored content that follows in ``file``; the footer is behind it and says whether it is whole."""
    with file:
        start = file.tell()
        length, crc, kept = 0, 0, b""
        while piece := file.read(_PIECE):
            piece = kept + piece
            chunk, kept = piece[: -_FOOTER.size], piece[-_FOOTER.size :]
            length, crc = length + len(chunk), google_crc32c.extend(crc, chunk)
            yield chunk
        expected_length, expected = _FOOTER.unpack(kept) if len(kept) == _FOOTER.size else (0, 0)
        if len(kept) < _FOOTER.size or expected_length != length or expected != crc:
            expects = f"expected {expected_length} bytes with CRC-32C {expected:08x}"
            raise CorruptSnapshot(path, start, f"{expects}, found {length} with {crc:08x}", _ADVICE)
