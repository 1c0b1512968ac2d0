"""What node and controller say to each other over TLS: one line of JSON each, the node first."""

from __future__ import annotations

import ssl

import msgspec

LONGEST = 64 * 1024


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Give me the key. `attempt` is the node's own number of this wish: asked again with it, it is counted once."""

    token: str
    node: str
    attempt: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The MUNGE key, or why not; with `again` another controller may know better, or the same one soon."""

    munge_key: bytes = b""
    error: str = ""
    again: bool = False


class TooLong(Exception):
    """The other side sends more than a line of what may be."""


def send(connection: ssl.SSLSocket, message: Join | Answer) -> None:
    """Send a line. Raises OSError."""
    connection.sendall(msgspec.json.encode(message) + b"\n")


def receive(connection: ssl.SSLSocket) -> bytes:
    """A line without its end; empty where the other side closes first. Raises OSError, TooLong."""
    data = b""
    while not data.endswith(b"\n"):
        if len(data) > LONGEST:
            raise TooLong(f"more than {LONGEST} bytes")
        more = connection.recv(16_384)
        if not more:
            return b""
        data += more
    return data[:-1]
