"""Frames: cutting streams, headers of all kinds, requests and replies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.auth import ANY, Signer, authenticate
from protocol.auth.munge import inspect
from protocol.codec import decode_body
from protocol.constants import HeaderFlag, MessageType
from protocol.errors import DecodeError, EncodeError
from protocol.exchange import make_reply, make_request
from protocol.frame import AuthSection, Forward, Frame, FrameReader, RetItem, decode_frame, encode_frame
from protocol.messages import PingResponse, ReturnCode
from protocol.versions import Version
from protocol.wire import Address
from tests.protocol.wire_data import DATA, KEY, recorded_frames

CONTROLLER = Signer(KEY, 64030, 64030)
ALICE = Signer(KEY, 1001, 1001)


@given(st.lists(st.integers(1, 400), max_size=40))
def test_frames_come_out_whole_however_the_stream_is_cut(cuts):
    frames = recorded_frames("22.05")[:10]
    stream = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    reader, got = FrameReader(), []
    for cut in cuts:
        reader.feed(stream[:cut])
        stream = stream[cut:]
        got.extend(reader)
    reader.feed(stream)
    assert [*got, *reader] == frames
    assert reader.pending == 0


def test_a_length_above_the_limit_is_refused_before_its_bytes_arrive():
    reader = FrameReader(limit=1000)
    reader.feed(b"\0\0\3")
    with pytest.raises(DecodeError, match="limit of 1000"):
        reader.feed(b"\xe9")


def test_a_reader_says_how_much_is_missing():
    reader = FrameReader()
    assert reader.missing == 4
    reader.feed(b"\0\0\0\5ab")
    assert (reader.missing, reader.next_frame()) == (3, None)


def test_a_second_frame_behind_the_first_is_checked_too():
    reader = FrameReader(limit=10)
    reader.feed(b"\0\0\0\1x\xff\xff\xff\xff")
    with pytest.raises(DecodeError):
        list(reader)


def test_a_header_of_20_11_is_understood_but_its_bodies_are_not():
    data = (DATA / "frame-20.11.bin").read_bytes()[4:]
    frame = decode_frame(data)
    assert (frame.version, frame.msg_type) == (0x2400, MessageType.REQUEST_NODE_REGISTRATION_STATUS)
    assert frame.forward is not None and frame.forward.nodes == "n4"
    assert authenticate(frame, KEY, inspect(KEY, frame.auth.token).encode_time_s)
    with pytest.raises(DecodeError, match="0x2400"):
        decode_body(frame.msg_type, frame.body, frame.version)


@pytest.mark.parametrize("version", (0x2300, 0x2601, 0x2E00, 0x4745, 0xFFFF))
def test_a_version_of_no_release_is_refused(version):
    with pytest.raises(DecodeError, match="unknown protocol version"):
        decode_frame(version.to_bytes(2, "big") + bytes(40))


@pytest.mark.parametrize("version", tuple(Version))
def test_a_frame_with_everything_comes_back(version):
    items = [RetItem("n1", MessageType.RESPONSE_SLURM_RC, 0, ReturnCode(5)), RetItem("n2", 9001, 11, None)]
    frame = Frame(
        MessageType.REQUEST_PING,
        version,
        int(HeaderFlag.USE_BCAST_NETWORK),
        b"",
        AuthSection(token="MUNGE:abc:"),
        Forward("n[1-2]", 10000, 16, count=2),
        items,
        Address("10.0.0.1", 6817),
    )
    assert decode_frame(encode_frame(frame)[4:]) == frame


def test_a_body_length_that_is_wrong_is_refused():
    data = make_request(MessageType.REQUEST_PING, None, Version.V24_11, ALICE, 1000)[4:]
    with pytest.raises(DecodeError, match="body_length"):
        decode_frame(data + b"x")


def test_a_frame_cannot_be_both_signed_and_unsigned():
    with pytest.raises(EncodeError, match="either"):
        encode_frame(Frame(MessageType.REQUEST_PING, Version.V24_11))


@pytest.mark.parametrize("version", tuple(Version))
def test_a_request_proves_its_sender(version):
    data = make_request(MessageType.REQUEST_PING, None, version, ALICE, 1000)
    frame = decode_frame(data[4:])
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    assert authenticate(frame, KEY, 1000).uid == 1001
    assert inspect(KEY, frame.auth.token).uid_restriction == ANY


def test_a_reply_to_22_05_is_signed_for_the_asking_user():
    request = decode_frame(make_request(MessageType.REQUEST_PING, None, Version.V22_05, ALICE, 1000)[4:])
    data = make_reply(
        request, MessageType.RESPONSE_SLURM_RC, ReturnCode(0), signer=CONTROLLER, now_s=1000, peer_uid=1001
    )
    reply = decode_frame(data[4:])
    assert reply.version == request.version
    assert authenticate(reply, KEY, 1000, reader_uids=(1001,)).uid == 64030
    assert inspect(KEY, reply.auth.token).uid_restriction == 1001


@pytest.mark.parametrize("version", tuple(Version)[1:])
def test_a_reply_to_later_releases_has_no_credential(version):
    request = decode_frame(make_request(MessageType.REQUEST_PING, None, version, ALICE, 1000, flags=1)[4:])
    reply = decode_frame(make_reply(request, MessageType.RESPONSE_SLURM_RC, ReturnCode(2002))[4:])
    assert reply.auth is None and reply.flags == HeaderFlag.NO_AUTH_CRED | HeaderFlag.GLOBAL_AUTH_KEY
    assert decode_body(reply.msg_type, reply.body, reply.version) == ReturnCode(2002)


def test_the_answer_of_a_node_to_a_ping_is_always_signed():
    request = decode_frame(make_request(MessageType.REQUEST_PING, None, Version.V24_11, CONTROLLER, 1000)[4:])
    answer = PingResponse(cpu_load=7)
    reply = decode_frame(
        make_reply(request, MessageType.RESPONSE_PING_SLURMD, answer, signer=Signer(KEY, 0, 0), now_s=1000)[4:]
    )
    assert authenticate(reply, KEY, 1000).uid == 0
    with pytest.raises(ValueError, match="needs a signer"):
        make_reply(request, MessageType.RESPONSE_PING_SLURMD, answer)
