"""`flurm upgrade`: another release in the running controller, or in all of the cluster, without stopping anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flurm.cli.common import evaluate, read_config, show_result
from flurm.cli.main import config_option
from flurm.cli.rolling import MemberFailed, Rolling, RollingFailed
from flurm.config import Config
from flurm.console.refused import Refused

TIMEOUT_S = 60.0
TRANSFER_S = 40.0


@click.command(name="upgrade")
@config_option
@click.option("--cluster", "whole_cluster", is_flag=True, help="All controllers, one by one, the leader last.")
@click.option("--rollback", is_flag=True, help="Go back to the release before.")
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
@click.argument("release", required=False)
def command(config_path: Path | None, whole_cluster: bool, rollback: bool, dry_run: bool, release: str | None) -> None:
    """Go to RELEASE, a directory or the version of one in STATE_DIR/releases, while everything goes on.

    All of it is done, or nothing: where a process does not stand still in time, code does not load or a code_change
    fails, everything is as it was, and the exit status is 1. With --cluster that holds for all controllers together;
    the release must lie at the same place on each.
    """
    if rollback == (release is not None) or (rollback and dry_run):
        raise click.UsageError("name a release, or give --rollback")
    config = read_config(config_path)
    where = str(Path(release).absolute()) if release is not None and Path(release).exists() else release or ""
    if whole_cluster:
        _roll(Rolling(_Running(config), click.echo), where, rollback, dry_run)
    elif rollback:
        show_result(config, "releases.rollback()", False, timeout_s=TIMEOUT_S)
    else:
        call = "plan" if dry_run else "upgrade"
        show_result(config, f"releases.{call}({where!r})", False, timeout_s=TIMEOUT_S)


def _roll(rolling: Rolling, where: str, rollback: bool, dry_run: bool) -> None:
    try:
        if rollback:
            rolling.rollback()
        elif dry_run:
            rolling.check(where)
        else:
            rolling.upgrade(where)
    except RollingFailed as error:
        raise click.ClickException(str(error)) from error


class _Running:
    """The cluster of the controller that the configuration names."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("consensus.cluster_status()", TIMEOUT_S)
        return found

    def run(self, member: str, what: str, where: str = "") -> str:
        try:
            return str(self._ask(f"fleet.run({member!r}, {what!r}, {where!r})", TIMEOUT_S))
        except MemberFailed as error:
            raise MemberFailed(f"{member}: {error}") from None

    def transfer(self, to: str) -> str:
        return str(self._ask(f"consensus.transfer_leadership({to!r})", TRANSFER_S))

    def _ask(self, source: str, timeout_s: float) -> Any:
        answer = evaluate(self._config, source, timeout_s=timeout_s, json=True)
        if answer["error"]:
            raise MemberFailed(answer["error"].removeprefix(f"{Refused.__module__}.Refused: "))
        return answer["value"]
