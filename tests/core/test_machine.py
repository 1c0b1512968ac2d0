"""What `apply` does changes at one entry of the log, the same for whoever applies it and whenever."""

from __future__ import annotations

import msgspec
import pytest

from flurm.core import commands as c
from flurm.core import machine, snapshot, submission
from flurm.core.apply import apply
from flurm.core.outcome import Outcome
from tests.core.world import World


def submit_nicely(cluster, command):
    """A made-up version 2: every job is submitted with a nice value."""
    return submission.submit(cluster, msgspec.structs.replace(command, spec=command.spec.with_(nice=7)))


def close_the_queue(cluster):
    return cluster.with_(closed="version 2 begins with a closed queue")


@pytest.fixture
def version_2(monkeypatch):
    monkeypatch.setitem(machine.VERSIONS, 2, machine.Version({c.SubmitJob: submit_nicely}))


def nice(world):
    return [world.cluster.jobs[job_id].spec.nice for job_id in sorted(world.cluster.jobs)]


@pytest.mark.usefixtures("version_2")
def test_a_new_rule_counts_from_the_switch_on_and_never_before():
    world = World()
    world.submit()
    world.cluster = machine.switch(world.cluster, 2)
    world.submit()
    world.submit()
    assert nice(world) == [0, 7, 7]


@pytest.mark.usefixtures("version_2")
def test_a_log_with_the_switch_in_its_middle_gives_the_same_state_each_time_and_from_a_snapshot():
    world = World()
    begun = world.cluster
    at = len(world.log)
    world.submit()
    snapshotted = snapshot.dump(machine.switch(world.cluster, 2))
    world.cluster = machine.switch(world.cluster, 2)
    world.submit()
    world.schedule()
    first, *rest = world.log[at:]

    again = machine.switch(apply(begun, c.decode(c.encode(first))).cluster, 2)
    restored = snapshot.load(snapshotted)
    for command in rest:
        again = apply(again, c.decode(c.encode(command))).cluster
        restored = apply(restored, c.decode(c.encode(command))).cluster
    assert snapshot.dump(again) == snapshot.dump(restored) == snapshot.dump(world.cluster)
    assert again.machine_version == 2


def test_a_rule_of_an_earlier_version_counts_until_a_later_one_replaces_it(monkeypatch):
    monkeypatch.setitem(machine.VERSIONS, 2, machine.Version({c.SubmitJob: submit_nicely}))
    monkeypatch.setitem(machine.VERSIONS, 3, machine.Version({c.Wake: lambda cluster, _: Outcome(cluster)}))
    world = World()
    world.cluster = machine.switch(world.cluster, 3)
    world.submit()
    assert nice(world) == [7]


def test_a_switch_turns_the_state_over_through_every_version_between(monkeypatch):
    monkeypatch.setitem(machine.VERSIONS, 2, machine.Version(migrate=close_the_queue))
    monkeypatch.setitem(machine.VERSIONS, 3, machine.Version(migrate=lambda cluster: cluster.with_(fingerprint="3")))
    after = machine.switch(World().cluster, 3)
    assert (after.closed, after.fingerprint) == ("version 2 begins with a closed queue", "3")


@pytest.mark.usefixtures("version_2")
def test_a_second_switch_to_the_same_version_changes_nothing():
    once = machine.switch(World().cluster, 2)
    assert machine.switch(once, 2) is once
    assert machine.switch(once, 1) is once


def test_a_version_that_this_release_does_not_know_is_refused_and_named():
    with pytest.raises(machine.Unsupported, match="at version 2, this release knows 1 to 1: run a newer release"):
        machine.switch(World().cluster, 2)
    with pytest.raises(machine.Unsupported, match="at version 1, this release knows 2 to 3: run a release between"):
        machine.check(1, (2, 3))


def test_a_snapshot_of_an_unknown_version_is_refused_before_anything_else_of_it_is_looked_at():
    magic, frame, *_ = snapshot.parts(World().cluster)
    strange = msgspec.msgpack.decode(frame[4:]) | {"machine_version": 9, "settings": "quite another thing"}
    body = msgspec.msgpack.encode(strange)
    with pytest.raises(machine.Unsupported, match="at version 9"):
        snapshot.load(magic + len(body).to_bytes(4, "big") + body)


def test_versions_are_numbered_without_gaps():
    oldest, newest = machine.supported()
    assert sorted(machine.VERSIONS) == list(range(oldest, newest + 1))
