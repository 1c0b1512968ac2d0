"""Who sent a frame, by MUNGE: making and checking its auth section. `protocol.auth.authority` decides between plugins.

A frame is authentic when its MUNGE credential was sealed with the cluster's key, is neither too old nor from the
future, was not used before, is meant for this reader, and covers this very body: its payload is a hash type and a
digest. An empty payload and hash type 1 (no digest, only the message number) are accepted, as Slurm does by default; of
the digests K12 and SHA-3 (HashPlugin=hash/sha3, from 24.05 on).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from typing import Literal, Protocol

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
from protocol.constants import AUTH_PLUGIN_MUNGE, AUTH_PLUGIN_NONE, HASH_K12, HASH_NONE, HASH_SHA3
from protocol.frame import AuthSection, Frame

__all__ = [
    "BodyMismatch",
    "FrameSigner",
    "Identity",
    "NoCredential",
    "Signer",
    "UnsupportedPlugin",
    "authenticate",
    "check_body",
    "check_reader",
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


class FrameSigner(Protocol):
    """Whatever makes the auth section of a frame, in the name of this process or of the user who runs it."""

    def auth_section(
        self, msg_type: int, body: bytes, now_s: float, restrict_uid: int = ANY, version: int = 0
    ) -> AuthSection:
        """The auth section of a frame of `version` with this body, for this reader alone (and root)."""


class Signer(msgspec.Struct, frozen=True):
    """Whose name frames and credentials are made in, and the key that proves it."""

    key: MungeKey
    uid: int
    gid: int
    ttl_s: int = DEFAULT_TTL_S

    def auth_section(
        self, msg_type: int, body: bytes, now_s: float, restrict_uid: int = ANY, version: int = 0
    ) -> AuthSection:
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
    reader_uids: Collection[int] = (),
    allow_none: bool = False,
) -> Identity:
    """Whom the frame comes from. Raises the subclass of CredentialError that says what is wrong.

    A credential that is restricted to a uid must be for one of `reader_uids` (none given: any, as root reads
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
    check_reader(credential.uid, credential.uid_restriction, reader_uids)
    check_body(frame, credential.payload)
    if replay_cache is not None:
        replay_cache.check(credential, now_s)
    return Identity(credential.uid, credential.gid)


def check_reader(sender_uid: int, restriction_uid: int, reader_uids: Collection[int]) -> None:
    """Raises RestrictedCredential where a credential is for a uid that is not one of `reader_uids` (empty: any)."""
    if reader_uids and restriction_uid != ANY and restriction_uid not in reader_uids:
        raise RestrictedCredential(f"credential of uid {sender_uid} is meant for uid {restriction_uid}")


def check_body(frame: Frame, payload: bytes) -> None:
    """Compare a frame's body with the hash type and digest that its credential carries. Raises BodyMismatch."""
    if not payload:
        return
    if payload[0] == HASH_NONE:
        expected = frame.msg_type.to_bytes(2, _none_order(payload, frame.msg_type))
    elif payload[0] == HASH_K12:
        expected = body_digest(frame.msg_type, frame.body)
    elif payload[0] == HASH_SHA3:
        expected = hashlib.sha3_256(frame.body + frame.msg_type.to_bytes(2, "big")).digest()
    else:
        raise BodyMismatch(f"hash type {payload[0]} is not supported")
    if not hmac.compare_digest(payload[1:], expected):
        raise BodyMismatch("the credential was made for another body")


def _none_order(payload: bytes, msg_type: int) -> Literal["big", "little"]:
    """Without a digest the number stands in the sender's own byte order, which is mostly little-endian."""
    return "little" if payload[1:] == msg_type.to_bytes(2, "little") else "big"
