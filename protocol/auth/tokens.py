"""Signed tokens (JWT, HS256) as both token plugins use them: making one, and taking one apart once it is genuine.

Only HS256 is ever accepted, whatever a token's own header asks for, so that neither "none" nor a public key used as a
secret gets anywhere. Time is told by the caller: a token must say when it ends, and may not come from the future.
"""

from __future__ import annotations

from typing import Any

from protocol.auth.munge import (
    ExpiredCredential,
    ForgedCredential,
    MalformedCredential,
    RewoundCredential,
)

__all__ = ["LEEWAY_S", "MAX_TOKEN", "MIN_KEY", "TokenKey", "open_token", "seal_token"]

MIN_KEY = 32
"""Fewest bytes of a key: what HS256 itself asks for."""
MAX_TOKEN = 16 << 10
"""Longest token that is looked at, unless the caller expects longer ones."""
LEEWAY_S = 300
"""How far the clocks of two hosts may be apart before a token counts as made in the future."""

_ALGORITHM = "HS256"
_UNCHECKED = dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_aud", "verify_iss", "verify_sub"), False)
"""Left to this module, which is told the time; the audience and the like are no business of Slurm's tokens."""


class TokenKey:
    """The secret that a cluster's tokens are signed with, byte for byte. `repr` shows none of it."""

    __slots__ = ("secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_KEY:
            raise ValueError(f"a token key of {len(secret)} bytes is too short, {MIN_KEY} is the least")
        self.secret = secret

    def __repr__(self) -> str:
        return "TokenKey(...)"


def seal_token(key: TokenKey, claims: dict[str, Any]) -> str:
    """A token with these claims, in alphabetical order as Slurm writes them."""
    import jwt  # where it is used: client commands start faster without it

    return jwt.encode(dict(sorted(claims.items())), key.secret, _ALGORITHM, sort_headers=True)


def open_token(key: TokenKey, text: str | None, now_s: float, *, limit: int = MAX_TOKEN) -> dict[str, Any]:
    """The claims of a genuine token that is valid now; the subclass of CredentialError says what is wrong."""
    if not text:
        raise MalformedCredential("no token")
    if len(text) > limit:
        raise MalformedCredential(f"a token of {len(text)} characters, {limit} is the most")
    import jwt

    try:
        claims = jwt.decode(text, key.secret, [_ALGORITHM], options=_UNCHECKED)  # type: ignore[arg-type]
    except jwt.InvalidAlgorithmError as error:
        raise MalformedCredential(f"a token with another algorithm than {_ALGORITHM}") from error
    except jwt.InvalidSignatureError as error:
        raise ForgedCredential("token was not made with this cluster's key") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise MalformedCredential(f"not a token: {error}") from error
    _check_times(claims, now_s)
    return claims


def _check_times(claims: dict[str, Any], now_s: float) -> None:
    ends_s, made_s = _time(claims, "exp"), _time(claims, "iat")
    if ends_s is None:
        raise MalformedCredential("a token that never expires")
    if now_s >= ends_s:
        raise ExpiredCredential(f"token expired {int(now_s - ends_s)} s ago")
    if made_s is not None and made_s > now_s + LEEWAY_S:
        raise RewoundCredential("token is from the future")


def _time(claims: dict[str, Any], name: str) -> float | None:
    """A point in time; None where the token names none. Raises MalformedCredential for anything else."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1 << 53:
        raise MalformedCredential(f"a token whose {name} is no time")
    return value
