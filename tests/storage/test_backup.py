"""Backups: what is in them, what is found out about damaged ones, and when one may be restored."""

import errno
import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from flurm.core import commands as c
from flurm.core import snapshot
from flurm.core.apply import apply
from flurm.core.records import Cluster
from flurm.raft.records import Entry, EntryKind, HardState
from flurm.storage import backup, placing
from flurm.storage.blobs import BlobStore
from flurm.storage.errors import StateDirHeld, StorageError
from flurm.storage.layout import Store
from flurm.storage.lock import StateDirLock
from flurm.storage.snapshots import SnapshotStore
from flurm.storage.state import State, read_back
from tests.core.world import World

SCRIPTS = [b"#!/bin/sh\necho %d\n" % number for number in range(5)] + [b"#" * 200_000]


@pytest.fixture
def world():
    world = World()
    for script in SCRIPTS:
        world.submit(hold=True, script_digest=hashlib.sha256(script).hexdigest())
    return world


def state_directory(directory, world, snapshot_at=None):
    """What a controller leaves that carried out ``world``'s commands in term 3."""
    store = Store(directory)
    store.blobs.put_many(SCRIPTS)
    log = [Entry(index, 3, EntryKind.COMMAND, c.encode(command)) for index, command in enumerate(world.log, 1)]
    store.segments.append(log)
    if snapshot_at is not None:
        early = Cluster()
        for command in world.log[:snapshot_at]:
            early = apply(early, command).cluster
        store.snapshots.write(snapshot_at, 3, [snapshot.dump(early)])
    store.hard_state.save(HardState(5, "a"))
    store.close()
    return directory


@pytest.fixture
def source(tmp_path, world):
    return state_directory(tmp_path / "source", world)


@pytest.fixture
def file(tmp_path, source):
    backup.create_from(source, tmp_path / "b.tar.gz", "linux")
    return tmp_path / "b.tar.gz"


def test_a_backup_restored_elsewhere_is_the_same_cluster_with_all_it_refers_to(tmp_path, world, file):
    told = backup.restore(file, tmp_path / "elsewhere")
    assert (told.cluster, told.index, told.term, told.jobs, told.blobs) == ("linux", len(world.log), 3, 6, 6)
    store = Store(tmp_path / "elsewhere")
    recovered = store.recovered()
    assert (recovered.hard_state, recovered.configuration) == (HardState(3, None), None)
    assert (recovered.snapshot_index, recovered.snapshot_term, recovered.entries) == (len(world.log), 3, ())
    assert snapshot.dump(read_back(store).cluster) == snapshot.dump(world.cluster)
    assert sorted(map(store.blobs.get, store.blobs.digests())) == sorted(SCRIPTS)
    store.close()


def test_a_snapshot_and_the_log_after_it_make_the_state(tmp_path, world):
    whole = state_directory(tmp_path / "log", world)
    split = state_directory(tmp_path / "split", world, snapshot_at=5)
    states = []
    for directory in (whole, split):
        store = Store(directory)
        states.append(snapshot.dump(read_back(store).cluster))
        store.close()
    assert states[0] == states[1] == snapshot.dump(world.cluster)


def test_scripts_that_only_the_log_has_are_in_the_backup(tmp_path):
    world, digest = World(), hashlib.sha256(b"in the log").hexdigest()
    spec = c.JobSpec(name="j", user_id=1001, script_digest=digest)
    world.do(c.SubmitJob(now_s=1, spec=spec, hold=True, blobs={digest: b"in the log"}))
    backup.create_from(state_directory(tmp_path / "source", world), tmp_path / "b.tar.gz", "linux")
    backup.restore(tmp_path / "b.tar.gz", tmp_path / "elsewhere")
    assert BlobStore(tmp_path / "elsewhere" / "blobs").get(digest) == b"in the log"


def test_a_backup_is_readable_by_its_owner_only_and_says_what_it_is(file):
    assert file.stat().st_mode & 0o777 == 0o600
    assert backup.check(file).jobs == 6
    with tarfile.open(file) as tar:
        assert tar.getnames()[:2] == ["manifest.json", "snapshot"]


def test_a_backup_that_finds_no_room_leaves_the_old_one(tmp_path, source, monkeypatch):
    target = tmp_path / "b.tar.gz"
    target.write_bytes(b"the old one")

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(StorageError, match="No space left"):
        backup.create_from(source, target, "linux")
    assert target.read_bytes() == b"the old one"
    assert not list(tmp_path.glob("*.tmp"))


def test_what_could_not_be_read_is_named_and_the_rest_is_saved(tmp_path, source):
    pack = next((source / "blobs" / "packs").glob("pack-*"))
    pack.write_bytes(pack.read_bytes().replace(b"echo 3", b"echo 8"))
    told = backup.create_from(source, tmp_path / "b.tar.gz", "linux")
    assert (told.blobs, told.missing) == (5, (hashlib.sha256(SCRIPTS[3]).hexdigest(),))
    assert backup.restore(tmp_path / "b.tar.gz", tmp_path / "elsewhere").jobs == 6


