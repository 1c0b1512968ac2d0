"""`flurm storage check` and `dump`: what they say of whole, half-written and damaged directories."""

import hashlib
import json

import pytest
from click.testing import CliRunner

from flurm.cli.main import group
from flurm.core import commands as c
from flurm.core import snapshot
from flurm.raft.records import Configuration, Entry, EntryKind, HardState
from flurm.storage.check import Severity, check
from flurm.storage.errors import StorageError
from flurm.storage.layout import Store
from flurm.storage.lock import StateDirLock
from tests.core.world import World

SCRIPT, IN_LOG = b"#!/bin/sh\ntrue\n", b"#!/bin/sh\nfalse\n"
MEMBERS = Configuration(voters=("a", "b"))


def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def directory(tmp_path):
    """Nine entries in several segments, a snapshot after the fifth, one script in a pack and one in the log."""
    world = World()
    world.submit(hold=True, script_digest=digest(SCRIPT))
    spec = c.JobSpec(name="j", user_id=1001, script_digest=digest(IN_LOG))
    world.do(c.SubmitJob(now_s=1, spec=spec, hold=True, blobs={digest(IN_LOG): IN_LOG}))
    early = World()
    assert early.log == world.log[: len(early.log)]
    store = Store(tmp_path / "state", segment_bytes=400)
    store.blobs.put(SCRIPT)
    log = [Entry(index, 3, EntryKind.COMMAND, c.encode(command)) for index, command in enumerate(world.log, 1)]
    log.append(Entry(len(log) + 1, 3, EntryKind.CONFIGURATION, MEMBERS.encode()))
    log.append(Entry(len(log) + 1, 3, EntryKind.NOOP))
    for entry in log:
        store.segments.append([entry])
    store.snapshots.write(len(early.log), 3, [snapshot.dump(early.cluster)], MEMBERS)
    store.hard_state.save(HardState(4, "a"))
    store.close()
    return tmp_path / "state"


def everything(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.name != "lock"}


def segments(directory):
    return sorted((directory / "raft").glob("log-*.seg"))


def damage(directory, **how):
    return [finding for finding in check(directory, **how).findings if finding.severity is Severity.DAMAGE]


def storage(*words):
    done = CliRunner().invoke(group, ["storage", *map(str, words)])
    return done.exit_code, done.output


def test_a_sound_directory_is_summed_up_and_not_changed(directory):
    before = everything(directory)
    report = check(directory)
    assert report.findings == []
    assert (report.facts["state"]["jobs"], report.facts["blobs"]["count"]) == (2, 1)
    assert (report.facts["log"]["last_index"], report.facts["hard_state"]["term"]) == (
        report.facts["state"]["index"],
        4,
    )
    status, told = storage("check", directory)
    assert (status, told.splitlines()[-1]) == (0, f"{directory}: nothing is damaged")
    assert everything(directory) == before


def test_a_torn_tail_is_told_and_is_no_damage(directory):
    last = segments(directory)[-1]
    size = last.stat().st_size
    last.write_bytes(last.read_bytes() + b"\x07" * 20)
    before = everything(directory)
    (finding,) = check(directory).findings
    assert (finding.severity, finding.file, finding.offset) == (Severity.NOTE, str(last), size)
    assert storage("check", directory)[0] == 0
    assert everything(directory) == before


def test_every_damaged_file_is_told_with_its_place_and_what_to_do(directory):
    first, second = segments(directory)[:2]
    pack = next((directory / "blobs" / "packs").glob("pack-*"))
    snap = next((directory / "snapshots").glob("*.snap"))
    for path in (first, second, pack, snap, directory / "raft" / "hard_state"):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = damage(directory)
    assert {finding.file for finding in found} >= {
        str(first),
        str(second),
        str(snap),
        str(directory / "raft/hard_state"),
    }
    assert all(finding.advice for finding in found)
    status, told = storage("check", directory)
    assert (status, told.splitlines()[-1]) == (1, f"{directory}: {len(found)} damaged")
    assert "offset" in told and "Restore" in told


