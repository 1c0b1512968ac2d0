"""What a crash leaves, and what no crash leaves."""

import contextlib
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flurm.storage.errors import CorruptLog
from flurm.storage.records import HEADER_SIZE, RECORD_OVERHEAD
from flurm.storage.segments import SegmentLog
from tests.storage.builders import LossyDevice, PowerLost, content, entries, entry, log_with

RECORD = RECORD_OVERHEAD + 20


def test_a_last_record_torn_at_any_byte_is_cut_off_and_the_log_goes_on(tmp_path):
    whole = log_with(tmp_path / "whole", entries(1, 3), [entry(4, b"last")]).read_bytes()
    kept = len(whole) - RECORD_OVERHEAD - len(b"last")
    for size in range(kept, len(whole)):
        path = log_with(tmp_path / f"{size}")
        path.write_bytes(whole[:size])
        log = SegmentLog(path.parent)
        assert content(log) == entries(1, 3)
        assert (log.torn and log.torn.length) == (len(whole[kept:size].rstrip(b"\0")) or None)
        log.append([entry(4, b"new")])
        log.close()
        log = SegmentLog(path.parent)
        assert (log.torn, log.last_index) == (None, 4)
        log.close()


def test_a_last_record_with_any_bit_flipped_is_cut_off_and_reported(tmp_path):
    path = log_with(tmp_path, entries(1, 3), [entry(4, b"last")])
    whole = path.read_bytes()
    kept = len(whole) - RECORD_OVERHEAD - len(b"last")
    for position in range(kept, len(whole)):
        path.write_bytes(flipped(whole, position))
        log = SegmentLog(tmp_path)
        assert (log.last_index, log.torn.offset) == (3, kept)
        log.close()


def test_a_bit_flipped_before_the_last_record_is_refused_and_nothing_is_changed(tmp_path):
    path = log_with(tmp_path, *[[one] for one in entries(1, 4)])
    whole = path.read_bytes()
    for position in range(HEADER_SIZE, len(whole) - RECORD):
        damaged = flipped(whole, position)
        path.write_bytes(damaged)
        with pytest.raises(CorruptLog) as caught:
            SegmentLog(tmp_path)
        offset = HEADER_SIZE + (position - HEADER_SIZE) // RECORD * RECORD
        assert (caught.value.path, caught.value.offset) == (path, offset)
        assert "expected" in str(caught.value) and "found" in str(caught.value) and "Restore" in str(caught.value)
        assert path.read_bytes() == damaged


def test_a_flipped_bit_inside_the_last_batch_is_no_torn_write_and_is_refused(tmp_path):
    path = log_with(tmp_path, entries(1, 2), entries(3, 6, size=400))
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, whole.index(b"4.....") + 100))
    with pytest.raises(CorruptLog, match="yet entry 5 behind it is readable"):
        SegmentLog(tmp_path)


def test_a_last_batch_whose_middle_sectors_were_never_written_is_cut_off_as_a_whole(tmp_path):
    path = log_with(tmp_path, entries(1, 2), entries(3, 6, size=2000))
    whole = path.read_bytes()
    path.write_bytes(whole[:1024] + bytes(1024) + whole[2048:])
    log = SegmentLog(tmp_path)
    assert content(log) == entries(1, 2)
    assert log.torn.length == 4 * (2000 + RECORD_OVERHEAD)


def test_a_last_batch_is_cut_off_where_the_sector_with_its_first_bytes_alone_was_never_written(tmp_path):
    filling = entry(1, b"." * (512 - 43 - HEADER_SIZE - RECORD_OVERHEAD))
    path = log_with(tmp_path, [filling], entries(2, 5, size=40))
    whole = path.read_bytes()
    path.write_bytes(whole[: 512 - 43] + bytes(43) + whole[512:])
    log = SegmentLog(tmp_path)
    assert (content(log), log.torn.offset) == ([filling], 512 - 43)


def test_sectors_missing_before_a_later_batch_are_corruption_for_that_batch_proves_they_were_durable(tmp_path):
    path = log_with(tmp_path, entries(1, 2), entries(3, 6, size=2000), [entry(7)])
    whole = path.read_bytes()
    path.write_bytes(whole[:1024] + bytes(4096) + whole[5120:7700] + bytes(400) + whole[8100:])
    with pytest.raises(CorruptLog):
        SegmentLog(tmp_path)


