"""Frames and what waits for them, without a network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.net.peers import frames
from actors.net.peers.frames import Answered, Call, FrameError, Hello, Lane, Reader, encode
from actors.net.peers.outbox import Outbox, Parcel


def test_a_frame_is_as_the_documentation_has_it():
    data = encode(Hello(1, 1, "test", "a", "b", Lane.RAFT))
    assert data == bytes.fromhex("00000012 97010101") + b"\xa4test\xa1a\xa1b\xa4raft"


@given(st.lists(st.binary(max_size=200)), st.integers(1, 50))
def test_frames_come_out_whole_however_they_are_cut(payloads, size):
    sent = [Answered(number, payload) for number, payload in enumerate(payloads)]
    data = b"".join(map(encode, sent))
    reader = Reader()
    came = [frame for at in range(0, len(data), size) for frame in reader.feed(data[at : at + size])]
    assert came == sent
    assert not reader.is_inside


@given(st.binary(max_size=100))
def test_bytes_that_are_no_frames_are_refused_as_such(data):
    try:
        Reader(1000).feed(len(data).to_bytes(4, "big") + data)
    except FrameError:
        return
    assert data[:1] and data[0] >> 4 == 9  # an array that happens to be a frame


def test_a_length_beyond_the_bound_is_refused_before_anything_is_kept():
    reader = Reader(frames.HELLO_BYTES)
    with pytest.raises(FrameError, match="a frame of 4097 bytes, no more than 4096 may come"):
        reader.feed((4097).to_bytes(4, "big"))
    with pytest.raises(FrameError):
        encode(Call(1, "x", bytes(frames.MOST_BYTES)))


def parcels(*sizes):
    return [Parcel(bytes([number]) * size) for number, size in enumerate(sizes)]


def test_the_oldest_go_where_there_are_too_many():
    outbox = Outbox(3, 1000, drops=True)
    for each in parcels(1, 1, 1, 1, 1):
        assert outbox.put(each)
    assert outbox.take(100) == (b"\x02\x03\x04", 3)
    assert outbox.dropped == 2


def test_the_oldest_go_where_they_are_too_large():
    outbox = Outbox(100, 10, drops=True)
    for each in parcels(6, 4, 5):
        outbox.put(each)
    assert (outbox.held_bytes, outbox.dropped) == (9, 1)


def test_one_that_is_larger_than_everything_allowed_still_goes():
    outbox = Outbox(100, 10, drops=True)
    for each in parcels(1, 50):
        outbox.put(each)
    assert outbox.take(10) == (b"\x01" * 50, 1)


def test_where_nothing_may_be_dropped_it_is_refused():
    outbox = Outbox(2, 10, drops=False)
    assert [outbox.put(each) for each in parcels(5, 6, 5, 0)] == [True, False, True, False]
    assert outbox.dropped == 0


def test_what_waits_goes_together_as_far_as_it_fits():
    outbox = Outbox(100, 1000, drops=True)
    for each in parcels(4, 4, 4):
        outbox.put(each)
    assert [outbox.take(8)[1], outbox.take(8)[1], outbox.take(8)] == [2, 1, (b"", 0)]


def test_what_need_not_go_any_more_stays():
    outbox = Outbox(100, 1000, drops=False)
    outbox.put(Parcel(b"a", lambda: False))
    outbox.put(Parcel(b"b", lambda: True))
    assert outbox.take(100) == (b"b", 1)
