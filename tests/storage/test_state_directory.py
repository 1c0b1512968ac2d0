"""The state directory as a whole: lock, hard state, snapshots, and what opening it makes of damage."""

import os
import random
import socket
import struct
from types import SimpleNamespace

import google_crc32c
import pytest

from flurm.raft.records import Configuration, HardState
from flurm.storage.errors import CorruptLog, StateDirHeld
from flurm.storage.hard_state import HardStateFile
from flurm.storage.layout import Store
from flurm.storage.lock import StateDirLock
from flurm.storage.snapshots import Compression, Snapshot, SnapshotStore
from tests.storage.builders import entries


def test_a_second_owner_is_told_who_holds_the_directory(tmp_path):
    with StateDirLock(tmp_path):
        with pytest.raises(StateDirHeld) as caught:
            StateDirLock(tmp_path).acquire()
        assert (caught.value.pid, caught.value.host) == (os.getpid(), socket.gethostname())
        assert str(os.getpid()) in str(caught.value) and socket.gethostname() in str(caught.value)
    with StateDirLock(tmp_path):
        pass


def test_a_hard_state_is_what_was_saved_last(tmp_path):
    file = HardStateFile(tmp_path / "hard_state")
    assert file.load() == HardState()
    file.save(HardState(3, "a"))
    file.save(HardState(4, None))
    assert HardStateFile(tmp_path / "hard_state").load() == HardState(4, None)


def test_a_damaged_hard_state_is_never_taken_for_a_fresh_start(tmp_path):
    file = HardStateFile(tmp_path / "hard_state")
    file.save(HardState(3, "a"))
    whole = file.path.read_bytes()
    for damaged in (b"", whole[:-1], whole[:5] + b"\xff" + whole[6:]):
        file.path.write_bytes(damaged)
        with pytest.raises(CorruptLog):
            file.load()


@pytest.mark.parametrize("compression", list(Compression))
def test_a_snapshot_is_read_back_and_the_third_newest_goes(tmp_path, compression):
    snapshots = SnapshotStore(tmp_path)
    for index in (10, 20, 30):
        snapshots.write(index, 2, [b"state ", b"at ", b"%d" % index], compression=compression)
    newest = SnapshotStore(tmp_path).newest()
    assert (newest.snapshot.index, newest.snapshot.term, newest.snapshot.content) == (30, 2, b"state at 30")
    assert newest.damaged == ()
    assert snapshots.oldest_index() == 20


def test_a_snapshot_damaged_at_any_byte_is_passed_over_with_a_report(tmp_path):
    snapshots = SnapshotStore(tmp_path)
    snapshots.write(10, 1, [b"old"])
    path = snapshots.write(20, 1, [b"new"], compression=Compression.NONE)
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        newest = snapshots.newest()
        assert newest.snapshot.content == b"old"
        assert [damaged.path for damaged in newest.damaged] == [path]


CLUSTER = Configuration(voters=("a", "b", "c"), addresses={"a": "10.0.0.1:6816"})


@pytest.mark.parametrize("configuration", [CLUSTER, CLUSTER.encode()])
def test_a_snapshot_says_who_the_cluster_was(tmp_path, configuration):
    snapshots = SnapshotStore(tmp_path)
    path = snapshots.write(10, 1, [b"state"], configuration)
    assert snapshots.newest().snapshot.configuration == CLUSTER
    info = snapshots.newest_info().snapshot
    assert (info.index, info.term, info.configuration, info.size) == (10, 1, CLUSTER, path.stat().st_size)


def test_a_snapshot_without_a_configuration_is_still_read(tmp_path):
    header = struct.pack("<8sIQQB", b"FLURMSNP", 1, 10, 3, 0)
    content = b"the state"
    footer = struct.pack("<QI", len(content), google_crc32c.value(content))
    snapshots = SnapshotStore(tmp_path)
    snapshots.path(10).write_bytes(header + struct.pack("<I", google_crc32c.value(header)) + content + footer)
    assert snapshots.newest().snapshot == Snapshot(10, 3, b"the state", None)


@pytest.mark.parametrize("compression", list(Compression))
def test_a_snapshot_larger_than_what_is_read_at_once_is_whole_again(tmp_path, compression):
    chance = random.Random(5)
    chunks = [chance.randbytes(700_000) for _ in range(5)]
    snapshots = SnapshotStore(tmp_path)
    snapshots.write(1, 1, iter(chunks), compression=compression)
    assert snapshots.newest().snapshot.content == b"".join(chunks)


