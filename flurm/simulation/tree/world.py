"""One run: controllers, nodes and clients on one scheduler, the faults of a plan, and what was seen.

``run(plan)`` gives a ``Report``. The same plan gives the same run, step by step, as long as strings hash alike
(``PYTHONHASHSEED``, which `flurm simulate` sets).
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog

from flurm.config.records import Config, ControllerAddress, NodeConfig, PartitionConfig
from flurm.otp.runtime.sim import Scheduler
from flurm.raft.events import Campaign, TransferLeadership
from flurm.simulation.tree import linear
from flurm.simulation.tree.clients import Client, Op
from flurm.simulation.tree.controller import Controller
from flurm.simulation.tree.invariants import Watch
from flurm.simulation.tree.network import Network
from flurm.simulation.tree.nodes import SimNode
from flurm.simulation.tree.plan import Fault, Plan
from flurm.simulation.tree.programs import PROGRAMS
from flurm.simulation.tree.recording import Recorder

NODES = 4
CPUS = 4
CLIENTS = 4
RECOVERY_S = 240.0
"""How long everything may take to come right when the faults are over."""
SLOW_BEFORE_S = 3.0
"""How long disks are slow at most before a blackout."""
SNAPSHOT_EVERY = 150
HEARTBEAT_MS = 200
ELECTION_MS = (500, 1000)


class Report(msgspec.Struct):
    """What came of a run."""

    plan: Plan
    violations: list[str]
    history: list[Op] = []
    entries: int = 0
    terms: int = 0
    jobs: int = 0
    acknowledged: int = 0
    unanswered: int = 0
    steps: int = 0
    took_s: float = 0.0
    trail: list[str] = []

    @property
    def failed(self) -> bool:
        """Whether something that must hold did not."""
        return bool(self.violations)


def run(plan: Plan, recorder: Recorder | None = None) -> Report:
    """Run a plan from beginning to end; where asked for, the jobs' story is written down."""
    began_s = time.process_time()
    base = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="flurm-sim-", dir=base if base.is_dir() else None))
    world = World(plan, directory, recorder)
    chance = random.getstate()
    random.seed(plan.seed)  # of those who ask the module rather than the scheduler
    try:
        with _quiet(world):
            world.run()
    finally:
        world.close()
        random.setstate(chance)
        shutil.rmtree(directory, ignore_errors=True)
    watch = world.watch
    return Report(
        plan=plan,
        violations=watch.violations,
        history=world.history,
        entries=watch.highest,
        terms=max(watch.leaders, default=0),
        jobs=len(watch.starts),
        acknowledged=len(watch.acknowledged),
        unanswered=sum(op.code is None for op in world.history),
        steps=world.scheduler.total_steps,
        took_s=time.process_time() - began_s,
        trail=world.trail,
    )


