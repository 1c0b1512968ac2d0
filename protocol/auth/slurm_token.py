"""auth/slurm: Slurm's own replacement of MUNGE (from 23.11 on). Every credential is a token signed with slurm.key.

Claims, in all of them:

    iat exp      when it was made, until when it holds
    ver          protocol version of its maker
    context      what it is for: "auth" a frame of a process that may read the key, "sack" one of a user for whom a
                 local daemon (sackd, slurmd, slurmctld) signed, "launch" and "sbcast" credentials, "net" node addresses
    cluster host uid gid      where it was made, and by whom (in "launch" and "sbcast": the job's user)
    ruid         the only uid that may use it, ANY for no restriction
    payload      base64 of what a MUNGE credential would carry: hash type and digest of a frame's body, the packed
                 body of a launch credential, packed node addresses

A launch or sbcast token also has `id`, the user's identity, and an sbcast token has `sbcast` instead of a payload.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Annotated, Any

import msgspec

from protocol.auth.identity import check_reader
from protocol.auth.k12 import body_digest
from protocol.auth.munge import ANY, MalformedCredential, RestrictedCredential
from protocol.auth.tokens import MAX_TOKEN, TokenKey, open_token, seal_token
from protocol.constants import AUTH_PLUGIN_SLURM, HASH_K12
from protocol.frame import AuthSection
from protocol.versions import NEWEST

__all__ = [
    "AUTH_CONTEXTS",
    "MAX_LAUNCH_TOKEN",
    "TOKEN_TTL_S",
    "Claims",
    "SbcastClaims",
    "TokenIdentity",
    "TokenSigner",
    "check_token",
    "make_token",
]

TOKEN_TTL_S = 60
"""How long a token is valid."""
MAX_LAUNCH_TOKEN = 16 << 20
AUTH_CONTEXTS = frozenset(("auth", "sack"))
"""Contexts of tokens that a frame may carry."""

_U16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
_U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]


class TokenIdentity(msgspec.Struct, frozen=True, omit_defaults=True):
    """A user as launch tokens carry him; his uid and gid stand in the token itself."""

    name: str | None = None
    gecos: str | None = None
    dir: str | None = None
    shell: str | None = None
    gids: list[_U32] = []


class SbcastClaims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an sbcast token is for. `sluid` (25.11 on) is the job's unique id as text."""

    nodes: str
    job_id: _U32
    step_id: _U32
    het_job_id: _U32
    sluid: str | None = None


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says; defaults are what it may leave out."""

    context: str
    cluster: str
    host: str
    uid: _U32
    gid: _U32
    ruid: _U32
    ver: _U16
    iat: int
    exp: int
    payload: str | None = None
    id: TokenIdentity | None = None
    sbcast: SbcastClaims | None = None

    @property
    def data(self) -> bytes:
        """The payload's bytes. Raises MalformedCredential."""
        try:
            return base64.b64decode(self.payload or "", validate=True)
        except binascii.Error as error:
            raise MalformedCredential(f"a token whose payload is not base64: {error}") from error


class TokenSigner(msgspec.Struct, frozen=True):
    """Whose name tokens are made in, and the key that proves it."""

    key: TokenKey
    uid: int
    gid: int
    cluster: str
    host: str
    ttl_s: int = TOKEN_TTL_S

    def auth_section(
        self, msg_type: int, body: bytes, now_s: float, restrict_uid: int = ANY, version: int = NEWEST
    ) -> AuthSection:
        """The auth section of a frame with this body; `restrict_uid` is the only uid that may read it (and root)."""
        payload = bytes((HASH_K12,)) + body_digest(msg_type, body)
        return AuthSection(AUTH_PLUGIN_SLURM, self.token("auth", payload, version, now_s, restrict_uid=restrict_uid))

    def token(
        self, context: str, payload: bytes | None, version: int, now_s: float, *, restrict_uid: int = ANY, **more: Any
    ) -> str:
        """A token of this process; `more` are further claims (`uid` and `gid` of a job's user, `id`, `sbcast`)."""
        made_s = int(now_s)
        claims = {
            "context": context, "cluster": self.cluster, "host": self.host, "uid": self.uid, "gid": self.gid,
            "ruid": restrict_uid, "ver": int(version), "iat": made_s, "exp": made_s + self.ttl_s,
            "payload": None if payload is None else base64.b64encode(payload).decode(),
        }  # fmt: skip
        return make_token(self.key, Claims(**{**claims, **more}))


def make_token(key: TokenKey, claims: Claims) -> str:
    """The token with these claims, byte for byte as Slurm writes it."""
    return seal_token(key, msgspec.to_builtins(claims, order="sorted"))


def check_token(
    key: TokenKey,
    text: str | None,
    now_s: float,
    *,
    contexts: Collection[str],
    reader_uids: Collection[int] = (),
    limit: int = MAX_TOKEN,
) -> Claims:
    """What a token says, once it is genuine, valid now, for one of `contexts` and for one of `reader_uids` (empty:
    any, as root reads everything).

    Raises the subclass of CredentialError that says what is wrong.
    """
    found = open_token(key, text, now_s, limit=limit)
    try:
        claims = msgspec.convert(found, Claims)
    except msgspec.ValidationError as error:
        raise MalformedCredential(f"a token with unsound claims: {error}") from error
    if claims.context not in contexts:
        raise RestrictedCredential(f"a token for {claims.context!r} is not one for {' or '.join(sorted(contexts))}")
    check_reader(claims.uid, claims.ruid, reader_uids)
    return claims
