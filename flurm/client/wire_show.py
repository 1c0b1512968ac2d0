"""What a message or a nested structure consists of: its table as text and as plain data.

A subject is a message (by name or number) or a record (by class name). Bounds are the releases that carry a field in
this place; without any, all do.
"""

from __future__ import annotations

import difflib
import linecache
from collections.abc import Iterator
from typing import Any

import msgspec

from protocol import versions
from protocol.codec import message_name
from protocol.compiler import compiled
from protocol.constants import MESSAGE_BOUNDS, DbdMessageType, MessageType
from protocol.schema import (
    BODIES,
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
    Vector,
    Versioned,
    WireType,
)

__all__ = ["Row", "Subject", "UnknownSubject", "find_subject", "rows", "sources", "type_text"]

_NAMES: dict[str, int] = {
    name: int(member) for enum in (DbdMessageType, MessageType) for name, member in enum.__members__.items()
}


class UnknownSubject(Exception):
    """No message and no record is called like this; `near` are the names closest to it."""

    def __init__(self, name: str, near: list[str]) -> None:
        self.near = near
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"no message or record is called {name!r}{hint}")


class Subject(msgspec.Struct, frozen=True):
    """A message with its body, or a record alone (`number` None). `record` is None where the body is empty or has no
    layout here; `known` tells the two apart."""

    name: str
    number: int | None
    record: type[Record] | None
    known: bool = True

    @property
    def bounds(self) -> tuple[int, int]:
        """First and last release in which the message exists."""
        return MESSAGE_BOUNDS.get(self.number or -1, (versions.OLDEST, versions.NEWEST))


class Row(msgspec.Struct, frozen=True):
    """A line of a table: a field, or a condition (`type` "") over the deeper rows behind it."""

    depth: int
    name: str
    type: str = ""
    since: str | None = None
    until: str | None = None
    means: str = ""
    unit: str = ""

    @property
    def bounds(self) -> str:
        """The releases as text, "" for all of them."""
        if self.since == self.until:
            return self.since or ""
        return f"{self.since or ''}..{self.until or ''}"


def find_subject(name: str) -> Subject:
    """The message or record of that name or number; case does not matter. Raises UnknownSubject."""
    if name.isdigit():
        number = int(name)
        if message_name(number) == name and number not in BODIES:
            raise UnknownSubject(name, [])
        return _message(number)
    for known, number in _NAMES.items():
        if known == name.upper():
            return _message(number)
    records = {record.__name__: record for record in _records(Record)}
    for known, record in records.items():
        if known.lower() == name.lower():
            return Subject(known, None, record)
    lower = {known.lower(): known for known in (*_NAMES, *records)}
    near = difflib.get_close_matches(name.lower(), lower, n=5, cutoff=0.5)
    raise UnknownSubject(name, [lower[one] for one in near])


def rows(record: type[Record], version: int | None) -> list[Row]:
    """The table of a record in `version`, None for all releases."""
    return list(_rows(record.WIRE, version, 0))


def sources(record: type[Record], version: int) -> dict[str, str]:
    """The generated code: "unpack" and "pack"."""
    codec = compiled(record, version)
    functions = {"unpack": codec.unpack, "pack": codec.pack}
    return {verb: "".join(linecache.getlines(one.__code__.co_filename)) for verb, one in functions.items()}


def type_text(of: WireType) -> str:
    """A wire type as it is written in a table."""
    match of:
        case Scalar(name=name) | Simple(name=name):
            return name
        case Nested(record=record):
            return record.__name__
        case Vector(of=inner):
            return f"vector({type_text(inner)})"
        case ListOf(of=inner):
            return f"list_of({type_text(inner)})"
        case Array(of=inner, count=count):
            return f"array({type_text(inner)}, {count.name})"
        case Repeat(of=inner, count=count_text, absent=bitmap):
            absent = f", absent where {bitmap} is set" if bitmap else ""
            return f"repeat({type_text(inner)}, {count_text}{absent})"
        case Versioned(record=record, version_field=field):
            return f"{record.__name__} in {field}"
        case Chain(record=record, flag=flag):
            return f"chain({record.__name__}, {flag})"
        case Body(type_field=type_field):
            return f"body of {type_field}"
    about = getattr(of, "of", None)
    return f"{type(of).__name__.lower()}({type_text(about)})" if isinstance(about, WireType) else repr(of)


def _message(number: int) -> Subject:
    return Subject(message_name(number), number, BODIES.get(number), number in BODIES)


def _records(base: type[Record]) -> Iterator[type[Record]]:
    for record in base.__subclasses__():
        yield record
        yield from _records(record)


def _rows(entries: tuple[Entry, ...], version: int | None, depth: int) -> Iterator[Row]:
    for entry in entries:
        since, until = entry.since, entry.until
        if not _exists(since, until, version):
            continue
        match entry:
            case Field(name, of, means=means, unit=unit):
                yield Row(depth, name, type_text(of), since, until, means.__name__ if means else "", unit)
            case If(condition, then, otherwise):
                yield Row(depth, f"if {condition}:", "", since, until)
                yield from _rows(then, version, depth + 1)
                if otherwise:
                    yield Row(depth, "else:")
                    yield from _rows(otherwise, version, depth + 1)
            case Switch(field, cases):
                for values, then in cases:
                    yield Row(depth, f"if {field} is {' or '.join(map(str, values))}:", "", since, until)
                    yield from _rows(then, version, depth + 1)


def _exists(since: str | None, until: str | None, version: Any) -> bool:
    if version is None:
        return True
    return (since is None or versions.by_name(since) <= version) and (
        until is None or version <= versions.by_name(until)
    )
