"""Founding a cluster: a state directory whose first snapshot is a cluster that came from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flurm.core import snapshot
from flurm.core.records import Cluster
from flurm.raft.records import Configuration, HardState
from flurm.storage.blobs import BlobStore
from flurm.storage.errors import from_os_error
from flurm.storage.hard_state import HardStateFile
from flurm.storage.lock import StateDirLock
from flurm.storage.placing import check_empty, staged
from flurm.storage.snapshots import SnapshotStore

__all__ = ["check_free", "found"]

_STAGING = "founding.tmp"
_INDEX = _TERM = 1
_ADVICE = "start the controller on it, or move what is there aside with --force"


def check_free(directory: Path) -> None:
    """Whether a cluster can be founded there. Raises NotEmpty, StateDirHeld where a controller runs on it."""
    if directory.is_dir():
        with StateDirLock(directory):
            check_empty(directory, _ADVICE)


def found(
    directory: Path,
    cluster: Cluster,
    blobs: Mapping[str, bytes],
    force: bool = False,
    alone: Configuration | None = None,
) -> None:
    """Make ``directory`` the state directory of a cluster that begins as ``cluster``, with the scripts and
    environments that it refers to, by digest.

    As for a restored backup, ``alone`` is the cluster of one that it is whatever the configuration file says of others.
    Refused where a controller runs on it (StateDirHeld) or there is a state (NotEmpty), unless ``force`` moves that to
    ``replaced-<time>``. Nothing is half there when it fails. Raises StorageError.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with StateDirLock(directory):
            if not force:
                check_empty(directory, _ADVICE)
            with staged(directory, _STAGING) as staging:
                store = BlobStore(staging / "blobs")
                try:
                    store.put_many(blobs.values())
                finally:
                    store.close()
                SnapshotStore(staging / "snapshots").write(_INDEX, _TERM, snapshot.parts(cluster), alone)
                HardStateFile(staging / "raft" / "hard_state").save(HardState(_TERM))
    except OSError as error:
        raise from_os_error("founding a cluster in", directory, error) from error
