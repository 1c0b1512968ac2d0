"""Failures on top of failures, on the simulator: whatever the order, what is left when all is quiet is a whole tree."""

import os
import random

import pytest
from structlog.testing import capture_logs

from flurm.otp import OtpError
from flurm.otp.runtime.sim import Simulation
from tests.otp.grown import Grown, stage, start_of
from tests.otp.model import Spec
from tests.otp.test_model import tree

SEEDS = range(500 if os.environ.get("FLURM_THOROUGH") else 15)


def storm(seed, blows=40):
    """Kill, crash and administer at random, waiting for nothing; returns the system and its history."""
    grown = Grown(tree(seed))
    try:
        return blown(seed, blows)
    finally:
        grown.close()


def blown(seed, blows):
    dice, root = random.Random(seed), Spec("s1")
    system, history = Simulation(stage(), seed), []
    system.observers.append(lambda event: history.append((event.kind, event.name, str(event.pid), str(event.reason))))
    system.start(start_of(root), root.name)
    for _ in range(blows):
        for _step in range(dice.randrange(20)):
            system.scheduler.step()
        victims = [process.name for process in system.processes() if process.name != root.name]
        if not victims:
            break
        strike(system, dice, dice.choice(victims))
    system.settle()
    return system, history


def strike(system, dice, name):
    parent = system.find(name).parent.name
    ask = dice.choice((system.terminate_child, system.restart_child, system.delete_child))
    blow = dice.choice((system.kill, system.crash, lambda name: system.beside(lambda: attempt(ask, parent, name))))
    attempt(blow, name)


def attempt(function, *args):
    """What is not there any more cannot be struck."""
    try:
        function(*args)
    except OtpError:
        pass


@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_storm_nobody_is_orphaned_lost_or_half_started(seed):
    with capture_logs():
        system, _history = storm(seed)
        processes = {process.pid: process for process in system.processes()}
        known = set(processes) - {root.pid for root in system.roots}
        listed = set()
        for process in processes.values():
            assert process.status == "running" and not process.pending and process.mailbox == 0
            assert all(other.pid in processes and process in other.links for other in process.links)
            if hasattr(process.state, "children"):
                pids = [pid for _id, pid, _kind in system.which_children(process.pid)]
                assert "restarting" not in pids
                listed.update(pid for pid in pids if pid is not None)
                for pid in listed & set(pids):
                    assert processes[pid].parent is process
        assert listed == known
        system.stop()
        assert system.processes() == []


def test_the_same_seed_makes_the_same_storm():
    with capture_logs():
        assert storm(3)[1] == storm(3)[1]
        assert storm(3)[1] != storm(4)[1]
