"""Every recorded frame is understood to the last byte and written again identically."""

import jwt
import msgspec
import pytest

from protocol import versions
from protocol.auth import (
    Authority,
    BodyMismatch,
    Claims,
    CredentialError,
    Identity,
    ReplayCache,
    ReplayedCredential,
    TokenSigner,
    authenticate,
    check_token,
    make_token,
)
from protocol.auth.munge import inspect
from protocol.codec import body_class, decode_body, encode_body, message_name
from protocol.constants import AUTH_PLUGIN_MUNGE, AUTH_PLUGIN_NONE, MessageType
from protocol.credential import (
    check_launch_credential,
    check_sbcast_credential,
    io_key,
    launch_credential,
    open_launch_credential,
    open_sbcast_credential,
    sbcast_credential,
)
from protocol.errors import DecodeError
from protocol.frame import Frame, decode_frame, encode_frame
from protocol.messages import LaunchCredential, SbcastCredential
from tests.protocol.wire_data import KEY, RECORDED_VERSIONS, TOKEN_KEY, TOKEN_RECORDINGS, recorded_frames

ALL_RECORDINGS = RECORDED_VERSIONS + TOKEN_RECORDINGS


def frames_of(version: str) -> list[Frame]:
    return [decode_frame(data) for data in recorded_frames(version)]


def sealed(frame: Frame) -> bool:
    """Whether the frame carries a MUNGE credential."""
    return frame.auth is not None and frame.auth.plugin_id == AUTH_PLUGIN_MUNGE


def sealed_at(frame: Frame) -> int:
    """When the frame's credential was made."""
    assert frame.auth is not None
    return inspect(KEY, frame.auth.token).encode_time_s


@pytest.mark.parametrize("version", ALL_RECORDINGS)
def test_a_recorded_frame_is_written_again_byte_for_byte(version):
    for data in recorded_frames(version):
        frame = decode_frame(data)
        assert encode_frame(frame)[4:] == data, message_name(frame.msg_type)


@pytest.mark.parametrize("version", ALL_RECORDINGS)
def test_a_recorded_body_is_written_again_byte_for_byte(version):
    for frame in frames_of(version):
        record = decode_body(frame.msg_type, frame.body, frame.version)
        assert encode_body(frame.msg_type, record, frame.version) == frame.body, message_name(frame.msg_type)


@pytest.mark.parametrize("version", RECORDED_VERSIONS)
def test_a_recorded_frame_proves_who_sent_it(version):
    proven = 0
    for frame in frames_of(version):
        if sealed(frame):
            identity = authenticate(frame, KEY, sealed_at(frame))
            assert identity.uid in (0, 1001, 1002, 64030)
            proven += 1
    assert proven > 20


@pytest.mark.parametrize("version", ("22.05", "24.11", "26.05"))
def test_an_altered_body_is_noticed(version):
    frame = next(frame for frame in frames_of(version) if sealed(frame) and len(frame.body) > 50)
    now_s = sealed_at(frame)
    frame.body = frame.body[:-1] + bytes((frame.body[-1] ^ 1,))
    with pytest.raises(BodyMismatch):
        authenticate(frame, KEY, now_s)


def test_a_credential_does_not_pass_for_another_message_with_the_same_body():
    frame = next(frame for frame in frames_of("22.05") if frame.msg_type == MessageType.REQUEST_PING and sealed(frame))
    now_s = sealed_at(frame)
    assert authenticate(frame, KEY, now_s)
    frame.msg_type = MessageType.REQUEST_TAKEOVER
    with pytest.raises(BodyMismatch):
        authenticate(frame, KEY, now_s)


def test_a_recorded_frame_is_accepted_once():
    frame = next(frame for frame in frames_of("24.11") if sealed(frame))
    cache, now_s = ReplayCache(), sealed_at(frame)
    authenticate(frame, KEY, now_s, cache)
    with pytest.raises(ReplayedCredential):
        authenticate(frame, KEY, now_s, cache)


def test_frames_of_auth_none_are_believed_only_on_request():
    frame = next(frame for frame in frames_of("22.05") if frame.auth and frame.auth.plugin_id == AUTH_PLUGIN_NONE)
    assert authenticate(frame, KEY, 0, allow_none=True).uid in (0, 1001, 1002, 64030)
    with pytest.raises(CredentialError):
        authenticate(frame, KEY, 0)


@pytest.mark.parametrize("version", RECORDED_VERSIONS)
def test_a_recorded_launch_credential_is_signed_over_exactly_its_packed_body(version):
    checked = 0
    for frame in frames_of(version):
        record = decode_body(frame.msg_type, frame.body, frame.version)
        credential = getattr(record, "slurm_cred", None) or getattr(record, "cred", None)
        if frame.auth is not None and frame.auth.plugin_id != AUTH_PLUGIN_MUNGE:
            continue
        if not getattr(credential, "signature", None) or not hasattr(credential, "credential"):
            continue
        in_version = getattr(record, "cred_version", 0) or frame.version
        made_s = credential.credential.ctime
        assert check_launch_credential(credential, in_version, KEY, made_s).uid in (0, 1001, 64030)
        checked += 1
    assert checked > 0


def test_a_recorded_sbcast_credential_is_genuine():
    checked = 0
    for version in ("22.05", "24.11", "26.05"):
        for frame in frames_of(version):
            if frame.msg_type == MessageType.RESPONSE_JOB_SBCAST_CRED:
                record = decode_body(frame.msg_type, frame.body, frame.version)
                credential = record.sbcast_cred
                if "MUNGE" not in str(credential.signature):
                    continue
                assert check_sbcast_credential(credential, frame.version, KEY, credential.ctime).uid in (0, 64030)
                checked += 1
    assert checked >= 3


