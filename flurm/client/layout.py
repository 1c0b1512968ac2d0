"""The format languages of squeue and sinfo.

`-o "%.18i %9P|..."`: a percent sign, a dot for right alignment, a width, a letter, and text up to the next one.
`-O "JobID:8,Name:.10"`: words, with dot and width behind a colon, 20 wide where nothing is said. Both become a list of
columns; a column that was not understood stays as the text that it was written as, after a complaint on stderr.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Column", "Field", "complain_to_stderr", "long_format", "render", "short_format"]


class Field(NamedTuple):
    """One thing that can be shown: its heading and how its text comes from an item and its surroundings."""

    header: str
    text: Callable[[Any, Any], str]


class Column(NamedTuple):
    """A field with its place; without a field the suffix is all there is."""

    field: Field | None
    width: int = 0
    right: bool = False
    suffix: str = ""

    def fit(self, text: str) -> str:
        """The text in the column's width, cut or padded."""
        if not self.width:
            return text + self.suffix
        text = text[: self.width]
        return (text.rjust(self.width) if self.right else text.ljust(self.width)) + self.suffix


_SHORT = re.compile(r"%(\.?)(\d*)(.)([^%]*)", re.S)
_DEFAULT_WIDTH = 20


def complain_to_stderr(text: str) -> None:
    """How complaints about a format are made unless a test wants them."""
    print(text, file=sys.stderr)


def short_format(
    text: str, fields: Mapping[str, Field], complaint: str, complain: Callable[[str], None] = complain_to_stderr
) -> list[Column]:
    """The columns of a `-o` format; `complaint` is what stands before a letter that is none."""
    columns: list[Column] = []
    before, percent, rest = text.partition("%")
    if before:
        columns.append(Column(None, suffix=before))
    if rest.startswith("all"):
        separator = rest[3:].removeprefix("%") or "|"
        letters = sorted(fields, key=lambda letter: (letter.isupper(), letter))
        ends = [separator[0]] * (len(letters) - 1) + [""]
        return columns + [Column(fields[each], suffix=end) for each, end in zip(letters, ends, strict=True)]
    for match in _SHORT.finditer(percent + rest):
        dot, width, letter, suffix = match.groups()
        if letter in fields:
            columns.append(Column(fields[letter], int(width or 0), bool(dot), suffix))
        else:
            complain(f"{complaint}: {letter}")
            columns.append(Column(None, suffix=match[0]))
    return columns


def long_format(
    text: str, fields: Mapping[str, Field], complaint: str, complain: Callable[[str], None] = complain_to_stderr
) -> list[Column]:
    """The columns of a `-O` format; fields are found by lower-case name."""
    columns: list[Column] = []
    for word in filter(None, text.split(",")):
        name, _, place = word.partition(":")
        right = place.startswith(".")
        digits = re.match(r"\d*", place.lstrip(".-"))
        size = digits[0] if digits else ""
        suffix = place.lstrip(".-")[len(size) :]
        if (field := fields.get(name.strip().lower())) is None:
            complain(f"{complaint}: {name}")
            continue
        columns.append(Column(field, int(size or _DEFAULT_WIDTH), right, suffix))
    return columns


def render(columns: Sequence[Column], items: Iterable[Any], view: Any, *, header: bool = True) -> Iterable[str]:
    """The lines: headings first, then one per item."""
    if header:
        yield "".join(each.fit(each.field.header) if each.field else each.suffix for each in columns)
    for item in items:
        yield "".join(each.fit(each.field.text(item, view)) if each.field else each.suffix for each in columns)
