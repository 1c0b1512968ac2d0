"""Backups on the console: `backup.create(FILE)` of the running cluster, and why it cannot be restored under it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flurm.storage import backup
from flurm.storage.state import State

__all__ = ["Backups"]


class Refused(Exception):
    """The controller would not do it; the text says why."""


class Backups:
    """Backups of the cluster's state."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def __repr__(self) -> str:
        return "<Backups: check, create, restore>"

    def create(self, file: str) -> dict[str, object]:
        """Back up the state with scripts and environments to FILE, a path on this host; nothing has to stop for it."""
        path = Path(file)
        if not path.is_absolute():
            raise Refused(
                f"{file} is relative: give an absolute path, the controller has a working directory of its own"
            )
        config, store = self._system.env["config"], self._system.env["store"]
        return {"file": file, **backup.create(store, path, config.cluster_name, self._newest).summary()}

    def check(self, file: str) -> dict[str, object]:
        """Read all of the backup FILE and say what it is of."""
        return {"file": file, **backup.check(Path(file)).summary()}

    def restore(self, file: str) -> None:
        """Refused: stop the controller, then `flurm backup restore FILE`."""
        directory = self._system.env["config"].state_dir
        raise Refused(
            f"a controller is running on {directory}; stop every controller of the cluster (`flurm stop`), then run "
            f"`flurm backup restore {file}`"
        )

    def _newest(self) -> State:
        terms = self._system.terms
        index: int = terms["cluster_index"]
        return State(terms["cluster"], index, terms["consensus"].term)
