"""Persistent connections: recorded conversations from both ends, and peers that talk nonsense."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import versions
from protocol.auth import Signer, authenticate
from protocol.codec import decode_body, encode_body
from protocol.constants import DbdMessageType as Dbd
from protocol.constants import HeaderFlag, MessageType
from protocol.dbd_constants import PersistType
from protocol.errors import DecodeError
from protocol.exchange import make_request
from protocol.frame import Frame, decode_frame, encode_frame
from protocol.messages import AccountingUpdate, DbdFini, DbdTres, DbTresCond, PersistInit, PersistReply, ReturnCode
from protocol.persist import (
    INIT_LIMIT,
    Answer,
    Closing,
    Fini,
    Form,
    Opened,
    Opening,
    PersistClient,
    PersistError,
    PersistServer,
    Refused,
    Request,
    State,
    negotiate,
)
from protocol.versions import Version
from tests.protocol.wire_data import DATA, DBD_VERSIONS, KEY, recorded_conversations

ROOT = Signer(KEY, 0, 0)
INIT = PersistInit(cluster_name="cluster1", persist_type=PersistType.DBD)


def opening(client, server, **how):
    """The client's opening as the server sees it."""
    server.receive_data(client.initiate(INIT, ROOT, 1000, **how))
    return server.next_event()


def connected(form=Form.ACCOUNTING, client_version=versions.NEWEST, server_version=versions.NEWEST, **limits):
    """A client and a server that agreed."""
    client, server = PersistClient(form, client_version, **limits), PersistServer(form, server_version, **limits)
    client.receive_data(server.accept(opening(client, server).version))
    assert isinstance(client.next_event(), Opened)
    return client, server


def message(number, body=b""):
    return (len(body) + 2).to_bytes(4, "big") + int(number).to_bytes(2, "big") + body


def ask(client, server, number, record=None):
    server.receive_data(client.send(number, record))
    return server.next_event()


def tell(client, data):
    client.receive_data(data)
    return client.next_event()


def form_of(first):
    return Form.ACCOUNTING if first[4:6] == b"\x19\x64" else Form.CONTROLLER


@pytest.mark.parametrize("release", DBD_VERSIONS)
def test_a_server_goes_through_recorded_conversations_and_says_what_the_real_one_said(release):
    for first, *others in recorded_conversations(release):
        server = PersistServer(form_of(first[1]), versions.by_name(release))
        server.receive_data(first[1])
        event = server.next_event()
        for from_client, data in others:
            if from_client:
                server.receive_data(data)
                event = server.next_event()
            elif isinstance(event, Opening):
                assert server.accept(event.version) == data
            elif not isinstance(event, Closing):
                number = int.from_bytes(data[4:6], "big")
                record = decode_body(number, data[6:], server.version)
                assert not isinstance(record, PersistReply) or record.ret_info == event.number
                assert server.answer(number, record) == data
        assert not server.waiting and server.state in (State.OPEN, State.CLOSED)


@pytest.mark.parametrize("release", DBD_VERSIONS)
def test_a_client_goes_through_recorded_conversations_and_says_what_the_real_one_said(release):
    for first, *others in recorded_conversations(release):
        frame = decode_frame(first[1][6:] if form_of(first[1]) is Form.ACCOUNTING else first[1][4:])
        client = PersistClient(form_of(first[1]), versions.by_name(release))
        init = decode_body(frame.msg_type, frame.body, frame.version)
        mine = client.initiate(init, ROOT, 1000, header_version=frame.version)
        again = decode_frame(mine[6:] if client.form is Form.ACCOUNTING else mine[4:])
        assert (again.version, again.flags, again.body) == (frame.version, frame.flags, frame.body)
        for from_client, data in others:
            number = int.from_bytes(data[4:6], "big")
            if from_client:
                assert client.send(number, decode_body(number, data[6:], client.version)) == data
            elif client.state is not State.CLOSED:
                assert isinstance(tell(client, data), Opened | Answer)
            else:
                assert tell(client, data) is None


