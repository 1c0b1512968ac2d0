"""How the daemons log: one line per event, for people on a terminal, as JSON in a file."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

import structlog


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
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(Lossy(out)),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
