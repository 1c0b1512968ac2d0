"""GenServer: the behaviour that every process of a FLURM tree implements.

A subclass is a behaviour module: it holds no state of its own beyond what the runtime sets (`system`, `name`, `pid`);
the state travels through the handlers and back in their results, as in OTP. All handlers run in the process's own
thread, one at a time. An exception in a handler ends the process: whoever waits for it gets `ProcessDown`, its
supervisor starts another one.

`terminate` runs on every exit except a kill. (OTP runs it on a supervisor's shutdown only for processes that trap
exits, because ports close with their owner; Python's sockets and files do not.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from flurm.otp.messages import Ignore, MonitorRef, NoReply, Ok, Pid, Reply, Stop, StopInit
from flurm.otp.ports import ProcessPort, SystemPort
from flurm.otp.runtime.sender import Sender
from flurm.otp.runtime.timers import TimerRef
from flurm.otp.specs import resolve

INFINITE_S: Final = float("inf")


class Behaviour:
    """What every kind of process can do: set up by the runtime before `init` runs."""

    vsn: ClassVar[int] = 1

    max_mailbox: int = 10_000
    """Calls to a process that has more messages waiting fail at once, with `Overloaded`."""
    coalesced: tuple[type, ...] = ()
    """Types of casts and infos of which one at most waits: a second becomes one with it, by `coalesce`."""

    system: SystemPort
    name: str | None
    pid: Pid
    _process: ProcessPort

    def coalesce(self, waiting: Any, arrived: Any) -> Any:
        """Of two messages of a coalesced type the one to handle. Runs in the sender; the newer one by default."""
        return arrived

    def code_class(self) -> type[Behaviour]:
        """The class whose code the process runs."""
        return type(self)

    def module_name(self) -> str:
        """The behaviour module, as reports name it."""
        return f"{self.code_class().__module__}:{self.code_class().__qualname__}"

    def call(self, target: str | Pid, request: Any, timeout_s: float = 5.0) -> Any:
        """Ask `target` and wait. Raises CallTimeout, NoProcess or ProcessDown."""
        return self.system.call(target, request, timeout_s)

    def cast(self, target: str | Pid, message: Any) -> None:
        """Send `message` to the target's `handle_cast`; a target that is not there swallows it."""
        self.system.cast(target, message)

    def info(self, target: str | Pid, message: Any) -> None:
        """Send `message` to the target's `handle_info`."""
        self.system.info(target, message)

    def reply(self, sender: Sender, value: Any) -> None:
        """Answer a call whose handler returned `NoReply`."""
        self.system.reply(sender, value)

    def send_request(self, target: str | Pid, request: Any, tag: Any) -> None:
        """Ask without waiting: the answer arrives as `Response(tag, value)` or `ResponseDown(tag, reason)`."""
        self.system.send_request(self._process, target, request, tag)

    def send_after(self, delay_s: float, message: Any, target: str | Pid | None = None) -> TimerRef:
        """Have `message` arrive in `handle_info` (own, unless a target is given) after `delay_s` seconds."""
        return self.system.send_after(delay_s, message, self.pid if target is None else target)

    def cancel_timer(self, ref: TimerRef) -> float | None:
        """Cancel a timer; returns the seconds that were left, None where it has fired. Its message may be waiting."""
        return self.system.cancel_timer(ref)

    def monitor(self, target: str | Pid) -> MonitorRef:
        """Have one `Down` arrive when `target` exits, at once where it is not there."""
        return self.system.monitor(self._process, target)

    def demonitor(self, ref: MonitorRef) -> None:
        """Take a monitor back. A Down that has arrived stays in the inbox."""
        self.system.demonitor(ref)

    def link(self, target: str | Pid) -> None:
        """Die together with `target`, or get an `Exit` when trapping exits."""
        self.system.link(self._process, target)

    def unlink(self, target: str | Pid) -> None:
        """Take a link back."""
        self.system.unlink(self._process, target)

    def start_link(
        self, start: Any, args: dict[str, Any] | None = None, name: str | None = None, timeout_s: float = INFINITE_S
    ) -> Pid | None:
        """Start a process as a child of this one, linked to it. Raises StartError, None where it is ignored."""
        return self.system.spawn(start, args, name, self._process, timeout_s=timeout_s)

    def start_monitor(
        self, start: Any, args: dict[str, Any] | None = None, name: str | None = None
    ) -> tuple[Pid, MonitorRef] | None:
        """Start a process and monitor it. Raises StartError, None where it is ignored."""
        pid = self.system.spawn(start, args, name)
        return (pid, self.monitor(pid)) if pid is not None else None

    def join(self, group: Any) -> None:
        """Become a member of a process group; as often as it joined, it has to leave."""
        self.system.join(group, self.pid)

    def leave(self, group: Any) -> bool:
        """Leave a group; False where this process is no member."""
        return self.system.leave(group, self.pid)

    def monitor_group(self, group: Any) -> tuple[MonitorRef, list[Pid]]:
        """Have `GroupChanged` arrive when members come and go; returns who is in it now."""
        return self.system.monitor_group(self._process, group)

    @property
    def epoch(self) -> int:
        """Which holder of its name this process is, counted from 1; 0 without a name."""
        return self._process.epoch

    def trap_exit(self, on: bool) -> None:
        """Receive exits of linked processes as `Exit` messages instead of dying with them."""
        self._process.trapping = on

    def told_to_exit(self) -> bool:
        """Whether this process has been told to exit, or was killed: for a handler that works for long to look at."""
        return self._process.exited or self._process.exiting is not None

    def ensure_alive(self) -> None:
        """Raise ProcessExit in a process that has been killed: call before an effect on the outside world."""
        self._process.ensure_alive()

    def now_s(self) -> float:
        """Wall clock in seconds since 1970."""
        return self.system.now_s()

    def monotonic_s(self) -> float:
        """Clock for intervals, in seconds."""
        return self.system.monotonic_s()


