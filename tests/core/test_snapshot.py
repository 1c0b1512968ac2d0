"""A cluster written down and read back is the same, piece by piece or from a snapshot of the first format."""

from __future__ import annotations

import msgspec
import pytest

from flurm.core import snapshot
from flurm.core.snapshot import dump, load, parts
from tests.core.world import World


def world_with_jobs(count):
    world = World()
    for number in range(count):
        world.submit(name=f"job{number}", array="0-3" if number % 7 == 0 else None)
    world.schedule()
    return world


@pytest.mark.parametrize("jobs", [0, 1, 20])
def test_a_cluster_comes_back_as_it_was(jobs, monkeypatch):
    monkeypatch.setattr(snapshot, "JOBS_IN_A_PART", 3)
    cluster = world_with_jobs(jobs).cluster
    again = load(dump(cluster))
    assert dump(again) == dump(cluster)
    assert (again.pending, again.active, again.arrays) == (cluster.pending, cluster.active, cluster.arrays)
    assert again.jobs == cluster.jobs


def test_no_piece_holds_more_than_its_share_of_jobs(monkeypatch):
    monkeypatch.setattr(snapshot, "JOBS_IN_A_PART", 3)
    cluster = world_with_jobs(10).cluster
    magic, frame, *jobs = parts(cluster)
    assert len(jobs) == -(-len(cluster.jobs) // 3)
    assert magic + frame + b"".join(jobs) == dump(cluster)


def test_a_snapshot_of_the_first_format_is_read():
    cluster = world_with_jobs(5).cluster
    _, frame = parts(cluster.with_(jobs=type(cluster.jobs)()))
    image = msgspec.msgpack.decode(frame[4:]) | {"jobs": [cluster.jobs[i] for i in sorted(cluster.jobs)]}
    assert dump(load(msgspec.msgpack.encode(image))) == dump(cluster)


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_a_snapshot_without_its_end_is_refused(cut):
    with pytest.raises(msgspec.DecodeError):
        load(dump(world_with_jobs(5).cluster)[:-cut])
