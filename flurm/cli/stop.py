"""`flurm stop`: end the running controller and wait for it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from flurm.cli.common import NotRunning, ask, not_running, read_config
from flurm.cli.main import config_option

TIMEOUT_S = 60.0


@click.command(name="stop")
@config_option
def command(config_path: Path | None) -> None:
    """Stop the running controller; running jobs go on."""
    config = read_config(config_path)
    try:
        pid = ask(config, "/api/status")["pid"]
        ask(config, "/control/stop", method="POST")
    except NotRunning as error:
        raise not_running(config) from error
    deadline_s = time.monotonic() + TIMEOUT_S
    while _is_alive(pid):
        if time.monotonic() > deadline_s:
            raise click.ClickException(f"the controller (pid {pid}) has not ended after {TIMEOUT_S:g} s")
        time.sleep(0.05)
    click.echo("stopped")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False
