"""The streams of a step: what srun and the step daemons of its nodes say on the I/O connections.

srun listens; the step daemon of each node connects to it, says once who it is, and then both exchange packets:

    opening    u32 length | u16 version | u32 node | u32 stdout streams | u32 stderr streams | I/O key
    packet     u16 type | u16 global task | u16 task on the node | u32 length | so many bytes, 1024 at most

The I/O key is the signature of the step's launch credential, which only srun and the node daemons have seen (memory
until 23.02, text later). The daemon sends the output of its tasks, srun their input: for one task (STDIN) or for all
(ALL_STDIN, whose task numbers are 0xffff). A packet without bytes is the end of its stream; the daemon announces by the
numbers of streams in its opening how many ends srun has to wait for. A CONNECTION_TEST carries nothing and is answered
by nothing: it shows whether the peer is still there.

`SrunStreams` and `StepStreams` are the two ends of one connection without a socket: bytes in by `receive_data`, events
out by `next_event` until it returns None, and methods that return the bytes to send. What the peer does wrong is a
DecodeError, after which the connection is of no more use; what we do wrong is a StreamError.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from enum import IntEnum
from struct import Struct

import msgspec

from protocol import versions
from protocol.codec import pack, unpack
from protocol.errors import DecodeError, EncodeError, ProtocolError
from protocol.schema import Field, Record, mem, string, u16, u32
from protocol.versions import Version

__all__ = [
    "ALL_TASKS",
    "MAX_PAYLOAD",
    "EndOfStream",
    "Input",
    "IoInit",
    "Output",
    "Packet",
    "PacketType",
    "SrunStreams",
    "StepStreams",
    "StreamError",
    "Tested",
    "decode_init",
    "decode_packet",
    "encode_init",
    "encode_packet",
]

MAX_PAYLOAD = 1024
"""Bytes that one packet carries at most."""
MAX_INIT = 1 << 16
ALL_TASKS = 0xFFFF
_LENGTH = Struct(">I")
_HEADER = Struct(">HHHI")


class PacketType(IntEnum):
    """Which stream a packet belongs to."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ALL_STDIN = 3
    CONNECTION_TEST = 4


class IoInit(Record):
    """A step daemon's opening: its node's index in the step, how many streams it will end, and the key."""

    version: int = versions.NEWEST
    nodeid: int = 0
    stdout_objs: int = 0
    stderr_objs: int = 0
    io_key: bytes | str | None = None

    WIRE = (
        Field("version", u16, means=Version),
        Field("nodeid", u32),
        Field("stdout_objs", u32),
        Field("stderr_objs", u32),
        Field("io_key", mem, until="23.02"),
        Field("io_key", string, since="23.11"),
    )


class Packet(msgspec.Struct, frozen=True):
    """One packet. `gtaskid` counts the tasks of the step, `ltaskid` those of the node; without `data` it is an end."""

    type: int
    gtaskid: int
    ltaskid: int
    data: bytes = b""


class Output(msgspec.Struct, frozen=True):
    """A task has written this (`stream` is STDOUT or STDERR)."""

    stream: PacketType
    gtaskid: int
    data: bytes


class Input(msgspec.Struct, frozen=True):
    """srun has this to read for a task, or for all (ALL_TASKS)."""

    gtaskid: int
    data: bytes


class EndOfStream(msgspec.Struct, frozen=True):
    """Nothing more comes of this stream of this task (ALL_TASKS: of every task)."""

    stream: PacketType
    gtaskid: int


class Tested(msgspec.Struct, frozen=True):
    """The peer has looked whether we are still there."""


Event = IoInit | Output | Input | EndOfStream | Tested


class StreamError(ProtocolError):
    """Our own fault: the state of the connection does not allow this."""


def encode_init(init: IoInit) -> bytes:
    """An opening with its length prefix, in the version that it names. Raises EncodeError."""
    if not versions.is_supported(init.version):
        raise EncodeError("io_init", "version", f"unknown protocol version {versions.name(init.version)}")
    body = pack(init, init.version)
    return _LENGTH.pack(len(body)) + body


def decode_init(data: bytes) -> IoInit:
    """An opening from its bytes, length prefix included. Raises DecodeError for anything that is not exactly one."""
    if len(data) < 6:
        raise DecodeError("io_init", "length", 0, f"{len(data)} bytes are too few")
    (length,) = _LENGTH.unpack_from(data)
    if length != len(data) - 4:
        raise DecodeError("io_init", "length", 0, f"{length} bytes announced, {len(data) - 4} there")
    version = int.from_bytes(data[4:6], "big")
    if not versions.is_supported(version):
        raise DecodeError("io_init", "version", 4, f"unknown protocol version {versions.name(version)}")
    return unpack(IoInit, data[4:], version)


def encode_packet(packet: Packet) -> bytes:
    """A packet's bytes. Raises EncodeError."""
    if len(packet.data) > MAX_PAYLOAD:
        raise EncodeError("io", "length", f"{len(packet.data)} bytes are more than {MAX_PAYLOAD}")
    for name in ("type", "gtaskid", "ltaskid"):
        if not 0 <= getattr(packet, name) <= 0xFFFF:
            raise EncodeError("io", name, f"{getattr(packet, name)} does not fit into 16 bits")
    return _HEADER.pack(packet.type, packet.gtaskid, packet.ltaskid, len(packet.data)) + packet.data


