"""Recorded traffic as files: `frames.bin` with all messages, `meta.json` beside it saying what is what.

`meta.json` holds `columns` and `frames`, one row per message, or `steps`, a list of such pieces over one `frames.bin`.
Columns: off, len, t (seconds since the step began), conn, dir (c2s, s2c), client, server, port, service, kind (see
`protocol.kinds`), name, type, version. Only off and len are needed: what else is missing or unknown is guessed from the
bytes. A file without `meta.json` is taken for messages with length prefixes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import Any

import msgspec

from protocol import versions
from protocol.conversation import PersistVersion
from protocol.kinds import guess_kind

__all__ = ["COLUMNS", "Item", "RecordingError", "cut", "find", "from_bytes", "messages"]

COLUMNS = ("off", "len", "t", "conn", "dir", "client", "server", "port", "service", "kind", "name", "type", "version")

_U32 = Struct(">I")
_U16 = Struct(">H")
_HEX = re.compile(rb"[0-9a-fA-F\s:]+")


class RecordingError(Exception):
    """A recording that makes no sense as a whole."""


class Item(msgspec.Struct):
    """One recorded message: where it stands (`number` counts from 1), its bytes and what the recording says of it."""

    path: str
    number: int
    offset: int
    data: bytes
    kind: str
    version: int | None = None
    name: str = ""
    direction: str = ""
    conn: int | None = None
    step: str = ""


def find(paths: Iterable[Path]) -> list[Path]:
    """The files with frames: those given, and every frames*.bin below a directory. Raises RecordingError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(path.rglob("frames*.bin"))
            if not below:
                raise RecordingError(f"{path}: no frames.bin in it or below")
            found += below
        else:
            found.append(path.with_name("frames.bin") if path.name == "meta.json" else path)
    return found


def messages(path: Path) -> Iterator[Item]:
    """The messages of a file, by its meta.json where there is one. Raises RecordingError or OSError."""
    data = path.read_bytes()
    meta = path.with_name("meta.json")
    if path.name != "frames.bin" or not meta.exists():
        yield from from_bytes(data, str(path))
        return
    try:
        described = json.loads(meta.read_text())
    except ValueError as error:
        raise RecordingError(f"{meta}: not JSON: {error}") from error
    rows = list(_rows(described))
    if not rows and data:
        yield from from_bytes(data, str(path))
        return
    yield from _described(rows, data, str(path))


def from_bytes(data: bytes, path: str = "-", version: int | None = None) -> Iterator[Item]:
    """The messages of a file without description: length-prefixed, one without prefix, or either in hexadecimal."""
    if data and _HEX.fullmatch(data):
        digits = re.sub(rb"[\s:]", b"", data)
        if len(digits) % 2:
            raise RecordingError(f"{path}: an odd number of hexadecimal digits")
        data = bytes.fromhex(digits.decode())
    prefixed = _U32.pack(len(data)) + data
    if len(data) >= 2 and not _is_prefixed(data) and guess_kind(prefixed) != "unknown":
        data = prefixed
    tracker = PersistVersion()
    for number, (offset, one) in enumerate(cut(data), 1):
        kind = guess_kind(one)
        yield Item(path, number, offset, one, kind, tracker.version or version if kind == "persist" else None)
        tracker.see(kind, one)


def cut(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Length-prefixed messages with their offsets; what is left at the end and is none comes last."""
    offset = 0
    while offset < len(data):
        size = len(data) - offset
        if size >= 4:
            size = min(size, 4 + _U32.unpack_from(data, offset)[0])
        yield offset, data[offset : offset + size]
        offset += size


def _is_prefixed(data: bytes) -> bool:
    return len(data) >= 4 and 4 + _U32.unpack_from(data)[0] <= len(data)


def _rows(described: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of the step and the row as a dictionary, for every row of either layout."""
    if not isinstance(described, dict):
        return
    steps = described.get("steps")
    for step in steps if isinstance(steps, list) else [described]:
        if not isinstance(step, dict):
            continue
        columns = step.get("columns") or described.get("columns") or COLUMNS
        for row in step.get("frames") or ():
            yield str(step.get("name") or ""), row if isinstance(row, dict) else dict(zip(columns, row, strict=False))


def _described(rows: list[tuple[str, dict[str, Any]]], data: bytes, path: str) -> Iterator[Item]:
    trackers: dict[Any, PersistVersion] = {}
    for number, (step, row) in enumerate(rows, 1):
        offset, length = row.get("off"), row.get("len")
        if (
            not isinstance(offset, int)
            or not isinstance(length, int)
            or not 0 <= offset <= offset + length <= len(data)
        ):
            raise RecordingError(f"{path}: row {number} of meta.json points outside of the file: {offset}, {length}")
        one = data[offset : offset + length]
        kind = row.get("kind") or guess_kind(one)
        tracker = trackers.setdefault((step, row.get("conn")), PersistVersion())
        version = _version(row.get("version"))
        version = tracker.version if version is None and kind == "persist" else version
        name, direction = str(row.get("name") or ""), str(row.get("dir") or "")
        yield Item(path, number, offset, one, str(kind), version, name, direction, row.get("conn"), step)
        tracker.see(str(kind), one)


def _version(value: Any) -> int | None:
    if isinstance(value, int):
        return value
    try:
        return versions.by_name(value) if isinstance(value, str) else None
    except KeyError:
        return None
