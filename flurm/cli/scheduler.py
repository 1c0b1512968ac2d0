"""`flurm scheduler`: how the scheduler is, a cycle by hand, and why a job waits."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import read_config, show_result
from flurm.cli.main import config_option

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="scheduler")
def command() -> None:
    """Look at the scheduler."""


@command.command()
@config_option
@json_option
def status(config_path: Path | None, as_json: bool) -> None:
    """Show the plugin in use and the figures of its cycles."""
    show_result(read_config(config_path), "scheduler.status()", as_json)


@command.command("run-cycle")
@config_option
@json_option
def run_cycle(config_path: Path | None, as_json: bool) -> None:
    """Plan now, whether anything changed or not."""
    show_result(read_config(config_path), "scheduler.run_cycle()", as_json, timeout_s=40)


@command.command("debug-job")
@config_option
@json_option
@click.argument("job_id", type=int)
def debug_job(config_path: Path | None, as_json: bool, job_id: int) -> None:
    """Tell why job JOB_ID waits, from the data that decides it."""
    show_result(read_config(config_path), f"scheduler.debug_job({job_id})", as_json)
