"""MUNGE credentials, sealed and opened in this process from the bytes of munge.key; no munged is involved.

A credential says "user uid, group gid made this payload at that time" and is worth as much as the secrecy of the key
that all hosts of a cluster share. Its text is `MUNGE:<base64>:`, inside are

    version, cipher, mac, zip (a byte each), realm, IV      in clear, but covered by the MAC
    MAC
    salt, address, time, ttl, uid, gid, restrictions, payload      encrypted, optionally compressed before

with k1 = SHA-1(key "1"), k2 = SHA-1(key "2"), MAC = HMAC(k2, clear part + inner part), cipher key = HMAC(k1, MAC).
What is written here is what munged writes by default (AES-128-CBC, SHA-256, no compression); what it writes on
request is read too. The caller tells the time and keeps the `ReplayCache`.
"""

from __future__ import annotations

import binascii
import bz2
import hashlib
import hmac
import os
import zlib
from collections.abc import Callable
from struct import Struct
from struct import error as StructError

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocol.errors import ProtocolError

__all__ = [
    "ANY",
    "DEFAULT_TTL_S",
    "MAX_TTL_S",
    "Credential",
    "CredentialError",
    "ExpiredCredential",
    "ForgedCredential",
    "MalformedCredential",
    "MungeKey",
    "ReplayCache",
    "ReplayedCredential",
    "RestrictedCredential",
    "RewoundCredential",
    "inspect",
    "seal",
    "unseal",
]

ANY = 0xFFFFFFFF
"""No restriction to a uid or gid."""
DEFAULT_TTL_S = 300
MAX_TTL_S = 3600

_PREFIX, _SUFFIX = "MUNGE:", ":"
_VERSION = 3
_AES128, _AES256 = 4, 5
_KEY_SIZES = {_AES128: 16, _AES256: 32}
_MACS = {2: ("md5", 16), 3: ("sha1", 20), 5: ("sha256", 32), 6: ("sha512", 64)}
_BZLIB, _ZLIB = 2, 3
_BLOCK = 16
_SALT = 8
_INNER = Struct(">6I")
_U32 = Struct(">I")
_ZIP_HEADER = Struct(">II")
_ZIP_MAGIC = 0xCACACACA
_MAX_PAYLOAD = 1 << 20


class CredentialError(ProtocolError):
    """A credential that does not prove anything."""


class MalformedCredential(CredentialError):
    """Not the text of a credential, or one made with means that are not supported."""


class ForgedCredential(CredentialError):
    """Made with another key, or altered."""


class ExpiredCredential(CredentialError):
    """Older than its time to live."""


class RewoundCredential(CredentialError):
    """From the future by more than its time to live."""


class ReplayedCredential(CredentialError):
    """Was used before."""


class RestrictedCredential(CredentialError):
    """Meant for another reader."""


class MungeKey:
    """The shared secret and what is derived from it. `repr` shows none of it."""

    __slots__ = ("cipher_key", "mac_key")

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError(f"a MUNGE key of {len(secret)} bytes is too short, 32 is the least")
        self.cipher_key = hashlib.sha1(secret + b"1").digest()
        self.mac_key = hashlib.sha1(secret + b"2").digest()

    def __repr__(self) -> str:
        return "MungeKey(...)"


class Credential(msgspec.Struct, frozen=True):
    """What an opened credential says. `mac` identifies it."""

    uid: int
    gid: int
    payload: bytes
    encode_time_s: int
    ttl_s: int
    uid_restriction: int = ANY
    gid_restriction: int = ANY
    addr: bytes = b""
    realm: bytes = b""
    mac: bytes = b""


class ReplayCache:
    """Credentials seen, until they expire; at most `capacity` of them (then the oldest are forgotten)."""

    def __init__(self, capacity: int = 200_000) -> None:
        self.capacity = capacity
        self._expires_s: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._expires_s)

    def check(self, credential: Credential, now_s: float) -> None:
        """Remember a credential. Raises ReplayedCredential when it was seen before."""
        seen = self._expires_s
        if credential.mac in seen:
            raise ReplayedCredential(f"credential of uid {credential.uid} was used before")
        seen[credential.mac] = credential.encode_time_s + credential.ttl_s
        self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        seen = self._expires_s
        for _ in range(2):
            oldest = next(iter(seen))
            if len(seen) <= self.capacity and seen[oldest] >= now_s:
                return
            del seen[oldest]
            if not seen:
                return


