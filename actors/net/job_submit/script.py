"""A plugin in a file: read again when the file changes, and kept as it was when the new one cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from actors.net.job_submit.plugins import Case

__all__ = ["Loaded", "Script"]

log = structlog.get_logger(__name__)


class Loaded(Protocol):
    """A script that has been read."""

    def look(self, case: Case, expired: Callable[[], bool]) -> int:
        """0, or the number that refuses the request; `expired` tells that it has had its time."""
        ...


class Script:
    """The script at `path`. Raises what `load` raises where it cannot be read at first."""

    def __init__(self, path: Path, load: Callable[[Path], Loaded]) -> None:
        self._path, self._load = path, load
        self._stamp = self._stamp_now()
        self._loaded = load(path)
        self.expired: Callable[[], bool] = lambda: False

    def look(self, case: Case) -> int:
        """Have the newest good version look."""
        self._refresh()
        return self._loaded.look(case, self.expired)

    def _refresh(self) -> None:
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._loaded = self._load(self._path)
            log.info("job_submit: read again", file=str(self._path))
        except Exception as error:
            log.error("job_submit: using the previous script", file=str(self._path), reason=str(error))

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino
