"""What the commands share: reading the configuration, and talking to a running controller over its control socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

import click

from flurm.config import Config, ConfigError, find_file, load

CONTROL_SOCKET = "flurm.sock"


def read_config(path: Path | None) -> Config:
    """The configuration, or a clean error on the terminal."""
    try:
        return load(path or find_file())
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


class NotRunning(Exception):
    """No controller answers on the control socket."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(config: Config, path: str, *, method: str = "GET", timeout_s: float = 10.0) -> Any:
    """Ask the running controller. Raises NotRunning."""
    connection = _UnixConnection(Path(config.state_dir) / CONTROL_SOCKET, timeout_s)
    try:
        connection.request(method, path)
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotRunning(str(error)) from error
    finally:
        connection.close()


def not_running(config: Config) -> click.ClickException:
    """The error that says what to do when nothing answers."""
    return click.ClickException(
        f"no controller is running on {config.state_dir}; start one with `flurm start`"
        " (or give the --config that the running one was started with)"
    )
