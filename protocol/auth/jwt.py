"""auth/jwt: users who hold a token made by the controller (`scontrol token`), instead of a credential of their host.

A token says in `sun` who its holder is and ends at `exp`. The frame may name another user beside it: SlurmUser and root
may speak for anyone, everybody else only for himself. The token does not cover the frame's body and it is no secret
between two parties: who answers such a request signs with an empty token, as Slurm's daemons do.
"""

from __future__ import annotations

import msgspec

from protocol.auth.munge import ANY, MalformedCredential, RestrictedCredential
from protocol.auth.tokens import TokenKey, open_token, seal_token
from protocol.constants import AUTH_PLUGIN_JWT
from protocol.frame import AuthSection

__all__ = ["DEFAULT_LIFESPAN_S", "MAX_USER_NAME", "JwtSigner", "claimed_user", "make_user_token", "token_user"]

DEFAULT_LIFESPAN_S = 1800
MAX_USER_NAME = 256


class JwtSigner(msgspec.Struct, frozen=True):
    """Signs with a user's token, or (a daemon's replies) with none."""

    token: str | None = None
    user_name: str | None = None

    def auth_section(
        self, msg_type: int, body: bytes, now_s: float, restrict_uid: int = ANY, version: int = 0
    ) -> AuthSection:
        """The auth section of any frame: the token is the same for all."""
        return AuthSection(AUTH_PLUGIN_JWT, self.token, self.user_name)


def make_user_token(key: TokenKey, user_name: str, now_s: float, lifespan_s: int = DEFAULT_LIFESPAN_S) -> str:
    """A token for `user_name` that is valid for `lifespan_s` from now on."""
    return seal_token(key, {"exp": int(now_s) + lifespan_s, "iat": int(now_s), "sun": user_name})


def token_user(key: TokenKey, text: str | None, now_s: float) -> str:
    """Whom a token was made for. Raises the subclass of CredentialError that says what is wrong."""
    user_name = open_token(key, text, now_s).get("sun")
    if not isinstance(user_name, str) or not 0 < len(user_name) <= MAX_USER_NAME:
        raise MalformedCredential("a token that names no user (sun)")
    return user_name


def claimed_user(auth: AuthSection, holder: str, *, privileged: bool) -> str:
    """Whom a frame is from: the token's holder, or the user that a privileged holder speaks for.

    Raises RestrictedCredential where the holder is not privileged and names somebody else.
    """
    claimed = auth.user_name
    if not claimed or claimed == holder:
        return holder
    if not privileged:
        raise RestrictedCredential(f"the token of {holder} does not entitle to speak for {claimed[:MAX_USER_NAME]!r}")
    return claimed
