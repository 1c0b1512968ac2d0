"""What a state directory holds, as plain data for people and programs: log entries and the snapshot before them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from flurm.core import commands, snapshot
from flurm.raft import machine
from flurm.raft.records import Configuration, Entry, EntryKind
from flurm.storage import reading


def snapshot_summary(directory: Path) -> dict[str, Any] | None:
    """What the newest whole snapshot in the state directory is; None where there is none. Raises StorageError."""
    newest = reading.newest_snapshot(directory)
    if newest is None:
        return None
    summary = {
        "index": newest.index,
        "term": newest.term,
        "bytes": len(newest.content),
        "configuration": msgspec.to_builtins(newest.configuration),
    }
    try:
        cluster = snapshot.load(newest.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return {**summary, "unreadable": str(error)}
    partitions, closed = len(cluster.partitions), cluster.closed
    counts = {"jobs": len(cluster.jobs), "nodes": len(cluster.nodes), "partitions": partitions}
    return {**summary, **counts, "next_job_id": cluster.next_job_id, "closed": closed}


def entries(directory: Path, first: int = 1, last: int | None = None) -> Iterator[Entry]:
    """The entries ``first`` to ``last`` of the log, as far as it has them. Raises CorruptLog, StorageError."""
    for segment in reading.log(directory):
        if segment.scan.last_index < first or (last is not None and segment.scan.first_index > last):
            continue
        for entry in segment.entries():
            if first <= entry.index and (last is None or entry.index <= last):
                yield entry


def last_index(directory: Path) -> int:
    """Index of the newest entry, 0 where there is none. Raises CorruptLog, StorageError."""
    index = 0
    for segment in reading.log(directory):
        index = segment.scan.last_index
    return index


def described(entry: Entry) -> dict[str, Any]:
    """An entry as data that JSON has: ``index``, ``term``, ``kind``, and what its payload is.

    Scripts and environments stand as their sizes only: they may hold secrets.
    """
    shown: dict[str, Any] = {"index": entry.index, "term": entry.term, "kind": entry.kind.name}
    try:
        match entry.kind:
            case EntryKind.COMMAND:
                shown["command"] = _command(commands.decode(entry.payload))
            case EntryKind.CONFIGURATION:
                shown["configuration"] = msgspec.to_builtins(Configuration.decode(entry.payload))
            case EntryKind.MACHINE_VERSION:
                shown["machine_version"] = machine.decode(entry.payload)
            case _ if entry.payload:
                shown["payload"] = entry.payload.hex()
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        shown["unreadable"], shown["payload"] = str(error), entry.payload.hex()
    return shown


def _command(command: commands.AnyCommand) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(command, str_keys=True)
    if isinstance(command, commands.SubmitJob) and command.blobs:
        shown["blobs"] = {digest: f"{len(content)} bytes" for digest, content in command.blobs.items()}
    return shown
