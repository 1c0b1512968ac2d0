"""Checks a state directory without changing it: every segment, checksum, snapshot and blob, and that they fit together.

A finding is *damage* where something is not what was written, and a *note* where it is what a crash leaves and the next
start puts right by itself. Beside a running controller files change while they are read: what cannot be told from that
is a note there.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from flurm.raft.records import HardState
from flurm.storage import hard_state, reading
from flurm.storage.blobs import BlobMissing, BlobStore
from flurm.storage.errors import CorruptFile, StorageError
from flurm.storage.files import TEMPORARY
from flurm.storage.layout import RESTORING
from flurm.storage.snapshots import SnapshotInfo, SnapshotStore
from flurm.storage.state import State, blobs_of, blobs_of_job, replay

_RESUBMIT = "Cancel the jobs that need it and submit them again, or restore a backup."


class Severity(enum.Enum):
    """How bad a finding is."""

    DAMAGE = "damage"
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True):
    """Something worth a line: in which file, from which byte, what it is, and what to do."""

    severity: Severity
    file: str
    offset: int
    problem: str
    advice: str = ""


class Report(msgspec.Struct):
    """What a check found, and what there is."""

    directory: str
    running: bool
    findings: list[Finding] = []
    facts: dict[str, Any] = {}

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not any(finding.severity is Severity.DAMAGE for finding in self.findings)


def check(directory: Path, running: bool = False) -> Report:
    """Look at all of the state directory ``directory``. Raises StorageError where there is none.

    The caller holds its lock, or says that somebody else may be ``running`` on it.
    """
    if not (directory / "raft").is_dir():
        raise StorageError(f"{directory} holds no state of a cluster")
    return _Check(directory, running).run()


class _Check:
    def __init__(self, directory: Path, running: bool) -> None:
        self._directory, self._running = directory, running
        self._report = Report(str(directory), running)
        self._log_is_whole = True
        self._segments: list[reading.Segment] = []

    def run(self) -> Report:
        if (self._directory / RESTORING).exists():
            problem = "a restore of a backup was cut short"
            self._damage(
                self._directory / RESTORING, 0, problem, "Do it again with `flurm backup restore --force FILE`."
            )
        self._check_log()
        snapshots = self._check_snapshots()
        self._check_hard_state()
        self._check_fit(snapshots[-1] if snapshots else None)
        self._check_blobs()
        self._note_leftovers()
        return self._report

    def _check_log(self) -> None:
        paths = reading.segment_paths(self._directory)
        for path in paths:
            is_last = path == paths[-1]
            try:
                segment = reading.read_segment(path, is_last)
            except StorageError as error:
                self._log_is_whole = self._unreadable(path, error) and self._log_is_whole
                continue
            if segment is None:
                self._note(path, 0, "the segment's creation was cut short", "The next start removes it.")
                continue
            self._check_follows(segment)
            torn = segment.scan.torn
            if torn is not None:
                unfinished = f"{torn.length} bytes are half-written: {torn.problem}"
                self._note(path, torn.offset, unfinished, "Never acknowledged; the next start cuts them off.")
            self._segments.append(segment)
        if self._segments:
            first, last = self._segments[0].scan, self._segments[-1].scan
            self._report.facts["log"] = {
                "segments": len(paths),
                "bytes": sum(segment.scan.end for segment in self._segments),
                "first_index": first.first_index,
                "last_index": last.last_index,
                "last_term": last.last_term,
            }

    def _check_follows(self, segment: reading.Segment) -> None:
        expected = self._segments[-1].scan.last_index + 1 if self._segments else segment.scan.first_index
        if segment.scan.first_index != expected and self._log_is_whole:
            problem = f"expected the segment that begins with entry {expected}, found {segment.scan.first_index}"
            self._damage(
                segment.path, 0, problem, "A segment is missing or was renamed: put it back, or restore a backup."
            )
            self._log_is_whole = False

    def _check_snapshots(self) -> list[SnapshotInfo]:
        sound = []
        for path in reading.snapshot_paths(self._directory):
            try:
                sound.append(SnapshotStore.check(path))
            except StorageError as error:
                self._unreadable(path, error)
        self._report.facts["snapshots"] = [
            {
                "index": info.index,
                "term": info.term,
                "bytes": info.size,
                "configuration": msgspec.to_builtins(info.configuration),
            }
            for info in sound
        ]
        return sound

    def _check_hard_state(self) -> None:
        path = self._directory / "raft" / "hard_state"
        try:
            found = hard_state.read(path)
        except StorageError as error:
            self._unreadable(path, error)
            return
        self._report.facts["hard_state"] = {"term": found.term, "voted_for": found.voted_for}
        last_term = self._segments[-1].scan.last_term if self._segments else 0
        if found.term < last_term:
            lost = "the file is missing" if found == HardState() else f"found {found.term}"
            self._damage(path, 0, f"expected term {last_term} or later, {lost}", hard_state.ADVICE)

    def _check_fit(self, newest: SnapshotInfo | None) -> None:
        """Whether the log goes on where the newest snapshot that is whole ends."""
        index, term = (newest.index, newest.term) if newest else (0, 0)
        if not self._segments or not self._log_is_whole:
            return
        first, last = self._segments[0].scan, self._segments[-1].scan
        if first.first_index > index + 1:
            problem = f"expected entry {index + 1}, found {first.first_index} as the first one"
            advice = "The log begins after the newest snapshot that can be read. Restore a backup."
            self._damage(self._segments[0].path, 0, problem, advice)
            self._log_is_whole = False
        elif newest is not None and not self._holds(index, term):
            entries = f"entries {first.first_index} to {last.last_index} do not belong to the snapshot after {index}"
            self._note(newest.path, 0, entries, "It came from a leader; the next start begins the log anew after it.")

    def _holds(self, index: int, term: int) -> bool:
        first = self._segments[0].scan
        if index == first.first_index - 1:
            return term == first.previous_term
        entries = (each for segment in self._segments for each in segment.entries() if each.index == index)
        return any(each.term == term for each in entries)

    def _check_blobs(self) -> None:
        blobs = BlobStore(self._directory / "blobs", read_only=True)
        for torn in blobs.packs.torn:
            self._note(torn.path, torn.offset, torn.problem, "Not yet durable when the power went; the log has them.")
        for damaged in blobs.packs.damaged:
            self._add(Severity.NOTE if self._running else Severity.DAMAGE, damaged)
        digests = blobs.digests()
        for digest in sorted(digests):
            try:
                blobs.get(digest)
            except BlobMissing:
                continue
            except StorageError as error:
                self._unreadable(blobs.directory, error)
        self._report.facts["blobs"] = {"count": len(digests)}
        self._check_references(blobs)

    def _check_references(self, blobs: BlobStore) -> None:
        """Whether every script and environment that the newest state refers to is here or in the log."""
        in_log: set[str] = set()
        state = self._state(in_log)
        if state is None:
            self._note(self._directory / "blobs", 0, "what the state refers to could not be looked up", "See above.")
            return
        cluster = state.cluster
        self._report.facts["state"] = {
            "index": state.index, "term": state.term, "jobs": len(cluster.jobs), "nodes": len(cluster.nodes),
        }  # fmt: skip
        for digest in sorted(blobs.missing(blobs_of(cluster)) - in_log):
            jobs = sorted(job.id for job in cluster.jobs.values() if digest in blobs_of_job(job))
            wanted = f"blob {digest} is missing, needed by {_listed(jobs)}"
            severity = Severity.NOTE if self._running else Severity.DAMAGE
            self._report.findings.append(Finding(severity, str(blobs.directory), 0, wanted, _RESUBMIT))

    def _state(self, in_log: set[str]) -> State | None:
        if not self._log_is_whole:
            return None
        newest = reading.newest_snapshot(self._directory)
        after = newest.index if newest else 0
        entries = (each for segment in self._segments for each in segment.entries() if each.index > after)
        try:
            return replay(newest, entries, in_log.update)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            advice = "It was written by another release: check with that one."
            self._damage(self._directory, 0, f"an entry or snapshot cannot be understood: {error}", advice)
            return None

    def _note_leftovers(self) -> None:
        for path in sorted(self._leftovers()):
            self._note(path, 0, "left behind", "The next start removes it.")
        for path in sorted((self._directory / "snapshots").glob("*.damaged")):
            self._note(path, 0, "a damaged snapshot that was put aside", "Delete it once nobody wants to look at it.")
        for path in sorted((self._directory / "snapshots").glob("incoming-*.part")):
            self._note(path, 0, "a snapshot that has not come completely", "A leader sends the rest.")

    def _leftovers(self) -> Iterator[Path]:
        if not self._running:
            for name in ("raft", "snapshots", "blobs"):
                yield from (self._directory / name).rglob(f"*{TEMPORARY}")

    def _unreadable(self, path: Path, error: StorageError) -> bool:
        """Report ``error``; whether a running controller explains it, which removes files that it does not need."""
        if self._running and not path.exists():
            self._note(path, 0, "removed while it was looked at", "")
            return True
        if isinstance(error, CorruptFile):
            self._add(Severity.DAMAGE, error)
        else:
            self._damage(path, 0, str(error), "Look at the device.")
        return False

    def _add(self, severity: Severity, error: CorruptFile) -> None:
        self._report.findings.append(Finding(severity, str(error.path), error.offset, error.problem, error.advice))

    def _damage(self, path: Path, offset: int, problem: str, advice: str) -> None:
        self._report.findings.append(Finding(Severity.DAMAGE, str(path), offset, problem, advice))

    def _note(self, path: Path, offset: int, problem: str, advice: str) -> None:
        self._report.findings.append(Finding(Severity.NOTE, str(path), offset, problem, advice))


def _listed(jobs: list[int], most: int = 10) -> str:
    shown = ", ".join(map(str, jobs[:most]))
    more = f" and {len(jobs) - most} more" if len(jobs) > most else ""
    return f"job{'s' if len(jobs) > 1 else ''} {shown}{more}"
