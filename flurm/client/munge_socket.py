"""Credentials from a running munged (or FLURM's stand-in for it), for users who may not read the key.

munged's protocol: a header (magic, version 4, type, retry, length) and for an encode request cipher, mac, compression
(1 = its default), realm, lifetime and the allowed reader, then the payload; the answer has an error and the credential.
munged learns who asks from the socket itself.
"""

from __future__ import annotations

import socket
import struct

from flurm.client.errors import NotSetUp
from protocol.auth import ANY, Signer, body_digest
from protocol.auth.munge import MungeKey
from protocol.constants import AUTH_PLUGIN_MUNGE, HASH_K12
from protocol.frame import AuthSection

__all__ = ["SocketSigner", "encode"]

_MAGIC, _VERSION, _ENCODE_REQUEST = 0x00606D4B, 4, 2
_HEADER = struct.Struct(">IBBBI")
_REQUEST = struct.Struct(">BBBBIIII")
_TIMEOUT_S = 5.0


class SocketSigner(Signer, frozen=True):
    """A signer without a key: munged signs."""

    path: str = ""

    @classmethod
    def at(cls, path: str, uid: int, gid: int) -> SocketSigner:
        """The signer whose munged listens at `path`."""
        return cls(MungeKey(bytes(32)), uid, gid, path=path)

    def auth_section(self, msg_type: int, body: bytes, now_s: float, restrict_uid: int = ANY) -> AuthSection:
        """The auth section of a frame with this body; the time is munged's."""
        payload = bytes((HASH_K12,)) + body_digest(msg_type, body)
        return AuthSection(AUTH_PLUGIN_MUNGE, encode(self.path, payload, restrict_uid))

    def seal(self, payload: bytes, now_s: float, restrict_uid: int = ANY) -> str:
        """A bare credential for `payload`."""
        return encode(self.path, payload, restrict_uid)


def encode(path: str, payload: bytes, reader_uid: int = ANY) -> str:
    """Have the munged at `path` make a credential. Raises NotSetUp where it does not."""
    request = _REQUEST.pack(1, 1, 1, 0, 0, reader_uid, ANY, len(payload)) + payload
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(path)
            connection.sendall(_HEADER.pack(_MAGIC, _VERSION, _ENCODE_REQUEST, 0, len(request)) + request)
            with connection.makefile("rb") as stream:
                *_, length = _HEADER.unpack(stream.read(_HEADER.size))
                answer = stream.read(length)
    except (OSError, struct.error) as error:
        raise NotSetUp(f"munged at {path} gives no credential: {error}") from error
    error_number, error_length = answer[0], answer[1]
    if error_number:
        reason = answer[2 : 2 + error_length].rstrip(b"\0").decode()
        raise NotSetUp(f"munged at {path} refuses: {reason}")
    return answer[6 + error_length :].rstrip(b"\0").decode()
