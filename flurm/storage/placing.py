"""Putting a whole new state into a state directory, at once or not at all.

It is built in a directory beside the state. The parts are then renamed into place; between the first and the last of
them a marker has everybody refuse to open the directory. What was there is moved to `replaced-<time>`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from flurm.storage.errors import StorageError
from flurm.storage.files import make_directory, sync_directory, write_atomically
from flurm.storage.layout import RESTORING

__all__ = ["PARTS", "NotEmpty", "check_empty", "staged"]

PARTS = ("raft", "snapshots", "blobs")


class NotEmpty(StorageError):
    """There is a cluster's state where another one was to be put."""

    def __init__(self, directory: Path, advice: str) -> None:
        super().__init__(f"{directory} already holds the state of a cluster; {advice}")


def check_empty(directory: Path, advice: str) -> None:
    """Raises NotEmpty, with the advice, where there is a state in ``directory``."""
    if any(map(_has_content, _parts(directory))):
        raise NotEmpty(directory, advice)


@contextlib.contextmanager
def staged(directory: Path, name: str) -> Iterator[Path]:
    """A directory ``name`` in ``directory``, to build the parts of a state in; they are put in place at the end.

    ``directory`` is locked by the caller. What fails on the way leaves all as it was. Raises OSError.
    """
    staging = directory / name
    shutil.rmtree(staging, ignore_errors=True)
    try:
        yield make_directory(staging)
        _give_to_owner_of(directory, staging)
        _put_in_place(directory, staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _give_to_owner_of(directory: Path, staging: Path) -> None:
    """What root puts there belongs to whom the state directory belongs to, so that the controller can use it."""
    owner = directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for path in (directory / "lock", staging, *staging.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)


def _put_in_place(directory: Path, staging: Path) -> None:
    write_atomically(directory / RESTORING, [])
    aside = directory / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    for part in _parts(directory):
        if part.exists():
            make_directory(aside)
            part.rename(aside / part.name)
            sync_directory(aside)
    for part in _parts(directory):
        (staging / part.name).rename(part)
    sync_directory(directory)
    (directory / RESTORING).unlink()
    sync_directory(directory)


def _parts(directory: Path) -> list[Path]:
    return [directory / name for name in PARTS]


def _has_content(part: Path) -> bool:
    return part.is_dir() and any(path.is_file() for path in part.rglob("*"))
