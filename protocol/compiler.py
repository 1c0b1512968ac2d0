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

import linecache
from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple

from protocol import versions, wire
from protocol.codegen import PackWriter, UnpackWriter, Writer
from protocol.layout import SchemaError, fields, minimum_size, names, resolve
from protocol.schema import BODIES, Body, Entry, Field, Record, Scalar, WireType, bits, double

__all__ = ["Codec", "SchemaError", "compiled", "locate", "minimum_size", "read_so_far", "resolve"]

Unpack = Callable[[bytes, int], tuple[Any, int]]
Pack = Callable[[Any, bytearray], None]


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


def read_so_far(error: BaseException) -> list[tuple[type[Record], dict[str, Any]]]:
    """Of the records in which generated code failed to read, outermost first: their classes, and the fields that had
    been read. For tools that show where a message goes wrong."""
    found: list[tuple[type[Record], dict[str, Any]]] = []
    traceback = (error.__cause__ or error).__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        known = _lines.get(frame.f_code.co_filename)
        if known is not None and known[0] == "unpack":
            values = {name[2:]: value for name, value in frame.f_locals.items() if name.startswith("v_")}
            values.update(_run_so_far(known[1][traceback.tb_lineno - 1], frame.f_locals))
            found.append((frame.f_globals["_Record"], values))
        traceback = traceback.tb_next
    return found


def _run_so_far(served: Any, variables: dict[str, Any]) -> dict[str, Any]:
    """Of a run of scalars that the data did not suffice for, those that were there."""
    values: dict[str, Any] = {}
    offset = variables.get("_o", 0)
    for field in served if isinstance(served, tuple) else ():
        if offset + field.type.width > len(variables["_d"]):
            break
        (values[field.name],) = Struct(">" + field.type.code).unpack_from(variables["_d"], offset)
        offset += field.type.width
        if field.type is double:
            values[field.name] = wire.read_real(values[field.name])
    return values


def _first_that_does_not_fit(run: tuple[Field, ...], variables: dict[str, Any], offset: int | None) -> tuple[str, Any]:
    """Of a run of scalars or texts, the one at which reading or writing failed."""
    if "_d" in variables and offset is not None:
        for field in run:
            assert isinstance(field.type, Scalar)
            if offset + field.type.width > len(variables["_d"]):
                return field.name, offset
            offset += field.type.width
    record = variables.get("_r")
    for field in run:
        if not _fits(_value_at(record, field.name), field.type):
            return field.name, offset
    return run[0].name, offset


_NOTHING = object()


def _value_at(record: Any, path: str) -> Any:
    """The value of a field, or of one of the record in it; something that fits nowhere when there is none."""
    for name in path.split("."):
        record = getattr(record, name, _NOTHING)
    return record


def _fits(value: Any, of: WireType) -> bool:
    """Whether a value can be written as a scalar, a bitmap or text."""
    if not isinstance(of, Scalar):
        return value is None or isinstance(value, wire.Bits if of is bits else str)
    try:
        Struct(">" + of.code).pack(value)
    except Exception:
        return False
    return True


def _compile(record: type[Record], version: int) -> Codec:
    entries = resolve(record, version)
    _check(record, entries)
    functions = []
    for kind in (UnpackWriter, PackWriter):
        writer: Writer = kind(record, version, compiled, _in_version=_in_version, _body=_body_codec)
        filename = f"<protocol {record.__name__} {versions.name(version)} {writer.verb}>"
        writer.function(entries)
        source = "".join(line + "\n" for line in writer.lines)
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        _lines[filename] = (writer.verb, writer.served)
        exec(compile(source, filename, "exec"), writer.names)
        functions.append(writer.names[writer.verb])
    return Codec(*functions)


def _check(record: type[Record], entries: tuple[Entry, ...]) -> None:
    own = set(record.__struct_fields__)
    seen: set[str] = set()
    for name in names(entries):
        if name not in own:
            raise SchemaError(f"{record.__name__}.WIRE has {name}, the record has not")
        if name in seen:
            raise SchemaError(f"{record.__name__}.WIRE has {name} twice in one version")
        seen.add(name)


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
    if record is None:
        return _EMPTY
    if any(isinstance(field.type, Body) for field in fields(record.WIRE)):
        raise ValueError(f"message {number} cannot be inside another message")
    return _in_version(record, version)


_EMPTY = Codec(lambda data, offset: (None, offset), lambda record, out: None)
