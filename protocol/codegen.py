"""Writers of codec source: a table, resolved for one version, becomes the lines of `unpack` and `pack`.

A writer keeps the lines, the field that each line serves (for error messages), and the names that the lines use. What
needs other codecs is handed in by `protocol.compiler`. In the generated code `_d` is the data, `_o` the offset, `_b`
the bytearray, `_r` the record, `_n` a count, `_v` one value, `_l` a list, `_i` an index, and `v_name` a field that was
read or taken from the record. Packing collects neighbouring pieces and appends them as one; each stands on a line of
its own there too.
"""

from __future__ import annotations

import ast
import struct
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from struct import Struct
from typing import Any

import msgspec

from protocol import forms, wire
from protocol.layout import SchemaError, fields, minimum_size, names, resolve
from protocol.schema import (
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
    WireType,
    bits,
    double,
    longdouble,
    string,
)

__all__ = ["PackWriter", "UnpackWriter", "Writer"]


class Writer:
    """Source lines in the making, the field that each serves, and the names that they use."""

    verb = ""

    def __init__(self, record: type[Record], version: int, compiled: Callable[..., Any], **helpers: Any) -> None:
        self.record, self.version, self.compiled = record, version, compiled
        self.lines: list[str] = []
        self.served: list[Any] = []
        self.depth = 0
        self.known: set[str] = set()
        self.defaults = dict(zip(record.__struct_fields__, record.__struct_defaults__, strict=True))
        self.names: dict[str, Any] = {
            "_Record": record,
            "_u16": Struct(">H").unpack_from,
            "_u32": Struct(">I").unpack_from,
            "_p16": Struct(">H").pack,
            "_p32": Struct(">I").pack,
            "_pack": struct.pack,
            "_unpack": struct.unpack_from,
            "_len": len,
            "_range": range,
            "_list": list,
            "_bytes": bytes,
            "_read_bits": wire.read_bits,
            "_bits_form": wire.bits_form,
            "_text": forms.TEXT,
            "_text_form": forms.text_form,
            "_values": msgspec.structs.astuple,
            "_join": b"".join,
            "_read_address": wire.read_address,
            "_write_address": wire.write_address,
            "_read_real": wire.read_real,
            "_count": _count,
            "_flags": _flags,
            "_wrong_count": _wrong_count,
            **helpers,
        }

    def put(self, line: str, served: Any = "") -> None:
        self.lines.append("    " * self.depth + line)
        self.served.append(served)

    def settle(self) -> None:
        """Write out what was held back to be written together with what follows."""

    @contextmanager
    def indented(self) -> Iterator[None]:
        """What is put inside is one level deeper."""
        self.settle()
        self.depth += 1
        yield
        self.settle()
        self.depth -= 1

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
            self.known.update(names((entry,)))
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
        with self.indented():
            start = len(self.lines)
            self.absent(set(names(others)) - set(names(entries)))
            self.block(entries)
            self.settle()
            if len(self.lines) == start:
                self.put("pass")

    def expression(self, text: str) -> str:
        """The expression with field names replaced by what holds their values here."""
        tree = ast.parse(text, mode="eval")
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name):
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


