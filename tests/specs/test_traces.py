"""Recorded runs held against TraceRaft: what real servers do is accepted, what they may not do is refused."""

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from flurm.simulation import raft_world
from flurm.simulation.__main__ import main as simulate
from flurm.simulation.faults import plan_of
from specs import recorded, traces
from specs.traces import MemberState, Recording, Step
from tests.simulation.mutants import MUTANTS

pytestmark = [pytest.mark.tla, pytest.mark.timeout(600), pytest.mark.usefixtures("tlc_is_here")]

FIRST = ((1, "noop"), (1, "command"))


def member(term: int, vote: str | None, log: tuple = (), commit: int = 0, role: str = "follower") -> MemberState:
    return MemberState(True, role, term, vote, term, vote, log, commit)


def a_short_run() -> Recording:
    """a is elected, commits two entries with b, c follows; then b takes over in term 2."""
    second = (*FIRST, (2, "noop"))
    return Recording(
        ("a", "b", "c"),
        ("a", "b", "c"),
        (
            Step("start", {name: member(0, None) for name in "abc"}),
            Step("campaign", {"a": member(1, "a", role="candidate")}),
            Step("vote", {"b": member(1, "a")}),
            Step("lead", {"a": member(1, "a", role="leader")}),
            Step("write", {"a": member(1, "a", FIRST, role="leader")}),
            Step("append", {"b": member(1, "a", FIRST)}),
            Step("commit", {"a": member(1, "a", FIRST, 2, "leader")}),
            Step("append", {"c": member(1, None, FIRST, 2)}),
            Step("campaign", {"b": member(2, "b", FIRST, 0, "candidate")}),
            Step("vote", {"c": member(2, "b", FIRST, 2)}),
            Step("lead", {"b": member(2, "b", FIRST, 0, "leader")}),
            Step("write", {"b": member(2, "b", second, 0, "leader")}),
            Step("append", {"a": member(2, None, second, 2)}),
            Step("commit", {"b": member(2, "b", second, 3, "leader")}),
        ),
        "a short run",
    )


def tampered(at: int, name: str, **changes: object) -> Recording:
    """The short run with one member changed from its step number `at` (the first is 1) on, until it changes again."""
    run = a_short_run()
    steps = list(run.steps)
    state = msgspec.structs.replace(steps[at - 1].members[name], **changes)
    steps[at - 1] = msgspec.structs.replace(steps[at - 1], members={**steps[at - 1].members, name: state})
    return msgspec.structs.replace(run, steps=tuple(steps), name=f"tampered at {at}")


def test_a_recording_survives_its_file(tmp_path: Path):
    traces.dump(a_short_run(), tmp_path / "run.jsonl")
    again = traces.load(tmp_path / "run.jsonl")
    assert traces.module([again]) == traces.module([a_short_run()])


def test_what_is_no_recording_is_refused_with_its_line(tmp_path: Path):
    broken = tmp_path / "run.jsonl"
    broken.write_text('{"members": ["a"], "voters": ["a"]}\n{"action": 1}\n')
    with pytest.raises(traces.BadRecording, match="line 2"):
        traces.load(broken)


def test_a_run_as_it_should_be_is_accepted_and_a_commit_too_far_is_refused():
    too_far = tampered(14, "b", commit=4)
    assert traces.check([a_short_run(), too_far])[0] == traces.Refused(
        "tampered at 14", "CommitsAreDurable", 14, "commit"
    )


THOROUGH = bool(os.environ.get("FLURM_THOROUGH") or os.environ.get("FLURM_TLA"))
more = pytest.mark.skipif(not THOROUGH, reason="runs in `make tla`")


@more
@pytest.mark.parametrize(
    ("at", "name", "changes", "rule"),
    [
        (10, "c", {"voted_for": "c", "saved_vote": "c"}, "LeadersAreElected"),
        (12, "b", {"voted_for": "c"}, "OneVotePerTerm"),
        (6, "b", {"term": 0, "saved_term": 0}, "TermsOnlyGrow"),
        (4, "a", {"term": 1, "voted_for": None, "role": "leader"}, "OneVotePerTerm"),
        (7, "a", {"commit": 3}, "CommitsAreDurable"),
        (8, "c", {"commit": 3}, "FollowersFollow"),
        (8, "c", {"log": ((1, "noop"), (1, "noop"))}, "LogsMatch"),
        (13, "a", {"log": (*FIRST, (3, "noop"))}, "EntriesComeFromLeaders"),
        (13, "a", {"commit": 1}, "CommitsOnlyGrow"),
        (9, "b", {"role": "leader"}, "LeadersAreElected"),
        (13, "a", {"role": "leader"}, "OneLeaderPerTerm"),
    ],
)
def test_a_tampered_run_is_refused_with_the_rule_that_it_breaks(at: int, name: str, changes: dict, rule: str):
    refused = traces.check([tampered(at, name, **changes)])[0]
    assert refused is not None
    assert refused.rule == rule
    assert at <= refused.step <= at + 1


