"""The code of every controller of the cluster: what each runs, and how to change that on any of them.

Any controller can be asked about any other, over the wire of the peers; `flurm upgrade --cluster` goes through all so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from actors.net.peers import PeerError, Peers
from flurm.console.refused import Refused
from flurm.console.releases import Releases
from flurm.core import machine
from flurm.otp.upgrade import UpgradeFailed

CALL = "release"
"""The kind of these calls on the peers' wire."""
ABOUT_S = 0.7
WORK_S = 60.0


class Order(msgspec.Struct, frozen=True):
    """What a controller is asked for: `about`, or to `check`, `upgrade` to (`where`), or `rollback` its release."""

    what: str
    where: str = ""


class About(msgspec.Struct, frozen=True):
    """What a controller runs, which versions of the state machine it can do, which is in force there, how far it is."""

    release: str
    oldest: int
    newest: int
    in_force: int
    applied_index: int


class Outcome(msgspec.Struct, frozen=True):
    """How it went."""

    said: str = ""
    error: str = ""
    about: About | None = None


_encoder = msgspec.msgpack.Encoder()
_orders = msgspec.msgpack.Decoder(Order)
_outcomes = msgspec.msgpack.Decoder(Outcome)


class Fleet:
    """The controllers of the cluster and their releases; for many threads."""

    def __init__(self, system: Any, member: str, peers: Peers | None) -> None:
        self._system, self._member, self._peers = system, member, peers

    def __repr__(self) -> str:
        return "<Fleet: about_all, run>"

    def about_all(self, names: Iterable[str]) -> dict[str, About | None]:
        """What each of these controllers runs; None of those that do not say so soon."""
        names = list(names)
        with ThreadPoolExecutor(max(len(names), 1)) as pool:
            return dict(zip(names, pool.map(self.about, names), strict=True))

    def about(self, member: str) -> About | None:
        """What a controller runs; None where it does not say so soon."""
        try:
            return self.ask(member, Order("about"), ABOUT_S).about
        except Refused:
            return None

    def ask(self, member: str, order: Order, timeout_s: float = WORK_S) -> Outcome:
        """Have a controller carry out an order. Raises Refused with what it says, or why it says nothing."""
        if member == self._member:
            outcome = self._carry_out(order)
        elif self._peers is None:
            raise Refused(f"{member} is no member: this controller is alone")
        else:
            try:
                outcome = _outcomes.decode(self._peers.call(member, CALL, _encoder.encode(order), timeout_s))
            except PeerError as error:
                raise Refused(error.reason) from None
        if outcome.error:
            raise Refused(outcome.error)
        return outcome

    def run(self, member: str, what: str, where: str = "") -> str:
        """Have a controller `check` a release, `upgrade` to it, or `rollback` to the one before."""
        return self.ask(member, Order(what, where)).said

    def serve(self, payload: bytes, answer: Callable[[bytes], None]) -> None:
        """Another controller asks; answered from a thread of its own."""
        order = _orders.decode(payload)
        threading.Thread(target=lambda: answer(_encoder.encode(self._carry_out(order))), daemon=True).start()

    def _carry_out(self, order: Order) -> Outcome:
        releases = Releases(self._system)
        try:
            match order.what:
                case "about":
                    return Outcome(about=self._about(releases))
                case "check":
                    return Outcome(releases.check(order.where))
                case "upgrade":
                    return Outcome(releases.upgrade(order.where))
                case "rollback":
                    return Outcome(releases.rollback())
        except UpgradeFailed as error:
            return Outcome(error=str(error))
        return Outcome(error=f"this controller cannot {order.what}: is it of an older release?")

    def _about(self, releases: Releases) -> About:
        terms = self._system.terms
        cluster, applied_index = terms.get("cluster"), terms.get("cluster_index", 0)
        in_force = cluster.machine_version if cluster is not None else 0
        return About(releases.version, *machine.supported(), in_force, applied_index)
