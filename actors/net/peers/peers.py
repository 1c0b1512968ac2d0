"""All other controllers of the cluster: what is sent to them, what comes from them."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable

import msgspec
import structlog

import actors.net.peers.wire as wire
from actors.net.peers.calls import Answer, PeerGone
from actors.net.peers.complaints import Complaints
from actors.net.peers.connection import Connection, Counters
from actors.net.peers.door import Door
from actors.net.peers.frames import Call, Carried, Frame, FrameError, Lane, Reader, encode
from actors.net.peers.identity import Tls
from actors.net.peers.link import Link, Own
from actors.net.peers.outbox import Outbox
from flurm.config import TlsFiles
from flurm.raft.messages import InstallSnapshot, Message

JOIN_S = 3.0

Deliver = Callable[[str, Message], None]
Serve = Callable[[str, str, bytes, Answer], None]

log = structlog.get_logger(__name__)


class LaneStatus(msgspec.Struct, frozen=True):
    """One lane to another controller. `connects` counts connections made, `waiting` messages not yet sent."""

    connected: bool
    sent: int
    received: int
    dropped: int
    connects: int
    bytes_sent: int
    bytes_received: int
    waiting: int
    last_error: str


class PeerStatus(msgspec.Struct, frozen=True):
    """Another controller. `heard_s_ago` is None where it never was; `certificate_until_s` 0 where it is not known."""

    name: str
    address: str
    heard_s_ago: float | None
    certificate_until_s: int
    lanes: dict[str, LaneStatus]


class _Peer(msgspec.Struct, frozen=True, eq=False):
    """The ways to one member, and the connections that it has made."""

    address: str
    links: dict[Lane, Link]
    counters: dict[Lane, Counters]
    incoming: dict[Lane, Connection]


class Peers:
    """The network between this controller and the others; belongs to the application, so that it outlives actors.

    `deliver(sender, message)` is called for each Raft message and `serve(sender, kind, payload, answer)` for each
    request, both from the thread that reads the connection: they must be quick and leave waiting to others.
    """

    def __init__(
        self, member: str, cluster: str, tls: TlsFiles, host: str, port: int, *, deliver: Deliver, serve: Serve
    ) -> None:
        """Raises CertificateError where a certificate cannot be used, OSError where the port cannot be bound."""
        self.member, self.cluster = member, cluster
        self.deliver, self.serve = deliver, serve
        self._own = Own(Tls(tls, cluster, member), Complaints())
        self._peers: dict[str, _Peer] = {}
        self._guard = threading.Lock()
        self._started = self._closed = False
        self._door = Door(self._own, host, port, lambda: frozenset(self._peers), self._admitted)
        self.address = self._door.address

    def start(self) -> None:
        """Connect to the members, and let them in."""
        self._own.complaints.warn_of_end(self.member, self.certificate_until_s, time.time())
        with self._guard:
            self._started = True
            for peer in self._peers.values():
                _start(peer)
        self._door.start()

    def close(self) -> None:
        """End all connections and threads."""
        self._closed = True
        self._door.close()
        peers = list(self._peers.values())
        self.set_members({})
        deadline_s = time.monotonic() + JOIN_S
        for peer in peers:
            for link in peer.links.values():
                link.join(max(deadline_s - time.monotonic(), 0.0))

    def set_members(self, members: dict[str, str]) -> None:
        """These (name -> "host:port") are the cluster; this controller may be among them. Whoever was and is not any
        more, or is elsewhere now, is hung up on. Does not wait for that."""
        wanted = {name: address for name, address in members.items() if name != self.member}
        with self._guard:
            gone = {name: peer for name, peer in self._peers.items() if wanted.get(name) != peer.address}
            new = {name: self._peer(name, wanted[name]) for name in wanted.keys() - (self._peers.keys() - gone.keys())}
            self._peers = {name: peer for name, peer in self._peers.items() if name not in gone} | new
            if self._started:
                for peer in new.values():
                    _start(peer)
        for peer in gone.values():
            _close(peer)

    def send(self, to: str, message: Message) -> None:
        """Give a Raft message to member `to`; it may get lost. Never blocks, never raises for a member that is away."""
        peer = self._peers.get(to)
        if peer is None:
            return
        lane = Lane.BULK if isinstance(message, InstallSnapshot) else Lane.RAFT
        try:
            data = encode(Carried(message))  # type: ignore[arg-type]
        except FrameError as error:
            peer.counters[lane].dropped += 1
            self._own.complaints.tell("message not sent", to, peer=to, reason=str(error))
            return
        peer.links[lane].send(data)

    def call(self, to: str, kind: str, payload: bytes, timeout_s: float) -> bytes:
        """Ask member `to` and wait for its answer.

        Raises PeerGone where it is away or goes away, PeerTimeout, PeerRefused where it answers that it failed;
        FrameError where the payload is longer than a frame may be.
        """
        peer = self._peers.get(to)
        if peer is None:
            raise PeerGone(f"{to} is not a member", sent=False)
        return peer.links[Lane.CALL].call(kind, payload, timeout_s)

    @property
    def certificate_until_s(self) -> int:
        """Until when this controller's own certificate is valid, in seconds since 1970."""
        return self._own.tls.contexts().until_s

    def status(self) -> dict[str, PeerStatus]:
        """How it is with each of the others, by name."""
        return {name: _status(name, peer) for name, peer in self._peers.items()}

    def _peer(self, name: str, address: str) -> _Peer:
        counters = {lane: Counters() for lane in Lane}
        links = {lane: Link(self._own, name, address, lane, counters[lane]) for lane in Lane}
        return _Peer(address, links, counters, {})

    def _admitted(self, tls: ssl.SSLSocket, name: str, lane: Lane) -> None:
        """Serve a connection that a member has made, in the thread that the door has made for it."""
        limits = wire.LIMITS[lane]
        with self._guard:
            peer = self._peers.get(name)
            if peer is None:
                tls.close()
                return
            outbox = Outbox(limits.most, limits.most_bytes, drops=False)
            connection = Connection(tls, outbox, peer.counters[lane], limits.pace, Reader())
            before = peer.incoming.get(lane)
            peer.incoming[lane] = connection
        if before is not None:
            before.close("it has connected again")
        for link in peer.links.values():
            link.kick()
        reason = connection.run(lambda frame: self._receive(name, lane, frame, connection))
        with self._guard:
            if peer.incoming.get(lane) is connection:
                del peer.incoming[lane]
        if not self._closed:
            self._own.complaints.tell("peer left", name, lane.value, peer=name, lane=lane.value, reason=reason)

    def _receive(self, name: str, lane: Lane, frame: Frame, connection: Connection) -> None:
        """Raises FrameError for what may not come here."""
        if self._closed:
            raise FrameError("closed here")
        match frame:
            case Carried(message) if lane is not Lane.CALL:
                if message.sender != name:
                    raise FrameError(f"a message of {message.sender!r} came from {name!r}")
                self._deliver(name, message)
            case Call(number, kind, payload) if lane is Lane.CALL:
                self._serve(name, kind, payload, Answer(number, connection))
            case _:
                raise FrameError(f"{type(frame).__name__} may not come here")

    def _deliver(self, name: str, message: Message) -> None:
        """What the receiver fails at is lost, as any message may be; the connection has no part in it."""
        try:
            self.deliver(name, message)
        except Exception:
            log.exception("message not delivered", peer=name, message=type(message).__name__)

    def _serve(self, name: str, kind: str, payload: bytes, answer: Answer) -> None:
        try:
            self.serve(name, kind, payload, answer)
        except Exception as error:
            log.exception("request not served", peer=name, kind=kind)
            answer.fail(repr(error))


def _start(peer: _Peer) -> None:
    for link in peer.links.values():
        link.start()


def _close(peer: _Peer) -> None:
    for link in peer.links.values():
        link.close()
    for connection in list(peer.incoming.values()):
        connection.close("no longer a member")


def _status(name: str, peer: _Peer) -> PeerStatus:
    heard = [each.heard_s for each in peer.counters.values() if each.heard_s is not None]
    ago_s = time.monotonic() - max(heard) if heard else None
    until_s = max(link.until_s for link in peer.links.values())
    lanes = {lane.value: _lane_status(peer.links[lane], peer.counters[lane]) for lane in Lane}
    return PeerStatus(name, peer.address, ago_s, until_s, lanes)


def _lane_status(link: Link, counters: Counters) -> LaneStatus:
    return LaneStatus(
        link.is_connected, counters.sent, counters.received, counters.dropped + link.outbox.dropped, counters.connects,
        counters.bytes_sent, counters.bytes_received, len(link.outbox), "" if link.is_connected else link.last_error,
    )  # fmt: skip