def test_zeros_behind_the_last_record_are_room_that_was_not_used(tmp_path):
    path = log_with(tmp_path, entries(1, 3), [entry(4, bytes(100))])
    path.write_bytes(path.read_bytes() + bytes(10_000))
    log = SegmentLog(tmp_path)
    assert (content(log), log.torn) == ([*entries(1, 3), entry(4, bytes(100))], None)
    log.append(entries(5, 5))
    log.close()
    assert content(SegmentLog(tmp_path))[4:] == entries(5, 5)


def test_a_segment_has_its_full_length_while_it_is_written_and_no_more_than_it_needs_after(tmp_path):
    log = SegmentLog(tmp_path, segment_bytes=50_000)
    path = next(tmp_path.glob("log-*.seg"))
    log.append(entries(1, 3))
    assert path.stat().st_size == 50_000
    log.append(entries(4, 4, size=49_900))
    assert path.stat().st_size == HEADER_SIZE + 3 * RECORD
    log.close()
    assert [one.stat().st_size for one in sorted(tmp_path.glob("log-*.seg"))][
        1
    ] == HEADER_SIZE + RECORD_OVERHEAD + 49_900


def test_what_follows_a_torn_batch_in_a_segment_of_full_length_is_judged_as_without_the_room_behind_it(tmp_path):
    path = log_with(tmp_path, entries(1, 2), entries(3, 6, size=2000))
    whole = path.read_bytes()
    path.write_bytes(whole[:1024] + bytes(1024) + whole[2048:] + bytes(1024 * 1024))
    log = SegmentLog(tmp_path)
    assert content(log) == entries(1, 2)
    assert log.torn.length == 4 * (2000 + RECORD_OVERHEAD)
    log.close()
    path.write_bytes(flipped(whole, whole.index(b"4.....") + 100) + bytes(1024 * 1024))
    with pytest.raises(CorruptLog, match="yet entry 5 behind it is readable"):
        SegmentLog(tmp_path)


def test_room_behind_an_earlier_segment_does_no_harm_and_hides_no_loss(tmp_path):
    log_with(tmp_path, *[[one] for one in entries(1, 10, size=100)], segment_bytes=300)
    first = min(tmp_path.glob("log-*.seg"))
    whole = first.read_bytes()
    first.write_bytes(whole + bytes(5000))
    log = SegmentLog(tmp_path, segment_bytes=300)
    assert content(log) == entries(1, 10, size=100)
    log.close()
    first.write_bytes(whole[: -RECORD_OVERHEAD - 100].ljust(len(whole), b"\0"))
    with pytest.raises(CorruptLog, match="expected the segment that begins with entry 2, found 3"):
        SegmentLog(tmp_path)


@pytest.mark.parametrize("seed", range(15))
def test_after_a_power_cut_at_any_step_all_that_was_reported_is_there_and_nothing_that_was_not_written(tmp_path, seed):
    chance, device = random.Random(seed), LossyDevice()
    log = SegmentLog(tmp_path, segment_bytes=20_000, device=device)
    reported, batches, device.lives = 0, [], chance.randrange(40)
    with contextlib.suppress(PowerLost):
        while True:
            first = log.last_index + 1
            batches.append(entries(first, first + chance.randrange(6), size=chance.choice([30, 900, 4000])))
            log.append(batches[-1])
            reported = log.last_index
    device.power_cut(chance)
    again = SegmentLog(tmp_path, segment_bytes=20_000)
    held = content(again)
    assert again.last_index >= reported
    assert held == [one for batch in batches for one in batch][: len(held)]
    again.append(entries(again.last_index + 1, again.last_index + 3))
    again.close()
    assert content(SegmentLog(tmp_path, segment_bytes=20_000))[: len(held)] == held


def test_a_torn_tail_is_really_gone_and_not_only_written_over(tmp_path):
    path = log_with(tmp_path, entries(1, 3), [entry(4, b"x" * 1000)])
    path.write_bytes(path.read_bytes()[:-1])
    log = SegmentLog(tmp_path)
    log.append([entry(4, b"short")])
    log.close()
    log = SegmentLog(tmp_path)
    assert (log.torn, log.last_index) == (None, 4)


@pytest.mark.parametrize("damage", ["cut", "flip", "append"])
def test_any_damage_to_an_earlier_segment_is_refused(tmp_path, damage):
    log_with(tmp_path, *[[one] for one in entries(1, 10, size=100)], segment_bytes=300)
    first = min(tmp_path.glob("log-*.seg"))
    whole = first.read_bytes()
    damaged = {"cut": whole[:-1], "flip": flipped(whole, len(whole) - 1), "append": whole + b"x"}[damage]
    first.write_bytes(damaged)
    with pytest.raises(CorruptLog):
        SegmentLog(tmp_path)


