"""Clearing a state directory: jobs go, ids go on, the old state is kept, and a crash in between is finished later."""

from __future__ import annotations

from pathlib import Path

import pytest

from flurm.storage import clear as clearing
from flurm.storage.clear import CLEARED, clear
from flurm.storage.errors import StateDirHeld, StorageError
from flurm.storage.layout import Store
from flurm.storage.state import read_back
from tests.core.world import World
from tests.storage.test_backup import state_directory


def newest(directory):
    store = Store(directory)
    try:
        return read_back(store)
    finally:
        store.close()


@pytest.fixture
def used(tmp_path):
    """A state directory with three jobs."""
    world = World()
    for _ in range(3):
        world.submit(hold=True)
    state_directory(tmp_path / "state", world)
    return tmp_path / "state"


def test_no_job_is_left_and_the_next_one_gets_the_id_it_would_have_had(used):
    before = newest(used)
    clear(used)
    after = newest(used)
    assert not after.cluster.jobs
    assert not after.cluster.nodes
    assert after.cluster.next_job_id == before.cluster.next_job_id == 4
    assert (after.index, after.term) == (before.index, before.term)
    assert after.cluster.version > before.cluster.version


def test_the_state_of_before_is_kept_and_can_still_be_read(used):
    assert clear(used) == used / CLEARED
    assert len(newest(used / CLEARED).cluster.jobs) == 3


def test_clearing_twice_keeps_the_state_before_the_second_time(used):
    clear(used)
    clear(used)
    assert not newest(used / CLEARED).cluster.jobs
    assert newest(used).cluster.next_job_id == 4


def test_where_no_controller_ever_ran_there_is_nothing_to_clear(tmp_path):
    assert clear(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_a_controller_holds_is_not_touched(used):
    store = Store(used)
    with pytest.raises(StateDirHeld):
        clear(used)
    store.close()
    assert len(newest(used).cluster.jobs) == 3


@pytest.mark.parametrize("crash_at", range(1, 7))
def test_what_a_crash_cut_short_opens_for_nobody_until_it_is_finished(used, monkeypatch, crash_at):
    class Crash(Exception):
        pass

    renames, rename = [], Path.rename

    def crash(self, target):
        if self.name in ("raft", "snapshots", "blobs"):
            renames.append(self)
            if len(renames) == crash_at:
                raise Crash
        return rename(self, target)

    monkeypatch.setattr(clearing.Path, "rename", crash)
    with pytest.raises(Crash):
        clear(used)
    monkeypatch.undo()
    with pytest.raises(StorageError, match="cut short"):
        newest(used)
    clear(used)
    assert not newest(used).cluster.jobs
    assert newest(used).cluster.next_job_id == 4
    assert len(newest(used / CLEARED).cluster.jobs) == 3
