"""The streams of steps: recorded conversations from both ends, and peers that talk nonsense."""

from __future__ import annotations

import pytest

from protocol import versions
from protocol.errors import DecodeError, EncodeError
from protocol.stdio import (
    ALL_TASKS,
    MAX_PAYLOAD,
    EndOfStream,
    Input,
    IoInit,
    Output,
    Packet,
    PacketType,
    SrunStreams,
    StepStreams,
    StreamError,
    Tested,
    decode_init,
    decode_packet,
    encode_init,
    encode_packet,
)
from protocol.versions import Version
from tests.protocol.wire_data import recorded_streams

RELEASES = ("22.05", "24.11", "26.05")
STDOUT, STDERR, STDIN = PacketType.STDOUT, PacketType.STDERR, PacketType.STDIN
KEY = "the signature of the credential"


def pair(tasks: tuple[int, ...] = (4, 7), version: int = Version.V24_11) -> tuple[SrunStreams, StepStreams]:
    """Both ends of the connection of a node with these tasks, opened."""
    key = KEY.encode() if version <= Version.V23_02 else KEY
    step = StepStreams(IoInit(version, 2, len(tasks), len(tasks), key), tasks)
    srun = SrunStreams(KEY, {2: tasks})
    srun.receive_data(step.open())
    assert srun.next_event() == step.init
    return srun, step


def said(end: SrunStreams | StepStreams, data: bytes) -> list:
    """The events that bytes give."""
    end.receive_data(data)
    events = []
    while (event := end.next_event()) is not None:
        events.append(event)
    return events


@pytest.mark.parametrize("release", RELEASES)
def test_recorded_packets_and_openings_are_written_again_byte_for_byte(release):
    seen = set()
    for conversation in recorded_streams(release):
        for mark, data in conversation:
            if mark == "^":
                assert encode_init(decode_init(data)) == data
            else:
                packet = decode_packet(data)
                assert encode_packet(packet) == data
                seen.add((packet.type, bool(packet.data)))
    assert {(kind, full) for kind in (0, 1, 2, 3) for full in (True, False)} <= seen


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_both_ends_go_through_recorded_conversations_and_say_what_the_real_ones_said(release, piece):
    for (_, opening), *packets in recorded_streams(release):
        init = decode_init(opening)
        decoded = [(mark, decode_packet(data), data) for mark, data in packets]
        tasks = _tasks_of(init, [packet for mark, packet, _ in decoded if mark == ">"])
        srun = SrunStreams(init.io_key or b"", {init.nodeid: tasks})
        step = StepStreams(init, tasks)
        assert step.open() == opening
        events = [event for part in _pieces(opening, piece) for event in said(srun, part)]
        assert events == [init]
        for mark, packet, data in decoded:
            receiver = srun if mark == ">" else step
            events = [event for part in _pieces(data, piece) for event in said(receiver, part)]
            assert len(events) == 1
            assert _say(srun, step, mark, packet) == data
        assert srun.pending == step.pending == 0


def _tasks_of(init: IoInit, packets: list[Packet]) -> tuple[int, ...]:
    """The node's tasks, as its packets name them; others are given numbers that nobody uses."""
    known = {packet.ltaskid: packet.gtaskid for packet in packets}
    count = max(init.stdout_objs, init.stderr_objs, *(place + 1 for place in known), 2)
    return tuple(known.get(place, place if not known else 1000 + place) for place in range(count))


def _say(srun: SrunStreams, step: StepStreams, mark: str, packet: Packet) -> bytes:
    if mark == ">":
        stream = PacketType(packet.type)
        if packet.data:
            return step.send_output(stream, packet.gtaskid, packet.data)
        return step.end_output(stream, packet.gtaskid)
    return srun.send_input(packet.data, packet.gtaskid) if packet.data else srun.end_input(packet.gtaskid)


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("version", list(Version))
def test_streams_flow_in_every_version_until_all_have_ended(version):
    srun, step = pair(version=version)
    assert srun.streams_left == 4
    assert said(srun, step.send_output(STDOUT, 7, b"hello")) == [Output(STDOUT, 7, b"hello")]
    assert said(step, srun.send_input(b"to all")) == [Input(ALL_TASKS, b"to all")]
    assert said(step, srun.send_input(b"to one", 4)) == [Input(4, b"to one")]
    assert said(step, srun.end_input(4)) == [EndOfStream(STDIN, 4)]
    assert said(srun, step.test()) == said(step, srun.test()) == [Tested()]
    for stream in (STDOUT, STDERR):
        for task in (4, 7):
            assert said(srun, step.end_output(stream, task)) == [EndOfStream(stream, task)]
    assert srun.streams_left == 0


