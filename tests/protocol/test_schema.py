"""The tables themselves, the compiler, and records of every kind in every version."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import versions
from protocol.codec import decode_body, encode_body, message_name, pack, unpack
from protocol.compiler import SchemaError, compiled
from protocol.constants import BATCH_STEP, MESSAGE_BOUNDS, MessageType
from protocol.errors import DecodeError, EncodeError
from protocol.messages import (
    BatchLaunch,
    JobDescription,
    JobInfo,
    JobInfoResponse,
    MultiCoreData,
    NodeInfo,
    NodeInfoResponse,
    ReturnCode,
    StatsResponse,
    StepId,
    SubmitResponse,
)
from protocol.schema import BODIES, Field, If, Record, array, list_of, repeat, string, u8, u16, u32
from protocol.versions import Version
from protocol.wire import Bits
from tests.protocol.wire_data import Builder, bodies

ALL = tuple(Version)


def carried(msg_type: int, version: int) -> bool:
    first, last = MESSAGE_BOUNDS.get(msg_type, ALL[:1] * 2)
    return msg_type not in MESSAGE_BOUNDS or first <= version <= last


@pytest.mark.parametrize("version", ALL, ids=versions.name)
def test_every_table_compiles_and_its_defaults_travel(version):
    for msg_type in bodies():
        if carried(msg_type, version):
            record = BODIES[msg_type]()
            if hasattr(record, "cred_version"):
                record.cred_version = version
            data = encode_body(msg_type, record, version)
            assert encode_body(msg_type, decode_body(msg_type, data, version), version) == data


@pytest.mark.parametrize("version", ALL, ids=versions.name)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 64), msg_type=st.sampled_from(bodies()))
def test_any_record_that_a_version_can_carry_comes_back(version, seed, msg_type):
    if not carried(msg_type, version):
        return
    data = encode_body(msg_type, Builder(seed, version).body(msg_type), version)
    again = decode_body(msg_type, data, version)
    assert encode_body(msg_type, again, version) == data, message_name(msg_type)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200), msg_type=st.sampled_from(bodies()), version=st.sampled_from(ALL))
def test_garbage_gives_a_decode_error_or_a_record(data, msg_type, version):
    try:
        decode_body(msg_type, data, version, trailing=True)
    except DecodeError as error:
        assert error.message == message_name(msg_type)


def test_a_field_travels_only_in_its_versions():
    answer = SubmitResponse(job_id=7, job_submit_user_msg="hello")
    old, new = encode_body(4004, answer, Version.V22_05), encode_body(4004, answer, Version.V25_11)
    assert old != new
    assert decode_body(4004, old, Version.V22_05).job_id == 7
    assert decode_body(4004, old, Version.V22_05).step_id == BATCH_STEP


def test_an_element_may_be_given_as_bytes_that_were_packed_before():
    jobs = [JobInfo(job_id=number, name=f"job{number}") for number in (1, 2, 3)]
    for version in ALL:
        kept = [pack(job, version) for job in jobs]
        joined = JobInfoResponse(record_count=3, last_update=5, jobs=kept)
        fresh = JobInfoResponse(record_count=3, last_update=5, jobs=jobs)
        number = MessageType.RESPONSE_JOB_INFO
        assert encode_body(number, joined, version) == encode_body(number, fresh, version)


def test_hidden_nodes_leave_no_bytes():
    answer = NodeInfoResponse(record_count=2, hidden_nodes=Bits(2, 0b01), node_array=[None, NodeInfo(name="n2")])
    data = encode_body(MessageType.RESPONSE_NODE_INFO, answer, Version.V24_11)
    again = decode_body(MessageType.RESPONSE_NODE_INFO, data, Version.V24_11)
    assert again.node_array[0] is None and again.node_array[1].name == "n2"


def test_a_name_that_is_not_utf8_survives():
    job = JobInfo(name=b"caf\xe9".decode("utf-8", "surrogateescape"))
    assert b"caf\xe9\0" in pack(job, Version.V24_11)
    assert (
        unpack(JobInfo, pack(job, Version.V24_11), Version.V24_11).name.encode("utf-8", "surrogateescape") == b"caf\xe9"
    )


def test_null_and_empty_text_are_different():
    for text in (None, ""):
        assert unpack(JobInfo, pack(JobInfo(comment=text), Version.V22_05), Version.V22_05).comment == text


def test_an_error_names_message_field_and_offset():
    with pytest.raises(DecodeError) as caught:
        decode_body(MessageType.RESPONSE_SLURM_RC, b"\0\0", Version.V24_11)
    assert (caught.value.message, caught.value.field, caught.value.offset) == ("RESPONSE_SLURM_RC", "return_code", 0)


def test_an_error_inside_a_list_names_the_element():
    jobs = [JobInfo(name="x" * 900), JobInfo(name="y" * 900)]
    data = encode_body(2004, JobInfoResponse(record_count=2, jobs=jobs), Version.V22_05)
    with pytest.raises(DecodeError, match=r"RESPONSE_JOB_INFO\.jobs\[1\]\.\w+ at byte \d+"):
        decode_body(2004, data[:-3], Version.V22_05)


def test_a_value_that_does_not_fit_is_our_error():
    with pytest.raises(EncodeError, match="return_code"):
        encode_body(MessageType.RESPONSE_SLURM_RC, ReturnCode(return_code=1 << 32), Version.V24_11)
    with pytest.raises(EncodeError, match=r"JobInfo\.name"):
        pack(JobInfo(name=5), Version.V24_11)
    with pytest.raises(EncodeError, match=r"JobInfo\.comment"):
        pack(JobInfo(network="ib0", comment=b"bytes", qos="normal"), Version.V22_05)
    with pytest.raises(EncodeError, match=r"JobInfo\.licenses"):
        pack(JobInfo(state_desc="fine", licenses=["unhashable"]), Version.V22_05)
    with pytest.raises(EncodeError, match=r"JobInfo\.exit_code"):
        pack(JobInfo(comment="between", exit_code=-1, extra="others"), Version.V26_05)
    with pytest.raises(EncodeError, match=r"JobInfo\.req_node_inx"):
        pack(JobInfo(req_nodes="n1", req_node_inx=5), Version.V26_05)
    with pytest.raises(EncodeError, match=r"JobInfo\.step_id\.job_id"):
        pack(JobInfo(step_id=StepId(job_id=-1)), Version.V26_05)
    with pytest.raises(EncodeError, match=r"JobInfo\.boards_per_node\.cores_per_socket"):
        pack(JobInfo(boards_per_node=MultiCoreData(flag=0xFF, cores_per_socket=1 << 16)), Version.V26_05)
    with pytest.raises(EncodeError, match="record_count"):
        encode_body(2004, JobInfoResponse(record_count=2, jobs=[JobInfo()]), Version.V24_11)
    with pytest.raises(EncodeError, match="takes a JobInfoResponse"):
        encode_body(2004, StatsResponse(), Version.V24_11)


@pytest.mark.parametrize("msg_type", (1, 4006, 65535))
def test_a_number_without_a_layout_is_refused(msg_type):
    with pytest.raises(DecodeError, match="no layout"):
        decode_body(msg_type, b"", Version.V24_11)


def test_a_message_of_a_later_release_is_refused():
    with pytest.raises(DecodeError, match=r"does not exist in 22\.05"):
        decode_body(MessageType.REQUEST_KILL_JOBS, b"", Version.V22_05)


def test_an_unknown_version_inside_a_body_is_refused():
    with pytest.raises(EncodeError, match="0x0000"):
        encode_body(MessageType.REQUEST_BATCH_JOB_LAUNCH, BatchLaunch(), Version.V24_11)


def test_an_unknown_version_is_refused():
    with pytest.raises(DecodeError, match="0x2400"):
        decode_body(MessageType.REQUEST_PING, b"", 0x2400)


@pytest.mark.parametrize("count", (0x7FFFFFFF, 0xFFFFFFFD, 1 << 20))
def test_an_absurd_count_allocates_nothing(count):
    import tracemalloc

    body = count.to_bytes(4, "big") + bytes(60)
    tracemalloc.start()
    for msg_type in (2004, 2006, 2008, 2016):
        with pytest.raises(DecodeError):
            decode_body(msg_type, body, Version.V24_11)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_submission_that_says_nothing_asks_for_nothing():
    job = JobDescription()
    assert job.min_nodes == job.time_limit == job.user_id == 0xFFFFFFFE
    assert job.script is None and job.environment == []


class Twice(Record):
    value: int = 0

    WIRE = (Field("value", u32, until="23.11"), Field("value", u16, since="23.11"))


class Unknown(Record):
    WIRE = (Field("nothing", u32),)


class TooEarly(Record):
    count: int = 0
    values: list[str | None] = []

    WIRE = (Field("values", repeat(string, "count")), Field("count", u8))


class Nested2(Record):
    values: list[list[int]] = []

    WIRE = (Field("values", array(list_of(u32))),)


@pytest.mark.parametrize("record", (Twice, Unknown, TooEarly, Nested2))
def test_a_table_that_contradicts_itself_is_refused(record):
    with pytest.raises(SchemaError, match=record.__name__):
        compiled(record, Version.V23_11)


def test_fields_with_separate_bounds_may_share_a_name():
    assert compiled(Twice, Version.V22_05).unpack(b"\0\0\0\7", 0)[0] == Twice(value=7)
    assert compiled(Twice, Version.V24_11).unpack(b"\0\7", 0)[0] == Twice(value=7)


class Optional(Record):
    flag: int = 0
    extra: int = 9

    WIRE = (Field("flag", u8), If("flag", (Field("extra", u32),)))


def test_a_field_behind_a_condition_keeps_its_default_when_absent():
    assert unpack(Optional, b"\0", Version.V24_11) == Optional(flag=0, extra=9)
    assert unpack(Optional, b"\1\0\0\0\2", Version.V24_11) == Optional(flag=1, extra=2)
    assert pack(Optional(flag=0, extra=2), Version.V24_11) == b"\0"


def test_every_field_of_every_record_travels_in_some_version():
    from protocol.layout import names
    from protocol.schema import Record as Base

    def below(record):
        for child in record.__subclasses__():
            yield child
            yield from below(child)

    for record in below(Base):
        if record.__module__.startswith("protocol."):
            assert set(record.__struct_fields__) == set(names(record.WIRE)), record.__name__
