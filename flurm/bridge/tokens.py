"""`scontrol token`: tokens of users (auth/jwt), for themselves or, from a privileged user, for anybody.

As slurmctld answers it: nobody checks whether the user exists, 0 s mean half an hour, and a lifespan with the highest
bit set is none.
"""

from __future__ import annotations

from protocol.auth import Authority, Identity, make_user_token
from protocol.auth.jwt import DEFAULT_LIFESPAN_S, MAX_USER_NAME
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.messages import ReturnCode, TokenRequest, TokenResponse
from protocol.schema import Record
from protocol.versions import Version

__all__ = ["answer"]

_LONGEST_S = 0x7FFFFFFF


def answer(
    request: TokenRequest, asker: Identity, asker_name: str | None, authority: Authority, now_s: float, version: int
) -> tuple[MessageType, Record]:
    """The reply to REQUEST_AUTH_TOKEN: a token, or an error number where there is no key or no right to it.

    Without a key 22.05 gives an empty token, 24.11 says that the plugin is not there.
    """
    if authority.jwt_key is None and version > Version.V22_05:
        return _refused(Errno.ESLURM_PLUGIN_NOT_LOADED)
    user_name = request.username or asker_name
    if user_name is None or (user_name != asker_name and not authority.is_privileged(asker.uid)):
        return _refused(Errno.ESLURM_USER_ID_MISSING)
    if authority.jwt_key is None:
        return MessageType.RESPONSE_AUTH_TOKEN, TokenResponse(token=None)
    if request.lifespan > _LONGEST_S or len(user_name) > MAX_USER_NAME:
        return _refused(Errno.ESLURM_AUTH_UNABLE_TO_GENERATE_TOKEN)
    token = make_user_token(authority.jwt_key, user_name, now_s, request.lifespan or DEFAULT_LIFESPAN_S)
    return MessageType.RESPONSE_AUTH_TOKEN, TokenResponse(token=token)


def _refused(code: Errno) -> tuple[MessageType, Record]:
    return MessageType.RESPONSE_SLURM_RC, ReturnCode(return_code=int(code))
