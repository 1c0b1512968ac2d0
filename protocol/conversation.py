"""Follows one connection and says what travels on it: cuts both directions into messages and tells their kinds.

The first bytes decide. An ordinary frame is one of a request and its reply; an opening (REQUEST_PERSIST_INIT) makes
everything after it `persist`; what srun's tasks send first (`io_init`) makes everything after it `io`. Bytes that fit
nothing are `stream` to the end of that direction: they are kept as they come, nothing is lost or waited for.
"""

from __future__ import annotations

from struct import Struct
from typing import Literal

import msgspec

from protocol import versions
from protocol.codec import decode_body, message_name
from protocol.constants import MAX_MESSAGE_SIZE, MessageType
from protocol.errors import DecodeError
from protocol.frame import decode_frame
from protocol.io_records import packet_name
from protocol.kinds import INIT_NUMBERS, guess_kind
from protocol.messages import PersistReply
from protocol.stdio import MAX_PAYLOAD, PacketType

__all__ = ["Conversation", "Direction", "PersistVersion", "Piece"]

Direction = Literal["c2s", "s2c"]

_U16 = Struct(">H")
_U32 = Struct(">I")
_IO = Struct(">HHHI")
_IO_INIT = Struct(">IHIIII")
_IO_NAMES = {int(one): packet_name(one) for one in PacketType}


class Piece(msgspec.Struct, frozen=True):
    """One message of a connection, or bytes of a stream; `data` with its length prefix."""

    direction: Direction
    kind: str
    data: bytes
    name: str | None = None
    number: int | None = None
    version: int | None = None


class PersistVersion:
    """The version in which a persistent connection goes on: that of the opening's header, then the one that the server
    answered. None before an opening was seen."""

    def __init__(self) -> None:
        self.version: int | None = None
        self._answered = False

    def see(self, kind: str, data: bytes) -> None:
        """Take note of a message, after its own version was asked for."""
        if kind in ("dbd_init", "rpc"):
            start = 6 if kind == "dbd_init" else 4
            if len(data) >= start + 2:
                self.version, self._answered = max(_U16.unpack_from(data, start)[0], versions.OLDEST), False
        elif kind == "persist" and not self._answered and self.version is not None:
            self._answered = True
            if len(data) >= 6 and _U16.unpack_from(data, 4)[0] == MessageType.PERSIST_RC:
                self._agree(data[6:])

    def _agree(self, body: bytes) -> None:
        assert self.version is not None
        try:
            reply = decode_body(MessageType.PERSIST_RC, body, self.version)
        except DecodeError:
            return
        if isinstance(reply, PersistReply) and not reply.rc and versions.is_supported(reply.ret_info):
            self.version = reply.ret_info


class Conversation:
    """One connection, from its first byte."""

    def __init__(self) -> None:
        self._held: dict[Direction, bytearray] = {"c2s": bytearray(), "s2c": bytearray()}
        self._raw: set[Direction] = set()
        self._mode = "frames"
        self._persist = PersistVersion()

    def feed(self, direction: Direction, data: bytes) -> list[Piece]:
        """Bytes that travelled; what is complete by now."""
        if direction in self._raw:
            return [Piece(direction, "stream", data)] if data else []
        held = self._held[direction]
        held += data
        pieces = []
        while (size := self._size(held)) is not None:
            if size < 0:
                self._raw.add(direction)
                size = len(held)
            elif len(held) < size:
                break
            piece = self._piece(direction, bytes(held[:size]))
            del held[:size]
            pieces.append(piece)
        return pieces

    def finish(self) -> list[Piece]:
        """The connection ended: what is left of incomplete messages, as streams."""
        pieces = [Piece(direction, "stream", bytes(held)) for direction, held in self._held.items() if held]
        for held in self._held.values():
            held.clear()
        return pieces

    def _size(self, held: bytearray) -> int | None:
        """Bytes of the message that begins here: None while that is unknown, negative for bytes that are no message."""
        if self._mode == "io":
            if len(held) < _IO.size:
                return None
            kind, _, _, length = _IO.unpack_from(held)
            return _IO.size + length if kind in _IO_NAMES and length <= MAX_PAYLOAD else -1
        if len(held) < 8:
            return None
        (length,) = _U32.unpack_from(held)
        if not 2 <= length <= MAX_MESSAGE_SIZE:
            return -1
        looks = guess_kind(_U32.pack(4) + bytes(held[4:8]))
        return 4 + length if looks != "unknown" else -1

    def _piece(self, direction: Direction, data: bytes) -> Piece:
        if direction in self._raw:
            return Piece(direction, "stream", data)
        if self._mode == "io":
            return Piece(direction, "io", data, _IO_NAMES[_U16.unpack_from(data)[0]], None, self._persist.version)
        kind = guess_kind(data)
        if kind == "rpc":
            return self._frame(direction, data)
        if kind == "dbd_init":
            return self._opening(direction, kind, data, *_U16.unpack_from(data, 4))
        (number,) = _U16.unpack_from(data, 4)
        version = self._persist.version
        if kind == "unknown" or version is None:
            return Piece(direction, "stream", data)
        self._persist.see("persist", data)
        return Piece(direction, "persist", data, message_name(number, version), number, version)

    def _frame(self, direction: Direction, data: bytes) -> Piece:
        (version,) = _U16.unpack_from(data, 4)
        if _is_io_init(data):
            self._mode = "io"
            self._persist.see("rpc", data)
            return Piece(direction, "io_init", data, "IO_INIT", None, version)
        try:
            frame = decode_frame(data[4:])
        except DecodeError:
            frame = None
        if frame is None or not versions.is_supported(version):
            return Piece(direction, "stream", data)
        if frame.msg_type in INIT_NUMBERS:
            return self._opening(direction, "rpc", data, frame.msg_type)
        return Piece(direction, "rpc", data, message_name(frame.msg_type), frame.msg_type, version)

    def _opening(self, direction: Direction, kind: str, data: bytes, number: int) -> Piece:
        self._persist.see(kind, data)
        return Piece(direction, kind, data, message_name(number), number, self._persist.version)


def _is_io_init(data: bytes) -> bool:
    """A frame is no io_init and the other way round: only one of them has a key that ends exactly with the data."""
    if len(data) < _IO_INIT.size:
        return False
    *_, key_length = _IO_INIT.unpack_from(data)
    if len(data) != _IO_INIT.size + key_length:
        return False
    try:
        decode_frame(data[4:])
    except DecodeError:
        return True
    return False
