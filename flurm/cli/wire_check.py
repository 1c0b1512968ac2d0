"""`flurm wire check`: decode and encode recorded messages and compare the bytes."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from flurm.client.recordings import RecordingError, find
from flurm.client.wire_check import VERDICTS, Tally, check_files

SHOWN_PROBLEMS = 50


@click.command(name="check")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="DIR|FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Print totals and problems, no table.")
@click.option("--all", "everything", is_flag=True, help=f"Print every problem, not the first {SHOWN_PROBLEMS}.")
def command(paths: tuple[Path, ...], as_json: bool, quiet: bool, everything: bool) -> None:
    """Decode and encode every recorded message below DIR or in FILE; exit 1 if one is not the same, byte for byte.

    DIR is searched for frames.bin with a meta.json beside it. A FILE without one holds messages with their length
    prefixes.
    """
    try:
        tally = check_files(find(paths))
    except RecordingError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(_plain(tally), indent=2))
    else:
        if not quiet:
            _print_table(tally)
        _print_problems(tally, everything)
        click.echo(_totals(tally))
    if not tally.good:
        raise click.exceptions.Exit(1)


def _print_table(tally: Tally) -> None:
    shown = [verdict for verdict in VERDICTS if verdict == "exact" or tally.totals[verdict]]
    width = max((len(message) for _, message in tally.counts), default=7)
    click.echo(f"{'version':8}{'message':{width}}{'frames':>8}" + "".join(f"{verdict:>11}" for verdict in shown))
    for (version, message), counts in sorted(tally.counts.items()):
        figures = "".join(f"{counts[verdict]:>11}" for verdict in shown)
        click.echo(f"{version:8}{message:{width}}{counts.total():>8}{figures}")
    versions = sorted({version for version, _ in tally.counts})
    for version in versions:
        mine = [counts for (one, _), counts in tally.counts.items() if one == version]
        figures = "".join(f"{sum(counts[verdict] for counts in mine):>11}" for verdict in shown)
        click.echo(f"{version:8}{'all':{width}}{sum(counts.total() for counts in mine):>8}{figures}")


def _print_problems(tally: Tally, everything: bool) -> None:
    shown = tally.problems if everything else tally.problems[:SHOWN_PROBLEMS]
    for problem in shown:
        click.echo(problem.text())
    if len(shown) < len(tally.problems):
        click.echo(f"... {len(tally.problems) - len(shown)} more problems (--all shows them)")


def _totals(tally: Tally) -> str:
    totals = tally.totals
    parts = [f"{name} {totals[name]}" for name in ("frames", "exact")]
    parts += [f"{name} {totals[name]}" for name in (*VERDICTS[1:], "raw") if totals[name]]
    return " ".join(parts)


def _plain(tally: Tally) -> dict:
    rows = [
        {"version": version, "message": message, "frames": counts.total(), **{one: counts[one] for one in VERDICTS}}
        for (version, message), counts in sorted(tally.counts.items())
    ]
    return {**tally.totals, "messages": rows, "problems": [msgspec.structs.asdict(one) for one in tally.problems]}
