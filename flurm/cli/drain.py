"""`flurm drain`: take no new jobs."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import read_config, show_result
from flurm.cli.main import config_option


@click.command(name="drain")
@config_option
@click.option("--reason", default="drained", show_default=True, help="Why; `flurm status` shows it.")
def command(config_path: Path | None, reason: str) -> None:
    """Take no new jobs; those that wait or run go on. `flurm resume` ends it."""
    show_result(read_config(config_path), f"drain({reason!r})", False)
