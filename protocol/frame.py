"""Frames: `u32 length | header | auth section | body`, taken apart and put together.

A connection carries one request and one reply, each one frame. `FrameReader` cuts a byte stream into frames and refuses
lengths above its limit before anything is stored. `decode_frame` reads header and auth section and leaves the body as
bytes: whoever serves the message checks the credential (`protocol.auth`) before it looks inside (`protocol.codec`).

The header names further nodes in `forward` (the receiver passes header, credential and body on) and brings their
answers in `ret_list`. Versions below 22.05 have the same header with one more u16 behind the flags; such a frame can
be read as far as its body.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from struct import error as StructError

import msgspec

from protocol import versions
from protocol.codec import decode_body_at, encode_body
from protocol.constants import (
    AUTH_PLUGIN_JWT,
    AUTH_PLUGIN_MUNGE,
    AUTH_PLUGIN_NONE,
    AUTH_PLUGIN_SLURM,
    MAX_MESSAGE_SIZE,
    HeaderFlag,
)
from protocol.errors import DecodeError, EncodeError
from protocol.schema import Record
from protocol.versions import Version
from protocol.wire import Address, read_address, write_address

__all__ = ["AuthSection", "Forward", "Frame", "FrameReader", "RetItem", "decode_frame", "encode_frame", "frame_parts"]

_LENGTH = Struct(">I")
_HEADER = Struct(">HHHIH")
_OLD_HEADER = Struct(">HHHHIH")
_FORWARD = Struct(">IH")
_RET = Struct(">IH")
_U16 = Struct(">H")
_U32 = Struct(">I")
_TWO_IDS = Struct(">II")
_NO_AUTH = int(HeaderFlag.NO_AUTH_CRED)
_ADDRS = int(HeaderFlag.PACK_ADDRS)


class Forward(msgspec.Struct):
    """To which further nodes the receiver passes the message on, and how long it waits for them."""

    nodes: str | None = None
    timeout_ms: int = 0
    tree_width: int = 0
    net_cred: str | None = None
    tree_depth: int = 0
    count: int = 0


class RetItem(msgspec.Struct):
    """Answer of one node that a message was forwarded to."""

    node_name: str | None = None
    msg_type: int = 0
    error: int = 0
    body: Record | None = None


class AuthSection(msgspec.Struct):
    """The credential of a frame as it travels; `token` is the MUNGE text or the token, by plugin."""

    plugin_id: int = AUTH_PLUGIN_MUNGE
    token: str | None = None
    user_name: str | None = None
    uid: int = 0
    gid: int = 0
    hostname: str | None = None


class Frame(msgspec.Struct):
    """One message as it stands on the wire, body undecoded."""

    msg_type: int
    version: int = versions.NEWEST
    flags: int = 0
    body: bytes = b""
    auth: AuthSection | None = None
    forward: Forward | None = None
    ret_list: list[RetItem] = []
    orig_addr: Address = Address()


class FrameReader:
    """Cuts a stream into frames: feed it what arrives, take what is complete.

    Holds at most one incomplete frame. `limit` is the largest length accepted (Slurm's own limit is 1 GiB).
    """

    def __init__(self, limit: int = MAX_MESSAGE_SIZE) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes from the stream. Raises DecodeError as soon as a length is above the limit."""
        self._buffer += data
        self._check()

    def __iter__(self) -> Iterator[bytes]:
        """The complete frames, without their length prefix."""
        while (frame := self.next_frame()) is not None:
            yield frame

    def next_frame(self) -> bytes | None:
        """The next complete frame without its length prefix, None when there is none yet."""
        if len(self._buffer) < 4:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if len(self._buffer) < 4 + length:
            return None
        with memoryview(self._buffer) as view:
            frame = bytes(view[4 : 4 + length])
        del self._buffer[: 4 + length]
        self._check()
        return frame

    @property
    def missing(self) -> int:
        """Bytes that the frame in progress still needs; 4 or fewer while its length is unknown."""
        if len(self._buffer) < 4:
            return 4 - len(self._buffer)
        (length,) = _LENGTH.unpack_from(self._buffer)
        return max(4 + length - len(self._buffer), 0)

    @property
    def pending(self) -> int:
        """Bytes held that belong to no complete frame yet."""
        return len(self._buffer)

    def _check(self) -> None:
        if len(self._buffer) >= 4:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self.limit:
                raise DecodeError("frame", "length", 0, f"{length} bytes are more than the limit of {self.limit}")


def encode_frame(frame: Frame) -> bytes:
    """The frame with its length prefix. Raises EncodeError."""
    return b"".join(frame_parts(frame))


def frame_parts(frame: Frame) -> tuple[bytes, bytes]:
    """The frame in two pieces, the second its body as it is: what is large need not be copied. Raises EncodeError."""
    if not versions.is_supported(frame.version):
        raise EncodeError("frame", "version", f"unknown protocol version {versions.name(frame.version)}")
    if (frame.auth is None) != bool(frame.flags & _NO_AUTH):
        raise EncodeError("frame", "auth", "a frame has either a credential or the flag that says it has none")
    out = bytearray(4)
    try:
        _write_header(out, frame)
        if frame.auth is not None:
            _write_auth(out, frame.auth)
        _LENGTH.pack_into(out, 0, len(out) - 4 + len(frame.body))
    except (StructError, ValueError, TypeError, AttributeError) as error:
        raise EncodeError("frame", "header", str(error)) from error
    return bytes(out), frame.body


def decode_frame(data: bytes | memoryview) -> Frame:
    """A frame from its bytes (without length prefix). Raises DecodeError for anything that is not exactly one."""
    data = bytes(data)
    try:
        frame, offset, body_length = _read_header(data)
        if not frame.flags & _NO_AUTH:
            frame.auth, offset = _read_auth(data, offset)
    except StructError as error:
        raise DecodeError("frame", "header", len(data), "the frame ends too early") from error
    if body_length != len(data) - offset:
        reason = f"{body_length} bytes announced, {len(data) - offset} left"
        raise DecodeError("frame", "body_length", offset, reason)
    frame.body = data[offset:]
    return frame


def _read_header(data: bytes) -> tuple[Frame, int, int]:
    (version,) = _U16.unpack_from(data)
    if version < versions.OLDEST:
        _, flags, _, msg_type, body_length, forwards = _OLD_HEADER.unpack_from(data)
        offset = _OLD_HEADER.size
    else:
        _, flags, msg_type, body_length, forwards = _HEADER.unpack_from(data)
        offset = _HEADER.size
    if not Version.V22_05 - 0x200 <= version <= versions.NEWEST or version & 0xFF:
        raise DecodeError("frame", "version", 0, f"unknown protocol version {versions.name(version)}")
    frame = Frame(msg_type, version, flags)
    if forwards:
        frame.forward, offset = _read_forward(data, offset, version, flags, forwards)
    (count,) = _U16.unpack_from(data, offset)
    offset += 2
    for index in range(count):
        item, offset = _read_ret(data, offset, version, f"ret_list[{index}].node_name")
        frame.ret_list.append(item)
    try:
        frame.orig_addr, offset = read_address(data, offset)
    except ValueError as error:
        raise DecodeError("frame", "orig_addr", offset, str(error)) from error
    return frame, offset, body_length


def _write_header(out: bytearray, frame: Frame) -> None:
    forwards = frame.forward.count if frame.forward is not None else 0
    out += _HEADER.pack(frame.version, frame.flags, frame.msg_type, len(frame.body), forwards)
    if frame.forward is not None and forwards:
        _write_forward(out, frame.forward, frame.version, frame.flags)
    out += _U16.pack(len(frame.ret_list))
    for item in frame.ret_list:
        out += _RET.pack(item.error, item.msg_type)
        _write_text(out, item.node_name)
        out += encode_body(item.msg_type, item.body, frame.version)
    write_address(out, frame.orig_addr)


def _read_forward(data: bytes, offset: int, version: int, flags: int, count: int) -> tuple[Forward, int]:
    nodes, offset = _read_text(data, offset, "forward.nodes")
    timeout_ms, tree_width = _FORWARD.unpack_from(data, offset)
    offset += _FORWARD.size
    forward = Forward(nodes, timeout_ms, tree_width, count=count)
    if version >= Version.V23_11 and flags & _ADDRS:
        forward.net_cred, offset = _read_text(data, offset, "forward.net_cred")
    if version >= Version.V24_11:
        (forward.tree_depth,) = _U16.unpack_from(data, offset)
        offset += 2
    return forward, offset


def _write_forward(out: bytearray, forward: Forward, version: int, flags: int) -> None:
    _write_text(out, forward.nodes)
    out += _FORWARD.pack(forward.timeout_ms, forward.tree_width)
    if version >= Version.V23_11 and flags & _ADDRS:
        _write_text(out, forward.net_cred)
    if version >= Version.V24_11:
        out += _U16.pack(forward.tree_depth)


def _read_ret(data: bytes, offset: int, version: int, field: str) -> tuple[RetItem, int]:
    error, msg_type = _RET.unpack_from(data, offset)
    node_name, offset = _read_text(data, offset + _RET.size, field)
    body, offset = decode_body_at(msg_type, data, offset, version)
    return RetItem(node_name, msg_type, error, body), offset


def _read_auth(data: bytes, offset: int) -> tuple[AuthSection, int]:
    (plugin_id,) = _U32.unpack_from(data, offset)
    offset += 4
    auth = AuthSection(plugin_id)
    if plugin_id == AUTH_PLUGIN_NONE:
        auth.uid, auth.gid = _TWO_IDS.unpack_from(data, offset)
        auth.hostname, offset = _read_text(data, offset + 8, "auth.hostname")
    elif plugin_id in (AUTH_PLUGIN_MUNGE, AUTH_PLUGIN_JWT, AUTH_PLUGIN_SLURM):
        auth.token, offset = _read_text(data, offset, "auth.token")
        if plugin_id == AUTH_PLUGIN_JWT:
            auth.user_name, offset = _read_text(data, offset, "auth.user_name")
    else:
        raise DecodeError("frame", "auth.plugin_id", offset - 4, f"unknown authentication plugin {plugin_id}")
    return auth, offset


def _write_auth(out: bytearray, auth: AuthSection) -> None:
    out += _U32.pack(auth.plugin_id)
    if auth.plugin_id == AUTH_PLUGIN_NONE:
        out += _TWO_IDS.pack(auth.uid, auth.gid)
        _write_text(out, auth.hostname)
        return
    _write_text(out, auth.token)
    if auth.plugin_id == AUTH_PLUGIN_JWT:
        _write_text(out, auth.user_name)


def _read_text(data: bytes, offset: int, field: str) -> tuple[str | None, int]:
    (length,) = _U32.unpack_from(data, offset)
    offset += 4
    if not length:
        return None, offset
    end = offset + length
    if end > len(data):
        raise DecodeError("frame", field, offset, f"{length} bytes announced, {len(data) - offset} left")
    if data[end - 1]:
        raise DecodeError("frame", field, offset, "text without a terminating zero")
    return data[offset : end - 1].decode("utf-8", "surrogateescape"), end


def _write_text(out: bytearray, text: str | None) -> None:
    if text is None:
        out += b"\0\0\0\0"
        return
    raw = text.encode("utf-8", "surrogateescape")
    out += _U32.pack(len(raw) + 1)
    out += raw
    out += b"\0"