def test_a_job_that_goes_while_the_backup_is_taken_is_not_missed(tmp_path, source, world):
    store = Store(source)
    old = State(world.cluster, 9, 3)
    store.blobs.delete(hashlib.sha256(SCRIPTS[0]).hexdigest())
    world.kill(min(world.cluster.jobs))
    world.do(c.PurgeJobs(now_s=10**6, ids=(min(world.cluster.jobs),)))
    states = iter([old, State(world.cluster, 10, 3)])
    told = backup.create(store, tmp_path / "b.tar.gz", "linux", lambda: next(states))
    assert (told.index, told.jobs, told.missing) == (10, 5, ())
    store.close()


def untouched(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.name != "lock"}


def test_a_backup_with_any_damage_is_refused_before_anything_is_touched(tmp_path, source, file):
    whole, before = file.read_bytes(), untouched(source)
    damaged = [whole[:size] for size in range(0, len(whole), len(whole) // 10)] + [whole[:-1]]
    damaged += [
        whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :]
        for position in range(20, len(whole), len(whole) // 20)
    ]
    for data in damaged:
        file.write_bytes(data)
        for refused in (lambda: backup.check(file), lambda: backup.restore(file, source, force=True)):
            with pytest.raises(StorageError):
                refused()
        assert untouched(source) == before
    assert not (tmp_path / "source" / "restoring.tmp").exists()


def rebuilt(file, change):
    """The same archive with its members changed by ``change``, and no damage that gzip would notice."""
    with tarfile.open(file) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    change(members)
    with tarfile.open(file, "w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def a_blob(members):
    return next(name for name in members if name.startswith("blobs/"))


def drop_the_state_and_its_line(members):
    drop_with_its_line(members, "snapshot")


def drop_a_blob_and_its_line(members):
    drop_with_its_line(members, a_blob(members))


def drop_with_its_line(members, name):
    del members[name]
    change_manifest(members, lambda manifest: manifest["files"].pop(name))


def change_manifest(members, change):
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    members["manifest.json"] = json.dumps(manifest).encode()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda members: members.update(snapshot=b"x"), "snapshot is not what the manifest says"),
        (lambda members: members.update({"../outside": b"x"}), "outside is not what the manifest says"),
        (lambda members: members.pop(a_blob(members)), "is missing"),
        (drop_a_blob_and_its_line, "needs 1 blobs that are not in it"),
        (lambda members: members.pop("manifest.json"), "manifest"),
        (lambda members: change_manifest(members, lambda m: m.update(format=9)), "has format 9"),
        (drop_the_state_and_its_line, "names no state"),
    ],
)
def test_an_archive_that_somebody_changed_is_refused(tmp_path, file, change, problem):
    rebuilt(file, change)
    with pytest.raises(StorageError, match=problem):
        backup.restore(file, tmp_path / "elsewhere")
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["lock"]


def test_nothing_is_restored_under_a_running_controller_or_over_a_state_unless_forced(tmp_path, source, file):
    before = untouched(source)
    with StateDirLock(source), pytest.raises(StateDirHeld):
        backup.restore(file, source, force=True)
    with pytest.raises(placing.NotEmpty, match="--force"):
        backup.restore(file, source)
    assert untouched(source) == before
    (source / "other").write_bytes(b"not storage's")
    backup.restore(file, source, force=True)
    (aside,) = source.glob("replaced-*")
    assert {path.name for path in aside.iterdir()} == set(placing.PARTS)
    assert (source / "other").exists()
    store = Store(source)
    assert len(read_back(store).cluster.jobs) == 6
    store.close()


@pytest.mark.parametrize("renames", range(6))
def test_a_restore_that_was_cut_short_leaves_a_directory_that_does_not_open_until_it_is_repeated(
    source, file, renames, monkeypatch
):
    left, rename = [renames], Path.rename

    def dies(path, target):
        if left[0] == 0:
            raise OSError(errno.EIO, "the power went")
        left[0] -= 1
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", dies)
    with pytest.raises(StorageError, match="the power went"):
        backup.restore(file, source, force=True)
    monkeypatch.undo()
    with pytest.raises(StorageError, match="backup restore --force"):
        Store(source)
    backup.restore(file, source, force=True)
    store = Store(source)
    assert len(read_back(store).cluster.jobs) == 6
    store.close()


def test_a_directory_without_state_cannot_be_backed_up(tmp_path):
    with pytest.raises(StorageError, match="holds no state"):
        backup.create_from(tmp_path, tmp_path / "b.tar.gz", "linux")


def test_a_file_that_is_no_backup_is_told_so(tmp_path):
    (tmp_path / "other.tar.gz").write_bytes(gzip.compress(b"hello"))
    with pytest.raises(backup.DamagedBackup):
        backup.check(tmp_path / "other.tar.gz")
    with pytest.raises(StorageError, match="No such file"):
        backup.check(tmp_path / "none.tar.gz")


def test_what_a_controller_with_snapshots_only_has_is_backed_up(tmp_path, world):
    SnapshotStore(tmp_path / "s" / "snapshots").write(40, 3, [snapshot.dump(world.cluster)])
    store = Store(tmp_path / "s")
    store.hard_state.save(HardState(3))
    assert read_back(store).index == 40
    store.close()
