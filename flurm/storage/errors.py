"""What goes wrong with files: no room, a failing device, damaged content, somebody else in the directory."""

from __future__ import annotations

import errno
from pathlib import Path

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class StorageError(Exception):
    """The device or the file system refused; what was durable before still is."""


class StorageFull(StorageError):
    """There is no room (space, quota, file size). Try again when there is; nothing else has to be done."""


class LogPoisoned(StorageError):
    """A sync failed, so what the file holds is unknown: nothing more is written until it has been opened anew."""


class CorruptFile(StorageError):
    """A file holds something else than what was written: damage that no crash explains. Never skipped over."""

    def __init__(self, path: Path, offset: int, problem: str, advice: str) -> None:
        super().__init__(f"{path} is damaged at offset {offset}: {problem}. {advice}")
        self.path, self.offset, self.problem, self.advice = path, offset, problem, advice


class CorruptLog(CorruptFile):
    """The log, or the term and vote beside it, is damaged."""


class CorruptSnapshot(CorruptFile):
    """A snapshot is damaged."""


class CorruptBlob(CorruptFile):
    """A blob's content does not have the digest that is its name."""


class BlobsLost(StorageError):
    """A sync of blobs failed, and what it was about cannot be read any more: whoever kept them has to do so again."""

    def __init__(self, directory: Path, count: int) -> None:
        super().__init__(f"{count} blobs in {directory} are gone after a sync that failed; the log has them")


class StateDirHeld(StorageError):
    """Another process owns the state directory."""

    def __init__(self, path: Path, pid: int | None, host: str | None, since: str | None) -> None:
        who = f"process {pid} on {host}, running since {since}" if pid else "another process"
        super().__init__(f"state directory {path} is in use by {who}; stop that one first or give this one its own")
        self.path, self.pid, self.host, self.since = path, pid, host, since


def from_os_error(doing: str, path: Path, error: OSError) -> StorageError:
    """The storage error for an ``OSError`` that was raised while ``doing`` something with ``path``."""
    kind = StorageFull if error.errno in _NO_ROOM else StorageError
    return kind(f"{doing} {path}: {error.strerror or error}")
