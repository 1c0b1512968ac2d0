"""What is said on the MUNGE socket, and what the daemon behind it answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.auth.munge import ANY, Credential, MungeKey, seal
from protocol.auth.munged import (
    MAX_BODY,
    DecodeRequest,
    EncodeRequest,
    Munged,
    MungeError,
    Opened,
    Reader,
    Sealed,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from protocol.errors import DecodeError

KEY = MungeKey(bytes(range(128)))
U8, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFFFFFF)
ENCODE_HELLO = bytes.fromhex("00606d4b040200000000190101010000000000ffffffffffffffff0000000568656c6c6f")
"""`munge -s hello`, as libmunge 0.5.15 sends it."""
DECODED_HELLO = bytes.fromhex(
    "00606d4b040500000000300000040500000000012c047f0000016b070cea6b070cea0000000000000000ffffffffffffffff00000005"
    "68656c6c6f"
)
"""What munged 0.5.15 answers to `unmunge` of it."""


class Process:
    """Somebody at the other end."""

    def __init__(self, uid: int = 1001, gid: int = 100, more: tuple[int, ...] = ()) -> None:
        self.uid, self.gid, self._groups = uid, gid, {gid, *more}

    def groups(self) -> set[int]:
        return self._groups


def made(munged: Munged, now_s: int = 1000, who: Process | None = None, **request) -> bytes:
    answer = munged.answer(EncodeRequest(**request), who or Process(), now_s)
    assert isinstance(answer, Sealed) and not answer.error, answer.text
    return answer.credential


def opened(munged: Munged, credential: bytes, now_s: int = 1000, who: Process | None = None, retry: int = 0) -> Opened:
    answer = munged.answer(DecodeRequest(credential, retry), who or Process(), now_s)
    assert isinstance(answer, Opened)
    return answer


def test_a_request_is_what_libmunge_sends():
    assert encode_request(EncodeRequest(b"hello")) == ENCODE_HELLO
    assert decode_request(ENCODE_HELLO) == EncodeRequest(b"hello")


def test_an_answer_is_what_munged_sends():
    answer = decode_answer(DECODED_HELLO)
    assert isinstance(answer, Opened) and answer.credential is not None
    assert (answer.credential.payload, answer.credential.ttl_s, answer.credential.addr) == (
        b"hello",
        300,
        b"\x7f\0\0\1",
    )
    assert encode_answer(answer) == DECODED_HELLO


@given(st.binary(max_size=300), U8, U8, U8, st.binary(max_size=255), U32, U32, U32, U8)
def test_what_is_asked_arrives(payload, cipher, mac, compression, realm, ttl_s, uid, gid, retry):
    request = EncodeRequest(payload, cipher, mac, compression, realm, ttl_s, uid, gid, retry)
    assert decode_request(encode_request(request)) == request
    assert decode_request(encode_request(DecodeRequest(payload, retry))) == DecodeRequest(payload, retry)


@given(st.integers(1, 3), st.data())
def test_a_message_arrives_in_any_pieces(pieces, data):
    reader, rest = Reader(), ENCODE_HELLO
    for _ in range(pieces):
        cut = data.draw(st.integers(0, len(rest) - 1))
        assert reader.feed(rest[:cut]) is None
        rest = rest[cut:]
    assert reader.feed(rest) == ENCODE_HELLO


@pytest.mark.parametrize("end", range(len(ENCODE_HELLO)))
def test_a_request_that_is_cut_short_is_none(end):
    with pytest.raises(DecodeError):
        decode_request(ENCODE_HELLO[:end])
    body = ENCODE_HELLO[11:end]
    with pytest.raises(DecodeError):
        decode_request(ENCODE_HELLO[:7] + len(body).to_bytes(4, "big") + body)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, b"\1"),
        (4, b"\3"),
        (5, b"\0"),
        (5, b"\3"),
        (5, b"\6"),
        (7, (MAX_BODY + 1).to_bytes(4, "big")),
        (7, b"\xff" * 4),
    ],
    ids=["magic", "version", "no type", "an answer", "another authentication", "too long", "absurd"],
)
def test_what_is_no_request_is_refused(place, value):
    message = ENCODE_HELLO[:place] + value + ENCODE_HELLO[place + len(value) :]
    with pytest.raises(DecodeError):
        decode_request(message)


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_happens(data):
    for start in (b"", ENCODE_HELLO[:11], b"\x00\x60\x6d\x4b\x04\x04\x00"):
        try:
            decode_request(start + data)
        except DecodeError:
            pass
        try:
            decode_answer(start + data)
        except DecodeError:
            pass


def test_a_length_that_is_announced_costs_nothing_until_it_arrives():
    reader = Reader()
    assert reader.feed(ENCODE_HELLO[:7] + MAX_BODY.to_bytes(4, "big")) is None
    assert reader.pending == 11


def test_the_peer_is_who_asked():
    munged = Munged(KEY)
    answer = opened(munged, made(munged, payload=b"x", who=Process(5, 6)))
    assert answer.error == MungeError.SUCCESS and answer.credential is not None
    assert (answer.credential.uid, answer.credential.gid, answer.credential.payload) == (5, 6, b"x")


@pytest.mark.parametrize(("asked_s", "given_s"), [(0, 300), (7, 7), (100_000, 3600), (0xFFFFFFFF, 3600)])
def test_a_lifetime_is_the_one_asked_for_up_to_an_hour(asked_s, given_s):
    munged = Munged(KEY)
    answer = opened(munged, made(munged, ttl_s=asked_s))
    assert answer.credential is not None and answer.credential.ttl_s == given_s


@pytest.mark.parametrize(
    ("means", "error"),
    [
        ({"cipher": 9}, MungeError.BAD_CIPHER),
        ({"mac": 0}, MungeError.BAD_MAC),
        ({"cipher": 5, "mac": 2}, MungeError.BAD_MAC),
        ({"compression": 9}, MungeError.BAD_ZIP),
    ],
)
def test_means_that_do_not_exist_are_refused_by_name(means, error):
    assert Munged(KEY).answer(EncodeRequest(**means), Process(), 1000).error == error


def test_a_credential_opens_once_and_is_still_told_when_replayed():
    munged = Munged(KEY)
    credential = made(munged, payload=b"x")
    assert opened(munged, credential).error == MungeError.SUCCESS
    again = opened(munged, credential)
    assert (again.error, again.credential.payload) == (MungeError.CRED_REPLAYED, b"x")


def test_a_client_whose_connection_broke_may_ask_again():
    munged = Munged(KEY)
    credential = made(munged)
    assert opened(munged, credential).error == MungeError.SUCCESS
    assert opened(munged, credential, retry=1).error == MungeError.SUCCESS
    assert opened(munged, credential).error == MungeError.CRED_REPLAYED


def test_a_first_attempt_that_is_called_a_second_one_is_remembered():
    munged = Munged(KEY)
    credential = made(munged)
    assert opened(munged, credential, retry=1).error == MungeError.SUCCESS
    assert opened(munged, credential).error == MungeError.CRED_REPLAYED


@pytest.mark.parametrize(("now_s", "error"), [(1301, MungeError.CRED_EXPIRED), (699, MungeError.CRED_REWOUND)])
def test_a_credential_of_another_time_is_refused_and_told(now_s, error):
    munged = Munged(KEY)
    answer = opened(munged, made(munged, payload=b"x"), now_s)
    assert (answer.error, answer.credential.payload, answer.decode_time_s) == (error, b"x", now_s)


def test_a_credential_for_another_user_tells_nothing_not_even_to_root():
    munged = Munged(KEY)
    credential = made(munged, payload=b"x", uid_restriction=1002)
    for who in (Process(1001), Process(0)):
        answer = opened(munged, credential, now_s=5000, who=who)
        assert (answer.error, answer.credential) == (MungeError.CRED_UNAUTHORIZED, None)
    assert opened(munged, credential, who=Process(1002)).error == MungeError.SUCCESS


def test_a_credential_for_a_group_opens_for_its_members():
    munged = Munged(KEY)
    credential = made(munged, gid_restriction=27)
    assert opened(munged, credential, who=Process(gid=100)).error == MungeError.CRED_UNAUTHORIZED
    assert opened(munged, credential, who=Process(gid=100, more=(4, 27))).error == MungeError.SUCCESS


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", MungeError.SNAFU),
        (b"hello", MungeError.BAD_CRED),
        (b"MUNGE:AwQFAAA=", MungeError.BAD_CRED),
        (b"MUNGE:!!!!:", MungeError.BAD_CRED),
        (b"MUNGE:BAQFAAAA:", MungeError.BAD_VERSION),
        (b"MUNGE:AwkFAAAA:", MungeError.BAD_CIPHER),
        (b"MUNGE:AwQJAAAA:", MungeError.BAD_MAC),
        (b"MUNGE:AwQFCQAA:", MungeError.BAD_ZIP),
    ],
)
def test_what_is_no_credential_gets_mungeds_number(text, error):
    assert opened(Munged(KEY), text).error == error


def test_a_credential_of_another_key_is_invalid():
    answer = opened(Munged(MungeKey(bytes(128))), made(Munged(KEY)))
    assert (answer.error, answer.credential) == (MungeError.CRED_INVALID, None)


def test_blanks_around_a_credential_do_not_matter():
    munged = Munged(KEY)
    assert opened(munged, b"  \n" + made(munged) + b"\n\0").error == MungeError.SUCCESS


@given(st.binary(max_size=400), st.sampled_from(range(6)), st.sampled_from(range(1, 7)), st.sampled_from(range(4)))
def test_what_is_sealed_by_any_means_opens(payload, cipher, mac, compression):
    munged = Munged(KEY)
    answer = munged.answer(EncodeRequest(payload, cipher, mac, compression), Process(), 1000)
    if cipher == 5 and mac in (2, 3, 4):
        assert answer.error == MungeError.BAD_MAC
        return
    assert opened(munged, answer.credential).credential.payload == payload


def test_an_unauthentic_answer_carries_no_identity():
    answer = decode_answer(encode_answer(Opened(MungeError.CRED_INVALID, "no")))
    assert (answer.error, answer.text, answer.credential) == (MungeError.CRED_INVALID, "no", None)


def test_restrictions_of_both_kinds_must_hold():
    text = seal(KEY, b"", uid=1, gid=1, now_s=1000, uid_restriction=1001, gid_restriction=27).encode()
    assert opened(Munged(KEY), text, who=Process(1001, 100)).error == MungeError.CRED_UNAUTHORIZED
    assert opened(Munged(KEY), text, who=Process(1001, 27)).error == MungeError.SUCCESS


def test_a_credential_says_whom_it_is_for():
    munged = Munged(KEY)
    told = opened(munged, made(munged, uid_restriction=1001)).credential
    assert isinstance(told, Credential) and (told.uid_restriction, told.gid_restriction) == (1001, ANY)
