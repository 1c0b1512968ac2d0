"""Values that have a form of their own on the wire: bitmaps, addresses, scaled real numbers.

Each has a pair of functions that the compiled codecs call; the reading ones take the buffer and an offset and return
the value with the offset behind it. They raise ValueError (or IndexError, struct.error at the end of the buffer); the
codec turns that into a DecodeError that names the field.
"""

from __future__ import annotations

import math
from ipaddress import IPv6Address, ip_address
from struct import Struct

import msgspec

__all__ = ["TOKEN_START", "Address", "Bits", "bits_form", "read_address", "read_bits", "read_real", "write_address"]

_U16 = Struct(">H")
_U32 = Struct(">I")
_TWO_U32 = Struct(">II")
_LITTLE_PORT = Struct("<H")
_IPV4 = Struct("<4BH")
_NO_BITS = 0xFFFFFFFE
_EMPTY_BITS = b"\0\0\0\0\0\0\0\x030x\0"
_FACTOR = 1_000_000.0
_INET, _INET6 = 2, 10
TOKEN_START = b"eyJ"
"""How every signed token begins: it is base64 of a JSON object, `{"`."""


class Bits(msgspec.Struct, frozen=True):
    """A bitmap: how many bits it has, and the bits as one integer (bit 0 is the lowest)."""

    size: int = 0
    mask: int = 0

    def __bool__(self) -> bool:
        """True: a bitmap that is there, even one without a set bit (an absent one is None)."""
        return True


class Address(msgspec.Struct, frozen=True):
    """An IP address with port; the default is "no address"."""

    host: str = ""
    port: int = 0
    family: int = -1

    def __post_init__(self) -> None:
        if self.family < 0:
            family = 0 if not self.host else _INET if ip_address(self.host).version == 4 else _INET6
            msgspec.structs.force_setattr(self, "family", family)


def read_bits(data: bytes, offset: int) -> tuple[Bits | None, int]:
    """A bitmap at `offset`: None, or its size and mask."""
    (size,) = _U32.unpack_from(data, offset)
    offset += 4
    if size == _NO_BITS:
        return None, offset
    (length,) = _U32.unpack_from(data, offset)
    offset += 4
    end = offset + length
    if length < 3 or data[end - 1] or data[offset : offset + 2] != b"0x":
        raise ValueError("bitmap without a hexadecimal mask")
    digits = data[offset + 2 : end - 1]
    mask = int(digits, 16) if digits else 0
    if len(digits) != (size + 3) // 4 or digits.translate(None, b"0123456789ABCDEF"):
        raise ValueError(f"bitmap of {size} bits has a mask of {len(digits)} digits")
    if mask >> size:
        raise ValueError(f"bitmap of {size} bits has bits beyond its size")
    return Bits(size, mask), end


def bits_form(bitmap: Bits | None) -> bytes:
    """A bitmap as it travels; raises ValueError when the mask has more bits than the size."""
    if bitmap is None:
        return b"\xff\xff\xff\xfe"
    size, mask = bitmap.size, bitmap.mask
    if mask < 0 or mask.bit_length() > size:
        raise ValueError(f"mask {mask:#x} does not fit into {size} bits")
    digits = (size + 3) // 4
    if not digits:
        return _EMPTY_BITS
    return b"%b0x%0*X\0" % (_TWO_U32.pack(size, digits + 3), digits, mask)


def read_address(data: bytes, offset: int) -> tuple[Address, int]:
    """An address at `offset`. Its bytes are reversed on the wire (network order packed a second time)."""
    (family,) = _U16.unpack_from(data, offset)
    offset += 2
    if family == _INET:
        d, c, b, a, port = _IPV4.unpack_from(data, offset)
        return Address(f"{a}.{b}.{c}.{d}", port, family), offset + 6
    if family != _INET6:
        return Address("", 0, family), offset
    (length,) = _U32.unpack_from(data, offset)
    if length != 16:
        raise ValueError(f"an IPv6 address of {length} bytes")
    offset += 4
    (port,) = _LITTLE_PORT.unpack_from(data, offset + 16)
    return Address(str(IPv6Address(data[offset : offset + 16])), port, family), offset + 18


def write_address(out: bytearray, address: Address) -> None:
    """Append an address; raises ValueError for a host that is no address of its family."""
    out += _U16.pack(address.family)
    if address.family == _INET:
        a, b, c, d = ip_address(address.host).packed
        out += _IPV4.pack(d, c, b, a, address.port)
    elif address.family == _INET6:
        out += _U32.pack(16)
        out += IPv6Address(address.host).packed
        out += _LITTLE_PORT.pack(address.port)


def read_real(scaled: float) -> float:
    """The value whose millionfold travelled, chosen so that writing it (times a million) gives the same bits again."""
    value = scaled / _FACTOR
    if value * _FACTOR == scaled:
        return value
    for neighbour in (math.nextafter(value, math.inf), math.nextafter(value, -math.inf)):
        if neighbour * _FACTOR == scaled:
            return neighbour
    return value
