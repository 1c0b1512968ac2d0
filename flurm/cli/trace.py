"""`flurm trace`: the messages of one process as they come and go."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from flurm.cli.common import NotRunning, not_running, read_config, stream
from flurm.cli.main import config_option


@click.command(name="trace")
@config_option
@click.option("-n", "--count", "most", default=1_000_000, help="End after so many messages.")
@click.argument("process")
def command(config_path: Path | None, most: int, process: str) -> None:
    """Show the messages of PROCESS (a name or pid of `flurm tree`) until interrupted.

    Each line: seconds since the start, milliseconds since the line before, what came (<-) from whom, what went (->).
    """
    config = read_config(config_path)
    try:
        for line in stream(config, f"/control/trace/{quote(process, safe='')}?most={most}"):
            if line:
                click.echo(line)
    except NotRunning as error:
        raise not_running(config) from error
    except KeyboardInterrupt:
        click.echo()
