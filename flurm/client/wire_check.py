"""Every recorded message read and written again: how many are the same, by version and message, and what is wrong.

A message is exact, differs, failed (cannot be read or written), or unchecked (nothing here knows its kind, version or
number). `stream` bytes were never taken apart by the recorder; they are counted as raw and are neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from flurm.client.recordings import Item, RecordingError, messages
from protocol import versions
from protocol.kinds import Check, check

__all__ = ["Problem", "Tally", "check_files"]

VERDICTS = ("exact", "differs", "failed", "unchecked")


class Problem(msgspec.Struct, frozen=True):
    """A message, or a whole file, that is not exact. `offset` counts from the first byte of the message."""

    file: str
    frame: int
    message: str
    version: str
    verdict: str
    offset: int | None
    field: str
    reason: str
    step: str = ""

    def text(self) -> str:
        """One line for people."""
        where = f"{self.file} frame {self.frame}{f' ({self.step})' if self.step else ''}"
        at = "" if self.offset is None or self.verdict != "differs" else f" at byte {self.offset}"
        field = f", field {self.field}" if self.field else ""
        return f"{where}: {self.message} {self.version} {self.verdict}{at}{field}: {self.reason}"


class Tally:
    """What was found so far."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], Counter[str]] = {}
        self.raw = 0
        self.problems: list[Problem] = []

    def add(self, item: Item, found: Check) -> None:
        """Count one message."""
        name = found.name if found.verdict != "unchecked" or found.name != item.kind else item.name or found.name
        version = versions.name(found.version) if found.version else "-"
        self.counts.setdefault((version, name), Counter())[found.verdict] += 1
        if found.verdict != "exact":
            self.problems.append(
                Problem(
                    item.path, item.number, name, version, found.verdict, found.offset, found.field, found.reason,
                    item.step,
                )
            )  # fmt: skip

    def broken(self, path: Path, error: Exception) -> None:
        """A file that cannot be taken apart."""
        self.problems.append(Problem(str(path), 0, "file", "-", "failed", None, "", str(error)))

    @property
    def totals(self) -> dict[str, int]:
        """frames, and how many of them have which verdict; raw is not among the frames."""
        sums: Counter[str] = sum(self.counts.values(), Counter())
        return {"frames": sums.total(), **{verdict: sums[verdict] for verdict in VERDICTS}, "raw": self.raw}

    @property
    def good(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.problems


def check_files(paths: Iterable[Path]) -> Tally:
    """Check every message of these files."""
    tally = Tally()
    for path in paths:
        try:
            for item in messages(path):
                if item.kind == "stream":
                    tally.raw += 1
                else:
                    tally.add(item, check(item.kind, item.data, item.version))
        except (RecordingError, OSError) as error:
            tally.broken(path, error)
    return tally
