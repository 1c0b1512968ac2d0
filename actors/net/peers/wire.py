"""What both ends of a connection do alike: limits of each lane, settings of the socket, frames of the handshake."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

import msgspec

from actors.net.peers.connection import Pace
from actors.net.peers.frames import HEADER, HELLO_BYTES, Frame, FrameError, Lane, Reader, encode

CONNECT_S = 0.5
HANDSHAKE_S = 2.0
BULK_BYTES_S = 64 << 20
"""Snapshots leave room on the network for everything else."""

_SO_MAX_PACING_RATE = 47
_IPTOS_LOWDELAY, _IPTOS_THROUGHPUT = 0x10, 0x08


class Limits(msgspec.Struct, frozen=True):
    """Of one lane: what may wait, how soon the other side is taken for gone, whether senders write themselves."""

    most: int
    most_bytes: int
    pace: Pace
    is_urgent: bool


LIMITS = {
    Lane.RAFT: Limits(4096, 32 << 20, Pace(0.4, 1.5), is_urgent=True),
    Lane.BULK: Limits(64, 32 << 20, Pace(1.0, 5.0), is_urgent=False),
    Lane.CALL: Limits(8192, 64 << 20, Pace(1.0, 5.0), is_urgent=True),
}


def tune(plain: socket.socket, lane: Lane) -> None:
    """Send at once, give up on a link that acknowledges nothing, and keep snapshots from crowding out the rest."""
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    silence_ms = int(LIMITS[lane].pace.silence_s * 1000)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silence_ms)
    if plain.family == socket.AF_INET:
        tos = _IPTOS_THROUGHPUT if lane is Lane.BULK else _IPTOS_LOWDELAY
        plain.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    if lane is Lane.BULK:
        with contextlib.suppress(OSError):  # a kernel that cannot pace sends as fast as the network takes it
            plain.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, BULK_BYTES_S)


def left_s(deadline_s: float) -> float:
    """Seconds until a deadline. Raises TimeoutError when there are none."""
    left = deadline_s - time.monotonic()
    if left <= 0:
        raise TimeoutError("the handshake took too long")
    return left


def write_frame(tls: ssl.SSLSocket, frame: Frame, deadline_s: float) -> None:
    """Send one frame. Raises OSError."""
    tls.settimeout(left_s(deadline_s))
    tls.sendall(encode(frame))


def read_frame(tls: ssl.SSLSocket, deadline_s: float) -> Frame:
    """Receive one small frame, and not a byte of what follows. Raises OSError, FrameError."""
    reader = Reader(HELLO_BYTES)
    header = _read(tls, HEADER, deadline_s)
    reader.feed(header)
    (frame,) = reader.feed(_read(tls, int.from_bytes(header, "big"), deadline_s))
    return frame


def _read(tls: ssl.SSLSocket, size: int, deadline_s: float) -> bytes:
    data = b""
    while len(data) < size:
        tls.settimeout(left_s(deadline_s))
        part = tls.recv(size - len(data))
        if not part:
            raise FrameError("closed during the handshake; the other side's log says why")
        data += part
    return data
