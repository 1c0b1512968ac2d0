"""The language in which messages are described: wire types, fields with bounds, conditionals.

A message is a class with typed fields and one WIRE table. The fields are what a program works with; the table says in
which order, width and releases they travel. Nothing here reads or writes bytes: `protocol.compiler` turns a table and a
version into straight-line code.

    @message(MessageType.RESPONSE_SUBMIT_BATCH_JOB)
    class SubmitResponse(Record):
        job_id: int = 0
        job_submit_user_msg: str | None = None

        WIRE = (
            Field("job_id", u32),
            Field("job_submit_user_msg", string),
        )

A field that changed its type or place stands more than once, with bounds that do not overlap. Bounds are release names,
both inclusive. Fields that a version lacks keep their default when it is read and are left out when it is written.

Expressions (`If`, `Repeat.count`) are Python over earlier fields of the same record plus the names in
`EXPRESSION_NAMES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, TypeVar

import msgspec

from protocol.constants import DbdMessageType, MessageType

__all__ = [
    "BODIES",
    "EXPRESSION_NAMES",
    "Array",
    "Body",
    "Chain",
    "Field",
    "If",
    "ListOf",
    "Nested",
    "Record",
    "Repeat",
    "Scalar",
    "Simple",
    "Switch",
    "Tail",
    "Vector",
    "Versioned",
    "WireType",
    "addr",
    "array",
    "bits",
    "boolean",
    "double",
    "empty",
    "epoch",
    "list_of",
    "longdouble",
    "mem",
    "message",
    "repeat",
    "rest",
    "string",
    "tail",
    "token_string",
    "u8",
    "u16",
    "u32",
    "u64",
    "vector",
]


class Record(msgspec.Struct):
    """Base of everything that travels: mutable, compared by value, every field has a default."""

    WIRE: ClassVar[tuple[Entry, ...]] = ()


EnumClass = type[Enum]


class WireType:
    """How one value is laid out in bytes."""


@dataclass(frozen=True, slots=True)
class Scalar(WireType):
    """A fixed width: `code` is its letter in `struct`'s language; runs of scalars become one `struct.Struct`."""

    name: str
    code: str
    width: int


@dataclass(frozen=True, slots=True)
class Simple(WireType):
    """A type of its own that needs no parameter: text, memory, bitmap, address."""

    name: str


@dataclass(frozen=True, slots=True)
class Vector(WireType):
    """u32 count, then that many scalars, strings or decimal texts; an absent array has count 0."""

    of: Scalar | Simple


@dataclass(frozen=True, slots=True)
class Nested(WireType):
    """Another record in place."""

    record: type[Record]


@dataclass(frozen=True, slots=True)
class Versioned(WireType):
    """Another record in place, in the protocol version that an earlier field holds."""

    record: type[Record]
    version_field: str


@dataclass(frozen=True, slots=True)
class ListOf(WireType):
    """u32 count, then the elements; the count NO_VAL says that there is no list (None), not an empty one."""

    of: WireType


@dataclass(frozen=True, slots=True)
class Array(WireType):
    """A plain count, 16 or 32 bits wide, then the elements."""

    of: WireType
    count: Scalar


@dataclass(frozen=True, slots=True)
class Repeat(WireType):
    """As many elements as an expression over earlier fields says; those whose bit is set in the bitmap `absent`, an
    earlier field, have no bytes (None)."""

    of: WireType
    count: str
    absent: str | None = None


@dataclass(frozen=True, slots=True)
class Chain(WireType):
    """Elements each announced by a flag: the first by an earlier field, the next by the last field of the element."""

    record: type[Record]
    flag: str
    next_flag: str
    value: int


@dataclass(frozen=True, slots=True)
class Body(WireType):
    """The body of another message, whose number (and version) earlier fields hold."""

    type_field: str
    version_field: str | None = None


@dataclass(frozen=True, slots=True)
class Tail(WireType):
    """A scalar that some senders leave out where nothing follows it: None when the body ends before it."""

    of: Scalar


