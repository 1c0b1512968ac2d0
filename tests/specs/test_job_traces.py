"""Lives of jobs held against TraceJob: what the simulated tree does is accepted, what may not be is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from flurm.simulation.tree import world
from flurm.simulation.tree.plan import Fault, Plan
from flurm.simulation.tree.recording import Recorder
from specs import job_traces, recorded
from specs.job_traces import JobState, Recording, Step

pytestmark = [pytest.mark.tla, pytest.mark.timeout(600), pytest.mark.usefixtures("tlc_is_here")]

THOROUGH = bool(os.environ.get("FLURM_THOROUGH") or os.environ.get("FLURM_TLA"))
more = pytest.mark.skipif(not THOROUGH, reason="runs in `make tla`")
TROUBLE = (
    Fault(at_s=10, kind="node_cut", target="n1", for_s=40),
    Fault(at_s=15, kind="node_power", target="n2", for_s=3),
    Fault(at_s=20, kind="power", target="c1", for_s=5),
    Fault(at_s=25, kind="node_daemon", target="n3", for_s=3),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A minute with a node that is given up, one that loses power, and a controller that does.

    Of the first seed whose run has a job on the node that is given up.
    """
    path = tmp_path_factory.mktemp("jobs") / "run.jsonl"
    return next(run for run in (recorded_run(path, seed) for seed in range(1, 20)) if has_put_back(run))


def recorded_run(path: Path, seed: int) -> Recording:
    with path.open("wb") as file:
        plan = Plan(seed, seconds=60, faults=TROUBLE)
        world.run(plan, Recorder(lambda record: file.write(msgspec.json.encode(record) + b"\n")))
    return job_traces.load(path)


def has_put_back(run: Recording) -> bool:
    return any(step.action == "NodesMissing" and any(j.restarts for j in step.jobs.values()) for step in run.steps)


def place_of(run: Recording, action: str, fits: Callable[[JobState], bool] = lambda _: True) -> tuple[int, int]:
    """A step of that kind, and a job that it changed, of which that is true."""
    return next(
        (at, job) for at, s in enumerate(run.steps) if s.action == action for job, j in s.jobs.items() if fits(j)
    )


def with_step(run: Recording, place: int, *steps: Step) -> Recording:
    return msgspec.structs.replace(run, steps=(*run.steps[:place], *steps, *run.steps[place + 1 :]))


def with_job(run: Recording, place: int, job: int, **changes: object) -> Recording:
    step = run.steps[place]
    state = msgspec.structs.replace(step.jobs[job], **changes)
    return with_step(run, place, msgspec.structs.replace(step, jobs={**step.jobs, job: state}))


def rule(run: Recording) -> str | None:
    refused, _ = job_traces.check([run])
    return refused.rule if refused is not None else None


def test_what_the_tree_does_is_accepted_and_a_job_that_ends_before_it_starts_is_not(run: Recording):
    states = [job for step in run.steps for job in step.jobs.values()]
    assert {"RUNNING", "COMPLETED", "CANCELLED"} <= {job.state for job in states}
    place, job = place_of(run, "SubmitJob")
    early = with_job(run, place, job, state="COMPLETED", exit="zero")
    refused, _ = job_traces.check([run, msgspec.structs.replace(early, name="tampered")])
    assert refused == job_traces.Refused("tampered", "CommandsDoTheirOwn", run.steps[place].step, "SubmitJob")


@more
def test_a_job_that_is_started_twice_is_refused(run: Recording):
    place = next(at for at, step in enumerate(run.steps) if step.action == "launch")
    step = run.steps[place]
    gone = msgspec.structs.replace(step, jobs={}, nodes={}, running=())
    assert rule(with_step(run, place, step, gone, step)) == "LaunchedOnce"


@more
def test_a_job_that_runs_on_a_node_that_is_not_its_own_is_refused(run: Recording):
    place = next(at for at, step in enumerate(run.steps) if step.action == "launch")
    step = run.steps[place]
    job, restarts, node = next(p for p in step.running if p not in run.steps[place - 1].running)
    other = next(name for name in run.nodes if name != node)
    moved = (*(p for p in step.running if p[0] != job), (job, restarts, other))
    assert rule(with_step(run, place, msgspec.structs.replace(step, running=moved))) == "NothingRunsUnknown"


@more
@pytest.mark.parametrize(
    ("action", "state", "changes"),
    [
        ("BatchEnded", "COMPLETED", {"completing": ()}),
        ("BatchEnded", "COMPLETED", {"exit": "one"}),
        ("BatchEnded", "COMPLETED", {"state": "PENDING"}),
        ("EpilogDone", "COMPLETED", {"state": "RUNNING"}),
        ("NodesMissing", "PENDING", {"restarts": 0}),
        ("ApplyPlan", "RUNNING", {"held": True}),
        ("LaunchDone", "RUNNING", {"launch": "none"}),
    ],
)
def test_a_record_that_its_command_cannot_have_made_is_refused(run: Recording, action: str, state: str, changes: dict):
    place, job = place_of(run, action, lambda job: job.state == state)
    assert rule(with_job(run, place, job, **changes)) == "CommandsDoTheirOwn"


@more
def test_a_node_that_is_given_back_though_its_job_is_there_still_is_refused(run: Recording):
    place, job = place_of(run, "BatchEnded", lambda job: job.state == "COMPLETED")
    step = run.steps[place]
    node = step.jobs[job].alloc[0]
    free = msgspec.structs.replace(step, nodes={node: job_traces.NodeState(up=True, used=())})
    assert rule(with_step(run, place, free)) == "HeldExactly"


@pytest.mark.skipif(not os.environ.get("FLURM_THOROUGH"), reason="`make tla` does this beside the tests")
def test_runs_of_the_whole_tree_are_accepted(tmp_path: Path):
    count, refused, result = recorded.tree(tmp_path)
    assert count == 20 and refused is None
    assert result.distinct > 4_000
