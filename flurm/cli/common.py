"""What the commands share: reading the configuration, and talking to a running controller over its control socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from flurm.config import Config, ConfigError, find_file, load
from flurm.raft.records import Configuration

CONTROL_SOCKET = "flurm.sock"
STREAM_TIMEOUT_S = 30.0


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


def ask(
    config: Config, path: str, *, method: str = "GET", body: dict[str, Any] | None = None, timeout_s: float = 10.0
) -> Any:
    """Ask the running controller; a body goes as JSON. Raises NotRunning."""
    connection = _UnixConnection(Path(config.state_dir) / CONTROL_SOCKET, timeout_s)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None)
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotRunning(str(error)) from error
    finally:
        connection.close()


def stream(config: Config, path: str) -> Iterator[str]:
    """Lines from the running controller as they come. Raises NotRunning, ClickException for an error it tells."""
    connection = _UnixConnection(Path(config.state_dir) / CONTROL_SOCKET, STREAM_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise click.ClickException(json.loads(answer.read())["error"])
        while line := answer.readline():
            yield line.decode().rstrip("\n")
    except (OSError, http.client.HTTPException) as error:
        raise NotRunning(str(error)) from error
    finally:
        connection.close()


def not_running(config: Config) -> click.ClickException:
    """The error that says what to do when nothing answers."""
    return click.ClickException(
        f"no controller is running on {config.state_dir}; start one with `flurm start`"
        " (or give the --config that the running one was started with)"
    )


def evaluate(config: Config, source: str, *, timeout_s: float = 10.0, **options: Any) -> dict[str, Any]:
    """Have the running controller evaluate an expression; the answer as `flurm.web.console` gives it.

    Raises click's errors where no controller runs, or the expression failed.
    """
    body = {"source": source, "timeout_s": timeout_s, **options}
    try:
        answer: dict[str, Any] = ask(config, "/control/eval", method="POST", body=body, timeout_s=timeout_s + 5)
    except NotRunning as error:
        raise not_running(config) from error
    return answer


def show_result(
    config: Config, source: str, as_json: bool, *, timeout_s: float = 10.0, show: Callable[[Any], str] | None = None
) -> None:
    """Print what an expression gives, by `show` where people read it. Raises ClickException (exit status 1) where it
    fails."""
    answer = evaluate(config, source, timeout_s=timeout_s, json=as_json or show is not None)
    if answer.get("printed"):
        click.echo(answer["printed"], nl=False)
    if answer["error"]:
        raise click.ClickException(answer["error"])
    if as_json:
        click.echo(json.dumps(answer["value"], indent=2))
    elif show is not None:
        click.echo(show(answer["value"]))
    elif answer["text"]:
        click.echo(answer["text"])


def columns(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of named values as columns with a heading; what a row does not have is "-". No rows: no text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = [[name.replace("_", " ").upper() for name in names]]
    table += [["-" if row.get(name) in (None, "") else str(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in table) if rows else ""


def alone(config: Config) -> Configuration | None:
    """This controller as a cluster of one; None where the configuration file names no others, and it is one anyway."""
    own = config.member_name
    if len(config.controllers) < 2:
        return None
    return Configuration(voters=(own,), addresses={own: config.members().get(own, "")})
