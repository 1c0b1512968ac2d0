"""The supervisor process: carries out what the supervision machine decides.

Also here: the administrative calls (`System.start_child` and its family) and how a start target becomes a module.
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

import flurm.otp.reports as reports
from flurm.otp.errors import Crash, OtpError, Refused, SpecError, StartError
from flurm.otp.gen_server import GenServer
from flurm.otp.gen_statem import GenStatem, StatemServer
from flurm.otp.messages import Exit, Ignore, NoReply, Ok, Pid, Reply, Stop, StopInit
from flurm.otp.ports import ProcessPort, SystemPort
from flurm.otp.specs import BRUTAL, INFINITY, SUPERVISOR, WORKER, Child, Supervisor, resolve
from flurm.otp.supervision import (
    Ignored,
    Plan,
    Refusal,
    Report,
    RetryLater,
    Start,
    Started,
    StartFailed,
    StopChild,
    StopChildren,
    Supervision,
)

_log = structlog.get_logger(__name__)
_FOREVER_S = float("inf")
AT_ONCE = 32
LOOK_S = 0.05
PATIENCE_S = 0.5


class Admin(msgspec.Struct, frozen=True):
    """An administrative request: the machine's method and its arguments."""

    method: str
    args: tuple[Any, ...] = ()


class BadReturn(OtpError):
    """A supervisor's code gave something else than a Supervisor or Ignore."""

    def __init__(self, start: Any, value: Any) -> None:
        super().__init__(f"{start!r} gave {value!r}, expected a Supervisor")
        self.reason = ("bad_return", (start, "init", value))


