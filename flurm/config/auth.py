"""Keys and plugins of authentication: from the configuration to the one object that says who sent a frame.

`auth_type` is the main plugin: munge, slurm (tokens signed with slurm.key) or none (believed of this host alone).
`auth_alt_types` may add jwt: tokens of users, signed with jwt_key. A key that is named must be there; one that is not
is found where Slurm keeps it, or made below the state directory on first use.
"""

import os
import pwd
import socket
from pathlib import Path

from flurm.config.errors import ConfigError
from flurm.config.munge_key import create_key, load_or_create_munge_key, read_key
from flurm.config.records import Config
from protocol.auth import Authority, MungeKey, NoneSigner, ReplayCache, Signer, TokenKey, TokenSigner
from protocol.auth.authority import UserIds

__all__ = ["authority_of", "jwt_key_of", "signer_of", "slurm_key_path"]

_UNKNOWN_UID = 0xFFFFFFFE


def signer_of(config: Config, ids: tuple[int, int] | None = None) -> Signer | TokenSigner | NoneSigner:
    """What this process makes its own credentials with. Raises ConfigError where the key cannot be had.

    ids: uid and gid that it will have, where it is about to become somebody else.
    """
    (uid, gid), host = ids or (os.getuid(), os.getgid()), socket.gethostname().partition(".")[0]
    match config.auth_type:
        case "slurm":
            path = slurm_key_path(config)
            key = _key_of(path, "slurm_key", may_create=config.slurm_key is None and path == _own_slurm_key(config))
            return TokenSigner(key, uid, gid, config.cluster_name, host)
        case "none":
            return NoneSigner(uid, gid, host)
    return Signer(MungeKey(load_or_create_munge_key(config)), uid, gid, config.munge_ttl)


def authority_of(
    config: Config,
    *,
    user_ids: UserIds,
    replay_cache: ReplayCache | None = None,
    ids: tuple[int, int] | None = None,
) -> Authority:
    """Who decides for a daemon of this configuration whom a frame is from. Raises ConfigError.

    ids: uid and gid that this process will have, where it is about to become somebody else.
    """
    slurm_user_uid = _uid_of(config.slurm_user)
    own_uid = os.getuid() if ids is None else ids[0]
    signer = signer_of(config, ids)
    return Authority(
        signer,
        launch_signer=_launch_signer(config, signer),
        reader_uids=() if own_uid == 0 else (own_uid, slurm_user_uid),
        jwt_key=jwt_key_of(config),
        user_ids=user_ids,
        privileged_uids=frozenset((0, own_uid, slurm_user_uid)),
        replay_cache=replay_cache,
    )


def _launch_signer(config: Config, signer: Signer | TokenSigner | NoneSigner) -> Signer | TokenSigner | None:
    """What launches are signed with: tokens need auth/slurm; without MUNGE they are not signed otherwise."""
    if config.has_launch_tokens and not isinstance(signer, TokenSigner):
        expected = "expected munge or none, for tokens need auth_type = slurm"
        raise ConfigError(expected, file=config.source or "defaults", key="cred_type", value=config.cred_type)
    if isinstance(signer, NoneSigner) or config.has_launch_tokens != isinstance(signer, TokenSigner):
        return None
    return signer


def jwt_key_of(config: Config) -> TokenKey | None:
    """The key of users' tokens; None where they are not taken. Raises ConfigError."""
    if "jwt" not in config.auth_alt_types:
        return None
    path = config.jwt_key or f"{config.state_dir}/jwt_hs256.key"
    return _key_of(path, "jwt_key", may_create=config.jwt_key is None)


def slurm_key_path(config: Config) -> str:
    """The key of auth/slurm: the one named, the one beside the site's slurm.conf, else one of our own."""
    if config.slurm_key is not None:
        return config.slurm_key
    beside = Path(config.slurm_conf or "/etc/slurm/slurm.conf").parent / "slurm.key"
    return str(beside) if config.slurm_conf or os.access(beside, os.R_OK) else _own_slurm_key(config)


def _own_slurm_key(config: Config) -> str:
    return f"{config.state_dir}/slurm.key"


def _key_of(path: str, name: str, *, may_create: bool) -> TokenKey:
    if may_create and not Path(path).exists():
        create_key(path, name)
    return TokenKey(read_key(path, name, 16 << 10))


def _uid_of(user: str) -> int:
    try:
        return int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    except KeyError:
        return _UNKNOWN_UID
