"""What libmunge and munged say to each other on a unix stream socket: bytes in, messages out, and what munged answers.

One request and one answer per connection, all numbers big-endian:

    header            magic u32, version u8 (4), type u8, retry u8, length of the body u32
    encode request    cipher, mac, zip (u8 each), realm (u8 length), ttl, for uid, for gid (u32 each),
                      payload (u32 length)
    encode answer     error u8, text (u8 length, with its NUL), credential (u32 length, with its NUL)
    decode request    credential (u32 length)
    decode answer     error, text, cipher, mac, zip, realm, ttl, address (u8 length), time of encoding and of decoding,
                      uid, gid, for uid, for gid (u32 each), payload

Cipher, mac and zip 1, and ttl 0, ask for the daemon's default, ttl 0xFFFFFFFF for its maximum. Who asks is never in a
message: the socket tells (SO_PEERCRED on Linux; the authentication by file descriptor of other systems is not served).
An expired, rewound or replayed credential is refused *and* opened: the client decides. A request with retry > 0 is a
client's second attempt after a broken connection, for which a credential that was decoded before is no replay.

`Reader` collects a message, `Munged` is the daemon without its socket: `answer(request, peer, now)` gives the bytes.
"""

from __future__ import annotations

from collections.abc import Container
from enum import IntEnum
from struct import Struct
from typing import Protocol

import msgspec

from protocol.auth import munge
from protocol.auth.munge import ANY, DEFAULT_TTL_S, MAX_TTL_S, Credential, MungeKey, ReplayCache
from protocol.auth.munge_means import CipherType, MacType, ZipType
from protocol.errors import DecodeError

__all__ = [
    "MAX_BODY",
    "DecodeRequest",
    "EncodeRequest",
    "MungeError",
    "Munged",
    "Opened",
    "Peer",
    "Reader",
    "Sealed",
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_request",
    "error_of",
]

MAX_BODY = 1 << 20
"""Longer messages than this many bytes munged does not take."""

_MAGIC, _VERSION = 0x00606D4B, 4
_HEADER = Struct(">IBBBI")
_U32 = Struct(">I")
_MAXIMUM_TTL = 0xFFFFFFFF
_BLANKS = " \t\r\n\0"


class _Type(IntEnum):
    ENCODE_REQUEST = 2
    ENCODE_ANSWER = 3
    DECODE_REQUEST = 4
    DECODE_ANSWER = 5


class MungeError(IntEnum):
    """The error numbers of munge.h."""

    SUCCESS = 0
    SNAFU = 1
    BAD_ARG = 2
    BAD_LENGTH = 3
    OVERFLOW = 4
    NO_MEMORY = 5
    SOCKET = 6
    TIMEOUT = 7
    BAD_CRED = 8
    BAD_VERSION = 9
    BAD_CIPHER = 10
    BAD_MAC = 11
    BAD_ZIP = 12
    BAD_REALM = 13
    CRED_INVALID = 14
    CRED_EXPIRED = 15
    CRED_REWOUND = 16
    CRED_REPLAYED = 17
    CRED_UNAUTHORIZED = 18


class EncodeRequest(msgspec.Struct, frozen=True):
    """Make a credential for whoever asks."""

    payload: bytes = b""
    cipher: int = CipherType.DEFAULT
    mac: int = MacType.DEFAULT
    compression: int = ZipType.DEFAULT
    realm: bytes = b""
    ttl_s: int = 0
    uid_restriction: int = ANY
    gid_restriction: int = ANY
    retry: int = 0


class DecodeRequest(msgspec.Struct, frozen=True):
    """Open a credential for whoever asks."""

    credential: bytes
    retry: int = 0


class Sealed(msgspec.Struct, frozen=True):
    """The answer to an encode request."""

    error: int = MungeError.SUCCESS
    text: str = ""
    credential: bytes = b""


class Opened(msgspec.Struct, frozen=True):
    """The answer to a decode request; `credential` is None where the error leaves nothing to tell."""

    error: int = MungeError.SUCCESS
    text: str = ""
    credential: Credential | None = None
    decode_time_s: int = 0


class Peer(Protocol):
    """Who is at the other end, as the system knows it; `groups` is asked only where a credential is for a group."""

    @property
    def uid(self) -> int:
        """The process's effective user id."""
        ...

    @property
    def gid(self) -> int:
        """The process's effective group id."""
        ...

    def groups(self) -> Container[int]:
        """All groups of the process, the supplementary ones among them."""
        ...


