"""Bodies that lie: every decoder, cut short anywhere, every length and count replaced, bytes behind the end.

Whatever is wrong, the answer is a DecodeError that names message, field and offset, or a record that is written again
as it was read; it comes in time linear in the bytes and takes memory in proportion to them.
"""

from __future__ import annotations

import itertools
import os
import time
import tracemalloc
from collections.abc import Iterator
from functools import cache

import pytest

from protocol import versions
from protocol.codec import decode_body, decode_body_at, encode_body, message_name, pack, unpack
from protocol.constants import AUTH_PLUGIN_JWT, MESSAGE_BOUNDS, DbdMessageType, MessageType
from protocol.errors import DecodeError
from protocol.frame import AuthSection, Forward, Frame, RetItem, decode_frame, encode_frame
from protocol.layout import fields
from protocol.messages import (
    DbdMessages,
    JobInfo,
    NodeInfo,
    NodeInfoResponse,
    ReturnCode,
    SbcastCredential,
    SiblingMessage,
    StepId,
)
from protocol.nested import unpack_messages
from protocol.schema import BODIES, Tail, rest
from protocol.versions import Version
from protocol.wire import Address, Bits
from tests.protocol.counts import count_places
from tests.protocol.wire_data import Builder, bodies

ALL = tuple(Version)
THOROUGH = bool(os.environ.get("FLURM_THOROUGH"))
VERSIONS = ALL if THOROUGH else (ALL[0], ALL[4], ALL[-1])
LIES = (0, 1, 1 << 31, 0xFFFFFFFD, 0xFFFFFFFF)
RECORDS_EACH = 4 if THOROUGH else 1


@cache
def samples(version: int) -> list[tuple[int, bytes]]:
    """A few small bodies of every message with a layout, made at random."""
    made = []
    for number in bodies():
        first, last = MESSAGE_BOUNDS.get(number, (ALL[0], ALL[-1]))
        if first <= version <= last:
            some = (encode_body(number, Builder(seed, version).body(number), version) for seed in range(12))
            made += [(number, body) for body in sorted(some, key=len)[4 : 4 + RECORDS_EACH]]
    return made


def outcome(number: int, body: bytes, version: int) -> DecodeError | None:
    """The error, which names its place; or None, and the record is written again in as many bytes as were read."""
    try:
        record, end = decode_body_at(number, body, 0, version)
    except DecodeError as error:
        assert error.message == message_name(number)
        assert error.field and error.offset is not None and 0 <= error.offset <= len(body), error
        return error
    again = encode_body(number, record, version)
    assert len(again) == end, message_name(number)
    return None


def lies(number: int, body: bytes, version: int) -> Iterator[bytes]:
    """The body with one of its lengths and counts at a time replaced by another."""
    record = BODIES[number]
    assert record is not None
    for offset, width in count_places(record, body, version):
        for lie in LIES:
            yield body[:offset] + (lie & (1 << 8 * width) - 1).to_bytes(width, "big") + body[offset + width :]


