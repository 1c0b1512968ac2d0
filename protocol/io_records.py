"""A packet of a step's streams as a record, for tools that show what travelled; `protocol.stdio` is what speaks."""

from __future__ import annotations

from protocol.schema import Field, Record, rest, u16, u32
from protocol.stdio import PacketType

__all__ = ["IO_HEADER_SIZE", "IoPacket", "packet_name"]

IO_HEADER_SIZE = 10


class IoPacket(Record):
    """A piece of a stream; `gtaskid` and `ltaskid` number its task in the step and on its node."""

    type: int = 0
    gtaskid: int = 0
    ltaskid: int = 0
    length: int = 0
    data: bytes = b""

    WIRE = (
        Field("type", u16, means=PacketType),
        Field("gtaskid", u16),
        Field("ltaskid", u16),
        Field("length", u32, unit="bytes"),
        Field("data", rest),
    )


def packet_name(number: int) -> str:
    """What recordings call a packet of this type."""
    return f"IO_{PacketType(number).name.replace('ALL_', 'ALL')}"
