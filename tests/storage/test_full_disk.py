"""Disks that are full and disks that fail."""

import errno
import os
import resource
import shutil
import subprocess
import sys

import pytest

from flurm.storage.errors import LogPoisoned, StorageError, StorageFull
from flurm.storage.segments import SegmentLog
from tests.storage.builders import FailingDevice, content, entries


def test_an_append_that_finds_no_room_leaves_nothing_behind_and_the_next_one_works(tmp_path):
    device = FailingDevice()
    log = SegmentLog(tmp_path, device=device)
    log.append(entries(1, 3))
    for room in (0, 1, 30, 100):
        size = log.size
        device.room = room
        with pytest.raises(StorageFull, match="No space left"):
            log.append(entries(4, 6))
        device.room = None
        assert (log.last_index, log.size) == (3, size)
        assert next(tmp_path.glob("*.seg")).stat().st_size == size
    log.append(entries(4, 4))
    log.close()
    log = SegmentLog(tmp_path)
    assert (content(log), log.torn) == (entries(1, 4), None)


def test_no_room_for_the_next_segment_is_a_full_disk_and_not_the_end(tmp_path):
    device = FailingDevice()
    log = SegmentLog(tmp_path, segment_bytes=200, device=device)
    log.append(entries(1, 4))
    device.room = 10
    with pytest.raises(StorageFull):
        log.append(entries(5, 5, size=100))
    assert len(list(tmp_path.glob("*.seg"))) == 1
    device.room = None
    log.append(entries(5, 5, size=100))
    assert content(log) == entries(1, 4) + entries(5, 5, size=100)


def test_a_device_that_fails_to_write_is_told_from_one_that_is_full(tmp_path):
    device = FailingDevice()
    device.error = errno.EIO
    log = SegmentLog(tmp_path, device=device)
    device.room = 0
    with pytest.raises(StorageError) as caught:
        log.append(entries(1, 1))
    assert not isinstance(caught.value, StorageFull)
    device.room = None
    log.append(entries(1, 1))


@pytest.mark.parametrize("what", ["sync", "truncate"])
def test_after_a_failed_sync_or_cut_nothing_is_written_until_the_log_is_opened_anew(tmp_path, what):
    device = FailingDevice()
    log = SegmentLog(tmp_path, device=device)
    log.append(entries(1, 3))
    if what == "sync":
        device.sync_fails = True
    else:
        device.room, device.truncate_fails = 40, True
    with pytest.raises(LogPoisoned):
        log.append(entries(4, 5))
    device.sync_fails, device.truncate_fails, device.room = False, False, None
    assert log.last_index == 3
    with pytest.raises(LogPoisoned, match="open it anew"):
        log.append(entries(4, 5))
    log.close()
    log = SegmentLog(tmp_path)
    assert content(log)[:3] == entries(1, 3)
    log.append(entries(log.last_index + 1, 6))
    assert [one.index for one in content(log)] == [1, 2, 3, 4, 5, 6]


FILL = """
import sys
from pathlib import Path
from flurm.raft.records import Entry, EntryKind
from flurm.storage.errors import StorageFull
from flurm.storage.segments import SegmentLog

def entry(index):
    return Entry(index, 1, EntryKind.COMMAND, b"x" * 3000)

directory = Path(sys.argv[1])
log = SegmentLog(directory)
{before}
try:
    while True:
        log.append([entry(log.last_index + 1)])
except StorageFull as error:
    print("full at", log.last_index)
held = log.last_index
{room}
log.append([entry(held + 1)])
log.close()
log = SegmentLog(directory)
assert log.torn is None, log.torn
assert [one.index for one in log.read(1, log.last_index)] == list(range(1, held + 2))
print("went on at", log.last_index)
"""


def run_fill(before, room, directory, prefix=()):
    script = FILL.format(before=before, room=room)
    run = [*prefix, sys.executable, "-c", script, str(directory)]
    return subprocess.run(run, capture_output=True, text=True, timeout=60)


def test_a_file_size_limit_is_met_like_a_full_disk(tmp_path):
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); hard = {}; " + (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))"
    )
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    room = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({hard}, {hard}))"
    done = run_fill(limit.format(hard), room, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["full at 33", "went on at 34"]


def test_a_file_system_without_room_refuses_and_serves_again_when_there_is_some(tmp_path):
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare to mount a small file system of its own")
    mount = f"mount -t tmpfs -o size=400k none {tmp_path} && dd if=/dev/zero of={tmp_path}/ballast bs=1k count=200"
    prefix = ("unshare", "-m", "sh", "-c", f'{mount} 2>/dev/null && exec "$@"', "sh")
    done = run_fill("", "(directory.parent / 'ballast').unlink()", tmp_path / "log", prefix)
    assert done.returncode == 0, done.stderr
    assert "full at" in done.stdout and "went on at" in done.stdout
