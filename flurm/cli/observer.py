"""`flurm observer`: the running controller in a terminal application."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import NotRunning, ask, not_running, read_config
from flurm.cli.main import config_option


@click.command(name="observer")
@config_option
@click.option("--interval", default=1.0, show_default=True, help="Seconds between two looks.")
def command(config_path: Path | None, interval: float) -> None:
    """Watch the tree, single processes, jobs, nodes and the load, live.

    Tab and the arrow keys move, Enter opens a process, Escape goes back, q leaves.
    """
    try:
        from flurm.observer.application import ObserverApplication
    except ImportError as error:
        raise click.ClickException(f"the observer needs textual ({error}): pip install 'flurm[observer]'") from error
    config = read_config(config_path)
    try:
        ask(config, "/api/status")
    except NotRunning as error:
        raise not_running(config) from error
    ObserverApplication(config, interval).run()
