"""A system for a test, on threads or simulated, with the same few ways to wait; and the processes that tests drive."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flurm.otp import Child, GenServer, Ignore, NoReply, Ok, Pid, Reply, Stop, StopInit, Supervisor, System
from flurm.otp.runtime.sim import Simulation

DEADLINE_S = 10.0
NEVER_S = 3600.0


class World:
    """What a test sees. `sup` is the supervisor under test, named sup_test as in OTP's suite."""

    system: Any
    logs: list[Any]

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for something to come true; returns its value."""
        raise NotImplementedError

    def close(self) -> None:
        self.system.stop(timeout_s=DEADLINE_S)

    def sup(self, *children: Child, **flags: Any) -> Pid:
        """Start a supervisor under test; generous with restarts unless told otherwise."""
        return self.start(Supervisor(children=children, **{"intensity": 1000, "period_s": 3600, **flags}))

    def start(self, spec: Any, name: str = "sup_test") -> Pid:
        return self.system.start(spec, name)

    def end(self, pid: Pid, reason: Any) -> None:
        """Have a worker exit with `reason` (`kill` kills it), and wait until it has."""
        process = self.system.find(pid)
        if reason == "kill":
            self.system.kill(pid)
        else:
            self.system.cast(pid, ("stop", reason))
        assert self.system.await_exit(process, DEADLINE_S), f"{pid} lives"

    def children(self, supervisor: Any = "sup_test") -> dict[str, Any]:
        """id -> pid, None or "restarting"; asked of the supervisor, so after every exit that it has been told of."""
        return {id: pid for id, pid, _kind in self.system.which_children(supervisor)}

    def ended(self, pid: Pid) -> Any:
        """The reason of a process that has exited, or will soon."""
        return self.until(lambda: self.reasons.get(pid))

    def probe(self, name: str | None = None) -> Probe:
        """A process that traps exits and writes down what it is sent."""
        seen: list[Any] = []
        pid = self.system.spawn(Prober, {"seen": seen}, name)
        return Probe(self.system, pid, seen)

    def reports(self, kind: str) -> list[dict[str, Any]]:
        """The reports of a kind that were logged: crash, terminate, supervisor, progress."""
        return [entry for entry in list(self.logs) if entry.get("report") == kind]

    def watch(self) -> None:
        self.reasons: dict[Pid, Any] = {}
        self.events: list[Any] = []
        self.system.observers.append(self._observe)

    def _observe(self, event: Any) -> None:
        self.events.append(event)
        if event.kind == "exited":
            self.reasons[event.pid] = event.reason


class ThreadWorld(World):
    def __init__(self) -> None:
        self.system = System()
        self.watch()

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline_s = time.monotonic() + DEADLINE_S
        while not (value := condition()):
            assert time.monotonic() < deadline_s, "did not come true in time"
            time.sleep(0.001)
        return value


class SimWorld(World):
    def __init__(self, seed: int) -> None:
        self.system = Simulation(seed=seed)
        self.watch()

    def until(self, condition: Callable[[], Any]) -> Any:
        return self.system.until(condition, NEVER_S)


class Prober(GenServer):
    """Traps exits; runs functions in itself; keeps what comes as info."""

    def init(self, args: dict[str, Any]) -> Ok:
        self.trap_exit(True)
        return Ok(args["seen"])

    def handle_call(self, request: Any, sender: Any, state: list[Any]) -> Reply | Stop:
        return Reply(request(self), state)

    def handle_cast(self, message: Any, state: list[Any]) -> NoReply | Stop:
        if isinstance(message, tuple) and message[0] == "stop":
            return Stop(message[1], state)
        message(self)
        return NoReply(state)

    def handle_info(self, message: Any, state: list[Any]) -> NoReply:
        state.append(message)
        return NoReply(state)


class Probe:
    """A handle on a Prober."""

    def __init__(self, system: Any, pid: Pid, seen: list[Any]) -> None:
        self.system, self.pid, self.seen = system, pid, seen

    def run(self, function: Callable[[GenServer], Any]) -> Any:
        """Run `function(process)` in the process, and return what it returns."""
        return self.system.call(self.pid, function, timeout_s=DEADLINE_S)

    def begin(self, function: Callable[[GenServer], Any]) -> None:
        """The same, without waiting."""
        self.system.cast(self.pid, function)

    def got(self, kind: type) -> Any:
        """The first message of this type, or None."""
        return next((message for message in self.seen if isinstance(message, kind)), None)


class Worker(GenServer):
    """A child. `init` does what its arguments say, or what `env["init"]` says of its name; stops when told to."""

    def init(self, args: dict[str, Any]) -> Any:
        if args.get("trap"):
            self.trap_exit(True)
        self.system.env.setdefault("started", []).append(self.name or args.get("tag"))
        match self.system.env.get("init", {}).get(self.name, args.get("init")):
            case "ignore":
                return Ignore()
            case "error":
                return StopInit("reason", silent=True)
            case "raise":
                raise ValueError("init failed")
            case "nonsense":
                return "error_reason"
            case "ignore_again" if self.system.env["started"].count(self.name or args.get("tag")) > 1:
                return Ignore()
        return Ok(args)

    def handle_call(self, request: Any, sender: Any, state: Any) -> Any:
        match request:
            case "args":
                return Reply(state, state)
            case ("run", function):
                return Reply(function(self), state)
            case ("stop", reason):
                return Stop(reason, state, reply="ok")
        return Reply(request, state)

    def handle_cast(self, message: Any, state: Any) -> Any:
        return Stop(message[1], state)

    def terminate(self, reason: Any, state: Any) -> None:
        self.system.env.setdefault("terminated", []).append(self.name or state.get("tag"))
        if state.get("slow"):  # does not end by itself
            self.call("never_answers", "wait", timeout_s=NEVER_S)
        if state.get("last_words"):
            raise OSError(state["last_words"])


class NeverAnswers(GenServer):
    """Somebody to wait for in vain."""

    def handle_call(self, request: Any, sender: Any, state: Any) -> NoReply:
        return NoReply(state)


WORKER = "tests.otp.conformance.worlds:Worker"


def worker(id: str, restart: str = "permanent", **more: Any) -> Child:
    """A child that is a Worker."""
    return Child(id, WORKER, restart=restart, **more)