def test_what_is_long_travels_in_packets_of_1024_bytes():
    srun, step = pair()
    sent = step.send_output(STDERR, 4, b"x" * 2500)
    assert len(sent) == 3 * 10 + 2500
    assert b"".join(event.data for event in said(srun, sent)) == b"x" * 2500
    assert len(said(step, srun.send_input(b"y" * (2 * MAX_PAYLOAD)))) == 2


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (encode_packet(Packet(0, 4, 0, b"x")), "no STDIN to send"),
        (encode_packet(Packet(1, 5, 0, b"x")), "no task 5 as number 0"),
        (encode_packet(Packet(1, 4, 1, b"x")), "no task 4 as number 1"),
        (encode_packet(Packet(1, 4, 9, b"x")), "no task 4 as number 9"),
        (b"\0\x05" + bytes(8), "unknown packet type 5"),
        (b"\0\1\0\4\0\0\0\0\4\1", "1025 bytes are more than 1024"),
        (b"\0\1\0\4\0\0\xff\xff\xff\xff", "more than 1024"),
        (b"\0\4\0\0\0\0\0\0\0\1x", "connection test with 1 bytes"),
    ],
)
def test_a_node_that_talks_nonsense_is_told_from_one_that_does_not(data, told):
    srun, _ = pair()
    with pytest.raises(DecodeError, match=told):
        said(srun, data)
    with pytest.raises(StreamError):
        srun.receive_data(b"more")


def test_nothing_comes_behind_the_end_of_a_stream():
    srun, step = pair()
    end = step.end_output(STDOUT, 4)
    said(srun, end)
    with pytest.raises(StreamError, match="has ended"):
        step.send_output(STDOUT, 4, b"late")
    with pytest.raises(DecodeError, match="has ended already"):
        said(srun, end)
    srun, step = pair()
    said(srun, step.end_output(STDOUT, 4))
    with pytest.raises(DecodeError, match="behind the end of STDOUT of task 4"):
        said(srun, encode_packet(Packet(1, 4, 0, b"late")))


def test_input_that_makes_no_sense_is_refused():
    for packet, told in (
        (Packet(1, 4, ALL_TASKS, b"x"), "srun has no STDOUT"),
        (Packet(0, 5, ALL_TASKS, b"x"), "task 5 does not run here"),
    ):
        _, step = pair()
        with pytest.raises(DecodeError, match=told):
            said(step, encode_packet(packet))


def test_a_node_must_know_the_key_of_the_step_and_be_one_of_its_nodes():
    for init, told in (
        (IoInit(Version.V24_11, 2, 1, 1, "another key"), "not that of this step"),
        (IoInit(Version.V24_11, 2, 1, 1, None), "not that of this step"),
        (IoInit(Version.V24_11, 3, 1, 1, KEY), "no node 3"),
        (IoInit(Version.V24_11, 2, 9, 1, KEY), "more streams"),
    ):
        srun = SrunStreams(KEY, {2: (0, 1)})
        with pytest.raises(DecodeError, match=told):
            said(srun, encode_init(init))


def test_an_opening_that_is_cut_short_altered_or_too_long_is_refused():
    opening = encode_init(IoInit(Version.V24_11, 2, 1, 1, KEY))
    for end in range(len(opening)):
        with pytest.raises(DecodeError):
            decode_init(opening[:end])
    with pytest.raises(DecodeError, match="announced"):
        decode_init(opening + b"x")
    with pytest.raises(DecodeError, match="unknown protocol version"):
        decode_init(opening[:4] + b"\x12\x34" + opening[6:])
    srun = SrunStreams(KEY, {2: (0,)})
    with pytest.raises(DecodeError, match="more than"):
        said(srun, b"\x7f\xff\xff\xff")


def test_a_packet_that_is_cut_short_is_no_packet():
    data = encode_packet(Packet(1, 0, 0, b"12345"))
    for end in range(len(data)):
        with pytest.raises(DecodeError):
            decode_packet(data[:end])
    srun, step = pair()
    srun.receive_data(step.send_output(STDOUT, 4, b"12345")[:-1])
    assert srun.next_event() is None
    with pytest.raises(DecodeError, match="ends inside a packet"):
        srun.receive_eof()


def test_what_we_do_wrong_is_our_own_error():
    srun = SrunStreams(KEY, {2: (4,)})
    step = StepStreams(IoInit(Version.V24_11, 2, 1, 1, KEY), (4,))
    for wrong in (
        lambda: srun.send_input(b"x"),
        lambda: srun.streams_left,
        lambda: step.send_output(STDOUT, 4, b"x"),
    ):
        with pytest.raises(StreamError):
            wrong()
    srun, step = pair()
    for wrong in (
        step.open,
        lambda: step.send_output(STDIN, 4, b"x"),
        lambda: step.send_output(STDOUT, 5, b"x"),
        lambda: step.send_output(STDOUT, 4, b""),
        lambda: srun.send_input(b"x", 5),
        lambda: srun.send_input(b""),
    ):
        with pytest.raises(StreamError):
            wrong()
    with pytest.raises(EncodeError):
        encode_packet(Packet(1, 70_000, 0))
    with pytest.raises(EncodeError):
        encode_packet(Packet(1, 0, 0, b"x" * 1025))
    with pytest.raises(EncodeError):
        encode_init(IoInit(version=0x1234))


def test_openings_of_every_version_come_back():
    for version in Version:
        key = b"k\0" if version <= Version.V23_02 else "k"
        init = IoInit(version, 1, 2, 3, key)
        assert decode_init(encode_init(init)) == init, versions.name(version)