class SupervisorServer(GenServer):
    """A supervisor as a process. Its state is the machine."""

    max_mailbox = 1_000_000  # as many children may exit at once
    _source: tuple[Any, dict[str, Any]]
    _handles: dict[Pid, ProcessPort]
    """Of each child, so that how it ended can be told when it ends just before it is stopped."""

    def init(self, args: dict[str, Any]) -> Ok | StopInit | Ignore:
        self.trap_exit(True)
        self._source = (args["start"], args["args"])
        self._handles = {}
        try:
            flags = specification(*self._source)
        except SpecError as error:
            return StopInit(("start_spec", str(error)), silent=True)
        except BadReturn as error:
            return StopInit(error.reason, silent=True)
        if flags is None:
            return Ignore()
        machine = Supervision(flags)
        self._process.state = machine
        failure = self._run(machine.init())
        return Ok(machine) if failure is None else StopInit(("shutdown", failure))

    def system_new_module(self, start: Any) -> GenServer:
        module = type(self).__new__(type(self))
        module.__dict__.update(self.__dict__)
        module._source = (start, self._source[1])
        return module

    @property
    def start(self) -> Any:
        """What the specification was made of: `module:NAME`, or the specification itself."""
        return self._source[0]

    def system_code_change(self, old_vsn: Any, state: Supervision, extra: Any) -> Supervision:
        flags = specification(*self._source)
        changed = state.changed(flags) if flags is not None else state
        if isinstance(changed, Refusal):
            raise Refused(self.name or self.pid, changed.reason)
        return changed

    def format_status(self, state: Supervision) -> Any:
        return {"strategy": state.flags.strategy, "children": state.which_children() if not state.simple else "dynamic"}

    def handle_call(self, request: Any, sender: Any, state: Supervision) -> Reply:
        if request.method == "get_callback_module":
            return Reply(self._source[0], state)
        answer = getattr(state, request.method)(*request.args)
        return Reply(self._run(answer) if hasattr(answer, "send") else answer, state)

    def handle_cast(self, message: Any, state: Supervision) -> NoReply | Stop:
        return self._go_on(self._run(state.retry(message.key, self.monotonic_s())), state)

    def handle_info(self, message: Any, state: Supervision) -> NoReply | Stop:
        if isinstance(message, Exit):
            if message.pid is not None:
                self._handles.pop(message.pid, None)
            return self._go_on(self._run(state.child_exited(message.pid, message.reason, self.monotonic_s())), state)
        _log.warning("supervisor received unexpected message", supervisor=self.name, message=repr(message))
        return NoReply(state)

    def terminate(self, reason: Any, state: Supervision) -> None:
        self._run(state.shutdown())

    def _go_on(self, alive: bool, state: Supervision) -> NoReply | Stop:
        return NoReply(state) if alive else Stop("shutdown", state)

    def _run(self, plan: Plan) -> Any:
        """Carry out a plan, action by action; returns its verdict."""
        result = None
        try:
            while True:
                action = plan.send(result)
                self.ensure_alive()
                result = self._perform(action)
        except StopIteration as done:
            return done.value

    def _perform(self, action: Any) -> Any:
        match action:
            case Start():
                return self._start(action)
            case StopChild(pid, spec):
                return self._stop([pid], spec)[0][1]
            case StopChildren(pids, spec):
                return self._stop(list(pids), spec)
            case RetryLater():
                self.cast(self.pid, action)
            case Report():
                self._report(action)
        return None

    def _start(self, action: Start) -> Started | Ignored | StartFailed:
        try:
            process = self.system.launch(action.spec.start, action.args, action.name, self._process)
        except StartError as error:
            return StartFailed(error.reason)
        except Exception as error:  # the module does not import, the name is not there
            return StartFailed(Crash.of(error))
        if process is None:
            return Ignored()
        self._handles[process.pid] = process
        return Started(process.pid)

    def _stop(self, pids: list[Pid], spec: Child) -> list[tuple[Pid, Any]]:
        """Tell all to exit, then wait for each until the common deadline, then kill."""
        shutdown = spec.deadline_ms
        doomed = [self._handles.pop(pid) for pid in pids]
        self._tell_to_exit(doomed, brutal=shutdown == BRUTAL)
        deadline_s = _FOREVER_S if isinstance(shutdown, str) else self.monotonic_s() + shutdown / 1000
        for process in doomed:
            left_s = None if shutdown == INFINITY else max(deadline_s - self.monotonic_s(), 0)
            if shutdown != BRUTAL and not self.system.await_exit(process, left_s):
                self.system.kill(process.pid)
        return [(process.pid, process.reason) for process in doomed]

    def _tell_to_exit(self, doomed: list[ProcessPort], brutal: bool) -> None:
        """Tell each; a few dozen end beside each other, more would only be in each other's way.

        Those that take long hold up the others for a moment at most.
        """
        patience_s = PATIENCE_S
        for number, process in enumerate(doomed):
            self.system.unlink(self._process, process.pid)
            if brutal:
                self.system.kill(process.pid)
                continue
            if number >= AT_ONCE and patience_s > 0 and not self.system.await_exit(doomed[number - AT_ONCE], LOOK_S):
                patience_s -= LOOK_S
            process.put_exit(self.pid, "shutdown", from_parent=True)

    def _report(self, report: Report) -> None:
        name = self.name or repr(self.pid)
        if report.kind == "restarted":
            child = self.system.find(report.pid)
            if child is not None:
                self.system.emit("restarted", child, supervisor=self.name)
            reports.progress(name, report.spec, report.pid, restarted=True)
        elif report.kind == "progress":
            reports.progress(name, report.spec, report.pid, restarted=False)
        else:
            reports.supervisor(name, report.kind, report.reason, report.spec, report.pid)


def specification(start: Any, args: dict[str, Any]) -> Supervisor | None:
    """The specification that a supervisor's code gives now, None for Ignore. Raises SpecError and BadReturn."""
    target = resolve(start)
    if not isinstance(target, Supervisor | Ignore) and callable(target):
        target = target(**args)
    if isinstance(target, Ignore):
        return None
    if not isinstance(target, Supervisor):
        raise BadReturn(start, target)
    return target


