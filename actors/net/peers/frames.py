"""What travels between controllers, and how a stream of bytes becomes that.

A frame is a length of four bytes, big-endian, and so many bytes of msgpack: an array that begins with the number of its
kind. `Hello` and `Welcome` open a connection; then it carries what its lane is for, and `Alive` where there is nothing
else to say. Numbers and order of fields are the wire: a new field goes to the end with a default, a new kind takes a
new `VERSION`, and a controller speaks every version that the release before it speaks.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

import msgspec

from flurm.raft.messages import AnyMessage

OLDEST = VERSION = 1
HEADER = 4
MOST_BYTES = 20 << 20
"""No frame is longer; a snapshot comes in pieces far below this."""
HELLO_BYTES = 4096
"""No frame is longer before both sides know who the other is."""


class Lane(enum.Enum):
    """Each has a connection of its own, so that what is large never stands before what is urgent."""

    RAFT = "raft"
    BULK = "bulk"
    CALL = "call"


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """First frame of who connects: which versions it speaks, who it is, whom it wants, what the connection is for."""

    oldest: int
    newest: int
    cluster: str
    sender: str
    receiver: str
    lane: Lane


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The answer: the version that both speak, and who answers."""

    version: int
    member: str


class Alive(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Nothing to say, but there."""


class Carried(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """A message of the Raft servers."""

    message: AnyMessage


class Call(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A request; its number is unique on this connection."""

    id: int
    kind: str
    payload: bytes


class Answered(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """The answer to request `id`."""

    id: int
    payload: bytes


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """Request `id` failed; why, for people."""

    id: int
    reason: str


Frame: TypeAlias = Hello | Welcome | Alive | Carried | Call | Answered | Refused


class FrameError(Exception):
    """The other side sends what is no frame, or none that may come now."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """The bytes of a frame. Raises FrameError where it is too long."""
    body = _ENCODER.encode(frame)
    if len(body) > MOST_BYTES:
        raise FrameError(f"{len(body)} bytes, no more than {MOST_BYTES} may be in a frame")
    return len(body).to_bytes(HEADER, "big") + body


class Reader:
    """Collects bytes and gives out frames; holds no more than one frame and what came with it."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._bytes = bytearray()

    @property
    def is_inside(self) -> bool:
        """Whether a frame has begun to come."""
        return bool(self._bytes)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. Raises FrameError."""
        self._bytes += data
        found: list[Frame] = []
        at = 0
        while len(self._bytes) - at >= HEADER:
            length = int.from_bytes(self._bytes[at : at + HEADER], "big")
            if length > self.most_bytes:
                raise FrameError(f"a frame of {length} bytes, no more than {self.most_bytes} may come")
            if len(self._bytes) - at < HEADER + length:
                break
            found.append(self._decoded(at + HEADER, length))
            at += HEADER + length
        if at:
            del self._bytes[:at]
        return found

    def _decoded(self, at: int, length: int) -> Frame:
        try:
            with memoryview(self._bytes) as view, view[at : at + length] as body:
                return _DECODER.decode(body)
        except (msgspec.DecodeError, ValueError) as error:
            raise FrameError(f"not a frame: {error}") from error
