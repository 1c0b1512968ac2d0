"""Releases on the console: which run, and how to go to another and back (`flurm upgrade`, `reload`, `versions`)."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import structlog

from actors import messages as m
from flurm import __version__
from flurm.otp import OtpError
from flurm.otp.code import CodeError
from flurm.otp.release import MANIFEST, read
from flurm.otp.upgrade import UpgradeFailed, Upgrader

__all__ = ["Releases"]

DIRECTORY = "releases"
PLAN_S = 35.0

log = structlog.get_logger(__name__)


class Releases:
    """The code that runs."""

    def __init__(self, system: Any) -> None:
        self._system = system
        self._upgrader: Upgrader = system.env["upgrader"]
        self._home = Path(system.env["config"].state_dir) / DIRECTORY

    def versions(self) -> list[dict[str, Any]]:
        """The release that runs, the one before, and those that lie ready in the state directory."""
        rows = [
            {
                "version": each.version,
                "state": "runs" if number == 0 else "before",
                "since": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(each.since_s)),
                "from": str(each.directory or "as installed; a restart of the daemon runs this"),
            }
            for number, each in enumerate(self._upgrader.generations)
        ]
        known = {row["version"] for row in rows}
        if __version__ not in known:
            rows.append(
                {"version": __version__, "state": "installed", "since": "", "from": "a restart of the daemon runs this"}
            )
        for path in sorted(self._home.glob("*/release.toml")):
            try:
                version = read(path.parent).version
            except CodeError:
                version = path.parent.name + " (not whole)"
            if version not in known:
                rows.append({"version": version, "state": "ready", "since": "", "from": str(path.parent)})
        return rows

    def plan(self, where: str) -> list[dict[str, Any]]:
        """What `upgrade` would do, without doing it."""
        try:
            steps = self._upgrader.plan(read(self._directory(where)))
        except CodeError as error:
            raise UpgradeFailed(str(error)) from error
        return [{"do": step.do, "module": step.module, "extra": step.extra} for step in steps]

    def upgrade(self, where: str) -> str:
        """Go to a release: its directory, or its version where it lies in STATE_DIR/releases."""
        began_s = time.monotonic()
        generation = self._upgrader.upgrade(self._directory(where))
        self._plan_anew()
        return f"release {generation.version} runs ({(time.monotonic() - began_s) * 1000:.0f} ms)"

    def rollback(self) -> str:
        """Go back to the release before."""
        began_s = time.monotonic()
        generation = self._upgrader.rollback()
        self._plan_anew()
        return f"release {generation.version} runs again ({(time.monotonic() - began_s) * 1000:.0f} ms)"

    def reload(self, module: str) -> str:
        """Load one module anew from its file."""
        said = self._upgrader.reload(module)
        self._plan_anew()
        return said

    def check(self, where: str) -> str:
        """A release that is there and whole and can be planned for: its version, and the digest of its manifest."""
        directory = self._directory(where)
        self.plan(where)
        digest = hashlib.sha256((directory / MANIFEST).read_bytes()).hexdigest()[:12]
        return f"{read(directory).version} ({digest})"

    @property
    def version(self) -> str:
        """The release that runs."""
        return self._upgrader.current.version

    def _plan_anew(self) -> None:
        """What was decided by other code may be decided otherwise now, though nothing in the cluster has changed."""
        try:
            self._system.call("flurm_scheduler_engine", m.RunCycle(), PLAN_S)
        except OtpError as error:
            log.warning("no scheduling cycle after the change of code", reason=str(error))

    def _directory(self, where: str) -> Path:
        for path in (Path(where), self._home / where):
            if (path / "release.toml").exists():
                return path.absolute()
        raise UpgradeFailed(
            f"there is no release in {where}, nor in {self._home / where}; `flurm release make` makes one"
        )
