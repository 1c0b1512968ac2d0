"""`flurm wire decode`: frames as text and as JSON, whole, cut short and broken."""

from __future__ import annotations

import json

import pytest

from protocol.codec import encode_body
from protocol.constants import HeaderFlag, MessageType
from protocol.frame import Frame, encode_frame
from protocol.messages import JobInfo, JobInfoResponse
from protocol.versions import Version
from tests.protocol.wire_data import DATA, RECORDED_VERSIONS, recorded_frames
from tests.wire.recordings import prefixed, wire

REQUEST = recorded_frames("24.11")[0]
KEY = ("--key", DATA / "munge.key")


def jobs(count: int = 1, **fields: object) -> bytes:
    """A reply with jobs, without credential."""
    record = JobInfoResponse(count, jobs=[JobInfo(**fields) for _ in range(count)])
    body = encode_body(MessageType.RESPONSE_JOB_INFO, record, Version.V24_11)
    return encode_frame(Frame(MessageType.RESPONSE_JOB_INFO, Version.V24_11, HeaderFlag.NO_AUTH_CRED, body))


@pytest.mark.parametrize("version", RECORDED_VERSIONS)
def test_every_recorded_frame_can_be_printed_both_ways(version):
    count = len(recorded_frames(version))
    text = wire("decode", DATA / f"frames-{version}.bin", *KEY)
    assert (text.exit_code, text.stdout.count("\n  body: ")) == (0, count)
    found = wire("decode", DATA / f"frames-{version}.bin", *KEY, "--json")
    assert [json.loads(line)["version"] for line in found.stdout.splitlines()] == [version] * count


def test_the_credential_is_opened_with_the_key_and_its_hash_compared():
    text = wire("decode", "-", *KEY, stdin=prefixed(REQUEST)).stdout
    assert "ttl: 300 s" in text and "body_hash: k12, ok" in text and "uid: " in text
    foreign = bytearray(jobs(1)[4:])
    assert "credential" not in wire("decode", "-", stdin=bytes(foreign)).stdout
    other = REQUEST[:6] + b"\0\0\0\0" + REQUEST[10:]
    assert other
    without = wire("decode", "-", stdin=prefixed(REQUEST)).stdout
    assert "token: MUNGE:" in without and "ttl" not in without


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(prefixed(REQUEST), id="with its length"),
        pytest.param(REQUEST, id="without its length"),
        pytest.param(prefixed(REQUEST).hex(" ", 2).encode() + b"\n", id="in hexadecimal"),
        pytest.param(REQUEST.hex().encode(), id="in hexadecimal without its length"),
    ],
)
def test_a_frame_is_recognised_in_every_shape(shape):
    (line,) = wire("decode", "-", "--json", stdin=shape).stdout.splitlines()
    assert json.loads(line)["header"]["version"] == Version.V24_11


def test_numbers_have_their_names_units_and_times():
    data = jobs(1, job_state=0x8001, time_limit=60, end_time=1795346621, priority=0xFFFFFFFE)
    text = wire("decode", "-", stdin=data).stdout
    for line in (
        "flags: NO_AUTH_CRED (0x0040)",
        "job_state: RUNNING|COMPLETING (0x8001)",
        "time_limit: 60 min",
        "end_time: 2026-11-22T11:23:41Z (1795346621)",
        "priority: NO_VAL (0xfffffffe)",
    ):
        assert line in text
    body = json.loads(wire("decode", "-", "--json", stdin=data).stdout)["body"]
    assert body["jobs"][0]["job_state"] == {"value": 0x8001, "name": ["RUNNING", "COMPLETING"]}
    assert body["jobs"][0]["time_limit"] == 60


def test_long_lists_are_shortened_unless_all_is_wanted():
    assert "... 6 more (--all shows them)" in wire("decode", "-", stdin=jobs(10)).stdout
    assert wire("decode", "-", "--all", stdin=jobs(10)).stdout.count("job_state") == 10


def test_a_body_that_ends_too_early_is_shown_up_to_there():
    data = jobs(2, account="physics", name="a name")
    cut = prefixed(data[4:-8])
    done = wire("decode", "-", stdin=cut)
    assert done.exit_code == 1
    assert done.stdout.count('account: "physics"') == 2
    assert "[0]: JobInfo" in done.stdout and "...: JobInfo, the one that cannot be read" in done.stdout
    assert "cannot be decoded: RESPONSE_JOB_INFO.jobs[1]." in done.stdout
    assert "^^ byte " in done.stdout
    error = json.loads(wire("decode", "-", "--json", stdin=cut).stdout)["error"]
    assert error["field"].startswith("jobs[1].") and error["offset"] <= len(cut)


def test_a_wrong_length_in_the_header_is_told_and_the_body_shown_all_the_same():
    data = jobs(1, name="a name")
    done = wire("decode", "-", stdin=data[:10] + b"\0\0\0\1" + data[14:])
    assert done.exit_code == 1
    assert 'name: "a name"' in done.stdout and "1 bytes announced" in done.stdout


def test_garbage_is_dumped_and_not_taken_for_anything():
    done = wire("decode", "-", stdin=b"GET / HTTP/1.1\r\n\r\n")
    assert done.exit_code == 1
    assert "47 45 54 20 2f" in done.stdout and "GET / HTTP/1.1" in done.stdout


def test_one_message_of_many_can_be_picked():
    (line,) = wire("decode", DATA / "frames-24.11.bin", "--frame", 3, "--json").stdout.splitlines()
    assert json.loads(line)["number"] == 3
