"""What the parts of the runtime see of each other: a process of its system, a GenServer of its process.

The runtime's classes need each other's services in a ring. These protocols name the services, so that every file
imports downwards only, and another runtime may give the same services its own way.
"""

from __future__ import annotations

from typing import Any, Protocol

from flurm.otp.messages import MonitorRef, Pid

Target = str | Pid


class ProcessPort(Protocol):
    """A process as others see it."""

    pid: Pid
    name: str | None
    state: Any
    trapping: bool
    exited: bool
    exiting: Any
    pending: set[Any]
    links: set[Any]
    monitors: dict[MonitorRef, Any]
    watching: set[MonitorRef]
    handled: int
    module: Any
    started_s: float

    @property
    def status(self) -> str:
        """running, suspended or exiting."""

    @property
    def mailbox(self) -> int:
        """Messages that wait."""

    def ensure_alive(self) -> None:
        """Raise ProcessExit where it has been killed."""

    def put_info(self, message: Any) -> None:
        """Queue a message for `handle_info`."""

    def put_exit(self, sender: Pid | None, reason: Any, *, from_parent: bool = False) -> None:
        """Put an exit signal on the system lane."""


class SystemPort(Protocol):
    """A system as its processes see it; every method is described at `System`."""

    env: dict[str, Any]
    terms: dict[str, Any]
    lock: Any

    def call(self, target: Target, request: Any, timeout_s: float = 5.0) -> Any: ...
    def cast(self, target: Target, message: Any) -> None: ...
    def info(self, target: Target, message: Any) -> None: ...
    def reply(self, sender: Any, value: Any) -> None: ...
    def send_request(self, process: Any, target: Target, request: Any, tag: Any) -> None: ...
    def send_after(self, delay_s: float, message: Any, target: Target) -> Any: ...
    def cancel_timer(self, ref: Any) -> float | None: ...
    def monitor(self, watcher: Any, target: Target) -> MonitorRef: ...
    def demonitor(self, ref: MonitorRef) -> None: ...
    def drop_monitor(self, ref: MonitorRef) -> Any: ...
    def send_down(self, watcher: Any, ref: MonitorRef, reason: Any) -> None: ...
    def link(self, process: Any, target: Target) -> None: ...
    def unlink(self, process: Any, target: Target) -> None: ...
    def is_alive(self, target: Target) -> bool: ...
    def whereis(self, name: str) -> Pid | None: ...
    def find(self, target: Target) -> Any: ...
    def spawn(
        self, start: Any, args: dict[str, Any] | None = None, name: str | None = None, parent: Any = None
    ) -> Pid | None: ...
    def start_child(self, supervisor: Any, child: Any, name: str | None = None) -> Pid | None: ...
    def kill(self, target: Target) -> bool: ...
    def emit(self, kind: str, process: Any, reason: Any = None, supervisor: str | None = None) -> None: ...
    def forget(self, process: Any) -> None: ...
    def processes(self) -> list[Any]: ...
    def now_s(self) -> float: ...
    def monotonic_s(self) -> float: ...
