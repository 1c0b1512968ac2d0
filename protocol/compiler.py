"""From a record's WIRE table and a version to straight-line Python that packs and unpacks it.

A codec is made the first time it is needed, by `exec`, and kept. Its source is registered in `linecache`, so that a
traceback shows the generated line. Runs of fixed-width fields are read and written by one `struct.Struct`; everything
else is spelled out in place, without a call per field.

The generated code carries no bookkeeping for error messages. Each generated line remembers which field it serves;
when something goes wrong, `locate` walks the traceback and reads field and offset off the frames. Bad input therefore
costs a little, good input nothing.

`unpack(_d, _o) -> (record, offset)` reads from bytes; `pack(_r, _b)` appends to a bytearray. An element of a list may
be given to `pack` as bytes that were packed before in the same version: kept wire forms are joined, not made again.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, NamedTuple

import msgspec

from protocol import versions, wire
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
    Vector,
    Versioned,
    WireType,
    double,
)

__all__ = ["Codec", "SchemaError", "compiled", "locate", "minimum_size", "resolve"]

Unpack = Callable[[bytes, int], tuple[Any, int]]
Pack = Callable[[Any, bytearray], None]


class SchemaError(Exception):
    """A WIRE table contradicts itself or its record."""


class Codec(NamedTuple):
    """The compiled functions of one record in one version."""

    unpack: Unpack
    pack: Pack


_codecs: dict[tuple[type[Record], int], Codec] = {}
_lines: dict[str, tuple[str, list[Any]]] = {}


def compiled(record: type[Record], version: int) -> Codec:
    """The codec of `record` in `version`; made on first use. Raises SchemaError for a bad table."""
    codec = _codecs.get((record, version))
    if codec is None:
        codec = _codecs[record, version] = _compile(record, version)
    return codec


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
        case Simple(name="rest") | Repeat() | Chain() | Body() | Versioned():
            return 0
        case Array(count=count):
            return count.width
        case _:
            return 4


def locate(error: BaseException) -> tuple[str, int | None]:
    """Dotted path of the field and offset at which generated code raised `error`; ("", None) when it did not."""
    path: list[str] = []
    offset: int | None = None
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        known = _lines.get(frame.f_code.co_filename)
        if known is not None:
            offset = frame.f_locals.get("_o", offset)
            served = known[1][traceback.tb_lineno - 1]
            if isinstance(served, tuple):
                served, offset = _first_that_does_not_fit(served, frame.f_locals, offset)
            if served:
                index = frame.f_locals.get("_i", "")
                path.append(served.replace("[]", f"[{index}]"))
        traceback = traceback.tb_next
    return ".".join(path), offset


def _first_that_does_not_fit(run: tuple[Field, ...], variables: dict[str, Any], offset: int | None) -> tuple[str, Any]:
    """Of a run of scalars, the one at which reading or writing failed."""
    if "_d" in variables and offset is not None:
        for field in run:
            assert isinstance(field.type, Scalar)
            if offset + field.type.width > len(variables["_d"]):
                return field.name, offset
            offset += field.type.width
    record = variables.get("_r")
    for field in run:
        assert isinstance(field.type, Scalar)
        try:
            Struct(">" + field.type.code).pack(getattr(record, field.name, None))
        except Exception:
            return field.name, offset
    return run[0].name, offset


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
            case Field(name, wire_type):
                kept.append(Field(name, wire_type))
    return tuple(kept)


def _exists(since: str | None, until: str | None, version: int) -> bool:
    if since is not None and version < versions.by_name(since):
        return False
    return until is None or version <= versions.by_name(until)


def _minimum_of(entry: Entry, version: int) -> int:
    return minimum_size(entry.type, version) if isinstance(entry, Field) else 0


def _compile(record: type[Record], version: int) -> Codec:
    entries = resolve(record, version)
    _check(record, entries)
    functions = []
    for writer in (_UnpackWriter(record, version), _PackWriter(record, version)):
        filename = f"<protocol {record.__name__} {versions.name(version)} {writer.verb}>"
        writer.function(entries)
        source = "".join(line + "\n" for line in writer.lines)
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        _lines[filename] = (writer.verb, writer.served)
        exec(compile(source, filename, "exec"), writer.names)
        functions.append(writer.names[writer.verb])
    return Codec(*functions)


def _names(entries: tuple[Entry, ...]) -> Iterator[str]:
    """Every field name below these entries; alternatives of one condition count once."""
    for entry in entries:
        match entry:
            case Field(name):
                yield name
            case If(_, then, otherwise):
                yield from dict.fromkeys((*_names(then), *_names(otherwise)))
            case Switch(_, cases):
                yield from dict.fromkeys(name for _, then in cases for name in _names(then))


def _check(record: type[Record], entries: tuple[Entry, ...]) -> None:
    fields = set(record.__struct_fields__)
    seen: set[str] = set()
    for name in _names(entries):
        if name not in fields:
            raise SchemaError(f"{record.__name__}.WIRE has {name}, the record has not")
        if name in seen:
            raise SchemaError(f"{record.__name__}.WIRE has {name} twice in one version")
        seen.add(name)


class _Writer:
    """Source lines in the making, the field that each serves, and the names that they use."""

    verb = ""

    def __init__(self, record: type[Record], version: int) -> None:
        self.record, self.version = record, version
        self.lines: list[str] = []
        self.served: list[Any] = []
        self.depth = 0
        self.known: set[str] = set()
        self.names: dict[str, Any] = {
            "_Record": record,
            "_u16": Struct(">H").unpack_from,
            "_u32": Struct(">I").unpack_from,
            "_p16": Struct(">H").pack,
            "_p32": Struct(">I").pack,
            "_pack": Struct,
            "_len": len,
            "_range": range,
            "_list": list,
            "_bytes": bytes,
            "_Struct": Struct,
            "_in_version": _in_version,
            "_body": _body_codec,
            "_read_bits": wire.read_bits,
            "_write_bits": wire.write_bits,
            "_read_address": wire.read_address,
            "_write_address": wire.write_address,
            "_read_real": wire.read_real,
            "_write_real": wire.write_real,
            "_count": _count,
            "_wrong_count": _wrong_count,
        }

    def put(self, line: str, served: Any = "") -> None:
        self.lines.append("    " * self.depth + line)
        self.served.append(served)

    def constant(self, prefix: str, value: Any) -> str:
        """A name for `value` in the generated module."""
        name = f"_{prefix}{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, entries: tuple[Entry, ...]) -> None:
        raise NotImplementedError

    def block(self, entries: tuple[Entry, ...]) -> None:
        """Write entries in order, neighbouring scalars together."""
        run: list[Field] = []
        for entry in entries:
            if isinstance(entry, Field) and isinstance(entry.type, Scalar):
                run.append(entry)
                continue
            self._flush(run)
            match entry:
                case Field(name, wire_type):
                    self.field(name, wire_type)
                case If(condition, then, otherwise):
                    self.condition(condition, then, otherwise)
                case Switch(field, cases):
                    self.switch(field, cases)
            self.known.update(_names((entry,)))
        self._flush(run)

    def _flush(self, run: list[Field]) -> None:
        if run:
            self.scalars(tuple(run))
            self.known.update(field.name for field in run)
            run.clear()

    def condition(self, condition: str, then: tuple[Entry, ...], otherwise: tuple[Entry, ...]) -> None:
        before = set(self.known)
        self.put(f"if {self.expression(condition)}:", condition)
        self._indented(then, otherwise)
        if otherwise or self.verb == "unpack":
            self.known = set(before)
            self.put("else:")
            self._indented(otherwise, then)

    def switch(self, field: str, cases: tuple[tuple[tuple[int, ...], tuple[Entry, ...]], ...]) -> None:
        everything = tuple(entry for _, then in cases for entry in then)
        before = set(self.known)
        word = "if"
        for values, then in cases:
            self.known = set(before)
            self.put(f"{word} {self.expression(field)} in {values!r}:", field)
            self._indented(then, everything)
            word = "elif"
        if self.verb == "unpack":
            self.known = set(before)
            self.put("else:")
            self._indented((), everything)

    def _indented(self, entries: tuple[Entry, ...], others: tuple[Entry, ...]) -> None:
        self.depth += 1
        start = len(self.lines)
        self.absent(set(_names(others)) - set(_names(entries)))
        self.block(entries)
        if len(self.lines) == start:
            self.put("pass")
        self.depth -= 1

    def expression(self, text: str) -> str:
        """The expression with field names replaced by what holds their values here."""
        tree = ast.parse(text, mode="eval")
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name) or node.id == "_i":
                continue
            if node.id in EXPRESSION_NAMES:
                self.names[f"_x_{node.id}"] = EXPRESSION_NAMES[node.id]
                node.id = f"_x_{node.id}"
            elif node.id in self.known:
                node.id = self.variable(node.id)
            else:
                raise SchemaError(f"{self.record.__name__}: {text!r} needs {node.id}, which no earlier field holds")
        return ast.unparse(tree)

    def variable(self, name: str) -> str:
        raise NotImplementedError

    def absent(self, names: set[str]) -> None:
        """What to do about fields of a branch that is not taken."""

    def scalars(self, run: tuple[Field, ...]) -> None:
        raise NotImplementedError

    def field(self, name: str, wire_type: WireType) -> None:
        raise NotImplementedError


class _UnpackWriter(_Writer):
    verb = "unpack"

    def function(self, entries: tuple[Entry, ...]) -> None:
        self.put("def unpack(_d, _o):")
        self.depth = 1
        self.block(entries)
        present = list(dict.fromkeys(_names(entries)))
        self.put(f"return _Record({', '.join(f'{name}=v_{name}' for name in present)}), _o")

    def variable(self, name: str) -> str:
        return f"v_{name}"

    def absent(self, names: set[str]) -> None:
        for field in msgspec.structs.fields(self.record):
            if field.name not in names:
                continue
            if field.default_factory is not msgspec.NODEFAULT:
                self.put(f"v_{field.name} = {self.constant('f', field.default_factory)}()")
            else:
                self.put(f"v_{field.name} = {self.constant('c', field.default)}")

    def scalars(self, run: tuple[Field, ...]) -> None:
        layout = Struct(">" + "".join(field.type.code for field in run))  # type: ignore[attr-defined]
        targets = "".join(f"v_{field.name}, " for field in run)
        self.put(f"{targets}= {self.constant('s', layout.unpack_from)}(_d, _o)", run)
        self.put(f"_o += {layout.size}")
        for field in run:
            if field.type is double:
                self.put(f"v_{field.name} = _read_real(v_{field.name})", field.name)

    def field(self, name: str, wire_type: WireType) -> None:
        self.value(f"v_{name}", wire_type, name)

    def value(self, target: str, wire_type: WireType, served: str) -> None:
        """Read one value of `wire_type` into `target`."""
        match wire_type:
            case Scalar():
                layout = Struct(">" + wire_type.code)
                self.put(f"({target},) = {self.constant('s', layout.unpack_from)}(_d, _o)", served)
                self.put(f"_o += {layout.size}")
                if wire_type is double:
                    self.put(f"{target} = _read_real({target})", served)
            case Simple(name=kind):
                getattr(self, f"_{kind}")(target, served)
            case Vector(of=of):
                self._vector(target, of, served)
            case Nested(record=record):
                unpack = self.constant("n", compiled(record, self.version).unpack)
                self.put(f"{target}, _o = {unpack}(_d, _o)", served)
            case Versioned(record=record, version_field=field):
                name = self.constant("r", record)
                self.put(f"{target}, _o = _in_version({name}, v_{field}).unpack(_d, _o)", served)
            case ListOf(of=of):
                self._list_of(target, of, served)
            case Array(of=of, count=count):
                self.put(f"(_n,) = _u{count.width * 8}(_d, _o)", served)
                self.put(f"_o += {count.width}")
                self._elements(target, of, served)
            case Repeat(of=of, count=count_text, absent_if=absent_if):
                self.put(f"_n = {self.expression(count_text)}", served)
                self._elements(target, of, served, absent_if)
            case Chain():
                self._chain(target, wire_type, served)
            case Body(type_field=type_field, version_field=version_field):
                version = f"v_{version_field}" if version_field else str(self.version)
                self.put(f"{target}, _o = _body(v_{type_field}, {version}).unpack(_d, _o)", served)
            case _:
                raise SchemaError(f"{self.record.__name__}.{served}: no code for {wire_type!r}")

    def _string(self, target: str, served: str) -> None:
        self.put("(_n,) = _u32(_d, _o)", served)
        self.put("_o += 4")
        self.put("if _n:")
        self.put("    _e = _o + _n")
        self.put("    if _d[_e - 1]:", served)
        self.put("        raise ValueError('text without a terminating zero')", served)
        self.put(f"    {target} = _d[_o:_e - 1].decode('utf-8', 'surrogateescape')", served)
        self.put("    _o = _e")
        self.put("else:")
        self.put(f"    {target} = None")

    _longdouble = _string

    def _mem(self, target: str, served: str) -> None:
        self.put("(_n,) = _u32(_d, _o)", served)
        self.put("_o += 4")
        self.put("if _n > _len(_d) - _o:")
        self.put("    raise ValueError(f'{_n} bytes announced, {_len(_d) - _o} left')", served)
        self.put(f"{target} = _d[_o:_o + _n]")
        self.put("_o += _n")

    def _bits(self, target: str, served: str) -> None:
        self.put(f"{target}, _o = _read_bits(_d, _o)", served)

    def _addr(self, target: str, served: str) -> None:
        self.put(f"{target}, _o = _read_address(_d, _o)", served)

    def _rest(self, target: str, served: str) -> None:
        self.put(f"{target} = _d[_o:]", served)
        self.put("_o = _len(_d)")

    def _vector(self, target: str, of: Scalar | Simple, served: str) -> None:
        self.put("(_n,) = _u32(_d, _o)", served)
        self.put("_o += 4")
        if not isinstance(of, Scalar):
            self._elements(target, of, served)
            return
        self.put(f"_count(_n, {of.width}, _d, _o)", served)
        self.put(f"{target} = _list(_Struct(f'>{{_n}}{of.code}').unpack_from(_d, _o)) if _n else []", served)
        self.put(f"_o += _n * {of.width}")
        if of is double:
            self.put(f"{target} = [_read_real(_v) for _v in {target}]", served)

    def _list_of(self, target: str, of: WireType, served: str) -> None:
        self.put("(_n,) = _u32(_d, _o)", served)
        self.put("_o += 4")
        self.put("if _n == 0xfffffffe:")
        self.put(f"    {target} = None")
        self.put("else:")
        self.depth += 1
        self._elements(target, of, served)
        self.depth -= 1

    def _elements(self, target: str, of: WireType, served: str, absent_if: str | None = None) -> None:
        """Read `_n` elements into a list."""
        if target == "_v":
            raise SchemaError(f"{self.record.__name__}.{served}: lists of lists are not spelled out, name a record")
        smallest = 0 if absent_if else minimum_size(of, self.version)
        if not absent_if:
            self.put(f"_count(_n, {max(smallest, 1)}, _d, _o)", served)
        self.put(f"{target} = []")
        self.put("for _i in _range(_n):")
        self.depth += 1
        if absent_if:
            self.put(f"if {self.expression(absent_if)}:", served)
            self.put(f"    {target}.append(None)")
            self.put("    continue")
        self.value("_v", of, f"{served}[]")
        self.put(f"{target}.append(_v)", f"{served}[]")
        self.depth -= 1

    def _chain(self, target: str, chain: Chain, served: str) -> None:
        unpack = self.constant("n", compiled(chain.record, self.version).unpack)
        self.put(f"{target} = []")
        self.put(f"_n = v_{chain.flag}")
        self.put(f"while _n == {chain.value}:")
        self.put(f"    _v, _o = {unpack}(_d, _o)", served)
        self.put(f"    {target}.append(_v)")
        self.put(f"    _n = _v.{chain.next_flag}")


class _PackWriter(_Writer):
    verb = "pack"

    def function(self, entries: tuple[Entry, ...]) -> None:
        self.put("def pack(_r, _b):")
        self.depth = 1
        self.block(entries)
        self.put("return None")

    def variable(self, name: str) -> str:
        return f"_r.{name}"

    def scalars(self, run: tuple[Field, ...]) -> None:
        layout = Struct(">" + "".join(field.type.code for field in run))  # type: ignore[attr-defined]
        values = ", ".join(
            f"_write_real(_r.{field.name})" if field.type is double else f"_r.{field.name}" for field in run
        )
        self.put(f"_b += {self.constant('s', layout.pack)}({values})", run)

    def field(self, name: str, wire_type: WireType) -> None:
        self.value(f"_r.{name}", wire_type, name)

    def value(self, source: str, wire_type: WireType, served: str) -> None:
        """Append one value of `wire_type`."""
        match wire_type:
            case Scalar():
                pack = self.constant("s", Struct(">" + wire_type.code).pack)
                self.put(f"_b += {pack}({f'_write_real({source})' if wire_type is double else source})", served)
            case Simple(name=kind):
                getattr(self, f"_{kind}")(source, served)
            case Vector(of=of):
                self._vector(source, of, served)
            case Nested(record=record):
                self.put(f"{self.constant('n', compiled(record, self.version).pack)}({source}, _b)", served)
            case Versioned(record=record, version_field=field):
                name = self.constant("r", record)
                self.put(f"_in_version({name}, _r.{field}).pack({source}, _b)", served)
            case ListOf(of=of):
                self.put(f"_l = {source}")
                self.put("if _l is None:")
                self.put(r"    _b += b'\xff\xff\xff\xfe'")
                self.put("else:")
                self.depth += 1
                self.put("_b += _p32(_len(_l))", served)
                self._elements(of, served)
                self.depth -= 1
            case Array(of=of, count=count):
                self.put(f"_l = {source} or ()")
                self.put(f"_b += _p{count.width * 8}(_len(_l))", served)
                self._elements(of, served)
            case Repeat(of=of, count=count_text, absent_if=absent_if):
                self.put(f"_l = {source}")
                self.put(f"if _len(_l) != {self.expression(count_text)}:", served)
                self.put(f"    _wrong_count(_len(_l), {self.expression(count_text)}, {count_text!r})", served)
                self._elements(of, served, absent_if)
            case Chain():
                self._chain(source, wire_type, served)
            case Body(type_field=type_field, version_field=version_field):
                version = f"_r.{version_field}" if version_field else str(self.version)
                self.put(f"_body(_r.{type_field}, {version}).pack({source}, _b)", served)
            case _:
                raise SchemaError(f"{self.record.__name__}.{served}: no code for {wire_type!r}")

    def _string(self, source: str, served: str) -> None:
        self.put(f"_v = {source}")
        self.put("if _v is None:")
        self.put(r"    _b += b'\0\0\0\0'")
        self.put("else:")
        self.put("    _v = _v.encode('utf-8', 'surrogateescape')", served)
        self.put("    _b += _p32(_len(_v) + 1)", served)
        self.put("    _b += _v")
        self.put(r"    _b += b'\0'")

    _longdouble = _string

    def _mem(self, source: str, served: str) -> None:
        self.put(f"_v = {source} or b''", served)
        self.put("_b += _p32(_len(_v))", served)
        self.put("_b += _v", served)

    def _bits(self, source: str, served: str) -> None:
        self.put(f"_write_bits(_b, {source})", served)

    def _addr(self, source: str, served: str) -> None:
        self.put(f"_write_address(_b, {source})", served)

    def _rest(self, source: str, served: str) -> None:
        self.put(f"_b += {source}", served)

    def _vector(self, source: str, of: Scalar | Simple, served: str) -> None:
        self.put(f"_l = {source} or ()")
        self.put("_b += _p32(_len(_l))", served)
        if not isinstance(of, Scalar):
            self._elements(of, served)
            return
        values = "*[_write_real(_v) for _v in _l]" if of is double else "*_l"
        self.put(f"_b += _Struct(f'>{{_len(_l)}}{of.code}').pack({values})", served)

    def _elements(self, of: WireType, served: str, absent_if: str | None = None) -> None:
        """Append the elements of `_l`; a record may be there as bytes."""
        if absent_if:
            self.put("for _i, _v in enumerate(_l):")
            self.put(f"    if {self.expression(absent_if)}:", served)
            self.put("        continue")
        else:
            self.put("for _v in _l:")
        self.depth += 1
        served = f"{served}[]"
        if isinstance(of, Nested):
            self.put("if _v.__class__ is _bytes:")
            self.put("    _b += _v")
            self.put("else:")
            self.depth += 1
            self.value("_v", of, served)
            self.depth -= 1
        else:
            self.value("_v", of, served)
        self.depth -= 1

    def _chain(self, source: str, chain: Chain, served: str) -> None:
        pack = self.constant("n", compiled(chain.record, self.version).pack)
        self.put(f"if bool({source}) != (_r.{chain.flag} == {chain.value}):", served)
        self.put(f"    _wrong_count(_len({source}), _r.{chain.flag}, {chain.flag!r})", served)
        self.put(f"for _v in {source}:")
        self.put(f"    {pack}(_v, _b)", served)


def _count(count: int, smallest: int, data: bytes, offset: int) -> None:
    """Refuse a count that cannot be true before it is believed."""
    if count * smallest > len(data) - offset:
        raise ValueError(f"{count} elements announced, {len(data) - offset} bytes left")


def _wrong_count(given: int, expected: int, name: str) -> None:
    raise ValueError(f"{given} elements, but {name} is {expected}")


def _in_version(record: type[Record], version: int) -> Codec:
    """Codec of a record whose version stands in the message: an unknown one must not get as far as the compiler."""
    if not versions.is_supported(version):
        raise ValueError(f"unknown protocol version {versions.name(version)}")
    return compiled(record, version)


def _body_codec(number: int, version: int) -> Codec:
    """Codec of the body of message `number`: for bodies inside bodies."""
    if number not in BODIES:
        raise ValueError(f"message {number} has no layout")
    record = BODIES[number]
    return _EMPTY if record is None else _in_version(record, version)


_EMPTY = Codec(lambda data, offset: (None, offset), lambda record, out: None)
