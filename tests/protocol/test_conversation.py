"""What travels on a connection is cut into messages of the right kind, however the bytes arrive."""

from __future__ import annotations

import pytest

from protocol.codec import encode_body
from protocol.constants import HeaderFlag, MessageType
from protocol.conversation import Conversation
from protocol.frame import Frame, encode_frame
from protocol.messages import PersistInit, PersistReply, ReturnCode
from protocol.versions import Version
from tests.protocol.wire_data import RECORDED_VERSIONS, recorded_frames

IO_INIT = bytes.fromhex("00000020 2600 00000001 00000001 00000001 0000000e 66616b65207369676e6174757265")
STDOUT = bytes.fromhex("0001 0000 0000 00000003") + b"n1\n"


def prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def numbered(number: int, body: bytes) -> bytes:
    return prefixed(number.to_bytes(2, "big") + body)


def opening(number: int = MessageType.REQUEST_PERSIST_INIT, version: int = Version.V24_11) -> bytes:
    body = encode_body(number, PersistInit(Version.V26_05, "c", 2, 6817), version)
    return encode_frame(Frame(number, version, HeaderFlag.NO_AUTH_CRED, body))


def accepted(version: int, rc: int = 0) -> bytes:
    return numbered(MessageType.PERSIST_RC, encode_body(1433, PersistReply("", 0, rc, version), Version.V24_11))


def seen(*sent: tuple[str, bytes]) -> list[tuple]:
    conversation = Conversation()
    pieces = [piece for direction, data in sent for piece in conversation.feed(direction, data)]
    pieces += conversation.finish()
    assert b"".join(piece.data for piece in pieces) == b"".join(data for _, data in sent)
    return [(piece.direction, piece.kind, piece.name, piece.version) for piece in pieces]


@pytest.mark.parametrize("version", RECORDED_VERSIONS)
def test_recorded_frames_are_frames(version):
    number = Version["V" + version.replace(".", "_")]
    for frame in recorded_frames(version):
        ((_, kind, _, found),) = seen(("c2s", prefixed(frame)))
        assert (kind, found) == ("rpc", number)


def test_bytes_that_trickle_in_give_the_same_messages():
    data = prefixed(recorded_frames("24.11")[0])
    trickle = [("c2s", data[at : at + 1]) for at in range(len(data))]
    assert seen(*trickle) == seen(("c2s", data))


@pytest.mark.parametrize("dbd", [True, False], ids=["to the accounting daemon", "between controllers"])
def test_after_an_opening_messages_have_no_header_and_the_version_that_was_agreed_on(dbd):
    frame = opening()
    first = prefixed((6500).to_bytes(2, "big") + frame[4:]) if dbd else frame
    later = numbered(MessageType.RESPONSE_SLURM_RC, encode_body(8001, ReturnCode(0), Version.V25_05))
    assert seen(("c2s", first), ("s2c", accepted(Version.V25_05)), ("c2s", later), ("s2c", later)) == [
        ("c2s", "dbd_init" if dbd else "rpc", "REQUEST_PERSIST_INIT", Version.V24_11),
        ("s2c", "persist", "PERSIST_RC", Version.V24_11),
        ("c2s", "persist", "RESPONSE_SLURM_RC", Version.V25_05),
        ("s2c", "persist", "RESPONSE_SLURM_RC", Version.V25_05),
    ]


def test_an_opening_that_was_refused_changes_no_version():
    first = prefixed((6500).to_bytes(2, "big") + opening()[4:])
    found = seen(("c2s", first), ("s2c", accepted(6500, rc=1007)), ("s2c", accepted(6500, rc=1007)))
    assert [version for _, _, _, version in found] == [Version.V24_11] * 3


def test_a_message_without_header_is_nothing_where_no_connection_was_opened():
    assert seen(("c2s", accepted(Version.V24_11))) == [("c2s", "stream", None, None)]


def test_an_introduction_turns_both_directions_into_packets():
    stdin = bytes.fromhex("0003 0000 ffff 00000000")
    assert seen(("c2s", IO_INIT + STDOUT[:7]), ("c2s", STDOUT[7:] + STDOUT), ("s2c", stdin)) == [
        ("c2s", "io_init", "IO_INIT", Version.V22_05),
        ("c2s", "io", "IO_STDOUT", Version.V22_05),
        ("c2s", "io", "IO_STDOUT", Version.V22_05),
        ("s2c", "io", "IO_ALLSTDIN", Version.V22_05),
    ]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", id="TLS"),
        pytest.param(b"\xff\xff\xff\xff\x2a\x00\x00\x00", id="a length beyond the limit"),
        pytest.param(b"hi", id="too little to tell"),
        pytest.param(prefixed(recorded_frames("24.11")[0])[:-1], id="a frame that is cut short"),
    ],
)
def test_what_is_no_message_is_kept_as_a_stream(data):
    assert seen(("c2s", data)) == [("c2s", "stream", None, None)]


def test_a_frame_behind_garbage_stays_with_it():
    conversation = Conversation()
    conversation.feed("c2s", b"GET / HTTP/1.1\r\n\r\n")
    (piece,) = conversation.feed("c2s", prefixed(recorded_frames("24.11")[0]))
    assert piece.kind == "stream"
