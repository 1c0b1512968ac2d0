"""The kinds of messages that recordings hold, each with a reader and a writer: what `flurm wire` works with.

    rpc       an ordinary frame (`protocol.frame`)
    dbd_init  the opening of a connection to the accounting daemon: u16 number, then an ordinary frame
    persist   a message on a persistent connection: u16 number, body
    io_init   a step daemon introduces itself to srun (`protocol.stdio`)
    io        a piece of a task's stdin, stdout or stderr
    stream    bytes that nobody took apart

Messages inside messages (a controller's backlog, what a step manager passes on) are read and written too. All but io
and stream stand with their u32 length prefix. `read` gives a `Message`; when it cannot, it raises `Fault`,
which knows the offset from the first byte of the recording and what had been read so far. `check` writes the message
again and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

import msgspec

from protocol import versions
from protocol.codec import decode_body, encode_body, message_name, unpack
from protocol.compiler import compiled, locate
from protocol.constants import MessageType
from protocol.errors import DecodeError, ProtocolError
from protocol.frame import Frame, decode_frame, encode_frame
from protocol.io_records import IO_HEADER_SIZE, IoPacket, packet_name
from protocol.messages import DbdMessages, DbdRelay
from protocol.nested import pack_messages, relay, relayed, unpack_messages
from protocol.schema import BODIES, Record
from protocol.stdio import IoInit, Packet, PacketType, decode_packet, encode_init, encode_packet

__all__ = [
    "INIT_NUMBERS",
    "KINDS",
    "Check",
    "Fault",
    "Kind",
    "Message",
    "Unreadable",
    "check",
    "guess_kind",
    "read",
    "write",
]

_U16 = Struct(">H")
_TYPE = Struct(">HHH")
_U32 = Struct(">I")
_PREFIX = 4
_NUMBER = 2
_RECOGNISED = range(versions.OLDEST - 0x200, versions.NEWEST + 0x1000, 0x100)
INIT_NUMBERS = (MessageType.REQUEST_PERSIST_INIT, MessageType.REQUEST_PERSIST_INIT_TLS)


class Message(msgspec.Struct):
    """One message taken apart. `frame` is there where it has a header; `lead` are bytes in front of the frame or the
    body; `body_offset` counts from the first recorded byte."""

    kind: str
    version: int
    number: int | None = None
    name: str = ""
    frame: Frame | None = None
    record: Record | None = None
    body: bytes = b""
    body_offset: int = 0
    lead: bytes = b""


class Fault(ProtocolError):
    """A message that cannot be read. `offset` counts from the first recorded byte; `message` is what was understood."""

    def __init__(self, error: DecodeError, offset: int | None, message: Message) -> None:
        self.error, self.offset, self.message = error, offset, message
        self.field = error.field
        where = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{error.message}{'.' if error.field else ''}{error.field}{where}: {error.reason}")


class Unreadable(ProtocolError):
    """Nothing here knows how to read this kind, version or message: neither right nor wrong."""


class Kind(NamedTuple):
    """How messages of a kind are read (bytes, version or None) and written."""

    read: Callable[[bytes, int | None], Message]
    write: Callable[[Message], bytes]


class Check(msgspec.Struct, frozen=True):
    """The verdict on one message: "exact", "differs", "failed" or "unchecked"; where and why, when it is not exact."""

    verdict: str
    name: str
    version: int
    offset: int | None = None
    field: str = ""
    reason: str = ""


def read(kind: str, data: bytes, version: int | None = None) -> Message:
    """The message in `data`, which is exactly one. Raises Fault, or Unreadable for a kind without a reader.

    `version` is needed where the bytes do not say it: on persistent connections.
    """
    if kind not in KINDS:
        raise Unreadable(f"no reader for messages of kind {kind!r}")
    return KINDS[kind].read(data, version)


def write(message: Message) -> bytes:
    """The bytes of a message, length prefix and all. Raises EncodeError."""
    return KINDS[message.kind].write(message)


def check(kind: str, data: bytes, version: int | None = None) -> Check:
    """Whether reading and writing gives the same bytes. Raises nothing: what goes wrong is the verdict."""
    try:
        message = read(kind, data, version)
    except Unreadable as error:
        return Check("unchecked", kind, version or 0, reason=str(error))
    except Fault as fault:
        found = fault.message
        return Check("failed", found.name or kind, found.version, fault.offset, fault.field, str(fault))
    try:
        again = write(message)
    except ProtocolError as error:
        return Check("failed", message.name, message.version, reason=f"cannot be written: {error}")
    if again == data:
        return Check("exact", message.name, message.version)
    offset = next((at for at, pair in enumerate(zip(again, data, strict=False)) if pair[0] != pair[1]), None)
    offset = min(len(again), len(data)) if offset is None else offset
    field = _field_at(message, data, offset)
    reason = f"recorded {data[offset : offset + 4].hex() or 'nothing'}, written {again[offset : offset + 4].hex()}"
    return Check("differs", message.name, message.version, offset, field, reason)


def guess_kind(data: bytes) -> str:
    """The kind of a message that stands with its length prefix, from its first bytes; "unknown" for anything else."""
    if len(data) < _PREFIX + _NUMBER:
        return "unknown"
    (first,) = _U16.unpack_from(data, _PREFIX)
    if first in _RECOGNISED:
        return "rpc"
    (second,) = _U16.unpack_from(data, _PREFIX + _NUMBER) if len(data) >= _PREFIX + 2 * _NUMBER else (0,)
    if first in INIT_NUMBERS and second in _RECOGNISED:
        return "dbd_init"
    return "persist" if first in BODIES or message_name(first) != str(first) else "unknown"


def _read_rpc(data: bytes, version: int | None) -> Message:
    return _read_frame(Message("rpc", version or 0), data, _PREFIX)


def _read_init(data: bytes, version: int | None) -> Message:
    message = Message("dbd_init", version or 0, lead=data[_PREFIX : _PREFIX + _NUMBER])
    return _read_frame(message, data, _PREFIX + _NUMBER)


def _read_frame(message: Message, data: bytes, start: int) -> Message:
    if len(data) >= start + _TYPE.size:
        message.version, _, message.number = _TYPE.unpack_from(data, start)
        message.name = message_name(message.number, message.version)
    wrong_length: Fault | None = None
    try:
        frame = decode_frame(data[start:])
    except DecodeError as error:
        wrong_length = Fault(error, None if error.offset is None else start + error.offset, message)
        if error.field != "body_length":
            raise wrong_length from error
        frame = _with_true_length(data[start:], error.offset or 0)
    message.frame, message.version, message.number = frame, frame.version, frame.msg_type
    message.name, message.body = message_name(frame.msg_type, frame.version), frame.body
    message.body_offset = len(data) - len(frame.body)
    if not versions.is_supported(frame.version):
        raise Unreadable(f"version {versions.name(frame.version)} is recognised, not read")
    _read_body(message)
    if wrong_length is not None:
        raise wrong_length
    _check_length(message, data)
    return message


def _read_io_init(data: bytes, version: int | None) -> Message:
    message = Message("io_init", version or 0, name="IO_INIT", body=data[_PREFIX:], body_offset=_PREFIX)
    _check_length(message, data)
    if len(message.body) >= _U16.size:
        (message.version,) = _U16.unpack_from(message.body)
    if not versions.is_supported(message.version):
        raise Unreadable(f"version {versions.name(message.version)} is not read")
    return _read_record(message, IoInit)


def _read_io(data: bytes, version: int | None) -> Message:
    message = Message("io", version or versions.OLDEST, name="IO", body=data)
    _read_record(message, IoPacket)
    packet = message.record
    assert isinstance(packet, IoPacket)
    if packet.type in set(PacketType):
        message.name = packet_name(packet.type)
    if packet.length != len(packet.data):
        reason = f"{packet.length} bytes announced, {len(packet.data)} there"
        raise Fault(DecodeError("io", "length", IO_HEADER_SIZE - 4, reason), IO_HEADER_SIZE - 4, message)
    try:
        decode_packet(data)
    except DecodeError as error:
        raise Fault(error, error.offset, message) from error
    return message


def _read_record(message: Message, record: type[Record]) -> Message:
    try:
        message.record = unpack(record, message.body, message.version)
    except DecodeError as error:
        offset = None if error.offset is None else message.body_offset + error.offset
        raise Fault(error, offset, message) from error
    return message


def _with_true_length(data: bytes, body_start: int) -> Frame:
    """The frame with the body that is there, whatever length its header says: to show what can be shown."""
    at = 6 if _U16.unpack_from(data)[0] >= versions.OLDEST else 8
    return decode_frame(data[:at] + _U32.pack(len(data) - body_start) + data[at + 4 :])


def _read_persist(data: bytes, version: int | None) -> Message:
    message = Message("persist", version or 0)
    if len(data) < _PREFIX + _NUMBER:
        raise Fault(DecodeError("persist", "number", 0, "a message without a number"), len(data), message)
    (message.number,) = _U16.unpack_from(data, _PREFIX)
    message.name = message_name(message.number, message.version)
    message.body, message.body_offset = data[_PREFIX + _NUMBER :], _PREFIX + _NUMBER
    if version is None:
        raise Unreadable("nothing tells the version of this persistent connection")
    _read_body(message)
    _check_length(message, data)
    return message


def _read_body(message: Message) -> None:
    assert message.number is not None
    if message.number not in BODIES:
        raise Unreadable(f"{message.name} has no layout here")
    try:
        message.record = decode_body(message.number, message.body, message.version)
        _with_inner_written(message)
    except DecodeError as error:
        offset = None if error.offset is None else message.body_offset + error.offset
        raise Fault(error, offset, message) from error


def _check_length(message: Message, data: bytes) -> None:
    announced = _U32.unpack_from(data)[0] if len(data) >= _PREFIX else None
    if announced != len(data) - _PREFIX:
        reason = f"{announced} bytes announced, {max(len(data) - _PREFIX, 0)} there"
        raise Fault(DecodeError("frame", "length", 0, reason), 0, message)


def _with_inner_written(message: Message) -> Record | None:
    """The record, with the messages inside it read and written again. Raises DecodeError."""
    record, version = message.record, message.version
    if isinstance(record, DbdMessages) and record.items is not None:
        return pack_messages(unpack_messages(record, version), version)
    if isinstance(record, DbdRelay):
        again = relay(relayed(record, version), version).data
        return DbdRelay(record.msg_type, again + record.data[len(again) :])
    return record


def _write_frame(message: Message) -> bytes:
    assert message.frame is not None
    body = encode_body(message.frame.msg_type, _with_inner_written(message), message.version)
    frame = encode_frame(msgspec.structs.replace(message.frame, body=body))
    if not message.lead:
        return frame
    return _U32.pack(len(frame) - _PREFIX + len(message.lead)) + message.lead + frame[_PREFIX:]


def _write_persist(message: Message) -> bytes:
    assert message.number is not None
    body = encode_body(message.number, _with_inner_written(message), message.version)
    return _U32.pack(len(body) + _NUMBER) + _U16.pack(message.number) + body


def _write_io_init(message: Message) -> bytes:
    assert isinstance(message.record, IoInit)
    return encode_init(message.record)


def _write_io(message: Message) -> bytes:
    packet = message.record
    assert isinstance(packet, IoPacket)
    return encode_packet(Packet(packet.type, packet.gtaskid, packet.ltaskid, packet.data))


def _field_at(message: Message, data: bytes, offset: int) -> str:
    """The field that the byte at `offset` belongs to: the one at which a body that ends there cannot be read."""
    record = None if message.record is None else type(message.record)
    if offset < message.body_offset:
        return "header"
    if record is None or offset >= len(data):
        return ""
    short = _Short(data[message.body_offset : offset])
    try:
        compiled(record, message.version).unpack(short, 0)
    except Exception as error:
        short.pretended = None
        return locate(error)[0]
    return ""


class _Short(bytes):
    """Data that ends too early and pretends to go on, so that no count is refused before its elements are read."""

    pretended: int | None = 1 << 40

    def __len__(self) -> int:
        return super().__len__() if self.pretended is None else self.pretended


KINDS: dict[str, Kind] = {
    "rpc": Kind(_read_rpc, _write_frame),
    "dbd_init": Kind(_read_init, _write_frame),
    "persist": Kind(_read_persist, _write_persist),
    "io_init": Kind(_read_io_init, _write_io_init),
    "io": Kind(_read_io, _write_io),
}
"""Readers and writers by kind."""
