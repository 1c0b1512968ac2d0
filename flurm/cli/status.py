"""`flurm status`: how the controller and its cluster are."""

from __future__ import annotations

import json
from pathlib import Path

import click

from flurm.cli.common import NotRunning, ask, not_running, read_config
from flurm.cli.main import config_option


@click.command(name="status")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(config_path: Path | None, as_json: bool) -> None:
    """Show how the controller and its cluster are. Exit status 1 where it is not healthy."""
    config = read_config(config_path)
    try:
        status = ask(config, "/api/status")
    except NotRunning as error:
        raise not_running(config) from error
    if as_json:
        click.echo(json.dumps(status, indent=2))
    else:
        nodes, jobs = status["nodes"], status["jobs"]
        click.echo(f"cluster     {status['cluster']} ({status['status']})")
        click.echo(
            f"controller  {status['controller']} on {status['address']}, pid {status['pid']}, {status['consensus']}"
        )
        click.echo(f"up          {status['uptime_s']:.0f} s, version {status['version']}")
        click.echo(f"nodes       {nodes['up']} up, {nodes['down']} down, {nodes['total']} in all")
        click.echo(f"jobs        {jobs['running']} running, {jobs['pending']} pending")
        click.echo(f"state       {status['state_dir']}")
    if status["status"] != "healthy":
        raise click.exceptions.Exit(1)
