"""The log writer: group commits, refusals, compaction, and a Raft server on top of it."""

import queue
import threading

import pytest

from flurm.raft.effects import Append, Commit, Reject, RejectReason
from flurm.raft.events import Appended, AppendFailed, FailureKind, Propose, Tick
from flurm.raft.records import Configuration, HardState, Role
from flurm.raft.server import RaftServer
from flurm.storage.errors import LogPoisoned
from flurm.storage.hard_state import HardStateFile
from flurm.storage.layout import Store
from flurm.storage.segments import SegmentLog
from flurm.storage.writer import LogWriter
from tests.storage.builders import FailingDevice, content, entries

DEADLINE_S = 10


class GatedDevice(FailingDevice):
    """A disk that can be held at a sync, so that a group gathers behind it."""

    def __init__(self):
        super().__init__()
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()

    def sync(self, fd):
        self.reached.set()
        assert self.open.wait(DEADLINE_S)
        super().sync(fd)


class Rig:
    """A writer over a log in ``directory``, and what it said."""

    def __init__(self, directory, **options):
        self.device = GatedDevice()
        self.log = SegmentLog(directory, device=self.device, **options)
        self.said = queue.Queue()
        self.writer = LogWriter(self.log, HardStateFile(directory / "hard_state"), self.said.put)
        self.writer.start()

    def hear(self):
        return self.said.get(timeout=DEADLINE_S)

    def hold(self):
        self.device.open.clear()
        self.device.reached.clear()

    def stop(self):
        self.writer.stop()
        self.log.close()


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    rig.stop()


def test_what_waits_while_a_group_is_synced_is_written_with_one_sync(rig):
    rig.hold()
    rig.writer.submit(Append(tuple(entries(1, 1))))
    assert rig.device.reached.wait(DEADLINE_S)
    for index in range(2, 102):
        rig.writer.submit(Append(tuple(entries(index, index))))
    rig.device.open.set()
    assert [rig.hear(), rig.hear()] == [Appended(1, 1), Appended(101, 1)]
    assert (rig.writer.counters.syncs, rig.writer.counters.largest_group) == (2, 100)


def test_a_hard_state_is_durable_before_it_is_reported(rig):
    rig.writer.submit(Append(hard_state=HardState(7, "b")))
    assert rig.hear() == Appended(0, 0, HardState(7, "b"))
    assert HardStateFile(rig.log.directory / "hard_state").load() == HardState(7, "b")


def test_entries_that_replace_a_suffix_do_so(rig):
    rig.writer.submit(Append(tuple(entries(1, 5))))
    rig.writer.submit(Append(tuple(entries(3, 4, term=2))))
    assert [rig.hear(), rig.hear()] == [Appended(5, 1), Appended(4, 2)]
    assert content(rig.log) == entries(1, 2) + entries(3, 4, term=2)


def test_after_a_refusal_the_rest_of_its_epoch_is_dropped_and_the_next_epoch_is_written(rig):
    rig.writer.submit(Append(tuple(entries(1, 1))))
    assert rig.hear() == Appended(1, 1)
    rig.device.room = 0
    rig.writer.submit(Append(tuple(entries(2, 2))))
    refusal = rig.hear()
    assert (refusal.last_index, refusal.kind, refusal.epoch) == (1, FailureKind.FULL, 0)
    rig.device.room = None
    rig.writer.submit(Append(tuple(entries(3, 3))))
    rig.writer.submit(Append(tuple(entries(2, 2)), epoch=1))
    assert rig.hear() == Appended(2, 1, None, 1)
    assert content(rig.log) == entries(1, 2)


def test_a_writer_that_takes_over_drops_the_rest_of_a_refused_epoch_too(rig):
    """The server had not heard of the refusal when its state manager came back, for whom the writer is made anew."""
    rig.device.room = 0
    rig.writer.submit(Append(tuple(entries(1, 2))))
    assert rig.hear().kind is FailureKind.FULL
    rig.writer.stop()
    rig.device.room = None
    refused = rig.writer.refused_epoch
    rig.writer = LogWriter(rig.log, rig.writer._hard_state, rig.said.put)
    rig.writer.refused_epoch = refused
    rig.writer.start()
    rig.writer.submit(Append(tuple(entries(3, 3))))
    rig.writer.submit(Append(tuple(entries(1, 1)), epoch=1))
    assert rig.hear() == Appended(1, 1, None, 1)
    assert content(rig.log) == entries(1, 1)


