"""The stories themselves: how they are read, what is taken out of an output, and that there is a golden for each."""

from __future__ import annotations

import time

import pytest

from tests.slurm import golden
from tests.slurm.accepted import ACCEPTED, Difference, as_flurm_answers
from tests.slurm.cluster import RELEASES
from tests.slurm.normalise import normalise
from tests.slurm.sandbox import Outcome
from tests.slurm.story import Step, Story, StoryStuck, parse, run, stories


class FakeSandbox:
    """Keeps what was written."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def write(self, path: str, text: str, user: str = "root", mode: int = 0o644) -> None:
        self.files[path] = text


class FakeCluster:
    """Answers commands from a table; whatever is not in it gives nothing."""

    release = "22.05"

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.typed: list[str] = []
        self.sandbox = FakeSandbox()

    def client(self, command: str, user: str = "root", timeout_s: int = 30) -> Outcome:
        self.typed.append(f"{user}: {command}")
        return Outcome(self.answers.get(command, ""), "", 0)


def only(text: str) -> Story:
    (story,) = parse(text, "area")
    return story


@pytest.mark.parametrize("release", RELEASES)
def test_every_story_has_a_golden_and_every_golden_a_story(release: str) -> None:
    told = {f"{story.name}.json" for story in stories() if story.belongs_to(release)}
    assert {path.name for path in (golden.DIRECTORY / release).iterdir()} == told


@pytest.mark.parametrize("release", RELEASES)
def test_a_golden_holds_the_commands_of_its_story(release: str) -> None:
    for story in stories():
        if not story.belongs_to(release):
            continue
        lines = [line for line in story.lines if not line.startswith("@") or line.startswith(f"@{release} ")]
        for step in golden.load(release, story):
            assert any(line.endswith(f"{step.user}: {step.command}") for line in lines), (story.name, step.command)


def test_job_ids_are_counted_from_the_lowest() -> None:
    assert normalise("Submitted batch job 70012, slurm-70013_4.out, 70012.70013, 17001, 170012, 0.70012", 70012) == (
        "Submitted batch job <J+0>, slurm-<J+1>_4.out, <J+0>.<J+1>, 17001, 170012, 0.70012"
    )


def test_times_near_now_go_and_chosen_dates_stay() -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S")
    assert normalise(f"{now} 2035-01-02T03:04:05 {int(time.time())}", 0) == "<time> 2035-01-02T03:04:05 <epoch>"


def test_elapsed_seconds_become_zero_and_exit_codes_and_limits_stay() -> None:
    text = "RunTime=00:00:07 TimeLimit=00:10:00 ExitCode=0:15 0:03 10:00 1:00:00 0:9"
    assert normalise(text, 0) == "RunTime=00:00:00 TimeLimit=00:10:00 ExitCode=0:15 0:00 10:00 1:00:00 0:9"


def test_a_hide_line_takes_its_groups_out() -> None:
    assert normalise("pid 17 of 18\npid 19", 0, [r"^pid (\d+)(?: of (\d+))?"]) == "pid <...> of <...>\npid <...>"


def test_a_story_types_its_lines_and_keeps_what_was_answered() -> None:
    story = only("## name\n# why\nfile bob a.sh\n    #!/bin/sh\n    true\nA = bob: sbatch a.sh\nroot: scancel ${A}_1\n")
    cluster = FakeCluster({"sbatch a.sh": "Submitted batch job 70007\n"})
    steps = run(story, cluster)  # type: ignore[arg-type]
    assert cluster.sandbox.files == {"/mnt/bob/a.sh": "#!/bin/sh\ntrue\n"}
    assert cluster.typed[:2] == ["bob: sbatch a.sh", "root: scancel 70007_1"]
    assert [step.stdout for step in steps] == ["Submitted batch job <J+0>\n", ""]


def test_a_line_of_another_release_is_left_out() -> None:
    story = only("## name\n@24.11 bob: newer\n@22.05 bob: older\n")
    assert [step.command for step in run(story, FakeCluster({}))] == ["older"]  # type: ignore[arg-type]


def test_a_wait_ends_when_every_record_has_the_state() -> None:
    asked = "squeue -h -r -t all -j 5 -o '%T %r' || true"
    cluster = FakeCluster({asked: "PENDING ReqNodeNotAvail, UnavailableNodes:n1\nPENDING Priority\n"})
    run(only("## name\nwait 5 PENDING\n"), cluster)  # type: ignore[arg-type]
    assert cluster.typed[0] == f"root: {asked}"


def test_a_submission_without_an_id_is_told() -> None:
    with pytest.raises(StoryStuck, match="no job id was printed for A"):
        run(only("## name\nA = bob: sbatch a.sh\n"), FakeCluster({}))  # type: ignore[arg-type]


@pytest.mark.parametrize("difference", ACCEPTED, ids=lambda difference: difference.story)
def test_an_accepted_difference_is_one_from_what_real_slurm_said(difference: Difference) -> None:
    (story,) = (story for story in stories() if story.name == difference.story)
    for release in difference.releases:
        recorded = golden.load(release, story)
        assert as_flurm_answers(release, story.name, recorded) != recorded


def test_an_accepted_difference_that_real_slurm_no_longer_shows_is_told() -> None:
    step = Step("alice", "scontrol show config", "nothing of the kind\n", "", 0)
    with pytest.raises(ValueError, match="take the difference out"):
        as_flurm_answers("22.05", "scontrol-show_config", [step])
