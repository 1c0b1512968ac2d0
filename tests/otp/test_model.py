"""Random trees, random failures, random requests and upgrades on the simulator, compared with a small model.

FLURM_MODEL_RUNS says how many runs (10,000 in a few minutes); a failure prints the seed of the simulation among the
steps that lead to it, and how to replay them.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from flurm.otp import Child, GenServer, Ignore, NoProcess, Ok, Refused, Reply, Stop, StopInit, Supervisor, debug
from flurm.otp.runtime.sim import Simulation
from tests.otp.model import PERIOD_S, Model, Spec

RUNS = int(os.environ.get("FLURM_MODEL_RUNS", "1000" if os.environ.get("FLURM_THOROUGH") else "40"))
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
RESTARTS = ("permanent", "transient", "temporary")


class Worker(GenServer):
    """Fails and ignores as the model says."""

    def init(self, args: dict[str, Any]) -> Any:
        env, name = self.system.env, self.name
        env["inits"].append(name)
        if env["fails"].get(name, 0) > 0:
            env["fails"][name] -= 1
            return StopInit("failed", silent=True)
        return Ignore() if name in env["ignores"] else Ok(None)

    def handle_call(self, request: Any, sender: Any, state: Any) -> Any:
        return Reply(request, state)

    def handle_cast(self, message: Any, state: Any) -> Any:
        return Stop(message, state)

    def terminate(self, reason: Any, state: Any) -> None:
        self.system.env["ends"].append(self.name)


class Code:
    """The code of a supervisor, which upgrades replace."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def __call__(self) -> Supervisor:
        spec = self.spec
        children = (
            [Child("member", Worker, restart=spec.restart)] if spec.simple else map(child_of, spec.children or ())
        )
        return Supervisor(spec.strategy, spec.intensity, PERIOD_S, tuple(children), spec.auto_shutdown)


CODES: dict[str, Code] = {}


def child_of(spec: Spec) -> Child:
    start: Any = Worker
    if spec.children is not None:
        start = CODES.setdefault(spec.name, Code(spec))
    return Child(spec.name, start, restart=spec.restart, significant=spec.significant)


def tree(seed: int) -> Spec:
    """A supervisor over workers, pools and supervisors, three levels at most."""
    dice, numbers = random.Random(seed), itertools.count(1)

    def supervisor(depth: int, restart: str, significant: bool) -> Spec:
        intensity = dice.choice((0, 1, 2, 4, 8)) if depth else 30
        auto_shutdown = dice.choice(("never", "any_significant", "all_significant")) if depth else "never"
        spec = Spec(f"s{next(numbers)}", restart, significant, dice.choice(STRATEGIES), intensity, auto_shutdown, [])
        for _ in range(dice.randint(2, 5)):
            spec.children.append(child(depth + 1, auto_shutdown != "never"))
        return spec

    def child(depth: int, may_be_significant: bool) -> Spec:
        restart = dice.choice(("permanent", *RESTARTS))
        significant = may_be_significant and restart != "permanent" and dice.random() < 0.7
        kind = dice.choice(("worker", "worker", "supervisor", "pool")) if depth < 3 else "worker"
        if kind == "supervisor":
            return supervisor(depth, restart, significant)
        if kind == "pool":
            intensity = dice.choice((0, 1, 2, 8))
            return Spec(f"p{next(numbers)}", restart, significant, "simple_one_for_one", intensity, children=[])
        return Spec(f"w{next(numbers)}", restart, significant)

    return supervisor(0, "permanent", False)


