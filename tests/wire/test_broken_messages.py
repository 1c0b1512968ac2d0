"""Whatever a recording holds: check gives a verdict, decode prints it, and neither ever falls over."""

from __future__ import annotations

import json
from random import Random

import pytest

from protocol.describe import lines, to_json
from protocol.describe_frame import describe_fault, describe_message, hexdump
from protocol.kinds import KINDS, Fault, Unreadable, check, read
from tests.protocol.wire_data import DATA, RECORDED_VERSIONS, recorded_frames
from tests.wire.recordings import prefixed

KEY = (DATA / "munge.key").read_bytes()
COUNTS = (b"\xff\xff\xff\xfe", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff")


def broken(random: Random, data: bytes) -> bytes:
    """The same with a few bits turned over, bytes missing, counts absurd."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(len(out) + 1)
        match random.randrange(4):
            case 0:
                out[at : at + 1] = bytes((random.randrange(256),))
            case 1:
                del out[at : at + random.randrange(8)]
            case 2:
                out[at : at + 4] = random.choice(COUNTS)
            case 3:
                del out[max(at, len(out) // 2) :]
    return bytes(out)


def printed(kind: str, data: bytes, version: int | None) -> str:
    try:
        nodes = describe_message(read(kind, data, version), KEY)
    except Fault as fault:
        nodes = describe_fault(fault, KEY)
        assert list(hexdump(data, fault.offset or 0))
    except Unreadable as error:
        return str(error)
    json.dumps([to_json(node) for node in nodes])
    return "\n".join(line for node in nodes for line in lines(node))


@pytest.mark.parametrize("kind", KINDS)
def test_broken_messages_get_a_verdict_and_can_be_printed(kind):
    random = Random(f"broken {kind}")
    frames = [frame for version in RECORDED_VERSIONS for frame in recorded_frames(version) if len(frame) < 2000]
    verdicts = set()
    for _ in range(250):
        data = broken(random, prefixed(random.choice(frames)))
        version = random.choice((None, 0x2A00, 0x2600, 77))
        verdicts.add(check(kind, data, version).verdict)
        printed(kind, data, version).encode()
    assert verdicts - {"exact"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b"\0\0\0\2\x2a\0", bytes(64)])
def test_next_to_nothing_is_never_exact_as_a_frame(kind, data):
    assert check(kind, data, 0x2A00).verdict != "exact" or (kind == "io" and len(data) == 10)
