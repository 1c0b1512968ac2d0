"""Requests to the controller: which address, in whose name, and what an answer means.

The configuration is the one that FLURM's own programs find. The credential is sealed with the key where this user may
read it, else the MUNGE socket is asked for it, as Slurm's clients do. Every controller serves every request, so the
first one that answers will do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from actors.net.rpc import Unreachable, call
from flurm.client.errors import NotSetUp, Refused
from flurm.client.munge_socket import SocketSigner
from flurm.config import Config, ConfigError, find_file, load, munge_key_path, munge_socket_path, signer_of
from protocol.auth import FrameSigner, JwtSigner, MungeKey, Signer
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.errors import ProtocolError
from protocol.messages import ReturnCode, ReturnCodeText
from protocol.schema import Record
from protocol.versions import Version

_R = TypeVar("_R", bound=Record)

__all__ = ["VERSION", "Controller", "configured", "own_signer"]

VERSION = Version.V22_05
"""The version that these commands speak and whose layouts they print."""


class Controller:
    """The controllers of a cluster, as one who can be asked."""

    def __init__(
        self,
        addresses: Sequence[tuple[str, int]],
        signer: FrameSigner,
        timeout_s: float = 10.0,
        names: Sequence[str] | None = None,
    ) -> None:
        self.addresses = list(addresses)
        self.names = list(names or (host for host, _ in self.addresses))
        self.signer = signer
        self.timeout_s = timeout_s

    def ask(
        self, msg_type: MessageType, record: Record | None = None, *, address: tuple[str, int] | None = None
    ) -> Record:
        """Send a request and return the body of its answer. Raises Refused for an error number and for silence."""
        for each in [address] if address else self.addresses:
            try:
                answer = call(each, msg_type, record, version=VERSION, signer=self.signer, timeout_s=self.timeout_s)
            except (Unreachable, ProtocolError):
                continue
            if isinstance(answer.body, ReturnCode | ReturnCodeText):
                number = _signed(answer.body.return_code) if answer.msg_type in _PLAIN_ANSWERS else 0
                if number:
                    raise Refused(number, getattr(answer.body, "err_msg", None))
            if answer.body is not None:
                return answer.body
            raise Refused(Errno.SLURM_UNEXPECTED_MSG_ERROR)
        raise Refused(Errno.SLURMCTLD_COMMUNICATIONS_CONNECTION_ERROR)

    def fetch(self, expected: type[_R], msg_type: MessageType, record: Record | None = None) -> _R:
        """`ask` for an answer of one class; any other is an error."""
        body = self.ask(msg_type, record)
        if not isinstance(body, expected):
            raise Refused(Errno.SLURM_UNEXPECTED_MSG_ERROR)
        return body


_PLAIN_ANSWERS = (MessageType.RESPONSE_SLURM_RC, MessageType.RESPONSE_SLURM_RC_MSG)


def configured(config: Config | None = None) -> Controller:
    """The controller of this machine's configuration, asked in the name of the user who runs this. Raises NotSetUp."""
    try:
        config = config or load(find_file())
        signer = own_signer(config)
    except ConfigError as error:
        raise NotSetUp(str(error)) from error
    addresses = [(each.host, each.port) for each in config.all_controllers]
    names = [each.name or each.host for each in config.all_controllers]
    return Controller(addresses, signer, max(config.message_timeout, 1), names)


def own_signer(config: Config) -> FrameSigner:
    """Who makes the credentials of the user who runs this. Raises NotSetUp, ConfigError."""
    if token := os.environ.get("SLURM_JWT"):
        return JwtSigner(token)
    if config.auth_type != "munge":
        return signer_of(config)
    path, socket_path = munge_key_path(config), munge_socket_path(config)
    uid, gid = os.getuid(), os.getgid()
    if os.access(path, os.R_OK):
        return Signer(MungeKey(Path(path).read_bytes()), uid, gid)
    if Path(socket_path).is_socket():
        return SocketSigner.at(socket_path, uid, gid)
    raise NotSetUp(
        f"no credential: the key {path} cannot be read by this user and nothing listens at {socket_path}. "
        "Start the controller here, or copy its munge.key to this machine and name it as munge_key in flurm.toml."
    )


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number
