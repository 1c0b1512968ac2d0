"""Recorded runs held against TraceRaft: what real servers do is accepted, what they may not do is refused."""

import os
from pathlib import Path

import msgspec
import pytest

from specs import tlc, traces
from specs.traces import MemberState, Recording, Step

pytestmark = [pytest.mark.tla, pytest.mark.timeout(600)]

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


@pytest.fixture(autouse=True, scope="module")
def _tlc() -> None:
    try:
        tlc.find()
    except tlc.NoTlc as error:
        pytest.skip(str(error))


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
    assert traces.check([a_short_run(), too_far]) == traces.Refused("tampered at 14", "CommitsAreDurable", 14, "commit")


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
    refused = traces.check([tampered(at, name, **changes)])
    assert refused is not None
    assert refused.rule == rule
    assert at <= refused.step <= at + 1


@more
def test_a_hundred_runs_of_real_servers_are_accepted_and_one_of_them_tampered_with_is_refused():
    pytest.importorskip("flurm.raft.member")
    from tests.specs.recorder import Recorder

    runs = [msgspec.structs.replace(Recorder(seed).run(400), name=f"seed {seed}") for seed in range(100)]
    assert max(state.commit for run in runs for step in run.steps for state in step.members.values()) > 10
    assert traces.check(runs) is None
    refused = traces.check([*runs[:5], with_a_commit_too_far(runs[5])])
    assert refused is not None
    assert refused.recording == "seed 5"


def with_a_commit_too_far(run: Recording) -> Recording:
    """The last step's members claim one entry more than any log has."""
    longest = max(len(state.log) for step in run.steps for state in step.members.values())
    members = {
        name: msgspec.structs.replace(state, alive=True, commit=longest + 1)
        for name, state in run.steps[-1].members.items()
    }
    return msgspec.structs.replace(run, steps=(*run.steps[:-1], Step(run.steps[-1].action, members)))
