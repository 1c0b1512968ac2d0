"""`flurm log-level`: what the running controller logs."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import read_config, show_result
from flurm.cli.main import config_option


@click.command(name="log-level")
@config_option
@click.option("--module", default=None, help="Only for this process or Python module: flurm_consensus, actors.net.")
@click.argument("level", required=False)
def command(config_path: Path | None, module: str | None, level: str | None) -> None:
    """Show the levels in force, or log from LEVEL on: debug, info, warning, error, critical.

    `--module NAME` without a level takes the module's own level back. A restart goes back to the configuration.
    """
    if module is not None:
        expression = f"log.set_module_level({module!r}, {level!r})"
    else:
        expression = "log.levels()" if level is None else f"log.set_level({level!r})"
    show_result(read_config(config_path), expression, False)
