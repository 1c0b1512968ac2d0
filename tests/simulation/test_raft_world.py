"""The Raft core on simulated disks and networks: what must hold holds, and bugs that are planted are found."""

import json
import os

import msgspec
import pytest

from flurm.simulation import raft_world
from flurm.simulation.__main__ import main
from flurm.simulation.faults import Fault, FaultKind, Plan, plan_of
from flurm.simulation.network import Network
from flurm.simulation.recording import Recorder
from flurm.simulation.shrink import shrink
from tests.simulation.mutants import MUTANTS, RARE

SEEDS = int(os.environ.get("FLURM_SIM_SEEDS", "100"))
THOROUGH = bool(os.environ.get("FLURM_THOROUGH"))
QUIET = Plan(seed=1, voters=("a", "b", "c"), spares=(), faults=(), duration_ms=500)


@pytest.mark.parametrize("first", range(0, SEEDS, 25))
def test_whatever_goes_wrong_nothing_that_was_agreed_on_is_lost_and_the_cluster_comes_back(first):
    outcomes = [raft_world.run(plan_of(seed)) for seed in range(first, min(first + 25, SEEDS))]
    assert [(outcome.seed, outcome.problem) for outcome in outcomes if outcome.problem] == []
    assert sum(outcome.acknowledged for outcome in outcomes) > 500, "the clusters did something"
    assert sum(outcome.elections for outcome in outcomes) > 30, "and leaders changed"


@pytest.mark.parametrize("mutant", [name for name in MUTANTS if THOROUGH or name not in RARE])
def test_a_planted_bug_is_found_within_two_hundred_seeds(mutant, monkeypatch):
    MUTANTS[mutant](monkeypatch)
    assert any(raft_world.run(plan_of(seed)).problem for seed in range(200))


def test_the_same_seed_gives_the_same_run_step_by_step():
    one, other = [], []
    for trace in (one, other):
        raft_world.run(plan_of(3), Recorder(lambda step, trace=trace: trace.append(msgspec.json.encode(step))))
    assert len(one) > 100 and one == other


def test_a_plan_that_was_written_down_is_the_same_plan():
    plan = plan_of(3)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_a_failing_plan_shrinks_to_the_faults_that_matter(monkeypatch):
    MUTANTS["vote_for_any_log"](monkeypatch)
    plan = next(plan for plan in map(plan_of, range(200)) if raft_world.run(plan).problem)
    small = shrink(plan, lambda candidate: bool(raft_world.run(candidate).problem))
    assert raft_world.run(small).problem and len(small.faults) < len(plan.faults)
    for fault in small.faults:
        without = msgspec.structs.replace(small, faults=tuple(f for f in small.faults if f is not fault))
        assert not raft_world.run(without).problem


def test_where_nothing_goes_wrong_there_is_one_election():
    outcome = raft_world.run(QUIET)
    assert (outcome.problem, outcome.elections) == ("", 1) and outcome.acknowledged > 5 and outcome.reads > 0


def test_a_majority_that_never_comes_back_is_reported_as_a_cluster_that_does_not(monkeypatch):
    monkeypatch.setattr(Network, "mend", lambda network, links: None)
    monkeypatch.setattr(Network, "heal", lambda network: None)
    cuts = tuple(Fault(FaultKind.PARTITION, 100, 101, (name,)) for name in "abc")
    outcome = raft_world.run(msgspec.structs.replace(QUIET, faults=cuts))
    assert outcome.problem.endswith("nobody leads")


def test_a_trace_tells_each_step_and_how_the_members_changed_in_it(tmp_path, capsys):
    assert main(["raft", "--seeds", "1", "--first", "3", "--trace", str(tmp_path)]) == 0
    header, begin, *steps = [json.loads(line) for line in (tmp_path / "seed-3.jsonl").read_text().splitlines()]
    assert header["seed"] == 3 and list(begin["members"]) == header["members"]
    assert {"action", "step", "at_ms", "event", "members"} == steps[0].keys()
    assert max(state["commit"] for step in steps for state in step["members"].values()) > 10
    assert "0 failed" in capsys.readouterr().out


def test_a_failure_is_printed_with_how_to_see_it_again(monkeypatch, capsys):
    MUTANTS["acknowledge_before_the_sync"](monkeypatch)
    seed = next(seed for seed in range(200) if raft_world.run(plan_of(seed)).problem)
    assert main(["raft", "--seeds", "1", "--first", str(seed)]) == 1
    out = capsys.readouterr().out
    assert f"--seeds 1 --first {seed}" in out and "has it on disk" in out and '"faults":' in out