class GenServer(Behaviour):
    """Base class of all behaviour modules."""

    def init(self, args: dict[str, Any]) -> Ok | StopInit | Ignore:
        """Build the first state. The starter waits for this; do slow work in `handle_continue`."""
        return Ok(None)

    def handle_call(self, request: Any, sender: Sender, state: Any) -> Reply | NoReply | Stop:
        """Answer a request, now (`Reply`) or later (`NoReply`, then `reply(sender, value)`)."""
        raise NotImplementedError(f"{type(self).__name__} takes no call: {request!r}")

    def handle_cast(self, message: Any, state: Any) -> NoReply | Stop:
        """Take a message that nobody waits for."""
        raise NotImplementedError(f"{type(self).__name__} takes no cast: {message!r}")

    def handle_info(self, message: Any, state: Any) -> NoReply | Stop:
        """Take what the runtime sends: timers, Down, Exit, Response, TIMEOUT. Ignores it by default, as OTP does."""
        return NoReply(state)

    def handle_continue(self, what: Any, state: Any) -> NoReply | Stop:
        """Go on after a result with `continue_`, before the next message."""
        raise NotImplementedError(f"{type(self).__name__} takes no continue: {what!r}")

    def terminate(self, reason: Any, state: Any) -> None:
        """Release what the process holds. Runs on every exit but a kill."""

    def code_change(self, old_vsn: int, state: Any, extra: Any) -> Any:
        """The state in the shape that this version of the code wants."""
        return state

    def format_status(self, state: Any) -> Any:
        """The state as it may be shown: without secrets, not too long."""
        return state

    def system_get_state(self, state: Any) -> Any:
        """What `debug.get_state` returns."""
        return state

    def system_replace_state(self, change: Callable[[Any], Any], state: Any) -> Any:
        """The state after `debug.replace_state`."""
        return change(state)

    def system_code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        """The state after `debug.change_code`."""
        return self.code_change(old_vsn, state, extra)

    def system_new_module(self, start: Any) -> GenServer:
        """The module instance that goes on where `debug.change_code` names new code."""
        cls = resolve(start)
        module: GenServer = cls.__new__(cls)
        module.__dict__.update(self.__dict__)
        return module

    def runs_code_of(self, state: Any) -> tuple[str, ...]:
        """Further Python modules whose objects the state holds: when one changes, `code_change` is called as well."""
        return ()

    def shown(self, state: Any) -> Any:
        """The state as `format_status` shows it; where that fails, nothing of it but the failure's name."""
        try:
            return self.format_status(state)
        except Exception as error:
            return f"{self.module_name()}.format_status failed: {type(error).__name__}"
