"""A listening socket that many connection handlers serve, and the connections that have not yet sent a whole frame.

Each handler waits for the socket itself: the kernel wakes one of them for a new connection, and that one accepts it,
reads the request, and serves it. No bytes and no requests pass between threads. A client that has not sent its frame
within `PATIENCE_S`, or at once when no other handler is idle, is parked: a thread of the listener watches all parked
connections together and wakes a handler when a frame is complete. A slow or silent connection so costs a descriptor and
nothing else; there may be `max_connections` of them, and the oldest go first when more come. All requests together
hold at most `max_request_memory` bytes: beyond, the connection that holds most is closed.

The listener belongs to the application, not to a handler: when handlers crash or the whole protocol tree restarts, the
socket stays open and clients wait in its backlog.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import structlog

from actors.net.forwarding import Forwarded, ForwardedConnection
from actors.net.request_memory import Account, RequestMemory, largest
from protocol.errors import DecodeError
from protocol.frame import FrameReader

BACKLOG = 4096
FIRST_READ = 65_536
LARGE_READ = 1 << 20
IDLE_S = 60.0
PATIENCE_S = 0.02
NEWCOMER_S = 0.2
"""So long a client may take for the first byte of its request to count as one who waits for an answer."""
LEAVE_POLL_S = 0.005
SWEEP_S = 1.0

log = structlog.get_logger(__name__)


OVERSIZED, TRUNCATED, TIMED_OUT, DISPLACED, MEMORY = DROPPED = (
    "oversized",
    "truncated",
    "timed_out",
    "displaced",
    "memory",
)
"""Announced too much, ended inside a request, took too long, went to make room for others, or held too many bytes."""


class Arrival(NamedTuple):
    """A complete frame, and the connection to answer on."""

    connection: Any
    """The client's socket; the way back to the controller that forwards its request (ForwardedConnection)."""
    peer: tuple[str, int]
    data: bytes
    account: Account
    forwarded: Forwarded | None = None
    """Where another controller has passed the request on."""


class Counters(msgspec.Struct):
    """What the listener has seen."""

    accepted: int = 0
    frames: int = 0
    parked: int = 0
    dropped: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(DROPPED, 0))
    """Connections that were closed without a request, by why."""


class _Partial(Account):
    """A connection whose frame is not complete, and the bytes it holds until its request is served."""

    __slots__ = ("began_s", "peer", "reader", "socket")

    def __init__(self, connection: socket.socket, peer: tuple[str, int], limit: int) -> None:
        super().__init__()
        self.socket = connection
        self.peer = peer
        self.reader = FrameReader(limit)
        self.began_s = time.monotonic()


