"""The supervision machine: what a supervisor does, without threads and without a clock.

It holds the children in start order and follows OTP's `supervisor` to the letter. Every entry point is a generator: it
yields an action, is sent the action's result, and returns its verdict. So the code reads in the order in which things
happen, a test answers the actions from a table, and a runtime carries them out, on threads or in virtual time.

    action                          result
    Start(spec, args, name)         Started(pid) | Ignored() | StartFailed(reason)
    StopChild(pid, spec)            its exit reason
    StopChildren(pids, spec)        [(pid, reason)], stopped in parallel
    RetryLater(key)                 none: call `retry(key, now_s)` after whatever is in the mailbox now
    Report(...)                     none: for the log and the observers

The verdict of `child_exited` and `retry` is True to go on and False to shut down: intensity reached, or auto_shutdown.
The administrative entry points return what OTP's do, refusals as `Refusal(reason)`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Hashable
from typing import Any

import msgspec

import flurm.otp.specs as specs
from flurm.otp.errors import is_orderly
from flurm.otp.specs import (
    ALL_SIGNIFICANT,
    BRUTAL,
    NEVER,
    PERMANENT,
    SIMPLE_ONE_FOR_ONE,
    SUPERVISOR,
    TEMPORARY,
    TRANSIENT,
    Child,
    Supervisor,
)


class Start(msgspec.Struct, frozen=True):
    """Start a child and wait for its `init`."""

    spec: Child
    args: dict[str, Any]
    name: str | None


class Started(msgspec.Struct, frozen=True):
    """The child runs."""

    pid: Any


class Ignored(msgspec.Struct, frozen=True):
    """The child's `init` returned Ignore."""


class StartFailed(msgspec.Struct, frozen=True):
    """The child's `init` failed."""

    reason: Any


class StopChild(msgspec.Struct, frozen=True):
    """Stop one child as its `shutdown_ms` says and wait for its exit."""

    pid: Any
    spec: Child


class StopChildren(msgspec.Struct, frozen=True):
    """Stop all of a simple_one_for_one at once."""

    pids: tuple[Any, ...]
    spec: Child


class RetryLater(msgspec.Struct, frozen=True):
    """Send yourself `retry(key)`, behind what is waiting."""

    key: Hashable


class Report(msgspec.Struct, frozen=True):
    """A supervisor or progress report in OTP's terms: child_terminated, start_error, shutdown_error, shutdown,
    progress, restarted.
    """

    kind: str
    id: str
    pid: Any
    reason: Any = None
    spec: Child | None = None


class Refusal(msgspec.Struct, frozen=True):
    """`{error, Reason}` of the administrative interface."""

    reason: Any


class ChildState(msgspec.Struct, eq=False):
    """A child as the supervisor knows it.

    `restarting`: its restart failed and is being retried. `restarts`: how often it was, on its own or with others.
    `extra`: what a child of a simple_one_for_one was started with, beside the template's arguments. A temporary child
    is never started again, so what it was started with is not kept.
    """

    key: Hashable
    spec: Child
    extra: dict[str, Any]
    name: str | None
    pid: Any = None
    restarting: bool = False
    restarts: int = 0

    @property
    def id(self) -> str:
        """Its id; a simple_one_for_one child shows the name it was given."""
        return self.name or self.spec.id

    @property
    def args(self) -> dict[str, Any]:
        """What its `init` gets."""
        return {**self.spec.args, **self.extra} if self.extra else self.spec.args


Action = Start | StopChild | StopChildren | RetryLater | Report
Plan = Generator[Action, Any, Any]