@pytest.mark.skipif(not os.environ.get("FLURM_THOROUGH"), reason="`make tla` does this beside the tests")
def test_a_hundred_runs_of_the_simulator_are_accepted(tmp_path: Path):
    count, refused, result = recorded.raft(tmp_path)
    assert count == 100 and refused is None
    assert result.distinct > 20_000


def test_runs_of_the_simulator_have_what_the_rules_are_about(tmp_path: Path):
    assert simulate(["raft", "--seeds", "20", "--trace", str(tmp_path)]) == 0
    steps = [step for path in tmp_path.iterdir() for step in traces.load(path).steps]
    states = [state for step in steps for state in step.members.values()]
    assert sum(step.action.endswith("crash") for step in steps) > 10
    assert any(step.action.endswith("TimeoutNow") for step in steps), "leadership was handed over"
    assert any(entry[1] == "configuration" and entry[3] for state in states for entry in state.log), "joint ones too"
    assert max(state.term for state in states) > 3 and max(state.commit for state in states) > 50


def a_simulated_run(tmp_path: Path, seed: int = 8) -> Recording:
    assert simulate(["raft", "--seeds", "1", "--first", str(seed), "--trace", str(tmp_path)]) == 0
    return traces.load(tmp_path / f"seed-{seed}.jsonl")


def changed(run: Recording, place: int, name: str, **changes: object) -> Recording:
    step = run.steps[place]
    state = msgspec.structs.replace(step.members[name], **changes)
    step = msgspec.structs.replace(step, members={**step.members, name: state})
    return msgspec.structs.replace(run, steps=(*run.steps[:place], step, *run.steps[place + 1 :]))


def places(run: Recording, fits: Callable[[MemberState], bool]) -> tuple[int, str]:
    """A step, and a member that it changed, of which that is true."""
    return next((at, name) for at, step in enumerate(run.steps) for name, s in step.members.items() if fits(s))


def test_a_simulated_run_is_accepted_and_refused_with_a_commit_taken_back(tmp_path: Path):
    run = a_simulated_run(tmp_path)
    place, name = places(run, lambda state: state.commit > 5)
    tampered_run = changed(run, place, name, commit=2)
    assert traces.check([run])[0] is None
    assert traces.check([tampered_run])[0] == traces.Refused(
        run.name, "CommitsOnlyGrow", run.steps[place].step, run.steps[place].action
    )


@more
def test_a_simulated_run_is_refused_with_a_second_vote_or_an_entry_exchanged(tmp_path: Path):
    run = a_simulated_run(tmp_path)
    place, name = places(run, lambda state: state.saved_vote is not None)
    other = next(each for each in run.voters if each != run.steps[place].members[name].saved_vote)
    again = msgspec.structs.replace(run.steps[place].members[name], voted_for=other, saved_vote=other, log=(), kept=999)
    twice = Step("vote again", {name: again})
    voted = msgspec.structs.replace(run, steps=(*run.steps[: place + 1], twice, *run.steps[place + 1 :]))
    assert getattr(traces.check([voted])[0], "rule", None) == "OneVotePerTerm"
    place, name = places(run, lambda state: state.commit > 5 and (state.term, "command") in state.log)
    entries = tuple((term, "noop") for term, *_ in run.steps[place].members[name].log)
    exchanged = traces.check([changed(run, place, name, log=entries)])[0]
    assert exchanged is not None and exchanged.rule in ("LogsMatch", "AgreedStays")


@more
@pytest.mark.parametrize(
    ("mutant", "rules"),
    [
        ("forget_the_vote_in_a_restart", "OneVotePerTerm"),
        ("commit_an_entry_of_an_old_term_by_count", "CommitsAreDurable"),
        ("acknowledge_before_the_sync", "CommitsAreDurable"),
        ("apply_more_than_is_committed", "FollowersFollow"),
        ("keep_entries_that_the_leader_contradicts", "AgreedStays or CommitsAreDurable"),
    ],
)
def test_what_a_member_with_a_planted_bug_does_is_refused(
    mutant: str, rules: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The simulator's own checks end the run, at a step that TLC refuses as well: of the first runs that end so one, as
    some end before the outside can see what is wrong."""
    MUTANTS[mutant](monkeypatch)
    failing = (seed for seed in range(200) if raft_world.run(plan_of(seed)).problem)
    monkeypatch.setattr("flurm.simulation.__main__.shrink", lambda plan, _fails: plan)
    for seed in islice(failing, 4):
        assert simulate(["raft", "--seeds", "1", "--first", str(seed), "--trace", str(tmp_path)]) == 1
    refused = traces.check([traces.load(path) for path in sorted(tmp_path.iterdir())])[0]
    assert refused is not None and refused.rule in rules.split(" or ")