class Reader:
    """Collects one message of at most MAX_BODY bytes; memory grows with what arrives, never with what is announced."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """Take what came; the message once it is whole. What follows it is dropped. Raises DecodeError."""
        self._data += data
        if len(self._data) < _HEADER.size:
            return None
        end = _HEADER.size + _read_header(self._data)[2]
        return bytes(self._data[:end]) if len(self._data) >= end else None

    @property
    def pending(self) -> int:
        """Bytes that came."""
        return len(self._data)


def encode_request(request: EncodeRequest | DecodeRequest) -> bytes:
    """The message that a client sends."""
    if isinstance(request, DecodeRequest):
        return _message(_Type.DECODE_REQUEST, request.retry, _long(request.credential))
    means = bytes((request.cipher, request.mac, request.compression))
    numbers = (request.ttl_s, request.uid_restriction, request.gid_restriction)
    body = means + _short(request.realm) + b"".join(map(_U32.pack, numbers)) + _long(request.payload)
    return _message(_Type.ENCODE_REQUEST, request.retry, body)


def decode_request(message: bytes) -> EncodeRequest | DecodeRequest:
    """What a client asks for. Raises DecodeError; bytes behind the request are ignored, as munged does."""
    kind, retry, length = _read_header(message)
    body = _Body(message, length)
    if kind == _Type.DECODE_REQUEST:
        return DecodeRequest(body.long("credential"), retry)
    if kind != _Type.ENCODE_REQUEST:
        raise DecodeError("munge request", "type", 5, f"{kind} is no request")
    cipher, mac, compression = body.u8("cipher"), body.u8("mac"), body.u8("zip")
    realm = body.short("realm")
    ttl_s, uid, gid = body.u32("ttl"), body.u32("uid restriction"), body.u32("gid restriction")
    return EncodeRequest(body.long("payload"), cipher, mac, compression, realm, ttl_s, uid, gid, retry)


def decode_answer(message: bytes) -> Sealed | Opened:
    """What munged answered. Raises DecodeError."""
    kind, _, length = _read_header(message, limit=2 * MAX_BODY)
    body = _Body(message, length)
    error, text = body.u8("error"), body.short("text").rstrip(b"\0").decode(errors="replace")
    if kind == _Type.ENCODE_ANSWER:
        return Sealed(error, text, body.long("credential").rstrip(b"\0"))
    if kind != _Type.DECODE_ANSWER:
        raise DecodeError("munge answer", "type", 5, f"{kind} is no answer")
    means = (body.u8("cipher"), body.u8("mac"), body.u8("zip"))
    realm, ttl_s, addr = body.short("realm"), body.u32("ttl"), body.short("address")
    encoded_s, decoded_s = body.u32("encode time"), body.u32("decode time")
    uid, gid, for_uid, for_gid = body.u32("uid"), body.u32("gid"), body.u32("for uid"), body.u32("for gid")
    payload = body.long("payload")
    if not encoded_s:
        return Opened(error, text, None, decoded_s)
    credential = Credential(uid, gid, payload, encoded_s, ttl_s, for_uid, for_gid, addr, realm, b"", means)
    return Opened(error, text, credential, decoded_s)


def error_of(refusal: munge.CredentialError) -> MungeError:
    """The number that munged gives for a credential that does not hold."""
    match refusal:
        case munge.UnsupportedMeans(part=part):
            return MungeError[f"BAD_{part.upper()}"]
        case munge.ForgedCredential():
            return MungeError.CRED_INVALID
        case munge.ExpiredCredential():
            return MungeError.CRED_EXPIRED
        case munge.RewoundCredential():
            return MungeError.CRED_REWOUND
        case munge.ReplayedCredential():
            return MungeError.CRED_REPLAYED
        case munge.RestrictedCredential():
            return MungeError.CRED_UNAUTHORIZED
    return MungeError.BAD_CRED


class Munged:
    """The daemon without its socket. `addr` is the packed IPv4 address that its credentials name as their origin."""

    def __init__(self, key: MungeKey, *, addr: bytes = b"\x7f\0\0\1", replays: int = 200_000) -> None:
        self._key = key
        self._addr = addr
        self._replays = ReplayCache(replays)

    def answer(self, request: EncodeRequest | DecodeRequest, peer: Peer, now_s: float) -> Sealed | Opened:
        """What comes of a request. Raises nothing."""
        if isinstance(request, DecodeRequest):
            return self._open(request, peer, now_s)
        return self._make(request, peer, now_s)

    def _make(self, request: EncodeRequest, peer: Peer, now_s: float) -> Sealed:
        ttl_s = DEFAULT_TTL_S if request.ttl_s == 0 else min(request.ttl_s, MAX_TTL_S)
        try:
            text = munge.seal(
                self._key,
                request.payload,
                uid=peer.uid,
                gid=peer.gid,
                now_s=now_s,
                ttl_s=ttl_s,
                uid_restriction=request.uid_restriction,
                gid_restriction=request.gid_restriction,
                addr=self._addr,
                realm=request.realm,
                cipher=_chosen(request.cipher, CipherType.AES128),
                mac=_chosen(request.mac, MacType.SHA256),
                compression=_chosen(request.compression, ZipType.NONE),
            )
        except munge.CredentialError as refusal:
            return Sealed(error_of(refusal), str(refusal))
        return Sealed(credential=text.encode())

    def _open(self, request: DecodeRequest, peer: Peer, now_s: float) -> Opened:
        text = request.credential.decode(errors="replace").strip(_BLANKS)
        if not text:
            return Opened(MungeError.SNAFU, "there is no credential in the request")
        try:
            credential = munge.inspect(self._key, text)
            munge.check_reader(credential, peer.uid, None if credential.gid_restriction == ANY else peer.groups())
        except munge.RestrictedCredential:
            return Opened(MungeError.CRED_UNAUTHORIZED, f"credential is not for uid {peer.uid}, gid {peer.gid}")
        except munge.CredentialError as refusal:
            return Opened(error_of(refusal), str(refusal))
        try:
            munge.check_age(credential, int(now_s))
            if request.retry == 0 or not self._replays.knows(credential):
                self._replays.check(credential, now_s)
        except munge.CredentialError as refusal:
            return Opened(error_of(refusal), str(refusal), credential, int(now_s))
        return Opened(credential=credential, decode_time_s=int(now_s))


def encode_answer(answer: Sealed | Opened, retry: int = 0) -> bytes:
    """The message that munged sends."""
    text = answer.text.encode()[:254] + b"\0" if answer.text else b""
    body = bytes((answer.error,)) + _short(text)
    if isinstance(answer, Sealed):
        credential = answer.credential + b"\0" if answer.credential else b""
        return _message(_Type.ENCODE_ANSWER, retry, body + _long(credential))
    told = answer.credential or Credential(ANY, ANY, b"", 0, 0, means=(0, 0, 0))
    times = _U32.pack(told.encode_time_s) + _U32.pack(answer.decode_time_s)
    people = (told.uid, told.gid, told.uid_restriction, told.gid_restriction)
    body += bytes(told.means) + _short(told.realm) + _U32.pack(told.ttl_s) + _short(told.addr) + times
    return _message(_Type.DECODE_ANSWER, retry, body + b"".join(map(_U32.pack, people)) + _long(told.payload))


class _Body:
    """Reads a body from its start; every step checks that enough is left."""

    def __init__(self, message: bytes, length: int) -> None:
        if len(message) < _HEADER.size + length:
            raise DecodeError("munge message", "", len(message), f"ends before its {length} bytes")
        self._data = message[: _HEADER.size + length]
        self._at = _HEADER.size

    def take(self, size: int, field: str) -> bytes:
        begin, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise DecodeError("munge message", field, begin, f"{size} bytes announced, {len(self._data) - begin} left")
        return self._data[begin : self._at]

    def u8(self, field: str) -> int:
        return self.take(1, field)[0]

    def u32(self, field: str) -> int:
        return int.from_bytes(self.take(4, field), "big")

    def short(self, field: str) -> bytes:
        return self.take(self.u8(field), field)

    def long(self, field: str) -> bytes:
        return self.take(self.u32(field), field)


def _read_header(data: bytes | bytearray, limit: int = MAX_BODY) -> tuple[int, int, int]:
    """Type, retry and length of the body. Raises DecodeError."""
    if len(data) < _HEADER.size:
        raise DecodeError("munge message", "header", len(data), "ends inside the header")
    magic, version, kind, retry, length = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise DecodeError("munge message", "magic", 0, f"{magic:#x} instead of {_MAGIC:#x}")
    if version != _VERSION:
        raise DecodeError("munge message", "version", 4, f"{version} instead of {_VERSION}")
    if length > limit:
        raise DecodeError("munge message", "length", 7, f"{length} bytes, {limit} are allowed")
    return kind, retry, length


def _message(kind: int, retry: int, body: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, _VERSION, kind, retry, len(body)) + body


def _short(data: bytes) -> bytes:
    return bytes((len(data),)) + data


def _long(data: bytes) -> bytes:
    return _U32.pack(len(data)) + data


def _chosen(asked: int, default: int) -> int:
    return default if asked == 1 else asked