def start_module(start: Any, args: dict[str, Any]) -> tuple[GenServer, dict[str, Any]]:
    """The module instance that `start` names, and what its `init` gets."""
    target = resolve(start)
    if isinstance(target, type) and issubclass(target, GenServer):
        return target(), args
    if isinstance(target, type) and issubclass(target, GenStatem):
        return StatemServer(target()), args
    if isinstance(target, Supervisor) or callable(target):
        server = SupervisorServer()
        server._source = (start, args)  # known before its init: an upgrade asks for it
        return server, {"start": start, "args": args}
    raise SpecError(f"{start!r} is {target!r}, expected a GenServer class or a Supervisor")


class Administration:
    """What can be asked of a supervisor; mixed into System. Refusals raise `Refused` with OTP's reason.

    An actor may ask too, its own supervisor included, but not from `init`, for which that supervisor is waiting.
    """

    def call(self, target: Any, request: Any, timeout_s: float = 5.0) -> Any:
        """See System."""
        raise NotImplementedError

    def start_child(self, supervisor: Any, child: Child | dict[str, Any], name: str | None = None) -> Pid | None:
        """Start a child: a Child, or for simple_one_for_one the extra arguments and, if any, a name to register."""
        return self._ask(supervisor, "start_child", child, name)

    def terminate_child(self, supervisor: Any, id: Any) -> None:
        """Stop a child by id (simple_one_for_one: by pid) and wait for its end."""
        self._ask(supervisor, "terminate_child", id)

    def restart_child(self, supervisor: Any, id: str) -> Pid | None:
        """Start a terminated child again."""
        return self._ask(supervisor, "restart_child", id)

    def delete_child(self, supervisor: Any, id: str) -> None:
        """Forget a terminated child."""
        self._ask(supervisor, "delete_child", id)

    def which_children(self, supervisor: Any) -> list[tuple[str, Any, str]]:
        """(id, pid | None | "restarting", kind) in start order."""
        return self._ask(supervisor, "which_children")

    def which_child(self, supervisor: Any, id: Any) -> tuple[str, Any, str]:
        """One of `which_children`, by id (simple_one_for_one: by pid)."""
        return self._ask(supervisor, "which_child", id)

    def get_callback_module(self, supervisor: Any) -> Any:
        """What the supervisor's specification comes from: a string, a Supervisor or a function."""
        return self._ask(supervisor, "get_callback_module")

    def count_children(self, supervisor: Any) -> dict[str, int]:
        """specs, active, supervisors, workers."""
        return self._ask(supervisor, "count_children")

    def get_childspec(self, supervisor: Any, id: Any) -> Child:
        """The spec of a child, by id or pid."""
        return self._ask(supervisor, "get_childspec", id)

    def _ask(self, supervisor: Any, method: str, *args: Any) -> Any:
        answer = self.call(supervisor, Admin(method, args), timeout_s=_FOREVER_S)
        if isinstance(answer, Refusal):
            raise Refused(supervisor, answer.reason)
        return answer


def root_tree(system: SystemPort, process: ProcessPort) -> dict[str, Any]:
    """A running process and all below it as nested data."""
    return _node(system, process.name or "", process, process.name, 0, None)


def _node(
    system: SystemPort, id: str, process: ProcessPort | None, name: str | None, restarts: int, kind: str | None
) -> dict[str, Any]:
    machine = process.state if process is not None and isinstance(process.module, SupervisorServer) else None
    node: dict[str, Any] = {
        "id": id,
        "name": name,
        "pid": str(process.pid) if process is not None else None,
        "kind": SUPERVISOR if machine is not None else kind or WORKER,
        "strategy": machine.flags.strategy if machine is not None else None,
        "status": process.status if process is not None else "stopped",
        "restarts": restarts,
        "uptime_s": system.monotonic_s() - process.started_s if process is not None else 0.0,
        "mailbox": process.mailbox if process is not None else 0,
        "handled": process.handled if process is not None else 0,
        "children": [],
    }
    if machine is not None:
        node["children"] = [_child_node(system, child) for child in list(machine.children.values())]
    return node


def _child_node(system: SystemPort, child: Any) -> dict[str, Any]:
    process = system.find(child.pid) if child.pid is not None else None
    node = _node(system, child.id, process, child.name, child.restarts, child.spec.kind)
    if child.restarting:
        node["status"] = "restarting"
    return node
