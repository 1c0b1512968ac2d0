"""From which level on is logged: one level for everything, and others for single modules, changed while it runs.

A logger is asked twice. structlog's filter drops what no module wants, at the price of a comparison; `drop_unwanted`, a
processor, then looks the module up. Levels of a package hold for the modules in it, the longest name first.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

__all__ = ["LEVELS", "NAMES", "Levels", "NamedLogger", "drop_unwanted", "number_of"]

NAMES = ("debug", "info", "warning", "error", "critical")


class NamedLogger(structlog.PrintLogger):
    """A logger that knows the module it logs for."""

    def __init__(self, stream: Any, name: str) -> None:
        super().__init__(stream)
        self.module = name


class Levels:
    """The levels in force. `set` raises ValueError for what is no level."""

    def __init__(self, level: str = "info") -> None:
        self.level = level
        self.modules: dict[str, str] = {}

    def set(self, level: str | None, module: str | None = None) -> None:
        """Log from `level` on, for one module or for all; None takes a module's own level back."""
        if level is not None:
            level = level.lower()
            number_of(level)
        if module is None:
            if level is None:
                raise ValueError("the level of everything can be changed, not taken away")
            self.level = level
        elif level is None:
            self.modules.pop(module, None)
        else:
            self.modules[module] = level
        lowest = min(number_of(each) for each in (self.level, *self.modules.values()))
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(lowest))

    def of(self, module: str) -> int:
        """The number of the level that holds for a module."""
        name = module
        while name:
            if name in self.modules:
                return number_of(self.modules[name])
            name = name.rpartition(".")[0]
        return number_of(self.level)

    def __str__(self) -> str:
        own = "".join(f"\n{module:<32} {level}" for module, level in sorted(self.modules.items()))
        return f"{'everything':<32} {self.level}{own}"


def number_of(level: str) -> int:
    """The logging module's number of a level's name. Raises ValueError that names the levels."""
    if level not in NAMES:
        raise ValueError(f"{level!r} is no log level; there are {', '.join(NAMES)}")
    number: int = getattr(logging, level.upper())
    return number


LEVELS = Levels()
"""The levels of this process: structlog's configuration is one for each process, too."""


def drop_unwanted(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: drops events below their module's level."""
    if LEVELS.modules and number_of(event.get("level", method)) < LEVELS.of(getattr(logger, "module", "")):
        raise structlog.DropEvent
    return event