@pytest.mark.parametrize("version", VERSIONS, ids=versions.name)
def test_a_body_cut_short_anywhere_is_refused(version):
    for number, body in samples(version):
        for end in range(0, len(body), 1 if THOROUGH else 1 + len(body) // 40):
            if outcome(number, body[:end], version) is None:
                assert ends_open(number), message_name(number)


def ends_open(number: int) -> bool:
    """Whether the message's last fields are whatever is left."""
    record = BODIES[number]
    return record is not None and any(
        field.type == rest or isinstance(field.type, Tail) for field in fields(record.WIRE)
    )


@pytest.mark.parametrize("version", VERSIONS, ids=versions.name)
def test_a_length_or_count_that_lies_gives_a_record_or_an_error_with_its_place(version):
    tried = refused = 0
    for number, body in samples(version):
        for lie in lies(number, body, version):
            tried += 1
            refused += outcome(number, lie, version) is not None
    assert tried > 5000 and refused > tried // 3


@pytest.mark.parametrize("version", VERSIONS, ids=versions.name)
def test_bytes_behind_a_body_are_refused_and_named(version):
    for number, body in samples(version):
        if not ends_open(number):
            with pytest.raises(DecodeError) as caught:
                decode_body(number, body + b"\0", version)
            assert caught.value.offset == len(body)


@pytest.mark.parametrize("version", VERSIONS[-1:], ids=versions.name)
def test_a_lie_costs_no_more_memory_than_the_bytes_are_worth(version):
    for number, body in samples(version):
        decode_body(number, body, version)
        body += bytes(2000)
        tracemalloc.start()
        for lie in itertools.islice(lies(number, body[:-2000], version), 2, None, 7 if THOROUGH else 40):
            outcome(number, lie + bytes(2000), version)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 200_000 + 100 * len(body), f"{message_name(number)}: {peak} bytes for {len(body)}"


@pytest.mark.parametrize("count", (3, 1 << 20, 0xFFFFFFFF))
def test_hidden_nodes_do_not_make_a_short_answer_long(count):
    """Absent records have no bytes that would bound them: only the bitmap does."""
    answer = NodeInfoResponse(record_count=2, hidden_nodes=Bits(2, 0b11), node_array=[None, None])
    body = encode_body(MessageType.RESPONSE_NODE_INFO, answer, Version.V24_11)
    lie = count.to_bytes(4, "big") + body[4:]
    started = time.process_time()
    with pytest.raises(DecodeError):
        decode_body(MessageType.RESPONSE_NODE_INFO, lie, Version.V24_11)
    assert time.process_time() - started < 1


def test_many_hidden_nodes_take_time_in_proportion():
    def seconds(nodes: int) -> float:
        hidden = Bits(nodes, (1 << nodes) - 1)
        answer = NodeInfoResponse(record_count=nodes, hidden_nodes=hidden, node_array=[None] * nodes)
        body = encode_body(MessageType.RESPONSE_NODE_INFO, answer, Version.V24_11)
        started = time.process_time()
        decode_body(MessageType.RESPONSE_NODE_INFO, body, Version.V24_11)
        return time.process_time() - started

    few, many = min(seconds(20_000) for _ in range(3)), seconds(200_000)
    assert many < 25 * few + 0.05


def test_accounting_messages_inside_messages_do_not_nest():
    number, version = DbdMessageType.DBD_SEND_MULT_MSG, Version.V24_11
    body = encode_body(number, DbdMessages(items=[]), version)
    for _ in range(500):
        body = encode_body(number, DbdMessages(items=[number.to_bytes(2, "big") + body]), version)
    record = decode_body(number, body, version)
    assert isinstance(record, DbdMessages)
    with pytest.raises(DecodeError, match=r"DBD_SEND_MULT_MSG.items\[0\].*cannot be inside"):
        unpack_messages(record, version)


@pytest.mark.parametrize("depth", (2, 20_000))
def test_a_sibling_message_inside_a_sibling_message_is_refused(depth):
    number, version = MessageType.REQUEST_SIB_MSG, Version.V24_11
    one = SiblingMessage(data_type=number, data_version=version, has_data=1, data=ReturnCode())
    one.data_type = MessageType.RESPONSE_SLURM_RC
    head = encode_body(number, one, version)[:-4]
    at = head.index(int(MessageType.RESPONSE_SLURM_RC).to_bytes(2, "big") + int(version).to_bytes(2, "big"))
    nested = head[:at] + int(number).to_bytes(2, "big") + head[at + 2 :]
    error = outcome(number, nested * depth, version)
    assert error is not None and error.field == "data" and len(str(error)) < 300


def test_a_text_with_a_zero_inside_survives_byte_for_byte():
    job = JobInfo(name="be\0fore", comment="\0")
    for version in ALL:
        data = pack(job, version)
        again = unpack(JobInfo, data, version)
        assert again.name == "be\0fore" and again.comment == "\0"
        assert pack(again, version) == data


def test_a_bitmap_with_bits_beyond_its_size_is_refused():
    body = encode_body(*_hidden(Bits(2, 0b11)))
    with pytest.raises(DecodeError, match=r"hidden_nodes at byte \d+: bitmap of 2 bits has bits beyond its size"):
        decode_body(MessageType.RESPONSE_NODE_INFO, body.replace(b"0x3\0", b"0x7\0"), Version.V24_11)


def _hidden(bitmap: Bits) -> tuple[int, NodeInfoResponse, Version]:
    nodes = [None if bitmap.mask >> i & 1 else NodeInfo() for i in range(bitmap.size)]
    answer = NodeInfoResponse(record_count=bitmap.size, hidden_nodes=bitmap, node_array=nodes)
    return MessageType.RESPONSE_NODE_INFO, answer, Version.V24_11


def test_a_frame_cut_short_or_with_any_byte_changed_names_field_and_offset():
    item = RetItem("n1", MessageType.RESPONSE_SLURM_RC, 0, ReturnCode(return_code=5))
    forward = Forward("n[1-3]", 1000, 50, count=3)
    auth = AuthSection(AUTH_PLUGIN_JWT, "token", "alice")
    frame = Frame(
        MessageType.REQUEST_PING, Version.V24_11, 0, b"", auth, forward, [item] * 3, Address("10.0.0.1", 6817)
    )
    data = encode_frame(frame)[4:]
    broken = [data[:end] for end in range(len(data))]
    broken += [data[:at] + bytes((value,)) + data[at + 1 :] for at in range(len(data)) for value in (0, 1, 0x80, 0xFF)]
    refused = 0
    for each in broken:
        try:
            decode_frame(each)
        except DecodeError as error:
            refused += 1
            assert error.offset is not None or error.reason.startswith("does not exist") or "layout" in error.reason
    assert refused > len(data)


def test_a_credential_that_looks_like_a_token_without_a_length_is_a_credential():
    """`eyJ` behind four zeros is no token: numbers of a plain credential may be just that."""
    plain = SbcastCredential(step=StepId(sluid=int.from_bytes(b"\0\0\0\0eyJ0", "big")), signature="s")
    data = pack(plain, Version.V25_11)
    again = unpack(SbcastCredential, data, Version.V25_11)
    assert again.token is None and again.step.sluid == plain.step.sluid
    assert pack(again, Version.V25_11) == data
