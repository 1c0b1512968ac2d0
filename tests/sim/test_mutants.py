"""Planted bugs are found: a simulation that finds nothing proves nothing unless it would."""

import os

import pytest

from flurm.simulation.tree import plan, world
from tests.sim import mutants

SEEDS = 200
SECONDS = 90.0
QUICK = (mutants.elects_anybody, mutants.applies_differently_on_followers)
TRIED = mutants.ALL if os.environ.get("FLURM_THOROUGH") else QUICK


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mutant", TRIED, ids=lambda mutant: mutant.__name__)
def test_a_planted_bug_is_found(mutant, monkeypatch):
    mutant(monkeypatch)
    assert any(world.run(plan.make(seed, seconds=SECONDS)).failed for seed in range(SEEDS))