class Supervision:
    """The state of one supervisor."""

    def __init__(self, flags: Supervisor) -> None:
        self.flags = flags
        self.simple = flags.strategy == SIMPLE_ONE_FOR_ONE
        self.children: dict[Hashable, ChildState] = {}
        self._key_of: dict[Any, Hashable] = {}
        self._restarts_s: deque[float] = deque()
        self._serial = 0
        if not self.simple:
            for spec in flags.children:
                self.children[spec.id] = ChildState(spec.id, spec, {}, spec.id)

    def init(self) -> Plan:
        """Start all children in order. Returns None, or why not, when all that were started are stopped again."""
        failed = yield from self._start_children(list(self.children.values()))
        if failed is None:
            return None
        child, reason = failed
        yield from self._stop_children(list(self.children.values()))
        return ("failed_to_start_child", child.id, reason)

    def child_exited(self, pid: Any, reason: Any, now_s: float) -> Plan:
        """A child's exit signal. An unknown pid is an exit that was already dealt with."""
        child = self.children.get(self._key_of.get(pid))
        if child is None or child.pid != pid:
            return True
        restart = child.spec.restart
        if restart == PERMANENT or (restart == TRANSIENT and not is_orderly(reason)):
            yield Report("child_terminated", child.id, pid, reason, child.spec)
            return (yield from self._restart(child, now_s))
        if not is_orderly(reason):
            yield Report("child_terminated", child.id, pid, reason, child.spec)
        self._gone(child)
        return self._survives(child)

    def retry(self, key: Hashable, now_s: float) -> Plan:
        """Try again to restart a child whose restart failed."""
        child = self.children.get(key)
        if child is None or not child.restarting:
            return True
        return (yield from self._restart(child, now_s))

    def shutdown(self) -> Plan:
        """Stop all children: in reverse start order, those of a simple_one_for_one in parallel."""
        if self.simple:
            pids = tuple(self._key_of)
            if pids:
                spec = self.flags.children[0]
                for pid, reason in (yield StopChildren(pids, spec)):
                    yield from self._report_stop(spec, pid, reason)
            self.children.clear()
            self._key_of.clear()
            return
        yield from self._stop_children(list(self.children.values()))

    def start_child(self, child: Child | dict[str, Any], name: str | None = None) -> Plan:
        """Start a new child: a Child, or for simple_one_for_one its extra arguments. Returns its pid or a Refusal."""
        if self.simple:
            return (yield from self._start_dynamic(child, name))
        if not isinstance(child, Child):
            return Refusal(("invalid_child_spec", child))
        if name is not None:
            return Refusal(("invalid_name", name))
        present = self.children.get(child.id)
        if present is not None:
            return Refusal("already_present" if present.pid is None else ("already_started", present.pid))
        if child.significant and self.flags.auto_shutdown == NEVER:
            return Refusal(("bad_combination", "auto_shutdown", NEVER, "significant", True))
        state = ChildState(child.id, child, {}, child.id)
        self.children[child.id] = state
        reason = yield from self._start(state)
        if reason is not None:
            self.children.pop(child.id, None)
            return Refusal(reason)
        if child.restart == TEMPORARY:
            state.spec = msgspec.structs.replace(child, args={})
        return state.pid

    def terminate_child(self, id: Any) -> Plan:
        """Stop a child by id, or by pid where the supervisor is simple_one_for_one. Its spec stays."""
        child = self.children.get(self._key_of.get(id, id) if self.simple else id)
        if child is None:
            return Refusal(SIMPLE_ONE_FOR_ONE if self.simple and isinstance(id, str) else "not_found")
        yield from self._stop(child)
        return None

    def restart_child(self, id: str) -> Plan:
        """Start a child that was terminated. Returns its pid or a Refusal."""
        child, refusal = self._idle(id)
        if child is None:
            return refusal
        reason = yield from self._start(child)
        return child.pid if reason is None else Refusal(reason)

    def delete_child(self, id: str) -> Plan:
        """Forget the spec of a child that was terminated."""
        child, refusal = self._idle(id)
        if child is None:
            return refusal
        del self.children[id]
        return None
        yield  # a plan without actions

    def which_children(self) -> list[tuple[str, Any, str]]:
        """(id, pid | None | "restarting", worker or supervisor) in start order."""
        return [
            (child.id, "restarting" if child.restarting else child.pid, child.spec.kind)
            for child in list(self.children.values())
        ]

    def which_child(self, id: Any) -> tuple[str, Any, str] | Refusal:
        """One of `which_children`; a child of a simple_one_for_one by its pid."""
        child = self.children.get(self._key_of.get(id, id) if self.simple else id)
        if child is None:
            return Refusal(SIMPLE_ONE_FOR_ONE if self.simple and isinstance(id, str) else "not_found")
        return child.id, "restarting" if child.restarting else child.pid, child.spec.kind

    def count_children(self) -> dict[str, int]:
        """OTP's four numbers: specs, active, supervisors, workers."""
        children = list(self.children.values())
        supervisors = sum(child.spec.kind == SUPERVISOR for child in children)
        return {
            "specs": 1 if self.simple else len(children),
            "active": sum(child.pid is not None for child in children),
            "supervisors": supervisors,
            "workers": len(children) - supervisors,
        }

    def get_childspec(self, id: Any) -> Child | Refusal:
        """The spec of a child, by id or pid."""
        child = self.children.get(self._key_of.get(id, id))
        return child.spec if child is not None else Refusal("not_found")

    def changed(self, flags: Supervisor) -> Supervision | Refusal:
        """The state after a live change of the specification; this one stays as it is, so that it can be gone back to.

        Processes stay, what comes next follows the new specification. A child that it does not name is kept, after
        those that it does; one that is new there is known but not started, until `restart_child` or a restart of its
        group. Those of a simple_one_for_one keep their own arguments and take the rest from the new template; what was
        started as temporary remains so, because its arguments were not kept.
        """
        if self.simple != (flags.strategy == SIMPLE_ONE_FOR_ONE):
            return Refusal(("bad_strategy", self.flags.strategy, flags.strategy))
        new = Supervision(flags)
        new._key_of, new._restarts_s, new._serial = dict(self._key_of), deque(self._restarts_s), self._serial
        for key, child in self.children.items():
            spec = child.spec
            if self.simple:
                kept = {"restart": TEMPORARY} if spec.restart == TEMPORARY else {}
                spec = msgspec.structs.replace(flags.children[0], **kept)
            elif key in new.children:
                spec = new.children[key].spec
            new.children[key] = msgspec.structs.replace(child, spec=spec)
        return new

    def _idle(self, id: str) -> tuple[ChildState | None, Refusal | None]:
        """A child that is neither running nor restarting, or why there is none."""
        if self.simple:
            return None, Refusal(SIMPLE_ONE_FOR_ONE)
        child = self.children.get(id)
        if child is None:
            return None, Refusal("not_found")
        if child.restarting:
            return None, Refusal("restarting")
        return (child, None) if child.pid is None else (None, Refusal("running"))

    def _restart(self, child: ChildState, now_s: float) -> Plan:
        if not self._may_restart(now_s):
            yield Report("shutdown", child.id, child.pid, "reached_max_restart_intensity", child.spec)
            self._gone(child)
            return False
        match self.flags.strategy:
            case specs.REST_FOR_ONE:
                group = self._from(child)
            case specs.ONE_FOR_ALL:
                group = list(self.children.values())
            case _:
                group = [child]
        self._forget_pid(child)
        yield from self._stop_children([other for other in group if other is not child])
        group = [other for other in group if other.key in self.children]
        failed = yield from self._start_children(group)
        for other in group:
            if other.pid is not None:
                other.restarts += 1
                yield Report("restarted", other.id, other.pid, None, other.spec)
        if failed is not None:
            self._forget_pid(failed[0])
            failed[0].restarting = True
            yield RetryLater(failed[0].key)
        return True

    def _may_restart(self, now_s: float) -> bool:
        """Count a restart; False when there were more than `intensity` in the last `period_s`."""
        self._restarts_s.append(now_s)
        while self._restarts_s[0] < now_s - self.flags.period_s:
            self._restarts_s.popleft()
        return len(self._restarts_s) <= self.flags.intensity

    def _from(self, child: ChildState) -> list[ChildState]:
        """`child` and all that were started after it."""
        children = list(self.children.values())
        return children[children.index(child) :]

    def _start_children(self, children: list[ChildState]) -> Plan:
        """Start in order up to the first that fails; returns it and why."""
        for child in children:
            reason = yield from self._start(child)
            if reason is not None:
                return child, reason
        return None

    def _start(self, child: ChildState) -> Plan:
        """Start one child; returns why not, or None."""
        outcome = yield Start(child.spec, child.args, child.name)
        child.restarting = False
        match outcome:
            case Started(pid):
                child.pid = pid
                self._key_of[pid] = child.key
                yield Report("progress", child.id, pid, None, child.spec)
            case Ignored():
                if self.simple or child.spec.restart == TEMPORARY:
                    self.children.pop(child.key, None)
            case StartFailed(reason):
                yield Report("start_error", child.id, child.pid, reason, child.spec)
                return reason
        return None

    def _start_dynamic(self, extra: Any, name: str | None) -> Plan:
        if not isinstance(extra, dict):
            return Refusal(("invalid_extra_args", extra))
        self._serial += 1
        child = ChildState(self._serial, self.flags.children[0], extra, name)
        outcome = yield Start(child.spec, child.args, child.name)
        match outcome:
            case Started(pid):
                child.pid = pid
                if child.spec.restart == TEMPORARY:
                    child.extra = {}
                self.children[child.key] = child
                self._key_of[pid] = child.key
                yield Report("progress", child.id, pid, None, child.spec)
                return pid
            case StartFailed(reason):
                return Refusal(reason)
        return None

    def _stop_children(self, children: list[ChildState]) -> Plan:
        """Stop in reverse order."""
        for child in reversed(children):
            yield from self._stop(child)

    def _stop(self, child: ChildState) -> Plan:
        pid = child.pid
        self._gone(child)
        if pid is not None:
            reason = yield StopChild(pid, child.spec)
            yield from self._report_stop(child.spec, pid, reason)

    def _report_stop(self, spec: Child, pid: Any, reason: Any) -> Plan:
        expected = is_orderly(reason) and (reason != "normal" or spec.restart != PERMANENT)
        if not expected and not (reason == "killed" and spec.shutdown_ms == BRUTAL):
            yield Report("shutdown_error", spec.id, pid, reason, spec)

    def _gone(self, child: ChildState) -> None:
        """The child has no process; a temporary or dynamic one is forgotten."""
        self._forget_pid(child)
        child.restarting = False
        if self.simple or child.spec.restart == TEMPORARY:
            self.children.pop(child.key, None)

    def _forget_pid(self, child: ChildState) -> None:
        self._key_of.pop(child.pid, None)
        child.pid = None

    def _survives(self, child: ChildState) -> bool:
        """auto_shutdown: whether the supervisor goes on after `child` ended for good."""
        if self.flags.auto_shutdown == NEVER or not child.spec.significant:
            return True
        if self.flags.auto_shutdown != ALL_SIGNIFICANT:
            return False
        return any(
            other.spec.significant and (other.pid is not None or other.restarting) for other in self.children.values()
        )
