"""Recorded traffic of real accounting daemons: understood to the last byte and written again identically."""

import pytest

from protocol import versions
from protocol.auth import authenticate
from protocol.auth.munge import inspect
from protocol.codec import decode_body, encode_body, message_name
from protocol.constants import AUTH_PLUGIN_MUNGE, DbdMessageType, MessageType
from protocol.dbd_constants import PersistType
from protocol.errors import DecodeError
from protocol.frame import decode_frame, encode_frame
from protocol.messages import DbAccountCond, DbAssocCond, DbdMessages, PersistInit
from protocol.nested import Message, pack_messages, relay, relayed, unpack_messages
from protocol.schema import BODIES
from protocol.versions import Version
from tests.protocol.wire_data import DBD_VERSIONS, KEY, recorded_frames, recorded_messages, recorded_openings

ACCOUNT_FILTERS = {DbdMessageType.DBD_GET_ACCOUNTS, DbdMessageType.DBD_REMOVE_ACCOUNTS}
WITHOUT_LAYOUT = {1456, 1482, 1483, 1484, 1499, 1500, 1505, 1506, 1507}
in_every_recorded_version = pytest.mark.parametrize("release", DBD_VERSIONS)


@in_every_recorded_version
def test_a_recorded_message_is_written_again_byte_for_byte(release):
    version = versions.by_name(release)
    for number, body in recorded_messages(release):
        record = decode_body(number, body, version)
        assert encode_body(number, record, version) == body, message_name(number)


@in_every_recorded_version
def test_a_recorded_opening_is_written_again_and_proves_who_sent_it(release):
    proven = 0
    for data in recorded_openings(release):
        frame = decode_frame(data)
        assert encode_frame(frame)[4:] == data
        init = decode_body(frame.msg_type, frame.body, frame.version)
        assert isinstance(init, PersistInit) and encode_body(frame.msg_type, init, frame.version) == frame.body
        assert versions.name(init.version) == release and init.persist_type in set(PersistType)
        if frame.auth.plugin_id == AUTH_PLUGIN_MUNGE:
            assert authenticate(frame, KEY, inspect(KEY, frame.auth.token).encode_time_s).uid in (0, 1001, 64030)
            proven += 1
    assert proven


def test_a_first_contact_stands_in_an_older_version_than_it_offers():
    frames = [decode_frame(data) for data in recorded_openings("24.11")]
    assert {versions.name(frame.version) for frame in frames} == {"23.02", "24.11"}


@in_every_recorded_version
def test_a_message_that_is_cut_short_anywhere_is_refused_with_field_and_offset(release):
    version = versions.by_name(release)
    for number, body in recorded_messages(release):
        size = len(body) - 6 if number in ACCOUNT_FILTERS and version <= Version.V23_11 else len(body)
        for end in range(0, size, 1 if size < 200 else size // 40):
            with pytest.raises(DecodeError) as caught:
                decode_body(number, body[:end], version)
            assert caught.value.field and caught.value.offset is not None
            assert message_name(number) in str(caught.value)


@in_every_recorded_version
def test_a_byte_that_fell_over_gives_a_record_or_a_decode_error(release):
    version, outcomes = versions.by_name(release), {True: 0, False: 0}
    for number, body in recorded_messages(release):
        for step in range(15 if body else 0):
            broken = bytearray(body)
            broken[step * len(body) // 15] ^= 1 << step % 8
            try:
                decode_body(number, bytes(broken), version)
                outcomes[True] += 1
            except DecodeError:
                outcomes[False] += 1
    assert outcomes[True] > 50 and outcomes[False] > 50


@in_every_recorded_version
def test_messages_inside_messages_are_whole_messages(release):
    version, numbers = versions.by_name(release), set()
    for number, body in recorded_messages(release):
        record = decode_body(number, body, version)
        if isinstance(record, DbdMessages):
            inner = unpack_messages(record, version)
            assert pack_messages(inner, version) == record
            numbers |= {message.number for message in inner}
    assert {MessageType.PERSIST_RC, DbdMessageType.DBD_STEP_START, DbdMessageType.DBD_JOB_COMPLETE} <= numbers


def test_a_message_inside_a_message_that_is_broken_is_found_by_its_index():
    good = pack_messages([Message(DbdMessageType.DBD_GET_STATS)], Version.V24_11).items[0]
    for bad, where in ((b"\5", "number"), (b"\5\x90\0", "JOB_COMPLETE"), (b"\5\xc2\0\0\0\0\0\0\0\0", "number")):
        with pytest.raises(DecodeError, match=rf"items\[1\].*{where}"):
            unpack_messages(DbdMessages(items=[good, bad]), Version.V24_11)


@pytest.mark.parametrize("release", ("24.11", "26.05"))
def test_a_relayed_message_is_found_in_front_of_the_rest_of_its_senders_buffer(release):
    frames = [decode_frame(data) for data in recorded_frames(release)]
    frames = [frame for frame in frames if frame.msg_type == MessageType.REQUEST_DBD_RELAY]
    assert frames
    for frame in frames:
        record = decode_body(frame.msg_type, frame.body, frame.version)
        message = relayed(record, frame.version)
        assert message.number == DbdMessageType.DBD_STEP_START and message.record.step_id.job_id
        again = relay(message, frame.version).data
        assert record.data[: len(again)] == again and len(record.data) > len(again)


def test_the_selection_covers_what_was_recorded():
    seen = {release: {number for number, _ in recorded_messages(release)} for release in DBD_VERSIONS}
    assert {release: len(numbers) for release, numbers in seen.items()} == {"22.05": 80, "24.11": 81, "26.05": 78}
    everything = set().union(*seen.values())
    unseen = {number for number in DbdMessageType if number not in everything} - WITHOUT_LAYOUT
    assert unseen == {1411, 1413, 1418, 1420, 1455, 1457, 1458, 1460, 1488}


def test_every_accounting_number_has_a_body_but_for_those_that_no_release_reads():
    assert {int(number) for number in DbdMessageType if number not in BODIES} == WITHOUT_LAYOUT
    assert message_name(1456) == "DBD_MODIFY_WCKEYS" and message_name(13001) == "PROXY_TO_NODE_SEND_RECV"


def test_a_number_keeps_its_body_where_26_05_gave_its_name_away():
    pairs, conf = BODIES[1467], BODIES[1508]
    assert (message_name(1467, Version.V25_11), message_name(1467)) == ("DBD_GOT_CONFIG", "DBD_GOT_CONFIG_KEYPAIRS")
    assert message_name(1508) == "DBD_GOT_CONFIG"
    assert pairs is not conf and encode_body(1467, pairs(), Version.V26_05) == encode_body(
        1467, pairs(), Version.V22_05
    )
    with pytest.raises(DecodeError, match=r"does not exist in 25\.11"):
        decode_body(1508, b"", Version.V25_11)


def test_an_account_filter_of_a_newer_program_may_end_early():
    number, version = DbdMessageType.DBD_GET_ACCOUNTS, Version.V23_11
    whole = encode_body(number, DbAccountCond(DbAssocCond(user_list=["alice"])), version)
    for missing in (2, 4, 6):
        short = decode_body(number, whole[:-missing], version)
        assert (short.with_deleted, short.assoc_cond.user_list) == (None, ["alice"])
        assert encode_body(number, short, version) == whole[:-missing]
    with pytest.raises(DecodeError, match="with_deleted"):
        decode_body(number, whole[:-1], version)
