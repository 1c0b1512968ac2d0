"""`flurm check-config FILE`: what is wrong with a slurm.conf, and what will differ under FLURM.

Every mistake is told at once, with file, line, key and the nearest right name, the files beside it included. Exit
status: 0 where FLURM would start on it, 1 where not.
"""

from __future__ import annotations

import json
import sys

import click

from flurm.config.errors import ConfigError
from flurm.config.from_slurm import interpret
from flurm.config.machine import this_machine
from flurm.config.slurmconf import State, read_slurm_conf
from flurm.config.slurmconf.report import companions_of, findings


@click.command("check-config", help=__doc__)
@click.argument("file", type=click.Path(dir_okay=False), default="/etc/slurm/slurm.conf")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(file: str, as_json: bool) -> None:
    """Check the slurm.conf FILE."""
    conf = read_slurm_conf(file)
    warnings: list[str] = []
    errors: list[ConfigError] = []
    try:
        interpret(conf, this_machine(), warnings)
    except ConfigError as error:
        errors += error.all
    for beside in companions_of(file):
        errors += [each for each in beside.faults if str(each) not in map(str, errors)]
        warnings += beside.warnings
    found = findings(conf)
    if as_json:
        click.echo(json.dumps(_as_json(errors, warnings, found), indent=2))
    else:
        _print(file, errors, warnings, found)
    sys.exit(1 if errors else 0)


def _as_json(errors: list[ConfigError], warnings: list[str], found: list) -> dict[str, object]:
    return {
        "errors": [
            {"file": each.file, "line": each.line, "key": each.key, "value": each.value, "expected": each.expected,
             "suggestion": each.suggestion}
            for each in errors
        ],
        "warnings": warnings,
        "differs": [str(each) for each in found if each.state is State.DIFFERS],
        "accepted": [str(each) for each in found if each.state is State.ACCEPTED],
    }  # fmt: skip


def _print(file: str, errors: list[ConfigError], warnings: list[str], found: list) -> None:
    sections = (
        ("wrong", errors),
        ("odd", warnings),
        ("differs under FLURM", [each for each in found if each.state is State.DIFFERS]),
        ("without meaning under FLURM", [each for each in found if each.state is State.ACCEPTED]),
    )
    for title, rows in sections:
        if rows:
            click.echo(f"{len(rows)} {title}:")
            for each in rows:
                click.echo(f"  {each}")
    verdict = "FLURM does not start on it; mend what is wrong" if errors else "FLURM starts on it"
    click.echo(f"{file}: {verdict}.")
