"""What `sys` asks of a process: look at it, hold it, trace it, change its code, end it, between two of its messages.

A request comes through the lane, ahead of whatever waits in the inbox, and is served whether the process is suspended
or not. `Debugging` exists only while somebody traces: a process without it pays one look at an attribute per message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from flurm.otp.errors import Crash, OtpError, ProcessExit
from flurm.otp.gen_server import GenServer
from flurm.otp.messages import Pid

_log = structlog.get_logger(__name__)
_KINDS = ("call", "cast", "info", "coalesced")
DONE = "done"


class CallbackFailed(OtpError):
    """A function of the process's own module, or one given to `replace_state`, raised; the process goes on."""


class NotSuspended(OtpError):
    """Code is changed in suspended processes only."""


class Down(msgspec.Struct, frozen=True):
    """`old_vsn` of a `code_change` that goes back: the version that the state is to be made for."""

    vsn: Any


class Status(msgspec.Struct, frozen=True):
    """What `get_status` tells of a process. `state` is as the module's `format_status` shows it."""

    pid: Pid
    name: str | None
    module: str
    status: str
    parent: Any
    state: Any
    mailbox: int
    handled: int
    debug: tuple[str, ...] = ()
    log: tuple[Any, ...] = ()


class Statistics(msgspec.Struct, frozen=True):
    """Messages since `start_s`, of the system's clock for intervals."""

    start_s: float
    current_s: float
    messages_in: int
    messages_out: int


class Debugging:
    """What is traced of one process."""

    def __init__(self) -> None:
        self.trace = False
        self.file: Any = None
        self.log: deque[Any] | None = None
        self.counts: list[Any] | None = None  # [start_s, in, out]
        self.installed: dict[Any, tuple[Callable[[Any, Any, Any], Any], Any]] = {}

    @property
    def active(self) -> tuple[str, ...]:
        """The options in use, by sys's names."""
        named = {
            "trace": self.trace,
            "log": self.log is not None,
            "log_to_file": self.file is not None,
            "statistics": self.counts is not None,
            "install": bool(self.installed),
        }
        return tuple(name for name, used in named.items() if used)

    def note(self, process: Any, event: tuple[Any, ...]) -> None:
        """Tell everybody who wants to know of an event."""
        if self.counts is not None and event[0] in ("in", "out"):
            self.counts[1 if event[0] == "in" else 2] += 1
        if self.log is not None:
            self.log.append(event)
        if self.trace:
            _log.info("trace", process=repr(process), traced=event[0], what=event[1:])
        if self.file is not None:
            self.file.write(f"{process!r} {event!r}\n")
            self.file.flush()
        for name, (function, state) in list(self.installed.items()):
            self._tell(name, function, state, event, process)

    def _tell(self, name: Any, function: Callable[[Any, Any, Any], Any], state: Any, event: Any, process: Any) -> None:
        """A function that says `done`, or fails, is taken out, as in OTP."""
        try:
            state = function(state, event, repr(process))
        except Exception:
            _log.exception("debug function failed", process=repr(process), name=repr(name))
            state = DONE
        if isinstance(state, str) and state == DONE:
            self.installed.pop(name, None)
        else:
            self.installed[name] = (function, state)

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()
            self.file = None


class SysRequests:
    """Serves `sys` requests; mixed into Process."""

    pid: Pid
    name: str | None
    module: GenServer
    state: Any
    suspended: bool
    parent: Any
    handled: int
    mailbox: Any
    status: Any
    debug: Debugging | None
    system: Any

    def take_request(self, kind: str, sender: Any, payload: Any) -> None:
        """Carry out one request and answer it; failures are answers too, an exception as the value."""
        if kind == "terminate":
            sender.reply(None)
            raise ProcessExit(payload)
        try:
            answer = getattr(self, f"_sys_{kind}")(payload)
        except Exception as error:
            answer = error if isinstance(error, OtpError) else CallbackFailed(f"{kind}: {Crash.of(error)}")
        sender.reply(answer)

    def note(self, event: tuple[Any, ...]) -> None:
        """An event for whoever traces."""
        if self.debug is not None:
            self.debug.note(self, event)

    def _note_arrival(self, kind: int, message: Any, sender: Any) -> None:
        self.note(("in", _KINDS[kind], message, sender.pid if sender is not None else None))

    def _sys_get_state(self, _payload: Any) -> Any:
        return self.module.system_get_state(self.state)

    def _sys_replace_state(self, change: Callable[[Any], Any]) -> Any:
        self.state = self.module.system_replace_state(change, self.state)
        return self.module.system_get_state(self.state)

    def _sys_get_status(self, _payload: Any) -> Status:
        debug = self.debug
        return Status(
            pid=self.pid,
            name=self.name,
            module=self.module.module_name(),
            status=self.status,
            parent=repr(self.parent) if self.parent is not None else None,
            state=self.module.shown(self.state),
            mailbox=self.mailbox,
            handled=self.handled,
            debug=debug.active if debug is not None else (),
            log=tuple(debug.log) if debug is not None and debug.log is not None else (),
        )

    def _sys_suspend(self, _payload: Any) -> None:
        self.suspended = True

    def _sys_resume(self, _payload: Any) -> None:
        self.suspended = False

    def _sys_statistics(self, command: Any) -> Any:
        now_s = self.system.monotonic_s()
        if command == "get":
            counts = self.debug.counts if self.debug is not None else None
            return Statistics(counts[0], now_s, counts[1], counts[2]) if counts is not None else None
        self._debugging().counts = [now_s, 0, 0] if command else None
        return self._tidy()

    def _sys_trace(self, on: bool) -> None:
        self._debugging().trace = on
        self._tidy()

    def _sys_log(self, command: Any) -> Any:
        if command == "get":
            return list(self.debug.log or ()) if self.debug is not None else []
        debug = self._debugging()
        debug.log = deque(debug.log or (), maxlen=command) if command else None
        return self._tidy()

    def _sys_log_to_file(self, path: Any) -> None:
        debug = self._debugging()
        debug.close()
        if path:
            debug.file = Path(path).open("a")  # noqa: SIM115 closed by the request that ends it
        self._tidy()

    def _sys_install(self, payload: tuple[Any, Callable[[Any, Any, Any], Any], Any]) -> None:
        name, function, state = payload
        self._debugging().installed.setdefault(name, (function, state))

    def _sys_remove(self, name: Any) -> None:
        self._debugging().installed.pop(name, None)
        self._tidy()

    def _sys_no_debug(self, _payload: Any) -> None:
        if self.debug is not None:
            self.debug.close()
            self.debug = None

    def _sys_change_code(self, payload: tuple[Any, Any, Any]) -> None:
        """Let the newer of both modules turn the state over; nothing is changed where it raises."""
        if not self.suspended:
            raise NotSuspended(f"{self!r} is not suspended")
        start, old_vsn, extra = payload
        module = self.module if start is None else self.module.system_new_module(start)
        newer = self.module if isinstance(old_vsn, Down) else module
        state = newer.system_code_change(old_vsn, self.state, extra)
        self.module, self.state = module, state
        self.note(("code_change", old_vsn))

    def _debugging(self) -> Debugging:
        if self.debug is None:
            self.debug = Debugging()
        return self.debug

    def _tidy(self) -> None:
        if self.debug is not None and not self.debug.active:
            self.debug = None
