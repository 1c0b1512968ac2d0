"""The door: who connects to this controller is asked for a certificate before anything that it sends is looked at.

Everybody who connects has a thread of its own until it is known, for no longer than the handshake may take, so that
nobody waits for a stranger who says nothing. There are few of those threads: when more come, whoever has been waiting
longest from the address that most of them come from has to go. A stranger costs no memory: not a byte of a frame is
read before its certificate has been checked, and then one small frame. What does not fit is closed without a word, and
told in the log once a minute.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable

import actors.net.peers.wire as wire
from actors.net.peers.frames import OLDEST, VERSION, FrameError, Hello, Lane, Welcome
from actors.net.peers.identity import Stranger
from actors.net.peers.link import Own

MOST_STRANGERS = 32
BACKLOG = 128
ACCEPT_AGAIN_S = 0.1

Admit = Callable[[ssl.SSLSocket, str, Lane], None]


class Door:
    """A listening socket and those who have not shown yet who they are."""

    def __init__(self, own: Own, host: str, port: int, members: Callable[[], frozenset[str]], admit: Admit) -> None:
        """`admit` is called for everybody who is let in, in a thread that is its own. Raises OSError."""
        self._own = own
        self._members = members
        self._admit = admit
        self._strangers: dict[socket.socket, str] = {}
        self._guard = threading.Lock()
        self._closed = False
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._thread = threading.Thread(target=self._run, name="flurm-peer-door", daemon=True)

    def start(self) -> None:
        """Begin to let members in."""
        self._thread.start()

    def close(self) -> None:
        """Let nobody in any more."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(2 * wire.HANDSHAKE_S)
        self._socket.close()
        with self._guard:
            for stranger in self._strangers:
                _hang_up(stranger)

    def _run(self) -> None:
        while not self._closed:
            try:
                plain, (host, *_) = self._socket.accept()
            except OSError as error:
                if not self._closed:
                    self._own.complaints.tell("peer not accepted", str(error), reason=str(error))
                    time.sleep(ACCEPT_AGAIN_S)  # no descriptor is free: nothing to wait for
                continue
            with self._guard:
                self._make_room()
                self._strangers[plain] = host
            self._receive(plain, host)

    def _receive(self, plain: socket.socket, host: str) -> None:
        try:
            threading.Thread(target=self._meet, args=(plain, host), name="flurm-peer-in", daemon=True).start()
        except RuntimeError as error:  # the system has no thread left
            self._forget(plain)
            plain.close()
            self._own.complaints.tell("peer not accepted", str(error), reason=str(error))

    def _make_room(self) -> None:
        if len(self._strangers) < MOST_STRANGERS:
            return
        ((crowd, _),) = Counter(self._strangers.values()).most_common(1)
        oldest = next(plain for plain, host in self._strangers.items() if host == crowd)
        del self._strangers[oldest]
        _hang_up(oldest)

    def _meet(self, plain: socket.socket, host: str) -> None:
        """From the first byte to the last of one connection."""
        deadline_s = time.monotonic() + wire.HANDSHAKE_S
        try:
            with plain:
                tls, name, lane = self._shake(plain, deadline_s)
            self._forget(plain)
            self._admit(tls, name, lane)
        except (OSError, FrameError, Stranger, ValueError) as error:
            if not self._closed:
                reason = f"{type(error).__name__}: {error}"
                self._own.complaints.tell("peer refused", host, reason, address=host, reason=reason)
        finally:
            self._forget(plain)

    def _forget(self, plain: socket.socket) -> None:
        with self._guard:
            self._strangers.pop(plain, None)

    def _shake(self, plain: socket.socket, deadline_s: float) -> tuple[ssl.SSLSocket, str, Lane]:
        """The connection, and who it is from and for what. Raises OSError, FrameError, Stranger."""
        plain.settimeout(wire.left_s(deadline_s))
        # A duplicate, so that `plain` can be shut down from another thread without touching the TLS library's state.
        tls = self._own.tls.contexts().server.wrap_socket(
            plain.dup(), server_side=True, do_handshake_on_connect=False
        )  # fmt: skip
        try:
            tls.settimeout(wire.left_s(deadline_s))
            tls.do_handshake()
            name, _ = self._own.tls.other_side(tls)
            hello = wire.read_frame(tls, deadline_s)
            version = self._checked(hello, name)
            assert isinstance(hello, Hello)
            wire.tune(tls, hello.lane)
            wire.write_frame(tls, Welcome(version, self._own.tls.member), deadline_s)
        except BaseException:
            tls.close()
            raise
        return tls, name, hello.lane

    def _checked(self, hello: object, name: str) -> int:
        """The version to speak. Raises Stranger, FrameError."""
        if not isinstance(hello, Hello):
            raise FrameError(f"expected Hello, came {type(hello).__name__}")
        if hello.cluster != self._own.tls.cluster:
            raise Stranger(f"it is of cluster {hello.cluster!r}, this is {self._own.tls.cluster!r}")
        if hello.sender != name:
            raise Stranger(f"it calls itself {hello.sender!r}, its certificate is of {name!r}")
        if hello.receiver != self._own.tls.member:
            raise Stranger(f"it wants {hello.receiver!r}, this is {self._own.tls.member!r}")
        if name not in self._members():
            raise Stranger(f"{name!r} is not a member")
        if hello.oldest > VERSION or hello.newest < OLDEST:
            raise Stranger(f"it speaks {hello.oldest} to {hello.newest}, this {OLDEST} to {VERSION}")
        return min(hello.newest, VERSION)


def _hang_up(plain: socket.socket) -> None:
    with contextlib.suppress(OSError):
        plain.shutdown(socket.SHUT_RDWR)
