"""State directories that begin with a cluster from elsewhere."""

from __future__ import annotations

import hashlib

import pytest

from flurm.core.job_records import Job, JobSpec
from flurm.core.records import Cluster
from flurm.core.tables import put
from flurm.storage import founding
from flurm.storage.errors import StateDirHeld, StorageError
from flurm.storage.layout import Store
from flurm.storage.placing import NotEmpty
from flurm.storage.state import read_back

SCRIPT = b"#!/bin/sh\n"
DIGEST = hashlib.sha256(SCRIPT).hexdigest()
CLUSTER = put(Cluster(next_job_id=8), Job(7, JobSpec(script_digest=DIGEST)))


def held(directory):
    store = Store(directory)
    try:
        return read_back(store).cluster, store.blobs.get(DIGEST)
    finally:
        store.close()


def test_a_controller_finds_the_cluster_and_its_scripts(tmp_path):
    founding.check_free(tmp_path / "state" / "flurm")
    founding.found(tmp_path / "state" / "flurm", CLUSTER, {DIGEST: SCRIPT})
    assert held(tmp_path / "state" / "flurm") == (CLUSTER, SCRIPT)


def test_a_state_that_is_there_stays_unless_it_is_moved_aside(tmp_path):
    founding.found(tmp_path, CLUSTER, {DIGEST: SCRIPT})
    for refused in (founding.check_free, lambda path: founding.found(path, Cluster(), {})):
        with pytest.raises(NotEmpty, match="--force"):
            refused(tmp_path)
    assert held(tmp_path) == (CLUSTER, SCRIPT)
    founding.found(tmp_path, CLUSTER.with_(next_job_id=9), {DIGEST: SCRIPT}, force=True)
    assert held(tmp_path)[0].next_job_id == 9
    assert len(list(tmp_path.glob("replaced-*/snapshots"))) == 1


def test_nothing_is_founded_under_a_running_controller(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(StateDirHeld):
        founding.check_free(tmp_path)
    with pytest.raises(StateDirHeld):
        founding.found(tmp_path, CLUSTER, {DIGEST: SCRIPT}, force=True)
    store.close()


def test_what_fails_on_the_way_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(founding.HardStateFile, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(StorageError, match="founding a cluster"):
        founding.found(tmp_path, CLUSTER, {DIGEST: SCRIPT})
    assert {path.name for path in tmp_path.iterdir()} <= {"lock"}
