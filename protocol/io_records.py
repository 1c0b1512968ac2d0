"""What srun and the tasks of a step exchange, as records: for tools that read recorded streams.

A step daemon connects and introduces itself by `IoInit` (with a length prefix; the version in it is that of its own
layout). Everything after, both ways, are `IoPacket`s: ten bytes of header, then the data; length 0 ends a stream.
"""

from __future__ import annotations

from enum import IntEnum

from protocol.schema import Field, Record, mem, rest, string, u16, u32
from protocol.versions import Version

__all__ = ["IO_HEADER_SIZE", "IoInit", "IoPacket", "IoType"]

IO_HEADER_SIZE = 10


class IoType(IntEnum):
    """Which stream a packet belongs to; ALLSTDIN goes to every task."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ALLSTDIN = 3
    CONNECTION_TEST = 4


class IoInit(Record):
    """First message of a step daemon to srun; `io_key` is the signature of the launch credential."""

    version: int = 0
    node_index: int = 0
    stdout_objs: int = 0
    stderr_objs: int = 0
    io_key: bytes | str | None = None

    WIRE = (
        Field("version", u16, means=Version),
        Field("node_index", u32),
        Field("stdout_objs", u32),
        Field("stderr_objs", u32),
        Field("io_key", mem, until="23.02"),
        Field("io_key", string, since="23.11"),
    )


class IoPacket(Record):
    """A piece of a stream; `gtaskid` and `ltaskid` number its task in the step and on its node."""

    type: int = 0
    gtaskid: int = 0
    ltaskid: int = 0
    length: int = 0
    data: bytes = b""

    WIRE = (
        Field("type", u16, means=IoType),
        Field("gtaskid", u16),
        Field("ltaskid", u16),
        Field("length", u32, unit="bytes"),
        Field("data", rest),
    )