def decode_packet(data: bytes) -> Packet:
    """A packet from its bytes. Raises DecodeError for anything that is not exactly one."""
    if len(data) < _HEADER.size:
        raise DecodeError("io", "header", 0, f"{len(data)} bytes are less than a header")
    packet_type, gtaskid, ltaskid, length = _HEADER.unpack_from(data)
    _check_header(packet_type, length)
    if length != len(data) - _HEADER.size:
        raise DecodeError("io", "length", 6, f"{length} bytes announced, {len(data) - _HEADER.size} there")
    return Packet(packet_type, gtaskid, ltaskid, data[_HEADER.size :])


def _check_header(packet_type: int, length: int) -> None:
    if packet_type > PacketType.CONNECTION_TEST:
        raise DecodeError("io", "type", 0, f"unknown packet type {packet_type}")
    if length > MAX_PAYLOAD:
        raise DecodeError("io", "length", 6, f"{length} bytes are more than {MAX_PAYLOAD}")
    if length and packet_type == PacketType.CONNECTION_TEST:
        raise DecodeError("io", "length", 6, f"a connection test with {length} bytes")


class _Streams:
    """What both ends have in common: the bytes that are no whole packet yet, and which streams have ended."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ended: set[tuple[PacketType, int]] = set()
        self._failed = False

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer."""
        if self._failed:
            raise StreamError("this connection has failed")
        self._buffer += data

    def receive_eof(self) -> None:
        """The peer has closed. Raises DecodeError inside a packet."""
        if self._buffer:
            self._failed = True
            raise DecodeError("io", "", None, f"the connection ends inside a packet, after {len(self._buffer)} bytes")

    @property
    def pending(self) -> int:
        """Bytes held that belong to no whole packet yet."""
        return len(self._buffer)

    def test(self) -> bytes:
        """A packet that only shows whether the peer is still there."""
        return encode_packet(Packet(PacketType.CONNECTION_TEST, 0, 0))

    def _next_packet(self) -> Packet | None:
        if len(self._buffer) < _HEADER.size:
            return None
        packet_type, gtaskid, ltaskid, length = _HEADER.unpack_from(self._buffer)
        _check_header(packet_type, length)
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        packet = Packet(packet_type, gtaskid, ltaskid, bytes(self._buffer[_HEADER.size : end]))
        del self._buffer[:end]
        return packet

    def _end(self, stream: PacketType, gtaskid: int) -> None:
        if (stream, gtaskid) in self._ended:
            raise DecodeError("io", "type", 0, f"{stream.name} of task {gtaskid} has ended already")
        self._ended.add((stream, gtaskid))

    def _check_open(self, stream: PacketType, gtaskid: int) -> None:
        if (stream, gtaskid) in self._ended:
            raise DecodeError("io", "gtaskid", 2, f"bytes behind the end of {stream.name} of task {gtaskid}")


class SrunStreams(_Streams):
    """srun's end of one node's connection. `tasks` maps node index -> global numbers of the node's tasks, in order."""

    def __init__(self, io_key: bytes | str, tasks: dict[int, tuple[int, ...]]) -> None:
        super().__init__()
        self._key, self._tasks = _key_bytes(io_key), tasks
        self.init: IoInit | None = None
        """The opening, once it has come."""

    @property
    def streams_left(self) -> int:
        """Output streams of this node that have not ended; raises StreamError before the opening."""
        if self.init is None:
            raise StreamError("the node has not said yet how many streams it has")
        return self.init.stdout_objs + self.init.stderr_objs - len(self._ended)

    def next_event(self) -> Event | None:
        """The next thing that the node said: IoInit first, then Output, EndOfStream, Tested. Raises DecodeError."""
        try:
            if self.init is None:
                return self._next_init()
            packet = self._next_packet()
            return self._event(packet) if packet is not None else None
        except DecodeError:
            self._failed = True
            raise

    def send_input(self, data: bytes, gtaskid: int = ALL_TASKS) -> bytes:
        """Packets with input for one task, or for all of the node."""
        if not data:
            raise StreamError("input without bytes would be its end: see `end_input`")
        kind = self._input(gtaskid)
        parts = (data[start : start + MAX_PAYLOAD] for start in range(0, len(data), MAX_PAYLOAD))
        return b"".join(encode_packet(Packet(kind, gtaskid, ALL_TASKS, part)) for part in parts)

    def end_input(self, gtaskid: int = ALL_TASKS) -> bytes:
        """The packet that ends the input of one task, or of all of the node."""
        return encode_packet(Packet(self._input(gtaskid), gtaskid, ALL_TASKS))

    def _input(self, gtaskid: int) -> PacketType:
        if self.init is None:
            raise StreamError("the node has not introduced itself yet")
        if gtaskid == ALL_TASKS:
            return PacketType.ALL_STDIN
        if gtaskid not in self._tasks[self.init.nodeid]:
            raise StreamError(f"task {gtaskid} is not on node {self.init.nodeid}")
        return PacketType.STDIN

    def _next_init(self) -> IoInit | None:
        if len(self._buffer) < 4:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_INIT:
            raise DecodeError("io_init", "length", 0, f"{length} bytes are more than {MAX_INIT}")
        if len(self._buffer) < 4 + length:
            return None
        init = decode_init(bytes(self._buffer[: 4 + length]))
        del self._buffer[: 4 + length]
        if not hmac.compare_digest(_key_bytes(init.io_key), self._key):
            raise DecodeError("io_init", "io_key", None, "the key is not that of this step")
        if init.nodeid not in self._tasks:
            raise DecodeError("io_init", "nodeid", 6, f"the step has no node {init.nodeid}")
        most = len(self._tasks[init.nodeid])
        if init.stdout_objs > most or init.stderr_objs > most:
            raise DecodeError("io_init", "stdout_objs", 10, f"more streams than the node's {most} tasks have")
        self.init = init
        return init

    def _event(self, packet: Packet) -> Event:
        stream = PacketType(packet.type)
        if stream is PacketType.CONNECTION_TEST:
            return Tested()
        if stream not in (PacketType.STDOUT, PacketType.STDERR):
            raise DecodeError("io", "type", 0, f"a node has no {stream.name} to send")
        assert self.init is not None
        tasks = self._tasks[self.init.nodeid]
        if packet.ltaskid >= len(tasks) or tasks[packet.ltaskid] != packet.gtaskid:
            where = f"task {packet.gtaskid} as number {packet.ltaskid}"
            raise DecodeError("io", "gtaskid", 2, f"node {self.init.nodeid} has no {where}")
        if not packet.data:
            self._end(stream, packet.gtaskid)
            return EndOfStream(stream, packet.gtaskid)
        self._check_open(stream, packet.gtaskid)
        return Output(stream, packet.gtaskid, packet.data)


