"""Recorded frames of unmodified Slurm programs, and records made at random from the tables."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from protocol.auth import MungeKey, TokenKey
from protocol.compiler import resolve
from protocol.frame import FrameReader
from protocol.schema import (
    BODIES,
    EXPRESSION_NAMES,
    Array,
    Body,
    Chain,
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
from protocol.wire import Address, Bits

DATA = Path(__file__).parent.parent / "data" / "wire"
RECORDED_VERSIONS = ("22.05", "23.02", "23.11", "24.11", "25.05", "26.05")
TOKEN_RECORDINGS = ("tokens-24.11", "tokens-26.05")
"""Frames of clusters with auth/slurm, whose slurm.key was the same bytes as munge.key."""
KEY = MungeKey((DATA / "munge.key").read_bytes())
TOKEN_KEY = TokenKey((DATA / "munge.key").read_bytes())


@cache
def recorded_frames(version: str) -> list[bytes]:
    """Frames without their length prefix: small, middling and large ones of every message type and header shape."""
    reader = FrameReader()
    reader.feed((DATA / f"frames-{version}.bin").read_bytes())
    return list(reader)


DBD_VERSIONS = ("22.05", "24.11", "26.05")


@cache
def recorded_openings(version: str) -> list[bytes]:
    """Frames of REQUEST_PERSIST_INIT as the accounting daemon got them, without length and leading number."""
    return [data[2:] for data in _persistent(version) if data[:2] == b"\x19\x64"]


@cache
def recorded_messages(version: str) -> list[tuple[int, bytes]]:
    """Number and body of messages on persistent connections: every type, small, middling and large."""
    messages = ((int.from_bytes(data[:2], "big"), data[2:]) for data in _persistent(version))
    return [(number, body) for number, body in messages if number != 6500]


@cache
def recorded_conversations(version: str) -> list[list[tuple[bool, bytes]]]:
    """Whole persistent connections from their opening on: whether the client sent it, and the bytes of a message."""
    data, conversations, offset = (DATA / f"conversations-{version}.bin").read_bytes(), [], 0
    while offset < len(data):
        if data[offset : offset + 1] == b"=":
            conversations.append([])
            offset += 1
        end = offset + 5 + int.from_bytes(data[offset + 1 : offset + 5], "big")
        conversations[-1].append((data[offset : offset + 1] == b">", data[offset + 1 : end]))
        offset = end
    return conversations


@cache
def recorded_streams(version: str) -> list[list[tuple[str, bytes]]]:
    """Whole I/O connections of steps: "^" and the opening, then ">" and what the node sent, "<" and what srun did."""
    data, conversations, offset = (DATA / f"streams-{version}.bin").read_bytes(), [], 0
    while offset < len(data):
        mark = chr(data[offset])
        end = offset + 5 + int.from_bytes(data[offset + 1 : offset + 5], "big")
        if mark == "^":
            conversations.append([])
        conversations[-1].append((mark, data[offset + 5 : end]))
        offset = end
    return conversations


def _persistent(version: str) -> list[bytes]:
    reader = FrameReader()
    reader.feed((DATA / f"dbd-{version}.bin").read_bytes())
    return list(reader)


class Builder:
    """Makes records that a version can carry, from a seeded source of randomness."""

    def __init__(self, seed: int, version: int) -> None:
        self.random, self.version = Random(seed), version

    def body(self, msg_type: int) -> Record | None:
        record = BODIES[msg_type]
        return None if record is None else self.record(record, self.version)

    def record(self, record: type[Record], version: int) -> Record:
        entries = resolve(record, version)
        value = record()
        self._fill(value, entries, deciding_names(entries), version)
        return value

    def _fill(self, record: Record, entries: tuple, deciding: set[str], version: int) -> None:
        for entry in entries:
            match entry:
                case Field(name, of):
                    setattr(record, name, self._value(record, name, of, deciding, version))
                case If(condition, then, otherwise):
                    self._fill(record, then if _evaluate(condition, record) else otherwise, deciding, version)
                case Switch(field, cases):
                    for values, then in cases:
                        if getattr(record, field) in values:
                            self._fill(record, then, deciding, version)

    def _value(self, record: Record, name: str, of: Any, deciding: set[str], version: int) -> Any:
        random = self.random
        match of:
            case Scalar():
                return self._scalar(of, name in deciding)
            case Simple():
                return self._simple(of.name)
            case Vector(of=inner):
                return [self._value(record, "", inner, set(), version) for _ in range(random.randrange(3))]
            case Nested(record=inner):
                return self.record(inner, version)
            case Versioned(record=inner, version_field=field):
                setattr(record, field, version)
                return self.record(inner, version)
            case ListOf(of=inner):
                if random.random() < 0.2:
                    return None
                return [self._value(record, "", inner, set(), version) for _ in range(random.randrange(3))]
            case Array(of=inner):
                return [self._value(record, "", inner, set(), version) for _ in range(random.randrange(3))]
            case Repeat(of=inner, count=count, absent=absent):
                return [
                    None
                    if absent and is_set(getattr(record, absent), index)
                    else self._value(record, "", inner, set(), version)
                    for index in range(_evaluate(count, record))
                ]
            case Tail(of=inner):
                return self._scalar(inner, deciding=False)
            case Chain(flag=flag):
                setattr(record, flag, 0)
                return []
            case Body(type_field=type_field, version_field=version_field):
                setattr(record, type_field, 8001)
                if version_field:
                    setattr(record, version_field, version)
                return self.record(BODIES[8001], version)
        raise AssertionError(of)

    def _scalar(self, of: Scalar, deciding: bool) -> Any:
        random = self.random
        if of.name == "boolean":
            return random.random() < 0.5
        if of.name == "double":
            return random.choice((0.0, 1.0, 0.1, 1e-6, 123456.789, random.random()))
        if of.name == "epoch":
            return random.choice((0, -1, random.getrandbits(31), -random.getrandbits(40)))
        if deciding:
            return random.choice((0, 1, 2, 2, 0xFF if of.width == 1 else 3))
        return random.choice((0, 1, (1 << 8 * of.width) - 1, (1 << 8 * of.width) - 2, random.getrandbits(8 * of.width)))

    def _simple(self, name: str) -> Any:
        random = self.random
        match name:
            case "string":
                return random.choice((None, "", "n[1-3]", "ünïcode", "\udcff\udc80 raw", "x" * random.randrange(40)))
            case "longdouble":
                return random.choice((None, "0.000000", "12.500000"))
            case "mem" | "rest":
                return random.randbytes(random.randrange(6))
            case "bits":
                size = random.randrange(70)
                return random.choice((None, Bits(size, random.getrandbits(size) if size else 0)))
            case "addr":
                return random.choice((Address(), Address("10.0.0.1", 6817), Address("fe80::1", 6818)))
            case "token":
                return random.choice((None, "eyJ0eXAi.eyJ1aWQi.c2ln"))
        raise AssertionError(name)


def deciding_names(entries: tuple) -> set[str]:
    """Names of fields that conditions and counts look at."""
    text: list[str] = []

    def walk(entries: tuple) -> None:
        for entry in entries:
            match entry:
                case Field(_, of):
                    if isinstance(of, Repeat):
                        text.append(of.count)
                case If(condition, then, otherwise):
                    text.append(condition)
                    walk(then)
                    walk(otherwise)
                case Switch(_, cases):
                    for _, then in cases:
                        walk(then)

    walk(entries)
    return {word for part in text for word in part.replace("(", " ").replace(")", " ").replace(",", " ").split()}


def is_set(bitmap: Bits | None, index: int) -> bool:
    """Whether a bit of a bitmap, which may be absent, is set."""
    return bitmap is not None and bool(bitmap.mask >> index & 1)


def _evaluate(expression: str, record: Record) -> Any:
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return eval(expression, dict(EXPRESSION_NAMES), values)


def bodies() -> list[int]:
    """Numbers of all messages whose body has a layout."""
    return sorted(number for number, record in BODIES.items() if record is not None)


def defaults_of(record: type[Record]) -> dict[str, Any]:
    """What a record made without arguments holds."""
    return msgspec.structs.asdict(record())
