"""The C library's part of the wire benchmark: the same values, packed by libslurmfull's own functions.

libslurmfull cannot pack job records: only slurmctld can, from structures of its own. What it has are the functions that
slurmctld's packing consists of, one per field. So each record becomes the flat list of its fields' values, in the order
of the wire; for every different order a straight-line C function is generated that calls one library function per
field; and the program packs all records with them, again and again, into a buffer that grows as the library grows it.
This is slurmctld's packing without its looking things up, so rather less than it does; what comes out is compared with
our bytes. Bitmaps are given as finished text.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from struct import Struct
from typing import Any

from bench.load import BenchError
from protocol.compiler import resolve
from protocol.schema import (
    EXPRESSION_NAMES,
    Entry,
    Field,
    If,
    Nested,
    Record,
    Scalar,
    Simple,
    Vector,
    WireType,
    double,
    epoch,
    string,
)

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/slurm-wlm/libslurmfull.so")

Flat = tuple[tuple[str, ...], list[Any]]
"""One record: the kinds of its values, and the values."""

_U32, _U64, _F64 = Struct("<I"), Struct("<Q"), Struct("<d")
_CALLS = {
    "u8": "slurm_pack8((uint8_t)v[{0}].number, b);",
    "u16": "slurm_pack16((uint16_t)v[{0}].number, b);",
    "u32": "slurm_pack32((uint32_t)v[{0}].number, b);",
    "u64": "slurm_pack64(v[{0}].number, b);",
    "epoch": "slurm_pack_time((time_t)v[{0}].number, b);",
    "boolean": "slurm_packbool(v[{0}].number != 0, b);",
    "double": "slurm_packdouble(v[{0}].real, b);",
    "string": "text(v[{0}].text, b);",
}

_PROGRAM = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

typedef struct { uint32_t magic; char *head; uint32_t size, processed; bool mapped; } buffer;
typedef union { uint64_t number; double real; char *text; } value;
extern buffer *init_buf(uint32_t size);
extern void slurm_free_buf(buffer *);
extern void slurm_pack8(uint8_t, buffer *);
extern void slurm_pack16(uint16_t, buffer *);
extern void slurm_pack32(uint32_t, buffer *);
extern void slurm_pack64(uint64_t, buffer *);
extern void slurm_pack_time(time_t, buffer *);
extern void slurm_packbool(bool, buffer *);
extern void slurm_packdouble(double, buffer *);
extern void slurm_packmem(void *, uint32_t, buffer *);

static inline void text(char *s, buffer *b) { slurm_packmem(s, s ? strlen(s) + 1 : 0, b); }

@FUNCTIONS@
typedef void (*packer)(const value *, buffer *);
static const packer packers[] = { @NAMES@ };
static const char *const kinds[] = { @KINDS@ };

static void need(void *into, size_t size, FILE *f) { if (size && fread(into, size, 1, f) != 1) exit(3); }

static value *read_record(uint32_t shape, FILE *f) {
    const char *k = kinds[shape];
    value *v = calloc(strlen(k) + 1, sizeof(value));
    for (int i = 0; k[i]; i++) {
        if (k[i] != 't') { need(&v[i], 8, f); continue; }
        uint32_t size; need(&size, 4, f);
        if (size != UINT32_MAX) { v[i].text = calloc(size + 1, 1); need(v[i].text, size, f); }
    }
    return v;
}

int main(int argc, char **argv) {
    uint32_t count, rounds = atoi(argv[3]);
    FILE *f = fopen(argv[1], "rb"); if (!f) return 2;
    need(&count, 4, f);
    uint32_t *shape = calloc(count, 4); value **v = calloc(count, sizeof *v);
    for (uint32_t i = 0; i < count; i++) { need(&shape[i], 4, f); v[i] = read_record(shape[i], f); }
    for (uint32_t r = 0; r < rounds; r++) {
        struct timespec a, z;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        buffer *b = init_buf(16384);
        for (uint32_t i = 0; i < count; i++) packers[shape[i]](v[i], b);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &z);
        printf("%.6f\n", (z.tv_sec - a.tv_sec) * 1e3 + (z.tv_nsec - a.tv_nsec) / 1e6);
        if (r == rounds - 1) { FILE *o = fopen(argv[2], "wb"); fwrite(b->head, b->processed, 1, o); fclose(o); }
        slurm_free_buf(b);
    }
    return 0;
}
"""