@contextmanager
def _quiet(world: World) -> Iterator[None]:
    """What is logged goes to the watch instead of to a terminal."""
    before = structlog.get_config()

    def note(_logger: Any, method: str, event: Any) -> Any:
        if event.pop("exc_info", None):
            event["traceback"] = traceback.format_exc()
        if method in ("error", "exception", "critical"):
            world.watch.logged(str(event.get("event")), event)
        if method != "debug":
            world.note(f"{method}: {event}")
        raise structlog.DropEvent

    structlog.configure(processors=[note], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


class World:
    """Everything there is."""

    def __init__(self, plan: Plan, directory: Path, recorder: Recorder | None = None) -> None:
        self.plan = plan
        self.recorder = recorder
        self.scheduler = Scheduler(plan.seed)
        self.network = Network(self.scheduler)
        self.history: list[Op] = []
        self.known_jobs: list[tuple[int, str]] = []
        self.trail: list[str] = []
        self.pause_s = 2.0
        self.disk_faults = False
        self.flipped: set[str] = set()
        self.watch = Watch(self)
        names = [f"c{number}" for number in range(1, plan.controllers + 1)]
        self.controllers: dict[str, Controller] = {}
        for name in names:
            config = _config(name, names, plan.seed, programs=plan.programs and recorder is None)
            self.controllers[name] = Controller(config, self.network, directory / name, self)
        self.nodes = {f"n{number}": SimNode(f"n{number}", CPUS, self) for number in range(1, NODES + 1)}
        self.clients = [Client(f"u{number}", self) for number in range(1, CLIENTS + 1)]

    def controller(self, name: str) -> Controller:
        """The controller of that name."""
        return self.controllers[name]

    def note(self, what: str) -> None:
        """A line of the run's story."""
        if len(self.trail) < 5000:
            self.trail.append(f"{self.scheduler.now_s:9.3f} {what}")

    def run(self) -> None:
        """The faults' time, then the time to recover, then the last checks."""
        if self.recorder is not None:
            self.recorder.begin(self)
        for controller in self.controllers.values():
            controller.clock.rate = 1 + self.scheduler.random.uniform(-1e-3, 1e-3)
            controller.start()
        for node in self.nodes.values():
            node.start()
        for fault in self.plan.faults:
            self.scheduler.alarm(fault.at_s, partial(self._begin, fault))
        for client in self.clients:
            self.scheduler.spawn(partial(client.run, self.plan.seconds), owner="clients")
        self.scheduler.spawn(partial(Client("w1", self).look, self.plan.seconds), owner="clients")
        if self._drive(self.plan.seconds, lambda: False):
            return
        self._heal()
        self.scheduler.drive(lambda: self.watch.violations, 15.0)
        self.scheduler.spawn(self._finish, owner="clients")
        deadline_s = self.scheduler.now_s + RECOVERY_S
        while self.scheduler.now_s < deadline_s and not self.watch.violations and not self._is_quiet():
            self.scheduler.drive(lambda: self.watch.violations, 1.0)
        if not self.watch.violations:
            self.watch.check_end()
        if not self.watch.violations:
            final = next(c.terms["cluster"] for c in self.controllers.values() if c.is_up)
            self.watch.violations.extend(linear.check(self.history, final))

    def _drive(self, until_s: float, done: Any) -> bool:
        """Go on until then; true where something was violated."""
        self.scheduler.drive(lambda: self.watch.violations or done(), until_s - self.scheduler.now_s)
        return bool(self.watch.violations)

    def _finish(self) -> None:
        """The users give up what they held, so that every job can end."""
        for job_id, name in list(self.known_jobs):
            self.clients[0]._change("release", job_id, name)

    def _is_quiet(self) -> bool:
        up = [c for c in self.controllers.values() if not c.damaged]
        if any(not c.is_up or "cluster" not in c.terms for c in up):
            return False
        if len({c.terms.get("cluster_index") for c in up}) != 1 or not any(c.terms.get("in_charge") for c in up):
            return False
        if any(
            op.code is None and op.returned_s is None and op.invoked_s > self.scheduler.now_s - 15
            for op in self.history
        ):
            return False
        cluster = up[0].terms["cluster"]
        waits = [cluster.jobs[job_id] for job_id in cluster.pending]
        return not cluster.active and all(job.priority == 0 for job in waits)

    def close(self) -> None:
        """Let go of everything."""
        self.scheduler.end("clients")
        for node in self.nodes.values():
            node.stop_daemon()
        for controller in self.controllers.values():
            controller.lose_power()

    def _begin(self, fault: Fault) -> None:
        self.note(f"FAULT {fault}")
        action = getattr(self, f"_do_{fault.kind}")
        if fault.steps:
            self.scheduler.after_steps(fault.steps, lambda: action(fault))
        else:
            action(fault)

    def _later(self, fault: Fault, action: Any) -> None:
        due_s = min(fault.at_s + fault.for_s, self.plan.seconds - 5)
        self.scheduler.alarm(max(due_s, self.scheduler.now_s), action)

    def _do_power(self, fault: Fault) -> None:
        controller = self.controllers[fault.target]
        controller.lose_power()
        self._later(fault, controller.start)

    def _do_kill(self, fault: Fault) -> None:
        controller = self.controllers[fault.target]
        controller.lose_power(softly=True)
        self.scheduler.alarm(self.scheduler.now_s + 0.5, controller.start)

    def _do_blackout(self, fault: Fault) -> None:
        """What all machines hang on gives way: disks get slow, then all lose power at one moment.

        In half of these only the leader's disk keeps its pace, so that it is ahead of the others, and its machine is
        the last to come back.
        """
        leader = self._in_charge(fault.target) if fault.amount < 0.5 else ""
        for name, controller in self.controllers.items():
            controller.disk.slow_s = 0.0 if name == leader else 0.2 + fault.amount

        def go_dark() -> None:
            names = list(self.controllers)
            self.scheduler.random.shuffle(names)
            names.sort(key=leader.__eq__)
            back_s = self.scheduler.now_s
            for name in names:
                self.controllers[name].disk.slow_s = 0.0
                self.controllers[name].lose_power()
                back_s += self.scheduler.random.uniform(0.1, 1.0 if name != leader else 10.0)
                self.scheduler.alarm(back_s, self.controllers[name].start)

        self._later(msgspec.structs.replace(fault, for_s=min(fault.for_s, SLOW_BEFORE_S)), go_dark)

    def _do_laggard(self, fault: Fault) -> None:
        """A follower does not hear the leader for a while, hears everybody again, and the leader loses power."""
        leader = self._in_charge(fault.target)
        link = (leader, fault.other if fault.other != leader else fault.target)

        def lose_leader() -> None:
            self.network.cut.discard(link)
            self.controllers[leader].lose_power()
            self.scheduler.alarm(self.scheduler.now_s + 1.0 + 20.0 * fault.amount, self.controllers[leader].start)

        self.network.cut.add(link)
        self._later(fault, lose_leader)

    def _in_charge(self, otherwise: str) -> str:
        """The controller that is in charge at the moment."""
        return next((name for name, each in self.controllers.items() if each.terms.get("in_charge")), otherwise)

    def _do_process(self, fault: Fault) -> None:
        controller = self.controllers[fault.target]
        if controller.system is not None and controller.has_started:
            self.watch.killed_s[controller.name] = self.scheduler.now_s
            controller.system.kill(fault.other)

    def _do_isolate(self, fault: Fault) -> None:
        self._cut(fault, [(fault.target, name) for name in self._everybody() if name != fault.target], both=True)

    def _do_cut(self, fault: Fault) -> None:
        self._cut(fault, [(fault.target, fault.other)], both=fault.amount < 0.3)

    def _do_split(self, fault: Fault) -> None:
        """The controllers fall into two halves; nodes and clients reach both."""
        names = list(self.controllers)
        half = {name for position, name in enumerate(names) if (position + int(fault.amount * 10)) % 2}
        self._cut(fault, [(a, b) for a in half for b in names if b not in half], both=True)

    def _do_node_cut(self, fault: Fault) -> None:
        self._cut(fault, [(fault.target, name) for name in self.controllers], both=True)

    def _cut(self, fault: Fault, pairs: list[tuple[str, str]], both: bool) -> None:
        cut = set(pairs) | ({(b, a) for a, b in pairs} if both else set())
        self.network.cut |= cut
        self._later(fault, lambda: self.network.cut.difference_update(cut))

    def _everybody(self) -> list[str]:
        return [*self.controllers, *self.nodes, *(client.name for client in self.clients)]

    def _do_lossy(self, fault: Fault) -> None:
        self.network.loss, self.network.doubling = 0.3 * fault.amount, 0.2 * fault.amount

        def stop() -> None:
            self.network.loss = self.network.doubling = 0.0

        self._later(fault, stop)

    def _do_late(self, fault: Fault) -> None:
        self.network.lateness, self.network.late_s = fault.amount, 1.0

        def stop() -> None:
            self.network.lateness = 0.0

        self._later(fault, stop)

    def _do_slow_disk(self, fault: Fault) -> None:
        disk = self.controllers[fault.target].disk
        disk.slow_s = fault.amount * 0.5

        def stop() -> None:
            disk.slow_s = 0.0

        self._later(fault, stop)

    def _do_full_disk(self, fault: Fault) -> None:
        self.disk_faults = True
        disk = self.controllers[fault.target].disk
        disk.full = True

        def stop() -> None:
            disk.full = False

        self._later(fault, stop)

    def _do_failing_sync(self, fault: Fault) -> None:
        self.disk_faults = True
        self.controllers[fault.target].disk.failing_syncs += 1

    def _do_clock_jump(self, fault: Fault) -> None:
        self.controllers[fault.target].clock.ahead_s += (fault.amount - 0.5) * 20

    def _do_transfer(self, fault: Fault) -> None:
        for controller in self.controllers.values():
            system = controller.system
            if system is not None and controller.terms.get("in_charge") and controller.name != fault.target:
                system.beside(partial(_ask, system, TransferLeadership(fault.target)))

    def _do_campaign(self, fault: Fault) -> None:
        self._stand(fault.target)

    def _do_rivals(self, fault: Fault) -> None:
        """Two that do not lead want to at the same moment."""
        leader = self._in_charge(fault.target)
        for name in [name for name in self.controllers if name != leader][:2]:
            self._stand(name)

    def _stand(self, name: str) -> None:
        system = self.controllers[name].system
        if system is not None:
            system.cast("flurm_consensus", Campaign())

    def _do_node_power(self, fault: Fault) -> None:
        node = self.nodes[fault.target]
        node.lose_power()
        self._later(fault, node.start)

    def _do_node_daemon(self, fault: Fault) -> None:
        node = self.nodes[fault.target]
        node.stop_daemon()
        self._later(fault, node.start)

    def _do_flip(self, fault: Fault) -> None:
        """A bit of a snapshot turns over while its machine is down; the one before it has to do."""
        controller = self.controllers[fault.target]
        if self.flipped - {fault.target}:
            return  # of several members one may be damaged
        controller.lose_power()
        self.flipped.add(fault.target)
        files = sorted((controller.directory / "snapshots").glob("*.snap"))
        if files:
            data = bytearray(files[-1].read_bytes())
            data[int(fault.amount * (len(data) - 1))] ^= 1 << (fault.steps % 8)
            files[-1].write_bytes(data)
        self._later(fault, controller.start)

    def _heal(self) -> None:
        self.note("the faults are over")
        self.network.cut.clear()
        self.network.loss = self.network.doubling = self.network.lateness = 0.0
        for controller in self.controllers.values():
            disk = controller.disk
            disk.slow_s, disk.full, disk.failing_syncs = 0.0, False, 0
            controller.start()
        for node in self.nodes.values():
            node.start()


def _ask(system: Any, request: Any) -> None:
    from flurm.otp import OtpError

    try:
        system.call("flurm_consensus", request, 10.0)
    except OtpError:
        pass


def _config(name: str, names: list[str], seed: int, *, programs: bool = False) -> Config:
    """The configuration of one controller: what differs from the defaults is so that much happens in little time.

    Every other seed has leases. What `programs` around jobs do is no part of the specs that recorded runs are held
    against.
    """
    host = f"10.0.0.{names.index(name) + 1}"
    nodes = tuple(f"n{number}" for number in range(1, NODES + 1))
    return Config(
        cluster_name="simulated",
        controller_name=name,
        slurmctld_host=host,
        controllers=tuple(
            ControllerAddress(f"10.0.0.{number}", 6817, other) for number, other in enumerate(names, start=1)
        ),
        raft_election_timeout=ELECTION_MS,
        raft_heartbeat_interval=HEARTBEAT_MS,
        raft_clock_drift_bound=0.01 if seed % 2 else None,
        raft_snapshot_interval=SNAPSHOT_EVERY,
        heartbeat_interval=10_000,
        scheduler_plugin="flurm_sched_fifo",
        min_job_age=1_000_000,
        def_mem_per_cpu=10,
        priority_type="priority/basic",
        nodes=tuple(
            NodeConfig(name=each, cpus=CPUS, cores_per_socket=CPUS, real_memory_mib=4000, address=each)
            for each in nodes
        ),
        partitions=(PartitionConfig(name="debug", nodes=nodes, all_nodes=True, default=True),),
        slurm=dict(PROGRAMS) if programs else {},
    )
