"""One request and one reply: whole frames from records, with the credential that each version wants.

Requests always carry a credential. Replies of 22.05 carry the daemon's; from 23.02 on a reply says by a header flag
that it has none, except a few of the node daemon's (ping, registration, step statistics) which are signed in every
version. A reply has the version of its request and starts from its flags.
"""

from __future__ import annotations

from protocol.auth.identity import FrameSigner
from protocol.auth.munge import ANY
from protocol.codec import encode_body
from protocol.constants import HeaderFlag, MessageType
from protocol.frame import Forward, Frame, RetItem, encode_frame
from protocol.schema import Record
from protocol.versions import Version

__all__ = ["SIGNED_REPLIES", "make_reply", "make_request"]

SIGNED_REPLIES = frozenset(
    {
        MessageType.RESPONSE_PING_SLURMD,
        MessageType.RESPONSE_SLURMD_STATUS,
        MessageType.RESPONSE_JOB_STEP_STAT,
        MessageType.RESPONSE_JOB_STEP_PIDS,
        MessageType.RESPONSE_REATTACH_TASKS,
        MessageType.RESPONSE_NETWORK_CALLERID,
        MessageType.RESPONSE_ACCT_GATHER_UPDATE,
        MessageType.RESPONSE_ACCT_GATHER_ENERGY,
    }
)
"""Replies of the node daemon that carry a credential in every version (most of them seen in recorded traffic)."""

_KEPT_FLAGS = int(HeaderFlag.GLOBAL_AUTH_KEY | HeaderFlag.CONNECTION | HeaderFlag.USE_BCAST_NETWORK)
_NO_CREDENTIAL = int(HeaderFlag.NO_AUTH_CRED)


def make_request(
    msg_type: int,
    record: Record | None,
    version: int,
    signer: FrameSigner,
    now_s: float,
    *,
    restrict_uid: int = ANY,
    flags: int = 0,
    forward: Forward | None = None,
) -> bytes:
    """A request with its length prefix. Raises EncodeError."""
    body = encode_body(msg_type, record, version)
    auth = signer.auth_section(msg_type, body, now_s, restrict_uid, version)
    return encode_frame(Frame(msg_type, version, flags, body, auth, forward))


def make_reply(
    request: Frame,
    msg_type: int,
    record: Record | bytes | None,
    *,
    signer: FrameSigner | None = None,
    now_s: float = 0,
    peer_uid: int = ANY,
    ret_list: list[RetItem] | None = None,
) -> bytes:
    """The reply to `request` with its length prefix; `record` may be a body that is packed already.

    `signer`, `now_s` and `peer_uid` (the only uid that may read the credential) matter where the reply is signed: to
    22.05, and for `SIGNED_REPLIES`; without a signer such a reply has hash-less anonymity and clients refuse it, so
    ValueError.
    """
    body = record if isinstance(record, bytes) else encode_body(msg_type, record, request.version)
    flags = request.flags & _KEPT_FLAGS
    reply = Frame(msg_type, request.version, flags, body, ret_list=ret_list or [])
    if request.version <= Version.V22_05 or msg_type in SIGNED_REPLIES:
        if signer is None:
            raise ValueError(f"a reply of type {msg_type} in this version needs a signer")
        reply.auth = signer.auth_section(msg_type, body, now_s, peer_uid, request.version)
    else:
        reply.flags |= _NO_CREDENTIAL
    return encode_frame(reply)
