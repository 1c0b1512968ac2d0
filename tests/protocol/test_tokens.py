"""auth/slurm: tokens as Slurm makes them, and what is refused about others."""

import base64
import json

import jwt
import pytest

from protocol import versions
from protocol.auth import (
    ANY,
    Authority,
    BodyMismatch,
    CredentialError,
    ExpiredCredential,
    ForgedCredential,
    MalformedCredential,
    RestrictedCredential,
    RewoundCredential,
    Signer,
    TokenKey,
    TokenSigner,
    UnsupportedPlugin,
    make_token,
)
from protocol.auth.slurm_token import Claims
from protocol.auth.tokens import MAX_TOKEN, seal_token
from protocol.constants import AUTH_PLUGIN_SLURM, MessageType
from protocol.exchange import make_request
from protocol.frame import AuthSection, Frame, decode_frame
from protocol.versions import Version
from tests.protocol.wire_data import KEY

TOKEN_KEY = TokenKey(b"k" * 32)
NOW_S = 1_800_000_000
ALICE = TokenSigner(TOKEN_KEY, 1001, 1002, "testc", "ctl")
CONTROLLER = Authority(TokenSigner(TOKEN_KEY, 64030, 64030, "testc", "ctl"), reader_uids=(64030,))
BODY = b"body"


def frame(signer: TokenSigner = ALICE, **altered) -> Frame:
    """A frame whose token says something else than it should; None leaves a claim out."""
    auth = signer.auth_section(MessageType.REQUEST_PING, BODY, NOW_S)
    claims = jwt.decode(auth.token, TOKEN_KEY.secret, ["HS256"], options={"verify_exp": False, "verify_iat": False})
    claims = {name: value for name, value in (claims | altered).items() if value is not None}
    token = seal_token(TOKEN_KEY, claims)
    return Frame(MessageType.REQUEST_PING, Version.V24_11, body=BODY, auth=AuthSection(AUTH_PLUGIN_SLURM, token))


@pytest.mark.parametrize("version", [each for each in Version if each >= Version.V23_11])
def test_a_request_with_a_token_proves_its_sender(version):
    request = decode_frame(make_request(MessageType.REQUEST_PING, None, version, ALICE, NOW_S)[4:])
    claims = jwt.decode(request.auth.token, options={"verify_signature": False})
    identity = CONTROLLER.identify(request, NOW_S)
    assert (identity.uid, identity.gid, claims["ver"], claims["context"]) == (1001, 1002, version, "auth")


@pytest.mark.parametrize(
    ("altered", "refusal"),
    [
        ({"exp": NOW_S}, ExpiredCredential),
        ({"exp": None}, MalformedCredential),
        ({"exp": "tomorrow"}, MalformedCredential),
        ({"exp": True}, MalformedCredential),
        ({"iat": NOW_S + 3600, "exp": NOW_S + 3660}, RewoundCredential),
        ({"ruid": 1002}, RestrictedCredential),
        ({"ruid": None}, MalformedCredential),
        ({"context": "launch"}, RestrictedCredential),
        ({"context": "net"}, RestrictedCredential),
        ({"context": None}, MalformedCredential),
        ({"uid": None}, MalformedCredential),
        ({"uid": -1}, MalformedCredential),
        ({"uid": "0"}, MalformedCredential),
        ({"uid": 1 << 32}, MalformedCredential),
        ({"gid": None}, MalformedCredential),
        ({"host": None}, MalformedCredential),
        ({"payload": None}, BodyMismatch),
        ({"payload": ""}, BodyMismatch),
        ({"payload": "!!"}, MalformedCredential),
        ({"payload": base64.b64encode(b"\2" + bytes(32)).decode()}, BodyMismatch),
        ({"payload": base64.b64encode(b"\3" + bytes(32)).decode()}, BodyMismatch),
    ],
)
def test_a_token_that_is_not_in_order_is_refused(altered, refusal):
    assert CONTROLLER.identify(frame(), NOW_S).uid == 1001
    with pytest.raises(refusal):
        CONTROLLER.identify(frame(**altered), NOW_S)


def test_a_token_of_a_user_is_signed_by_sackd_under_a_context_of_its_own():
    assert CONTROLLER.identify(frame(context="sack"), NOW_S).uid == 1001


def test_a_token_for_this_reader_and_any_token_for_root_are_read():
    assert CONTROLLER.identify(frame(ruid=64030), NOW_S).uid == 1001
    assert Authority(CONTROLLER.signer).identify(frame(ruid=7), NOW_S).uid == 1001


def test_a_token_does_not_pass_for_another_body_or_message():
    moved, altered = frame(), frame()
    moved.msg_type, altered.body = MessageType.REQUEST_TAKEOVER, b"bodY"
    for each in (moved, altered):
        with pytest.raises(BodyMismatch):
            CONTROLLER.identify(each, NOW_S)


def test_a_token_of_another_cluster_key_or_an_altered_one_is_forged():
    foreign = frame()
    header, claims, signature = foreign.auth.token.split(".")
    other = claims[:-4] + ("AAAA" if claims[-4:] != "AAAA" else "BBBB")
    foreign.auth.token = f"{header}.{other}.{signature}"
    with pytest.raises(ForgedCredential):
        CONTROLLER.identify(foreign, NOW_S)
    foreign.auth.token = jwt.encode({"uid": 0, "exp": NOW_S + 60}, b"o" * 32, "HS256")
    with pytest.raises(ForgedCredential):
        CONTROLLER.identify(foreign, NOW_S)


def unsecured(claims: dict) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@pytest.mark.parametrize(
    "token",
    [
        unsecured({"uid": 0, "exp": NOW_S + 60}),
        jwt.encode({"uid": 0, "exp": NOW_S + 60}, b"k" * 64, "HS512"),
        "",
        "eyJ",
        "a.b.c",
        "MUNGE:AwQFAAA:",
        "ünïcode.ä.ö",
        "x" * (MAX_TOKEN + 1),
    ],
)
def test_anything_but_an_hs256_token_is_refused(token):
    request = frame()
    request.auth.token = token
    with pytest.raises(MalformedCredential):
        CONTROLLER.identify(request, NOW_S)


def test_a_munge_cluster_takes_no_tokens_and_a_token_cluster_no_munge():
    with pytest.raises(UnsupportedPlugin):
        Authority(Signer(KEY, 0, 0)).identify(frame(), NOW_S)
    sealed = decode_frame(
        make_request(MessageType.REQUEST_PING, None, Version.V24_11, Signer(KEY, 1001, 1001), NOW_S)[4:]
    )
    with pytest.raises(UnsupportedPlugin):
        CONTROLLER.identify(sealed, NOW_S)
    with pytest.raises(CredentialError):
        CONTROLLER.identify(Frame(MessageType.REQUEST_PING), NOW_S)


def test_the_claims_of_a_token_stand_in_alphabetical_order_without_blanks():
    claims = Claims("auth", "testc", "ctl", 1, 2, ANY, versions.NEWEST, NOW_S, NOW_S + 60, "AAA=")
    header, middle, _ = make_token(TOKEN_KEY, claims).split(".")
    assert base64.urlsafe_b64decode(header + "==") == b'{"alg":"HS256","typ":"JWT"}'
    text = base64.urlsafe_b64decode(middle + "==").decode()
    assert text.startswith('{"cluster":"testc","context":"auth","exp":1800000060,"gid":2,')


def test_a_key_that_is_too_short_is_refused_and_none_is_ever_shown():
    with pytest.raises(ValueError, match="31 bytes is too short"):
        TokenKey(b"s" * 31)
    assert "kkk" not in repr(ALICE)
