"""Messages inside messages: what a controller saved up for the accounting daemon, and what a step manager passes on.

A controller that could not reach the accounting daemon delivers its backlog in DBD_SEND_MULT_MSG; each element is a
whole message, `u16 number | body`. DBD_GOT_MULT_MSG brings as many answers in the same form. (A backlog of jobs that
started is DBD_SEND_MULT_JOB_START, a plain list of records.) A step manager, which has no connection to the accounting
daemon, hands its message to the controller in REQUEST_DBD_RELAY, followed by whatever else was in its buffer.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

import msgspec

from protocol.codec import decode_body, decode_body_at, encode_body, message_name
from protocol.constants import DbdMessageType, MessageType
from protocol.errors import DecodeError
from protocol.messages import DbdMessages, DbdRelay
from protocol.schema import Record

__all__ = ["Message", "pack_messages", "relay", "relayed", "unpack_messages"]

_U16 = Struct(">H")
_PLURAL = frozenset({DbdMessageType.DBD_SEND_MULT_MSG, DbdMessageType.DBD_GOT_MULT_MSG})
_NUMBERS = (frozenset(map(int, DbdMessageType)) | {int(MessageType.PERSIST_RC)}) - _PLURAL


class Message(msgspec.Struct, frozen=True):
    """Number and body of one accounting message."""

    number: int
    record: Record | None = None


def unpack_messages(messages: DbdMessages, version: int) -> list[Message]:
    """The messages of DBD_SEND_MULT_MSG or DBD_GOT_MULT_MSG. Raises DecodeError; lists in lists are refused."""
    found = []
    for index, item in enumerate(messages.items or ()):
        where = f"items[{index}]"
        try:
            found.append(_unpack(item, version))
        except DecodeError as error:
            field = ".".join(filter(None, (where, error.message, error.field)))
            raise DecodeError("DBD_SEND_MULT_MSG", field, error.offset, error.reason) from error
    return found


def pack_messages(messages: Iterable[Message], version: int) -> DbdMessages:
    """The body that carries `messages`. Raises EncodeError."""
    return DbdMessages(items=[_pack(message, version) for message in messages])


def relayed(relay: DbdRelay, version: int) -> Message:
    """The message that REQUEST_DBD_RELAY passes on; what lies behind it is dropped. Raises DecodeError."""
    try:
        number = _number(relay.data)
    except DecodeError as error:
        raise DecodeError("REQUEST_DBD_RELAY", "data", 2, error.reason) from error
    if number != relay.msg_type:
        reason = f"{message_name(number)} inside, {message_name(relay.msg_type)} announced"
        raise DecodeError("REQUEST_DBD_RELAY", "data", 2, reason)
    return Message(number, decode_body_at(number, relay.data, _U16.size, version)[0])


def relay(message: Message, version: int) -> DbdRelay:
    """The body that asks the controller to pass `message` on. Raises EncodeError."""
    return DbdRelay(message.number, _pack(message, version))


def _unpack(item: bytes, version: int) -> Message:
    number = _number(item)
    return Message(number, decode_body(number, item[_U16.size :], version))


def _number(item: bytes) -> int:
    if len(item) < _U16.size:
        raise DecodeError("", "number", 0, "a message without a number")
    number: int = _U16.unpack_from(item)[0]
    if number not in _NUMBERS:
        raise DecodeError("", "number", 0, f"{message_name(number)} cannot be inside another message")
    return number


def _pack(message: Message, version: int) -> bytes:
    return _U16.pack(message.number) + encode_body(message.number, message.record, version)
