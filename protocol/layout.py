"""A record's table as it is in one version: which entries exist, what they are called, how small they can be."""

from __future__ import annotations

from collections.abc import Iterator

from protocol import versions
from protocol.schema import (
    Array,
    Body,
    Chain,
    Entry,
    Field,
    If,
    Nested,
    Record,
    Repeat,
    Scalar,
    Simple,
    Switch,
    Tail,
    Versioned,
    WireType,
)

__all__ = ["SchemaError", "fields", "minimum_size", "names", "resolve"]


class SchemaError(Exception):
    """A WIRE table contradicts itself or its record."""


def resolve(record: type[Record], version: int) -> tuple[Entry, ...]:
    """The entries of the record's table that exist in `version`, bounds taken off."""
    return _resolve(record.WIRE, version)


def minimum_size(wire_type: WireType, version: int) -> int:
    """Fewest bytes that a value of this type takes: what a count is checked against before anything is allocated."""
    match wire_type:
        case Scalar(width=width):
            return width
        case Nested(record=record):
            return sum(_minimum_of(entry, version) for entry in resolve(record, version))
        case Simple(name="addr"):
            return 2
        case Simple(name="rest" | "token") | Repeat() | Chain() | Body() | Versioned() | Tail():
            return 0
        case Array(count=count):
            return count.width
        case _:
            return 4


def names(entries: tuple[Entry, ...]) -> Iterator[str]:
    """Every field name below these entries, in order; alternatives of one condition count once."""
    for entry in entries:
        match entry:
            case Field(name):
                yield name
            case If(_, then, otherwise):
                yield from dict.fromkeys((*names(then), *names(otherwise)))
            case Switch(_, cases):
                yield from dict.fromkeys(name for _, then in cases for name in names(then))


def fields(entries: tuple[Entry, ...]) -> Iterator[Field]:
    """Every field below these entries, those of all branches."""
    for entry in entries:
        match entry:
            case Field():
                yield entry
            case If(_, then, otherwise):
                yield from fields((*then, *otherwise))
            case Switch(_, cases):
                for _, then in cases:
                    yield from fields(then)


def _resolve(entries: tuple[Entry, ...], version: int) -> tuple[Entry, ...]:
    kept: list[Entry] = []
    for entry in entries:
        if not _exists(entry.since, entry.until, version):
            continue
        match entry:
            case If(condition, then, otherwise):
                kept.append(If(condition, _resolve(then, version), _resolve(otherwise, version)))
            case Switch(field, cases):
                kept.append(Switch(field, tuple((values, _resolve(then, version)) for values, then in cases)))
            case Field(name, wire_type, means=means, unit=unit):
                kept.append(Field(name, wire_type, means=means, unit=unit))
    return tuple(kept)


def _exists(since: str | None, until: str | None, version: int) -> bool:
    if since is not None and version < versions.by_name(since):
        return False
    return until is None or version <= versions.by_name(until)


def _minimum_of(entry: Entry, version: int) -> int:
    return minimum_size(entry.type, version) if isinstance(entry, Field) else 0
