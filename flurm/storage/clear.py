"""Begin anew on a state directory: no jobs, no nodes, nothing that was changed; but job ids go on where they were.

What was there is moved to `cleared` in the same directory, where it stays until the next time. The new state is a
snapshot that follows the last entry of the old log, so that whatever remembers versions of the state sees it grow.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from flurm.core import snapshot
from flurm.core.records import Cluster
from flurm.raft.records import HardState
from flurm.storage.errors import StorageError, from_os_error
from flurm.storage.files import make_directory, sync_directory, write_atomically
from flurm.storage.hard_state import HardStateFile
from flurm.storage.layout import RESTORING, Store
from flurm.storage.lock import StateDirLock
from flurm.storage.placing import PARTS
from flurm.storage.snapshots import SnapshotStore
from flurm.storage.state import State, read_back

__all__ = ["CLEARED", "clear"]

CLEARED = "cleared"
_STAGING = "clearing.tmp"


def clear(directory: Path) -> Path | None:
    """Forget the cluster's state in ``directory``; returns where it was put, None where there was none.

    What a crash cut short is finished by the next call. Whoever runs a controller on it holds it (StateDirHeld). A
    state that cannot be read is refused (CorruptFile): its job ids are not known. Raises StorageError.
    """
    cut_short = (directory / RESTORING).exists() and (directory / _STAGING).is_dir()
    if not cut_short and not (directory / "raft").is_dir():
        return None
    old = None if cut_short else _newest(directory)
    with StateDirLock(directory):
        try:
            if old is not None:
                _build(directory, old)
            return _change_places(directory)
        except OSError as error:
            raise from_os_error("clearing", directory, error) from error


def _newest(directory: Path) -> State:
    store = Store(directory)
    try:
        return read_back(store)
    finally:
        store.close()


def _build(directory: Path, old: State) -> None:
    """The new parts, aside; then the mark that they are to be put in place."""
    staging = directory / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    cluster = Cluster(
        next_job_id=old.cluster.next_job_id,
        version=old.cluster.version + 1,
        shape_version=old.cluster.shape_version + 1,
        machine_version=old.cluster.machine_version,
    )
    SnapshotStore(make_directory(staging) / "snapshots").write(old.index, old.term, [snapshot.dump(cluster)])
    hard_state = HardStateFile(directory / "raft" / "hard_state").load()
    HardStateFile(staging / "raft" / "hard_state").save(HardState(max(old.term, hard_state.term)))
    make_directory(staging / "blobs")
    shutil.rmtree(directory / CLEARED, ignore_errors=True)
    write_atomically(directory / RESTORING, [])


def _change_places(directory: Path) -> Path:
    """Put old parts away and new ones in their place, each that has not been yet."""
    staging, aside = directory / _STAGING, make_directory(directory / CLEARED)
    for name in PARTS:
        if not (staging / name).exists():
            continue
        if (directory / name).exists():
            (directory / name).rename(aside / name)
            sync_directory(aside)
        (staging / name).rename(directory / name)
    sync_directory(directory)
    (directory / RESTORING).unlink()
    sync_directory(directory)
    shutil.rmtree(staging, ignore_errors=True)
    return aside


def check_alone(members: int) -> None:
    """Raises StorageError for a controller that is not the only one: the state is not its alone to clear."""
    if members > 1:
        raise StorageError(
            "the state belongs to all controllers of the cluster: stop them all, and give each an empty state directory"
        )
