"""One process: OTP's loop over a mailbox, whatever runs it.

Everything a process does is here, once; how it waits is not. A runtime gives it an inbox (`put`, `get`, `qsize`,
`empty`), an event `actor_stopped`, and something that runs `_live`: a thread (threads.py) or a greenlet of the
simulator (sim.py). The names are pykka's, whose actor the threaded process is.

- The inbox holds `(kind, message, sender)`. Ahead of it is the *lane*, a deque for exit signals and `sys` requests; a
  `WAKE` in the inbox makes an idle process look at it.
- `init` runs in the process itself and its result goes to the starter through `started`.
- Every way out of the loop ends in `finish`, once: the name is given up, then waiting callers learn of the death, then
  links and monitors do.
- `kill` runs `finish` from outside. A thread cannot be stopped; it finds itself `exited`: whatever it tries through the
  runtime raises `ProcessExit`, what it returns is dropped, and its loop ends.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import flurm.otp.reports as reports
from flurm.otp.errors import Crash, ProcessExit, is_orderly
from flurm.otp.gen_server import GenServer
from flurm.otp.messages import NO_REPLY, TIMEOUT, Exit, Ignore, MonitorRef, NoReply, Ok, Pid, Reply, Stop, StopInit
from flurm.otp.ports import SystemPort
from flurm.otp.runtime.debugging import Debugging, SysRequests
from flurm.otp.runtime.sender import ANSWERED, DOWN, EXITING, Sender

CALL: Final = 0
CAST: Final = 1
INFO: Final = 2
COALESCED: Final = 3
WAKE: Final = (-1, None, None)
IGNORED: Final = ("ignored",)
WATCH_EVERY: Final = 1024  # messages between two looks at the length of the own mailbox; a power of two


class Process(SysRequests):
    """A running GenServer: its inbox, its state, its links."""

    actor_inbox: Any
    actor_stopped: Any

    def __init__(
        self,
        system: SystemPort,
        module: GenServer,
        args: dict[str, Any],
        pid: Pid,
        name: str | None,
        parent: Process | None,
    ) -> None:
        self.system, self.module, self.pid, self.name, self.parent = system, module, pid, name, parent
        self.put = self.actor_inbox.put
        self.args = args
        self.epoch = 0
        self.state: Any = None
        self.started = system.new_outcome()
        self.starting = True
        self.exited = False
        self.reason: Any = None
        self.trapping = False
        self.suspended = False
        self.handled = 0
        self.collapsed = 0
        self.overloaded = False
        self.started_s = system.monotonic_s()
        self.pending: dict[Sender, None] = {}
        self.links: dict[Process, None] = {}
        self.monitors: dict[MonitorRef, Process] = {}
        self.watching: dict[MonitorRef, None] = {}
        self.lane: deque[tuple[Any, ...]] = deque()
        self.waiting: Sender | None = None
        self.exiting: Any = None
        self.debug: Debugging | None = None
        self.last_message: Any = None
        self.max_mailbox = module.max_mailbox
        self.coalesced = module.coalesced
        self._newest: dict[tuple[int, type], Any] = {}
        self._coalescing = threading.Lock()
        self._held: deque[tuple[int, Any, Any]] = deque()
        self._deadline_s: float | None = None
        module.system, module.name, module.pid, module._process = system, name, pid, self

    def run(self) -> None:
        """Have `_live` run, beside the caller. The runtime's own."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.name or repr(self.pid)

    @property
    def mailbox(self) -> int:
        """How many messages wait."""
        return self.actor_inbox.qsize() + len(self._held)

    @property
    def status(self) -> str:
        """`starting`, `running`, `suspended` or `exited`."""
        if self.exited:
            return "exited"
        return "starting" if self.starting else "suspended" if self.suspended else "running"

    @property
    def ancestors(self) -> list[Process]:
        """Its parent, its parent's parent, and so on."""
        found: list[Process] = []
        above = self.parent
        while above is not None:
            found.append(above)
            above = above.parent
        return found

    def put_info(self, message: Any) -> None:
        """Have `message` arrive in `handle_info`."""
        self.actor_inbox.put((INFO, message, None))

    def put_coalesced(self, kind: int, message: Any) -> None:
        """Queue a message of a type that collapses: where one waits already, the two become one."""
        key = (kind, type(message))
        with self._coalescing:
            if key in self._newest:
                self._newest[key] = self.module.coalesce(self._newest[key], message)
                self.collapsed += 1
                return
            self._newest[key] = message
        self.actor_inbox.put((COALESCED, key, None))

    def put_signal(self, *signal: Any) -> None:
        """Put a signal into the lane ahead of the inbox."""
        self.lane.append(signal)
        self.actor_inbox.put(WAKE)

    def put_exit(self, pid: Pid | None, reason: Any, from_parent: bool = False) -> None:
        """Deliver an exit signal. It ends a wait in a call too, unless the process traps exits."""
        if not self.trapping and reason != "normal":
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
        """End of this process, from within or from a killer: only the first time counts.

        Returns whether this was the first time. DOWN goes out last, when the name is free again.
        """
        with self.system.lock:
            if self.exited:
                return False
            self.reason = reason
            self.exited = True
            self.system.forget(self)
            links, self.links = self.links, {}
            monitors, self.monitors = self.monitors, {}
            for other in links:
                other.links.pop(self, None)
            for ref in self.watching:
                self.system.drop_monitor(ref)
        waiting = self.waiting
        if waiting is not None:
            waiting.settle(EXITING, reason)
        while self.pending:
            try:
                self.pending.popitem()[0].settle(DOWN, reason)
            except KeyError:
                break
        self.system.leave_all(self)
        for other in links:
            if other is not self.parent or tell_parent:
                other.put_exit(self.pid, reason, from_parent=other.parent is self)
        for ref, watcher in monitors.items():
            self.system.send_down(watcher, ref, reason)
        self.system.emit("exited", self, reason)
        self.actor_stopped.set()
        self.started.settle(DOWN, reason)
        return True

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

    def _forget_messages(self) -> None:
        """Let go of what a dead process holds."""
        self.state = None
        self.last_message = None
        self._held.clear()
        self._newest.clear()
        while not self.actor_inbox.empty():
            self.actor_inbox.get()

    def _initialise(self) -> Ok | None:
        """Run `init` and tell the starter how it went; None where the process shall not live."""
        try:
            result = self.module.init(self.args)
            match result:
                case Ok():
                    self.state = result.state
                    self.started_s = self.system.monotonic_s()
                    self.starting = False
                    self.system.emit("started", self)
                    self.started.settle(ANSWERED, self.pid)
                    return result
                case Ignore():
                    reason: Any = IGNORED
                case StopInit():
                    reason = result.reason
                    if not result.silent and not is_orderly(reason) and not isinstance(reason, Crash):
                        reports.crash(self, reason)
                case _:
                    raise TypeError(f"init returned {result!r}, expected Ok, StopInit or Ignore")
        except ProcessExit as stop:
            reason = stop.reason
        except BaseException as error:
            reason = Crash.of(error)
            if not self.exited:
                reports.crash(self, reason)
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
            reports.terminated(self, reason)
            reports.crash(self, reason)
        if last_words is not None:
            last_words()
        self.finish(reason)

    def _serve(self) -> None:
        """Handle messages until told to stop, by ProcessExit, or until killed."""
        inbox, lane, held = self.actor_inbox, self.lane, self._held
        item: Any = WAKE
        try:
            while not self.exited:
                if lane:
                    self._take_signal(*lane.popleft())
                    continue
                if self.suspended:
                    self._hold(inbox.get())
                    continue
                if held:
                    item = held.popleft()
                elif self._deadline_s is None:
                    item = inbox.get()
                else:
                    item = self._get_before_deadline()
                if item is WAKE:
                    continue
                self.handled += 1
                if not self.handled & (WATCH_EVERY - 1):
                    self.watch_mailbox()
                self._deadline_s = None
                self._dispatch(item)
        except BaseException:
            self.last_message = item
            raise

    def _dispatch(self, item: Any) -> None:
        try:
            kind, message, sender = item
        except TypeError:  # an envelope, from somebody who holds the pykka reference
            kind, message, sender = INFO, item.message, None
        if self.debug is not None:
            self._note_arrival(kind, message, sender)
        if kind == CALL:
            result: Any = self.module.handle_call(message, sender, self.state)
        elif kind == CAST:
            result = self.module.handle_cast(message, self.state)
        elif kind == INFO:
            result = self.module.handle_info(message, self.state)
        else:
            result = self._handle_coalesced(message)
        self._apply(result, sender)

    def _handle_coalesced(self, key: tuple[int, type]) -> Any:
        with self._coalescing:
            message = self._newest.pop(key)
        handle = self.module.handle_cast if key[0] == CAST else self.module.handle_info
        return handle(message, self.state)

    def _apply(self, result: Any, sender: Sender | None) -> None:
        shape = type(result)
        if shape is Reply and sender is not None:
            self.state = result.state
            if self.debug is not None:
                self.note(("out", result.value, sender.pid))
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
            self._deadline_s = self.system.monotonic_s() + result.timeout_s
        if result.continue_ is not None:
            if self.debug is not None:
                self.note(("continue", result.continue_))
            self._apply(self.module.handle_continue(result.continue_, self.state), None)

    def _get_before_deadline(self) -> Any:
        wait_s = (self._deadline_s or 0) - self.system.monotonic_s()
        try:
            return self.actor_inbox.get(timeout=max(wait_s, 0))
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
            self.take_request(kind, *args)

    def _take_exit(self, pid: Pid | None, reason: Any, from_parent: bool) -> None:
        if from_parent if self.trapping else reason != "normal":
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

    def watch_mailbox(self) -> None:
        """Tell the observers when the mailbox has grown beyond its bound, and when it is well below it again."""
        waiting = self.mailbox
        if self.overloaded and waiting <= self.max_mailbox // 2:
            self.overloaded = False
            self.system.emit("relieved", self)
        elif not self.overloaded and waiting > self.max_mailbox:
            self.overloaded = True
            reports.overloaded(self, waiting)
            self.system.emit("overloaded", self, waiting)
