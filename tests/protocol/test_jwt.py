"""auth/jwt: tokens of users, and auth/none: whom each proves to come from."""

import jwt
import pytest

from protocol.auth import (
    Authority,
    CredentialError,
    ExpiredCredential,
    ForgedCredential,
    Identity,
    JwtSigner,
    MalformedCredential,
    NoneSigner,
    RestrictedCredential,
    Signer,
    TokenKey,
    UnknownUser,
    UnsupportedPlugin,
    make_user_token,
)
from protocol.auth.tokens import MAX_TOKEN, seal_token
from protocol.constants import AUTH_PLUGIN_JWT, AUTH_PLUGIN_MUNGE, MessageType
from protocol.exchange import make_request
from protocol.frame import Frame, decode_frame
from protocol.versions import Version
from tests.protocol.wire_data import KEY

JWT_KEY = TokenKey(b"j" * 32)
NOW_S = 1_800_000_000
USERS = {"root": (0, 0), "slurm": (64030, 64030), "alice": (1001, 1001), "bob": (1002, 1002)}
CONTROLLER = Authority(
    Signer(KEY, 64030, 64030), jwt_key=JWT_KEY, user_ids=USERS.get, privileged_uids=frozenset((0, 64030))
)


def request(token: str | None, user_name: str | None = None, version: int = Version.V24_11) -> Frame:
    signer = JwtSigner(token, user_name)
    return decode_frame(make_request(MessageType.REQUEST_PING, None, version, signer, NOW_S)[4:])


def token(**claims) -> str:
    return seal_token(JWT_KEY, {"sun": "alice", "iat": NOW_S, "exp": NOW_S + 60} | claims)


@pytest.mark.parametrize("version", tuple(Version))
def test_a_token_made_here_proves_its_holder(version):
    made = make_user_token(JWT_KEY, "alice", NOW_S)
    assert CONTROLLER.identify(request(made, version=version), NOW_S + 1799) == Identity(1001, 1001)
    with pytest.raises(ExpiredCredential):
        CONTROLLER.identify(request(made), NOW_S + 1800)


def test_a_token_made_here_says_what_slurmctld_writes():
    made = make_user_token(JWT_KEY, "root", 1795624403, 60)
    assert jwt.decode(made, options={"verify_signature": False}) == {
        "exp": 1795624463, "iat": 1795624403, "sun": "root",
    }  # fmt: skip
    assert made.startswith(
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3OTU2MjQ0NjMsImlhdCI6MTc5NTYyNDQwMywic3VuIj"
    )


@pytest.mark.parametrize("holder", ["root", "slurm"])
def test_root_and_slurm_user_may_speak_for_others(holder):
    assert CONTROLLER.identify(request(token(sun=holder), "bob"), NOW_S) == Identity(1002, 1002)


def test_a_user_may_speak_for_himself_alone():
    assert CONTROLLER.identify(request(token(), "alice"), NOW_S) == Identity(1001, 1001)
    for other in ("bob", "root"):
        with pytest.raises(RestrictedCredential, match="alice does not entitle"):
            CONTROLLER.identify(request(token(), other), NOW_S)


@pytest.mark.parametrize(
    ("claims", "refusal"),
    [
        ({"sun": None}, MalformedCredential),
        ({"sun": ""}, MalformedCredential),
        ({"sun": 0}, MalformedCredential),
        ({"sun": "x" * 300}, MalformedCredential),
        ({"sun": "x" * MAX_TOKEN}, MalformedCredential),
        ({"sun": "ghost"}, UnknownUser),
        ({"exp": None}, MalformedCredential),
        ({"exp": NOW_S - 1}, ExpiredCredential),
        ({"exp": float("inf")}, MalformedCredential),
    ],
)
def test_a_token_that_is_not_in_order_is_refused(claims, refusal):
    with pytest.raises(refusal):
        CONTROLLER.identify(request(token(**claims)), NOW_S)


def test_an_unknown_user_cannot_be_spoken_for():
    with pytest.raises(UnknownUser):
        CONTROLLER.identify(request(token(sun="root"), "ghost"), NOW_S)


def test_neither_another_key_nor_another_algorithm_is_taken():
    claims = {"sun": "root", "exp": NOW_S + 60}
    with pytest.raises(ForgedCredential):
        CONTROLLER.identify(request(jwt.encode(claims, b"x" * 32, "HS256")), NOW_S)
    for made in (jwt.encode(claims, None, "none"), jwt.encode(claims, b"j" * 64, "HS384"), None, ""):
        with pytest.raises(MalformedCredential):
            CONTROLLER.identify(request(made), NOW_S)


def test_tokens_of_users_are_taken_only_where_they_are_configured():
    with pytest.raises(UnsupportedPlugin):
        Authority(Signer(KEY, 0, 0)).identify(request(token()), NOW_S)


def test_the_reply_to_a_token_carries_an_empty_one_and_any_other_the_daemons_own():
    reply = CONTROLLER.signer_for(request(token())).auth_section(MessageType.RESPONSE_SLURM_RC, b"", NOW_S)
    assert (reply.plugin_id, reply.token, reply.user_name) == (AUTH_PLUGIN_JWT, None, None)
    assert CONTROLLER.signer_for(Frame(1008)).auth_section(1008, b"", NOW_S).plugin_id == AUTH_PLUGIN_MUNGE


def unproven(peer: str, authority: Authority) -> Identity:
    data = make_request(MessageType.REQUEST_PING, None, Version.V22_05, NoneSigner(1001, 1002, "ctl"), NOW_S)
    return authority.identify(decode_frame(data[4:]), NOW_S, peer)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.3.1", "::1", "::ffff:127.0.0.1"])
def test_auth_none_is_believed_of_this_host(peer):
    assert unproven(peer, Authority(NoneSigner(0, 0, "ctl"))) == Identity(1001, 1002)


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "", "localhost", "fe80::1%lo"])
def test_auth_none_is_believed_of_nobody_else(peer):
    with pytest.raises(CredentialError):
        unproven(peer, Authority(NoneSigner(0, 0, "ctl")))


def test_auth_none_is_refused_where_it_is_not_configured():
    with pytest.raises(UnsupportedPlugin):
        unproven("127.0.0.1", CONTROLLER)
