"""One request, one reply: how daemons and commands call each other on the Slurm wire."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import NamedTuple

from protocol.auth import FrameSigner
from protocol.codec import decode_body
from protocol.errors import ProtocolError
from protocol.exchange import make_request
from protocol.frame import Frame, FrameReader, decode_frame
from protocol.schema import Record

DEFAULT_TIMEOUT_S = 10.0


class Unreachable(Exception):
    """The peer did not take the request or did not answer it."""


class NoAnswer(Unreachable):
    """The peer took the request and closed the connection without a byte."""


class Answer(NamedTuple):
    """A reply: its frame and its decoded body."""

    frame: Frame
    msg_type: int
    body: Record | None


def call(
    address: tuple[str, int],
    msg_type: int,
    record: Record | None,
    *,
    version: int,
    signer: FrameSigner,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    limit: int = 1 << 30,
) -> Answer:
    """Send a request and wait for its reply. Raises Unreachable when there is none, NoAnswer when the peer
    closes instead, ProtocolError when it is broken."""
    request = make_request(msg_type, record, version, signer, time.time())
    return send(address, request, timeout_s=timeout_s, limit=limit)


def send(
    address: tuple[str, int], request: bytes, *, timeout_s: float = DEFAULT_TIMEOUT_S, limit: int = 1 << 30
) -> Answer:
    """As `call`, for a request that is a complete frame already."""
    deadline_s = time.monotonic() + timeout_s
    where = f"{address[0]}:{address[1]}"
    try:
        with contextlib.closing(socket.create_connection(address, timeout=timeout_s)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request)
            data = _receive(connection, deadline_s, limit)
    except OSError as error:
        raise Unreachable(f"{where}: {error}") from error
    if data is None:
        raise NoAnswer(f"{where}: closed without an answer")
    frame = decode_frame(data)
    try:
        body = decode_body(frame.msg_type, frame.body, frame.version, trailing=True)
    except ProtocolError:
        body = None
    return Answer(frame, frame.msg_type, body)


def _receive(connection: socket.socket, deadline_s: float, limit: int) -> bytes | None:
    reader = FrameReader(limit)
    while (frame := reader.next_frame()) is None:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no answer in time")
        connection.settimeout(left_s)
        data = connection.recv(min(max(reader.missing, 65_536), 1 << 20))
        if not data:
            return None
        reader.feed(data)
    return frame