def seal(
    key: MungeKey,
    payload: bytes,
    *,
    uid: int,
    gid: int,
    now_s: float,
    ttl_s: int = DEFAULT_TTL_S,
    uid_restriction: int = ANY,
    gid_restriction: int = ANY,
    addr: bytes = b"\x7f\0\0\1",
    random: Callable[[int], bytes] = os.urandom,
) -> str:
    """A credential for `payload`. `addr` is the packed IPv4 address of the maker, `random(n)` gives n random bytes."""
    noise = random(_BLOCK + _SALT)
    iv, salt = noise[:_BLOCK], noise[_BLOCK:]
    outer = b"\x03\x04\x05\x00\x00" + iv
    numbers = _INNER.pack(int(now_s), ttl_s, uid, gid, uid_restriction, gid_restriction)
    inner = b"".join((salt, bytes((len(addr),)), addr, numbers, _U32.pack(len(payload)), payload))
    mac = hmac.digest(key.mac_key, outer + inner, "sha256")
    secret = hmac.digest(key.cipher_key, mac, "sha256")[:16]
    pad = _BLOCK - len(inner) % _BLOCK
    encryptor = Cipher(algorithms.AES128(secret), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(inner + bytes((pad,)) * pad)
    return f"{_PREFIX}{binascii.b2a_base64(outer + mac + sealed, newline=False).decode()}{_SUFFIX}"


def unseal(
    key: MungeKey,
    text: str | None,
    *,
    now_s: float,
    reader_uid: int | None = None,
    reader_gid: int | None = None,
    max_ttl_s: int = MAX_TTL_S,
) -> Credential:
    """What a credential says, once everything about it is in order; the subclass of CredentialError says what is not.

    A reader's uid or gid that is not None is compared with the credential's restriction.
    """
    credential = inspect(key, text)
    ttl_s = min(credential.ttl_s, max_ttl_s)
    if now_s > credential.encode_time_s + ttl_s:
        raise ExpiredCredential(f"credential of uid {credential.uid} expired after {ttl_s} s")
    if now_s < credential.encode_time_s - ttl_s:
        raise RewoundCredential(f"credential of uid {credential.uid} is from the future")
    for allowed, reader in ((credential.uid_restriction, reader_uid), (credential.gid_restriction, reader_gid)):
        if reader is not None and allowed not in (ANY, reader):
            raise RestrictedCredential(f"credential of uid {credential.uid} is meant for {allowed}, not for {reader}")
    return credential


def inspect(key: MungeKey, text: str | None) -> Credential:
    """What a genuine credential says, whatever its age and whoever may read it. For tools and tests, not for trust."""
    return _open(key, _unarmor(text))


def _unarmor(text: str | None) -> bytes:
    if text is None or not text.startswith(_PREFIX):
        raise MalformedCredential("not a MUNGE credential")
    end = text.find(_SUFFIX, len(_PREFIX))
    if end < 0:
        raise MalformedCredential("a MUNGE credential without its end")
    try:
        return binascii.a2b_base64(text[len(_PREFIX) : end], strict_mode=True)
    except ValueError as error:
        raise MalformedCredential(f"a MUNGE credential that is not base64: {error}") from error


def _open(key: MungeKey, raw: bytes) -> Credential:
    if len(raw) < 5 or raw[0] != _VERSION:
        raise MalformedCredential("a MUNGE credential of an unknown version")
    cipher, mac_type, compression, realm_size = raw[1:5]
    digest, digest_size = _MACS.get(mac_type, ("", 0))
    if not digest or (cipher and cipher not in _KEY_SIZES) or compression not in (0, _BZLIB, _ZLIB):
        raise MalformedCredential(f"unsupported MUNGE means: cipher {cipher}, mac {mac_type}, zip {compression}")
    outer_size = 5 + realm_size + (_BLOCK if cipher else 0)
    mac_end = outer_size + digest_size
    outer, mac, sealed = raw[:outer_size], raw[outer_size:mac_end], raw[mac_end:]
    inner = _decrypt(key, cipher, digest, outer, mac, sealed) if cipher else sealed
    if not hmac.compare_digest(hmac.digest(key.mac_key, outer + inner, digest), mac):
        raise ForgedCredential("credential was not made with this cluster's MUNGE key")
    if compression:
        inner = _decompress(compression, inner)
    return _read_inner(inner, realm=raw[5 : 5 + realm_size], mac=mac)


def _decrypt(key: MungeKey, cipher: int, digest: str, outer: bytes, mac: bytes, sealed: bytes) -> bytes:
    size = _KEY_SIZES[cipher]
    secret = hmac.digest(key.cipher_key, mac, digest)[:size]
    if len(secret) != size or not sealed or len(sealed) % _BLOCK:
        raise MalformedCredential("a MUNGE credential that is cut short")
    algorithm = algorithms.AES128 if size == 16 else algorithms.AES256
    decryptor = Cipher(algorithm(secret), modes.CBC(outer[-_BLOCK:])).decryptor()
    padded = decryptor.update(sealed)
    pad = padded[-1]
    if not 1 <= pad <= _BLOCK or padded[-pad:] != padded[-1:] * pad:
        raise ForgedCredential("credential was not made with this cluster's MUNGE key")
    return padded[:-pad]


def _decompress(compression: int, data: bytes) -> bytes:
    try:
        magic, size = _ZIP_HEADER.unpack_from(data)
        if magic != _ZIP_MAGIC or size > _MAX_PAYLOAD:
            raise MalformedCredential("a MUNGE credential with a bad compression header")
        packed = data[_ZIP_HEADER.size :]
        if compression == _ZLIB:
            plain = zlib.decompressobj().decompress(packed, size + 1)
        else:
            plain = bz2.BZ2Decompressor().decompress(packed, size + 1)
    except (StructError, zlib.error, OSError, EOFError) as error:
        raise MalformedCredential(f"a MUNGE credential that cannot be decompressed: {error}") from error
    if len(plain) != size:
        raise MalformedCredential("a MUNGE credential with a wrong compression length")
    return plain


def _read_inner(inner: bytes, realm: bytes, mac: bytes) -> Credential:
    try:
        addr_end = _SALT + 1 + inner[_SALT]
        encoded_s, ttl_s, uid, gid, for_uid, for_gid = _INNER.unpack_from(inner, addr_end)
        (size,) = _U32.unpack_from(inner, addr_end + _INNER.size)
    except (StructError, IndexError) as error:
        raise MalformedCredential("a MUNGE credential that is cut short") from error
    payload = inner[addr_end + _INNER.size + 4 :]
    if len(payload) != size:
        raise MalformedCredential("a MUNGE credential with a wrong payload length")
    return Credential(uid, gid, payload, encoded_s, ttl_s, for_uid, for_gid, inner[_SALT + 1 : addr_end], realm, mac)
