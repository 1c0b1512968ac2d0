"""Child and supervisor specifications: plain declared data, checked when it is made.

A `Child` names its code by string (`"actors.acceptor:AcceptorPool"`), so that every start runs the newest code. By
convention an upper-case attribute (`"supervisors.core_sup:SPEC"`) is a `Supervisor`. A `GenServer` subclass, a
`Supervisor`, or a function from the child's arguments to a `Supervisor`, may stand there directly as well.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import msgspec

from flurm.otp.errors import SpecError

ONE_FOR_ONE: Final = "one_for_one"
ONE_FOR_ALL: Final = "one_for_all"
REST_FOR_ONE: Final = "rest_for_one"
SIMPLE_ONE_FOR_ONE: Final = "simple_one_for_one"
STRATEGIES: Final = (ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE, SIMPLE_ONE_FOR_ONE)

PERMANENT: Final = "permanent"
TRANSIENT: Final = "transient"
TEMPORARY: Final = "temporary"
RESTARTS: Final = (PERMANENT, TRANSIENT, TEMPORARY)

WORKER: Final = "worker"
SUPERVISOR: Final = "supervisor"

BRUTAL: Final = "brutal_kill"
INFINITY: Final = "infinity"

NEVER: Final = "never"
ANY_SIGNIFICANT: Final = "any_significant"
ALL_SIGNIFICANT: Final = "all_significant"


class Child(msgspec.Struct, frozen=True):
    """One child of a supervisor.

    `shutdown_ms` is the time between the order to exit and the kill: milliseconds, BRUTAL or INFINITY; by default
    5,000 for a worker and INFINITY for a supervisor. `type` is inferred from `start` where it is not given.
    """

    id: str
    start: Any
    args: dict[str, Any] = {}
    restart: str = PERMANENT
    shutdown_ms: int | str | None = None
    type: str | None = None
    significant: bool = False

    def __post_init__(self) -> None:
        if self.restart not in RESTARTS:
            raise SpecError(f"child {self.id}: restart is {self.restart!r}, expected one of {', '.join(RESTARTS)}")
        if self.type not in (None, WORKER, SUPERVISOR):
            raise SpecError(f"child {self.id}: type is {self.type!r}, expected {WORKER} or {SUPERVISOR}")
        valid = self.shutdown_ms in (None, BRUTAL, INFINITY)
        if not valid and not (isinstance(self.shutdown_ms, int) and self.shutdown_ms >= 0):
            raise SpecError(f"child {self.id}: shutdown_ms is {self.shutdown_ms!r}, expected ms, BRUTAL or INFINITY")
        if isinstance(self.start, str) and self.start.count(":") != 1:
            raise SpecError(f"child {self.id}: start is {self.start!r}, expected 'module:Name'")
        if self.significant and self.restart == PERMANENT:
            raise SpecError(f"child {self.id}: a permanent child cannot be significant")

    @property
    def kind(self) -> str:
        """WORKER or SUPERVISOR."""
        if self.type is not None:
            return self.type
        if isinstance(self.start, str):
            return SUPERVISOR if self.start.partition(":")[2].isupper() else WORKER
        return WORKER if isinstance(self.start, type) else SUPERVISOR

    @property
    def deadline_ms(self) -> int | str:
        """`shutdown_ms` with its default applied."""
        if self.shutdown_ms is not None:
            return self.shutdown_ms
        return INFINITY if self.kind == SUPERVISOR else 5000


class Supervisor(msgspec.Struct, frozen=True):
    """A supervisor: how it restarts, how often in `period_s` it may (`intensity`), and its children in start order."""

    strategy: str = ONE_FOR_ONE
    intensity: int = 10
    period_s: float = 60
    children: tuple[Child, ...] = ()
    auto_shutdown: str = NEVER

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise SpecError(f"strategy is {self.strategy!r}, expected one of {', '.join(STRATEGIES)}")
        if self.intensity < 0 or self.period_s <= 0:
            raise SpecError(f"intensity {self.intensity} in {self.period_s} s: expected >= 0 in > 0 s")
        if self.auto_shutdown not in (NEVER, ANY_SIGNIFICANT, ALL_SIGNIFICANT):
            raise SpecError(f"auto_shutdown is {self.auto_shutdown!r}")
        strays = [child for child in self.children if not isinstance(child, Child)]
        if strays:
            raise SpecError(f"invalid child spec: {strays[0]!r}")
        ids = [child.id for child in self.children]
        twice = {id for id in ids if ids.count(id) > 1}
        if twice:
            raise SpecError(f"duplicate child: {', '.join(sorted(twice))}")
        if self.strategy == SIMPLE_ONE_FOR_ONE and len(ids) != 1:
            raise SpecError(f"{SIMPLE_ONE_FOR_ONE} takes exactly one child as its template, not {len(ids)}")
        if self.strategy == SIMPLE_ONE_FOR_ONE and self.auto_shutdown != NEVER:
            raise SpecError(f"bad combination: {SIMPLE_ONE_FOR_ONE} and auto_shutdown {self.auto_shutdown}")
        if self.auto_shutdown == NEVER and any(child.significant for child in self.children):
            raise SpecError("a significant child needs auto_shutdown")


def resolve(start: Any) -> Any:
    """The class or specification that `start` names; imports the module where it is a string."""
    if not isinstance(start, str):
        return start
    module, _, attribute = start.partition(":")
    return getattr(importlib.import_module(module), attribute)
