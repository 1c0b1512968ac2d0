"""The lock on a state directory: one process owns it, and whoever comes second is told which.

The lock is the kernel's (flock on ``lock``), so it goes with its process, however that ends. What stands in the file is
only there to be read: pid, host and start time of the owner.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from flurm.storage.errors import StateDirHeld, from_os_error
from flurm.storage.files import make_directory


class StateDirLock:
    """Owns ``directory`` from ``acquire`` to ``release``; also a context manager."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / "lock"
        self._fd = -1

    def acquire(self) -> None:
        """Take the directory (created where missing). Raises StateDirHeld, StorageError."""
        make_directory(self.directory)
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise from_os_error("opening", self._path, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sign(fd)
        except BlockingIOError:
            holder = _holder(fd)
            os.close(fd)
            raise StateDirHeld(self.directory, holder.get("pid"), holder.get("host"), holder.get("since")) from None
        except OSError as error:
            os.close(fd)
            raise from_os_error("locking", self._path, error) from error
        self._fd = fd

    def release(self) -> None:
        """Let go of the directory; nothing happens where it is not held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> StateDirLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def _sign(fd: int) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    owner = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, owner.encode() + b"\n", 0)
    except OSError:
        # A full disk takes the name tag, not the lock.
        os.ftruncate(fd, 0)


def _holder(fd: int) -> dict[str, Any]:
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}
