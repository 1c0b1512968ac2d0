"""`flurm wire check`: what it says of recordings that are in order, wrong, foreign or broken."""

from __future__ import annotations

import json

import pytest

from flurm.client.recordings import COLUMNS
from protocol.codec import encode_body
from protocol.constants import HeaderFlag, MessageType
from protocol.frame import Frame, encode_frame
from protocol.messages import ConfigFile, ConfigResponse, DbdMessages, PersistInit, PersistReply
from protocol.versions import Version
from tests.protocol.wire_data import DATA, RECORDED_VERSIONS, recorded_frames
from tests.wire.recordings import prefixed, rows, wire, write

PING = prefixed(recorded_frames("24.11")[0])


def last_line(result) -> str:
    return result.stdout.splitlines()[-1]


@pytest.mark.parametrize("version", RECORDED_VERSIONS)
def test_bare_frames_are_all_exact(version):
    count = len(recorded_frames(version))
    done = wire("check", DATA / f"frames-{version}.bin")
    assert (done.exit_code, last_line(done)) == (0, f"frames {count} exact {count}")
    assert f"{version}   all" in done.stdout


def test_a_directory_is_searched_and_both_layouts_of_meta_json_are_read(tmp_path):
    frames = [prefixed(frame) for frame in recorded_frames("24.11")[:4]]
    one = {"columns": COLUMNS, "frames": rows(("rpc", frames[0], "24.11"), ("rpc", frames[1], "24.11"))}
    write(tmp_path / "a" / "000-one", frames[0] + frames[1], one)
    first = {"name": "first", "frames": rows(("rpc", frames[2], "24.11"))}
    second = {"name": "second", "frames": rows(("rpc", frames[3], "24.11"), start=len(frames[2]))}
    write(tmp_path / "b", frames[2] + frames[3], {"columns": COLUMNS, "steps": [first, second]})
    assert last_line(wire("check", tmp_path)) == "frames 4 exact 4"


def test_a_byte_behind_the_layout_fails_with_its_place(tmp_path):
    body_length = int.from_bytes(PING[10:14], "big")
    longer = prefixed(PING[4:10] + (body_length + 1).to_bytes(4, "big") + PING[14:] + b"x")
    write(
        tmp_path, PING + longer, {"columns": COLUMNS, "frames": rows(("rpc", PING, "24.11"), ("rpc", longer, "24.11"))}
    )
    done = wire("check", tmp_path)
    assert (done.exit_code, last_line(done)) == (1, "frames 2 exact 1 failed 1")
    assert "frame 2: " in done.stdout and f"at byte {len(PING)}: 1 bytes behind the layout" in done.stdout


def test_a_byte_that_is_written_differently_is_named_with_its_field(tmp_path):
    """A truth value of 7 reads as true, which is written as 1."""
    record = ConfigResponse(config_files=[ConfigFile(exists=False, file_name="slurm.conf")])
    body = encode_body(MessageType.RESPONSE_CONFIG, record, Version.V24_11)
    good = encode_frame(Frame(MessageType.RESPONSE_CONFIG, Version.V24_11, HeaderFlag.NO_AUTH_CRED, body))
    at = len(good) - len(body) + 4
    data = good[:at] + b"\7" + good[at + 1 :]
    write(tmp_path, data, {"columns": COLUMNS, "frames": rows(("rpc", data, "24.11"))})
    (problem,) = json.loads(wire("check", tmp_path, "--json").stdout)["problems"]
    assert (problem["verdict"], problem["offset"], problem["frame"]) == ("differs", at, 1)
    assert (problem["message"], problem["version"], problem["field"]) == (
        "RESPONSE_CONFIG", "24.11", "config_files[0].exists",
    )  # fmt: skip


def test_a_persistent_connection_is_checked_in_the_version_that_its_ends_agreed_on(tmp_path):
    body = encode_body(MessageType.REQUEST_PERSIST_INIT, PersistInit(Version.V26_05, "c", 2, 6817), Version.V24_11)
    init = encode_frame(Frame(6500, Version.V24_11, HeaderFlag.NO_AUTH_CRED, body))
    opening = prefixed((6500).to_bytes(2, "big") + init[4:])
    reply = encode_body(MessageType.PERSIST_RC, PersistReply("", 0, 0, Version.V25_05), Version.V24_11)
    answer = prefixed((1433).to_bytes(2, "big") + reply)
    later = prefixed((8001).to_bytes(2, "big") + bytes(4))
    write(tmp_path, opening + answer + later, None)
    found = json.loads(wire("check", tmp_path, "--json").stdout)
    assert [(row["message"], row["version"], row["exact"]) for row in found["messages"]] == [
        ("PERSIST_RC", "24.11", 1),
        ("REQUEST_PERSIST_INIT", "24.11", 1),
        ("RESPONSE_SLURM_RC", "25.05", 1),
    ]