@pytest.mark.parametrize("recording", TOKEN_RECORDINGS)
def test_a_recorded_token_proves_who_sent_its_frame(recording):
    contexts = set()
    for frame in frames_of(recording):
        if frame.auth is None:
            continue
        claims = token_claims(frame.auth.token, frozenset(("auth", "sack")))
        authority = Authority(TokenSigner(TOKEN_KEY, 0, 0, "cluster1", "ctl1"))
        assert authority.identify(frame, claims.iat) == Identity(claims.uid, claims.gid)
        assert (claims.cluster, claims.exp - claims.iat) == ("cluster1", 60)
        assert make_token(TOKEN_KEY, claims) == frame.auth.token
        contexts.add(claims.context)
        altered = msgspec.structs.replace(frame, body=frame.body + b"x")
        with pytest.raises(BodyMismatch):
            authority.identify(altered, claims.iat)
    assert contexts == {"auth", "sack"}


def token_claims(token: str, contexts: frozenset[str]) -> Claims:
    """What a recorded token says, at the time when it was made."""
    made_s = jwt.decode(token, options={"verify_signature": False})["iat"]
    return check_token(TOKEN_KEY, token, made_s, contexts=contexts)


@pytest.mark.parametrize("recording", TOKEN_RECORDINGS)
def test_a_recorded_launch_token_is_the_one_that_we_make(recording):
    checked = set()
    for frame in frames_of(recording):
        record = decode_body(frame.msg_type, frame.body, frame.version)
        found = getattr(record, "slurm_cred", None) or getattr(record, "cred", None)
        if not isinstance(found, LaunchCredential) or found.token is None:
            continue
        assert found == LaunchCredential(token=found.token)
        claims = token_claims(found.token, frozenset(("launch",)))
        body = open_launch_credential(found, frame.version, TOKEN_KEY, claims.iat, reader_uids=(0,))
        assert (body.id.pw_name, body.id.uid, body.id.pw_dir) == ("alice", 1001, "/home/alice")
        signer = TokenSigner(TOKEN_KEY, 64030, 64030, claims.cluster, claims.host)
        assert launch_credential(body, frame.version, signer, claims.iat, restrict_uid=0) == found
        assert io_key(found) == found.token
        checked.add(frame.msg_type)
    assert len(checked) >= 5


@pytest.mark.parametrize("recording", TOKEN_RECORDINGS)
def test_a_recorded_sbcast_token_is_the_one_that_we_make(recording):
    checked = 0
    for frame in frames_of(recording):
        record = decode_body(frame.msg_type, frame.body, frame.version)
        found = getattr(record, "sbcast_cred", None) or getattr(record, "cred", None)
        if not isinstance(found, SbcastCredential):
            continue
        claims = token_claims(found.token, frozenset(("sbcast",)))
        told = open_sbcast_credential(found, frame.version, TOKEN_KEY, claims.iat)
        assert (told.job_id, told.nodes, told.id.pw_name, told.expiration) == (3, "n1", "alice", claims.exp)
        signer = TokenSigner(TOKEN_KEY, 64030, 64030, claims.cluster, claims.host)
        assert sbcast_credential(told, frame.version, signer, claims.iat, restrict_uid=0) == found
        checked += 1
    assert checked == 2


@pytest.mark.parametrize("version", ALL_RECORDINGS)
def test_a_body_that_is_cut_short_anywhere_is_refused_with_field_and_offset(version):
    for frame in frames_of(version):
        if frame.msg_type == MessageType.REQUEST_DBD_RELAY:
            continue
        size = len(frame.body)
        for end in range(0, size, 1 if size < 300 else size // 60):
            with pytest.raises(DecodeError) as caught:
                decode_body(frame.msg_type, frame.body[:end], frame.version)
            assert caught.value.field and caught.value.offset is not None
            assert message_name(frame.msg_type) in str(caught.value)


@pytest.mark.parametrize("version", ALL_RECORDINGS)
def test_a_frame_that_is_cut_short_anywhere_is_refused(version):
    for data in recorded_frames(version)[::7]:
        for end in range(0, len(data), max(len(data) // 80, 1)):
            with pytest.raises(DecodeError):
                decode_frame(data[:end])


def test_bytes_behind_the_layout_are_served_only_on_request():
    for frame in frames_of("24.11"):
        if frame.msg_type == MessageType.REQUEST_DBD_RELAY:
            continue
        longer = frame.body + b"\0\1"
        with pytest.raises(DecodeError):
            decode_body(frame.msg_type, longer, frame.version)
        record = decode_body(frame.msg_type, longer, frame.version, trailing=True)
        assert record == decode_body(frame.msg_type, frame.body, frame.version)


@pytest.mark.parametrize("version", RECORDED_VERSIONS)
def test_a_byte_that_fell_over_gives_a_record_or_a_decode_error(version):
    outcomes = {True: 0, False: 0}
    for number, frame in enumerate(frames_of(version)):
        for step in range(1, 12):
            position = number * 31 + step * 97
            if position >= len(frame.body):
                continue
            broken = bytearray(frame.body)
            broken[position] ^= 1 << step % 8
            try:
                decode_body(frame.msg_type, bytes(broken), frame.version)
                outcomes[True] += 1
            except DecodeError:
                outcomes[False] += 1
    assert outcomes[True] > 50 and outcomes[False] > 10


def test_the_selection_covers_every_message_that_was_recorded():
    seen = {frame.msg_type for version in RECORDED_VERSIONS for frame in frames_of(version)}
    assert len(seen) > 150
    assert all(number in set(MessageType) for number in seen)
    assert {versions.name(frame.version) for frame in frames_of("23.02")} == {"23.02"}
    assert body_class(MessageType.REQUEST_PING) is None
