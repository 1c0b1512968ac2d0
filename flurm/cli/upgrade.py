"""`flurm upgrade`: another release in the running controller, without stopping anything."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli.common import read_config, show_result
from flurm.cli.main import config_option

TIMEOUT_S = 60.0


@click.command(name="upgrade")
@config_option
@click.option("--rollback", is_flag=True, help="Go back to the release before.")
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
@click.argument("release", required=False)
def command(config_path: Path | None, rollback: bool, dry_run: bool, release: str | None) -> None:
    """Go to RELEASE, a directory or the version of one in STATE_DIR/releases, while everything goes on.

    All of it is done, or nothing: where a process does not stand still in time, code does not load or a code_change
    fails, everything is as it was, and the exit status is 1.
    """
    if rollback == (release is not None):
        raise click.UsageError("name a release, or give --rollback")
    config = read_config(config_path)
    if release is None:
        show_result(config, "releases.rollback()", False, timeout_s=TIMEOUT_S)
        return
    where = str(Path(release).absolute()) if Path(release).exists() else release
    call = "plan" if dry_run else "upgrade"
    show_result(config, f"releases.{call}({where!r})", False, timeout_s=TIMEOUT_S)
