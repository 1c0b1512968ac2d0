"""Whole numbers as Slurm's configuration files hold them: as in C, with powers of 1024."""

import re
from collections.abc import Callable

_NUMBER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]+|\d+)([kKmMgG]?)")
_UNLIMITED = ("unlimited", "infinite")
_POWERS = {"": 0, "k": 10, "m": 20, "g": 30}


def whole_number(bits: int) -> Callable[[str], int]:
    """Return a parser of numbers of so many bits, as C reads them."""
    largest = (1 << bits) - 1

    def parse(text: str) -> int:
        if text.lower() in _UNLIMITED:
            return largest
        found = _NUMBER.fullmatch(text)
        if found is None or (found[3] and bits < 32):
            raise ValueError(f"expected a whole number from 0 to {largest}, or unlimited")
        number = _c_number(found[2]) << _POWERS[found[3].lower()]
        if number > largest or (found[1] == "-" and number):
            raise ValueError(f"expected a whole number from 0 to {largest}, or unlimited")
        return number

    return parse


def _c_number(digits: str) -> int:
    if digits.lower().startswith("0x"):
        return int(digits, 16)
    if digits.startswith("0") and len(digits) > 1:
        try:
            return int(digits, 8)
        except ValueError:
            raise ValueError("expected digits from 0 to 7: a number that begins with 0 is octal") from None
    return int(digits)