@pytest.mark.parametrize("form", tuple(Form))
@given(cuts=st.lists(st.integers(1, 60), max_size=40))
@settings(max_examples=25, deadline=None)
def test_events_come_out_whole_however_the_stream_is_cut(form, cuts):
    client, server = PersistClient(form), PersistServer(form)
    stream, events = client.initiate(INIT, ROOT, 1000), []
    client.receive_data(encoded_reply(PersistReply(ret_info=versions.NEWEST)))
    assert isinstance(client.next_event(), Opened)
    stream += b"".join(client.send(number) for number in some_requests(form))
    for cut in [*cuts, len(stream)]:
        server.receive_data(stream[:cut])
        stream = stream[cut:]
        while (event := server.next_event()) is not None:
            events.append(event)
            if isinstance(event, Opening):
                server.accept(event.version)
    assert [event.number for event in events[1:]] == some_requests(form)


def some_requests(form):
    if form is Form.ACCOUNTING:
        return [Dbd.DBD_GET_STATS, Dbd.DBD_CLEAR_STATS, Dbd.DBD_RECONFIG]
    return [MessageType.REQUEST_PING, MessageType.REQUEST_FED_INFO, MessageType.REQUEST_CONTROL_STATUS]


def encoded_reply(reply):
    return message(MessageType.PERSIST_RC, encode_body(MessageType.PERSIST_RC, reply, versions.OLDEST))


@pytest.mark.parametrize("ours", tuple(Version), ids=versions.name)
@pytest.mark.parametrize("theirs", tuple(Version), ids=versions.name)
def test_both_go_on_in_the_older_of_their_versions(ours, theirs):
    client, server = connected(client_version=theirs, server_version=ours)
    assert client.version == server.version == min(ours, theirs)
    assert ask(client, server, Dbd.DBD_GET_TRES, DbTresCond(type_list=["gres"])).record.type_list == ["gres"]
    answer = tell(client, server.answer(Dbd.DBD_GOT_TRES, DbdTres(items=[])))
    assert answer == Answer(Dbd.DBD_GET_TRES, Dbd.DBD_GOT_TRES, DbdTres(items=[]))


def test_a_first_contact_in_an_old_header_is_answered_for_the_version_that_it_offers():
    client, server = PersistClient(), PersistServer()
    event = opening(client, server, header_version=Version.V22_05)
    assert (event.frame.version, event.version) == (Version.V22_05, versions.NEWEST)
    assert tell(client, server.accept(event.version)).version == versions.NEWEST


def test_a_first_contact_in_the_header_of_20_11_is_understood():
    old = decode_frame((DATA / "frame-20.11.bin").read_bytes()[4:])
    init = encode_body(MessageType.REQUEST_PERSIST_INIT, PersistInit(version=Version.V22_05), Version.V22_05)
    old.msg_type, old.body = MessageType.REQUEST_PERSIST_INIT, init
    server = PersistServer(Form.CONTROLLER)
    assert server.receive_init(old).version == Version.V22_05


@pytest.mark.parametrize("offered", (0x2400, 0x2500, 0x2601, 0))
def test_a_version_of_no_release_of_ours_gives_none_to_go_on_in(offered):
    assert negotiate(offered) is None
    assert negotiate(0x2E00) == versions.NEWEST


def test_the_opening_proves_who_opens():
    event = opening(PersistClient(), PersistServer())
    assert authenticate(event.frame, KEY, 1000).uid == 0
    assert event.frame.flags == HeaderFlag.GLOBAL_AUTH_KEY | HeaderFlag.CONNECTION
    assert event.init.cluster_name == "cluster1"


def test_a_refusal_names_the_number_of_the_opening_and_ends_the_connection():
    client, server = PersistClient(), PersistServer()
    opening(client, server)
    event = tell(client, server.refuse(2002, "who are you?"))
    assert event == Refused(PersistReply("who are you?", 0, 2002, MessageType.REQUEST_PERSIST_INIT))
    assert client.state is server.state is State.CLOSED
    with pytest.raises(PersistError):
        client.send(Dbd.DBD_GET_STATS)


def test_nothing_behind_the_opening_is_looked_at_before_the_decision():
    client, server = PersistClient(), PersistServer()
    server.receive_data(client.initiate(INIT, ROOT, 1000) + message(Dbd.DBD_GET_STATS))
    event = server.next_event()
    assert server.next_event() is None
    server.accept(event.version)
    assert server.next_event() == Request(Dbd.DBD_GET_STATS, None)


