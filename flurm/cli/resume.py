"""`flurm resume`: take new jobs again."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import read_config, show_result
from flurm.cli.main import config_option


@click.command(name="resume")
@config_option
def command(config_path: Path | None) -> None:
    """Take new jobs again after `flurm drain`."""
    show_result(read_config(config_path), "resume()", False)