def is_here() -> bool:
    """Whether this machine has the library and a compiler."""
    return LIBRARY.exists() and shutil.which("cc") is not None


def pack_ms(records: list[Record], version: int, packed: bytes, rounds: int, directory: Path) -> list[float]:
    """CPU milliseconds of each round of packing `records` in C. Raises BenchError, also where `packed` differs."""
    flats = [flat(record, version) for record in records]
    shapes = list(dict.fromkeys(kinds for kinds, _ in flats))
    program, data, result = directory / "pack", directory / "records", directory / "packed"
    _build(_source(shapes), program)
    data.write_bytes(_U32.pack(len(flats)) + b"".join(_serialised(one, shapes.index(one[0])) for one in flats))
    done = subprocess.run([program, data, result, str(rounds)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"packing in C ended with {done.returncode}: {done.stderr.strip()}")
    if result.read_bytes() != packed:
        raise BenchError("libslurmfull packs these records into other bytes than we do: nothing to compare")
    return [float(line) for line in done.stdout.split()]


def flat(record: Record, version: int) -> Flat:
    """A record as its values in the order of the wire: counts, elements and texts of bitmaps among them."""
    pairs = list(_walk(record, resolve(type(record), version), version))
    return tuple(kind for kind, _ in pairs), [value for _, value in pairs]


def _walk(record: Record, entries: tuple[Entry, ...], version: int) -> Iterable[tuple[str, Any]]:
    for entry in entries:
        match entry:
            case Field(name, of):
                yield from _values(getattr(record, name), of, version)
            case If(condition, then, otherwise):
                holds = eval(condition, dict(EXPRESSION_NAMES), _Names(record))
                yield from _walk(record, then if holds else otherwise, version)
            case _:
                raise BenchError(f"{type(record).__name__}: no flat form for {entry!r}")


def _values(value: Any, of: WireType, version: int) -> Iterable[tuple[str, Any]]:
    match of:
        case Scalar(name=kind):
            yield kind, value
        case Simple(name="string"):
            yield "string", value
        case Simple(name="bits"):
            yield "u32", 0xFFFFFFFE if value is None else value.size
            if value is not None:
                yield "string", f"0x{value.mask:0{(value.size + 3) // 4}X}" if value.size else "0x"
        case Vector(of=inner):
            yield "u32", len(value)
            for one in value:
                yield from _values(one, inner, version)
        case Nested(record=inner):
            yield from _walk(value, resolve(inner, version), version)
        case _:
            raise BenchError(f"no flat form for {of!r}")


class _Names(dict[str, Any]):
    """A record's fields as the names that a condition looks up."""

    def __init__(self, record: Record) -> None:
        super().__init__((name, getattr(record, name)) for name in record.__struct_fields__)


def _serialised(one: Flat, shape: int) -> bytes:
    parts = [_U32.pack(shape)]
    for kind, value in zip(*one, strict=True):
        if kind == string.name:
            raw = None if value is None else value.encode("utf-8", "surrogateescape")
            parts.append(_U32.pack(_NO_TEXT) if raw is None else _U32.pack(len(raw)) + raw)
        elif kind == double.name:
            parts.append(_F64.pack(value))
        else:
            parts.append(_U64.pack(value & 0xFFFF_FFFF_FFFF_FFFF if kind == epoch.name else int(value)))
    return b"".join(parts)


_NO_TEXT = 0xFFFFFFFF


def _source(shapes: list[tuple[str, ...]]) -> str:
    functions = []
    for number, kinds in enumerate(shapes):
        calls = "\n".join("    " + _CALLS[kind].format(index) for index, kind in enumerate(kinds))
        functions.append(f"static void pack_{number}(const value *v, buffer *b) {{\n{calls}\n}}\n")
    letters = ["".join("t" if kind == string.name else "n" for kind in kinds) for kinds in shapes]
    return (
        _PROGRAM.replace("@FUNCTIONS@", "\n".join(functions))
        .replace("@NAMES@", ", ".join(f"pack_{number}" for number in range(len(shapes))))
        .replace("@KINDS@", ", ".join(f'"{text}"' for text in letters))
    )


def _build(source: str, program: Path) -> None:
    file = program.with_suffix(".c")
    file.write_text(source)
    command = ["cc", "-O2", "-o", str(program), str(file), str(LIBRARY), f"-Wl,-rpath,{LIBRARY.parent}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"cannot compile against {LIBRARY.name}: {done.stderr.strip()}")
