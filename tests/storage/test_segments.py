"""The segment log: appending, cutting, rolling over, reading back."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flurm.raft.records import Entry, EntryKind
from flurm.storage.errors import StorageError
from flurm.storage.segments import SegmentLog
from tests.storage.builders import content, entries, entry, log_with


def test_what_was_appended_is_read_back_after_opening_anew(tmp_path):
    batches = [entries(1, 3), [entry(4, b"", kind=EntryKind.NOOP, term=2)], entries(5, 6, size=5000, term=2)]
    log_with(tmp_path, *batches)
    log = SegmentLog(tmp_path)
    assert content(log) == [one for batch in batches for one in batch]
    assert (log.last_index, log.last_term, log.torn) == (6, 2, None)


def test_a_full_segment_is_followed_by_the_next_one(tmp_path):
    log_with(tmp_path, *[[one] for one in entries(1, 10, size=100)], segment_bytes=300)
    assert len(list(tmp_path.glob("log-*.seg"))) == 5
    log = SegmentLog(tmp_path, segment_bytes=300)
    assert content(log) == entries(1, 10, size=100)
    assert list(log.read(4, 7)) == entries(4, 7, size=100)


def test_an_entry_that_leaves_a_gap_or_goes_back_in_term_is_not_taken(tmp_path):
    log = SegmentLog(tmp_path)
    log.append(entries(1, 2, term=3))
    for wrong in (entry(4, term=3), entry(2, term=3), entry(3, term=2)):
        with pytest.raises(ValueError, match="does not follow 2 of term 3"):
            log.append([wrong])
    assert log.last_index == 2


def test_a_suffix_that_another_leader_replaces_is_gone_across_segments(tmp_path):
    log = SegmentLog(tmp_path, segment_bytes=300)
    for one in entries(1, 10, size=100):
        log.append([one])
    log.truncate_suffix(4)
    log.append(entries(4, 5, size=100, term=2))
    expected = entries(1, 3, size=100) + entries(4, 5, size=100, term=2)
    assert content(log) == expected
    log.close()
    assert content(SegmentLog(tmp_path, segment_bytes=300)) == expected


def test_compaction_drops_whole_segments_and_keeps_what_is_after_the_snapshot(tmp_path):
    log = SegmentLog(tmp_path, segment_bytes=300)
    for one in entries(1, 10, size=100, term=4):
        log.append([one])
    log.truncate_prefix(5)
    assert (log.first_index, log.base) == (5, (4, 4))
    log.close()
    log = SegmentLog(tmp_path, segment_bytes=300)
    assert content(log) == entries(5, 10, size=100, term=4)
    with pytest.raises(StorageError, match="entries 4 to 6 are not all in the log, which has 5 to 10"):
        list(log.read(4, 6))


def test_a_log_that_was_reset_goes_on_after_the_snapshot(tmp_path):
    log = SegmentLog(tmp_path)
    log.append(entries(1, 5))
    log.reset(100, 7)
    log.append(entries(101, 102, term=7))
    log.close()
    log = SegmentLog(tmp_path)
    assert (log.base, content(log)) == ((100, 7), entries(101, 102, term=7))


class LogAgainstList(RuleBasedStateMachine):
    """Whatever is done to a log, it holds what a list would hold; opening it anew changes nothing."""

    @initialize()
    def begin(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.directory = Path(self.scratch.name)
        self.model: list[Entry] = []
        self.dropped = 0
        self.log = SegmentLog(self.directory, segment_bytes=400)

    @rule(payloads=st.lists(st.binary(max_size=200), max_size=4), new_term=st.booleans())
    def append(self, payloads, new_term):
        term = (self.model[-1].term if self.model else self.log.last_term) + new_term
        batch = [
            Entry(self.log.last_index + 1 + position, term, EntryKind.COMMAND, payload)
            for position, payload in enumerate(payloads)
        ]
        self.log.append(batch)
        self.model += batch

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def truncate_suffix(self, data):
        first = data.draw(st.integers(self.log.first_index, self.log.last_index + 2))
        self.log.truncate_suffix(first)
        self.model = [one for one in self.model if one.index < first]

    @rule(data=st.data())
    def truncate_prefix(self, data):
        upto = data.draw(st.integers(0, self.log.last_index))
        self.log.truncate_prefix(upto)
        assert self.log.first_index <= upto + 1 or self.log.first_index <= self.dropped + 1
        self.dropped = max(self.dropped, self.log.first_index - 1)
        self.model = [one for one in self.model if one.index > self.dropped]

    @rule()
    def open_anew(self):
        self.log.close()
        self.log = SegmentLog(self.directory, segment_bytes=400)
        assert self.log.torn is None

    @invariant()
    def holds_what_the_list_holds(self):
        assert content(self.log) == self.model
        if self.model:
            assert self.log.last_term == self.model[-1].term

    def teardown(self):
        self.log.close()
        self.scratch.cleanup()


TestLogAgainstList = LogAgainstList.TestCase
TestLogAgainstList.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
