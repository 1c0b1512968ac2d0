"""Which credentials a daemon accepts, whose they are, and what its own are made with: one object per daemon.

A cluster has one main plugin (munge, slurm or none) and may take tokens of users (jwt) beside it. A frame says by its
plugin id which it was made with; anything but the configured ones is refused. auth/none proves nothing, so its frames
count only where they come from this host.

A reply that must be signed is signed with the plugin of its request: `signer_for`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from ipaddress import ip_address

import msgspec

from protocol.auth.identity import (
    BodyMismatch,
    FrameSigner,
    Identity,
    NoCredential,
    Signer,
    UnsupportedPlugin,
    authenticate,
    check_body,
)
from protocol.auth.jwt import JwtSigner, claimed_user, token_user
from protocol.auth.munge import ANY, CredentialError, MungeKey, ReplayCache
from protocol.auth.slurm_token import AUTH_CONTEXTS, TokenSigner, check_token
from protocol.auth.tokens import TokenKey
from protocol.constants import AUTH_PLUGIN_JWT, AUTH_PLUGIN_MUNGE, AUTH_PLUGIN_NONE, AUTH_PLUGIN_SLURM
from protocol.frame import AuthSection, Frame

__all__ = ["Authority", "NoneSigner", "UnknownUser", "UserIds"]

UserIds = Callable[[str], tuple[int, int] | None]
"""uid and gid of a login name, None where there is none."""


class UnknownUser(CredentialError):
    """The token names a user whom this host does not know."""


class NoneSigner(msgspec.Struct, frozen=True):
    """auth/none: says who it is, proves nothing."""

    uid: int
    gid: int
    host: str

    def auth_section(
        self, msg_type: int, body: bytes, now_s: float, restrict_uid: int = ANY, version: int = 0
    ) -> AuthSection:
        """The same auth section for every frame."""
        return AuthSection(AUTH_PLUGIN_NONE, uid=self.uid, gid=self.gid, hostname=self.host)


class Authority:
    """Decides who sent a frame. `signer` makes this daemon's own credentials and thereby names the main plugin.

    `launch_signer` makes launch credentials; a cluster with auth/slurm may have them as tokens or signed by MUNGE.
    `jwt_key` is there where tokens of users are taken too; `user_ids` looks their names up, and holders whose uid is
    in `privileged_uids` may speak for others. A credential that is restricted to a reader must be for one of
    `reader_uids`: the uid that this daemon runs as, and SlurmUser's (empty: any, as root reads everything).
    """

    def __init__(
        self,
        signer: Signer | TokenSigner | NoneSigner,
        *,
        launch_signer: Signer | TokenSigner | None = None,
        reader_uids: Collection[int] = (),
        jwt_key: TokenKey | None = None,
        user_ids: UserIds = lambda name: None,
        privileged_uids: frozenset[int] = frozenset((0,)),
        replay_cache: ReplayCache | None = None,
    ) -> None:
        self.signer = signer
        self.launch_signer = launch_signer
        self.jwt_key = jwt_key
        self._reader_uids = reader_uids
        self._user_ids = user_ids
        self._privileged_uids = privileged_uids
        self._replays = replay_cache

    @property
    def launch_key(self) -> MungeKey | TokenKey | None:
        """What launch credentials are checked with; None where nobody signs them."""
        return self.launch_signer.key if self.launch_signer is not None else None

    def is_privileged(self, uid: int) -> bool:
        """Whether this user may speak, and have tokens made, for others."""
        return uid in self._privileged_uids

    def identify(self, frame: Frame, now_s: float, peer: str = "") -> Identity:
        """Whom a frame from the address `peer` comes from. Raises the subclass of CredentialError that says what is
        wrong."""
        auth = frame.auth
        if auth is None:
            raise NoCredential("frame without a credential")
        plugin = auth.plugin_id
        if plugin == AUTH_PLUGIN_JWT and self.jwt_key is not None:
            return self._holder(auth, self.jwt_key, now_s)
        match self.signer:
            case Signer(key=key) if plugin == AUTH_PLUGIN_MUNGE:
                return authenticate(frame, key, now_s, self._replays, reader_uids=self._reader_uids)
            case TokenSigner(key=token_key) if plugin == AUTH_PLUGIN_SLURM:
                return self._bearer(frame, auth, token_key, now_s)
            case NoneSigner() if plugin == AUTH_PLUGIN_NONE:
                return _neighbour(auth, peer)
        raise UnsupportedPlugin(f"authentication plugin {auth.plugin_id} is not accepted here")

    def signer_for(self, request: Frame) -> FrameSigner:
        """What the reply to a request is signed with, where it is signed at all."""
        if request.auth is not None and request.auth.plugin_id == AUTH_PLUGIN_JWT:
            return JwtSigner()
        return self.signer

    def _bearer(self, frame: Frame, auth: AuthSection, key: TokenKey, now_s: float) -> Identity:
        claims = check_token(key, auth.token, now_s, contexts=AUTH_CONTEXTS, reader_uids=self._reader_uids)
        if not claims.data:
            raise BodyMismatch("a token that covers no body")
        check_body(frame, claims.data)
        return Identity(claims.uid, claims.gid)

    def _holder(self, auth: AuthSection, key: TokenKey, now_s: float) -> Identity:
        holder = token_user(key, auth.token, now_s)
        ids = self._known(holder)
        user = claimed_user(auth, holder, privileged=self.is_privileged(ids.uid))
        return ids if user == holder else self._known(user)

    def _known(self, name: str) -> Identity:
        ids = self._user_ids(name)
        if ids is None:
            raise UnknownUser(f"the token names {name!r}, whom this host does not know")
        return Identity(*ids)


def _neighbour(auth: AuthSection, peer: str) -> Identity:
    try:
        address = ip_address(peer.partition("%")[0])
        local = (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        local = False
    if not local:
        raise UnsupportedPlugin(f"auth/none is believed of this host alone, not of {peer or 'an unknown peer'}")
    return Identity(auth.uid, auth.gid)
