"""`sys` of OTP: look at a process, hold it, trace it, change its code or end it, between two of its messages.

It is served whatever waits in the inbox, and by a suspended process too. Each function takes a name or a pid and raises
what `System.call` raises; `CallbackFailed` where the process's own code failed at it, which does the process no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flurm.otp.messages import Pid
from flurm.otp.runtime.debugging import DONE, CallbackFailed, Down, NotSuspended, Statistics, Status
from flurm.otp.runtime.system import SystemCore

__all__ = ["DONE", "CallbackFailed", "Down", "NotSuspended", "Statistics", "Status"]

Target = str | Pid


def get_state(system: SystemCore, target: Target, timeout_s: float = 5.0) -> Any:
    """The process's state as it is now; not a copy. Of a GenStatem `(state, data)`."""
    return system.sys_request(target, "get_state", timeout_s=timeout_s)


def replace_state(system: SystemCore, target: Target, change: Callable[[Any], Any], timeout_s: float = 5.0) -> Any:
    """Put `change(state)` in the place of the state; returns the new one."""
    return system.sys_request(target, "replace_state", change, timeout_s)


def get_status(system: SystemCore, target: Target, timeout_s: float = 5.0) -> Status:
    """What the process is and does, with the state as the module's `format_status` shows it."""
    return system.sys_request(target, "get_status", timeout_s=timeout_s)


def suspend(system: SystemCore, target: Target, timeout_s: float = 5.0) -> None:
    """Let messages wait until `resume`; exit signals are still obeyed."""
    system.sys_request(target, "suspend", timeout_s=timeout_s)


def resume(system: SystemCore, target: Target, timeout_s: float = 5.0) -> None:
    """Go on with the messages in the order in which they came."""
    system.sys_request(target, "resume", timeout_s=timeout_s)


def change_code(
    system: SystemCore,
    target: Target,
    start: Any = None,
    old_vsn: Any = None,
    extra: Any = None,
    timeout_s: float = 5.0,
) -> None:
    """In a suspended process, have the module turn its state over; `start` names a new class for it.

    The new class does that; where `old_vsn` is a `Down`, the one that the process has run so far. Where `code_change`
    raises, nothing has changed and `CallbackFailed` says why; `NotSuspended` otherwise. A supervisor makes its
    specification anew.
    """
    system.sys_request(target, "change_code", (start, old_vsn, extra), timeout_s)


def terminate(system: SystemCore, target: Target, reason: Any, timeout_s: float = 5.0) -> None:
    """Have the process end with `reason`. Returns before it has; `System.stop_process` waits."""
    system.sys_request(target, "terminate", reason, timeout_s)


def statistics(system: SystemCore, target: Target, on: bool, timeout_s: float = 5.0) -> None:
    """Begin to count messages, or stop it."""
    system.sys_request(target, "statistics", on, timeout_s)


def get_statistics(system: SystemCore, target: Target, timeout_s: float = 5.0) -> Statistics | None:
    """The counts, None where they are off."""
    return system.sys_request(target, "statistics", "get", timeout_s)


def trace(system: SystemCore, target: Target, on: bool, timeout_s: float = 5.0) -> None:
    """Log every event of the process, or no longer."""
    system.sys_request(target, "trace", on, timeout_s)


def log(system: SystemCore, target: Target, size: int, timeout_s: float = 5.0) -> None:
    """Keep the last `size` events; 0 keeps none."""
    system.sys_request(target, "log", size, timeout_s)


def get_log(system: SystemCore, target: Target, timeout_s: float = 5.0) -> list[Any]:
    """The events kept, oldest first: `("in", "call", request, pid)`, `("out", value, pid)` and so on."""
    return system.sys_request(target, "log", "get", timeout_s)


def log_to_file(system: SystemCore, target: Target, path: Any, timeout_s: float = 5.0) -> None:
    """Append every event to a file, a line each; None ends that. Raises CallbackFailed where it cannot be opened."""
    system.sys_request(target, "log_to_file", path, timeout_s)


def install(
    system: SystemCore,
    target: Target,
    function: Callable[[Any, Any, str], Any],
    state: Any = None,
    name: Any = None,
    timeout_s: float = 5.0,
) -> None:
    """Have `function(state, event, process)` called in the process at every event; it returns its next state.

    It is taken out by `remove`, by returning DONE, and by raising. A second under the same name (by default the
    function itself) is not installed.
    """
    system.sys_request(target, "install", (function if name is None else name, function, state), timeout_s)


def remove(system: SystemCore, target: Target, name: Any, timeout_s: float = 5.0) -> None:
    """Take out what was installed under this name, or this function."""
    system.sys_request(target, "remove", name, timeout_s)


def no_debug(system: SystemCore, target: Target, timeout_s: float = 5.0) -> None:
    """End all tracing of the process."""
    system.sys_request(target, "no_debug", timeout_s=timeout_s)