@dataclass(frozen=True, slots=True, init=False)
class Field:
    """One slot on the wire: name of the record's field, type, first and last release that carry it.

    `means` is the enum or flag whose values the number takes, `unit` what it counts ("s", "min", "MiB"). Both are for
    readers, human and program (`flurm wire decode`); the number itself stays an integer, so that decoding costs nothing
    and a value that no release of ours knows survives.
    """

    name: str
    type: WireType
    since: str | None
    until: str | None
    means: EnumClass | None
    unit: str

    def __init__(
        self,
        name: str,
        of: Any,
        since: str | None = None,
        until: str | None = None,
        *,
        means: EnumClass | None = None,
        unit: str = "",
    ) -> None:
        slots = {"name": name, "type": _wire_type(of), "since": since, "until": until, "means": means, "unit": unit}
        for slot, value in slots.items():
            object.__setattr__(self, slot, value)


@dataclass(frozen=True, slots=True)
class If:
    """Slots that are present only when the condition holds, others when it does not."""

    condition: str
    then: tuple[Entry, ...]
    otherwise: tuple[Entry, ...] = ()
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """Slots that depend on the value of an earlier field; a value that no case names has none."""

    field: str
    cases: tuple[tuple[tuple[int, ...], tuple[Entry, ...]], ...]
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        cases = tuple((tuple(map(int, values)), entries) for values, entries in self.cases)
        object.__setattr__(self, "cases", cases)


Entry = Field | If | Switch

u8 = Scalar("u8", "B", 1)
u16 = Scalar("u16", "H", 2)
u32 = Scalar("u32", "I", 4)
u64 = Scalar("u64", "Q", 8)
boolean = Scalar("boolean", "?", 1)
epoch = Scalar("epoch", "q", 8)
double = Scalar("double", "d", 8)
string = Simple("string")
longdouble = Simple("longdouble")
mem = Simple("mem")
bits = Simple("bits")
addr = Simple("addr")
rest = Simple("rest")
token_string = Simple("token")
"""A string that is there only where the next bytes are those of a signed token (`wire.TOKEN_START`), else no bytes."""


def _wire_type(of: Any) -> WireType:
    if isinstance(of, type) and issubclass(of, Record):
        return Nested(of)
    assert isinstance(of, WireType), f"{of!r} is neither a wire type nor a record"
    return of


def vector(of: Scalar | Simple) -> Vector:
    """u32 count and that many scalars or strings."""
    return Vector(of)


def list_of(of: Any) -> ListOf:
    """u32 count and that many elements, or None."""
    return ListOf(_wire_type(of))


def array(of: Any, count: Scalar = u32) -> Array:
    """A plain count and that many elements."""
    return Array(_wire_type(of), count)


def tail(of: Scalar) -> Tail:
    """A scalar at the end of a body that may end before it."""
    return Tail(of)


def repeat(of: Any, count: str, absent: str | None = None) -> Repeat:
    """Elements counted by an earlier field."""
    return Repeat(_wire_type(of), count, absent)


EXPRESSION_NAMES: dict[str, Any] = {
    "NO_VAL": 0xFFFFFFFE,
    "JOB_COMPLETING": 0x8000,
    "JOB_RESIZING": 0x2000,
    "WAIT_PROLOG": 36,
    "DETAILS_FLAG": 0xDDDD,
    "len": len,
}

BODIES: dict[int, type[Record] | None] = {}
"""Message number -> class of its body; None where the body is empty."""

_R = TypeVar("_R", bound=type[Record])


def message(*numbers: MessageType | DbdMessageType) -> Callable[[_R], _R]:
    """Class decorator: these messages carry this record as their body."""

    def register(record: _R) -> _R:
        for number in numbers:
            assert number not in BODIES, f"{number!r} has two bodies"
            BODIES[number] = record
        return record

    return register


def empty(numbers: Iterable[MessageType | DbdMessageType]) -> None:
    """Declare messages whose body has no bytes."""
    for number in numbers:
        assert number not in BODIES, f"{number!r} has two bodies"
        BODIES[number] = None
