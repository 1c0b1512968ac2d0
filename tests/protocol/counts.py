"""Where the lengths and counts of a body are.

A second reading of the tables, field by field and without the compiler: it walks a well-formed body as its WIRE table
says and notes every place that announces how much follows, or whether something does.
"""

from __future__ import annotations

from typing import Any

from protocol.layout import resolve
from protocol.schema import (
    BODIES,
    EXPRESSION_NAMES,
    Array,
    Body,
    Chain,
    Entry,
    Field,
    If,
    ListOf,
    Nested,
    Record,
    Repeat,
    Scalar,
    Simple,
    Switch,
    Tail,
    Vector,
    Versioned,
)
from protocol.wire import TOKEN_START, read_bits
from tests.protocol.wire_data import deciding_names, is_set

__all__ = ["Place", "count_places"]

Place = tuple[int, int]
"""Offset and width of a length or count."""

_NO_LIST = 0xFFFFFFFE


def count_places(record: type[Record], data: bytes, version: int) -> list[Place]:
    """Every length, count and deciding flag in a body, in order. The body must be well-formed."""
    walk = _Walk(data)
    walk.record(record, version)
    assert walk.offset == len(data), f"{record.__name__}: {walk.offset} of {len(data)} bytes walked"
    return walk.places


class _Walk:
    def __init__(self, data: bytes) -> None:
        self.data, self.offset = data, 0
        self.places: list[Place] = []

    def record(self, record: type[Record], version: int) -> dict[str, Any]:
        entries = resolve(record, version)
        values: dict[str, Any] = {}
        self._entries(entries, values, deciding_names(entries), version)
        return values

    def _entries(self, entries: tuple[Entry, ...], values: dict[str, Any], deciding: set[str], version: int) -> None:
        for entry in entries:
            match entry:
                case Field(name, of):
                    if name in deciding and isinstance(of, Scalar):
                        self.places.append((self.offset, of.width))
                    values[name] = self._value(of, values, version)
                case If(condition, then, otherwise):
                    self._entries(then if _evaluate(condition, values) else otherwise, values, deciding, version)
                case Switch(field, cases):
                    for numbers, then in cases:
                        if values[field] in numbers:
                            self._entries(then, values, deciding, version)

    def _number(self, width: int) -> int:
        self.offset += width
        return int.from_bytes(self.data[self.offset - width : self.offset], "big")

    def _count(self, width: int = 4) -> int:
        self.places.append((self.offset, width))
        return self._number(width)

    def _skip(self, size: int) -> None:
        self.offset += size

    def _value(self, of: Any, values: dict[str, Any], version: int) -> Any:
        match of:
            case Scalar(width=width):
                return self._number(width)
            case Simple(name=name):
                return self._simple(name)
            case Nested(record=record):
                return self.record(record, version)
            case Versioned(record=record, version_field=field):
                return self.record(record, values[field])
            case Vector(of=of):
                return self._elements(of, self._count(), values, version)
            case ListOf(of=of):
                count = self._count()
                return None if count == _NO_LIST else self._elements(of, count, values, version)
            case Array(of=of, count=count):
                return self._elements(of, self._count(count.width), values, version)
            case Repeat(of=of, count=count, absent=absent):
                present = [not absent or not is_set(values[absent], i) for i in range(_evaluate(count, values))]
                return self._elements(of, sum(present), values, version)
            case Tail(of=of):
                return None if self.offset == len(self.data) else self._value(of, values, version)
            case Chain(record=record, flag=flag, next_flag=next_flag, value=value):
                following = values[flag]
                while following == value:
                    following = self.record(record, version)[next_flag]
                return None
            case Body(type_field=field, version_field=version_field):
                inner = BODIES[values[field]]
                return inner and self.record(inner, values[version_field] if version_field else version)
        raise AssertionError(of)

    def _elements(self, of: Any, count: int, values: dict[str, Any], version: int) -> list[Any]:
        return [self._value(of, values, version) for _ in range(count)]

    def _simple(self, name: str) -> Any:
        if name == "rest":
            self.offset = len(self.data)
        elif name == "token":
            absent = self.data.startswith(bytes(4), self.offset)
            if absent or not self.data.startswith(TOKEN_START, self.offset + 4):
                return None
            self._skip(self._count())
            return "token"
        elif name == "bits":
            self.places.append((self.offset, 4))
            if self.data[self.offset : self.offset + 4] != _NO_LIST.to_bytes(4, "big"):
                self.places.append((self.offset + 4, 4))
            bitmap, self.offset = read_bits(self.data, self.offset)
            return bitmap
        elif name == "addr":
            family = self._number(2)
            if family == 10:
                self._skip(self._count())
            self.offset += {2: 6, 10: 2}.get(family, 0)
        else:
            self._skip(self._count())
        return None


def _evaluate(expression: str, values: dict[str, Any]) -> Any:
    return eval(expression, dict(EXPRESSION_NAMES), _Dotted(values))


class _Dotted(dict[str, Any]):
    """Values by name; those of a nested record by attribute, as expressions write it."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return _Nested(value) if isinstance(value, dict) else value


class _Nested:
    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)
