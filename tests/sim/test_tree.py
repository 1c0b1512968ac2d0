"""The whole tree in simulation: a few seeds by default, many with `make sim`."""

import os
import subprocess
import sys

import pytest

from flurm.simulation.tree import plan, world
from flurm.simulation.tree.plan import Fault, Plan

THOROUGH = bool(os.environ.get("FLURM_THOROUGH"))
SEEDS, MINUTES = (50, 5) if THOROUGH else (4, 1)


@pytest.mark.timeout(3600 if THOROUGH else 300)
def test_what_must_hold_holds_whatever_goes_wrong():
    """In a process of its own, whose strings hash alike every time: a seed that fails here fails everywhere."""
    wanted = ["simulate", "--seeds", str(SEEDS), "--minutes", str(MINUTES)]
    done = subprocess.run([sys.executable, "-m", "flurm.cli.main", *wanted], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{SEEDS} runs, 0 failed" in done.stdout


def test_five_controllers_go_on_with_two_of_them_away():
    away = tuple(Fault(at_s=5, kind="isolate", target=name, other="c1", for_s=20) for name in ("c4", "c5"))
    report = world.run(Plan(1, controllers=5, seconds=30, faults=away))
    assert not report.failed, report.violations
    during = [op for op in report.history if 8 < op.invoked_s < 20 and op.controller in ("c1", "c2", "c3")]
    assert during and all(op.code is not None for op in during)


def test_the_same_plan_gives_the_same_run():
    first, second = (world.run(plan.make(5, seconds=20)) for _ in range(2))
    assert first.trail == second.trail
    assert (first.steps, first.entries) == (second.steps, second.entries)


def test_a_shrunk_plan_keeps_only_the_faults_that_matter():
    whole = plan.make(3, seconds=120)
    guilty = {whole.faults[1], whole.faults[-2]}
    assert set(plan.shrunk(whole, lambda p: guilty <= set(p.faults)).faults) == guilty


def test_a_plan_survives_being_written_down():
    whole = plan.make(9)
    assert Plan.decode(whole.encode()) == whole