class UnpackWriter(Writer):
    verb = "unpack"

    def function(self, entries: tuple[Entry, ...]) -> None:
        self.put("def unpack(_d, _o):")
        self.depth = 1
        self.block(entries)
        self.put(f"return _Record({', '.join(self._arguments(set(names(entries))))}), _o")

    def _arguments(self, present: set[str]) -> list[str]:
        """What the record is made from, in the order of its fields up to the last that is present: by position,
        which takes a fifth of the time that many keywords take."""
        fields = self.record.__struct_fields__
        needed = max((place for place, name in enumerate(fields, 1) if name in present), default=0)
        return [f"v_{name}" if name in present else self._default(name) for name in fields[:needed]]

    def _default(self, name: str) -> str:
        """An expression for what the field holds when it is not read."""
        default = self.defaults[name]
        factory = getattr(default, "factory", None)
        return self.constant("c", default) if factory is None else f"{self.constant('f', factory)}()"

    def variable(self, name: str) -> str:
        return f"v_{name}"

    def absent(self, names: set[str]) -> None:
        for name in sorted(names & self.defaults.keys()):
            self.put(f"v_{name} = {self._default(name)}")

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
                unpack = self.constant("n", self.compiled(record, self.version).unpack)
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
            case Repeat(of=of, count=count_text, absent=absent):
                self.put(f"_n = {self.expression(count_text)}", served)
                self._elements(target, of, served, absent)
            case Chain():
                self._chain(target, wire_type, served)
            case Body(type_field=type_field, version_field=version_field):
                version = f"v_{version_field}" if version_field else str(self.version)
                self.put(f"{target}, _o = _body(v_{type_field}, {version}).unpack(_d, _o)", served)
            case Tail(of=of):
                self.put("if _o == _len(_d):")
                self.put(f"    {target} = None")
                self.put("else:")
                with self.indented():
                    self.value(target, of, served)
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

    def _token(self, target: str, served: str) -> None:
        self.put(f"{target} = None")
        start = f"_d[_o + 4:_o + {4 + len(wire.TOKEN_START)}] == {wire.TOKEN_START!r}"
        self.put(rf"if {start} and _d[_o:_o + 4] != b'\0\0\0\0':", served)
        self.depth += 1
        self._string(target, served)
        self.depth -= 1

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
        self.put(f"{target} = _list(_unpack(f'>{{_n}}{of.code}', _d, _o)) if _n else []", served)
        self.put(f"_o += _n * {of.width}")
        if of is double:
            self.put(f"{target} = [_read_real(_v) for _v in {target}]", served)

    def _list_of(self, target: str, of: WireType, served: str) -> None:
        self.put("(_n,) = _u32(_d, _o)", served)
        self.put("_o += 4")
        self.put("if _n == 0xfffffffe:")
        self.put(f"    {target} = None")
        self.put("else:")
        with self.indented():
            self._elements(target, of, served)

    def _elements(self, target: str, of: WireType, served: str, absent: str | None = None) -> None:
        """Read `_n` elements into a list."""
        if target == "_v":
            raise SchemaError(f"{self.record.__name__}.{served}: lists of lists are not spelled out, name a record")
        present = "_n"
        if absent:
            self.put(f"_f = _flags({self.expression(absent)})", served)
            present = "_n - _f.count('1', 0, _n)"
        self.put(f"_count({present}, {max(minimum_size(of, self.version), 1)}, _d, _o)", served)
        self.put(f"{target} = []")
        self.put("for _i in _range(_n):")
        with self.indented():
            if absent:
                self.put("if _f[_i:_i + 1] == '1':")
                self.put(f"    {target}.append(None)")
                self.put("    continue")
            self.value("_v", of, f"{served}[]")
            self.put(f"{target}.append(_v)", f"{served}[]")

    def _chain(self, target: str, chain: Chain, served: str) -> None:
        unpack = self.constant("n", self.compiled(chain.record, self.version).unpack)
        self.put(f"{target} = []")
        self.put(f"_n = v_{chain.flag}")
        self.put(f"while _n == {chain.value}:")
        self.put(f"    _v, _o = {unpack}(_d, _o)", served)
        self.put(f"    {target}.append(_v)")
        self.put(f"    _n = _v.{chain.next_flag}")


