"""Hypothesis strategies for records, made from their WIRE tables.

`records(record, version)` gives records that the version can carry. What a condition looks at is drawn first and what
depends on it after, as in the table, so that a failing record shrinks field by field.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

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
from protocol.wire import TOKEN_START, Address, Bits
from tests.protocol.wire_data import deciding_names, is_set

__all__ = ["records"]

_INSIDE = 8001
"""The message that stands for those that another one carries: RESPONSE_SLURM_RC."""
_MOST = 2
_LARGE = {"epoch": (-(1 << 63), (1 << 63) - 1)}


@st.composite
def records(draw: st.DrawFn, record: type[Record], version: int) -> Record:
    """Records of a class that `version` can carry."""
    value = record()
    entries = resolve(record, version)
    _fill(draw, value, entries, deciding_names(entries), version)
    return value


def _fill(draw: st.DrawFn, record: Record, entries: tuple[Entry, ...], deciding: set[str], version: int) -> None:
    for entry in entries:
        match entry:
            case Field(name, of):
                setattr(record, name, _value(draw, record, name, of, deciding, version))
            case If(condition, then, otherwise):
                _fill(draw, record, then if _evaluate(condition, record) else otherwise, deciding, version)
            case Switch(field, cases):
                for numbers, then in cases:
                    if getattr(record, field) in numbers:
                        _fill(draw, record, then, deciding, version)


def _value(draw: st.DrawFn, record: Record, name: str, of: Any, deciding: set[str], version: int) -> Any:
    match of:
        case Scalar():
            return draw(_DECIDING if name in deciding and of.name != "boolean" else _scalar(of))
        case Simple(name=kind):
            return draw(_SIMPLE[kind])
        case Nested(record=inner):
            return draw(records(inner, version))
        case Versioned(record=inner, version_field=field):
            setattr(record, field, version)
            return draw(records(inner, version))
        case Body(type_field=type_field, version_field=version_field):
            setattr(record, type_field, _INSIDE)
            if version_field:
                setattr(record, version_field, version)
            return draw(records(BODIES[_INSIDE], version))  # type: ignore[arg-type]
        case Chain(flag=flag):
            setattr(record, flag, 0)
            return []
        case Tail(of=inner):
            return draw(_scalar(inner))
        case ListOf() if draw(st.booleans()):
            return None
        case Repeat(of=inner, count=count, absent=absent):
            hidden = getattr(record, absent) if absent else None
            size = _evaluate(count, record)
            return [
                None if is_set(hidden, index) else _value(draw, record, "", inner, set(), version)
                for index in range(size)
            ]
        case Vector(of=inner) | ListOf(of=inner) | Array(of=inner):
            size = draw(st.integers(0, _MOST))
            return [_value(draw, record, "", inner, set(), version) for _ in range(size)]
    raise AssertionError(of)


def _scalar(of: Scalar) -> st.SearchStrategy[Any]:
    if of.name == "boolean":
        return st.booleans()
    if of.name == "double":
        return st.integers(-(1 << 30), 1 << 30).map(lambda number: number / 64)
    return st.integers(*_LARGE.get(of.name, (0, (1 << 8 * of.width) - 1)))


@st.composite
def _bitmaps(draw: st.DrawFn) -> Bits:
    size = draw(st.integers(0, 40))
    return Bits(size, draw(st.integers(0, (1 << size) - 1)))


_DECIDING = st.sampled_from((0, 1, 2, 3, 0xFF))
_TEXT = st.binary(max_size=6).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
"""Any bytes at all, zeros and broken UTF-8 among them."""
_SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "string": st.none() | _TEXT,
    "longdouble": st.sampled_from((None, "0.000000", "12.500000")),
    "token": st.sampled_from((None, f"{TOKEN_START.decode()}.e30.c2ln")),
    "mem": st.binary(max_size=6),
    "rest": st.binary(max_size=6),
    "bits": st.none() | _bitmaps(),
    "addr": st.sampled_from((Address(), Address("10.0.0.1", 6817), Address("fe80::1", 6818))),
}


def _evaluate(expression: str, record: Record) -> Any:
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return eval(expression, dict(EXPRESSION_NAMES), values)