def test_a_failed_sync_is_reported_as_poison(rig):
    rig.device.sync = lambda fd: FailingDevice.sync(rig.device, fd)
    rig.device.sync_fails = True
    rig.writer.submit(Append(tuple(entries(1, 1))))
    assert rig.hear().kind is FailureKind.POISONED
    rig.writer.submit(Append(tuple(entries(1, 1)), epoch=1))
    assert rig.hear().kind is FailureKind.POISONED


def test_a_writer_that_crashes_says_so_instead_of_leaving_everybody_waiting(rig):
    rig.writer.submit(Append(tuple(entries(5, 5))))
    said = rig.hear()
    assert isinstance(said, AppendFailed) and said.kind is FailureKind.POISONED
    assert "does not follow" in said.detail
    with pytest.raises(LogPoisoned):
        rig.writer.submit(Append(tuple(entries(1, 1))))


def test_stopping_writes_and_reports_what_was_queued(tmp_path):
    rig = Rig(tmp_path)
    rig.hold()
    for index in range(1, 51):
        rig.writer.submit(Append(tuple(entries(index, index))))
    rig.device.open.set()
    rig.writer.stop()
    assert list(rig.said.queue)[-1] == Appended(50, 1)
    assert rig.log.last_index == 50


def test_compaction_happens_behind_the_appends_before_it(tmp_path):
    rig = Rig(tmp_path, segment_bytes=300)
    for one in entries(1, 10, size=100):
        rig.writer.submit(Append((one,)))
        rig.hear()
    rig.hold()
    rig.writer.submit(Append(tuple(entries(11, 11, size=100))))
    assert rig.device.reached.wait(DEADLINE_S)
    rig.writer.compact(6)
    assert rig.log.first_index == 1
    rig.device.open.set()
    rig.stop()
    assert (rig.log.first_index, rig.log.last_index) == (7, 11)


class Member:
    """A Raft server on a real store, driven the way its actor drives it."""

    def __init__(self, directory, device=None):
        self.store = Store(directory, device=device)
        self.events = queue.Queue()
        self.writer = self.store.writer(self.events.put)
        self.writer.start()
        self.server = RaftServer("a", Configuration(("a",)))
        self.applied, self.refused = [], []
        self.carry_out(self.server.handle(self.store.recovered()))

    def carry_out(self, effects):
        for effect in effects:
            match effect:
                case Append():
                    self.writer.submit(effect)
                case Commit():
                    self.applied += [entry.payload for entry in effect.entries if entry.payload]
                case Reject():
                    self.refused.append((effect.token, effect.reason))

    def handle(self, event):
        self.carry_out(self.server.handle(event))

    def until(self, done):
        while not done():
            self.handle(self.events.get(timeout=DEADLINE_S))

    def lead(self):
        self.until(lambda: self.server.role is Role.LEADER and self.server.log.last_index == self.server.commit_index)
        return self

    def close(self):
        self.writer.stop()
        self.store.close()


def test_a_cluster_of_one_commits_and_finds_its_commands_again_after_a_restart(tmp_path):
    member = Member(tmp_path).lead()
    commands = [b"%d" % number for number in range(200)]
    for command in commands:
        member.handle(Propose(command))
    member.until(lambda: member.applied == commands)
    member.close()
    again = Member(tmp_path).lead()
    assert again.applied == commands
    assert again.server.term == 2
    again.close()


def test_on_a_full_disk_proposals_are_refused_and_service_resumes_when_there_is_room(tmp_path):
    device = FailingDevice()
    member = Member(tmp_path, device).lead()
    device.room = 100
    for number in range(20):
        member.handle(Propose(b"%d" % number, number))
    member.until(lambda: len(member.applied) + len(member.refused) == 20)
    assert member.refused and all(reason is RejectReason.STORAGE_FULL for _, reason in member.refused)
    kept = list(member.applied)
    device.room = None
    member.handle(Tick(1))
    member.handle(Propose(b"again", "t"))
    member.until(lambda: member.applied[-1:] == [b"again"])
    member.close()
    again = Member(tmp_path).lead()
    assert again.applied == [*kept, b"again"]
    again.close()
