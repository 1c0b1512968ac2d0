"""`flurm eval`: one expression, evaluated in the running controller."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import read_config, show_result
from flurm.cli.main import config_option


@click.command(name="eval")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds after which it is stopped.")
@click.argument("expression")
def command(config_path: Path | None, as_json: bool, timeout_s: float, expression: str) -> None:
    """Evaluate EXPRESSION in the running controller and print its value.

    \b
    flurm eval 'status()'
    flurm eval 'scheduler.debug_job(12)'
    flurm eval 'flurm_node_manager:available_resources().'

    `flurm eval 'help()'` lists what can be called. Exit status 1 where it fails.
    """
    show_result(read_config(config_path), expression, as_json, timeout_s=timeout_s)
