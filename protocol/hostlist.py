"""Host lists: `n[1-3,07-09],login` to names and back.

Slurm's grammar, as its `scontrol show hostnames|hostlist|hostlistsorted` shows it: names stand apart by commas or white
space, and empty ones do not count. A name may hold bracket groups of comma-separated numbers and ranges; text behind a
group belongs to the name; every combination of several groups is meant. The first number of a range gives the width of
all. The last group runs fastest, then the first, the second and so on: that is the order in which Slurm counts.

`fold` keeps order and duplicates as `show hostlist` does. `fold_sorted` sorts as `show hostlistsorted` does, which
keeps duplicates too: whoever wants each name once passes a set. Slurm takes some text that can not mean anything
(brackets that do not pair) and replaces numbers above 64 bits by the largest one; here the former is refused and the
latter stays as it is written. Everything takes time linear in text and names, but for the sorting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, product

__all__ = [
    "LONGEST_NAME", "MAX_HOSTS", "HostlistError", "contains", "count", "difference", "expand", "fold", "fold_sorted",
    "in_order", "intersect",
]  # fmt: skip

MAX_HOSTS = 1 << 20
"""More names than this are a mistake or an attack, and are refused."""

LONGEST_NAME = 255
"""Longer names are refused where brackets make them: a short text can not ask for much memory."""

_DIGITS = "0123456789"
_LARGEST_NUMBER = (1 << 64) - 1
_SAFE_DIGITS = len(str(_LARGEST_NUMBER)) - 1
_BLANK = " \t\n"
_LITERAL_END = re.compile(r"[\[\], \t\n]|$")
_DIGIT_RUN = re.compile("[0-9]+")


_Range = tuple[int, int, int]
"""First and last number and the digits that they have at least."""

_Group = list[_Range]


class HostlistError(ValueError):
    """Text that is not a host list; the message names the piece and where it stands."""


def expand(text: str | None) -> list[str]:
    """The names of a host list, in its order, duplicates kept. Raises HostlistError."""
    names: list[str] = []
    for part in _parse(text or ""):
        names += part.names() if isinstance(part, _Expression) else part
    return names


def count(text: str | None) -> int:
    """How many names a host list has, without making them. Raises HostlistError."""
    return sum(part.size if isinstance(part, _Expression) else len(part) for part in _parse(text or ""))


def contains(text: str | None, name: str) -> bool:
    """Whether a host list has this name. Raises HostlistError."""
    parts = list(_parse(text or ""))
    return any(part.has(name) if isinstance(part, _Expression) else name in part for part in parts)


def intersect(text: str | None, other: str | None) -> list[str]:
    """The names of `text` that `other` has too, in the order of `text`, duplicates kept. Raises HostlistError."""
    wanted = set(expand(other))
    return [name for name in expand(text) if name in wanted]


def difference(text: str | None, other: str | None) -> list[str]:
    """The names of `text` that `other` has not, in the order of `text`, duplicates kept. Raises HostlistError."""
    unwanted = set(expand(other))
    return [name for name in expand(text) if name not in unwanted]


def fold(names: Iterable[str]) -> str:
    """The text for these names in their order: neighbours that count upwards become ranges, duplicates stay."""
    folded: list[str] = []
    ranges: list[str] = []
    current = ""
    for prefix, text in _runs(names):
        if ranges and text and prefix == current:
            ranges.append(text)
            continue
        if ranges:
            folded.append(_bracketed(current, ranges))
        if text:
            current, ranges = prefix, [text]
        else:
            folded.append(prefix)
            ranges = []
    if ranges:
        folded.append(_bracketed(current, ranges))
    return ",".join(folded)


def fold_sorted(names: Iterable[str]) -> str:
    """As `fold`, sorted: by what stands before the last number, then the shorter and the smaller number first.

    Numbers inside a name count as numbers (`r2n1` before `r10n1`), those with a leading zero come first.
    """
    return fold(in_order(names))


def in_order(names: Iterable[str]) -> list[str]:
    """The names in the order of `fold_sorted`, which is also the one in which Slurm numbers its nodes."""
    by_stem: dict[str, list[str]] = {}
    for name in names:
        by_stem.setdefault(name.rstrip(_DIGITS), []).append(name)
    for same in by_stem.values():
        same.sort()
        same.sort(key=len)
    return list(chain.from_iterable(by_stem[stem] for stem in sorted(by_stem, key=_natural)))


class _Expression:
    """A name with bracket groups: literal pieces and groups as they follow each other."""

    def __init__(self, parts: list[str | _Group]) -> None:
        self.parts = parts
        self.size = 1
        for part in parts:
            if not isinstance(part, str):
                self.size *= sum([last - first + 1 for first, last, _ in part])

    @property
    def longest(self) -> int:
        """How many characters its longest name has."""
        return sum(
            len(part) if isinstance(part, str) else max([max(width, len(str(last))) for _, last, width in part])
            for part in self.parts
        )

    def names(self) -> list[str]:
        heads, group, tail = self._taken_apart()
        names = (
            [name for head in heads for name in _counted(head, group)] if len(heads) > 1 else _counted(heads[0], group)
        )
        return [name + tail for name in names] if tail else names

    def has(self, name: str) -> bool:
        heads, group, tail = self._taken_apart()
        for head in heads:
            digits = name[len(head) : len(name) - len(tail)]
            if _is_number(digits) and name == head + digits + tail:
                value = int(digits)
                if any(
                    first <= value <= last and len(digits) == max(width, len(str(value)))
                    for first, last, width in group
                ):
                    return True
        return False

    def _taken_apart(self) -> tuple[list[str], _Group, str]:
        """What may stand before the last group, that group, the text behind it."""
        *before, last = self.parts
        tail = ""
        if isinstance(last, str):
            tail, last = last, before.pop()
        choices = [[part] if isinstance(part, str) else _counted("", part) for part in before]
        heads = ["".join(reversed(combination)) for combination in product(*reversed(choices))]
        assert not isinstance(last, str)
        return heads, last, tail


def _parse(text: str) -> Iterator[list[str] | _Expression]:
    """The names without brackets that follow each other, and the expressions between them."""
    total = position = 0
    while position <= len(text):
        opening = text.find("[", position)
        *plain, prefix = _separated(text, position, opening if opening >= 0 else len(text))
        if opening < 0:
            plain, position = [*plain, prefix], len(text) + 1
        names = [name for name in plain if name]
        total += len(names)
        _check_size(total, text)
        yield names
        if opening >= 0:
            expression, position = _read_expression(text, prefix, opening)
            total += expression.size
            _check_size(total, text)
            yield expression


def _separated(text: str, start: int, end: int) -> list[str]:
    """A stretch without opening bracket, cut at its separators."""
    stretch = text[start:end]
    if "]" in stretch:
        raise HostlistError(f"a closing bracket too many {_place(text, start + stretch.index(']'))}")
    for blank in _BLANK:
        stretch = stretch.replace(blank, ",")
    return stretch.split(",")


def _read_expression(text: str, prefix: str, opening: int) -> tuple[_Expression, int]:
    """The expression whose first group opens at `opening`, and the position behind it."""
    parts: list[str | _Group] = [prefix] if prefix else []
    end = start = opening
    while text[end : end + 1] == "[":
        closing = text.find("]", end)
        if closing < 0:
            raise HostlistError(f"a bracket without its end {_place(text, end)}")
        parts.append(_read_group(text, end + 1, closing))
        found = _LITERAL_END.search(text, closing + 1)
        end = found.start() if found else len(text)
        if end > closing + 1:
            parts.append(text[closing + 1 : end])
    expression = _Expression(parts)
    if expression.longest > LONGEST_NAME:
        raise HostlistError(f"names of more than {LONGEST_NAME} characters {_place(text, start)}")
    return expression, end


def _read_group(text: str, start: int, end: int) -> _Group:
    """`1-3,07` between brackets."""
    group: _Group = []
    for piece in text[start:end].split(","):
        if _is_number(piece):
            number = int(piece)
            group.append((number, number, len(piece)))
        else:
            group.append(_read_range(piece, text, start))
        start += len(piece) + 1
    return group


def _read_range(piece: str, text: str, start: int) -> _Range:
    """`1-3`; a blank in front of a number counts as width, as it does for Slurm."""
    first, dash, last = piece.partition("-")
    low = first.strip(_BLANK) if dash else first.lstrip(_BLANK)
    high = last.lstrip(_BLANK) if last else low
    if not (_is_number(low) and _is_number(high)):
        raise HostlistError(f"{_clip(piece)} is neither a number nor a range {_place(text, start)}")
    if int(high) < int(low):
        raise HostlistError(f"the range {_clip(piece)} runs backwards {_place(text, start)}")
    return int(low), int(high), len(first)


def _is_number(text: str) -> bool:
    return text.isdigit() and text.isascii() and len(text) <= LONGEST_NAME


def _counted(head: str, group: _Group) -> list[str]:
    """The numbers of a group, each behind the same text."""
    names: list[str] = []
    for first, last, width in group:
        if first == last:
            names.append(head + str(first).zfill(width))
            continue
        padded_end = min(last + 1, max(first, 10 ** (width - 1)))
        if first < padded_end:
            names += _listed(head, range(10**width + first, 10**width + padded_end), "1")
        if padded_end <= last:
            names += _listed(head, range(padded_end, last + 1), "")
    return names


def _listed(head: str, numbers: range, dropped: str) -> list[str]:
    """Numbers without their first digits `dropped`, behind a text: the list of all as one text, which is far faster."""
    text = str(list(numbers))[1 + len(dropped) : -1]
    return (head + text.replace(", " + dropped, "," + head)).split(",")


def _runs(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each run of names as its prefix and `3` or `3-5`, a name without number as itself and nothing."""
    prefix = first = following = ""
    number = begin = -1
    width = 0
    for name in names:
        if name == following and len(name) <= LONGEST_NAME:
            number += 1
            following = prefix + str(number + 1).zfill(width)
            continue
        if first:
            yield prefix, first if number == begin else f"{first}-{str(number).zfill(width)}"
        prefix = name.rstrip(_DIGITS)
        first = name[len(prefix) :]
        width = len(first)
        if not first or len(name) > LONGEST_NAME or (width > _SAFE_DIGITS and int(first) > _LARGEST_NUMBER):
            yield name, ""
            first = following = ""
            continue
        number = begin = int(first)
        following = prefix + str(number + 1).zfill(width)
    if first:
        yield prefix, first if number == begin else f"{first}-{str(number).zfill(width)}"


def _check_size(total: int, text: str) -> None:
    if total > MAX_HOSTS:
        raise HostlistError(f"more than {MAX_HOSTS} hosts in {_clip(text)}")


def _bracketed(prefix: str, ranges: list[str]) -> str:
    if len(ranges) == 1 and "-" not in ranges[0]:
        return prefix + ranges[0]
    return f"{prefix}[{','.join(ranges)}]"


def _natural(stem: str) -> str:
    """A key that sorts numbers by their value: it puts their length in front.

    The end of a number with leading zeros sorts before everything, as its digits count from the left.
    """
    return _DIGIT_RUN.sub(lambda run: run[0] + "\0" if run[0][0] == "0" else f"1{chr(len(run[0]))}{run[0]}", stem)


def _clip(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _place(text: str, position: int) -> str:
    """Where something stands, with enough of the text around it to find it."""
    start = max(position - 20, 0)
    return f"at character {position + 1}, near {_clip(text[start : position + 40])}"
