"""A state directory read as it is: nothing is opened for writing, locked, cut off, renamed or removed.

What `flurm storage` and its like look at. Who opens a directory to work on it uses ``layout``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from flurm.raft.records import Entry
from flurm.storage.errors import CorruptLog, CorruptSnapshot, from_os_error
from flurm.storage.records import decode_record
from flurm.storage.recovery import DAMAGE_ADVICE, Scan, scan_segment
from flurm.storage.snapshots import Snapshot, SnapshotStore


class Segment(NamedTuple):
    """One file of the log: its bytes and where its records are."""

    path: Path
    data: bytes
    scan: Scan

    def entries(self) -> Iterator[Entry]:
        """What it holds, in order."""
        for offset in self.scan.offsets:
            yield decode_record(self.data, offset).entry


def segment_paths(directory: Path) -> list[Path]:
    """The files of the log in the state directory ``directory``, oldest first."""
    return sorted((directory / "raft").glob("log-*.seg"))


def snapshot_paths(directory: Path) -> list[Path]:
    """The snapshots in the state directory ``directory``, oldest first."""
    return sorted((directory / "snapshots").glob("snapshot-*.snap"))


def read_segment(path: Path, is_last: bool) -> Segment | None:
    """The segment in ``path``; None where it is the last one and its creation was cut short.

    Raises CorruptLog, StorageError.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise from_os_error("reading", path, error) from error
    scan = scan_segment(path, data, is_last)
    return Segment(path, data, scan) if scan is not None else None


def log(directory: Path) -> Iterator[Segment]:
    """The segments of the log, oldest first. Raises CorruptLog at the first that is damaged or missing."""
    paths = segment_paths(directory)
    expected = None
    for path in paths:
        segment = read_segment(path, is_last=path == paths[-1])
        if segment is None:
            return
        if expected not in (None, segment.scan.first_index):
            problem = f"expected the segment that begins with entry {expected}, found {segment.scan.first_index}"
            raise CorruptLog(path, 0, problem, DAMAGE_ADVICE)
        expected = segment.scan.last_index + 1
        yield segment


def newest_snapshot(directory: Path) -> Snapshot | None:
    """The newest snapshot that is whole. Raises StorageError."""
    for path in reversed(snapshot_paths(directory)):
        try:
            return SnapshotStore.read(path)
        except CorruptSnapshot:
            continue
    return None
