"""Times and spans as they are typed: `-t 1-12:30`, `--begin=now+1hour`, `--begin=16:00`, `--begin=2026-12-24T18:00`."""

from __future__ import annotations

import re
import time

from protocol.constants import INFINITE

__all__ = ["parse_minutes", "parse_moment"]

_UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_SPAN = re.compile(r"(?:(\d+)-(?=\d))?(\d+)(?::(\d+))?(?::(\d+))?")
_DAY_S = 86400


def parse_minutes(text: str) -> int:
    """A time limit in minutes, a part of one counting as whole.

    `90`, `1:30` (minutes and seconds), `1:30:00`, `1-2` (days and hours), `1-2:30:00`, `infinite`. Raises ValueError.
    """
    if text.lower() in ("infinite", "unlimited", "-1"):
        return INFINITE
    if not (match := _SPAN.fullmatch(text)):
        raise ValueError(text)
    days, first, second, third = match.groups()
    if days is not None:
        seconds = int(days) * _DAY_S + int(first) * 3600 + int(second or 0) * 60 + int(third or 0)
    elif third is not None:
        seconds = int(first) * 3600 + int(second) * 60 + int(third)
    else:
        seconds = int(first) * 60 + int(second or 0)
    return -(-seconds // 60)


def parse_moment(text: str, now_s: float) -> int:
    """A point in time in seconds since the epoch. Raises ValueError."""
    lowered = text.strip().lower()
    if lowered.startswith("now"):
        return int(now_s) + _delta(lowered[3:])
    if lowered.startswith("uts"):
        return int(lowered[3:])
    midnight = _at(now_s, 0, 0, 0)
    words = {"today": midnight, "midnight": midnight + _DAY_S, "tomorrow": midnight + _DAY_S}
    words |= {"noon": midnight + 12 * 3600, "fika": midnight + 15 * 3600, "teatime": midnight + 16 * 3600}
    if lowered in words:
        return words[lowered] if words[lowered] > now_s or lowered == "today" else words[lowered] + _DAY_S
    date, joint, clock = lowered.partition("t") if "t" in lowered else ("", "", lowered)
    if not joint and re.fullmatch(r"\d{4}-\d\d-\d\d|\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})?|\d{4}|\d{6}", lowered):
        date, clock = lowered, "00:00"
    hour, minute, second = _clock(clock)
    if not date:
        moment = _at(now_s, hour, minute, second)
        return moment if moment > now_s else moment + _DAY_S
    year, month, day = _date(date, now_s)
    return int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))


def _delta(text: str) -> int:
    if not text:
        return 0
    match = re.fullmatch(r"([+-])(\d+)\s*([a-z]*)", text)
    if not match:
        raise ValueError(text)
    unit = match[3] or "second"
    factor = next((value for name, value in _UNITS_S.items() if name.startswith(unit.removesuffix("s") or unit)), None)
    if factor is None:
        raise ValueError(text)
    return (-1 if match[1] == "-" else 1) * int(match[2]) * factor


def _at(now_s: float, hour: int, minute: int, second: int) -> int:
    today = time.localtime(now_s)
    return int(time.mktime((today.tm_year, today.tm_mon, today.tm_mday, hour, minute, second, 0, 0, -1)))


def _clock(text: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"(\d{1,2}):(\d\d)(?::(\d\d))?\s*(am|pm)?", text)
    if not match:
        raise ValueError(text)
    hour = int(match[1]) % 12 + (12 if match[4] == "pm" else 0) if match[4] else int(match[1])
    minute, second = int(match[2]), int(match[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(text)
    return hour, minute, second


def _date(text: str, now_s: float) -> tuple[int, int, int]:
    this_year = time.localtime(now_s).tm_year
    if match := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text):
        return int(match[1]), int(match[2]), int(match[3])
    if match := re.fullmatch(r"(\d{1,2})/(\d{1,2})(?:/(\d{2,4}))?", text):
        month, day, year = int(match[1]), int(match[2]), match[3]
    elif match := re.fullmatch(r"(\d{1,2})\.(\d{1,2})(?:\.(\d{2,4}))?", text):
        month, day, year = int(match[2]), int(match[1]), match[3]
    elif match := re.fullmatch(r"(\d\d)(\d\d)(\d\d)?", text):
        month, day, year = int(match[1]), int(match[2]), match[3]
    else:
        raise ValueError(text)
    return (int(year) + (2000 if len(year) == 2 else 0) if year else this_year), month, day
