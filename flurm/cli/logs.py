"""How the daemons log: one line per event, for people on a terminal, as JSON in a file."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, TextIO

import structlog

from flurm.console.log_levels import LEVELS, NamedLogger, drop_unwanted


class Lossy:
    """A stream on which a full disk costs log lines, and not the process that writes them."""

    def __init__(self, stream: TextIO) -> None:
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


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send structlog's events to `stream` (standard error by default) from `level` on."""
    out = stream or sys.stderr
    terminal = out.isatty()
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
