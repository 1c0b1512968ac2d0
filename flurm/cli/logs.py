"""How the daemons log: one line per event, for people on a terminal, as JSON in a file."""

from __future__ import annotations

import contextlib
import os
import sys
import syslog
from io import TextIOBase
from pathlib import Path
from typing import Any, Protocol

import structlog

from flurm.console.log_levels import LEVELS, NamedLogger, drop_unwanted


class Sink(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> Any: ...
    def flush(self) -> Any: ...


class LogFile:
    """A file that lines are added to, readable by its owner only; `reopen` it once it has been moved away.

    Raises OSError where it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = self._open()

    def write(self, text: str, /) -> None:
        """Append."""
        os.write(self._handle, text.encode(errors="replace"))

    def flush(self) -> None:
        """Nothing waits to be written."""

    def reopen(self) -> None:
        """Write to the file that has the name now. Raises OSError, and goes on with the old one."""
        fresh = self._open()
        os.dup2(fresh, self._handle, inheritable=False)
        os.close(fresh)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


class Syslog:
    """The system's log, for daemons that were told of no file."""

    def __init__(self, name: str) -> None:
        syslog.openlog(name, syslog.LOG_PID, syslog.LOG_DAEMON)

    def write(self, text: str, /) -> None:
        """Log each line."""
        for line in filter(None, text.splitlines()):
            syslog.syslog(line)

    def flush(self) -> None:
        """Nothing waits to be written."""


class Both:
    """Two places at once."""

    def __init__(self, first: Sink, second: Sink) -> None:
        self._sinks = (first, second)

    def write(self, text: str, /) -> None:
        """Write to both."""
        for each in self._sinks:
            Lossy(each).write(text)

    def flush(self) -> None:
        """Flush both."""
        for each in self._sinks:
            Lossy(each).flush()


class Lossy:
    """A stream on which a full disk costs log lines, and not the process that writes them."""

    def __init__(self, stream: Sink) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, if that can be done."""
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, if that can be done."""
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Factory:
    """Makes loggers that write to one stream and know the module they are for."""

    def __init__(self, stream: Lossy) -> None:
        self._stream = stream

    def __call__(self, *names: Any) -> NamedLogger:
        return NamedLogger(self._stream, names[0] if names else "")


def configure(level: str, stream: Sink | None = None) -> None:
    """Send structlog's events to `stream` (standard error by default) from `level` on."""
    out = stream or sys.stderr
    terminal = isinstance(out, TextIOBase) and out.isatty()
    renderer: structlog.typing.Processor
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            drop_unwanted,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=_Factory(Lossy(out)),
        cache_logger_on_first_use=False,
    )
    LEVELS.set(level)


def reopen(file: LogFile | None) -> None:
    """Write to the file that has the name now: the one before has been moved away."""
    log = structlog.get_logger(__name__)
    try:
        if file is not None:
            file.reopen()
    except OSError as error:
        log.error("log not opened anew", reason=str(error))
    else:
        log.info("log opened anew")
