"""`flurm storage`: check what a state directory holds, and show it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from flurm.cli.common import read_config
from flurm.cli.main import config_option
from flurm.storage import check, dump
from flurm.storage.errors import StateDirHeld, StorageError
from flurm.storage.lock import StateDirLock

directory_argument = click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
running_option = click.option(
    "--running", is_flag=True, help="Read without the lock, beside a running controller, what can be read."
)


@click.group(name="storage")
def command() -> None:
    """Check and show what a state directory holds, without changing it."""


@command.command("check")
@config_option
@running_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@directory_argument
def check_command(config_path: Path | None, running: bool, as_json: bool, directory: Path | None) -> None:
    """Check every file in DIRECTORY (default: the configured state_dir): segments, snapshots, hard state, blobs.

    Exit status 0 where nothing is damaged, 1 where something is. What a crash leaves half-written is told, and is no
    damage.
    """
    directory = directory or Path(read_config(config_path).state_dir)
    with _held(directory, running):
        report = check.check(directory, running)
    if as_json:
        click.echo(json.dumps({**msgspec.to_builtins(report), "sound": report.is_sound}, indent=2))
    else:
        _show(report)
    if not report.is_sound:
        raise click.exceptions.Exit(1)


@command.command("dump")
@config_option
@running_option
@click.option("--from", "first", type=click.IntRange(1), default=1, help="First entry.")
@click.option("--to", "last", type=click.IntRange(1), help="Last entry.")
@click.option("--last", "newest", type=click.IntRange(1), help="Only this many of the newest entries.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, the snapshot first.")
@directory_argument
def dump_command(
    config_path: Path | None,
    running: bool,
    first: int,
    last: int | None,
    newest: int | None,
    as_json: bool,
    directory: Path | None,
) -> None:
    """Print the newest snapshot's summary and the entries of the log in DIRECTORY (default: the configured state_dir).

    An entry is a line: index, term, kind, and its command as JSON. Exit status 1 where the log is damaged; what is
    before the damage is printed.
    """
    directory = directory or Path(read_config(config_path).state_dir)
    with _held(directory, running):
        if newest is not None:
            first = max(first, dump.last_index(directory) - newest + 1)
        _print_snapshot(dump.snapshot_summary(directory), as_json)
        for entry in dump.entries(directory, first, last):
            shown = dump.described(entry)
            if as_json:
                click.echo(json.dumps(shown))
            else:
                what = {name: value for name, value in shown.items() if name not in ("index", "term", "kind")}
                text = json.dumps(what.get("command", what)) if what else ""
                click.echo(f"{entry.index:>8} {entry.term:>4} {entry.kind.name:<9} {text}".rstrip())


@contextlib.contextmanager
def _held(directory: Path, running: bool) -> Iterator[None]:
    """The directory to itself, unless it may be ``running``; what goes wrong becomes a message."""
    try:
        if not (directory / "raft").is_dir():
            raise StorageError(f"{directory} holds no state of a cluster")
        with contextlib.nullcontext() if running else StateDirLock(directory):
            yield
    except StateDirHeld as error:
        raise click.ClickException(f"{error}, or look beside it with --running") from error
    except StorageError as error:
        raise click.ClickException(str(error)) from error


def _print_snapshot(summary: dict[str, Any] | None, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"snapshot": summary}))
    elif summary is None:
        click.echo("no snapshot")
    else:
        click.echo("snapshot " + " ".join(f"{name}={json.dumps(value)}" for name, value in summary.items()))


def _show(report: check.Report) -> None:
    for finding in report.findings:
        where = f"{finding.file}: offset {finding.offset}" if finding.offset else finding.file
        click.echo(f"{finding.severity.value}: {where}: {finding.problem}. {finding.advice}".rstrip())
    for name, facts in report.facts.items():
        for each in facts if isinstance(facts, list) else [facts]:
            told = ", ".join(f"{key} {value}" for key, value in each.items() if value is not None)
            click.echo(f"{name.replace('_', ' '):<11} {told}")
    damage = sum(finding.severity is check.Severity.DAMAGE for finding in report.findings)
    beside = " (read beside a running controller)" if report.running else ""
    verdict = f"{damage} damaged" if damage else "nothing is damaged"
    click.echo(f"{report.directory}{beside}: {verdict}")
