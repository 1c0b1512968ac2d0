"""The means that a MUNGE credential may be made with: ciphers, message authentication codes, compressions.

A credential names each by a number; `munge --list-ciphers` and its like print the names. AES comes from `cryptography`,
what is too old for it (Blowfish, CAST5, RIPEMD-160) from pycryptodome. Compressed data follows a header of a magic
number and the length before compression.
"""

from __future__ import annotations

import bz2
import hmac
import importlib
import zlib
from collections.abc import Callable
from enum import IntEnum
from struct import Struct
from struct import error as StructError
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

__all__ = ["CIPHERS", "MACS", "ZIPS", "CipherKind", "CipherType", "Mac", "MacType", "ZipType", "compress", "decompress"]


class CipherType(IntEnum):
    """Ciphers; DEFAULT stands in requests only."""

    NONE = 0
    DEFAULT = 1
    BLOWFISH = 2
    CAST5 = 3
    AES128 = 4
    AES256 = 5


class MacType(IntEnum):
    """Message authentication codes; DEFAULT stands in requests only."""

    DEFAULT = 1
    MD5 = 2
    SHA1 = 3
    RIPEMD160 = 4
    SHA256 = 5
    SHA512 = 6


class ZipType(IntEnum):
    """Compressions; DEFAULT stands in requests only."""

    NONE = 0
    DEFAULT = 1
    BZLIB = 2
    ZLIB = 3


Crypt = Callable[[bytes, bytes, bytes], bytes]
"""(key, IV, whole blocks) -> as many blocks."""


class CipherKind(NamedTuple):
    """A block cipher in CBC mode; sizes in bytes."""

    key_size: int
    block: int
    encrypt: Crypt
    decrypt: Crypt


class Mac(NamedTuple):
    """An HMAC: (key, data) -> digest of `size` bytes."""

    size: int
    digest: Callable[[bytes, bytes], bytes]


def _aes(size: int) -> CipherKind:
    algorithm = algorithms.AES128 if size == 16 else algorithms.AES256

    def encrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
        return Cipher(algorithm(key), modes.CBC(iv)).encryptor().update(data)

    def decrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
        return Cipher(algorithm(key), modes.CBC(iv)).decryptor().update(data)

    return CipherKind(size, 16, encrypt, decrypt)


def _old_cipher(name: str) -> CipherKind:
    """A cipher of pycryptodome's, which is imported when somebody asks for it: nearly nobody does."""

    def cipher(key: bytes, iv: bytes) -> Any:
        module = importlib.import_module(f"Crypto.Cipher.{name}")
        return module.new(key, module.MODE_CBC, iv=iv)

    return CipherKind(
        16, 8, lambda key, iv, data: cipher(key, iv).encrypt(data), lambda key, iv, data: cipher(key, iv).decrypt(data)
    )


def _ripemd160(key: bytes, data: bytes) -> bytes:
    from Crypto.Hash import HMAC, RIPEMD160

    return HMAC.new(key, data, RIPEMD160).digest()


def _mac(name: str, size: int) -> Mac:
    return Mac(size, lambda key, data: hmac.digest(key, data, name))


CIPHERS: dict[int, CipherKind] = {
    CipherType.BLOWFISH: _old_cipher("Blowfish"),
    CipherType.CAST5: _old_cipher("CAST"),
    CipherType.AES128: _aes(16),
    CipherType.AES256: _aes(32),
}
MACS: dict[int, Mac] = {
    MacType.MD5: _mac("md5", 16),
    MacType.SHA1: _mac("sha1", 20),
    MacType.RIPEMD160: Mac(20, _ripemd160),
    MacType.SHA256: _mac("sha256", 32),
    MacType.SHA512: _mac("sha512", 64),
}
ZIPS = (ZipType.BZLIB, ZipType.ZLIB)

_HEADER = Struct(">II")
_MAGIC = 0xCACACACA


def compress(kind: int, data: bytes) -> bytes:
    """The compressed form with its header; `data` itself is the better choice where this is not shorter."""
    packed = zlib.compress(data) if kind == ZipType.ZLIB else bz2.compress(data)
    return _HEADER.pack(_MAGIC, len(data)) + packed


def decompress(kind: int, data: bytes, limit: int) -> bytes:
    """What was compressed, at most `limit` bytes. Raises ValueError with the reason."""
    try:
        magic, size = _HEADER.unpack_from(data)
        if magic != _MAGIC or size > limit:
            raise ValueError("bad compression header")
        packed = data[_HEADER.size :]
        if kind == ZipType.ZLIB:
            plain = zlib.decompressobj().decompress(packed, size + 1)
        else:
            plain = bz2.BZ2Decompressor().decompress(packed, size + 1)
    except (StructError, zlib.error, OSError, EOFError) as error:
        raise ValueError(f"cannot be decompressed: {error}") from error
    if len(plain) != size:
        raise ValueError("wrong compression length")
    return plain
