"""MUNGE credentials, sealed and opened in this process from the bytes of munge.key; no munged is involved.

A credential says "user uid, group gid made this payload at that time" and is worth as much as the secrecy of the key
that all hosts of a cluster share. Its text is `MUNGE:<base64>:`, inside are

    version, cipher, mac, zip (a byte each), realm, IV      in clear, but covered by the MAC
    MAC
    salt, address, time, ttl, uid, gid, restrictions, payload      encrypted, optionally compressed before

with k1 = SHA-1(key "1"), k2 = SHA-1(key "2"), MAC = HMAC(k2, clear part + inner part), cipher key = HMAC(k1, MAC).
What is written here unless told otherwise is what munged writes by default (AES-128-CBC, SHA-256, no compression); the
other means are in `munge_means`. The caller tells the time and keeps the `ReplayCache`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
from collections.abc import Callable, Container
from struct import Struct
from struct import error as StructError

import msgspec

from protocol.auth.munge_means import (
    CIPHERS,
    MACS,
    ZIPS,
    CipherKind,
    CipherType,
    MacType,
    ZipType,
    compress,
    decompress,
)
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
    "UnsupportedMeans",
    "check_age",
    "check_means",
    "check_reader",
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
_SALT = 8
_INNER = Struct(">6I")
_U32 = Struct(">I")
_MAX_INNER = (1 << 20) + 1024


class CredentialError(ProtocolError):
    """A credential that does not prove anything."""


class MalformedCredential(CredentialError):
    """Not the text of a credential, or one made with means that are not supported."""


class UnsupportedMeans(MalformedCredential):
    """Made, or to be made, with means that do not exist; `part` is "version", "cipher", "mac" or "zip"."""

    def __init__(self, part: str, detail: str) -> None:
        super().__init__(f"unsupported MUNGE {part}: {detail}")
        self.part = part


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
    """What an opened credential says. `mac` identifies it, `means` are its cipher, MAC and compression."""

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
    means: tuple[int, int, int] = (CipherType.AES128, MacType.SHA256, ZipType.NONE)


class ReplayCache:
    """Credentials seen, until they expire; at most `capacity` of them (then the oldest are forgotten)."""

    def __init__(self, capacity: int = 200_000) -> None:
        self.capacity = capacity
        self._expires_s: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._expires_s)

    def knows(self, credential: Credential) -> bool:
        """Whether a credential was seen before."""
        return credential.mac in self._expires_s

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
    realm: bytes = b"",
    cipher: int = CipherType.AES128,
    mac: int = MacType.SHA256,
    compression: int = ZipType.NONE,
    random: Callable[[int], bytes] = os.urandom,
) -> str:
    """A credential for `payload`. `addr` is the packed IPv4 address of the maker, `random(n)` gives n random bytes.

    What compression does not make smaller stays as it is. Raises UnsupportedMeans.
    """
    check_means(cipher, mac, compression)
    block = CIPHERS[cipher].block if cipher else 0
    noise = random(block + _SALT)
    iv, salt = noise[:block], noise[block:]
    numbers = _INNER.pack(int(now_s), ttl_s, uid, gid, uid_restriction, gid_restriction)
    inner = b"".join((salt, bytes((len(addr),)), addr, numbers, _U32.pack(len(payload)), payload))
    if compression:
        packed = compress(compression, inner)
        inner, compression = (packed, compression) if len(packed) < len(inner) else (inner, ZipType.NONE)
    outer = bytes((_VERSION, cipher, mac, compression, len(realm))) + realm + iv
    seal_of = MACS[mac].digest
    digest = seal_of(key.mac_key, outer + inner)
    if cipher:
        kind = CIPHERS[cipher]
        pad = block - len(inner) % block
        inner = kind.encrypt(seal_of(key.cipher_key, digest)[: kind.key_size], iv, inner + bytes((pad,)) * pad)
    return f"{_PREFIX}{binascii.b2a_base64(outer + digest + inner, newline=False).decode()}{_SUFFIX}"


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
    check_reader(credential, reader_uid, None if reader_gid is None else (reader_gid,))
    check_age(credential, now_s, max_ttl_s)
    return credential


def check_reader(credential: Credential, uid: int | None, gids: Container[int] | None) -> None:
    """Raise RestrictedCredential where it is meant for another user or group; None leaves that one out."""
    if uid is not None and credential.uid_restriction not in (ANY, uid):
        meant, reader = f"uid {credential.uid_restriction}", f"uid {uid}"
    elif gids is not None and credential.gid_restriction != ANY and credential.gid_restriction not in gids:
        meant, reader = f"gid {credential.gid_restriction}", "this reader's groups"
    else:
        return
    raise RestrictedCredential(f"credential of uid {credential.uid} is meant for {meant}, not for {reader}")


def check_age(credential: Credential, now_s: float, max_ttl_s: int = MAX_TTL_S) -> None:
    """Raise ExpiredCredential or RewoundCredential where it is not of this time."""
    ttl_s = min(credential.ttl_s, max_ttl_s)
    if now_s > credential.encode_time_s + ttl_s:
        raise ExpiredCredential(f"credential of uid {credential.uid} expired after {ttl_s} s")
    if now_s < credential.encode_time_s - ttl_s:
        raise RewoundCredential(f"credential of uid {credential.uid} is from the future")


def check_means(cipher: int, mac: int, compression: int) -> None:
    """Raise UnsupportedMeans for what does not exist, or a MAC that is too short to give the cipher its key."""
    if cipher and cipher not in CIPHERS:
        raise UnsupportedMeans("cipher", str(cipher))
    if mac not in MACS:
        raise UnsupportedMeans("mac", str(mac))
    if cipher and CIPHERS[cipher].key_size > MACS[mac].size:
        raise UnsupportedMeans("mac", f"{mac} is too short for cipher {cipher}")
    if compression and compression not in ZIPS:
        raise UnsupportedMeans("zip", str(compression))


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
    if len(raw) < 5:
        raise MalformedCredential("a MUNGE credential that is cut short")
    if raw[0] != _VERSION:
        raise UnsupportedMeans("version", str(raw[0]))
    cipher, mac_type, compression, realm_size = raw[1:5]
    check_means(cipher, mac_type, compression)
    kind = CIPHERS[cipher] if cipher else None
    outer_size = 5 + realm_size + (kind.block if kind else 0)
    mac_end = outer_size + MACS[mac_type].size
    outer, mac, inner = raw[:outer_size], raw[outer_size:mac_end], raw[mac_end:]
    digest = MACS[mac_type].digest
    if kind is not None:
        inner = _decrypt(kind, digest(key.cipher_key, mac)[: kind.key_size], outer[-kind.block :], inner)
    if not hmac.compare_digest(digest(key.mac_key, outer + inner), mac):
        raise ForgedCredential("credential was not made with this cluster's MUNGE key")
    if compression:
        try:
            inner = decompress(compression, inner, _MAX_INNER)
        except ValueError as error:
            raise MalformedCredential(f"a MUNGE credential with compression: {error}") from error
    return _read_inner(inner, realm=raw[5 : 5 + realm_size], mac=mac, means=(cipher, mac_type, compression))


def _decrypt(kind: CipherKind, secret: bytes, iv: bytes, sealed: bytes) -> bytes:
    if not sealed or len(sealed) % kind.block:
        raise MalformedCredential("a MUNGE credential that is cut short")
    padded = kind.decrypt(secret, iv, sealed)
    pad = padded[-1]
    if not 1 <= pad <= kind.block or padded[-pad:] != padded[-1:] * pad:
        raise ForgedCredential("credential was not made with this cluster's MUNGE key")
    return padded[:-pad]


def _read_inner(inner: bytes, realm: bytes, mac: bytes, means: tuple[int, int, int]) -> Credential:
    try:
        addr_end = _SALT + 1 + inner[_SALT]
        encoded_s, ttl_s, uid, gid, for_uid, for_gid = _INNER.unpack_from(inner, addr_end)
        (size,) = _U32.unpack_from(inner, addr_end + _INNER.size)
    except (StructError, IndexError) as error:
        raise MalformedCredential("a MUNGE credential that is cut short") from error
    payload = inner[addr_end + _INNER.size + 4 :]
    if len(payload) != size:
        raise MalformedCredential("a MUNGE credential with a wrong payload length")
    addr = inner[_SALT + 1 : addr_end]
    return Credential(uid, gid, payload, encoded_s, ttl_s, for_uid, for_gid, addr, realm, mac, means)
