"""What was asked of a slurmctld, as it came, and what is noted about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from flurm.bridge.importing.saved import Saved
from protocol.messages import JobInfo, NodeInfo, PartitionInfo, StepId

__all__ = ["Answers", "Note"]


class Note(NamedTuple):
    """Something that does not come along, or not as it was."""

    about: str
    """`job 12`, `node n1`, `partition debug`, `reservation maint` ..."""
    text: str

    def __str__(self) -> str:
        return f"{self.about}: {self.text}"


class Answers(msgspec.Struct, frozen=True):
    """Everything that a slurmctld told; `environments` and `saved` are not from itself but from its StateSaveLocation.

    Scripts and environments are by the id of the job that has them, an array's by the array's own id.
    """

    version: int
    """Of the protocol that it answered in."""
    asked_s: int
    cluster_name: str
    release: str
    next_job_id: int
    """0: not told."""
    jobs: tuple[JobInfo, ...] = ()
    nodes: tuple[NodeInfo, ...] = ()
    partitions: tuple[PartitionInfo, ...] = ()
    steps: tuple[StepId, ...] = ()
    reservations: tuple[str, ...] = ()
    scripts: Mapping[int, bytes] = {}
    environments: Mapping[int, tuple[bytes, ...]] = {}
    """`NAME=value` each."""
    saved: Saved = {}
    """What slurmctld keeps of jobs that no request tells."""