class StepStreams(_Streams):
    """A step daemon's end: it opens the connection, sends what `tasks` (global numbers, in order) write."""

    def __init__(self, init: IoInit, tasks: Iterable[int]) -> None:
        super().__init__()
        self.init, self._tasks = init, tuple(tasks)
        self._sent_ends: set[tuple[PacketType, int]] = set()
        self._opened = False

    def open(self) -> bytes:
        """The opening; before anything else, and once."""
        if self._opened:
            raise StreamError("the opening was sent already")
        self._opened = True
        return encode_init(self.init)

    def send_output(self, stream: PacketType, gtaskid: int, data: bytes) -> bytes:
        """Packets with what a task wrote to STDOUT or STDERR."""
        if not data:
            raise StreamError("output without bytes would be its end: see `end_output`")
        ltaskid = self._place(stream, gtaskid)
        parts = (data[start : start + MAX_PAYLOAD] for start in range(0, len(data), MAX_PAYLOAD))
        return b"".join(encode_packet(Packet(stream, gtaskid, ltaskid, part)) for part in parts)

    def end_output(self, stream: PacketType, gtaskid: int) -> bytes:
        """The packet that ends a stream of a task."""
        packet = encode_packet(Packet(stream, gtaskid, self._place(stream, gtaskid)))
        self._sent_ends.add((stream, gtaskid))
        return packet

    def next_event(self) -> Event | None:
        """The next thing that srun said: Input, EndOfStream, Tested. Raises DecodeError."""
        try:
            packet = self._next_packet()
            return self._event(packet) if packet is not None else None
        except DecodeError:
            self._failed = True
            raise

    def _place(self, stream: PacketType, gtaskid: int) -> int:
        if not self._opened:
            raise StreamError("the opening comes first")
        if stream not in (PacketType.STDOUT, PacketType.STDERR):
            raise StreamError(f"a step daemon does not send {stream.name}")
        if (stream, gtaskid) in self._sent_ends:
            raise StreamError(f"{stream.name} of task {gtaskid} has ended")
        if gtaskid not in self._tasks:
            raise StreamError(f"task {gtaskid} does not run here")
        return self._tasks.index(gtaskid)

    def _event(self, packet: Packet) -> Event:
        stream = PacketType(packet.type)
        if stream is PacketType.CONNECTION_TEST:
            return Tested()
        if stream not in (PacketType.STDIN, PacketType.ALL_STDIN):
            raise DecodeError("io", "type", 0, f"srun has no {stream.name} to send")
        gtaskid = ALL_TASKS if stream is PacketType.ALL_STDIN else packet.gtaskid
        if gtaskid != ALL_TASKS and gtaskid not in self._tasks:
            raise DecodeError("io", "gtaskid", 2, f"task {gtaskid} does not run here")
        if not packet.data:
            self._end(PacketType.STDIN, gtaskid)
            return EndOfStream(PacketType.STDIN, gtaskid)
        self._check_open(PacketType.STDIN, gtaskid)
        return Input(gtaskid, packet.data)


def _key_bytes(key: bytes | str | None) -> bytes:
    """A key as it is compared: memory may or may not end in a zero."""
    if key is None:
        return b""
    return (key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key).rstrip(b"\0")
