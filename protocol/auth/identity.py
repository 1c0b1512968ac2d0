"""Who sent a frame: making and checking its auth section.

A frame is authentic when its MUNGE credential was sealed with the cluster's key, is neither too old nor from the
future, was not used before, is meant for this reader, and covers this very body: its payload is a hash type and a
digest. An empty payload and hash type 1 (no digest, only the message number) are accepted, as Slurm does by default.
"""

from __future__ import annotations

import hmac
from typing import Literal

import msgspec

from protocol.auth.k12 import body_digest
from protocol.auth.munge import (
    ANY,
    DEFAULT_TTL_S,
    CredentialError,
    MungeKey,
    ReplayCache,
    RestrictedCredential,
    seal,
    unseal,
)
from protocol.constants import AUTH_PLUGIN_MUNGE, AUTH_PLUGIN_NONE, HASH_K12, HASH_NONE
from protocol.frame import AuthSection, Frame

__all__ = [
    "BodyMismatch",
    "Identity",
    "NoCredential",
    "Signer",
    "UnsupportedPlugin",
    "authenticate",
    "sign",
]


class NoCredential(CredentialError):
    """The frame carries no credential at all."""


class UnsupportedPlugin(CredentialError):
    """The frame was made with an authentication plugin that is not accepted here."""


class BodyMismatch(CredentialError):
    """The credential is genuine but was made for another body."""


class Identity(msgspec.Struct, frozen=True):
    """The user that a frame proves to come from."""

    uid: int
    gid: int


class Signer(msgspec.Struct, frozen=True):
    """Whose name frames and credentials are made in, and the key that proves it."""

    key: MungeKey
    uid: int
    gid: int
    ttl_s: int = DEFAULT_TTL_S

    def auth_section(self, msg_type: int, body: bytes, now_s: float, restrict_uid: int = ANY) -> AuthSection:
        """The auth section of a frame with this body; `restrict_uid` is the only uid that may read it (and root)."""
        return sign(msg_type, body, self.key, self.uid, self.gid, now_s, restrict_uid=restrict_uid, ttl_s=self.ttl_s)

    def seal(self, payload: bytes, now_s: float, restrict_uid: int = ANY) -> str:
        """A bare MUNGE credential for `payload`."""
        return seal(
            self.key,
            payload,
            uid=self.uid,
            gid=self.gid,
            now_s=now_s,
            ttl_s=self.ttl_s,
            uid_restriction=restrict_uid,
        )


def sign(
    msg_type: int,
    body: bytes,
    key: MungeKey,
    uid: int,
    gid: int,
    now_s: float,
    *,
    restrict_uid: int = ANY,
    ttl_s: int = DEFAULT_TTL_S,
) -> AuthSection:
    """The auth section of a message from `uid`, tied to its body; the same in all versions."""
    payload = bytes((HASH_K12,)) + body_digest(msg_type, body)
    token = seal(key, payload, uid=uid, gid=gid, now_s=now_s, ttl_s=ttl_s, uid_restriction=restrict_uid)
    return AuthSection(AUTH_PLUGIN_MUNGE, token)


def authenticate(
    frame: Frame,
    key: MungeKey,
    now_s: float,
    replay_cache: ReplayCache | None = None,
    *,
    reader_uid: int | None = None,
    allow_none: bool = False,
) -> Identity:
    """Whom the frame comes from. Raises the subclass of CredentialError that says what is wrong.

    `reader_uid` is the uid that this daemon runs as, compared with the credential's restriction (root reads
    everything); `allow_none` takes the word of auth/none frames.
    """
    auth = frame.auth
    if auth is None:
        raise NoCredential("frame without a credential")
    if auth.plugin_id == AUTH_PLUGIN_NONE and allow_none:
        return Identity(auth.uid, auth.gid)
    if auth.plugin_id != AUTH_PLUGIN_MUNGE:
        raise UnsupportedPlugin(f"authentication plugin {auth.plugin_id} is not accepted")
    credential = unseal(key, auth.token, now_s=now_s)
    if reader_uid and credential.uid_restriction not in (ANY, reader_uid):
        raise RestrictedCredential(f"credential of uid {credential.uid} is not meant for uid {reader_uid}")
    _check_body(frame, credential.payload)
    if replay_cache is not None:
        replay_cache.check(credential, now_s)
    return Identity(credential.uid, credential.gid)


def _check_body(frame: Frame, payload: bytes) -> None:
    if not payload:
        return
    if payload[0] == HASH_NONE:
        expected = frame.msg_type.to_bytes(2, _none_order(payload, frame.msg_type))
    elif payload[0] == HASH_K12:
        expected = body_digest(frame.msg_type, frame.body)
    else:
        raise BodyMismatch(f"hash type {payload[0]} is not supported")
    if not hmac.compare_digest(payload[1:], expected):
        raise BodyMismatch("the credential was made for another body")


def _none_order(payload: bytes, msg_type: int) -> Literal["big", "little"]:
    """Without a digest the number stands in the sender's own byte order, which is mostly little-endian."""
    return "little" if payload[1:] == msg_type.to_bytes(2, "little") else "big"
