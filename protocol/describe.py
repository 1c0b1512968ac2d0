"""Records as readable text and as JSON: for people who look at the wire, never for programs that speak it.

`describe` walks a record along its table, resolved for one version, so that the fields come in the order of their
bytes and conditionals show only what travels. The result is a tree of nodes: `lines` prints it, `to_json` turns it
into plain data. Where reading failed, `describe_partial` shows the same for what had been read until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import msgspec

from protocol.codec import message_name
from protocol.compiler import read_so_far, resolve
from protocol.errors import DecodeError
from protocol.meaning import absent_name, names_of, scalar_text, time_text
from protocol.messages import DbdMessages, DbdRelay
from protocol.nested import relayed, unpack_messages
from protocol.schema import (
    EXPRESSION_NAMES,
    Body,
    Entry,
    Field,
    If,
    Nested,
    Record,
    Scalar,
    Simple,
    Switch,
    Vector,
    Versioned,
    WireType,
)
from protocol.wire import Address, Bits

__all__ = ["Node", "describe", "describe_partial", "lines", "to_json"]

SHOWN_ELEMENTS, SHOWN_SCALARS, SHOWN_TEXT = 4, 16, 100
"""How many elements and plain values of a list and characters of a value `lines` prints unless asked for all."""


class Node(msgspec.Struct):
    """One thing with a name: either `text` and plain `value`, or `children`; `is_list` numbers them."""

    name: str
    text: str = ""
    value: Any = None
    children: list[Node] | None = None
    is_list: bool = False


def describe(record: Record | None, version: int, name: str = "body") -> Node:
    """The tree of a record in `version`; an empty body has no children."""
    if record is None:
        return Node(name, "empty", None, [])
    children = list(_fields(resolve(type(record), version), _values(record), version))
    children += _inner(record, version)
    return Node(name, type(record).__name__, None, children)


def describe_partial(error: BaseException, version: int, name: str = "body") -> Node | None:
    """What had been read when a body turned out to be wrong; None where that is nothing."""
    node: Node | None = None
    inner: Node | None = None
    for record, values in read_so_far(error):
        if node is None or inner is None:
            child = Node(name, record.__name__, None, [])
            node = inner = child
        else:
            assert inner.children is not None
            child = Node("...", f"{record.__name__}, the one that cannot be read", None, [])
            inner.children.append(child)
            inner = child
        assert child.children is not None
        child.children += _fields(resolve(record, version), values, version)
    return node


def lines(node: Node, *, everything: bool = False, indent: int = 0) -> Iterator[str]:
    """The tree as lines of text; long lists, texts and memory are shortened unless `everything`."""
    pad = "  " * indent
    if node.children is None:
        yield _printable(f"{pad}{node.name}: {_shortened(node, everything)}")
        return
    yield _printable(f"{pad}{node.name}{': ' if node.name and node.text else ''}{node.text}")
    shown = node.children if everything or not node.is_list else node.children[:SHOWN_ELEMENTS]
    for child in shown:
        yield from lines(child, everything=everything, indent=indent + 1)
    if len(shown) < len(node.children):
        yield f"{pad}  ... {len(node.children) - len(shown)} more (--all shows them)"


def to_json(node: Node) -> Any:
    """Plain data: dictionaries in wire order, lists, numbers, text, None. A number with a name is
    `{"value": number, "name": [names]}`."""
    if node.children is None:
        return node.value
    if node.is_list:
        return [to_json(child) if child.name[:1] in "[." else {child.name: to_json(child)} for child in node.children]
    return {child.name: to_json(child) for child in node.children}


def _inner(record: Record, version: int) -> list[Node]:
    """The messages that travel inside this one, where they can be read."""
    try:
        if isinstance(record, DbdMessages):
            found = unpack_messages(record, version)
        elif isinstance(record, DbdRelay):
            found = [relayed(record, version)]
        else:
            return []
    except DecodeError as error:
        return [Node("inside", f"cannot be read: {error}")]
    inner = [describe(one.record, version, f"{message_name(one.number, version)} ({one.number})") for one in found]
    return [Node("inside", f"{len(inner)} messages", None, inner, True)]


def _values(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def _fields(entries: tuple[Entry, ...], values: Mapping[str, Any], version: int) -> Iterator[Node]:
    """The nodes of a table; ends at the first field that has no value (the rest was not read)."""
    for entry in entries:
        match entry:
            case Field(name):
                if name not in values:
                    return
                yield _value(name, values[name], entry.type, entry, values, version)
            case If(condition, then, otherwise):
                try:
                    holds = eval(condition, {"__builtins__": {}, **EXPRESSION_NAMES}, dict(values))
                except NameError:
                    return
                yield from _fields(then if holds else otherwise, values, version)
            case Switch(field, cases):
                if field not in values:
                    return
                for numbers, then in cases:
                    if values[field] in numbers:
                        yield from _fields(then, values, version)


def _value(name: str, value: Any, of: WireType, field: Field, values: Mapping[str, Any], version: int) -> Node:
    if isinstance(value, Record):
        inner, label = version, name
        if isinstance(of, Versioned):
            inner = values.get(of.version_field, version)
        elif isinstance(of, Body):
            inner = values.get(of.version_field, version) if of.version_field else version
            label = f"{name} ({message_name(values.get(of.type_field, 0), version)})"
        node = describe(value, inner, label)
        node.name = name if not isinstance(of, Body) else label
        return node
    if isinstance(value, list):
        return _list(name, value, of, field, values, version)
    return _plain(name, value, of, field.means, field.unit)


def _list(name: str, value: list, of: WireType, field: Field, values: Mapping[str, Any], version: int) -> Node:
    element = getattr(of, "of", None) or Simple("string")
    if isinstance(of, Vector) or isinstance(element, Scalar | Simple):
        plain = [_plain("", one, element, field.means, field.unit) for one in value]
        return Node(name, f"[{', '.join(one.text for one in plain)}]", [one.value for one in plain], None, True)
    if hasattr(of, "record"):
        element = Nested(of.record)
    children = [_value(f"[{index}]", one, element, field, values, version) for index, one in enumerate(value)]
    return Node(name, f"{len(value)} element{'s' if len(value) != 1 else ''}", None, children, True)


def _plain(name: str, value: Any, of: WireType, means: type[Enum] | None, unit: str) -> Node:
    of = getattr(of, "of", None) or of
    if value is None:
        return Node(name, "NULL")
    if isinstance(of, Scalar):
        return Node(name, scalar_text(value, of, means, unit), _scalar_json(value, of, means))
    if isinstance(value, bytes | bytearray):
        return Node(name, f"{len(value)} bytes{' ' if value else ''}{value.hex()}", value.hex())
    if isinstance(value, Bits):
        return Node(name, f"{value.size} bits, set: {_ranges(value.mask) or 'none'}", [value.size, hex(value.mask)])
    if isinstance(value, Address):
        text = f"{value.host}:{value.port}" if value.host else f"none (family {value.family})"
        return Node(name, text, {"host": value.host, "port": value.port, "family": value.family})
    text = _printable(str(value))
    return Node(name, json.dumps(text, ensure_ascii=False), text)


def _scalar_json(value: Any, of: Scalar, means: type[Enum] | None) -> Any:
    if of.name == "epoch":
        text = time_text(value)
        return {"value": value, "time": text.split(" ")[0]} if " " in text else value
    if of.name in ("boolean", "double"):
        return value
    names = names_of(means, value)[0] if means is not None else []
    absent = None if names else absent_name(value, of.width)
    if absent:
        names = [absent]
    return {"value": value, "name": names} if names else value


def _ranges(mask: int) -> str:
    """Bit numbers that are set, neighbours as a range."""
    parts, start = [], 0
    while mask >> start:
        start += ((mask >> start) & -(mask >> start)).bit_length() - 1
        ones = mask >> start
        length = (~ones & (ones + 1)).bit_length() - 1
        parts.append(str(start) if length == 1 else f"{start}-{start + length - 1}")
        start += length
    return ",".join(parts)


def _printable(text: str) -> str:
    """Bytes that are no UTF-8 travel in texts too; printing must not stumble over them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _shortened(node: Node, everything: bool) -> str:
    if everything:
        return node.text
    if node.is_list and len(node.value) > SHOWN_SCALARS:
        head = node.text[1:-1].split(", ")[:SHOWN_SCALARS]
        return f"[{', '.join(head)}, ... {len(node.value) - SHOWN_SCALARS} more]"
    limit = SHOWN_TEXT
    return node.text if len(node.text) <= limit else f"{node.text[:limit]}... ({len(node.text)} characters)"
