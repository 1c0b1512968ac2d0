"""Controllers for tests: a configuration with free loopback ports in a directory of its own, run in this process."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flurm.application import Application
from flurm.config import load


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def write_config(directory: Path, **keys: Any) -> Path:
    """A flurm.toml for a cluster of one machine; further keys of [flurm] by name."""
    slurmctld, slurmd, http, raft = free_ports(4)
    values = {
        "cluster_name": "test",
        "slurmctld_host": "127.0.0.1",
        "slurmctld_port": slurmctld,
        "slurmd_port": slurmd,
        "http_port": http,
        "raft_port": raft,
        "state_dir": str(directory / "state"),
        "log_dir": str(directory / "log"),
        "spool_dir": str(directory / "spool"),
        "embedded_node": False,
        **keys,
    }
    lines = [f"{name} = {_toml(value)}" for name, value in values.items()]
    path = directory / "flurm.toml"
    path.write_text("[flurm]\n" + "\n".join(lines) + "\n")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f'"{value}"'


@contextlib.contextmanager
def running(directory: Path, **keys: Any) -> Iterator[Application]:
    """A controller that serves, and is stopped at the end."""
    path = write_config(directory, **keys)
    application = Application(load(path), path)
    application.start()
    try:
        yield application
    finally:
        application.stop()


def until(condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
    """Wait for a condition to hold; returns what it gave."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.01)
    return found
