"""A rolling upgrade of the whole tree in simulation: members can do a newer version of the state machine one by one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from flurm.core import commands as c
from flurm.core import machine, submission
from flurm.simulation.tree.plan import Plan
from flurm.simulation.tree.world import World, _quiet

SECONDS = 40.0


def submit_nicely(cluster, command):
    return submission.submit(cluster, msgspec.structs.replace(command, spec=command.spec.with_(nice=7)))


def upgraded(world, name):
    """A controller goes down and comes back as one of a newer release."""
    controller = world.controllers[name]
    controller.lose_power(softly=True)
    controller.machine_versions = (1, 2)
    world.scheduler.alarm(world.scheduler.now_s + 1.0, controller.start)


@pytest.mark.timeout(120)
def test_a_version_comes_into_force_on_all_at_the_same_entry_once_the_last_one_can_do_it(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(machine.VERSIONS, 2, machine.Version({c.SubmitJob: submit_nicely}))
    world = World(Plan(11, seconds=SECONDS), tmp_path)
    seen: list[tuple[int, bool]] = []

    def look() -> None:
        able = all(each.machine_versions == (1, 2) for each in world.controllers.values())
        clusters = [each.terms["cluster"] for each in world.controllers.values() if "cluster" in each.terms]
        seen.extend((cluster.machine_version, able) for cluster in clusters)
        world.scheduler.alarm(world.scheduler.now_s + 0.5, look)

    for controller in world.controllers.values():
        controller.machine_versions = (1, 1)
    for at_s, name in ((8.0, "c1"), (14.0, "c2"), (20.0, "c3")):
        world.scheduler.alarm(at_s, lambda name=name: upgraded(world, name))
    world.scheduler.alarm(0.5, look)
    try:
        with _quiet(world):
            world.run()
        clusters = [each.terms["cluster"] for each in world.controllers.values()]
    finally:
        world.close()
    assert world.watch.violations == []
    assert (2, False) not in seen and (1, False) in seen
    assert [cluster.machine_version for cluster in clusters] == [2, 2, 2]
    nice = [clusters[0].jobs[job_id].spec.nice for job_id in sorted(clusters[0].jobs)]
    assert nice == sorted(nice) and {0, 7} == set(nice)