def test_a_segment_that_is_missing_is_named(directory):
    segments(directory)[1].unlink()
    assert any("expected the segment that begins with entry" in finding.problem for finding in damage(directory))


def test_a_log_that_begins_after_the_snapshot_is_damage(directory):
    for path in (directory / "snapshots").iterdir():
        path.unlink()
    segments(directory)[0].unlink()
    assert ["as the first one" in finding.problem for finding in damage(directory)] == [True]


def test_a_hard_state_that_was_lost_is_missed(directory):
    (directory / "raft" / "hard_state").unlink()
    (finding,) = damage(directory)
    assert "expected term 3 or later, the file is missing" in finding.problem


def test_a_blob_that_a_job_needs_is_missed_and_one_in_the_log_is_not(directory):
    next((directory / "blobs" / "packs").glob("pack-*")).unlink()
    (finding,) = damage(directory)
    assert digest(SCRIPT) in finding.problem and finding.problem.endswith("needed by job 1")


def test_what_the_next_start_removes_is_told(directory):
    (directory / "raft" / "hard_state.1-2.tmp").write_bytes(b"")
    assert [finding.severity for finding in check(directory).findings] == [Severity.NOTE]


def test_a_directory_that_a_controller_holds_is_refused_unless_asked_for(directory):
    with StateDirLock(directory):
        status, told = storage("check", directory)
        assert status == 1 and "is in use by process" in told and "--running" in told
        status, told = storage("check", "--running", directory)
        assert status == 0 and "read beside a running controller" in told
        assert storage("dump", directory)[0] == 1
        assert storage("dump", "--running", directory)[0] == 0


def test_a_directory_without_state_is_an_error_and_stays_as_it_is(tmp_path):
    with pytest.raises(StorageError, match="holds no state"):
        check(tmp_path)
    for nothing in (tmp_path, tmp_path / "nowhere"):
        status, told = storage("check", nothing)
        assert (status, "holds no state" in told) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_check_has_all_of_it_as_json(directory):
    status, told = storage("check", "--json", directory)
    report = json.loads(told)
    assert (status, report["sound"], report["findings"]) == (0, True, [])
    assert report["facts"]["snapshots"][0]["configuration"]["voters"] == ["a", "b"]


def test_entries_are_dumped_with_their_commands_and_without_the_scripts(directory):
    status, told = storage("dump", "--json", directory)
    head, *rows = map(json.loads, told.splitlines())
    assert (status, head["snapshot"]["nodes"], head["snapshot"]["configuration"]["voters"]) == (0, 2, ["a", "b"])
    assert [row["index"] for row in rows] == list(range(1, len(rows) + 1))
    submitted = next(row for row in rows if "blobs" in row.get("command", {}))
    assert submitted["command"]["type"] == "SubmitJob"
    assert submitted["command"]["blobs"] == {digest(IN_LOG): f"{len(IN_LOG)} bytes"}
    assert [row["kind"] for row in rows[-2:]] == ["CONFIGURATION", "NOOP"]
    assert rows[-2]["configuration"]["voters"] == ["a", "b"]


def test_a_range_of_entries_or_the_newest_ones_can_be_asked_for(directory):
    def indexes(*words):
        return [int(line.split()[0]) for line in storage("dump", *words, directory)[1].splitlines()[1:]]

    every = indexes()
    assert indexes("--from", 3, "--to", 4) == [3, 4]
    assert indexes("--last", 2) == every[-2:]


def test_a_dump_of_a_damaged_log_prints_what_is_before_the_damage(directory):
    second = segments(directory)[1]
    second.write_bytes(second.read_bytes()[:-1])
    status, told = storage("dump", directory)
    assert status == 1 and f"{second} is damaged" in told
    assert told.splitlines()[1].split()[0] == "1"