class PackWriter(Writer):
    verb = "pack"

    def __init__(self, *arguments: Any, **helpers: Any) -> None:
        super().__init__(*arguments, **helpers)
        self._pieces: list[tuple[str, Any]] = []
        self._beside: list[Field] = []
        self._unfolded = False

    def function(self, entries: tuple[Entry, ...]) -> None:
        self.put("def pack(_r, _b):")
        with self.indented():
            self._unfold(set(names(entries)))
            self.block(entries)
            self.put("return None")

    def _unfold(self, used: set[str]) -> None:
        """Take a large record apart at once: cheaper than to load one attribute after the other."""
        every = self.record.__struct_fields__
        self._unfolded = len(used) >= _LARGE and 2 * len(used) >= len(every)
        if self._unfolded:
            self.put("(")
            for line in textwrap.wrap(", ".join(f"v_{name}" if name in used else "_" for name in every), _WIDTH):
                self.put(f"    {line}")
            self.put(") = _values(_r)")

    def variable(self, name: str) -> str:
        return f"v_{name}" if self._unfolded else f"_r.{name}"

    def put(self, line: str, served: Any = "") -> None:
        self.settle()
        super().put(line, served)

    def piece(self, expression: str, served: Any) -> None:
        """Bytes to be appended together with their neighbours."""
        self._settle_beside()
        self._pieces.append((expression, served))

    def settle(self) -> None:
        self._settle_beside()
        if len(self._pieces) == 1:
            expression, served = self._pieces[0]
            super().put(f"_b += {expression}", served)
        elif self._pieces:
            super().put("_b += _join((")
            for expression, served in self._pieces:
                super().put(f"    {expression},", served)
            super().put("))")
        self._pieces.clear()

    def _settle_beside(self) -> None:
        """What stands beside each other and is looked up together; numbers alone are packed, and a text alone is
        looked up in the table of all texts."""
        run = tuple(self._beside)
        self._beside.clear()
        values = ", ".join(self.variable(field.name) for field in run)
        if run and all(isinstance(field.type, Scalar) for field in run):
            self._struct(run)
        elif len(run) == 1:
            self.value(values, run[0].type, run[0].name)
        elif run:
            self.piece(f"{self.constant('k', forms.Run(field.type for field in run))}[{values}]", run)

    def scalars(self, run: tuple[Field, ...]) -> None:
        if len(run) <= _FEW and all(map(_may_be_kept, run)):
            self._beside += run
        else:
            self._struct(run)

    def _struct(self, run: tuple[Field, ...], of: str = "") -> None:
        """A run of scalars; those of the record in field `of` where it is given."""
        self._settle_beside()
        layout = Struct(">" + "".join(field.type.code for field in run))  # type: ignore[attr-defined]
        sources = [f"{self.variable(of)}.{field.name}" if of else self.variable(field.name) for field in run]
        values = ", ".join(
            f"{source} * 1e6" if field.type is double else source for source, field in zip(sources, run, strict=True)
        )
        served = tuple(Field(f"{of}.{field.name}", field.type) for field in run) if of else run
        self.piece(f"{self.constant('s', layout.pack)}({values})", served)

    def field(self, name: str, wire_type: WireType) -> None:
        field = Field(name, wire_type)
        if _may_be_kept(field):
            self._beside.append(field)
        elif wire_type is string and name in forms.VARIED:
            self.piece(f"_text_form({self.variable(name)})", name)
        elif isinstance(wire_type, Nested):
            self._nested(name, wire_type.record)
        else:
            self.value(self.variable(name), wire_type, name)

    def _nested(self, name: str, record: type[Record]) -> None:
        """A record in a field: spelled out here where it is nothing but numbers, looked up where it is small and
        varies little."""
        entries = resolve(record, self.version)
        if entries and all(isinstance(entry, Field) and isinstance(entry.type, Scalar) for entry in entries):
            self._struct(entries, of=name)  # type: ignore[arg-type]
            return
        if not all(isinstance(field.type, Scalar) and _may_be_kept(field) for field in fields(record.WIRE)):
            self.value(self.variable(name), Nested(record), name)
            return
        table = forms.RecordForms(record, self.compiled(record, self.version).pack)
        self.piece(f"{self.constant('k', table)}[_values({self.variable(name)})]", name)

    def value(self, source: str, wire_type: WireType, served: str) -> None:
        """Append one value of `wire_type`."""
        match wire_type:
            case Scalar():
                pack = self.constant("s", Struct(">" + wire_type.code).pack)
                self.piece(f"{pack}({f'{source} * 1e6' if wire_type is double else source})", served)
            case Simple(name=kind):
                getattr(self, f"_{kind}")(source, served)
            case Vector(of=of):
                self._vector(source, of, served)
            case Nested(record=record):
                self.put(f"{self.constant('n', self.compiled(record, self.version).pack)}({source}, _b)", served)
            case Versioned(record=record, version_field=field):
                name = self.constant("r", record)
                self.put(f"_in_version({name}, {self.variable(field)}).pack({source}, _b)", served)
            case ListOf(of=of):
                self._list_of(source, of, served)
            case Array(of=of, count=count):
                self.put(f"_l = {source} or ()")
                self.piece(f"_p{count.width * 8}(_len(_l))", served)
                self._elements(of, served)
            case Repeat(of=of, count=count_text, absent=absent):
                self.put(f"_l = {source}")
                self.put(f"if _len(_l) != {self.expression(count_text)}:", served)
                self.put(f"    _wrong_count(_len(_l), {self.expression(count_text)}, {count_text!r})", served)
                self._elements(of, served, absent)
            case Chain():
                self._chain(source, wire_type, served)
            case Body(type_field=type_field, version_field=version_field):
                version = self.variable(version_field) if version_field else str(self.version)
                self.put(f"_body({self.variable(type_field)}, {version}).pack({source}, _b)", served)
            case Tail(of=of):
                self.put(f"if {source} is not None:")
                with self.indented():
                    self.value(source, of, served)
            case _:
                raise SchemaError(f"{self.record.__name__}.{served}: no code for {wire_type!r}")

    def _string(self, source: str, served: str) -> None:
        self.piece(f"_text[{source}]", served)

    _longdouble = _string

    def _mem(self, source: str, served: str) -> None:
        self.put(f"_v = {source} or b''", served)
        self.piece("_p32(_len(_v))", served)
        self.piece("_v", served)

    def _token(self, source: str, served: str) -> None:
        self.put(f"if {source} is not None:")
        with self.indented():
            self.piece(f"_text_form({source})", served)

    def _bits(self, source: str, served: str) -> None:
        self.piece(rf"b'\xff\xff\xff\xfe' if {source} is None else _bits_form({source})", served)

    def _addr(self, source: str, served: str) -> None:
        self.put(f"_write_address(_b, {source})", served)

    def _rest(self, source: str, served: str) -> None:
        self.piece(source, served)

    def _vector(self, source: str, of: Scalar | Simple, served: str) -> None:
        if isinstance(of, Scalar):
            values = f"*[_v * 1e6 for _v in {source}]" if of is double else f"*{source}"
            pack = f"_pack(f'>I{{_len({source})}}{of.code}', _len({source}), {values})"
            self.piece(rf"{pack} if {source} else b'\0\0\0\0'", served)
            return
        self.put(f"_l = {source} or ()")
        self.piece("_p32(_len(_l))", served)
        self._elements(of, served)

    def _list_of(self, source: str, of: WireType, served: str) -> None:
        self.put(f"_l = {source}")
        self.put("if _l is None:")
        self.put(r"    _b += b'\xff\xff\xff\xfe'")
        self.put("else:")
        with self.indented():
            self.piece("_p32(_len(_l))", served)
            self._elements(of, served)

    def _elements(self, of: WireType, served: str, absent: str | None = None) -> None:
        """Append the elements of `_l`; a record may be there as bytes."""
        if absent:
            self.put(f"_f = _flags({self.expression(absent)})", served)
            self.put("for _i, _v in enumerate(_l):")
            self.put("    if _f[_i:_i + 1] == '1':")
            self.put("        continue")
        else:
            self.put("for _v in _l:")
        served = f"{served}[]"
        with self.indented():
            if not isinstance(of, Nested):
                self.value("_v", of, served)
                return
            self.put("if _v.__class__ is _bytes:")
            self.put("    _b += _v")
            self.put("else:")
            with self.indented():
                self.value("_v", of, served)

    def _chain(self, source: str, chain: Chain, served: str) -> None:
        pack = self.constant("n", self.compiled(chain.record, self.version).pack)
        self.put(f"if bool({source}) != ({self.variable(chain.flag)} == {chain.value}):", served)
        self.put(f"    _wrong_count(_len({source}), {self.variable(chain.flag)}, {chain.flag!r})", served)
        self.put(f"for _v in {source}:")
        self.put(f"    {pack}(_v, _b)", served)


_LARGE = 8
"""Fields from which on a record is taken apart."""

_WIDTH = 100
"""Characters in a line of names."""

_FEW = 4
"""Numbers that are looked up with the texts beside them: more are packed faster."""


def _may_be_kept(field: Field) -> bool:
    """Whether a field can be part of what a form is looked up by."""
    plain = isinstance(field.type, Scalar) or field.type in (string, longdouble, bits)
    return plain and field.type is not double and field.name not in forms.VARIED | forms.OWN


def _count(count: int, smallest: int, data: bytes, offset: int) -> None:
    """Refuse a count that cannot be true before it is believed."""
    if count * smallest > len(data) - offset:
        raise ValueError(f"{count} elements announced, {len(data) - offset} bytes left")


def _flags(bitmap: wire.Bits | None) -> str:
    """The bits as text, lowest first: looking at one of them does not cost a pass over all."""
    return "" if bitmap is None else format(bitmap.mask, "b")[::-1]


def _wrong_count(given: int, expected: int, name: str) -> None:
    raise ValueError(f"{given} elements, but {name} is {expected}")
