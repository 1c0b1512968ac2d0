"""Snapshots on their way from one member to another."""

import queue
import random

import pytest

from flurm.raft.effects import Append, StoreChunk
from flurm.raft.events import Appended, AppendFailed, ChunkFailed, ChunkStored, FailureKind, SnapshotStored
from flurm.raft.records import Configuration, HardState
from flurm.storage.errors import StorageError
from flurm.storage.layout import Store
from flurm.storage.transfer import PIECE_BYTES
from tests.storage.builders import FailingDevice, LossyDevice, content, entries

DEADLINE_S = 10
CLUSTER = Configuration(voters=("a", "b", "c"))
STATE = random.Random(7).randbytes(3 * PIECE_BYTES + 12_345)


class Member:
    """A state directory with its writer, and what the writer said."""

    def __init__(self, directory, device=None):
        self.store = Store(directory, segment_bytes=300, device=device)
        self.said = queue.Queue()
        self.writer = self.store.writer(self.said.put)
        self.writer.start()

    def do(self, work):
        self.writer.submit(work)
        return self.said.get(timeout=DEADLINE_S)

    def append(self, first, last, term=1):
        for one in entries(first, last, size=100, term=term):
            self.do(Append((one,)))

    def snapshot(self, index, term=1, state=STATE, configuration=CLUSTER):
        self.store.take_snapshot(index, term, [state], self.writer, configuration)

    def close(self):
        self.writer.stop()
        self.store.close()


@pytest.fixture
def members(tmp_path):
    """Members by name, opened where they are first asked for, closed at the end."""
    opened = []

    def member(name, device=None):
        opened.append(Member(tmp_path / name, device))
        return opened[-1]

    yield member
    for each in opened:
        each.close()


def pieces(leader, index=0, offset=0, size=PIECE_BYTES):
    """Every piece of a transfer, as the effects that the receiver's Raft server would return."""
    done = False
    while not done:
        piece = leader.store.read_chunk(index, offset, size)
        what = piece.snapshot
        yield StoreChunk(what.index, what.term, what.configuration or CLUSTER, piece.offset, piece.data, piece.done)
        index, offset, done = what.index, piece.offset + len(piece.data), piece.done


