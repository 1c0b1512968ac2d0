"""`flurm client-config`: the slurm.conf that Slurm's own clients, or its slurmd, need to reach this cluster."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import read_config
from flurm.cli.main import config_option
from flurm.config import render_slurm_conf


@click.command(name="client-config")
@config_option
@click.option("--slurmd", "for_slurmd", is_flag=True, help="For Slurm's node daemon instead of clients.")
def command(config_path: Path | None, for_slurmd: bool) -> None:
    """Print the slurm.conf for Slurm's own clients.

    Example: flurm client-config > slurm.conf; SLURM_CONF=$PWD/slurm.conf sbatch --wrap hostname
    """
    click.echo(render_slurm_conf(read_config(config_path), for_client=not for_slurmd), nl=False)
