"""`sys` of OTP: look at a process, or hold it, between two of its messages, whatever waits in its inbox.

Each function takes a name or a pid and raises what `System.call` raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flurm.otp.messages import Pid
from flurm.otp.runtime.system import System


def get_state(system: System, target: str | Pid, timeout_s: float = 5.0) -> Any:
    """The process's state as it is now; not a copy."""
    return system.sys_request(target, "get_state", timeout_s=timeout_s)


def replace_state(system: System, target: str | Pid, change: Callable[[Any], Any], timeout_s: float = 5.0) -> Any:
    """Put `change(state)` in the place of the state; returns the new one."""
    return system.sys_request(target, "replace_state", change, timeout_s)


def get_status(system: System, target: str | Pid, timeout_s: float = 5.0) -> Any:
    """The state as the module's `format_status` shows it."""
    return system.sys_request(target, "get_status", timeout_s=timeout_s)


def suspend(system: System, target: str | Pid, timeout_s: float = 5.0) -> None:
    """Let messages wait until `resume`; exit signals are still obeyed."""
    system.sys_request(target, "suspend", timeout_s=timeout_s)


def resume(system: System, target: str | Pid, timeout_s: float = 5.0) -> None:
    """Go on with the messages in the order in which they came."""
    system.sys_request(target, "resume", timeout_s=timeout_s)
