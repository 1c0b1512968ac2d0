"""KangarooTwelve, the hash that ties a credential to the body it was made for.

The digest is 32 bytes over the body; the customization string is the message number as two big-endian bytes, so that a
credential cannot be moved to another message with the same body.
"""

from __future__ import annotations

from Crypto.Hash import KangarooTwelve

__all__ = ["DIGEST_SIZE", "body_digest"]

DIGEST_SIZE = 32


def body_digest(msg_type: int, body: bytes) -> bytes:
    """Digest of a body for the credential of message `msg_type`."""
    if len(body) < _LARGE:
        return _digest(msg_type, body)
    known = _large.get(msg_type)
    if known is None or known[0] is not body:
        known = _large[msg_type] = (body, _digest(msg_type, body))
    return known[1]


_LARGE = 1 << 18
_large: dict[int, tuple[bytes, bytes]] = {}
"""The last large body of a message with its digest: a listing that nothing changed is sent as the very same object."""


def _digest(msg_type: int, body: bytes) -> bytes:
    custom = msg_type.to_bytes(2, "big")
    if _in_one_go is not None:
        return _in_one_go(body, length=DIGEST_SIZE, custom=custom)
    return KangarooTwelve.new(body, custom=custom).read(DIGEST_SIZE)


_in_one_go = getattr(KangarooTwelve, "digest", None)
"""Faster for short bodies; older releases of the library do not have it."""
