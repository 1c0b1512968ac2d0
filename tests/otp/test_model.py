"""Random trees, random failures, random requests and upgrades on the simulator, compared with a small model.

FLURM_MODEL_RUNS says how many runs (10,000 take some twenty minutes); a failure prints the seed of the simulation among
the steps that lead to it, and how to replay them.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from flurm.otp import Child, NoProcess, Refused, debug
from flurm.otp.runtime.sim import Simulation
from flurm.otp.upgrade import UpgradeFailed
from tests.otp.grown import PACKAGE, Grown, stage, start_of
from tests.otp.model import SIMPLE, Code, Flags, Model, Spec

RUNS = int(os.environ.get("FLURM_MODEL_RUNS", "1000" if os.environ.get("FLURM_THOROUGH") else "40"))
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
RESTARTS = ("permanent", "transient", "temporary")
MODULES = 3
DEADLINE_S = 5.0


def child_of(spec: Spec) -> Child:
    return Child(spec.name, start_of(spec), restart=spec.restart, significant=spec.significant)


def tree(seed: int) -> Code:
    """Supervisors over workers, pools and supervisors, three levels at most; s1 is above them all."""
    dice, numbers = random.Random(seed), itertools.count(1)
    flags: dict[str, Flags] = {}

    def supervisor(depth: int, restart: str, significant: bool) -> Spec:
        name = f"s{next(numbers)}"
        intensity = dice.choice((0, 1, 2, 4, 8)) if depth else 30
        auto_shutdown = dice.choice(("never", "any_significant", "all_significant")) if depth else "never"
        children = [child(depth + 1, auto_shutdown != "never") for _ in range(dice.randint(2, 5))]
        flags[name] = Flags(dice.choice(STRATEGIES), intensity, auto_shutdown, tuple(children))
        return Spec(name, restart, significant)

    def child(depth: int, may_be_significant: bool) -> Spec:
        restart = dice.choice(("permanent", *RESTARTS))
        significant = may_be_significant and restart != "permanent" and dice.random() < 0.7
        kind = dice.choice(("worker", "worker", "supervisor", "pool")) if depth < 3 else "worker"
        if kind == "supervisor":
            return supervisor(depth, restart, significant)
        if kind == "pool":
            name = f"p{next(numbers)}"
            flags[name] = Flags(SIMPLE, dice.choice((0, 1, 2, 8)), "never", (worker("member", restart),))
            return Spec(name, restart, significant)
        return worker(f"w{next(numbers)}", restart, significant)

    def worker(name: str, restart: str, significant: bool = False) -> Spec:
        return Spec(name, restart, significant, dice.randrange(MODULES))

    supervisor(0, "permanent", False)
    return Code((1,) * MODULES, flags)


def changed(flags: Flags, dice: random.Random, new_name: str) -> Flags:
    """Another specification for a supervisor: strategy, intensity and children change, appear and disappear."""
    intensity = dice.randint(0, 4)

    def other(spec: Spec) -> Spec:
        code = dice.randrange(MODULES) if spec.code is not None else None
        restart = dice.choice(RESTARTS)
        return replace(spec, code=code, restart=restart, significant=spec.significant and restart != "permanent")

    if flags.strategy == SIMPLE:
        return replace(flags, intensity=intensity, children=(other(flags.children[0]),))
    children = [other(spec) if dice.random() < 0.3 else spec for spec in flags.children]
    dice.shuffle(children)
    if dice.random() < 0.5:
        children.append(Spec(new_name, code=dice.randrange(MODULES)))
    if children and dice.random() < 0.5:
        children.pop(dice.randrange(len(children)))
    return replace(flags, strategy=dice.choice(STRATEGIES), intensity=intensity, children=tuple(children))


class TreeAgainstModel(RuleBasedStateMachine):
    """One thing happens at a time; when all is quiet again, tree and model are the same."""

    @initialize(shape=st.integers(0, 2**32 - 1), seed=st.integers(0, 2**32 - 1))
    def begin(self, shape: int, seed: int) -> None:
        code = tree(shape)
        note(f"tree {shape}, simulation seed {seed}")
        self.grown = Grown(code)
        self.model = Model("s1", code)
        self.before: Code | None = None
        self.system = Simulation(stage(), seed)
        self.system.env["ignores"] = self.model.ignores
        self.upgrader = self.grown.upgrader(self.system)
        self.names, self.numbers = itertools.count(1), itertools.count(2)
        self.system.start(start_of(Spec("s1")), "s1")
        self.compare()

    def compare(self) -> None:
        self.system.until(lambda: self.system.scheduler.now_s >= self.model.now_s)
        self.system.settle()
        model, system = self.model, self.system
        assert system.scheduler.now_s == model.now_s
        shape = model.shape()
        running = {name: [(child, pid is not None) for child, pid, _ in system.which_children(name)] for name in shape}
        assert running == shape
        alive = {node.spec.name for node in model.walk(model.root) if node.up}
        assert {process.name for process in system.processes()} == alive
        assert not any(process.suspended for process in system.processes())
        self.compare_code()
        assert system.env["inits"] == model.inits
        assert system.env["fails"] == model.fails
        ends, system.env["ends"] = system.env["ends"], []
        expected, model.ends = model.ends, []
        in_order, model.in_order = model.in_order, True
        assert ends == expected if in_order else sorted(ends) == sorted(expected)

    def compare_code(self) -> None:
        """Every worker runs the version that it should, with a state that went through those that it should."""
        for node in self.model.workers():
            process = self.system.find(node.spec.name)
            vsn = self.model.code.versions[node.runs]
            assert process.module.module_name() == f"{PACKAGE}.w{node.runs}:Worker"
            assert process.module.vsn == vsn
            path = process.module.path(process.state)
            assert path == node.path if node.path is not None else path[-1] == vsn, node.spec.name

    def some(self, data: Any, *, supervisors: bool = False) -> str | None:
        """The name of a running process, or of a running supervisor."""
        up = [node for node in self.model.walk(self.model.root) if node.up]
        names = [node.spec.name for node in up if node.flags is not None or not supervisors]
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
        code = data.draw(st.integers(0, MODULES - 1))
        if above.simple:
            template = above.flags.children[0]
            restart, significant, code = template.restart, False, template.code
        spec = Spec(name, restart, significant and restart != "permanent", code)
        if fails:
            self.model.fails[name] = self.system.env["fails"][name] = 1
        child = ({}, name) if above.simple else (child_of(spec),)
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
        if above.simple:
            if name == "nobody" or what != "terminate_child":
                assert self.verdict(what, sup, name) == "simple_one_for_one"
                return
            verdict = self.verdict(what, sup, self.system.whereis(name))
        else:
            verdict = self.verdict(what, sup, name)
        assert verdict == getattr(self.model, what)(sup, name)
        self.compare()

    def newer(self, data: Any, trees: bool = True) -> Code:
        """A next generation: other versions of some workers, and other specifications of some supervisors."""
        code, dice = self.model.code, random.Random(data.draw(st.integers(0, 2**32 - 1)))
        fresh = dice.sample(range(MODULES), dice.randint(0 if trees else 1, MODULES))
        versions = tuple(next(self.numbers) if each in fresh else vsn for each, vsn in enumerate(code.versions))
        names = dice.sample(sorted(code.flags), min(len(code.flags), dice.randint(0, 3))) if trees else []
        flags = {name: changed(code.flags[name], dice, f"u{next(self.names)}") for name in names}
        return Code(versions, {**code.flags, **flags})

    def change(self, data: Any) -> tuple[Code, Callable[[], Any]]:
        """To another generation: a newer one, or the one before."""
        if self.before is not None and data.draw(st.booleans()):
            return self.before, self.upgrader.rollback
        code = self.newer(data)
        where = self.grown.release(str(next(self.numbers)), code)
        return code, lambda: self.upgrader.upgrade(where)

    def done(self, code: Code) -> None:
        """The model goes to another generation, too."""
        back = code is self.before
        self.before = None if back else self.model.code
        self.model.upgrade(code)

    def turned_over(self, code: Code) -> list[str]:
        """The workers whose code_change another generation calls."""
        changed = code.differs(self.model.code)
        return [node.spec.name for node in self.model.workers() if f"w{node.runs}" in changed]

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data())
    def the_code_changes(self, data: Any) -> None:
        code, go = self.change(data)
        callee = self.some(data)
        pid, answers = self.system.whereis(callee), []
        if callee not in self.model.shape():
            self.system.beside(lambda: answers.append(self.system.call(pid, "path")))
        before = [node.path for node in self.model.workers() if node.spec.name == callee]
        go()
        self.done(code)
        self.compare()
        after = [node.path for node in self.model.workers() if node.spec.name == callee]
        assert None in before or answers in (before, after)

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), kills=st.booleans(), raises=st.booleans())
    def a_process_ends_in_the_midst_of_an_upgrade(self, data: Any, kills: bool, raises: bool) -> None:
        code, go = self.change(data)
        workers = self.turned_over(code)
        if not workers:
            return
        during, victim = data.draw(st.sampled_from(workers)), self.some(data)
        is_supervisor = victim in self.model.shape()

        def interlude() -> None:
            with pytest.raises(UpgradeFailed, match="another upgrade is under way"):
                self.upgrader.rollback()
            self.system.kill(victim) if kills else self.system.crash(victim)
            for _ in range(10):
                self.system.scheduler.overtake()
            if raises:
                raise ValueError("no")

        self.system.env["interludes"][during] = interlude
        if raises and not (kills and victim == during):
            with pytest.raises(UpgradeFailed, match=f"code_change of {during} failed: .*no"):
                go()
            self.model.in_order = False  # a supervisor that was turned over already stops its children in new order
        else:
            go()
            self.done(code)
            self.model.in_order = not is_supervisor  # one that ends before it is turned over keeps to the old order
        self.model.exit(victim, "killed" if kills else "abnormal")
        self.compare()

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), fails=st.integers(0, 3))
    def restarts_are_tried_while_workers_are_upgraded(self, data: Any, fails: int) -> None:
        code = self.newer(data, trees=False)
        where = self.grown.release(str(next(self.numbers)), code)
        victim = self.some(data)
        model, env = self.model, self.system.env
        if victim not in model.shape():
            env["slow"][victim] = model.slow[victim] = 1.0
            env["fails"][victim] = model.fails[victim] = fails
        self.system.crash(victim)
        self.upgrader.upgrade(where)
        model.upgrading = True
        model.exit(victim, "abnormal")
        model.upgrading = False
        self.done(code)
        self.compare()
        env["slow"].clear(), model.slow.clear()

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), blocked=st.booleans())
    def an_upgrade_misses_its_deadline(self, data: Any, blocked: bool) -> None:
        """A worker is busy for too long, or does not come back from its code_change."""
        code, go = self.change(data)
        workers = self.turned_over(code)
        if not workers:
            return
        late = data.draw(st.sampled_from(workers))
        if blocked:
            self.system.env["interludes"][late] = lambda: self.system.sleep(2 * DEADLINE_S)
            told = f"code_change of {late} did not end"
        else:
            self.system.cast(late, 2 * DEADLINE_S)
            self.system.settle()
            told = f"{late} did not stand still"
        with pytest.raises(UpgradeFailed, match=told):
            go()
        if blocked:
            self.model.now_s += DEADLINE_S
            self.model.exit(late, "killed")
        else:
            self.model.now_s += 2 * DEADLINE_S
        self.compare()

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data())
    def code_that_cannot_be_loaded_is_refused(self, data: Any) -> None:
        code = self.newer(data)
        loaded = sorted(f"w{node.runs}" for node in self.model.workers())
        if not loaded:
            return
        where = self.grown.release(str(next(self.numbers)), code, broken=data.draw(st.sampled_from(loaded)))
        with pytest.raises(UpgradeFailed, match="this is no code"):
            self.upgrader.upgrade(where)
        self.compare()

    @precondition(lambda self: self.model.root.up)
    @rule(data=st.data(), strategy=st.sampled_from(STRATEGIES))
    def a_specification_that_cannot_be_followed_is_refused(self, data: Any, strategy: str) -> None:
        code, pools = (
            self.newer(data),
            [node.spec.name for node in self.model.walk(self.model.root) if node.up and node.simple],
        )
        if not pools:
            return
        pool = data.draw(st.sampled_from(pools))
        flags = {**code.flags, pool: replace(code.flags[pool], strategy=strategy)}
        where = self.grown.release(str(next(self.numbers)), Code(code.versions, flags))
        with pytest.raises(UpgradeFailed, match="bad_strategy"):
            self.upgrader.upgrade(where)
        self.compare()

    @precondition(lambda self: self.before is None)
    @rule()
    def what_was_not_upgraded_cannot_be_taken_back(self) -> None:
        with pytest.raises(UpgradeFailed, match="no release before"):
            self.upgrader.rollback()

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
            self.grown.close()


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
