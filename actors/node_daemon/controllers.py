"""The controllers of the cluster as a node daemon sees them: whom to ask first, and in which version.

There is no negotiation on the wire: a controller closes the connection of whoever speaks a release that it does not
know. Registration finds the version out, everything else uses what it found.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from actors.net import rpc
from actors.node_daemon.settings import VERSIONS
from protocol.auth import FrameSigner
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.messages.replies import ReturnCode
from protocol.schema import Record

REFUSED_VERSION = (Errno.SLURM_PROTOCOL_VERSION_ERROR, Errno.SLURM_PROTOCOL_AUTHENTICATION_ERROR)
NOT_IN_CHARGE = (Errno.ESLURM_IN_STANDBY_MODE, Errno.ESLURM_IN_STANDBY_USE_BACKUP)

Address = tuple[str, int]

log = structlog.get_logger(__name__)


class Controllers:
    """Calls whichever controller answers; remembers which one did. Safe for many threads."""

    def __init__(self, addresses: Sequence[Address], signer: FrameSigner, timeout_s: float = 10.0) -> None:
        self._signer = signer
        self.timeout_s = timeout_s
        self._lock = threading.Lock()
        self._order = list(addresses)
        self._versions: dict[Address, int] = {}
        self.heard_s = 0.0

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All controllers, the one that answered last first."""
        with self._lock:
            return tuple(self._order)

    def version_of(self, address: Address) -> int:
        """The version that a controller is addressed in."""
        return self._versions.get(address, VERSIONS[0])

    def heard(self) -> None:
        """A controller has shown that it is there."""
        self.heard_s = time.time()

    def call(self, msg_type: int, record: Record | None) -> rpc.Answer:
        """Ask the controllers in turn until one answers. Raises Unreachable; NoAnswer when one took the request but
        closed without a word, as they do with messages that want no answer."""
        return self._in_turn(lambda address: self._ask(address, msg_type, record, self.version_of(address)))

    def register(self, make: Callable[[int], Record]) -> rpc.Answer:
        """As `call`, finding out which version each controller takes; `make(version)` gives the registration."""
        return self._in_turn(lambda address: self._negotiate(address, make))

    def _in_turn(self, ask: Callable[[Address], rpc.Answer]) -> rpc.Answer:
        failures: list[rpc.Unreachable] = []
        for address in self.addresses:
            try:
                answer = ask(address)
            except rpc.Unreachable as error:
                if isinstance(error, rpc.NoAnswer):
                    self._prefer(address)
                    raise
                failures.append(error)
                continue
            if return_code(answer) in NOT_IN_CHARGE:
                failures.append(rpc.Unreachable(f"{address[0]}:{address[1]} is not in charge"))
                continue
            self._prefer(address)
            self.heard()
            return answer
        raise rpc.Unreachable("; ".join(map(str, failures)) or "no controller is configured")

    def _negotiate(self, address: Address, make: Callable[[int], Record]) -> rpc.Answer:
        known = self._versions.get(address)
        for version in (known,) if known else VERSIONS:
            try:
                answer = self._ask(address, MessageType.MESSAGE_NODE_REGISTRATION_STATUS, make(version), version)
            except rpc.NoAnswer:
                log.debug("controller refuses this version", address=address, version=version)
                continue
            if answer.frame.version != version or return_code(answer) in REFUSED_VERSION[:1]:
                continue
            self._versions[address] = version
            return answer
        self._versions.pop(address, None)
        raise rpc.Unreachable(f"{address[0]}:{address[1]} takes no version that is spoken here")

    def _ask(self, address: Address, msg_type: int, record: Record | None, version: int) -> rpc.Answer:
        return rpc.call(address, msg_type, record, version=version, signer=self._signer, timeout_s=self.timeout_s)

    def _prefer(self, address: Address) -> None:
        with self._lock:
            if self._order[0] != address:
                self._order.remove(address)
                self._order.insert(0, address)


def return_code(answer: rpc.Answer) -> int | None:
    """The number in a RESPONSE_SLURM_RC, None for any other answer."""
    return answer.body.return_code if isinstance(answer.body, ReturnCode) else None
