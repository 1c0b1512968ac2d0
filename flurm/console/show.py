"""Values of the console as text for people and as data for programs."""

from __future__ import annotations

import pprint
from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

__all__ = ["plain", "text"]

WIDTH = 110
MAX_TEXT = 256 * 1024
MAX_CELL = 60
MAX_DEPTH = 12


def text(value: Any) -> str:
    """For people: texts as they are, equal records as a table, the rest as Python writes it, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _cut(value)
    if _is_table(value):
        return _cut(_table(value))
    if isinstance(value, Mapping) and value and all(_is_simple(each) for each in value.values()):
        wide = max(len(str(key)) for key in value)
        return _cut("\n".join(f"{key!s:<{wide}}  {_cell(each)}" for key, each in value.items()))
    return _cut(pprint.pformat(value, width=WIDTH, sort_dicts=False))


def plain(value: Any, depth: int = 0) -> Any:
    """The same as JSON can hold it; what it cannot hold becomes its text."""
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth > MAX_DEPTH:
        return repr(value)
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name), depth + 1) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each, depth + 1) for each in value]
    return repr(value)


def _is_table(value: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        return False
    keys = list(value[0])
    return all(list(row) == keys for row in value) and all(_is_simple(each) for row in value for each in row.values())


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _table(rows: list[dict[str, Any]]) -> str:
    columns = list(rows[0])
    cells = [columns, *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _cell(value: Any) -> str:
    shown = "" if value is None else value.name if isinstance(value, Enum) else str(value)
    return shown if len(shown) <= MAX_CELL else shown[: MAX_CELL - 1] + "…"


def _cut(shown: str) -> str:
    return shown if len(shown) <= MAX_TEXT else f"{shown[:MAX_TEXT]}\n… {len(shown) - MAX_TEXT} more characters"
