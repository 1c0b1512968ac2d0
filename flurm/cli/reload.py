"""`flurm reload`: one module, loaded anew in the running controller."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import read_config, show_result
from flurm.cli.main import config_option


@click.command(name="reload")
@config_option
@click.argument("module")
def command(config_path: Path | None, module: str) -> None:
    """Load MODULE (actors.job_manager, a scheduler plugin's) anew from its file while everything goes on."""
    show_result(read_config(config_path), f"releases.reload({module!r})", False, timeout_s=60)
