"""`flurm simulate`: the whole tree on simulated machines, with faults that a seed decides."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

HASH_SEED = "0"


@click.command(name="simulate")
@click.option("--seed", default=1, show_default=True, help="The first seed.")
@click.option("--seeds", default=1, show_default=True, help="How many seeds, one after the other.")
@click.option("--minutes", default=5.0, show_default=True, help="Simulated time with faults.")
@click.option("--controllers", type=click.Choice(["3", "5"]), default="3", show_default=True)
@click.option(
    "--plan", "plan_path", type=click.Path(exists=True, path_type=Path), help="Faults from this file instead."
)
@click.option("--jobs", default=1, show_default=True, help="Processes to run seeds in.")
@click.option("--trace", type=click.Path(path_type=Path), help="Write each run's jobs into this directory.")
@click.option("--trail", is_flag=True, help="Print what was logged in a run that fails.")
def command(
    seed: int,
    seeds: int,
    minutes: float,
    controllers: str,
    plan_path: Path | None,
    jobs: int,
    trace: Path | None,
    trail: bool,
) -> None:
    """Run controllers, nodes and clients through faults and check what must hold. A run that fails is shown with its
    seed and with the fewest faults that make it fail; `--plan` with those repeats it. What `--trace` writes is what
    `python -m specs.job_traces` checks."""
    _fix_hashes()
    try:
        from flurm.simulation.tree import plan as plans
    except ImportError as error:
        raise click.ClickException(f"{error}; install flurm[sim]") from error
    if plan_path is not None:
        todo = [plans.Plan.decode(plan_path.read_bytes())]
    else:
        todo = [plans.make(each, int(controllers), minutes * 60) for each in range(seed, seed + seeds)]
    failed = sum(_shown(report, trail) for report in _reports(todo, jobs, trace))
    click.echo(f"{len(todo)} runs, {failed} failed")
    sys.exit(1 if failed else 0)


def _fix_hashes() -> None:
    """Strings must hash alike in every run of a seed, which only a new interpreter can see to."""
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, "-m", "flurm.cli.main", *sys.argv[1:]])


def _reports(todo: list[Any], jobs: int, trace: Path | None) -> Iterator[Any]:
    if trace is not None:
        trace.mkdir(parents=True, exist_ok=True)
    run = partial(_run, trace=trace)
    if jobs == 1:
        yield from map(run, todo)
        return
    with ProcessPoolExecutor(jobs, max_tasks_per_child=50) as pool:
        yield from pool.map(run, todo)


def _run(plan: Any, trace: Path | None) -> Any:
    from flurm.simulation.tree.recording import Recorder
    from flurm.simulation.tree.world import run

    if trace is None:
        return run(plan)
    with (trace / f"seed-{plan.seed}.jsonl").open("wb") as file:
        return run(plan, Recorder(lambda record: file.write(msgspec.json.encode(record) + b"\n")))


def _shown(report: Any, trail: bool) -> bool:
    plan = report.plan
    click.echo(
        f"seed {plan.seed}: {'FAILED' if report.failed else 'ok'}, {len(plan.faults)} faults, "
        f"{report.entries} entries, {report.terms} terms, "
        f"{report.acknowledged} jobs acknowledged, {report.jobs} started, "
        f"{report.unanswered} requests unanswered, {report.took_s:.1f} s"
    )
    if not report.failed:
        return False
    for violation in report.violations[:5]:
        click.echo(f"  {violation}")
    if trail:
        click.echo("\n".join(report.trail))
    _show_shrunk(report)
    return True


def _show_shrunk(report: Any) -> None:
    from flurm.simulation.tree import plan as plans
    from flurm.simulation.tree.world import run

    smaller = plans.shrunk(report.plan, lambda plan: run(plan).failed, tries=60)
    click.echo(f"the fewest faults of {len(report.plan.faults)} that make it fail (`flurm simulate --plan FILE`):")
    click.echo(smaller.encode())