def test_a_missing_segment_is_refused_and_named(tmp_path):
    log_with(tmp_path, *[[one] for one in entries(1, 10, size=100)], segment_bytes=300)
    sorted(tmp_path.glob("log-*.seg"))[1].unlink()
    with pytest.raises(CorruptLog, match="expected the segment that begins with entry 3, found 5"):
        SegmentLog(tmp_path)


def test_a_segment_whose_creation_was_cut_short_is_removed(tmp_path):
    first = log_with(tmp_path, entries(1, 3))
    for size in range(HEADER_SIZE):
        second = tmp_path / "log-00000000000000000004.seg"
        second.write_bytes(first.read_bytes()[:size])
        log = SegmentLog(tmp_path)
        assert (content(log), log.torn.path) == (entries(1, 3), str(second))
        assert not second.exists()
        log.close()


APPENDER = """
import sys
from pathlib import Path
from flurm.raft.records import Entry, EntryKind
from flurm.storage.segments import SegmentLog

log = SegmentLog(Path(sys.argv[1]), segment_bytes=20_000)
while True:
    first = log.last_index + 1
    log.append([Entry(first + n, 1, EntryKind.COMMAND, b"%d" % (first + n)) for n in range(first % 5 + 1)])
    print(log.last_index, flush=True)
"""


def test_everything_acknowledged_before_kill_9_is_there_after_it(tmp_path):
    acknowledged = 0
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        lines = [child.stdout.readline() for _ in range(60)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
        child.wait(timeout=10)
        acknowledged = max(int(line) for line in lines if line.endswith("\n"))
        log = SegmentLog(tmp_path, segment_bytes=20_000)
        assert log.last_index >= acknowledged
        assert [int(one.payload) for one in content(log)] == list(range(1, log.last_index + 1))
        log.close()
    assert acknowledged > 300


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    """The directory of a log of ten entries in two-entry segments."""
    directory = tmp_path_factory.mktemp("ten")
    log_with(directory, *[[one] for one in entries(1, 10, size=100)], segment_bytes=300)
    return directory


def power_cut_while(ten, directory, monkeypatch, seed, lives, change):
    """A copy of that log whose power went at some step of ``change``, opened again."""
    shutil.copytree(ten, directory, dirs_exist_ok=True)
    device = LossyDevice()
    log = SegmentLog(directory, segment_bytes=300, device=device)

    def sync_directory(path):
        device.live()

    device.lives = lives
    monkeypatch.setattr("flurm.storage.segments.sync_directory", sync_directory)
    with contextlib.suppress(PowerLost):
        change(log)
    monkeypatch.undo()
    device.power_cut(random.Random(seed))
    log.close()
    return SegmentLog(directory, segment_bytes=300)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("lives", range(11))
@pytest.mark.parametrize("first", [2, 10])
def test_a_power_cut_while_a_suffix_is_replaced_leaves_old_or_new_or_neither_but_no_mixture(
    ten, tmp_path, monkeypatch, first, lives, seed
):
    old, new = entries(1, 10, size=100), entries(first, first + 3, size=1000, term=2)
    log = power_cut_while(ten, tmp_path, monkeypatch, seed, lives, lambda log: log.replace(new))
    held = content(log)
    kept = old[: first - 1]
    assert held[: len(kept)] == kept
    rest = held[len(kept) :]
    assert rest in (new, old[len(kept) : len(held)])
    log.replace(new)
    log.close()
    assert content(SegmentLog(tmp_path, segment_bytes=300)) == kept + new


@pytest.mark.parametrize("lives", range(8))
def test_a_power_cut_while_a_log_is_begun_anew_leaves_a_log_without_holes(ten, tmp_path, monkeypatch, lives):
    log = power_cut_while(ten, tmp_path, monkeypatch, lives, lives, lambda log: log.reset(50, 3))
    assert content(log) == entries(1, log.last_index, size=100) or log.base == (50, 3)


@pytest.mark.parametrize("lives", range(5))
def test_a_power_cut_while_a_prefix_goes_leaves_a_log_without_holes(ten, tmp_path, monkeypatch, lives):
    log = power_cut_while(ten, tmp_path, monkeypatch, lives, lives, lambda log: log.truncate_prefix(9))
    assert content(log) == entries(log.first_index, 10, size=100)


def flipped(data, position):
    return data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]