def test_a_snapshot_that_was_not_finished_does_not_exist(tmp_path):
    def breaks_off():
        yield b"half"
        raise RuntimeError("the writer died")

    snapshots = SnapshotStore(tmp_path)
    with pytest.raises(RuntimeError):
        snapshots.write(10, 1, breaks_off())
    assert snapshots.newest().snapshot is None
    assert list(tmp_path.iterdir()) == []


def store_with(directory, snapshots, upto):
    """A state directory with entries up to ``upto`` and snapshots at the given indexes, compacted as usual."""
    store = Store(directory, segment_bytes=300)
    writer = store.writer(lambda event: None)
    writer.start()
    for one in entries(1, upto, size=100):
        store.segments.append([one])
    for index in snapshots:
        store.take_snapshot(index, 1, [b"%d" % index], writer)
    store.hard_state.save(HardState(1, "a"))
    writer.stop()
    store.close()


def test_opening_gives_the_snapshot_and_the_entries_after_it(tmp_path):
    store_with(tmp_path, [4, 8], upto=11)
    store = Store(tmp_path)
    recovered = store.recovered()
    assert store.snapshots.newest().snapshot.content == b"8"
    assert recovered.hard_state == HardState(1, "a")
    assert (recovered.snapshot_index, recovered.snapshot_term) == (8, 1)
    assert recovered.entries == tuple(entries(9, 11, size=100))
    assert store.segments.first_index == 5
    store.close()


def test_a_hard_state_file_that_was_lost_is_missed_when_the_log_is_newer(tmp_path):
    store_with(tmp_path, [], upto=3)
    (tmp_path / "raft" / "hard_state").unlink()
    store = Store(tmp_path)
    with pytest.raises(CorruptLog, match="expected term 1 or later, found 0"):
        store.recovered()
    store.close()


def test_when_the_newest_snapshot_is_damaged_the_one_before_and_a_longer_log_take_its_place(tmp_path):
    store_with(tmp_path, [4, 8], upto=11)
    newest = max((tmp_path / "snapshots").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    store = Store(tmp_path)
    assert store.snapshot.index == 4
    assert store.recovered().entries == tuple(entries(5, 11, size=100))
    assert newest.with_suffix(".damaged").exists() and not newest.exists()
    store.snapshots.write(10, 1, [b"10"])
    assert store.snapshots.oldest_index() == 4
    store.close()


def test_when_no_snapshot_reaches_the_log_opening_is_refused_and_the_directory_is_free_again(tmp_path):
    store_with(tmp_path, [4, 8], upto=11)
    for path in (tmp_path / "snapshots").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptLog, match=r"expected entry 1, found 5 .*snapshot-0+8.snap is damaged"):
        Store(tmp_path)
    with StateDirLock(tmp_path):
        pass


def test_a_snapshot_newer_than_the_log_begins_the_log_anew(tmp_path):
    store_with(tmp_path, [], upto=5)
    SnapshotStore(tmp_path / "snapshots").write(50, 3, [b"from the leader"], CLUSTER)
    HardStateFile(tmp_path / "raft" / "hard_state").save(HardState(3, None))
    store = Store(tmp_path)
    assert (store.segments.base, store.recovered().entries) == ((50, 3), ())
    assert store.recovered().configuration == CLUSTER
    store.close()


def test_a_log_with_another_entry_where_the_snapshot_ends_begins_anew(tmp_path):
    store_with(tmp_path, [], upto=9)
    SnapshotStore(tmp_path / "snapshots").write(5, 3, [b"from the leader"])
    HardStateFile(tmp_path / "raft" / "hard_state").save(HardState(3, None))
    store = Store(tmp_path)
    assert (store.segments.base, store.recovered().entries) == ((5, 3), ())
    store.close()


def test_blobs_are_durable_before_the_log_that_brought_them_goes(tmp_path):
    steps = []
    store = Store(tmp_path)
    store.blobs.sync = lambda: steps.append("sync blobs")
    store.snapshots.write = lambda *_: steps.append("write snapshot")
    store.take_snapshot(1, 1, [b""], SimpleNamespace(compact=lambda upto: steps.append("compact log")))
    assert steps == ["sync blobs", "write snapshot", "compact log"]
    store.close()
