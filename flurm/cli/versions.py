"""`flurm versions`: which releases run, ran before, and lie ready."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import read_config, show_result
from flurm.cli.main import config_option


@click.command(name="versions")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(config_path: Path | None, as_json: bool) -> None:
    """Show which release runs, which ran before it, and which lie ready."""
    show_result(read_config(config_path), "versions()", as_json)
