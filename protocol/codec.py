"""Bodies: from message number, version and record to bytes, and back.

What arrives is never trusted: anything that is not a complete, well-formed body raises DecodeError with the message's
name, the path of the field and its offset; no other exception leaves this module. A body that goes on behind its layout
is refused unless the caller tolerates it, as Slurm's daemons do with requests.
"""

from __future__ import annotations

from struct import error as StructError
from typing import TypeVar

import protocol.messages  # noqa: F401  (registers every body)
from protocol import versions
from protocol.compiler import Codec, compiled, locate
from protocol.constants import MESSAGE_BOUNDS, DbdMessageType, MessageType
from protocol.errors import DecodeError, EncodeError
from protocol.message_types import FORMER_NAMES
from protocol.schema import BODIES, Record

__all__ = ["body_class", "decode_body", "decode_body_at", "encode_body", "message_name", "pack", "unpack", "unpack_at"]

_R = TypeVar("_R", bound=Record)
_NAMES: dict[int, str] = {int(number): number.name for enum in (DbdMessageType, MessageType) for number in enum}
_DECODING = (StructError, ValueError, IndexError, TypeError, OverflowError, MemoryError, RecursionError)
_ENCODING = (StructError, ValueError, AttributeError, TypeError, OverflowError)


def message_name(msg_type: int, version: int = versions.NEWEST) -> str:
    """Slurm's name of a message number in `version`, or the number as text."""
    former = FORMER_NAMES.get(msg_type)
    if former is not None and version <= former[0]:
        return former[1]
    return _NAMES.get(msg_type) or str(int(msg_type))


def body_class(msg_type: int) -> type[Record] | None:
    """The class of a message's body, None where it is empty. Raises KeyError for a number without a layout."""
    return BODIES[msg_type]


def encode_body(msg_type: int, record: Record | None, version: int) -> bytes:
    """The body of a message in `version`. Raises EncodeError."""
    expected = _body_class(msg_type, version, EncodeError)
    if expected is None:
        if record is not None:
            raise EncodeError(message_name(msg_type), reason="has an empty body")
        return b""
    if not isinstance(record, expected):
        reason = f"takes a {expected.__name__}, not a {type(record).__name__}"
        raise EncodeError(message_name(msg_type), reason=reason)
    return _pack(message_name(msg_type), record, version)


def decode_body(msg_type: int, data: bytes | memoryview, version: int, *, trailing: bool = False) -> Record | None:
    """The record of a body, None where it is empty. `trailing` tolerates bytes behind the layout. Raises
    DecodeError."""
    record, end = decode_body_at(msg_type, data, 0, version)
    if end != len(data) and not trailing:
        reason = f"{len(data) - end} bytes behind the layout of {versions.name(version)}"
        raise DecodeError(message_name(msg_type), "", end, reason)
    return record


def decode_body_at(msg_type: int, data: bytes | memoryview, offset: int, version: int) -> tuple[Record | None, int]:
    """The record that starts at `offset` and the offset behind it. Raises DecodeError."""
    expected = _body_class(msg_type, version, DecodeError)
    if expected is None:
        return None, offset
    return _unpack(message_name(msg_type), expected, bytes(data), offset, version)


def pack(record: Record, version: int) -> bytes:
    """One record alone, e.g. a job as it stands in a list. Raises EncodeError."""
    if not versions.is_supported(version):
        raise EncodeError(type(record).__name__, reason=f"unknown protocol version {versions.name(version)}")
    return _pack(type(record).__name__, record, version)


def unpack(record: type[_R], data: bytes | memoryview, version: int) -> _R:
    """One record alone, which must fill `data`. Raises DecodeError."""
    if not versions.is_supported(version):
        raise DecodeError(record.__name__, reason=f"unknown protocol version {versions.name(version)}")
    value, end = _unpack(record.__name__, record, bytes(data), 0, version)
    if end != len(data):
        raise DecodeError(record.__name__, "", end, f"{len(data) - end} bytes behind the layout")
    return value


def unpack_at(record: type[_R], data: bytes, offset: int, version: int) -> tuple[_R, int]:
    """The record that starts at `offset` and the offset behind it. Raises DecodeError."""
    if not versions.is_supported(version):
        raise DecodeError(record.__name__, reason=f"unknown protocol version {versions.name(version)}")
    return _unpack(record.__name__, record, data, offset, version)


def _pack(name: str, record: Record, version: int) -> bytes:
    codec: Codec = compiled(type(record), version)
    out = bytearray()
    try:
        codec.pack(record, out)
    except _ENCODING as error:
        raise EncodeError(name, locate(error)[0], str(error)) from error
    return bytes(out)


def _unpack(name: str, record: type[_R], data: bytes, offset: int, version: int) -> tuple[_R, int]:
    codec = compiled(record, version)
    try:
        return codec.unpack(data, offset)
    except _DECODING as error:
        field, where = locate(error)
        raise DecodeError(name, field, offset if where is None else where, _reason(error)) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, StructError | IndexError):
        return "the body ends too early"
    return str(error)


def _body_class(msg_type: int, version: int, error: type[DecodeError] | type[EncodeError]) -> type[Record] | None:
    if not versions.is_supported(version):
        raise error(message_name(msg_type), reason=f"unknown protocol version {versions.name(version)}")
    if msg_type not in BODIES:
        raise error(message_name(msg_type), reason="has no layout")
    bounds = MESSAGE_BOUNDS.get(msg_type)
    if bounds is not None and not bounds[0] <= version <= bounds[1]:
        raise error(message_name(msg_type), reason=f"does not exist in {versions.name(version)}")
    return BODIES[msg_type]
