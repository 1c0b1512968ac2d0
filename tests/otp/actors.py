"""Small processes for the runtime's tests, and deadlines instead of sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flurm.otp import Child, GenServer, Ignore, NoReply, Ok, Reply, RuntimeEvent, Stop, StopInit, Supervisor, System

DEADLINE_S = 10.0


class Counter(GenServer):
    """Counts casts; obeys a few calls."""

    def init(self, args: dict[str, Any]) -> Any:
        if args.get("trap"):
            self.trap_exit(True)
        match args.get("init"):
            case "ignore":
                return Ignore()
            case "stop":
                return StopInit("not today")
            case "raise":
                raise ValueError("bad init")
            case "nonsense":
                return 42
        return Ok([])

    def handle_call(self, request: Any, sender: Any, state: list[Any]) -> Any:
        match request:
            case "boom":
                raise ValueError("boom")
            case "exit":
                raise SystemExit(3)
            case "stop":
                return Stop("normal", state, reply="bye")
            case "later":
                return NoReply([*state, sender])
            case "never":
                return NoReply(state)
            case "nonsense":
                return 42
            case ("run", function):
                return Reply(function(self), state)
            case ("block", entered, gate):
                entered.set()
                gate.wait(DEADLINE_S)
                return Reply("done", state)
            case "seen":
                return Reply(list(state), state)
        return Reply(request, state)

    def handle_cast(self, message: Any, state: list[Any]) -> Any:
        if isinstance(message, tuple) and message[0] == "run":
            message[1](self)
        return NoReply([*state, message])

    def handle_info(self, message: Any, state: list[Any]) -> Any:
        tell = self.system.env.get("info")
        if tell is not None:
            tell(message)
        return NoReply([*state, message])

    def terminate(self, reason: Any, state: list[Any]) -> None:
        tell = self.system.env.get("terminated")
        if tell is not None:
            tell((self.name, reason))


class Stubborn(GenServer):
    """Does not end before its gate opens."""

    def init(self, args: dict[str, Any]) -> Ok:
        return Ok(args["gate"])

    def terminate(self, reason: Any, state: threading.Event) -> None:
        state.wait(DEADLINE_S)


@contextmanager
def running(*children: Child, **flags: Any) -> Iterator[System]:
    """A system with one root supervisor, named root, over `children`."""
    system = System()
    system.start(Supervisor(children=children, **flags), name="root")
    try:
        yield system
    finally:
        system.stop(timeout_s=DEADLINE_S)


class Watch:
    """Collects what it is told; `wait_for` waits until something matches."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, thing: Any) -> None:
        with self._changed:
            self.seen.append(thing)
            self._changed.notify_all()

    def wait_for(self, matches: Callable[[Any], bool], times: int = 1) -> Any:
        def found() -> list[Any]:
            return [thing for thing in self.seen if matches(thing)]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= times, DEADLINE_S), self.seen
            return found()[times - 1]


def observed(system: System) -> Watch:
    """A watch on the system's events."""
    watch = Watch()
    system.observers.append(watch)
    return watch


def event(kind: str, name: str) -> Callable[[RuntimeEvent], bool]:
    return lambda event: event.kind == kind and event.name == name


def eventually(condition: Callable[[], Any]) -> Any:
    """Poll for what announces itself nowhere."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline_s, "did not come true in time"
        time.sleep(0.001)
    return value
