"""The MUNGE socket: libmunge's clients get from FLURM what they would get from munged.

One thread serves all connections: a request is small, and answering it costs some ten microseconds. Who asks is what
the kernel says of the peer. A connection has `patience_s` for its request and the answer; there are at most
`max_connections` at a time, and the oldest goes when one more comes. What a peer does wrong closes its connection and
is counted.

A socket at which somebody answers is left alone (`SocketInUse`); one that a dead process left behind is replaced, under
a lock on the directory, so that of several daemons that start together one serves. Like the `Listener` it belongs to
the application: whatever is restarted inside the tree, clients keep their credentials.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import selectors
import socket
import stat
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from protocol.auth.munge import MungeKey
from protocol.auth.munged import (
    DecodeRequest,
    EncodeRequest,
    Munged,
    MungeError,
    Reader,
    decode_request,
    encode_answer,
)
from protocol.errors import DecodeError

__all__ = ["MungeSocket", "NotASocket", "PathTooLong", "SocketInUse"]

MAX_CONNECTIONS = 256
PATIENCE_S = 3.0
BACKLOG = 256
LONGEST_PATH = 107
"""What fits into a unix socket's address, without its NUL."""

_READ = 65_536
_TICK_S = 0.5
_CREDENTIALS = struct.Struct("3i")
_SO_PEERGROUPS = 59
_LONGEST_OPTION = 1024
"""Python asks for no more; 256 groups."""

log = structlog.get_logger(__name__)

MALFORMED, TRUNCATED, TIMED_OUT, DISPLACED, FAILED = DROPPED = (
    "malformed", "truncated", "timed_out", "displaced", "failed",
)  # fmt: skip
"""Not a request; ended inside one; took too long; went to make room for others; a fault of ours."""


class SocketInUse(Exception):
    """Somebody answers there."""


class NotASocket(Exception):
    """Something else lies at the path."""


class PathTooLong(Exception):
    """No unix socket can have this path."""


class Counters(msgspec.Struct):
    """What the socket has seen: answers by request and error name, connections without an answer by why."""

    answers: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    dropped: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(DROPPED, 0))


