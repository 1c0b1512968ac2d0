"""Durable file operations: whole writes, synced directories, files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from flurm.storage.errors import from_os_error

TEMPORARY = ".tmp"
_serial = itertools.count()


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data`` to ``fd``; a short write goes on where it stopped. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_private(path: Path, data: bytes) -> None:
    """Put a file of ``data``, for its owner only, at ``path``; nothing is synced. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def sync_directory(path: Path) -> None:
    """Make the names in directory ``path`` durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: Path) -> Path:
    """Create ``path`` (for its owner only) with its parents where missing, durably, and return it."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    try:
        for directory in reversed(missing):
            directory.mkdir(mode=0o700, exist_ok=True)
            sync_directory(directory.parent)
    except OSError as error:
        raise from_os_error("creating directory", path, error) from error
    return path


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600, sync_name: bool = True) -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``path`` when the block ends well, and is gone where it does not.

    Readers, also after a crash, see the old file or the whole new one. With ``sync_name`` false the caller syncs the
    directory itself before it relies on the name. Raises StorageError.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{next(_serial)}{TEMPORARY}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        if sync_name:
            sync_directory(path.parent)
    except OSError as error:
        raise from_os_error("writing", path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, chunks: Iterable[bytes], mode: int = 0o600, sync_name: bool = True) -> None:
    """Put a file of ``chunks`` at ``path``, as ``replacing`` does it. Raises StorageError."""
    with replacing(path, mode, sync_name) as file:
        for chunk in chunks:
            file.write(chunk)


def remove_leftovers(directory: Path) -> None:
    """Delete the temporary files that a crash left in ``directory``."""
    for path in directory.glob(f"*{TEMPORARY}"):
        path.unlink(missing_ok=True)


class Device:
    """What the log does to an open file. Tests and simulations put a worse disk in its place."""

    def write(self, fd: int, data: bytes, offset: int) -> None:
        """Write all of ``data`` at ``offset``. Raises OSError; some of it may have been written then."""
        view = memoryview(data)
        while view:
            written = os.pwrite(fd, view, offset)
            view, offset = view[written:], offset + written

    def allocate(self, fd: int, size: int) -> None:
        """Extend the file to ``size`` bytes of zeros that have their place on the disk already. Raises OSError."""
        os.posix_fallocate(fd, 0, size)

    def sync(self, fd: int) -> None:
        """Make what was written durable. Raises OSError; what the file holds is unknown then."""
        os.fdatasync(fd)

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file to ``size`` bytes, durably. Raises OSError."""
        os.ftruncate(fd, size)
        os.fsync(fd)
