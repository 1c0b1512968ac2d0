"""What can go wrong between processes, as exceptions.

A caller sees `CallError`: the other side is gone (`ProcessDown`, `NoProcess`) or slow (`CallTimeout`).
Whoever starts something sees `StartError`; whoever asks a supervisor for the impossible sees `Refused`.
`ProcessExit` is different: it is raised inside a process that has been told to exit while it waits, and is a
`BaseException` so that no handler's `except Exception` keeps a dying process alive.
"""

from __future__ import annotations

import traceback
from typing import Any

import msgspec


class OtpError(Exception):
    """Any failure that the runtime reports to a caller."""


class SpecError(OtpError, ValueError):
    """A child or supervisor specification contradicts itself."""


class NotRunning(OtpError):
    """The system has been stopped, or was never started."""


class CallError(OtpError):
    """A call that was not answered."""


class CallTimeout(CallError):
    """No answer in time. The request may still be carried out."""

    def __init__(self, target: object, timeout_s: float) -> None:
        super().__init__(f"no answer from {target} within {timeout_s:g} s")
        self.target = target
        self.timeout_s = timeout_s


class Overloaded(CallError):
    """The target has too many messages waiting to take another call; try again later."""

    def __init__(self, target: object, waiting: int) -> None:
        super().__init__(f"{target} is overloaded: {waiting} messages wait")
        self.target = target
        self.waiting = waiting


class ProcessDown(CallError):
    """The callee died before it answered; `reason` is its exit reason."""

    def __init__(self, target: object, reason: Any) -> None:
        super().__init__(f"{target} is down: {describe(reason)}")
        self.target = target
        self.reason = reason


class NoProcess(ProcessDown):
    """There is no such process, or no more."""

    def __init__(self, target: object) -> None:
        super().__init__(target, "noproc")


class StartError(OtpError):
    """A process did not start; `reason` is what its `init` said or raised."""

    def __init__(self, target: object, reason: Any) -> None:
        super().__init__(f"{target} did not start: {describe(reason)}")
        self.target = target
        self.reason = reason


class Refused(OtpError):
    """A supervisor refused an administrative request; `reason` is OTP's word for why, such as `not_found`."""

    def __init__(self, target: object, reason: Any) -> None:
        super().__init__(f"{target}: {describe(reason)}")
        self.target = target
        self.reason = reason


class ProcessExit(BaseException):
    """Unwinds the stack of a process that has to exit now."""

    def __init__(self, reason: Any) -> None:
        super().__init__(describe(reason))
        self.reason = reason


class Crash(msgspec.Struct, frozen=True, eq=False):
    """Exit reason of a process that died of an exception."""

    kind: str
    message: str
    exception: BaseException
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Crash:
        """The crash that `error` is, with its traceback as text so that no frames stay alive."""
        text = "".join(traceback.format_exception(error))
        error.__traceback__ = None
        return cls(type(error).__name__, str(error), error, text)

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind


def describe(reason: Any) -> str:
    """An exit reason on one line: `shutdown`, `ValueError: no`, `shutdown: failed_to_start_child: a: ...`."""
    if isinstance(reason, tuple):
        return ": ".join(describe(part) for part in reason)
    return str(reason)


def is_orderly(reason: Any) -> bool:
    """Whether `reason` is a normal end: `normal`, `shutdown` or `("shutdown", why)`."""
    if isinstance(reason, tuple):
        return len(reason) > 0 and isinstance(reason[0], str) and reason[0] == "shutdown"
    return isinstance(reason, str) and reason in ("normal", "shutdown")