class _Peer:
    """The process at the other end, as it was when it connected."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self.pid, uid, gid = _CREDENTIALS.unpack(data)
        self.uid, self.gid = uid & 0xFFFFFFFF, gid & 0xFFFFFFFF

    def groups(self) -> frozenset[int]:
        """Its group and the supplementary ones; where those are too many, the ones that its user should have."""
        try:
            data = self._connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _LONGEST_OPTION)
        except OSError:
            return frozenset(os.getgrouplist(pwd.getpwuid(self.uid).pw_name, self.gid))
        return frozenset((self.gid, *(number for (number,) in struct.iter_unpack("I", data))))


class _Conversation:
    """One connection: first its request comes in, then `outgoing` goes out."""

    __slots__ = ("deadline_s", "outgoing", "peer", "reader", "socket")

    def __init__(self, connection: socket.socket, patience_s: float) -> None:
        self.socket = connection
        self.peer = _Peer(connection)
        self.reader = Reader()
        self.outgoing: memoryview | None = None
        self.deadline_s = time.monotonic() + patience_s


class MungeSocket:
    """Serves `path` until `close`. Raises SocketInUse, NotASocket, PathTooLong, OSError where it cannot."""

    def __init__(
        self, path: str, key: MungeKey, *, max_connections: int = MAX_CONNECTIONS, patience_s: float = PATIENCE_S
    ) -> None:
        self.path = path
        self.counters = Counters()
        self._munged = Munged(key, addr=_own_address())
        self._most = max_connections
        self._patience_s = patience_s
        self._conversations: dict[int, _Conversation] = {}
        self._socket = _bind(path)
        self._inode = Path(path).stat().st_ino
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="flurm-munge-socket", daemon=True)
        self._thread.start()

    def waiting(self) -> int:
        """Connections that have no answer yet."""
        return len(self._conversations)

    def close(self) -> None:
        """Stop serving and remove the socket, unless somebody else has replaced it."""
        if self._closed:
            return
        self._closed = True
        self._waker.send(b"x")
        self._thread.join(4 * _TICK_S)
        with contextlib.suppress(OSError):
            if Path(self.path).stat().st_ino == self._inode:
                Path(self.path).unlink()
        for conversation in list(self._conversations.values()):
            self._end(conversation)
        for each in (self._socket, self._wake, self._waker, self._selector):
            each.close()

    def _serve(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select(_TICK_S if self._conversations else None):
                if key.fileobj is self._socket:
                    self._accept()
                elif key.data is not None:
                    self._proceed(key.data)
            self._sweep()

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("munge socket: accept failed", reason=str(error))
            self._displace()
            return
        connection.setblocking(False)
        if len(self._conversations) >= self._most:
            self._displace()
        conversation = _Conversation(connection, self._patience_s)
        self._conversations[connection.fileno()] = conversation
        self._selector.register(connection, selectors.EVENT_READ, conversation)
        self._proceed(conversation)

    def _proceed(self, conversation: _Conversation) -> None:
        """Go as far with a connection as it goes now."""
        try:
            if conversation.outgoing is None:
                self._receive(conversation)
            if conversation.outgoing is not None:
                self._send(conversation)
        except (BlockingIOError, InterruptedError):
            pass
        except DecodeError as error:
            self._drop(conversation, MALFORMED, str(error))
        except OSError as error:
            self._drop(conversation, TRUNCATED, error.strerror or str(error))

    def _receive(self, conversation: _Conversation) -> None:
        data = conversation.socket.recv(_READ)
        if not data:
            if conversation.reader.pending:
                self._drop(conversation, TRUNCATED, f"closed after {conversation.reader.pending} bytes")
            else:
                self._end(conversation)
            return
        message = conversation.reader.feed(data)
        if message is not None:
            self._answer(decode_request(message), conversation)

    def _answer(self, request: EncodeRequest | DecodeRequest, conversation: _Conversation) -> None:
        try:
            answer = self._munged.answer(request, conversation.peer, time.time())
            conversation.outgoing = memoryview(encode_answer(answer, request.retry))
        except Exception as error:
            log.exception("munge socket: request failed")
            self._drop(conversation, FAILED, repr(error))
            return
        self._count(request, answer.error)
        self._selector.modify(conversation.socket, selectors.EVENT_WRITE, conversation)

    def _send(self, conversation: _Conversation) -> None:
        assert conversation.outgoing is not None
        sent = conversation.socket.send(conversation.outgoing, socket.MSG_NOSIGNAL)
        conversation.outgoing = conversation.outgoing[sent:]
        if not conversation.outgoing:
            self._end(conversation)

    def _count(self, request: EncodeRequest | DecodeRequest, error: int) -> None:
        kind = "encode" if isinstance(request, EncodeRequest) else "decode"
        label = (kind, MungeError(error).name.lower())
        self.counters.answers[label] = self.counters.answers.get(label, 0) + 1

    def _sweep(self) -> None:
        """Drop who has been at it for too long; the oldest come first."""
        now_s = time.monotonic()
        for conversation in list(self._conversations.values()):
            if conversation.deadline_s > now_s:
                return
            self._drop(conversation, TIMED_OUT, f"not done in {self._patience_s:g} s")

    def _displace(self) -> None:
        oldest = next(iter(self._conversations.values()), None)
        if oldest is not None:
            self._drop(oldest, DISPLACED, f"{self._most} connections wait already")

    def _drop(self, conversation: _Conversation, kind: str, reason: str) -> None:
        self.counters.dropped[kind] += 1
        peer = conversation.peer
        log.info("munge connection dropped", uid=peer.uid, pid=peer.pid, kind=kind, reason=reason)
        self._end(conversation)

    def _end(self, conversation: _Conversation) -> None:
        if self._conversations.pop(conversation.socket.fileno(), None) is not None:
            self._selector.unregister(conversation.socket)
        conversation.socket.close()


def _bind(path: str) -> socket.socket:
    """A listening socket at `path` that everybody may connect to, in a directory that everybody may enter."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise PathTooLong(f"{path} has more than {LONGEST_PATH} bytes")
    directory = Path(path).parent
    if not directory.exists():
        directory.mkdir(parents=True)
        directory.chmod(0o755)
    with _locked(directory):
        _make_way(path)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            bound.bind(path)
            Path(path).chmod(0o666)
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            raise
    return bound


def _make_way(path: str) -> None:
    """Remove the socket of a process that is no more."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise NotASocket(f"{path} is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
        except TimeoutError as error:
            raise SocketInUse(f"somebody listens at {path}") from error
        else:
            raise SocketInUse(f"somebody answers at {path}")


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _own_address() -> bytes:
    """The packed IPv4 address by which this host reaches others, without asking anybody; loopback where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: of a datagram socket it only chooses the route
            return socket.inet_aton(probe.getsockname()[0])
        except OSError:
            return b"\x7f\0\0\1"
