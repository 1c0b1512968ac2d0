"""Parsers of single values, shared by flurm.toml (typed values) and slurm.conf (text).

Each takes what the file holds and returns the value that the configuration keeps, or raises ValueError with what
would have been right. Numbers may come as text because slurm.conf knows nothing else, and lists as comma separated
text for the same reason.
"""

import re
from collections.abc import Callable, Iterable

from flurm.core.licenses import parse as parse_licenses

Parser = Callable[[object], object]

_UNLIMITED = {"unlimited", "infinite", "none", "-1"}
_TRUE, _FALSE = {"yes", "true", "up", "1"}, {"no", "false", "down", "0"}
_MEMORY = re.compile(r"(\d+)\s*([kmgt]?)b?", re.IGNORECASE)
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
_MIB = {"": 1, "m": 1, "g": 1024, "t": 1024 * 1024}


def text(value: object) -> str:
    """A piece of text that is not empty."""
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError("expected text")


def any_text(value: object) -> str:
    """Text that may be empty."""
    if isinstance(value, str):
        return value
    raise ValueError("expected text")


def name(value: object) -> str:
    """A name: letters, digits, '.', '_' and '-'."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]*", value):
        return value
    raise ValueError("expected a name of letters, digits, '.', '_' and '-'")


def flag(value: object) -> bool:
    """A yes or a no, as a boolean or in Slurm's words."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if isinstance(value, str | int) and word in _TRUE | _FALSE:
        return word in _TRUE
    raise ValueError("expected true or false (in slurm.conf YES or NO)")


def integer(low: int = 0, high: int = 0xFFFFFFFF) -> Parser:
    """Return a parser of whole numbers from low to high."""

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise ValueError(f"expected a whole number from {low} to {high}")

    return parse


def integer_or_unlimited(low: int = 0, high: int = 0xFFFFFFF0) -> Parser:
    """Return a parser of whole numbers that also takes "unlimited", which becomes None."""

    def parse(value: object) -> int | None:
        if is_unlimited(value):
            return None
        try:
            return integer(low, high)(value)  # type: ignore[return-value]
        except ValueError as wrong:
            raise ValueError(f'{wrong}, or "unlimited"') from None

    return parse


def is_unlimited(value: object) -> bool:
    """Tell whether value says that there is no limit."""
    return value == -1 or (isinstance(value, str) and value.lower() in _UNLIMITED)


def port(value: object) -> int:
    """A TCP port."""
    try:
        return integer(1, 65535)(value)  # type: ignore[return-value]
    except ValueError:
        raise ValueError("expected a port from 1 to 65535") from None


