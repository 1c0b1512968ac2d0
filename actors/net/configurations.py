"""The configuration files of the controllers of one cluster: whether they say the same, and how all switch together.

The controller in charge reads its own and puts what it says into the log. Each of the others, when it applies that
entry, reads its own file anew and takes it if it says the same; where it does not, that controller goes on as before,
says so, and does not impose its file when it comes into charge (`is_stale`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog

from actors.leadership import leader_of
from actors.net.peers import PeerError, Peers
from flurm.bridge import configure
from flurm.core.effects import Done, Rejected, Reply
from flurm.core.enums import Refusal
from flurm.core.records import Cluster

FINGERPRINT_CALL = "configuration"
RECONFIGURE_CALL = "reconfigure"
"""Kinds of calls on the peers' wire."""
ASK_S = 0.5
RECONFIGURE_S = 60.0

log = structlog.get_logger(__name__)


def is_stale(reading: configure.Reading, cluster: Cluster) -> bool:
    """Whether the files are older than what the cluster was last told to be, and say something else.

    A controller that comes into charge with such files was left out of a change; one whose files are newer was
    restarted with them, and they count.
    """
    if configure.is_same(reading.fingerprint, cluster.fingerprint) is not False:
        return False
    return reading.changed_s <= cluster.configured_s


class Configurations:
    """What the other controllers say about their files; for many threads."""

    def __init__(self, system: Any, member: str, peers: Peers | None) -> None:
        self._system = system
        self._member = member
        self._peers = peers

    def of(self, members: tuple[str, ...]) -> dict[str, str]:
        """Whether each member has the configuration that the cluster runs, in words."""
        wanted = self._system.terms["cluster"].fingerprint
        return {name: self._compared(name, wanted) for name in members}

    def _compared(self, name: str, wanted: str) -> str:
        if name == self._member:
            found = self._own()
        else:
            assert self._peers is not None
            try:
                found = self._peers.call(name, FINGERPRINT_CALL, b"", ASK_S).decode()
            except PeerError:
                return "unknown"
        return {True: "same", False: "DIFFERS", None: "other release"}[configure.is_same(found, wanted)]

    def _own(self) -> str:
        reading: configure.Reading = self._system.env["reading"]
        return reading.fingerprint

    def reconfigure_cluster(self) -> Reply:
        """Have the controller in charge read its files, and all the others with it."""
        leader = leader_of(self._system.terms)
        if leader is None or leader == self._member or self._peers is None:
            return Rejected(Refusal.INTERNAL, "no controller is in charge")
        try:
            said = self._peers.call(leader, RECONFIGURE_CALL, b"", RECONFIGURE_S).decode()
        except PeerError as error:
            return Rejected(Refusal.INTERNAL, f"{leader}, which is in charge, does not answer: {error}")
        return Rejected(Refusal.INTERNAL, f"{leader}, which is in charge: {said}") if said else Done()

    def serve(self, kind: str, answer: Callable[[bytes], None]) -> None:
        """Another controller asks; what takes time is done in a thread of its own."""
        if kind == FINGERPRINT_CALL:
            answer(self._own().encode())
            return

        def reconfigure() -> None:
            reply = self._system.env["control"].reconfigure()
            answer((reply.text or reply.code.value).encode() if isinstance(reply, Rejected) else b"")

        threading.Thread(target=reconfigure, name="flurm-reconfigure", daemon=True).start()