def test_an_opening_that_was_taken_for_an_ordinary_request_is_handed_over():
    client = PersistClient(Form.CONTROLLER)
    frame = decode_frame(client.initiate(INIT, ROOT, 1000)[4:])
    server = PersistServer(Form.CONTROLLER)
    client.receive_data(server.accept(server.receive_init(frame).version))
    assert isinstance(client.next_event(), Opened)
    asked = ask(client, server, MessageType.ACCOUNTING_UPDATE_MSG, AccountingUpdate())
    assert asked == Request(MessageType.ACCOUNTING_UPDATE_MSG, AccountingUpdate())
    answer = tell(client, server.answer(MessageType.RESPONSE_SLURM_RC, ReturnCode(0)))
    assert answer.record == ReturnCode(0)


def test_what_a_fini_means():
    assert Fini.of(DbdFini(0, 1)) is Fini.COMMIT and Fini.of(DbdFini(0, 0)) is Fini.ROLLBACK
    assert Fini.of(DbdFini(1, 0)) is Fini.of(DbdFini(1, 1)) is Fini.CLOSE
    client, server = connected()
    for data, meaning in ((client.rollback(), Fini.ROLLBACK), (client.commit(), Fini.COMMIT)):
        server.receive_data(data)
        assert Fini.of(server.next_event().record) is meaning
        assert tell(client, server.reply()).record == PersistReply(ret_info=Dbd.DBD_FINI)


def test_a_close_that_was_announced_needs_no_answer_and_one_that_comes_is_dropped():
    client, server = connected()
    server.receive_data(client.close())
    assert server.next_event() == Closing() and not server.waiting
    assert tell(client, encoded_reply(PersistReply(ret_info=Dbd.DBD_FINI))) is None
    client.receive_eof()
    server.receive_eof()
    assert client.state is server.state is State.CLOSED


def test_answers_belong_to_requests_in_order():
    client, server = connected()
    server.receive_data(client.send(Dbd.DBD_CLEAR_STATS) + client.send(Dbd.DBD_RECONFIG))
    assert [server.next_event().number, server.next_event().number] == [Dbd.DBD_CLEAR_STATS, Dbd.DBD_RECONFIG]
    client.receive_data(server.reply() + server.reply(2002, "no"))
    first, second = client.next_event(), client.next_event()
    assert (first.request, second.request) == (Dbd.DBD_CLEAR_STATS, Dbd.DBD_RECONFIG)
    assert second.record == PersistReply("no", 0, 2002, Dbd.DBD_RECONFIG)


def test_a_request_that_cannot_be_read_is_refused_and_the_connection_goes_on():
    client, server = connected()
    server.receive_data(message(Dbd.DBD_JOB_START, b"\0\0\0\5abcd"))
    with pytest.raises(DecodeError, match=r"DBD_JOB_START\.account"):
        server.next_event()
    assert decode_body(1433, server.reply(22)[6:], server.version).ret_info == Dbd.DBD_JOB_START
    assert ask(client, server, Dbd.DBD_GET_STATS) == Request(Dbd.DBD_GET_STATS, None)


def ordinary_frame():
    return make_request(MessageType.REQUEST_PING, None, Version.V24_11, ROOT, 1000)


def opening_behind_the_wrong_number():
    data = PersistClient().initiate(INIT, ROOT, 1000)
    return data[:4] + int(MessageType.REQUEST_PERSIST_INIT_TLS).to_bytes(2, "big") + data[6:]


def opening_without_a_body():
    frame = decode_frame(PersistClient().initiate(INIT, ROOT, 1000)[6:])
    data = encode_frame(Frame(frame.msg_type, frame.version, frame.flags, b"", frame.auth))[4:]
    return message(MessageType.REQUEST_PERSIST_INIT, data)


@pytest.mark.parametrize(
    "nonsense",
    (
        ordinary_frame(),
        b"GET / HTTP/1.1\r\n\r\n",
        message(Dbd.DBD_GET_STATS),
        message(MessageType.REQUEST_PERSIST_INIT, b"\0" * 40),
        opening_behind_the_wrong_number(),
        opening_without_a_body(),
        b"\0\0\0\1x",
        b"\0\0\0\0",
        (INIT_LIMIT + 1).to_bytes(4, "big"),
    ),
)
def test_what_does_not_open_a_connection_is_refused_and_may_be_told_so(nonsense):
    server = PersistServer()
    with pytest.raises(DecodeError):
        server.receive_data(nonsense)
        server.next_event()
    assert server.state is State.FAILED and server.next_event() is None
    assert decode_body(1433, server.refuse(1007)[6:], versions.OLDEST).rc == 1007


