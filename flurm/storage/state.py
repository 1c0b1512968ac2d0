"""What a state directory holds as a cluster, when no controller runs on it: the newest snapshot, and the log after it.

All of the log counts, also what its last leader may not have had committed when it ended: a cluster of one commits it
as soon as it starts, and of several members only their majority could tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from flurm.core import commands, machine, snapshot
from flurm.core.apply import apply
from flurm.core.job_records import Job
from flurm.core.records import Cluster
from flurm.raft import machine as log_machine
from flurm.raft.records import Entry, EntryKind
from flurm.storage.layout import Store
from flurm.storage.snapshots import Snapshot


class State(msgspec.Struct, frozen=True):
    """A cluster as of the entry (index, term)."""

    cluster: Cluster
    index: int
    term: int


def read_back(store: Store) -> State:
    """The newest state in ``store``, which no log writer may be using. Raises CorruptFile, StorageError."""
    newest = store.snapshots.newest().snapshot
    after = newest.index + 1 if newest else 1
    return replay(newest, store.segments.read(after, store.segments.last_index), store.blobs.keep)


def replay(newest: Snapshot | None, entries: Iterable[Entry], keep: Callable[[Mapping[str, bytes]], object]) -> State:
    """The state that ``newest`` and the ``entries`` after it make; ``keep`` gets the blobs that the entries bring.

    Raises msgspec.DecodeError where they hold something that this release does not know.
    """
    cluster, index, term = Cluster(), 0, 0
    if newest is not None:
        cluster, index, term = snapshot.load(newest.content), newest.index, newest.term
    for entry in entries:
        index, term = entry.index, entry.term
        if entry.kind is EntryKind.COMMAND:
            command = commands.decode(entry.payload)
            if isinstance(command, commands.SubmitJob) and command.blobs:
                keep(command.blobs)
            cluster = apply(cluster, command).cluster
        elif entry.kind is EntryKind.MACHINE_VERSION:
            cluster = machine.switch(cluster, log_machine.decode(entry.payload))
    return State(cluster, index, term)


def blobs_of(cluster: Cluster) -> set[str]:
    """The digests of the scripts and environments that ``cluster`` refers to."""
    return {digest for job in cluster.jobs.values() for digest in blobs_of_job(job)}


def blobs_of_job(job: Job) -> set[str]:
    """The digests of the job's script and environment."""
    return {digest for digest in (job.spec.script_digest, job.spec.environment_digest) if digest}
