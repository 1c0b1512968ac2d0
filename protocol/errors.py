"""What can be wrong with bytes and records: DecodeError is their fault, EncodeError is ours.

`Errno` (in `protocol.errno`) holds the numbers that answers carry; both are offered here.
"""

from __future__ import annotations

from protocol.errno import Errno, errno_text

__all__ = ["DecodeError", "EncodeError", "Errno", "ProtocolError", "errno_text"]


class ProtocolError(Exception):
    """Base of everything that this package raises on purpose."""


class DecodeError(ProtocolError):
    """Bytes that are not what they should be. `field` is a dotted path, `offset` counts from the start of the body."""

    def __init__(self, message: str, field: str = "", offset: int | None = None, reason: str = "") -> None:
        self.message, self.field, self.offset, self.reason = message, field, offset, reason
        where = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{message}{'.' if field else ''}{field}{where}: {reason or 'malformed'}")


class EncodeError(ProtocolError):
    """A record that cannot be written: a value out of range, a missing field, a wrong type."""

    def __init__(self, message: str, field: str = "", reason: str = "") -> None:
        self.message, self.field, self.reason = message, field, reason
        super().__init__(f"{message}{'.' if field else ''}{field}: {reason or 'cannot be written'}")
