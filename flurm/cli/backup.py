"""`flurm backup`: the cluster's state in one file, and back."""

from __future__ import annotations

import json
from pathlib import Path

import click

from flurm.cli.common import NotRunning, alone, ask, evaluate, read_config
from flurm.cli.main import config_option
from flurm.config import Config
from flurm.storage import backup
from flurm.storage.errors import StorageError

CREATE_TIMEOUT_S = 600.0

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="backup")
def command() -> None:
    """Save the cluster's state to one file, check such a file, and begin a cluster from it."""


@command.command("create")
@config_option
@json_option
@file_argument
def create(config_path: Path | None, as_json: bool, file: Path) -> None:
    """Write the state of the cluster, with scripts and environments of its jobs, to FILE (a .tar.gz).

    The controller goes on meanwhile; it is the one that writes FILE. Where none is running the state directory is read
    instead. Configuration, keys and accounting are not in it.
    """
    config, target = read_config(config_path), file.absolute()
    if _runs(config):
        expression = f"backup.create({str(target)!r})"
        answer = evaluate(config, expression, timeout_s=CREATE_TIMEOUT_S, json=True)
        if answer["error"]:
            raise click.ClickException(answer["error"])
        _show(answer["value"], "written", as_json)
        return
    try:
        manifest = backup.create_from(Path(config.state_dir), target, config.cluster_name)
    except StorageError as error:
        raise click.ClickException(str(error)) from error
    _show({"file": str(target), **manifest.summary()}, "written", as_json)


@command.command("check")
@json_option
@file_argument
def check(as_json: bool, file: Path) -> None:
    """Read all of FILE and say what it is a backup of. Exit status 1 where it is damaged."""
    try:
        manifest = backup.check(file)
    except StorageError as error:
        raise click.ClickException(str(error)) from error
    _show({"file": str(file), **manifest.summary()}, "whole", as_json)


@command.command("restore")
@config_option
@json_option
@click.option("--force", is_flag=True, help="Move a state that is there aside, to replaced-<time> in its directory.")
@file_argument
def restore(config_path: Path | None, as_json: bool, force: bool, file: Path) -> None:
    """Make the state in FILE that of this controller, which must be stopped.

    It begins as a cluster of one. Nothing is touched before all of FILE has been read and found right, and nothing at
    all where a controller is running or the state directory holds a state already.
    """
    config = read_config(config_path)
    try:
        manifest = backup.restore(file, Path(config.state_dir), force, alone(config))
    except StorageError as error:
        raise click.ClickException(str(error)) from error
    _show({"file": str(file), "state_dir": config.state_dir, **manifest.summary()}, "restored", as_json)
    if not as_json:
        click.echo(
            "Start the controller with `flurm start`. Then, one after the other: empty the state of another"
            " controller, start it, and `flurm cluster add` it."
        )


def _runs(config: Config) -> bool:
    try:
        ask(config, "/api/status")
    except NotRunning:
        return False
    return True


def _show(facts: dict[str, object], done: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(f"{facts['file']}: {done}")
    click.echo(f"cluster   {facts['cluster']}, entry {facts['index']} of term {facts['term']}, {facts['created']}")
    click.echo(f"holds     {facts['jobs']} jobs, {facts['nodes']} nodes, {facts['blobs']} scripts and environments")
    click.echo(f"version   {facts['version']}")
    if missing := facts["missing"]:
        assert isinstance(missing, list | tuple)
        click.echo(
            f"missing   {len(missing)} scripts or environments could not be read: their jobs cannot start", err=True
        )
