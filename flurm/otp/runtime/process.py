"""One process: a pykka actor whose loop is OTP's.

pykka gives the actor and its three seams (`_create_actor_inbox`, `_create_future`, `_start_actor_loop`); everything
that OTP does otherwise happens here:

- The inbox is a `SimpleQueue` of `(kind, message, sender)`. Ahead of it is the *lane*, a deque for exit signals and
  `sys` requests; a `WAKE` in the inbox makes an idle process look at it.
- `init` runs in the process's own thread and its result goes to the starter through `started`.
- Every way out of the loop ends in `finish`, once: the name is given up, then waiting callers learn of the death, then
  links and monitors do. No exception reaches pykka, whose answer to some is to stop all actors.
- `kill` runs `finish` from outside. The thread, which cannot be stopped, finds itself `exited`: whatever it tries
  through the runtime raises `ProcessExit`, what it returns is dropped, and its loop ends.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import pykka
import structlog

from flurm.otp.errors import Crash, ProcessExit, describe, is_orderly
from flurm.otp.gen_server import GenServer
from flurm.otp.messages import NO_REPLY, TIMEOUT, Exit, Ignore, MonitorRef, NoReply, Ok, Pid, Reply, Stop, StopInit
from flurm.otp.ports import SystemPort
from flurm.otp.runtime.sender import ANSWERED, DOWN, EXITING, Outcome, Sender

CALL: Final = 0
CAST: Final = 1
INFO: Final = 2
WAKE: Final = (-1, None, None)
IGNORED: Final = ("ignored",)

_local = threading.local()
_log = structlog.get_logger(__name__)


def current() -> Process | None:
    """The process whose thread this is, or None in any other thread."""
    return getattr(_local, "process", None)


class Process(pykka.ThreadingActor):
    """A running GenServer: its inbox, its state, its links."""

    use_daemon_thread = True

    def __init__(
        self,
        system: SystemPort,
        module: GenServer,
        args: dict[str, Any],
        pid: Pid,
        name: str | None,
        parent: Process | None,
    ) -> None:
        super().__init__()
        self.system, self.module, self.pid, self.name, self.parent = system, module, pid, name, parent
        self.args = args
        self.state: Any = None
        self.started = Outcome()
        self.starting = True
        self.exited = False
        self.reason: Any = None
        self.trapping = False
        self.suspended = False
        self.handled = 0
        self.started_s = time.monotonic()
        self.pending: set[Sender] = set()
        self.links: set[Process] = set()
        self.monitors: dict[MonitorRef, Process] = {}
        self.watching: set[MonitorRef] = set()
        self.lane: deque[tuple[Any, ...]] = deque()
        self.waiting: Sender | None = None
        self.exiting: Any = None
        self._held: deque[tuple[int, Any, Any]] = deque()
        self._deadline_s: float | None = None
        module.system, module.name, module.pid, module._process = system, name, pid, self

    @staticmethod
    def _create_actor_inbox() -> Any:
        return queue.SimpleQueue()

    def _start_actor_loop(self) -> None:
        name = self.name or f"{type(self.module).__name__} {self.pid}"
        threading.Thread(target=self._actor_loop, name=name, daemon=True).start()

    def __repr__(self) -> str:
        return self.name or repr(self.pid)

    @property
    def mailbox(self) -> int:
        """How many messages wait."""
        return self.actor_inbox.qsize() + len(self._held)  # type: ignore[attr-defined]

    @property
    def status(self) -> str:
        """`starting`, `running`, `suspended` or `exited`."""
        if self.exited:
            return "exited"
        return "starting" if self.starting else "suspended" if self.suspended else "running"

    def put_info(self, message: Any) -> None:
        """Have `message` arrive in `handle_info`."""
        self.actor_inbox.put((INFO, message, None))  # type: ignore[arg-type]

    def put_signal(self, *signal: Any) -> None:
        """Put a signal into the lane ahead of the inbox."""
        self.lane.append(signal)
        self.actor_inbox.put(WAKE)  # type: ignore[arg-type]

    def put_exit(self, pid: Pid | None, reason: Any, from_parent: bool = False) -> None:
        """Deliver an exit signal. It ends a wait in a call too, unless the process traps exits."""
        if not self.trapping and (from_parent or reason != "normal"):
            self.exiting = (reason,)
        self.put_signal("exit", pid, reason, from_parent)
        waiting = self.waiting
        if waiting is not None and self.exiting is not None:
            waiting.settle(EXITING, reason)

    def ensure_alive(self) -> None:
        """Raise ProcessExit where this process has been killed."""
        if self.exited:
            raise ProcessExit(self.reason)

    def finish(self, reason: Any, tell_parent: bool = True) -> bool:
        """End of this process, from its own thread or a killer's: only the first time counts.

        Returns whether this was the first time. DOWN goes out last, when the name is free again.
        """
        with self.system.lock:
            if self.exited:
                return False
            self.reason = reason
            self.exited = True
            self.system.forget(self)
            links, self.links = self.links, set()
            monitors, self.monitors = self.monitors, {}
            for other in links:
                other.links.discard(self)
            for ref in self.watching:
                self.system.drop_monitor(ref)
        waiting = self.waiting
        if waiting is not None:
            waiting.settle(EXITING, reason)
        while self.pending:
            try:
                self.pending.pop().settle(DOWN, reason)
            except KeyError:
                break
        for other in links:
            if other is not self.parent or tell_parent:
                other.put_exit(self.pid, reason, from_parent=other.parent is self)
        for ref, watcher in monitors.items():
            self.system.send_down(watcher, ref, reason)
        self.system.emit("exited", self, reason)
        self.actor_stopped.set()
        self.started.settle(DOWN, reason)
        return True

    def _actor_loop(self) -> None:
        _local.process = self
        try:
            self._live()
        finally:
            _local.process = None
            self.state = None
            self._held.clear()
            while not self.actor_inbox.empty():
                self.actor_inbox.get()

    def _live(self) -> None:
        first = self._initialise()
        if first is None:
            return
        try:
            self._after(first)
            self._serve()
        except ProcessExit as stop:
            reason = stop.reason
        except BaseException as error:
            reason = Crash.of(error)
        else:
            return
        self._end(reason)

    def _initialise(self) -> Ok | None:
        """Run `init` and tell the starter how it went; None where the process shall not live."""
        try:
            result = self.module.init(self.args)
            match result:
                case Ok():
                    self.state = result.state
                    self.started_s = time.monotonic()
                    self.starting = False
                    self.system.emit("started", self)
                    self.started.settle(ANSWERED, self.pid)
                    return result
                case Ignore():
                    reason: Any = IGNORED
                case StopInit():
                    reason = result.reason
                case _:
                    raise TypeError(f"init returned {result!r}, expected Ok, StopInit or Ignore")
        except ProcessExit as stop:
            reason = stop.reason
        except BaseException as error:
            reason = Crash.of(error)
            self._report_crash(reason)
        self.finish(reason, tell_parent=False)
        return None

    def _end(self, reason: Any, last_words: Callable[[], None] | None = None) -> None:
        """Run `terminate`, report and finish, unless killed."""
        if self.exited:
            return
        self.exiting = None
        try:
            self.module.terminate(reason, self.state)
        except ProcessExit as stop:
            reason = stop.reason
        except BaseException as error:
            reason = Crash.of(error)
        if not self.exited and not is_orderly(reason):
            self._report_crash(reason)
        if last_words is not None:
            last_words()
        self.finish(reason)

    def _report_crash(self, reason: Any) -> None:
        _log.error(
            "process crashed",
            process=self.name,
            pid=str(self.pid),
            module=type(self.module).__name__,
            reason=describe(reason),
            mailbox=self.mailbox,
            traceback=getattr(reason, "traceback", None),
        )

    def _serve(self) -> None:
        """Handle messages until told to stop, by ProcessExit, or until killed."""
        inbox, lane, held = self.actor_inbox, self.lane, self._held
        while not self.exited:
            if lane:
                self._take_signal(*lane.popleft())
                continue
            if self.suspended:
                self._hold(inbox.get())  # type: ignore[arg-type]
                continue
            if held:
                item: Any = held.popleft()
            elif self._deadline_s is None:
                item = inbox.get()
            else:
                item = self._get_before_deadline()
            if item is WAKE:
                continue
            self.handled += 1
            self._deadline_s = None
            self._dispatch(item)

    def _dispatch(self, item: Any) -> None:
        try:
            kind, message, sender = item
        except TypeError:  # an envelope, from somebody who holds the pykka reference
            kind, message, sender = INFO, item.message, None
        if kind == CALL:
            result: Any = self.module.handle_call(message, sender, self.state)
        elif kind == CAST:
            result = self.module.handle_cast(message, self.state)
        else:
            result = self.module.handle_info(message, self.state)
        self._apply(result, sender)

    def _apply(self, result: Any, sender: Sender | None) -> None:
        shape = type(result)
        if shape is Reply and sender is not None:
            self.state = result.state
            sender.reply(result.value)
        elif shape is NoReply:
            self.state = result.state
        elif shape is Stop:
            self._stop_with(result, sender)
        else:
            raise TypeError(f"{type(self.module).__name__}: bad return value {result!r}")
        if result.timeout_s is not None or result.continue_ is not None:
            self._after(result)

    def _stop_with(self, result: Stop, sender: Sender | None) -> None:
        """Stop as a handler asked to; the reply goes out after `terminate`, as OTP does it."""
        self.state = result.state
        if sender is None or result.reply is NO_REPLY:
            raise ProcessExit(result.reason)
        self._end(result.reason, lambda: sender.reply(result.reply))
        raise ProcessExit(result.reason)

    def _after(self, result: Any) -> None:
        """Arm the timeout, run the continuation."""
        if result.timeout_s is not None:
            self._deadline_s = time.monotonic() + result.timeout_s
        if result.continue_ is not None:
            self._apply(self.module.handle_continue(result.continue_, self.state), None)

    def _get_before_deadline(self) -> Any:
        wait_s = (self._deadline_s or 0) - time.monotonic()
        try:
            return self.actor_inbox.get(timeout=max(wait_s, 0))  # type: ignore[call-arg]
        except queue.Empty:
            return (INFO, TIMEOUT, None)

    def _hold(self, item: tuple[int, Any, Any]) -> None:
        if item is not WAKE:
            self._held.append(item)

    def _take_signal(self, kind: str, *args: Any) -> None:
        if kind == "exit":
            self._take_exit(*args)
        elif kind == "crash":
            raise args[0]
        else:
            self._take_request(kind, *args)

    def _take_exit(self, pid: Pid | None, reason: Any, from_parent: bool) -> None:
        if from_parent or (not self.trapping and reason != "normal"):
            raise ProcessExit(reason)
        if not self.trapping:
            return
        message = (INFO, Exit(pid, reason), None)
        if self.suspended:
            self._held.append(message)
            return
        self.handled += 1
        self._deadline_s = None
        self._dispatch(message)

    def _take_request(self, kind: str, sender: Sender, payload: Any) -> None:
        """A `sys` request: looks at the process, or holds it, between two messages."""
        match kind:
            case "get_state":
                sender.reply(self.state)
            case "replace_state":
                self.state = payload(self.state)
                sender.reply(self.state)
            case "get_status":
                sender.reply(self.module.format_status(self.state))
            case "suspend" | "resume":
                self.suspended = kind == "suspend"
                sender.reply(None)
