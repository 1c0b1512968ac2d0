"""What real slurmctld answered (see record.py): frames by release, moment, version and query, decoded on demand."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from protocol.codec import decode_body, pack, unpack
from protocol.frame import decode_frame

DATA = Path(__file__).parent.parent / "data" / "bridge"
RELEASES = ("22.05", "24.11")
VERSIONS = {"22.05": (0x2600,), "24.11": (0x2700, 0x2800, 0x2900, 0x2A00)}


class Reply(NamedTuple):
    """One recorded answer."""

    msg_type: int
    record: Any
    body: bytes
    now_s: int


@functools.cache
def _moments(release: str) -> dict[str, Any]:
    return json.loads(gzip.decompress((DATA / f"{release}.json.gz").read_bytes()))


def reply(release: str, moment: str, query: str, version: int) -> Reply:
    """What the controller of `release` said at that moment to a client of `version`."""
    taken = _moments(release)[moment]
    frame = decode_frame(bytes.fromhex(taken["frames"][f"{version:x}:{query}"])[4:])
    return Reply(frame.msg_type, decode_body(frame.msg_type, frame.body, frame.version), frame.body, taken["now"])


def queries(release: str, moment: str, version: int) -> list[str]:
    """The names of what was asked then."""
    prefix = f"{version:x}:"
    return [name.removeprefix(prefix) for name in _moments(release)[moment]["frames"] if name.startswith(prefix)]


def differences(ours: msgspec.Struct, theirs: msgspec.Struct, *but: str) -> dict[str, tuple[object, object]]:
    """Fields in which two records differ: ours, theirs; `but` names those that may."""
    return {
        name: (getattr(ours, name), getattr(theirs, name))
        for name in ours.__struct_fields__
        if name not in but and getattr(ours, name) != getattr(theirs, name)
    }


def as_sent(record: Any, version: int) -> Any:
    """The record as a client of `version` reads it: packed and unpacked again."""
    return unpack(type(record), pack(record, version), version)