def minutes(value: object) -> int | None:
    """A time limit in minutes: a number or Slurm's text ([days-]hours:minutes:seconds ...); None where unlimited."""
    if is_unlimited(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 0xFFFFFFF0:
        return value
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('expected minutes, "[days-]hours:minutes:seconds" or "unlimited"')
    days, *rest = found.groups()
    given = [int(part) for part in rest if part is not None]
    if days is not None:
        hours, mins, secs = [*given, 0, 0][:3]
        return int(days) * 1440 + hours * 60 + mins + (secs > 0)
    if len(given) == 3:
        return given[0] * 60 + given[1] + (given[2] > 0)
    return given[0] + (len(given) == 2 and given[1] > 0)


def over_time_limit(value: object) -> int:
    """How many minutes a job may overrun its limit; without end is 65535, which none is told from."""
    found = minutes(value)
    return 65535 if found is None else found


def seconds(value: object) -> int | None:
    """A span in seconds: a number or Slurm's text; None where unlimited."""
    if is_unlimited(value):
        return None
    if isinstance(value, str) and re.fullmatch(r"\d+", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (":" in value or "-" in value):
        whole = minutes(re.sub(r":\d+$", "", value)) if value.count(":") == 2 else minutes(value)
        tail = int(value.rsplit(":", 1)[1]) if value.count(":") == 2 else 0
        return None if whole is None else whole * 60 + tail
    raise ValueError('expected seconds, "[days-]hours:minutes:seconds" or "unlimited"')


def memory_mib(value: object) -> int:
    """An amount of memory or disk: MiB as a number, or text with K, M, G or T."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('expected MiB as a number, or text like "64G"')
    count, unit = int(found[1]), found[2].lower()
    return -(-count // 1024) if unit == "k" else count * _MIB[unit]


def memory_or_unlimited(value: object) -> int | None:
    """An amount of memory in MiB; None where unlimited (0 counts as unlimited, as in Slurm)."""
    return None if is_unlimited(value) else (memory_mib(value) or None)


def strings(value: object) -> tuple[str, ...]:
    """A list of names, as a list or as comma separated text; a comma inside [...] does not separate."""
    if isinstance(value, str):
        return tuple(each for each in split_outside_brackets(value) if each)
    if isinstance(value, list | tuple) and all(isinstance(each, str) and each for each in value):
        return tuple(value)
    raise ValueError("expected a list of names")


def limited_names(value: object) -> tuple[str, ...] | None:
    """A list of names; None where all are meant ("ALL")."""
    found = strings(value)
    return None if len(found) == 1 and found[0].upper() == "ALL" else found


def split_outside_brackets(value: str) -> list[str]:
    """Split comma separated text, leaving the commas inside square brackets alone."""
    return [each.strip() for each in re.split(r",(?![^\[]*\])", value)]


def one_of(*words: str) -> Parser:
    """Return a parser that takes one of words in any case and returns it as spelt here."""
    by_lower = {word.lower(): word for word in words}

    def parse(value: object) -> str:
        if isinstance(value, str) and value.lower() in by_lower:
            return by_lower[value.lower()]
        raise ValueError(f"expected one of {listing(words)}")

    return parse


JOB_SUBMIT_PLUGINS = ("all_partitions", "logging", "lua", "python", "require_timelimit")


def job_submit_plugins(value: object) -> tuple[str, ...]:
    """Plugins that look at submissions, in their order, with or without "job_submit/"."""
    found = tuple(each.strip().removeprefix("job_submit/") for each in strings(value))
    if unknown := [each for each in found if each not in JOB_SUBMIT_PLUGINS]:
        raise ValueError(f"expected some of {', '.join(JOB_SUBMIT_PLUGINS)}; FLURM has no {', '.join(unknown)}")
    return found


def auth_alt_types(value: object) -> tuple[str, ...]:
    """Further plugins that credentials may come from; jwt (in slurm.conf auth/jwt) is the only one."""
    try:
        found = tuple(dict.fromkeys(each.lower().removeprefix("auth/") for each in strings(value)))
    except ValueError:
        found = ("",)
    if set(found) <= {"jwt"}:
        return found
    raise ValueError("expected jwt, or nothing")


def words_of(*words: str) -> Parser:
    """Return a parser of comma separated words, each one of words; returns them as spelt here, joined by commas."""
    one = one_of(*words)

    def parse(value: object) -> str:
        try:
            return ",".join(str(one(each)) for each in strings(value))
        except ValueError:
            raise ValueError(f"expected one or more of {listing(words)}") from None

    return parse


def listing(words: Iterable[str]) -> str:
    """Return words as they are shown in a message."""
    return ", ".join(words)


def fraction(value: object) -> float:
    """A part of one: 0 or more, less than 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError("expected a number from 0 to less than 1, such as 0.01")
    return float(value)


def pair(value: object) -> tuple[int, int]:
    """A range of milliseconds [low, high] with 0 < low <= high."""
    if isinstance(value, list | tuple) and len(value) == 2:
        low, high = value
        if type(low) is int and type(high) is int and 0 < low <= high:
            return low, high
    raise ValueError("expected [lowest, highest] in milliseconds, lowest first")


def licenses(value: object) -> str:
    """Licenses as Slurm's text ("matlab:4,ansys"); empty for none."""
    try:
        text = any_text(value)
        parse_licenses(text)
    except ValueError:
        raise ValueError('expected names with counts, like "matlab:4,ansys:2"') from None
    return text


def gres(value: object) -> str:
    """Generic resources as Slurm's text ("gpu:a100:4"); a list of such, or a table { gpu = { type, count } }."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ",".join(gres(each) for each in value)
    if isinstance(value, dict):
        return ",".join(_gres_of(str(key), each) for key, each in value.items())
    raise ValueError('expected text like "gpu:a100:4", a list of such, or { gpu = { type = "a100", count = 4 } }')


def _gres_of(kind: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return f"{kind}:{value}"
    if isinstance(value, list):
        return ",".join(_gres_of(kind, each) for each in value)
    if isinstance(value, dict) and set(value) <= {"type", "count"} and isinstance(value.get("count", 1), int):
        return ":".join(str(part) for part in (kind, value.get("type"), value.get("count", 1)) if part is not None)
    raise ValueError('expected a count or { type = "a100", count = 4 }')


def over_subscribe(value: object) -> str:
    """How many jobs may share a resource: NO, YES[:n], FORCE[:n] or EXCLUSIVE, in capitals."""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    found = re.fullmatch(r"(NO|EXCLUSIVE|(?:YES|FORCE)(?::[1-9]\d{0,3})?)", str(value).upper())
    if found is None:
        raise ValueError("expected NO, YES[:count], FORCE[:count] or EXCLUSIVE")
    return found[1]


def enforce_part_limits(value: object) -> str:
    """Which partition limits a submission must meet: ALL, ANY or NO (true is ALL, false is NO)."""
    if isinstance(value, bool):
        return "ALL" if value else "NO"
    word = str(value).upper()
    if word not in ("ALL", "ANY", "NO", "YES"):
        raise ValueError("expected ALL, ANY or NO")
    return "ALL" if word == "YES" else word
