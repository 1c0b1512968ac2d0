"""What every system does, however its processes run: names, calls, starts, stops, timers, published values.

Several systems may live in one OS process and know nothing of each other. Everything here may be called from inside a
process or from outside. One lock guards births, deaths and links; messages take none. threads.py and sim.py add what is
theirs: how a process runs and waits, who is running now, and what time it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

import structlog

from flurm.otp.errors import (
    CallTimeout,
    NoProcess,
    NotRunning,
    OtpError,
    Overloaded,
    ProcessDown,
    ProcessExit,
    Refused,
    StartError,
)
from flurm.otp.gen_server import GenServer
from flurm.otp.messages import MonitorRef, Pid, RuntimeEvent
from flurm.otp.runtime.births import Births
from flurm.otp.runtime.groups import Groups
from flurm.otp.runtime.process import CALL, CAST, IGNORED, INFO, Process
from flurm.otp.runtime.relations import Relations
from flurm.otp.runtime.sender import ANSWERED, DOWN, EXITING, Outcome, Requester, Sender
from flurm.otp.runtime.timers import TimerRef
from flurm.otp.specs import Child, Supervisor
from flurm.otp.supervisor import Administration, root_tree, start_module

_log = structlog.get_logger(__name__)
_CRASH = "crash requested"
_INFINITE_S: Final = float("inf")
ORPHAN_S = 5.0  # what a process may take to end after its supervisor was killed

Target = str | Pid


class CrashRequested(Exception):
    """What a process dies of after `System.crash`."""


class SystemCore(Administration, Births, Relations, Groups):
    """A system without the means to run anything: see `System` (threads.py) and `Simulation` (sim.py).

    `env` is the application's environment, read by actors. `terms` holds values that one process publishes and all may
    read without a message. `observers` are told of every start, exit and restart, in the process where it happens.
    `tap`, for tests and tracing, is told (sender name, receiver name, kind, message type) of every message.
    """

    _timers: Any

    def __init__(self, env: dict[str, Any] | None, lock: Any) -> None:
        self.env: dict[str, Any] = env if env is not None else {}
        self.terms: dict[Any, Any] = {}
        self.observers: list[Callable[[RuntimeEvent], None]] = []
        self.tap: Callable[[str, str, str, type], None] | None = None
        self.lock: Any = lock
        self.roots: list[Process] = []
        self._names: dict[str, Process] = {}
        self._epochs: dict[str, int] = {}
        self._processes: dict[Pid, Process] = {}
        self.monitored: dict[MonitorRef, Process] = {}
        self._groups: dict[Any, list[Pid]] = {}
        self._group_monitors: dict[Any, dict[MonitorRef, Any]] = {}
        self._numbers = itertools.count(1)
        self._stopped = False
        self._births = self.new_event()
        self.allow_births()

    def current(self) -> Process | None:
        """The process that runs here, or None outside of any."""
        raise NotImplementedError

    def new_outcome(self) -> Outcome:
        """Something to wait for."""
        raise NotImplementedError

    def new_event(self) -> Any:
        """Something that happens once, for any number of waiters: `set`, `is_set`, `wait(timeout_s)`."""
        raise NotImplementedError

    def new_sender(self, callee: Process, pid: Pid | None) -> Sender:
        """Something to wait for an answer with."""
        raise NotImplementedError

    def new_process(
        self, module: GenServer, args: dict[str, Any], pid: Pid, name: str | None, parent: Process | None
    ) -> Process:
        """A process that does not run yet."""
        raise NotImplementedError

    def beside(self, function: Callable[[], Any]) -> None:
        """Have `function` run beside the caller, outside of any process."""
        raise NotImplementedError

    def now_s(self) -> float:
        """Wall clock, in seconds since 1970."""
        raise NotImplementedError

    def monotonic_s(self) -> float:
        """Clock for intervals, in seconds."""
        raise NotImplementedError

    def call(self, target: Target, request: Any, timeout_s: float = 5.0) -> Any:
        """Ask `target` and wait for its answer.

        Raises NoProcess where there is no such process, ProcessDown when it dies before it answers, Overloaded where
        too much waits for it, CallTimeout.
        """
        caller = self.current()
        callee = self._process_of(target)
        if caller is None:
            sender = self.new_sender(callee, None)
        else:
            self._check_caller(caller, callee)
            sender = self.new_sender(callee, caller.pid)
        if callee.actor_inbox.qsize() > callee.max_mailbox or callee.suspended:
            self._check_load(callee, target)
        if self.tap is not None:
            self._tell_tap(callee, "call", request)
        self._post(callee, CALL, request, sender)
        return self._wait(sender, caller, target, timeout_s)

    def sys_request(self, target: Target, kind: str, payload: Any = None, timeout_s: float = 5.0) -> Any:
        """A request that overtakes the inbox and is answered between two messages; see `flurm.otp.debug`."""
        return self.sys_answer(self.sys_post(target, kind, payload), target, timeout_s)

    def sys_post(self, target: Target, kind: str, payload: Any = None) -> Sender:
        """The first half of `sys_request`, for whoever asks many processes at once."""
        callee = self._process_of(target)
        caller = self.current()
        if caller is not None:
            self._check_caller(caller, callee)
        sender = self.new_sender(callee, caller.pid if caller else None)
        callee.pending[sender] = None
        callee.put_signal(kind, sender, payload)
        if callee.exited:
            sender.settle(DOWN, callee.reason)
        return sender

    def sys_answer(self, sender: Sender, target: Target, timeout_s: float) -> Any:
        """The second half of `sys_request`: wait for the answer."""
        answer = self._wait(sender, self.current(), target, timeout_s)
        if isinstance(answer, OtpError):
            raise answer
        return answer

    def cast(self, target: Target, message: Any) -> None:
        """Send and forget; a target that is not there swallows it."""
        self._send(target, CAST, message)

    def info(self, target: Target, message: Any) -> None:
        """Send to the target's `handle_info`, and forget."""
        self._send(target, INFO, message)

    def reply(self, sender: Sender, value: Any) -> None:
        """Answer a call, from any process and any thread. A second answer, or one too late, goes nowhere."""
        process = self.current()
        if process is not None:
            process.ensure_alive()
            if process.debug is not None:
                process.note(("out", value, sender.pid))
        sender.reply(value)

    def send_request(self, process: Process, target: Target, request: Any, tag: Any) -> None:
        """Ask on behalf of `process`, which gets a Response or a ResponseDown."""
        process.ensure_alive()
        try:
            callee = self._process_of(target)
            self._check_load(callee, target)
            requester = Requester(callee, process, tag)
            if self.tap is not None:
                self._tell_tap(callee, "call", request)
            self._post(callee, CALL, request, requester)
        except ProcessDown as down:
            Requester(process, process, tag).settle(DOWN, down.reason)
        except Overloaded:
            Requester(process, process, tag).settle(DOWN, "overloaded")

    def whereis(self, name: str) -> Pid | None:
        """The pid that is registered under `name`."""
        process = self._names.get(name)
        return process.pid if process is not None else None

    def epoch(self, name: str) -> int:
        """How many processes have held `name` so far: that of its present or last holder; 0 where there was none."""
        return self._epochs.get(name, 0)

    def register(self, name: str, target: Target) -> None:
        """Give a process that has none a name. Refused `badarg` where either has one already."""
        with self.lock:
            process = self._process_of(target)
            if name in self._names or process.name is not None:
                raise Refused(name, "badarg")
            process.name = process.module.name = name
            self._hold_name(name, process)

    def unregister(self, name: str) -> None:
        """Take a name away; its process lives on without. Refused `badarg` where there is no such name."""
        with self.lock:
            process = self._names.pop(name, None)
            if process is None:
                raise Refused(name, "badarg")
            process.name = process.module.name = None
            process.epoch = 0

    def is_alive(self, target: Target) -> bool:
        """Whether there is such a process."""
        return self.find(target) is not None

    def processes(self) -> list[Process]:
        """All processes, oldest first."""
        return list(self._processes.values())

    def spawn(
        self,
        start: Any,
        args: dict[str, Any] | None = None,
        name: str | None = None,
        parent: Process | None = None,
        timeout_s: float = _INFINITE_S,
    ) -> Pid | None:
        """Start a process, linked to `parent`, and wait for its `init`. None where `init` chose to be ignored.

        `start` is a GenServer subclass, a Supervisor, or a string that names one. Raises StartError: with the reason of
        `init`, `("already_started", pid)`, or `timeout`, when the process has been killed.
        """
        process = self.launch(start, args, name, parent, timeout_s)
        return process.pid if process is not None else None

    def launch(
        self,
        start: Any,
        args: dict[str, Any] | None,
        name: str | None,
        parent: Process | None,
        timeout_s: float = _INFINITE_S,
    ) -> Process | None:
        """As `spawn`; returns the process, which may have ended since. The runtime's own."""
        process = None
        while process is None:
            process = self._create(start, args or {}, name, parent)
        process.run()
        outcome = process.started.wait(timeout_s)
        if outcome is None:
            caller = self.current()
            if caller is not None:
                caller.ensure_alive()
            self._kill(process, tell_parent=False)
            raise StartError(name or process.module.module_name(), "timeout")
        kind, value = outcome
        if kind == ANSWERED:
            return process
        if value is IGNORED:
            return None
        raise StartError(name or type(process.module).__name__, value)

    def start(self, spec: Supervisor | Child | str, name: str | None = None) -> Pid:
        """Start a root supervisor and wait for its whole tree. Raises StartError with the reason of who failed."""
        child = spec if isinstance(spec, Child) else Child(name or "root", spec)
        pid = self.spawn(child.start, child.args, child.id)
        if pid is None:
            raise StartError(child.id, "ignored")
        root = self._processes.get(pid)
        if root is not None:
            self.roots.append(root)
        return pid

    def stop(self, reason: Any = "shutdown", timeout_s: float = 60.0) -> None:
        """Stop every tree, last started first, then whatever is left; ends the timers. Kills what exceeds the time.

        Called by a process, which is itself to be stopped, it returns at once and the stop goes on beside it.
        """
        if self.current() is not None:
            self.beside(lambda: self.stop(reason, timeout_s))
            return
        deadline_s = self.monotonic_s() + timeout_s
        for process in [*reversed(self.roots), *reversed(self.processes())]:
            if process.exited or (process.parent is not None and not process.parent.exited):
                continue
            process.put_exit(None, reason, from_parent=True)
            if not self.await_exit(process, max(deadline_s - self.monotonic_s(), 0)):
                self._kill(process)
        self._stopped = True
        self._timers.stop()

    def wait(self, target: Target, timeout_s: float | None = None) -> Any:
        """Wait until `target` has exited; returns its reason, `noproc` where there is none. Raises CallTimeout."""
        process = self.find(target)
        if process is None:
            return "noproc"
        if not self.await_exit(process, timeout_s):
            raise CallTimeout(target, timeout_s or 0)
        return process.reason

    def await_exit(self, process: Process, timeout_s: float | None = None) -> bool:
        """Wait for the end of a process; False where it does not come in time."""
        ended = process.actor_stopped.wait(timeout_s)
        caller = self.current()
        if caller is not None:
            caller.ensure_alive()
        return ended

    def stop_process(self, target: Target, reason: Any = "normal", timeout_s: float = _INFINITE_S) -> None:
        """Have a process end with `reason` and wait for that (`gen_server:stop`), whether it traps exits or not.

        Raises NoProcess, CallTimeout when it takes longer, and ProcessDown when it ends for another reason.
        """
        if not timeout_s >= 0:
            raise ValueError(f"timeout_s is {timeout_s!r}, expected seconds")
        process = self._process_of(target)
        deadline_s = self.monotonic_s() + timeout_s
        try:
            self.sys_request(target, "terminate", reason, timeout_s)
        except ProcessDown as down:
            raise NoProcess(target) if down.reason == "noproc" else down from None
        left_s = None if timeout_s == _INFINITE_S else max(deadline_s - self.monotonic_s(), 0)
        if not self.await_exit(process, left_s):
            raise CallTimeout(target, timeout_s)
        if process.reason != reason:
            raise ProcessDown(target, process.reason)

    def kill(self, target: Target) -> bool:
        """Kill: cannot be trapped or delayed. The name is free on return; what its thread still does counts nowhere."""
        process = self.find(target)
        return process is not None and self._kill(process)

    def _kill(self, process: Process, tell_parent: bool = True) -> bool:
        if not process.finish("killed", tell_parent):
            return False
        process.put_signal("crash", ProcessExit("killed"))
        return True

    def exit(self, target: Target, reason: Any) -> None:
        """Send an exit signal; `kill` as the reason kills."""
        if reason == "kill":
            self.kill(target)
            return
        process, sender = self.find(target), self.current()
        if process is not None:
            process.put_exit(sender.pid if sender is not None else None, reason)

    def crash(self, target: Target, message: str = _CRASH) -> None:
        """For tests: make the process die of an exception, before its next message."""
        self._process_of(target).put_signal("crash", CrashRequested(message))

    def send_after(self, delay_s: float, message: Any, target: Target) -> TimerRef:
        """Have `message` arrive in the target's `handle_info`."""
        return self._timers.send_after(delay_s, target, message)

    def cancel_timer(self, ref: TimerRef) -> float | None:
        """Seconds that were left, or None where the timer has fired."""
        return self._timers.cancel(ref)

    def forget(self, process: Process) -> None:
        """Give up the name and pid of a process that exits; the runtime's own, under the lock."""
        self._processes.pop(process.pid, None)
        if process in self.roots:
            self.roots.remove(process)
        if process.name is not None and self._names.get(process.name) is process:
            del self._names[process.name]

    def emit(self, kind: str, process: Process, reason: Any = None, supervisor: str | None = None) -> None:
        """Tell the observers; one that raises is logged and does no harm."""
        for observer in self.observers:
            try:
                observer(RuntimeEvent(kind, process.pid, process.name, reason, supervisor))
            except Exception:
                _log.exception("observer failed", observer=repr(observer))

    def tree(self) -> list[dict[str, Any]]:
        """The running trees as nested data, read without sending a message."""
        return [root_tree(self, root) for root in self.roots if not root.exited]

    def find(self, target: Target) -> Process | None:
        """The process behind a name or pid; for the runtime and tests."""
        if isinstance(target, str):
            return self._names.get(target)
        return self._processes.get(target)

    def _process_of(self, target: Target) -> Process:
        process = self.find(target)
        if process is None:
            raise NoProcess(target)
        return process

    def _await_orphan(self, name: str | None) -> None:
        """Let a process of this name whose supervisor was killed end, so that a new tree does not trip over the old."""
        taken = self._names.get(name) if name is not None else None
        if taken is None or taken.parent is None or not taken.parent.exited:
            return
        if not self.await_exit(taken, ORPHAN_S):
            self.kill(taken.pid)

    def _create(self, start: Any, args: dict[str, Any], name: str | None, parent: Process | None) -> Process | None:
        """A registered process; None where births were held in the meantime, and `start` may name other code now."""
        births = self._births
        if not births.is_set():
            births.wait(None)
        if self._stopped:
            raise NotRunning("the system has been stopped")
        module, arguments = start_module(start, args)
        process = self.new_process(module, arguments, Pid(next(self._numbers)), name, parent)
        self._await_orphan(name)
        return process if self._register(process, births) else None

    def _register(self, process: Process, births: Any) -> bool:
        with self.lock:
            if self._births is not births:
                return False
            if process.parent is not None:
                process.parent.ensure_alive()
            if process.name is not None:
                taken = self._names.get(process.name)
                if taken is not None:
                    raise StartError(process.name, ("already_started", taken.pid))
                self._hold_name(process.name, process)
            self._processes[process.pid] = process
            if process.parent is not None:
                process.parent.links[process] = None
                process.links[process.parent] = None
        return True

    def _hold_name(self, name: str, process: Process) -> None:
        self._names[name] = process
        self._epochs[name] = process.epoch = self._epochs.get(name, 0) + 1

    def _check_caller(self, caller: Process, callee: Process) -> None:
        caller.ensure_alive()
        if callee is caller:
            raise OtpError(f"{caller} calls itself: it would wait for itself")
        if caller.starting and callee is caller.parent:
            raise OtpError(f"{caller} calls its supervisor from init: the supervisor waits for that init")

    def _check_load(self, callee: Process, target: Target) -> None:
        waiting = callee.mailbox
        if waiting > callee.max_mailbox:
            raise Overloaded(target, waiting)

    def _post(self, callee: Process, kind: int, request: Any, sender: Sender) -> None:
        """Queue a request so that either its answer or the callee's death settles it."""
        callee.pending[sender] = None
        callee.actor_inbox.put((kind, request, sender))
        if callee.exited:  # after the add: finish() sees the sender, or we see the exit
            sender.settle(DOWN, callee.reason)  # unless it was answered

    def _wait(self, sender: Sender, caller: Process | None, target: Target, timeout_s: float) -> Any:
        if caller is not None:
            caller.waiting = sender
            if caller.exiting is not None:
                sender.settle(EXITING, caller.exiting[0])
            elif caller.exited:
                sender.settle(EXITING, caller.reason)
        outcome = sender.wait(timeout_s)
        if caller is not None:
            caller.waiting = None
            caller.ensure_alive()
        if outcome is None:
            sender.callee.pending.pop(sender, None)
            raise CallTimeout(target, timeout_s)
        kind, value = outcome
        if kind == ANSWERED:
            return value
        sender.callee.pending.pop(sender, None)
        if kind == EXITING:
            raise ProcessExit(value)
        raise ProcessDown(target, value)

    def _send(self, target: Target, kind: int, message: Any) -> None:
        process = self._names.get(target) if type(target) is str else self._processes.get(target)  # type: ignore[arg-type]
        sender = self.current()
        if sender is not None and sender.exited:
            raise ProcessExit(sender.reason)
        if process is None:
            return
        if self.tap is not None:
            self._tell_tap(process, "cast" if kind == CAST else "info", message)
        if process.coalesced and type(message) in process.coalesced:
            process.put_coalesced(kind, message)
        else:
            process.actor_inbox.put((kind, message, None))

    def _tell_tap(self, receiver: Process, kind: str, message: Any) -> None:
        sender, tap = self.current(), self.tap
        if tap is not None:
            tap(repr(sender) if sender is not None else "", repr(receiver), kind, type(message))
