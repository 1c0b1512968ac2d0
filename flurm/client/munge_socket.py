"""Credentials from a running munged (or FLURM's stand-in for it), for users who may not read the key.

munged learns who asks from the socket itself.
"""

from __future__ import annotations

from actors.net.munge_client import ask
from flurm.client.errors import NotSetUp
from protocol.auth import ANY, Signer, body_digest
from protocol.auth.munge import MungeKey
from protocol.auth.munged import EncodeRequest, Sealed
from protocol.constants import AUTH_PLUGIN_MUNGE, HASH_K12
from protocol.errors import DecodeError
from protocol.frame import AuthSection

__all__ = ["SocketSigner", "encode"]


class SocketSigner(Signer, frozen=True):
    """A signer without a key: munged signs."""

    path: str = ""

    @classmethod
    def at(cls, path: str, uid: int, gid: int) -> SocketSigner:
        """The signer whose munged listens at `path`."""
        return cls(MungeKey(bytes(32)), uid, gid, path=path)

    def auth_section(
        self, msg_type: int, body: bytes, now_s: float, restrict_uid: int = ANY, version: int = 0
    ) -> AuthSection:
        """The auth section of a frame with this body; the time is munged's."""
        payload = bytes((HASH_K12,)) + body_digest(msg_type, body)
        return AuthSection(AUTH_PLUGIN_MUNGE, encode(self.path, payload, restrict_uid))

    def seal(self, payload: bytes, now_s: float, restrict_uid: int = ANY) -> str:
        """A bare credential for `payload`."""
        return encode(self.path, payload, restrict_uid)


def encode(path: str, payload: bytes, reader_uid: int = ANY) -> str:
    """Have the munged at `path` make a credential. Raises NotSetUp where it does not."""
    try:
        answer = ask(path, EncodeRequest(payload, uid_restriction=reader_uid))
    except (OSError, DecodeError) as error:
        raise NotSetUp(f"munged at {path} gives no credential: {error}") from error
    if answer.error or not isinstance(answer, Sealed):
        raise NotSetUp(f"munged at {path} refuses: {answer.text}")
    return answer.credential.decode()
