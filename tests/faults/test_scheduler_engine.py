"""The scheduler engine when what it decided does not come to pass."""

from __future__ import annotations

import queue
from types import SimpleNamespace

import pytest

from actors import messages as m
from actors.scheduler_engine import SchedulerEngine
from flurm.bridge.show_stats import Counters
from flurm.core.commands import Outlook
from flurm.core.effects import Done
from flurm.core.enums import Reason
from flurm.core.records import Cluster
from flurm.otp import SIMPLE_ONE_FOR_ONE, Child, GenServer, NoReply, Ok, Reply, Supervisor, System
from flurm.raft.effects import RejectReason
from flurm.sched.plan import Plan

FULL = m.Unavailable(RejectReason.STORAGE_FULL, "no room")


class Queue(GenServer):
    def init(self, args):
        return Ok(None)

    def handle_call(self, request, sender, state):
        return Reply((1,), state)


class Plugin(GenServer):
    def init(self, args):
        return Ok(None)

    def handle_call(self, request, sender, state):
        return Reply(Plan(outlooks=(Outlook(job_id=1, reason=Reason.RESOURCES),)), state)


class StateManager(GenServer):
    """Answers plans as it is told; tells of every one that comes."""

    def init(self, args):
        return Ok(None)

    def handle_call(self, request, sender, state):
        answer = self.system.env["answers"].pop(0)
        self.system.env["seen"].put(answer)
        if answer == "die":
            raise RuntimeError(answer)
        self.reply(sender, answer)
        return NoReply(state)


@pytest.mark.parametrize("failure", [FULL, "die"])
def test_a_plan_that_was_not_taken_is_made_again(failure):
    env = {
        "config": SimpleNamespace(scheduler_plugin="flurm_sched_fifo", schedule_interval=20),
        "counters": Counters(),
        "answers": [failure, failure, Done()],
        "seen": queue.Queue(),
    }
    system = System(env)
    system.terms["cluster"] = Cluster()
    plugins = Supervisor(strategy=SIMPLE_ONE_FOR_ONE, children=(Child("plugin", Plugin),))
    children = (
        Child("flurm_state_manager", StateManager),
        Child("flurm_queue_manager", Queue),
        Child("flurm_sched_plugin_sup", plugins),
    )
    try:
        system.start(Supervisor(children=children, intensity=10))
        system.start(Supervisor(children=(Child("flurm_scheduler_engine", SchedulerEngine),)), "scheduler")
        assert [env["seen"].get(timeout=10) for _ in range(3)] == [failure, failure, Done()]
        with pytest.raises(queue.Empty):  # what was taken is not planned again while nothing changes
            env["seen"].get(timeout=0.2)
    finally:
        system.stop()


class Broken(GenServer):
    """A policy that always fails, beside one that works: which is which says its argument."""

    def init(self, args):
        return Ok(args["policy"])

    def handle_call(self, request, sender, state):
        self.system.env["asked"].put(state)
        if state == "broken":
            raise RuntimeError("no plan today")
        return Reply(Plan(), state)


def test_a_plugin_that_always_fails_gives_way_to_fifo(monkeypatch):
    monkeypatch.setattr(
        "actors.scheduler_engine.BUILT_IN", {"flurm_sched_fifo": "works", "flurm_sched_backfill": "broken"}
    )
    env = {
        "config": SimpleNamespace(scheduler_plugin="flurm_sched_backfill", schedule_interval=10),
        "counters": Counters(),
        "asked": queue.Queue(),
    }
    system = System(env)
    system.terms["cluster"] = Cluster()
    plugins = Supervisor(strategy=SIMPLE_ONE_FOR_ONE, children=(Child("plugin", Broken),), intensity=10)
    children = (Child("flurm_queue_manager", Queue), Child("flurm_sched_plugin_sup", plugins))
    try:
        system.start(Supervisor(children=children))
        system.start(Supervisor(children=(Child("flurm_scheduler_engine", SchedulerEngine),)), "scheduler")
        assert [env["asked"].get(timeout=10) for _ in range(4)] == ["broken", "broken", "broken", "works"]
    finally:
        system.stop()


class ClockedSystem(System):
    """A system whose clock stands still but for what moves it."""

    clock_s = 100.0

    def monotonic_s(self):
        return self.clock_s


class Slow(Plugin):
    """A policy that takes its time, while the cluster goes on changing."""

    def handle_call(self, request, sender, state):
        self.system.clock_s += 0.01
        self.system.terms["cluster"] = Cluster()
        self.system.env["asked"].put("plan")
        return Reply(Plan(), state)


def planned(env, system):
    """Wait for a plan, and until the engine is done with it: what moves the clock before would seem to be its time."""
    plan = env["asked"].get(timeout=10)
    return system.call("flurm_scheduler_engine", "status", 10)["cycles"] and plan


def test_the_timer_does_not_look_through_a_long_queue_all_the_time():
    env = {
        "config": SimpleNamespace(scheduler_plugin="flurm_sched_fifo", schedule_interval=10),
        "counters": Counters(),
        "asked": queue.Queue(),
    }
    system = ClockedSystem(env)
    system.terms["cluster"] = Cluster()
    plugins = Supervisor(strategy=SIMPLE_ONE_FOR_ONE, children=(Child("plugin", Slow),))
    children = (Child("flurm_queue_manager", Queue), Child("flurm_sched_plugin_sup", plugins))
    try:
        system.start(Supervisor(children=children))
        system.start(Supervisor(children=(Child("flurm_scheduler_engine", SchedulerEngine),)), "scheduler")
        assert planned(env, system)
        system.clock_s += 0.4
        with pytest.raises(queue.Empty):
            env["asked"].get(timeout=0.2)
        system.cast("flurm_scheduler_engine", m.Changed())
        assert planned(env, system), "who has a reason does not wait"
        system.clock_s += 0.6
        assert planned(env, system)
    finally:
        system.stop()
