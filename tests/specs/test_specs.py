"""The specs: what TLC accepts, what it refuses, and that they speak of the code there is."""

import os
import re

import pytest

from flurm.core.enums import JobState
from flurm.core.lifecycle import TRANSITIONS
from specs import tlc
from specs.__main__ import check, main
from specs.models import MODELS, MUTANTS, Model

SMOKE = ("JobLifeCycle", "requeue at once")
ALL = bool(os.environ.get("FLURM_THOROUGH"))  # `make tla` checks them all beside the tests


def _chosen(mutant: Model) -> bool:
    return ALL or (mutant.spec, mutant.name) == SMOKE


@pytest.mark.tla
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("tlc_is_here")
@pytest.mark.parametrize("mutant", [pytest.param(m, id=m.title) for m in MUTANTS if _chosen(m)])
def test_a_broken_rule_is_found_by_the_invariant_that_it_is_there_for(mutant: Model):
    result = check(mutant)
    assert result.violated == mutant.expected, result.output[-3000:]


def test_the_life_cycle_of_the_spec_has_the_transitions_of_the_code():
    text = (tlc.SPECS / "JobLifeCycle.tla").read_text()
    table = text[text.index("Transitions == {") : text.index("Knows(state, event)")]
    spec = set(re.findall(r'<<"(\w+)", "([\w ]+)", "(\w+)">>', table))
    assert '<<state, "requeue", "PENDING">> : state \\in Finished' in table
    finished = {state for state in JobState if state.is_finished}
    spec |= {(state.name, "requeue", "PENDING") for state in finished}
    assert spec == {(before.name, event, after.name) for (before, event), after in TRANSITIONS.items()}
    assert set(re.findall(r'"(\w+)"', text[text.index("Finished == {") : text.index("Holding ==")])) == {
        state.name for state in finished
    }


def test_every_bug_that_a_model_plants_is_one_that_its_spec_knows():
    for mutant in MUTANTS:
        assert (
            f'Bug = "{mutant.bug}"' in (tlc.SPECS / f"{mutant.spec}.tla").read_text()
            or f'Bug # "{mutant.bug}"' in (tlc.SPECS / f"{mutant.spec}.tla").read_text()
        ), mutant.bug


def test_every_bug_that_a_spec_knows_is_planted_in_some_model():
    for path in tlc.SPECS.glob("*.tla"):
        known = set(re.findall(r'Bug [=#] "([^"]+)"', path.read_text()))
        assert known == {mutant.bug for mutant in MUTANTS if mutant.spec == path.stem}


@pytest.mark.parametrize("spec", ["Raft", "JobLifeCycle", "Scheduling", "Failover"])
def test_a_rule_broken_in_a_model_fails_the_whole_check(spec, monkeypatch, capsys):
    """As TLC would find it: the mutant's violation in what is believed to be a sound model."""
    broken = next(mutant for mutant in MUTANTS if mutant.spec == spec)
    sound = next(model for model in MODELS if model.spec == spec and model.size == "default")
    found = tlc.read(f"Error: Invariant {broken.expected} is violated.\n12 states generated, 7 distinct states found")
    monkeypatch.setattr(tlc, "find", lambda: None)
    monkeypatch.setattr("specs.__main__.check", lambda model, workers: found)
    assert main([sound.title]) == 1
    assert f"violates {broken.expected}: NOT AS EXPECTED" in capsys.readouterr().out


def test_what_was_explored_is_told_for_each_spec(monkeypatch, capsys):
    done = "Model checking completed. No error has been found.\n12 states generated, 7 distinct states found, 0 left"
    monkeypatch.setattr(tlc, "find", lambda: None)
    monkeypatch.setattr("specs.__main__.check", lambda model, workers: tlc.read(done, seconds=1.5))
    assert main(["Scheduling"]) == 0
    runs = sum(model.spec == "Scheduling" and model.size == "default" for model in MODELS)
    table = capsys.readouterr().out.split("states explored")[1].splitlines()
    assert table[1].split() == ["Scheduling", str(runs), str(12 * runs), str(7 * runs), str(1.5 * runs)]


def test_names_of_models_are_their_own():
    titles = [model.title for model in (*MODELS, *MUTANTS)]
    assert len(titles) == len(set(titles))


def test_the_name_of_a_violated_liveness_property_is_known_where_only_one_is_checked():
    output = "Error: Temporal properties were violated.\n12 states generated, 7 distinct states found, 0 states left"
    assert tlc.read(output, ("NobodyStarves",)).violated == "NobodyStarves"
    assert not tlc.read(output, ("NobodyStarves",)).passed


def test_a_violated_property_of_steps_is_named_by_its_definition():
    line = (tlc.SPECS / "JobLifeCycle.tla").read_text().splitlines().index("TerminalStaysTerminal ==") + 2
    output = f"Error: Action property line {line}, col 5 to line {line}, col 9 of module JobLifeCycle is violated."
    assert tlc.read(output).violated == "TerminalStaysTerminal"
