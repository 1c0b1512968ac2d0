"""One connection between controllers: a thread of its own reads it, and writes what nobody else has written.

Whoever sends writes by itself where the socket takes it, in one system call for everything that waits: no other thread
needs to wake up before a heartbeat leaves, which is what takes time while others compute. What the socket does not take
is left to the connection's thread. An SSL object must not be used by two threads at once, and nobody shall wait for the
other: who finds it in use leaves its frame in the outbox, and who has used it looks there once more afterwards.

Both sides say `Alive` when they have said nothing for a while; who has heard nothing for long takes the other for gone.
"""

from __future__ import annotations

import contextlib
import os
import select
import ssl
import threading
import time
from collections.abc import Callable

import msgspec
import structlog

from actors.net.peers.frames import Alive, Frame, FrameError, Reader, encode
from actors.net.peers.outbox import Outbox, Parcel

PIECE_BYTES = 65_536
AT_ONCE_BYTES = 4 * PIECE_BYTES
"""So much is written in one turn; what a sender leaves is the connection's thread's."""
_ALIVE = encode(Alive())

log = structlog.get_logger(__name__)


class Counters(msgspec.Struct):
    """What passed between this controller and another on one lane; changed under the GIL only."""

    sent: int = 0
    received: int = 0
    dropped: int = 0
    connects: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    heard_s: float | None = None
    """When anything came last, on the monotonic clock."""


class Pace(msgspec.Struct, frozen=True):
    """How long a connection stays quiet, and how long the other side may."""

    alive_s: float
    silence_s: float


class Connection:
    """A TLS connection after its handshake; `run` in a thread, `flush` from any."""

    def __init__(self, tls: ssl.SSLSocket, outbox: Outbox, counters: Counters, pace: Pace, reader: Reader) -> None:
        self.outbox = outbox
        self.counters = counters
        self._socket = tls
        self._pace = pace
        self._reader = reader
        self._in_use = threading.Lock()
        self._rest = memoryview(b"")
        self._piece = memoryview(b"")
        self._blocked = False
        self._reason = ""
        self._closing = threading.Event()
        self._wakes = threading.Lock()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._sent_s = self._heard_s = time.monotonic()
        tls.setblocking(False)

    def run(self, receive: Callable[[Frame], None]) -> str:
        """Serve the connection until it ends; returns why it did. `receive` gets each frame but `Alive`."""
        try:
            self._serve(receive)
        except (OSError, FrameError) as error:
            self._reason = self._reason or str(error)
        except Exception as error:
            log.exception("connection failed")
            self._reason = repr(error)
        finally:
            self._end()
        return self._reason

    def close(self, reason: str) -> None:
        """Have it end, from any thread."""
        self._reason = self._reason or reason
        self._closing.set()
        self.wake()

    def wake(self) -> None:
        """Have the connection's thread look at the outbox."""
        with self._wakes:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def post(self, parcel: Parcel) -> None:
        """Send what must not get lost while the connection lasts: where there is no room for it, it does not."""
        if self.outbox.put(parcel):
            self.flush()
        else:
            self.close(f"{len(self.outbox)} answers wait, the other side does not read")

    def flush(self) -> None:
        """Write what waits as far as the socket takes it at once; never blocks and never raises."""
        if self._flush():
            self.wake()

    def _flush(self) -> bool:
        """Whether something is left for the connection's thread."""
        while self._has_more() and not self._blocked and self._in_use.acquire(blocking=False):
            try:
                if not self._write(AT_ONCE_BYTES):
                    return True
            except OSError as error:
                self.close(str(error))
                return False
            finally:
                self._in_use.release()
        return False

    def _has_more(self) -> bool:
        return bool(self._piece or self._rest or self.outbox)

    def _write(self, most_bytes: int) -> bool:
        """False where something is left because the socket is full, or because that is enough for one turn."""
        while most_bytes > 0:
            if not self._piece and not self._next_piece():
                return True
            try:
                count = self._socket.send(self._piece)
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                self._blocked = True  # and the piece stays: the TLS library wants the same bytes again
                return False
            self.counters.bytes_sent += count
            most_bytes -= count
            self._piece = self._piece[count:]
            self._sent_s = time.monotonic()
        return False

    def _next_piece(self) -> bool:
        if not self._rest:
            data, count = self.outbox.take(PIECE_BYTES)
            self._rest = memoryview(data)
            self.counters.sent += count
        self._piece, self._rest = self._rest[:PIECE_BYTES], self._rest[PIECE_BYTES:]
        return bool(self._piece)

    def _serve(self, receive: Callable[[Frame], None]) -> None:
        poll = select.poll()
        fd = self._socket.fileno()
        poll.register(self._bell, select.POLLIN)
        self.flush()
        while not self._closing.is_set():
            poll.register(fd, select.POLLIN | (select.POLLOUT if self._blocked else 0))
            for ready, events in poll.poll(self._patience_s() * 1000):
                if ready == self._bell:
                    self._silence_bell()
                    continue
                if events & select.POLLOUT:
                    self._blocked = False
                if events & ~select.POLLOUT:
                    self._read(receive)
            self._keep_alive()
            if self._flush() and not self._blocked:
                self.wake()

    def _patience_s(self) -> float:
        due_s = self._heard_s + self._pace.silence_s
        if not self._has_more():
            due_s = min(due_s, self._sent_s + self._pace.alive_s)
        return max(due_s - time.monotonic(), 0.0) + 0.001

    def _silence_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def _read(self, receive: Callable[[Frame], None]) -> None:
        """Take what has come: all of a large frame, but never so much that writing has to wait for long."""
        for _ in range(64):
            try:
                with self._in_use:
                    data = self._socket.recv(PIECE_BYTES)
                    pending = self._socket.pending()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            if not data:
                raise ConnectionError("closed by the other side")
            self._heard_s = self.counters.heard_s = time.monotonic()
            self.counters.bytes_received += len(data)
            self._hand_over(data, receive)
            if not pending and not self._reader.is_inside:
                return

    def _hand_over(self, data: bytes, receive: Callable[[Frame], None]) -> None:
        for frame in self._reader.feed(data):
            if not isinstance(frame, Alive):
                self.counters.received += 1
                receive(frame)

    def _keep_alive(self) -> None:
        now_s = time.monotonic()
        if now_s - self._heard_s >= self._pace.silence_s:
            raise ConnectionError(f"heard nothing for {self._pace.silence_s:g} s")
        if now_s - self._sent_s >= self._pace.alive_s and not self._has_more():
            self.outbox.put_first(Parcel(_ALIVE))

    def _end(self) -> None:
        """No other thread may be inside the SSL object, or hold the bell's number, when they go."""
        self._closing.set()
        with self._wakes:
            os.close(self._bell)
            self._bell = -1
        with self._in_use:
            self._blocked = True
            self._socket.close()
