"""The way to one other controller on one lane: connects, connects again, and holds what waits meanwhile.

Messages go out on the connection that this side makes; what the other side says comes on the one that it makes. Only
answers to calls come back the same way. So each side needs to care for nothing but its own.
"""

from __future__ import annotations

import random
import socket
import ssl
import threading
import time

import msgspec

import actors.net.peers.wire as wire
from actors.net.peers.calls import Calls, PeerGone
from actors.net.peers.complaints import Complaints
from actors.net.peers.connection import Connection, Counters
from actors.net.peers.frames import (
    OLDEST,
    VERSION,
    Answered,
    Frame,
    FrameError,
    Hello,
    Lane,
    Reader,
    Refused,
    Welcome,
)
from actors.net.peers.identity import Stranger, Tls
from actors.net.peers.outbox import Outbox, Parcel

SHORTEST_S, LONGEST_S = 0.05, 1.0
"""How long after a failure it is tried again; twice as long each time, less up to half by chance."""
SOON_S = 0.2
"""Who has something to send has it tried again so long after the last failure."""
STEADY_S = 1.0
"""A connection that held so long was none of the failures."""
KEPT_AWAY = 16
"""So many messages wait for a controller that is away: older ones say nothing that it still needs."""


class Own(msgspec.Struct, frozen=True):
    """What every connection of one controller needs to know."""

    tls: Tls
    complaints: Complaints


class Link:
    """A thread that keeps one connection to `name`; `send` and `call` from any thread."""

    def __init__(self, own: Own, name: str, address: str, lane: Lane, counters: Counters) -> None:
        self.name, self.address, self.lane, self.counters = name, address, lane, counters
        self.last_error = ""
        self.until_s = 0
        self._own = own
        self._limits = wire.LIMITS[lane]
        self.outbox = Outbox(self._away_most, self._limits.most_bytes, drops=lane is not Lane.CALL)
        self.calls = Calls(name, self.outbox, self.flush)
        self._connection: Connection | None = None
        self._closed = False
        self._is_waiting = False
        self._failures = 0
        self._failed_s = 0.0
        self._kicked = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"flurm-peer-{lane.value}-{name}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def close(self) -> None:
        """End it; `join` waits until it has."""
        self._closed = True
        self._kicked.set()
        if (connection := self._connection) is not None:
            connection.close("closed here")

    def join(self, timeout_s: float) -> None:
        """Wait for the thread; one that is just connecting may take a little longer."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def is_connected(self) -> bool:
        """Whether the other side has let us in."""
        return self._connection is not None

    def send(self, data: bytes) -> None:
        """Send a frame that may get lost; never blocks."""
        self.outbox.put(Parcel(data))
        self.flush()

    def call(self, kind: str, payload: bytes, timeout_s: float) -> bytes:
        """Ask and wait for the answer. Raises PeerError, FrameError."""
        if self._is_waiting and time.monotonic() - self._failed_s < SOON_S:
            raise PeerGone(f"{self.name}: {self.last_error}", sent=False)
        return self.calls.call(kind, payload, timeout_s)

    def flush(self) -> None:
        """Have what waits sent: at once where there is a connection, else soon."""
        connection = self._connection
        if connection is None:
            if self._is_waiting and time.monotonic() - self._failed_s >= SOON_S:
                self._kicked.set()
        elif self._limits.is_urgent:
            connection.flush()
        else:
            connection.wake()

    def kick(self) -> None:
        """The other side was heard of: try at once."""
        if self._is_waiting:
            self._kicked.set()

    @property
    def _away_most(self) -> int:
        return self._limits.most if self.lane is Lane.CALL else KEPT_AWAY

    def _run(self) -> None:
        while not self._closed:
            try:
                tls = self._connect()
            except (OSError, FrameError, Stranger, ValueError) as error:
                self._failed(f"{type(error).__name__}: {error}")
            else:
                self._serve(tls)
            if not self._closed:
                self._wait()
        self.outbox.clear()
        self.calls.close("no longer a member")

    def _serve(self, tls: ssl.SSLSocket) -> None:
        began_s = time.monotonic()
        self.counters.connects += 1
        connection = Connection(tls, self.outbox, self.counters, self._limits.pace, Reader())
        self.outbox.most = self._limits.most
        self._connection = connection
        if self._closed:
            connection.close("closed here")
        reason = connection.run(self._receive)
        self._connection = None
        self.outbox.most = self._away_most
        if time.monotonic() - began_s >= STEADY_S:
            self._failures = 0
        self._failed(reason)

    def _failed(self, reason: str) -> None:
        """Whoever calls now is told at once rather than left to wait."""
        self.last_error = reason
        self._failed_s = time.monotonic()
        self._failures += 1
        self._is_waiting = True
        self.outbox.clear()
        self.calls.fail(reason)
        if not self._closed:
            self._own.complaints.tell(
                "peer away",
                self.name,
                reason,
                peer=self.name,
                address=self.address,
                lane=self.lane.value,
                reason=reason,
            )

    def _wait(self) -> None:
        delay_s = min(SHORTEST_S * 2 ** min(self._failures - 1, 10), LONGEST_S)
        self._kicked.wait(delay_s * random.uniform(0.5, 1.0))
        self._kicked.clear()
        self._is_waiting = False

    def _connect(self) -> ssl.SSLSocket:
        """Connect and be let in. Raises OSError, FrameError, Stranger."""
        host, _, port = self.address.rpartition(":")
        deadline_s = time.monotonic() + wire.HANDSHAKE_S
        plain = socket.create_connection((host.strip("[]"), int(port)), timeout=wire.CONNECT_S)
        try:
            wire.tune(plain, self.lane)
            contexts = self._own.tls.contexts()
            plain.settimeout(wire.left_s(deadline_s))
            tls = contexts.client.wrap_socket(plain)
        except BaseException:
            plain.close()
            raise
        try:
            self._greet(tls, deadline_s)
        except BaseException:
            tls.close()
            raise
        return tls

    def _greet(self, tls: ssl.SSLSocket, deadline_s: float) -> None:
        name, self.until_s = self._own.tls.other_side(tls)
        if name != self.name:
            raise Stranger(f"its certificate is of {name!r}, expected {self.name!r}")
        self._own.complaints.warn_of_end(name, self.until_s, time.time())
        own = self._own.tls
        wire.write_frame(tls, Hello(OLDEST, VERSION, own.cluster, own.member, self.name, self.lane), deadline_s)
        welcome = wire.read_frame(tls, deadline_s)
        if not isinstance(welcome, Welcome) or welcome.member != self.name:
            raise FrameError(f"expected Welcome, came {type(welcome).__name__}")
        if not OLDEST <= welcome.version <= VERSION:
            raise FrameError(f"version {welcome.version} was not offered")

    def _receive(self, frame: Frame) -> None:
        if self.lane is not Lane.CALL or not isinstance(frame, Answered | Refused):
            raise FrameError(f"{type(frame).__name__} may not come here")
        self.calls.take(frame)
