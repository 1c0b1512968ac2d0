"""Recordings made of the frames that the tests have: in the layouts of meta.json, or bare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from flurm.cli.wire import command
from flurm.client.recordings import COLUMNS


def wire(*arguments: object, stdin: bytes | None = None) -> Result:
    """`flurm wire ...` in this process."""
    return CliRunner().invoke(command, [str(one) for one in arguments], input=stdin)


def prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def rows(*messages: tuple[str, bytes, str | None], start: int = 0) -> list[list[Any]]:
    """Rows for (kind, bytes with their prefix, version), one behind the other from `start`."""
    made, offset = [], start
    for kind, data, version in messages:
        about = {"off": offset, "len": len(data), "conn": 1, "dir": "c2s", "kind": kind, "version": version}
        made.append([about.get(column) for column in COLUMNS])
        offset += len(data)
    return made


def write(directory: Path, data: bytes, meta: dict[str, Any] | None) -> Path:
    """frames.bin and meta.json in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "frames.bin").write_bytes(data)
    if meta is not None:
        (directory / "meta.json").write_text(json.dumps(meta))
    return directory
