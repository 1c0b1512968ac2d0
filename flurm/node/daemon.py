"""What surrounds a node daemon: the command that starts one, and the lock that keeps a spool to one daemon."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from flurm.config import Config, munge_key_path

LOCK = "flurmd.pid"
_POLL_S = 0.02


class SpoolHeldError(Exception):
    """Another daemon has the spool."""


def command(config: Config, config_path: str | Path | None = None, *, bind: str = "") -> list[str]:
    """The argv of the node daemon that serves this host for a controller with this configuration.

    It takes over from a daemon that an earlier controller has left behind. To let it survive the controller, start it
    with `start_new_session=True`.
    """
    own = config.slurmd
    argv = [sys.executable, "-m", "flurm.cli.flurmd", "--foreground", "--replace"]
    if config_path is not None:
        argv += ["--config", str(config_path)]
    for each in own.controllers or config.all_controllers:
        argv += ["--controller", f"{each.host}:{each.port}"]
    argv += ["--node-name", own.node_name, "--port", str(own.slurmd_port), "--spool-dir", own.spool_dir]
    argv += ["--munge-key", munge_key_path(config), "--log-level", config.log_level]
    bind = bind or _loopback_of(config)
    if bind:
        argv += ["--bind", bind]
    given = (("--cpus", own.cpus), ("--memory", own.memory))
    for option, value in given:
        if value is not None:
            argv += [option, str(value)]
    return argv


class SpoolLock:
    """Held for as long as a daemon serves a spool; the file says by its process number who that is."""

    def __init__(self, spool_dir: str | Path) -> None:
        self.path = Path(spool_dir) / LOCK
        self._handle = -1

    def take(self, *, replace: bool = False, patience_s: float = 15.0) -> None:
        """Take the lock. With `replace`, whoever holds it is asked to stop first (its jobs run on). Raises
        SpoolHeldError, OSError."""
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline_s = time.monotonic() + patience_s
        asked: set[int] = set()
        while not _try_lock(handle):
            holder = self.holder()
            if not replace or time.monotonic() > deadline_s:
                os.close(handle)
                raise SpoolHeldError(
                    f"{self.path.parent} is served by another flurmd (process {holder or 'unknown'}): "
                    "stop it, or give this one a --spool-dir of its own"
                )
            if holder and holder not in asked:
                asked.add(holder)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(holder, signal.SIGTERM)
            time.sleep(_POLL_S)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle

    def holder(self) -> int | None:
        """The process number in the file, None where there is none."""
        try:
            return int(self.path.read_text())
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Let go; the file stays, empty."""
        if self._handle >= 0:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = -1


def _loopback_of(config: Config) -> str:
    """The loopback address that this node has for its controller: then nobody else need reach it. Empty for others."""
    node = config.node(config.slurmd.node_name)
    address = node.address if node is not None else ""
    return address if address.startswith("127.") else ""


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