def test_a_snapshot_arrives_in_pieces_and_the_log_begins_after_it(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(50, term=3)
    follower.append(1, 5)
    *answers, last = [follower.do(chunk) for chunk in pieces(leader)]
    assert [answer.offset for answer in answers] == [PIECE_BYTES, 2 * PIECE_BYTES, 3 * PIECE_BYTES]
    assert all(isinstance(answer, ChunkStored) for answer in answers)
    assert last == SnapshotStored(50, 3, CLUSTER)
    assert follower.store.segments.base == (50, 3)
    assert follower.do(Append(tuple(entries(51, 52, term=3)), HardState(3))) == Appended(52, 3, HardState(3))
    follower.close()
    again = members("follower")
    recovered = again.store.recovered()
    assert (recovered.snapshot_index, recovered.snapshot_term, recovered.configuration) == (50, 3, CLUSTER)
    assert recovered.entries == tuple(entries(51, 52, term=3))
    assert again.store.snapshots.newest().snapshot.content == STATE


def test_a_transfer_goes_on_with_its_snapshot_while_newer_ones_replace_it(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(10)
    transfer = pieces(leader)
    follower.do(next(transfer))
    for index in (20, 30, 40):
        leader.snapshot(index, state=b"newer")
    assert not leader.store.snapshots.path(10).exists()
    assert [follower.do(chunk) for chunk in transfer][-1] == SnapshotStored(10, 1, CLUSTER)
    assert follower.store.snapshots.newest().snapshot.content == STATE
    assert leader.store.read_chunk(10, 0, 1).snapshot.index == 40


def test_a_transfer_of_a_snapshot_that_is_gone_begins_anew_with_the_newest(members):
    leader = members("leader")
    with pytest.raises(StorageError, match="no snapshot"):
        leader.store.read_chunk(0, 0, 100)
    leader.snapshot(40)
    piece = leader.store.read_chunk(10, 500, 100)
    assert (piece.snapshot.index, piece.offset, len(piece.data), piece.done) == (40, 0, 100, False)


def test_a_damaged_snapshot_is_not_sent(members):
    leader = members("leader")
    leader.snapshot(10, state=b"good")
    leader.snapshot(20)
    newest = leader.store.snapshots.path(20)
    newest.write_bytes(newest.read_bytes()[:-1])
    assert leader.store.read_chunk(0, 0, 100).snapshot.index == 10


def test_after_a_restart_what_was_durable_need_not_be_sent_again(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(50)
    chunks = list(pieces(leader))
    for chunk in chunks[:3]:
        follower.do(chunk)
    follower.close()
    again = members("follower")
    assert again.do(chunks[3]) == ChunkFailed(
        50, 2 * PIECE_BYTES, f"the pieces before byte {3 * PIECE_BYTES} are missing"
    )
    assert [again.do(chunk) for chunk in pieces(leader, 50, 2 * PIECE_BYTES)][-1] == SnapshotStored(50, 1, CLUSTER)
    assert again.store.snapshots.newest().snapshot.content == STATE


@pytest.mark.parametrize("seed", range(6))
def test_after_a_power_cut_at_any_piece_a_transfer_that_goes_on_ends_with_the_right_state(members, seed):
    chance, device = random.Random(seed), LossyDevice()
    leader, follower = members("leader"), members("follower", device)
    leader.snapshot(50)
    transfer, synced = pieces(leader, size=300_000), chance.randrange(1, 8)
    for number in range(synced + 1):
        device.syncs = number < synced
        follower.do(next(transfer))
    follower.close()
    device.power_cut(chance)
    again = members("follower")
    answer, offset = None, (synced + 1) * 300_000
    while not isinstance(answer, SnapshotStored):
        for chunk in pieces(leader, 50, offset, size=300_000):
            answer = again.do(chunk)
            if isinstance(answer, ChunkFailed):
                offset = answer.offset
                break
    assert again.store.snapshots.newest().snapshot.content == STATE


def test_pieces_that_come_twice_or_too_early_do_no_harm(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(50)
    first, second, third, fourth = pieces(leader)
    assert follower.do(second).offset == 0
    assert follower.do(first).offset == PIECE_BYTES
    assert follower.do(second) == follower.do(second) == ChunkStored(50, 2 * PIECE_BYTES)
    assert follower.do(fourth).offset == 2 * PIECE_BYTES
    follower.do(third)
    assert follower.do(fourth) == SnapshotStored(50, 1, CLUSTER)
    follower.writer.submit(fourth)
    assert follower.do(Append(tuple(entries(51, 51)))) == Appended(51, 1)
    assert content(follower.store.segments) == entries(51, 51)


def test_a_piece_that_was_changed_on_the_way_is_found_out_at_the_end_and_all_is_sent_again(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(50)
    first, *rest = pieces(leader)
    spoilt = StoreChunk(50, 1, CLUSTER, 0, first.data[:-1] + bytes([first.data[-1] ^ 1]), False)
    answer = [follower.do(chunk) for chunk in (spoilt, *rest)][-1]
    assert (type(answer), answer.offset) == (ChunkFailed, 0) and "CRC" in answer.detail
    assert follower.store.snapshots.newest().snapshot is None
    assert [follower.do(chunk) for chunk in (first, *rest)][-1] == SnapshotStored(50, 1, CLUSTER)


def test_a_file_of_another_snapshot_than_announced_is_not_put_in_place(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(50, state=b"small")
    (chunk,) = pieces(leader)
    answer = follower.do(StoreChunk(60, 1, CLUSTER, 0, chunk.data, True))
    assert answer.offset == 0 and "(50, 1)" in answer.detail
    assert follower.store.snapshots.paths() == []


def test_a_snapshot_that_does_not_say_its_configuration_gets_the_leaders(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(50, configuration=None)
    assert [follower.do(chunk) for chunk in pieces(leader)][-1] == SnapshotStored(50, 1, CLUSTER)
    newest = follower.store.snapshots.newest().snapshot
    assert (newest.content, newest.configuration) == (STATE, CLUSTER)
    assert list(follower.store.snapshots.directory.glob("*.part")) == []


def test_entries_behind_a_snapshot_that_agrees_with_the_log_stay_for_they_may_have_been_acknowledged(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(5, state=b"small")
    follower.append(1, 9)
    (chunk,) = pieces(leader)
    assert follower.do(chunk) == SnapshotStored(5, 1, CLUSTER)
    assert list(follower.store.segments.read(6, 9)) == entries(6, 9, size=100)


def test_entries_that_disagree_with_a_snapshot_go(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(5, term=2, state=b"small")
    follower.append(1, 9)
    (chunk,) = pieces(leader)
    assert follower.do(chunk) == SnapshotStored(5, 2, CLUSTER)
    assert (follower.store.segments.base, follower.store.segments.last_index) == ((5, 2), 5)


def test_what_only_the_log_had_of_blobs_is_durable_before_the_log_goes(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(50, state=b"small")
    follower.append(1, 9)
    seen = []
    follower.writer._sync_blobs = lambda: seen.append(follower.store.segments.last_index)
    (chunk,) = pieces(leader)
    follower.do(chunk)
    assert seen == [9]


def test_when_the_log_cannot_be_begun_anew_nothing_more_is_written_until_storage_is_opened_again(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(50, state=b"small")
    follower.append(1, 9)

    def refuse():
        raise StorageError("no")

    follower.writer._sync_blobs = refuse
    (chunk,) = pieces(leader)
    assert follower.do(chunk).kind is FailureKind.POISONED
    answer = follower.do(Append(tuple(entries(10, 10)), epoch=1))
    assert isinstance(answer, AppendFailed) and answer.kind is FailureKind.POISONED
    follower.writer.stop()
    follower.store.reopen()
    assert follower.store.segments.base == (50, 1)


def test_a_full_disk_refuses_a_piece_and_takes_it_when_there_is_room(members):
    device = FailingDevice()
    leader, follower = members("leader"), members("follower", device)
    leader.snapshot(50)
    first, second, *rest = pieces(leader)
    follower.do(first)
    device.room = 1000
    answer = follower.do(second)
    assert (type(answer), answer.offset) == (ChunkFailed, PIECE_BYTES) and "No space" in answer.detail
    device.room = None
    assert [follower.do(chunk) for chunk in (second, *rest)][-1] == SnapshotStored(50, 1, CLUSTER)


def test_pieces_and_appends_are_carried_out_in_the_order_in_which_they_came(members):
    leader, follower = members("leader"), members("follower")
    leader.snapshot(50)
    for chunk in list(pieces(leader))[:2]:
        follower.writer.submit(chunk)
    follower.writer.submit(Append(tuple(entries(1, 1))))
    said = [follower.said.get(timeout=DEADLINE_S) for _ in range(3)]
    assert said == [ChunkStored(50, PIECE_BYTES), ChunkStored(50, 2 * PIECE_BYTES), Appended(1, 1)]
