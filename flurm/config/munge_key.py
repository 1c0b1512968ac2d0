"""The secret that MUNGE credentials are sealed with: found, or made where there is none.

Order: `munge_key` where configured, the system's key where we may read it, else a key of our own below the state
directory, made on first use. Every machine of a cluster needs the same key.
"""

import os
import secrets
from pathlib import Path

from flurm.config.errors import ConfigError
from flurm.config.records import Config

SYSTEM_KEY = "/etc/munge/munge.key"
SYSTEM_SOCKET = "/run/munge/munge.socket.2"
_has_read: set[str] = set()
"""Paths of keys that this process has read. It may have become SlurmUser since, who may not."""
LOWEST_BYTES, HIGHEST_BYTES, OWN_BYTES = 32, 1024, 128


def load_or_create_munge_key(config: Config) -> bytes:
    """Return the key, creating one (1024 random bits, mode 0600) where none is configured and the system has none.

    Raises ConfigError where the key cannot be read, written, or is shorter than 256 bits.
    """
    path = munge_key_path(config)
    if config.munge_key is None and path != SYSTEM_KEY and not Path(path).exists():
        create_key(path, "munge_key")
    return read_key(path, "munge_key")


def munge_key_path(config: Config) -> str:
    """Return the path of the key that is used."""
    if config.munge_key is not None:
        return config.munge_key
    is_ours = SYSTEM_KEY in _has_read or os.access(SYSTEM_KEY, os.R_OK)
    return SYSTEM_KEY if is_ours else f"{config.state_dir}/munge.key"


def munge_socket_path(config: Config) -> str:
    """Return the socket where clients get their credentials: a running munged's where its key is ours, else our own."""
    if config.munge_socket is None and munge_key_path(config) == SYSTEM_KEY and Path(SYSTEM_SOCKET).is_socket():
        return SYSTEM_SOCKET
    return own_munge_socket_path(config)


def is_key_withheld(config: Config) -> bool:
    """Whether a munged runs here that clients go to, and has a key that we may not read and were not given."""
    ours = config.auth_type != "munge" or config.munge_key is not None or config.munge_socket is not None
    return not ours and Path(SYSTEM_SOCKET).is_socket() and munge_key_path(config) != SYSTEM_KEY


def own_munge_socket_path(config: Config) -> str:
    """Return the socket that FLURM serves, unless somebody else does."""
    return config.munge_socket or f"{config.state_dir}/munge.socket.2"


def read_key(path: str, name: str, highest_bytes: int = HIGHEST_BYTES) -> bytes:
    """The secret in a file that the configuration calls `name`. Raises ConfigError."""
    try:
        key = Path(path).read_bytes()
    except OSError as error:
        hint = f"create it (32 to {highest_bytes} random bytes), or leave {name} out and FLURM makes its own"
        if isinstance(error, PermissionError):
            hint = "run as its owner, or name a key that this user may read"
        raise ConfigError(f"cannot read the key: {error.strerror}; {hint}", key=name, value=path) from error
    if not LOWEST_BYTES <= len(key) <= highest_bytes:
        expected = f"expected a key of {LOWEST_BYTES} to {highest_bytes} bytes, found {len(key)}"
        raise ConfigError(expected, key=name, value=path)
    _has_read.add(path)
    return key


def create_key(path: str, name: str) -> None:
    """Write a new key so that it is whole or absent; one that somebody else made meanwhile stays."""
    draft = f"{path}.{os.getpid()}"
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(OWN_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            Path(draft).unlink()
    except OSError as error:
        raise ConfigError(f"cannot create the key: {error.strerror}", key=name, value=path) from error