@pytest.mark.parametrize(
    ("kind", "data", "last"),
    [
        ("io_init", bytes.fromhex("00000014 2600 00000001 00000001 00000001 00000002 6b6b"), "exact 1"),
        ("io_init", bytes.fromhex("00000014 2a00 00000001 00000001 00000001 00000002 6b00"), "exact 1"),
        ("io", bytes.fromhex("000100000000000000036e310a"), "exact 1"),
        ("io", bytes.fromhex("00010000000000000000"), "exact 1"),
        ("io", bytes.fromhex("00010000000000000004 6e310a"), "exact 0 failed 1"),
        ("io", bytes.fromhex("0001000000"), "exact 0 failed 1"),
    ],
)  # fmt: skip
def test_streams_of_tasks_are_checked_packet_by_packet(tmp_path, kind, data, last):
    write(tmp_path, data, {"columns": COLUMNS, "frames": rows((kind, data, None))})
    assert last_line(wire("check", tmp_path)) == f"frames 1 {last}"


def test_messages_inside_messages_are_checked_too(tmp_path):
    def backlog(fini: bytes) -> bytes:
        items = DbdMessages(items=[(1401).to_bytes(2, "big") + fini])
        return prefixed((1474).to_bytes(2, "big") + encode_body(1474, items, Version.V24_11))

    good, short = backlog(b"\0\0\0\1"), backlog(b"\0")
    write(tmp_path, good + short, {"frames": rows(("persist", good, "24.11"), ("persist", short, "24.11"))})
    done = wire("check", tmp_path)
    assert last_line(done) == "frames 2 exact 1 failed 1"
    assert "items[0].DBD_FINI" in done.stdout
    assert "DBD_FINI (1401): DbdFini" in wire("decode", tmp_path).stdout


def test_what_nobody_knows_is_unchecked_and_not_called_right(tmp_path):
    foreign = prefixed(b"whatever")
    named = rows(("rpc", PING, "24.11"), ("telepathy", foreign, None), ("persist", PING, None))
    write(tmp_path, PING + foreign + PING, {"columns": COLUMNS, "frames": named})
    done = wire("check", tmp_path)
    assert (done.exit_code, last_line(done)) == (1, "frames 3 exact 1 unchecked 2")
    assert "no reader for messages of kind 'telepathy'" in done.stdout


def test_columns_may_be_missing_foreign_or_in_another_order(tmp_path):
    meta = {"columns": ["mood", "len", "off"], "frames": [["good", len(PING), 0]]}
    write(tmp_path / "a", PING, meta)
    write(tmp_path / "b", PING, {"frames": [{"off": 0, "len": len(PING), "version": "99.99", "kind": None}]})
    write(tmp_path / "c", PING, {"columns": COLUMNS, "frames": []})
    write(tmp_path / "d", PING, None)
    assert last_line(wire("check", tmp_path)) == "frames 4 exact 4"


@pytest.mark.parametrize("meta", ["no json", '{"frames": [[0, 99999]], "columns": ["off", "len"]}'])
def test_a_recording_that_makes_no_sense_is_a_problem_and_the_others_are_checked_all_the_same(tmp_path, meta):
    write(tmp_path / "bad", PING, None)
    (tmp_path / "bad" / "meta.json").write_text(meta)
    write(tmp_path / "good", PING, None)
    done = wire("check", tmp_path)
    assert (done.exit_code, last_line(done)) == (1, "frames 1 exact 1")
    assert "meta.json" in done.stdout


def test_a_stream_that_ends_inside_a_frame_is_not_exact(tmp_path):
    (tmp_path / "cut.bin").write_bytes(PING + PING[:30])
    done = wire("check", tmp_path / "cut.bin")
    assert (done.exit_code, last_line(done)) == (1, "frames 2 exact 1 failed 1")


def test_a_directory_without_frames_is_an_error(tmp_path):
    done = wire("check", tmp_path)
    assert done.exit_code == 1 and "no frames.bin" in done.stderr
