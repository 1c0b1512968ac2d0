"""Host lists: `n[1-3,07-09],login` to names and back.

Slurm's grammar: names separated by commas; a name may hold bracket groups of comma-separated numbers and ranges, every
combination of several groups is meant, leading zeros give the width. Both directions take time linear in the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product

__all__ = ["MAX_HOSTS", "HostlistError", "count", "expand", "fold"]

MAX_HOSTS = 1 << 20
"""More names than this are a mistake or an attack, and are refused."""

_TRAILING_NUMBER = re.compile(r"^(.*?)(\d+)$", re.DOTALL)
_RANGE = re.compile(r"^(\d+)(?:-(\d+))?$")
_LONGEST_NUMBER = 18


class HostlistError(ValueError):
    """Text that is not a host list."""


def expand(text: str | None) -> list[str]:
    """The names of a host list, in its order, duplicates kept. Raises HostlistError."""
    if count(text) > MAX_HOSTS:
        raise HostlistError(f"more than {MAX_HOSTS} hosts")
    names: list[str] = []
    for parts in _expressions(text or ""):
        if len(parts) == 1 and isinstance(parts[0], str):
            names.append(parts[0])
            continue
        choices = [(part,) if isinstance(part, str) else _numbers(part) for part in parts]
        names.extend("".join(combination) for combination in product(*choices))
    return names


def count(text: str | None) -> int:
    """How many names a host list has, without making them. Raises HostlistError."""
    total = 0
    for parts in _expressions(text or ""):
        size = 1
        for part in parts:
            if not isinstance(part, str):
                size *= sum(last - first + 1 for first, last, _ in part)
        total += size
    return total


def fold(names: Iterable[str]) -> str:
    """The shortest usual text for these names: sorted within a prefix, duplicates dropped, prefixes as they come.

    Numbers of different width are different hosts (`n1`, `n01`) and stay in groups of their own.
    """
    groups: dict[str, dict[int, list[str]] | None] = {}
    for name in names:
        match = _TRAILING_NUMBER.match(name)
        if match is None or len(match[2]) > _LONGEST_NUMBER:
            groups.setdefault(name + "\0", None)
            continue
        lengths = groups.setdefault(match[1], {})
        assert lengths is not None
        lengths.setdefault(len(match[2]), []).append(match[2])
    return ",".join(_folded(prefix, lengths) for prefix, lengths in groups.items())


Range = tuple[int, int, int]


def _expressions(text: str) -> Iterator[list[str | list[Range]]]:
    """Each comma-separated expression as literal pieces and bracket groups."""
    parts: list[str | list[Range]] = []
    start = position = 0
    while position <= len(text):
        mark = text[position] if position < len(text) else ","
        if mark == "[":
            end = text.find("]", position)
            if end < 0:
                raise HostlistError(f"a bracket without its end in {text[:200]!r}")
            if position > start:
                parts.append(text[start:position])
            parts.append(_ranges(text[position + 1 : end]))
            start = position = end + 1
            continue
        if mark == "]":
            raise HostlistError(f"a closing bracket too many in {text[:200]!r}")
        if mark == ",":
            if position > start:
                parts.append(text[start:position])
            if parts:
                yield parts
            parts = []
            start = position + 1
        position += 1


def _ranges(text: str) -> list[Range]:
    """`1-3,07` as (first, last, width)."""
    ranges: list[Range] = []
    for piece in text.split(","):
        match = _RANGE.match(piece)
        if match is None or len(piece) > 2 * _LONGEST_NUMBER + 1:
            raise HostlistError(f"{piece[:40]!r} is neither a number nor a range")
        first, last = match[1], match[2] or match[1]
        if int(last) < int(first):
            raise HostlistError(f"the range {piece!r} runs backwards")
        ranges.append((int(first), int(last), len(first)))
    return ranges


def _numbers(ranges: list[Range]) -> list[str]:
    return [str(number).zfill(width) for first, last, width in ranges for number in range(first, last + 1)]


def _folded(prefix: str, lengths: dict[int, list[str]] | None) -> str:
    if lengths is None:
        return prefix[:-1]
    plain: set[int] = set()
    pieces: list[str] = []
    for length, digits in sorted(lengths.items()):
        numbers = set(map(int, digits))
        if length > 1 and any(text[0] == "0" for text in digits):
            pieces.extend(_runs(sorted(numbers), length))
        else:
            plain |= numbers
    if plain:
        pieces = [*_runs(sorted(plain), 0), *pieces]
    if len(pieces) == 1 and "-" not in pieces[0]:
        return prefix + pieces[0]
    return f"{prefix}[{','.join(pieces)}]"


def _runs(numbers: list[int], width: int) -> Iterator[str]:
    """Neighbouring numbers as ranges; numbers with leading zeros keep their width."""
    first = last = numbers[0]
    for number in [*numbers[1:], None]:
        if number is not None and number == last + 1:
            last = number
            continue
        low, high = str(first).zfill(width), str(last).zfill(width)
        yield low if first == last else f"{low}-{high}"
        if number is not None:
            first = last = number
