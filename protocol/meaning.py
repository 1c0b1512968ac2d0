"""What a number says: names of its enum or flags, the absent values of its width, its unit.

`Field.means` names an enum class. Three kinds are told apart:

    IntEnum      one value, one name
    IntFlag      a name for each bit that is set, or one for the whole
    composed     an IntEnum in the low bits and flags above it, as in the states of jobs and nodes: `COMPOSED`

Numbers that mean "absent" or "no limit" are the same in every field of a width (NO_VAL, INFINITE), unless the enum has
a member of that value.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum, Flag

from protocol.constants import COMPOSED, MEM_PER_CPU, NICE_OFFSET
from protocol.schema import Scalar

__all__ = ["absent_name", "full_name", "is_known", "names_of", "scalar_text", "time_text", "value_names"]

_ABSENT = {
    0xFE: "NO_VAL8",
    0xFF: "INFINITE8",
    0xFFFE: "NO_VAL16",
    0xFFFF: "INFINITE16",
    0xFFFFFFFE: "NO_VAL",
    0xFFFFFFFF: "INFINITE",
    0xFFFFFFFFFFFFFFFD: "NO_CONSUME_VAL64",
    0xFFFFFFFFFFFFFFFE: "NO_VAL64",
    0xFFFFFFFFFFFFFFFF: "INFINITE64",
}
_ABSENT_OF_WIDTH = {
    width: {value: name for value, name in _ABSENT.items() if (1 << 8 * width) - 3 <= value < 1 << 8 * width}
    for width in (1, 2, 4, 8)
}
_OVER_OFFSET = "over NICE_OFFSET"
"""Unit of signed values that travel unsigned, shifted up."""
_NO_TIME = 0xFFFFFFFE


def absent_name(value: int, width: int) -> str | None:
    """NO_VAL, INFINITE and their like, where `value` is one in a field of `width` bytes."""
    return _ABSENT_OF_WIDTH.get(width, {}).get(value)


def names_of(means: type[Enum], value: int) -> tuple[list[str], int]:
    """The names that `value` stands for, and what is left of it that has none (0: everything is named)."""
    if means in COMPOSED:
        flags, base = COMPOSED[means]
        names, unnamed = names_of(flags, value & ~base)
        member = _member(means, value & base)
        return ([member] if member else []) + names, unnamed | (0 if member else value & base)
    if not issubclass(means, Flag):
        member = _member(means, value)
        return ([member], 0) if member else ([], value)
    whole = _member(means, value)
    if whole or not value:
        return [whole] if whole else [], 0
    names, rest = [], value
    for flag in means:
        if flag.value & (flag.value - 1) == 0 and value & flag.value:
            names.append(flag.name or str(flag.value))
            rest &= ~flag.value
    return names, rest


def is_known(means: type[Enum], value: int, width: int) -> bool:
    """Whether every part of `value` has a name, or the whole says "absent"."""
    if absent_name(value, width):
        return True
    names, unnamed = names_of(means, value)
    return not unnamed and (bool(names) or issubclass(means, Flag))


def full_name(means: type[Enum], value: int) -> str:
    """The names joined by "|", what has no name in hexadecimal; "" where there is nothing to say."""
    names, unnamed = names_of(means, value)
    return "|".join([*names, *([f"{unnamed:#x}"] if unnamed and names else [])])


def scalar_text(value: float, of: Scalar, means: type[Enum] | None = None, unit: str = "") -> str:
    """A scalar as a person reads it: `RUNNING (1)`, `NO_VAL`, `60 min`, `2026-01-02T03:04:05Z (1767323045)`."""
    if of.name == "boolean":
        return "true" if value else "false"
    if of.name == "double":
        return f"{value:g}{f' {unit}' if unit else ''}"
    assert isinstance(value, int)
    if of.name == "epoch":
        return time_text(value)
    name = full_name(means, value) if means is not None else ""
    if name:
        return f"{name} ({_number(means, value)})"
    absent = absent_name(value, of.width)
    if absent:
        return f"{absent} ({value:#x})"
    if unit == "MiB" and of.width == 8 and value & MEM_PER_CPU:
        return f"{value & ~MEM_PER_CPU} MiB per CPU"
    if unit == _OVER_OFFSET:
        return f"{value - NICE_OFFSET:+} ({value:#x})"
    text = _number(means, value)
    return f"{text} {unit}" if unit else text


def time_text(value: int) -> str:
    """A point in time in UTC with the seconds since 1970; the numbers that are no time as they are."""
    if value == _NO_TIME:
        return f"NO_VAL ({value:#x})"
    if value <= 0 or value >= 1 << 35:
        return str(value)
    return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ} ({value})"


def _member(means: type[Enum], value: int) -> str | None:
    found = means._value2member_map_.get(value)
    return None if found is None else found.name


def _number(means: type[Enum] | None, value: int) -> str:
    return (
        f"{value:#x}" if value and means is not None and (issubclass(means, Flag) or means in COMPOSED) else str(value)
    )


def value_names(means: type[Enum]) -> list[str]:
    """Every member as "NAME number", flags in hexadecimal, those of a composed enum behind it."""
    hexadecimal = issubclass(means, Flag)
    names = [f"{name} {member.value:#x}" if hexadecimal else f"{name} {member.value}"
             for name, member in means.__members__.items()]  # fmt: skip
    return names + (value_names(COMPOSED[means][0]) if means in COMPOSED else [])
