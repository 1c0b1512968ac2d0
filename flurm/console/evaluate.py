"""Runs console code beside the cluster: in a thread of its own, for a limited time, with what it prints caught.

A thread that overruns its time has an exception raised in it, again and again until it ends. One that cannot be reached
(it waits in a system call) is left behind; when too many are, nothing more is evaluated until some have ended.
Sessions keep their variables between lines, and there is a bounded number of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from types import CodeType
from typing import Any

import msgspec

from flurm.console.source import GUARDS, BadExpression, parse

__all__ = ["Evaluator", "Outcome"]

DEFAULT_TIMEOUT_S = 10.0
MAX_TIMEOUT_S = 600.0
STOP_S = 1.0
MAX_LEFT_BEHIND = 4
MAX_SESSIONS = 16
MAX_OUTPUT = 1 << 20


class Outcome(msgspec.Struct):
    """What an evaluation gave: a value, or the error that ended it, and what was printed on the way."""

    value: Any = None
    error: str | None = None
    printed: str = ""


class OutOfTime(BaseException):
    """Raised in a console thread that has used up its time."""


class Evaluator:
    """Evaluates expressions in sessions; `names()` gives a fresh namespace for each of them."""

    def __init__(self, names: Callable[[], dict[str, Any]]) -> None:
        self._names = names
        self._sessions: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._guard = threading.Lock()
        self._left_behind: list[threading.Thread] = []

    def evaluate(self, typed: str, session: str | None = None, timeout_s: float = DEFAULT_TIMEOUT_S) -> Outcome:
        """Evaluate one line. Raises nothing: what goes wrong is in the outcome."""
        try:
            statements, value = parse(typed)
        except BadExpression as error:
            return Outcome(error=f"syntax error: {error}")
        with self._guard:
            self._left_behind = [thread for thread in self._left_behind if thread.is_alive()]
            if len(self._left_behind) >= MAX_LEFT_BEHIND:
                return Outcome(error=f"{MAX_LEFT_BEHIND} expressions that never ended still run; nothing more is begun")
        run = _Run(statements, value, self.namespace(session))
        if run.wait(max(0.1, min(timeout_s, MAX_TIMEOUT_S))):
            return run.outcome
        stopped = run.interrupt()
        if not stopped:
            with self._guard:
                self._left_behind.append(run.thread)
        end = "it was stopped" if stopped else "it could not be stopped and still runs"
        return Outcome(error=f"no result in {timeout_s:g} s; {end}", printed=run.printed())

    def namespace(self, session: str | None) -> dict[str, Any]:
        """The variables of a session; of none: fresh ones. The session used longest ago is forgotten for a new one."""
        if session is None:
            return {**self._names(), **GUARDS}
        with self._guard:
            found = self._sessions.pop(session, None) or {**self._names(), **GUARDS}
            self._sessions[session] = found
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
            return found

    def complete(self, text: str, session: str | None = None) -> list[str]:
        """Names that the dotted name at the end of `text` may become; nothing is called to find out."""
        dotted = _last_name(text)
        head, _, start = dotted.rpartition(".")
        names = self.namespace(session)
        if not head:
            return sorted(name for name in names if name.startswith(start) and not name.startswith("_"))
        value: Any = names.get(head.split(".")[0])
        for part in head.split(".")[1:]:
            value = vars(value).get(part) if hasattr(value, "__dict__") else None
        found = [] if value is None else [name for name in dir(value) if name.startswith(start)]
        return [f"{head}.{name}" for name in found if not name.startswith("_")]


class _Run:
    """One evaluation in its thread."""

    def __init__(self, statements: CodeType | None, value: CodeType | None, names: dict[str, Any]) -> None:
        self.outcome = Outcome()
        self._code, self._value, self._names = statements, value, names
        self._output = _Output()
        self._done = threading.Event()
        self.thread = threading.Thread(target=self._run, name="flurm-console", daemon=True)
        self.thread.start()

    def wait(self, timeout_s: float) -> bool:
        return self._done.wait(timeout_s)

    def printed(self) -> str:
        return self._output.getvalue()

    def interrupt(self) -> bool:
        """Raise OutOfTime in the thread until it has ended; whether it has."""
        deadline_s = time.monotonic() + STOP_S
        number = ctypes.c_ulong(self.thread.ident or 0)
        while self.thread.is_alive() and time.monotonic() < deadline_s:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(OutOfTime))
            self.thread.join(0.02)
        return not self.thread.is_alive()

    def _run(self) -> None:
        try:
            names = self._names
            names["print"] = self._print
            if self._code is not None:
                exec(self._code, names)
            if self._value is not None:
                self.outcome.value = eval(self._value, names)
                if self.outcome.value is not None:
                    names["_"] = self.outcome.value
        except OutOfTime:
            return
        except BaseException as error:
            self.outcome.error = _told(error)
        with contextlib.suppress(OutOfTime):
            self.outcome.printed = self.printed()
            self._done.set()

    def _print(self, *values: Any, sep: str = " ", end: str = "\n", **_: Any) -> None:
        self._output.write(sep.join(map(str, values)) + end)


class _Output(io.StringIO):
    """Keeps the beginning of what is printed."""

    def write(self, text: str, /) -> int:
        return super().write(text[: max(0, MAX_OUTPUT - self.tell())])


def _told(error: BaseException) -> str:
    """The error in a line, with the console's own lines of its traceback before it where there are several."""
    lines = traceback.format_exception_only(error)
    return "".join(lines).strip()


def _last_name(text: str) -> str:
    end = len(text)
    start = end
    while start and (text[start - 1].isalnum() or text[start - 1] in "._"):
        start -= 1
    return text[start:end]