class Listener:
    """A bound socket; `next` gives complete frames to whoever asks.

    Until `open` clients wait; without `waits` they are refused, and ask another controller.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        max_message: int,
        max_connections: int = 8192,
        max_memory: int = 1 << 30,
        idle_s: float = IDLE_S,
        waits: bool = True,
    ) -> None:
        self.counters = Counters()
        self.memory = RequestMemory(max_memory)
        self.max_message = max_message
        self._idle = 0
        self._closed = self._leaving = False
        self._open = threading.Event()
        self._socket = _bound(host, port)
        if waits:
            self._socket.listen(BACKLOG)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._complete: deque[Arrival] = deque()
        self._completed = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_SEMAPHORE)
        self._local = threading.local()
        self._park = _Park(self, max_connections, idle_s)

    def open(self) -> None:
        """Begin to give out frames, or begin again after `refuse`."""
        if not (self._open.is_set() or self._leaving):
            self._socket.listen(BACKLOG)
            self._open.set()

    @property
    def is_open(self) -> bool:
        """Whether clients are served."""
        return self._open.is_set()

    def refuse(self) -> None:
        """Have new clients refused by the kernel, so that they go to another controller at once; `open` ends it.

        The port stays ours. Connections that are there already are served.
        """
        if self._open.is_set() and not self._leaving:
            self._open.clear()
            self._socket.shutdown(socket.SHUT_RDWR)

    def leave(self, patience_s: float) -> bool:
        """Take in no more clients, for good, and wait until those that are here have been answered.

        Who has connected already is one of them; who connects from now on is refused, and goes to another controller.
        Those that send nothing are not waited for. False where some had no answer after `patience_s`.
        """
        self._leaving = True
        for _ in range(BACKLOG):
            if not self._take_in():
                break
        self._socket.close()  # and so out of every thread's epoll
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < 2 * PATIENCE_S or self._somebody_waits():
            if passed_s > patience_s:
                return False
            time.sleep(LEAVE_POLL_S)
        return True

    def _somebody_waits(self) -> bool:
        """Whether bytes of a request are held, or a client has connected a moment ago and has not yet sent any."""
        return self.memory.held > 0 or self._park.has_newcomers()

    def _take_in(self) -> bool:
        """Park a connection that waits in the backlog; False where there is none."""
        try:
            connection, peer = self._socket.accept()
        except OSError:
            return False
        self.counters.accepted += 1
        self._park.add(_Partial(connection, peer, self.max_message))
        return True

    def waiting(self) -> int:
        """Connections whose frame is not complete."""
        return len(self._park.partials)

    def next(self, timeout_s: float) -> Arrival | None:
        """The next complete frame, or None when none came in time."""
        if not self._open.wait(timeout_s):
            return None
        deadline_s = time.monotonic() + timeout_s
        while not self._closed:
            self._idle += 1
            try:
                events = self._waiter().poll(max(0.0, deadline_s - time.monotonic()))
            finally:
                self._idle -= 1
            for fd in self._in_turn([fd for fd, _ in events]):
                arrival = self._take_completed() if fd == self._completed else self._accept()
                if arrival is not None:
                    self._local.last = fd
                    return arrival
            if time.monotonic() >= deadline_s:
                break
        return None

    def close(self) -> None:
        """Stop listening and drop what is incomplete; a handler that waits finds out within its timeout."""
        self._closed = True
        self._park.close()
        self._socket.close()

    def completed(self, partial: _Partial, frame: bytes) -> None:
        """A parked connection has sent its frame: wake one handler for it."""
        self.counters.frames += 1
        partial.socket.settimeout(None)
        self._complete.append(Arrival(partial.socket, partial.peer, frame, partial))
        os.eventfd_write(self._completed, 1)

    def pass_on(self, connection: ForwardedConnection) -> None:
        """Another controller passes a client's request on: wake one handler for it."""
        request, account = connection.request, Account()
        self.counters.frames += 1
        self.memory.add(account, len(request.data))
        self._complete.append(Arrival(connection, request.peer, request.data, account, request))
        os.eventfd_write(self._completed, 1)

    def give_back(self, arrival: Arrival) -> None:
        """Leave a request to another handler: nothing of it has been done yet."""
        self._complete.append(arrival)
        os.eventfd_write(self._completed, 1)

    def _waiter(self) -> select.epoll:
        """This thread's own epoll; EPOLLEXCLUSIVE has the kernel wake one thread for each event."""
        waiter: select.epoll | None = getattr(self._local, "epoll", None)
        if waiter is None:
            waiter = self._local.epoll = select.epoll()
            for fd in (self._socket.fileno(), self._completed):
                if fd >= 0:  # the socket is closed while the last clients are served
                    waiter.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        return waiter

    def _in_turn(self, ready: list[int]) -> list[int]:
        """What this thread took from last comes last: the kernel names the same one first again and again, and whoever
        waits at the other would have to wait for a moment without new clients."""
        last = getattr(self._local, "last", None)
        return sorted(ready, key=lambda fd: fd == last)

    def _take_completed(self) -> Arrival | None:
        try:
            os.eventfd_read(self._completed)
        except BlockingIOError:
            return None
        return self._complete.popleft()

    def _accept(self) -> Arrival | None:
        """Accept one connection and wait a moment for its request, unless nobody else could take the next one."""
        try:
            connection, peer = self._socket.accept()
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            if not (self._closed or self._leaving) and self._open.is_set():
                log.warning("accept failed", reason=str(error))
                self._park.drop_oldest()
            return None
        self.counters.accepted += 1
        partial = _Partial(connection, peer, self.max_message)
        connection.settimeout(PATIENCE_S if self._idle else 0.0)
        frame = self.read(partial)
        if frame is None:
            return None
        self.counters.frames += 1
        return Arrival(connection, peer, frame, partial)

    def served(self, arrival: Arrival) -> None:
        """The request has been dealt with: its bytes are held no longer."""
        self.memory.release(arrival.account)

    def read(self, partial: _Partial) -> bytes | None:
        """Read what has come; the frame when it is complete. Parks or drops the connection otherwise."""
        while True:
            want = min(max(partial.reader.missing, FIRST_READ), LARGE_READ)
            try:
                data = partial.socket.recv(want)
                if data and not self._make_room(partial, len(data)):
                    return None
                if data:
                    partial.reader.feed(data)
            except (BlockingIOError, InterruptedError, TimeoutError):
                self._park.add(partial)
                return None
            except DecodeError as error:
                self.dropped(partial, OVERSIZED, str(error))
                return None
            except OSError:
                data = b""
            if not data:
                self._ended(partial)
                return None
            frame = partial.reader.next_frame()
            if frame is not None:
                self._park.forget(partial)
                return frame

    def _make_room(self, partial: _Partial, size: int) -> bool:
        """Count bytes that have come, and drop who holds most while they are too many; False where it was this one."""
        while self.memory.add(partial, size):
            size = 0
            victim = largest([partial, *self._park.partials.copy().values()])
            if not isinstance(victim, _Partial):
                break
            reason = f"it holds {victim.held} of {self.memory.held} bytes of requests, {self.memory.bound} may be"
            self.dropped(victim, MEMORY, reason)
        return not partial.closed

    def dropped(self, partial: _Partial, kind: str, reason: str) -> None:
        """Close a connection that has not sent a request, and tell why."""
        self._park.drop(partial)
        self.counters.dropped[kind] += 1
        log.warning("connection dropped", peer=partial.peer[0], kind=kind, reason=reason)

    def _ended(self, partial: _Partial) -> None:
        """The peer has closed; that is a fault only inside a request."""
        if partial.reader.pending:
            reason = f"closed after {partial.reader.pending} bytes, {partial.reader.missing} before the end"
            self.dropped(partial, TRUNCATED, reason)
        else:
            self._park.drop(partial)


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has the port, and does not listen yet. Raises OSError."""
    bound = socket.socket(socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


class _Park:
    """The connections that have not sent a whole frame, watched by one thread."""

    def __init__(self, listener: Listener, most: int, idle_s: float) -> None:
        self.partials: dict[int, _Partial] = {}
        self._listener = listener
        self._most = most
        self._idle_s = idle_s
        self._epoll = select.epoll()
        self._closed = False
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="flurm-parked", daemon=True)
        self._thread.start()

    def add(self, partial: _Partial) -> None:
        """Watch a connection."""
        with self._guard:
            fd = partial.socket.fileno()
            if fd < 0:  # dropped by another thread meanwhile
                return
            partial.socket.setblocking(False)
            if fd not in self.partials:
                self._listener.counters.parked += 1
                self.partials[fd] = partial
                self._epoll.register(fd, select.EPOLLIN | select.EPOLLONESHOT)
            else:
                self._epoll.modify(fd, select.EPOLLIN | select.EPOLLONESHOT)
        if len(self.partials) > self._most:
            self.drop_oldest()

    def forget(self, partial: _Partial) -> None:
        """Watch it no longer."""
        with self._guard:
            if self.partials.pop(partial.socket.fileno(), None) is not None:
                self._epoll.unregister(partial.socket.fileno())

    def drop(self, partial: _Partial) -> None:
        """Watch it no longer and close it."""
        self.forget(partial)
        self._listener.memory.release(partial)
        with self._guard:
            partial.socket.close()

    def drop_oldest(self) -> None:
        """Make room: of several threads that do, each drops another connection."""
        with self._guard:
            fd = next(iter(self.partials), None)
            oldest = self.partials.pop(fd) if fd is not None else None
            if oldest is not None:
                self._epoll.unregister(oldest.socket.fileno())
        if oldest is not None:
            self._listener.dropped(oldest, DISPLACED, f"{self._most} connections wait already")

    def has_newcomers(self) -> bool:
        """Whether somebody has connected a moment ago and not yet sent anything."""
        since_s = time.monotonic() - NEWCOMER_S
        return any(partial.began_s > since_s for partial in self.partials.copy().values())

    def close(self) -> None:
        """Drop everything and end the thread."""
        self._closed = True
        self._thread.join(2 * SWEEP_S)
        for partial in list(self.partials.values()):
            self.drop(partial)
        self._epoll.close()

    def _watch(self) -> None:
        swept_s = time.monotonic()
        while not self._closed:
            for fd, _ in self._epoll.poll(SWEEP_S):
                partial = self.partials.get(fd)
                frame = self._listener.read(partial) if partial is not None else None
                if partial is not None and frame is not None:
                    self._listener.completed(partial, frame)
            now_s = time.monotonic()
            if now_s - swept_s >= SWEEP_S:
                swept_s = now_s
                self._sweep(now_s)

    def _sweep(self, now_s: float) -> None:
        """Drop connections that have been incomplete for too long."""
        for partial in list(self.partials.values()):
            if now_s - partial.began_s >= self._idle_s:
                self._listener.dropped(partial, TIMED_OUT, f"no whole request in {self._idle_s:g} s")


def send_all(connection: socket.socket, parts: Sequence[bytes], timeout_s: float) -> None:
    """Send a reply to a client that may read slowly. Raises OSError when it takes longer than `timeout_s`.

    A small reply fits into the socket's buffer and costs one system call.
    """
    total = sum(map(len, parts))
    try:
        sent = connection.sendmsg(parts, (), socket.MSG_DONTWAIT)
    except BlockingIOError:
        sent = 0
    if sent == total:
        return
    connection.settimeout(timeout_s)
    for part in parts:
        if sent < len(part):
            connection.sendall(memoryview(part)[sent:])
        sent = max(0, sent - len(part))
