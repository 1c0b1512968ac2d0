"""Processes as the console sees them: `sys`, `recon`, `observer`, under the names that Erlang's admins know."""

from __future__ import annotations

import difflib
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from sys import getsizeof
from types import FunctionType, MethodType, ModuleType
from typing import Any, ClassVar

from flurm.otp import debug

__all__ = ["Observer", "Recon", "Sys", "describe_event", "find", "size_of"]

MOST_OBJECTS = 200_000
SHOWN = 300
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

    def statistics(self, name: str) -> Any:
        """Messages in and out of a process since the first time this was asked."""
        pid = find(self._system, name).pid
        found = debug.get_statistics(self._system, pid)
        if found is None:
            debug.statistics(self._system, pid, True)
        return found

    def log(self, name: str, size: int = 20) -> list[str]:
        """Keep the last `size` messages of a process from now on (0: none); those kept so far."""
        pid = find(self._system, name).pid
        kept = debug.get_log(self._system, pid)
        debug.log(self._system, pid, size)
        return [describe_event(each) for each in kept]

    def trace(self, name: str, on: bool = True) -> None:
        """Write every message of a process to the daemon's log; `flurm trace` shows them here."""
        debug.trace(self._system, find(self._system, name).pid, on)

    def suspend(self, name: str) -> None:
        """Let messages to a process wait until `resume`."""
        debug.suspend(self._system, find(self._system, name).pid)

    def resume(self, name: str) -> None:
        """Let a suspended process go on."""
        debug.resume(self._system, find(self._system, name).pid)


class Recon:
    """Processes by what they use."""

    SORTED_BY = ("memory", "mailbox", "handled", "cpu_s")
    _ALIASES: ClassVar[dict[str, str]] = {"message_queue_len": "mailbox", "reductions": "cpu_s"}

    def __init__(self, system: Any) -> None:
        self._system = system

    def proc_count(self, attribute: str = "mailbox", most: int = 10) -> list[dict[str, Any]]:
        """The processes with most of something: memory, mailbox, handled, cpu_s."""
        attribute = self._ALIASES.get(attribute, attribute)
        if attribute not in self.SORTED_BY:
            raise LookupError(f"processes cannot be sorted by {attribute}; by {', '.join(self.SORTED_BY)}")
        ranked = sorted(self.processes(), key=lambda row: row[attribute], reverse=True)[:most]
        return [{key: row[key] for key in ("process", "pid", attribute)} for row in ranked]

    def processes(self) -> list[dict[str, Any]]:
        """Every process: mailbox, messages handled, CPU seconds, bytes of its state."""
        cpu_s = _cpu_by_thread()
        return [
            {
                "process": _name(each),
                "pid": str(each.pid),
                "status": each.status,
                "mailbox": each.mailbox,
                "handled": each.handled,
                "cpu_s": cpu_s.get(each.name or f"{type(each.module).__name__} {each.pid}", 0.0),
                "memory": self._memory(each),
                "up_s": round(self._system.monotonic_s() - each.started_s, 1),
            }
            for each in self._system.processes()
        ]

    def info(self, name: str) -> dict[str, Any]:
        """One process: its state, its code, its links, and its last messages where they are kept (`sys.log`)."""
        process = find(self._system, name)
        status = debug.get_status(self._system, process.pid)
        return {
            "process": _name(process),
            "pid": str(process.pid),
            "status": status.status,
            "module": status.module,
            "vsn": process.module.vsn,
            "file": getattr(sys.modules.get(type(process.module).__module__), "__file__", None),
            "parent": status.parent,
            "links": sorted(repr(each) for each in process.links),
            "monitored_by": sorted(repr(each) for each in process.monitors.values()),
            "mailbox": status.mailbox,
            "handled": status.handled,
            "memory": self._memory(process),
            "debug": list(status.debug),
            "state": status.state,
            "last_messages": [describe_event(each) for each in status.log],
        }

    def _memory(self, process: Any) -> int:
        """Bytes of a process's state, near enough to rank by."""
        system = self._system
        return size_of(process.state, (system, system.env, system.terms, *system.env.values(), *system.terms.values()))


def describe_event(event: tuple[Any, ...]) -> str:
    """An event of a traced process on a line: what came from whom, what went to whom."""
    match event:
        case ("in", kind, message, sender):
            return f"<- {kind} {_short(message)}{f' from {sender}' if sender is not None else ''}"
        case ("out", value, to):
            return f"-> {_short(value)} to {to}"
    return f"   {event[0]} {_short(event[1:])}"


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"


def _name(process: Any) -> str:
    return process.name or type(process.module).__name__


def _cpu_by_thread() -> dict[str, float]:
    """CPU seconds of this program's threads, by the threads' names; nothing where the system does not tell."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for thread in threading.enumerate():
        try:
            fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[thread.name] = (int(fields[11]) + int(fields[12])) / ticks
    return found


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
