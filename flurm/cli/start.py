"""`flurm start`: the controller in the background. Returns when it serves, or says why it does not."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click

from flurm.cli.common import NotRunning, ask, read_config
from flurm.cli.main import config_option

READY_TIMEOUT_S = 60.0
POLL_S = 0.05


@click.command(name="start")
@config_option
def command(config_path: Path | None) -> None:
    """Start the controller in the background; return when it serves."""
    config = read_config(config_path)
    try:
        running = ask(config, "/api/status", timeout_s=2.0)
    except NotRunning:
        pass
    else:
        raise click.ClickException(f"already running: pid {running['pid']} holds {config.state_dir}")
    log_path = Path(config.log_dir) / "flurm.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    arguments = [sys.executable, "-m", "flurm.cli.main", "foreground"]
    if config_path is not None:
        arguments += ["--config", str(config_path.resolve())]
    with log_path.open("ab") as log_file:
        began = log_file.tell()
        child = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file, start_new_session=True, cwd="/"
        )
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if child.poll() is not None:
            raise click.ClickException(f"the controller did not start:\n{_tail(log_path, began)}")
        try:
            status = ask(config, "/api/status", timeout_s=2.0)
        except NotRunning:
            time.sleep(POLL_S)
            continue
        if status["status"] == "healthy" and status["pid"] == child.pid:
            click.echo(f"FLURM serves cluster {status['cluster']} on {status['address']} (pid {status['pid']})")
            click.echo(f"log: {log_path}")
            return
        time.sleep(POLL_S)
    raise click.ClickException(f"the controller does not answer after {READY_TIMEOUT_S:g} s; see {log_path}")


def _tail(path: Path, offset: int, lines: int = 15) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
