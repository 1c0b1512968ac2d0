"""How Slurm's commands write values: times, spans of time, amounts, users, and things that are not there."""

from __future__ import annotations

import grp
import math
import os
import pwd
import time
from functools import cache

from protocol.constants import INFINITE, INFINITE16, NICE_OFFSET, NO_VAL, NO_VAL16

__all__ = [
    "amount",
    "clock",
    "full_span",
    "group_name",
    "memory",
    "moment",
    "nice_value",
    "or_null",
    "span",
    "star",
    "user_name",
]

_UNITS = "KMGTP"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def span(seconds: int) -> str:
    """`[days-][hours:]minutes:seconds`, as squeue and sinfo write it."""
    if seconds < 0:
        return "INVALID"
    days, rest = divmod(seconds, _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, secs = divmod(rest, _MINUTE)
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{secs:02}"
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def full_span(seconds: int) -> str:
    """`[days-]hours:minutes:seconds` with two digits each, as scontrol writes it."""
    if seconds < 0:
        return "INVALID"
    days, rest = divmod(seconds, _DAY)
    clock_text = f"{rest // _HOUR:02}:{rest % _HOUR // _MINUTE:02}:{rest % _MINUTE:02}"
    return f"{days}-{clock_text}" if days else clock_text


def moment(when_s: int, absent: str = "Unknown") -> str:
    """A point in time by the local clock; SLURM_TIME_FORMAT may hold another strftime format."""
    if when_s in (0, NO_VAL, INFINITE):
        return absent
    wanted = os.environ.get("SLURM_TIME_FORMAT", "")
    if "%" not in wanted:
        wanted = "%Y-%m-%dT%H:%M:%S"
    return time.strftime(wanted, time.localtime(when_s))


def clock(now_s: float) -> str:
    """The date line above long listings."""
    return time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(now_s))


def amount(value: float, unit: str = "", *, exact: bool = True) -> str:
    """A number with the largest unit of 1024 that fits it: 2048 MiB are 2G. `unit` is the one that value has.

    An exact amount is only converted while nothing is lost; otherwise two decimals are kept.
    """
    if value == 0:
        return f"{0}"
    index = _UNITS.find(unit) if unit else -1
    while value >= 1024 and index < len(_UNITS) - 1 and not (exact and value % 1024):
        value /= 1024
        index += 1
    number = str(int(value)) if value == math.floor(value) else f"{value:.2f}"
    return number + (_UNITS[index] if index >= 0 else "")


def memory(mib: int) -> str:
    """MiB with their unit."""
    return amount(mib, "M")


@cache
def user_name(uid: int) -> str:
    """The name of a user, the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "nobody"


@cache
def group_name(gid: int) -> str:
    """The name of a group, the number where there is none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def or_null(text: str | None) -> str:
    """A string, `(null)` where there is none."""
    return "(null)" if text is None else text


def star(value: int) -> str:
    """A 16-bit count, `*` where it was not asked for."""
    return "*" if value in (NO_VAL16, INFINITE16) else str(value)


def nice_value(wire: int) -> int:
    """Nice, which travels with an offset."""
    return wire - NICE_OFFSET
