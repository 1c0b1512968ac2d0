"""A listening socket that many connection handlers serve, and the connections that have not yet sent a whole frame.

Leader and followers: one handler at a time, the leader, waits for the sockets of all connections. When a frame is
complete the leader takes it, lets the next idle handler become leader, and serves the request in its own thread: no
bytes and no requests queue between threads. A connection that is slow or silent costs a descriptor and nothing else;
there may be `max_connections` of them, and the oldest idle ones go first when more come.

The listener belongs to the application, not to a handler: when handlers crash or the whole protocol tree restarts, the
socket stays open and clients wait in its backlog.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from typing import NamedTuple

import msgspec
import structlog

from protocol.errors import DecodeError
from protocol.frame import FrameReader

BACKLOG = 4096
FIRST_READ = 65_536
LARGE_READ = 1 << 20
IDLE_S = 60.0
SWEEP_S = 1.0

log = structlog.get_logger(__name__)


class Arrival(NamedTuple):
    """A complete frame, and the connection to answer on."""

    connection: socket.socket
    peer: tuple[str, int]
    data: bytes


class Counters(msgspec.Struct):
    """What the listener has seen."""

    accepted: int = 0
    frames: int = 0
    refused: int = 0
    timed_out: int = 0
    dropped: int = 0


class _Partial:
    """A connection whose frame is not complete."""

    __slots__ = ("began_s", "peer", "reader", "socket")

    def __init__(self, connection: socket.socket, peer: tuple[str, int], limit: int, now_s: float) -> None:
        self.socket = connection
        self.peer = peer
        self.reader = FrameReader(limit)
        self.began_s = now_s


class Listener:
    """A bound socket; `next` gives complete frames to whoever asks, one caller at a time."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        max_message: int,
        max_connections: int = 8192,
        idle_s: float = IDLE_S,
    ) -> None:
        self.counters = Counters()
        self.max_message = max_message
        self.max_connections = max_connections
        self.idle_s = idle_s
        self._lead = threading.Lock()
        self._partials: dict[int, _Partial] = {}
        self._swept_s = 0.0
        self._closed = False
        self._open = threading.Event()
        self._socket = socket.create_server((host, port), backlog=BACKLOG, family=socket.AF_INET)
        self._socket.setblocking(False)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ, None)
        self._ready: list[Arrival] = []

    def open(self) -> None:
        """Begin to give out frames; until then clients wait in the backlog."""
        self._open.set()

    def waiting(self) -> int:
        """Connections whose frame is not complete."""
        return len(self._partials)

    def next(self, timeout_s: float) -> Arrival | None:
        """The next complete frame, or None when none came in time, or another handler led all the while."""
        if not self._open.wait(timeout_s) or not self._lead.acquire(timeout=timeout_s):
            return None
        try:
            return self._wait(time.monotonic() + timeout_s)
        finally:
            self._lead.release()

    def close(self) -> None:
        """Stop listening and drop what is incomplete; a handler that waits finds out within its timeout."""
        self._closed = True
        with self._lead:
            for partial in list(self._partials.values()):
                self._forget(partial)
                partial.socket.close()
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._socket)
            self._socket.close()
            self._selector.close()

    def _wait(self, deadline_s: float) -> Arrival | None:
        while not self._closed:
            if self._ready:
                return self._ready.pop()
            now_s = time.monotonic()
            if now_s >= deadline_s:
                return None
            self._sweep(now_s)
            for key, _ in self._selector.select(min(deadline_s - now_s, SWEEP_S)):
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data)
        return None

    def _accept(self) -> None:
        """Accept one connection and try to read at once: a client usually has sent its request by now."""
        try:
            connection, peer = self._socket.accept()
        except OSError as error:
            if error.errno not in (None, 11):
                log.warning("accept failed", reason=str(error))
                self._drop_oldest()
            return
        self.counters.accepted += 1
        connection.setblocking(False)
        if len(self._partials) >= self.max_connections:
            self._drop_oldest()
        partial = _Partial(connection, peer, self.max_message, time.monotonic())
        self._read(partial)

    def _read(self, partial: _Partial) -> None:
        want = min(max(partial.reader.missing, FIRST_READ), LARGE_READ)
        try:
            data = partial.socket.recv(want)
        except (BlockingIOError, InterruptedError):
            self._watch(partial)
            return
        except OSError:
            data = b""
        if not data:
            self._drop(partial)
            return
        try:
            partial.reader.feed(data)
        except DecodeError as error:
            self.counters.refused += 1
            log.warning("connection refused", peer=partial.peer[0], reason=str(error))
            self._drop(partial)
            return
        frame = partial.reader.next_frame()
        if frame is None:
            self._watch(partial)
            return
        self._forget(partial)
        self.counters.frames += 1
        self._ready.append(Arrival(partial.socket, partial.peer, frame))

    def _watch(self, partial: _Partial) -> None:
        fd = partial.socket.fileno()
        if fd not in self._partials:
            self._partials[fd] = partial
            self._selector.register(partial.socket, selectors.EVENT_READ, partial)

    def _forget(self, partial: _Partial) -> None:
        if self._partials.pop(partial.socket.fileno(), None) is not None:
            self._selector.unregister(partial.socket)

    def _drop(self, partial: _Partial) -> None:
        self._forget(partial)
        partial.socket.close()

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._partials.values()), None)
        if oldest is not None:
            self.counters.dropped += 1
            self._drop(oldest)

    def _sweep(self, now_s: float) -> None:
        """Drop connections that have been incomplete for too long. They stand in order of their age."""
        if now_s - self._swept_s < SWEEP_S:
            return
        self._swept_s = now_s
        for partial in list(self._partials.values()):
            if now_s - partial.began_s < self.idle_s:
                break
            self.counters.timed_out += 1
            self._drop(partial)


def send_all(connection: socket.socket, data: bytes, timeout_s: float) -> None:
    """Send a reply to a client that may read slowly. Raises OSError when it takes longer than `timeout_s`."""
    connection.settimeout(timeout_s)
    connection.sendall(data)


def close(connection: socket.socket) -> None:
    """Close so that a client that still sends is not reset before it has read the reply."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
    connection.close()
