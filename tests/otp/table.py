"""Drives the supervision machine by hand: answers its actions and writes down what it did."""

from __future__ import annotations

from typing import Any

from flurm.otp import Child, Supervisor
from flurm.otp.supervision import (
    Ignored,
    Report,
    RetryLater,
    Start,
    Started,
    StartFailed,
    StopChild,
    StopChildren,
    Supervision,
)


class Bench:
    """A supervisor on the workbench.

    `did` is the transcript: "start a", "stop a", "retry a". `pids` are strings, "a1" for the first incarnation of a.
    A start fails while its id is in `broken`, and is ignored while it is in `ignored`.
    """

    def __init__(self, *ids_or_children: str | Child, **flags: Any) -> None:
        children = tuple(child if isinstance(child, Child) else Child(child, "m:Worker") for child in ids_or_children)
        self.machine = Supervision(Supervisor(children=children, **flags))
        self.did: list[str] = []
        self.reports: list[tuple[str, str, Any]] = []
        self.retries: list[Any] = []
        self.broken: set[str] = set()
        self.ignored: set[str] = set()
        self.stop_reasons: dict[str, Any] = {}
        self.args: list[dict[str, Any]] = []
        self._count: dict[str, int] = {}
        self.now_s = 0.0

    def init(self) -> Any:
        return self._run(self.machine.init())

    def started(self) -> Bench:
        """Start all children and forget how."""
        assert self.init() is None
        self.did.clear()
        return self

    def exits(self, pid: str, reason: Any = "abnormal") -> bool:
        return self._run(self.machine.child_exited(pid, reason, self.now_s))

    def retry(self) -> bool:
        return self._run(self.machine.retry(self.retries.pop(0), self.now_s))

    def do(self, method: str, *args: Any) -> Any:
        return self._run(getattr(self.machine, method)(*args))

    def children(self) -> dict[str, Any]:
        return {id: pid for id, pid, _kind in self.machine.which_children()}

    def _run(self, plan: Any) -> Any:
        result = None
        try:
            while True:
                result = self._perform(plan.send(result))
        except StopIteration as done:
            return done.value

    def _perform(self, action: Any) -> Any:
        match action:
            case Start(spec, args, name):
                return self._start(name or spec.id, args)
            case StopChild(pid, _spec):
                self.did.append(f"stop {pid}")
                return self.stop_reasons.get(pid, "shutdown")
            case StopChildren(pids, _spec):
                self.did.append(f"stop {' '.join(pids)}")
                return [(pid, self.stop_reasons.get(pid, "shutdown")) for pid in pids]
            case RetryLater(key):
                self.did.append(f"retry {key}")
                self.retries.append(key)
            case Report(kind, id, _pid, reason):
                self.reports.append((kind, id, reason))
        return None

    def _start(self, id: str, args: dict[str, Any]) -> Any:
        self.did.append(f"start {id}")
        self.args.append(args)
        if id in self.broken:
            return StartFailed("broken")
        if id in self.ignored:
            return Ignored()
        self._count[id] = self._count.get(id, 0) + 1
        return Started(f"{id}{self._count[id]}")
