"""The network between machines, and what a controller has in the place of the peers' wire.

Everything that is sent arrives late, by chance in another order, and where a plan says so twice or never. A pair of
machines may be cut in one direction or in both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.net.peers import PeerGone, PeerTimeout
from flurm.otp.runtime.sim import Scheduler, SimEvent
from flurm.raft import messages
from flurm.raft.messages import Message

DELAY_S = (0.0005, 0.005)
LATE_S = 0.05
BROKEN_S = (0.05, 1.5)
"""How long it takes until somebody notices that the other end of a connection is gone."""


class Network:
    """Who hears whom at the moment."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.cut: set[tuple[str, str]] = set()
        """(from, to): nothing gets through."""
        self.loss = 0.0
        self.doubling = 0.0
        self.lateness = 0.0
        """How often a message is late by up to ``late_s``."""
        self.late_s = LATE_S
        self.sent = 0
        self.lost = 0

    def is_open(self, sender: str, receiver: str) -> bool:
        """Whether anything gets through."""
        return (sender, receiver) not in self.cut

    def delay_s(self) -> float:
        """How long the next message takes."""
        random = self.scheduler.random
        delay_s = random.uniform(*DELAY_S)
        if self.lateness and random.random() < self.lateness:
            delay_s += random.uniform(0, self.late_s)
        return delay_s

    def send(self, sender: str, receiver: str, deliver: Callable[[], None]) -> None:
        """A datagram: ``deliver`` is called never, once or twice."""
        random = self.scheduler.random
        self.sent += 1
        if not self.is_open(sender, receiver) or (self.loss and random.random() < self.loss):
            self.lost += 1
            return
        self.scheduler.alarm(self.scheduler.now_s + self.delay_s(), deliver)
        if self.doubling and random.random() < self.doubling:
            self.scheduler.alarm(self.scheduler.now_s + self.delay_s(), deliver)

    def stream(self, sender: str, receiver: str, deliver: Callable[[], None]) -> bool:
        """Part of a connection: once, or (False) the connection breaks."""
        random = self.scheduler.random
        self.sent += 1
        if not self.is_open(sender, receiver) or (self.loss and random.random() < self.loss / 4):
            self.lost += 1
            return False
        self.scheduler.alarm(self.scheduler.now_s + self.delay_s(), deliver)
        return True

    def broken_s(self) -> float:
        """How long until the end of a connection shows."""
        return self.scheduler.random.uniform(*BROKEN_S)


class Exchange:
    """One request on a connection of its own and its answer, from the caller's side."""

    def __init__(self, network: Network, sender: str, receiver: str) -> None:
        self._network, self._sender, self._receiver = network, sender, receiver
        self._ended = SimEvent(network.scheduler)
        self.answer: Any = None
        self.reached = False
        """Whether the other side may have seen the request."""

    def ask(self, begin: Callable[[Exchange], bool], timeout_s: float) -> bool:
        """Have ``begin`` called at the other end, and wait; it returns false where nobody is there.

        False where there is no answer: ``reached`` then tells whether there was anybody.
        """
        network = self._network
        self.reached = network.stream(self._sender, self._receiver, lambda: self._begin(begin))  # it may be late
        if not self.reached:
            self._break()
        return self._ended.wait(timeout_s) and self.answer is not None

    @property
    def ended(self) -> bool:
        """Whether the connection is over."""
        return self._ended.is_set()

    def reply(self, answer: Any) -> None:
        """From the other end."""
        if not self._network.stream(self._receiver, self._sender, lambda: self._end(answer)):
            self._break()

    def hang_up(self) -> None:
        """From the other end, also where its machine is gone."""
        if self._network.is_open(self._receiver, self._sender):
            self._network.scheduler.alarm(
                self._network.scheduler.now_s + self._network.delay_s(), lambda: self._end(None)
            )
        else:
            self._break()

    def _begin(self, begin: Callable[[Exchange], bool]) -> None:
        self.reached = begin(self)
        if not self.reached:
            self.hang_up()

    def _break(self) -> None:
        scheduler = self._network.scheduler
        scheduler.alarm(scheduler.now_s + self._network.broken_s(), lambda: self._end(None))

    def _end(self, answer: Any) -> None:
        if not self._ended.is_set():
            self.answer = answer
            self._ended.set()


class SimPeers:
    """A controller's way to the others; has what is used of actors.net.peers.Peers."""

    def __init__(self, network: Network, member: str, find: Callable[[str], Any]) -> None:
        self._network, self._member, self._find = network, member, find

    def send(self, to: str, message: Message) -> None:
        """Send a message of consensus; it is encoded here and decoded there."""
        data = messages.encode(message)
        self._network.send(self._member, to, lambda: self._find(to).deliver(self._member, data))

    def call(self, to: str, kind: str, payload: bytes, timeout_s: float) -> bytes:
        """Ask another controller. Raises PeerError."""
        exchange = Exchange(self._network, self._member, to)
        if exchange.ask(lambda own: self._find(to).serve(self._member, kind, payload, own), timeout_s):
            return exchange.answer
        error = PeerGone if exchange.ended else PeerTimeout
        raise error(f"no answer from {to}", sent=exchange.reached)

    def status(self) -> dict[str, Any]:
        """Nothing is known of the others: no trigger waits for them here."""
        return {}

    def set_members(self, members: dict[str, str]) -> None:
        """Everybody is known here."""