class TreeAgainstModel(RuleBasedStateMachine):
    """One thing happens at a time; when all is quiet again, tree and model are the same."""

    @initialize(shape=st.integers(0, 2**32 - 1), seed=st.integers(0, 2**32 - 1))
    def begin(self, shape: int, seed: int) -> None:
        CODES.clear()
        root = tree(shape)
        note(f"tree {shape}, simulation seed {seed}")
        self.model = Model(root)
        self.system = Simulation(seed=seed)
        self.system.env.update(inits=[], ends=[], fails=dict(self.model.fails), ignores=self.model.ignores)
        self.names = itertools.count(1)
        self.system.start(child_of(root).start, root.name)
        self.compare()

    def compare(self) -> None:
        self.system.settle()
        model, system = self.model, self.system
        shape = model.shape()
        running = {name: [(child, pid is not None) for child, pid, _ in system.which_children(name)] for name in shape}
        assert running == shape
        alive = {node.spec.name for node in model.walk(model.root) if node.up}
        assert {process.name for process in system.processes()} == alive
        assert system.env["inits"] == model.inits
        assert system.env["fails"] == model.fails
        ends, system.env["ends"] = system.env["ends"], []
        expected, model.ends = model.ends, []
        in_order, model.in_order = model.in_order, True
        assert ends == expected if in_order else sorted(ends) == sorted(expected)

    def some(self, data: Any, *, supervisors: bool = False) -> str | None:
        """The name of a running process, or of a running supervisor."""
        up = [node.spec for node in self.model.walk(self.model.root) if node.up]
        names = [spec.name for spec in up if spec.children is not None or not supervisors]
        return data.draw(st.sampled_from(names)) if names else None

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), reason=st.sampled_from(("normal", "shutdown", "abnormal", "killed")))
    def a_process_ends(self, data: Any, reason: str) -> None:
        name = self.some(data)
        pid = self.system.whereis(name)
        if reason == "killed":
            self.system.kill(name)
        elif name in self.model.shape():
            debug.terminate(self.system, name, reason)
        else:
            self.system.cast(pid, reason)
        self.system.settle()
        self.model.exit(name, reason)
        self.compare()

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), times=st.integers(1, 9), seconds=st.sampled_from((0.0, 0.6, 1.5, 3.0)))
    def a_process_crashes_again_and_again(self, data: Any, times: int, seconds: float) -> None:
        name = self.some(data)
        for _ in range(times):
            if self.model.find(name) is None:
                return
            self.system.crash(name)
            self.system.settle()
            self.model.exit(name, "abnormal")
            self.compare()
            self.time_passes(seconds)

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), times=st.integers(1, 6))
    def inits_will_fail(self, data: Any, times: int) -> None:
        name = self.some(data)
        if name not in self.model.shape():
            self.model.fails[name] = self.system.env["fails"][name] = times

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data())
    def init_will_ignore(self, data: Any) -> None:
        name = self.some(data)
        if name not in self.model.shape():
            self.model.ignores ^= {name}

    @rule(seconds=st.sampled_from((1.0, 6.0)))
    def time_passes(self, seconds: float) -> None:
        self.system.sleep(seconds)
        self.model.now_s += seconds
        self.compare()

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), restart=st.sampled_from(RESTARTS), fails=st.booleans(), significant=st.booleans())
    def a_child_is_added(self, data: Any, restart: str, fails: bool, significant: bool) -> None:
        sup = self.some(data, supervisors=True)
        name = f"n{next(self.names)}"
        above = self.model.find(sup)
        assert above is not None
        if above.spec.simple:
            restart, significant = above.spec.restart, False
        spec = Spec(name, restart, significant and restart != "permanent")
        if fails:
            self.model.fails[name] = self.system.env["fails"][name] = 1
        child = ({}, name) if above.spec.simple else (child_of(spec),)
        assert self.verdict("start_child", sup, *child) == self.model.start_child(sup, spec)
        self.compare()

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), what=st.sampled_from(("terminate_child", "restart_child", "delete_child")))
    def a_child_is_administered(self, data: Any, what: str) -> None:
        sup = self.some(data, supervisors=True)
        above = self.model.find(sup)
        assert above is not None
        names = [node.spec.name for node in above.nodes]
        name = data.draw(st.sampled_from([*names, "nobody"]))
        if above.spec.simple:
            if name == "nobody" or what != "terminate_child":
                assert self.verdict(what, sup, name) == "simple_one_for_one"
                return
            verdict = self.verdict(what, sup, self.system.whereis(name))
        else:
            verdict = self.verdict(what, sup, name)
        assert verdict == getattr(self.model, what)(sup, name)
        self.compare()

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), strategy=st.sampled_from(STRATEGIES), intensity=st.integers(0, 4))
    def a_supervisor_is_upgraded(self, data: Any, strategy: str, intensity: int) -> None:
        sup = self.some(data, supervisors=True)
        old = CODES[sup].spec
        if old.simple:
            return
        children = data.draw(st.permutations(old.children))
        if data.draw(st.booleans()):
            children = [*children, Spec(f"u{next(self.names)}")]
        new = Spec(sup, old.restart, old.significant, strategy, intensity, old.auto_shutdown, list(children))
        CODES[sup].spec = new
        self.refresh(new)
        debug.suspend(self.system, sup)
        debug.change_code(self.system, sup)
        debug.resume(self.system, sup)
        self.model.upgrade(sup, new)
        self.compare()

    def refresh(self, new: Spec) -> None:
        """The new code of a supervisor is what its parents start from now on."""
        for node in self.model.walk(self.model.root):
            for position, child in enumerate(node.spec.children or []):
                if child.name == new.name:
                    node.spec.children[position] = new

    def verdict(self, what: str, *args: Any) -> str:
        try:
            getattr(self.system, what)(*args)
        except Refused as refused:
            reason = refused.reason[0] if isinstance(refused.reason, tuple) else refused.reason
            return "failed" if reason == "shutdown" else str(reason)  # a supervisor that could not start its children
        except NoProcess:
            return "noproc"
        return "ok"

    def teardown(self) -> None:
        if hasattr(self, "system"):
            self.system.stop()
            assert self.system.processes() == []


@pytest.fixture(autouse=True)
def quiet():
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


TestTreeAgainstModel = TreeAgainstModel.TestCase
TestTreeAgainstModel.settings = settings(
    max_examples=RUNS,
    stateful_step_count=20,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
TestTreeAgainstModel.pytestmark = [pytest.mark.timeout(max(120, RUNS))]