@pytest.mark.parametrize(
    "nonsense",
    (
        message(MessageType.REQUEST_SUBMIT_BATCH_JOB),
        message(9999),
        b"\0\0\0\1x",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
    ),
)
def test_nonsense_on_an_open_connection_ends_it(nonsense):
    _, server = connected()
    with pytest.raises(DecodeError):
        server.receive_data(nonsense)
        server.next_event()
    assert server.state is State.FAILED
    with pytest.raises(DecodeError, match="after the end"):
        server.receive_data(message(Dbd.DBD_GET_STATS))


@pytest.mark.parametrize(
    "nonsense",
    (
        message(Dbd.DBD_GOT_STATS),
        encoded_reply(PersistReply(ret_info=0x2400)),
        encoded_reply(PersistReply(ret_info=Version.V26_05)),
        message(MessageType.PERSIST_RC, b"\0\0"),
    ),
)
def test_a_client_does_not_go_on_with_an_opening_that_was_answered_with_nonsense(nonsense):
    client = PersistClient(version=Version.V24_11)
    client.initiate(INIT, ROOT, 1000)
    with pytest.raises(DecodeError):
        tell(client, nonsense)
    assert client.state is State.FAILED


def test_an_answer_that_nobody_asked_for_is_nonsense():
    client, _ = connected()
    with pytest.raises(DecodeError, match="answers nothing"):
        tell(client, encoded_reply(PersistReply()))
    assert client.state is State.FAILED


def test_the_limit_of_lengths_grows_with_trust():
    client, server = PersistClient(), PersistServer(limit=1 << 20)
    event = opening(client, server)
    server.accept(event.version)
    server.receive_data((INIT_LIMIT + 1).to_bytes(4, "big"))
    with pytest.raises(DecodeError, match="limit of 1048576"):
        PersistServer.receive_data(connected(limit=1 << 20)[1], ((1 << 20) + 1).to_bytes(4, "big"))


def test_a_stream_that_ends_inside_a_message_is_an_error_one_that_ends_between_is_not():
    _, server = connected()
    server.receive_data(message(Dbd.DBD_GET_STATS)[:-1])
    assert server.next_event() is None
    with pytest.raises(DecodeError, match="1 bytes too early"):
        server.receive_eof()
    _, server = connected()
    server.receive_eof()
    assert server.state is State.CLOSED


def test_what_the_state_does_not_allow_is_our_own_fault():
    client, server = PersistClient(), PersistServer()
    with pytest.raises(PersistError, match="IDLE"):
        client.send(Dbd.DBD_GET_STATS)
    with pytest.raises(PersistError, match="IDLE"):
        server.accept(Version.V24_11)
    event = opening(client, server)
    with pytest.raises(PersistError, match="OPENING"):
        client.initiate(INIT, ROOT, 1000)
    server.accept(event.version)
    with pytest.raises(PersistError, match="answers nothing"):
        server.reply()
    with pytest.raises(PersistError, match="accepted before"):
        server.refuse(1)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*Dbd, MessageType.PERSIST_RC]), st.binary(max_size=60)), max_size=4))
def test_garbage_gives_requests_or_decode_errors(messages):
    _, server = connected()
    server.receive_data(b"".join(message(number, body) for number, body in messages))
    while server.state is State.OPEN:
        try:
            if server.next_event() is None:
                break
        except DecodeError as error:
            assert error.message
    assert server.state in (State.OPEN, State.CLOSED) and len(server.waiting) <= len(messages)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_bit_that_fell_over_in_an_opening_gives_an_opening_or_a_decode_error(place, bit):
    data = bytearray(PersistClient().initiate(INIT, ROOT, 1000))
    data[place % len(data)] ^= 1 << bit
    server = PersistServer()
    try:
        server.receive_data(bytes(data))
        assert isinstance(server.next_event(), Opening | None)
    except DecodeError:
        assert server.state is State.FAILED
