"""Processes as the console sees them: `sys`, `recon`, `observer`, under the names that Erlang's admins know."""

from __future__ import annotations

import difflib
import gc
import threading
from collections.abc import Callable, Iterable
from sys import getsizeof
from types import FunctionType, MethodType, ModuleType
from typing import Any

from flurm.otp import debug

__all__ = ["Observer", "Recon", "Sys", "find", "size_of"]

MOST_OBJECTS = 200_000
_NOT_DATA = (type, ModuleType, FunctionType, MethodType, threading.Thread)


def find(system: Any, name: str) -> Any:
    """The process of that name or pid. Raises LookupError with the nearest name."""
    processes = system.processes()
    for process in processes:
        if name in (process.name, str(process.pid)):
            return process
    near = difflib.get_close_matches(name, [each.name for each in processes if each.name], 1)
    raise LookupError(f"there is no process {name}{f'; did you mean {near[0]}?' if near else ''}")


class Sys:
    """OTP's `sys`: look at a process, or hold it, between two of its messages."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def get_state(self, name: str) -> Any:
        """The state of a process."""
        return debug.get_state(self._system, find(self._system, name).pid)

    def replace_state(self, name: str, change: Callable[[Any], Any]) -> Any:
        """Put `change(state)` in the place of a process's state."""
        return debug.replace_state(self._system, find(self._system, name).pid, change)

    def get_status(self, name: str) -> Any:
        """The state as the process shows it."""
        return debug.get_status(self._system, find(self._system, name).pid)

    def suspend(self, name: str) -> None:
        """Let messages to a process wait until `resume`."""
        debug.suspend(self._system, find(self._system, name).pid)

    def resume(self, name: str) -> None:
        """Let a suspended process go on."""
        debug.resume(self._system, find(self._system, name).pid)


class Recon:
    """Processes sorted by what they use."""

    _BY: dict[str, Callable[[Any], Any]] = {
        "message_queue_len": lambda process: process.mailbox,
        "mailbox": lambda process: process.mailbox,
        "reductions": lambda process: process.handled,
        "handled": lambda process: process.handled,
    }

    def __init__(self, system: Any) -> None:
        self._system = system

    def proc_count(self, attribute: str = "mailbox", most: int = 10) -> list[dict[str, Any]]:
        """The processes with most of something: mailbox, handled, memory."""
        measure = self._memory if attribute == "memory" else self._BY.get(attribute)
        if measure is None:
            raise LookupError(f"processes cannot be sorted by {attribute}; by memory, {', '.join(self._BY)}")
        ranked = sorted(self._system.processes(), key=measure, reverse=True)[:most]
        return [
            {"process": each.name or type(each.module).__name__, "pid": str(each.pid), attribute: measure(each)}
            for each in ranked
        ]

    def _memory(self, process: Any) -> int:
        """Bytes of a process's state, near enough to rank by."""
        system = self._system
        return size_of(process.state, (system, system.env, system.terms, *system.env.values(), *system.terms.values()))


def size_of(value: Any, shared: Iterable[Any] = ()) -> int:
    """Bytes of a value and what it refers to, up to `MOST_OBJECTS` of them; code and what is `shared` do not count."""
    seen = {id(each) for each in shared}
    found, total = [value], 0
    while found and len(seen) < MOST_OBJECTS:
        each = found.pop()
        if id(each) in seen or isinstance(each, _NOT_DATA):
            continue
        seen.add(id(each))
        total += getsizeof(each)
        found.extend(gc.get_referents(each))
    return total


class Observer:
    """The observer is a terminal application of its own."""

    def start(self) -> str:
        """Where to find it."""
        return "Run `flurm observer` in another terminal; `flurm tree --watch` shows the tree alone."
