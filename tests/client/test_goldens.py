"""FLURM's commands print for a real slurmctld what Slurm's print: the stories of tests/slurm, typed with ours.

The default run plays a few of them, each kind of answer once; `make thorough` plays all (ten minutes).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.client.own_commands import OwnCommands, python_for_everybody
from tests.slurm import golden
from tests.slurm.record import difference
from tests.slurm.story import Story, run, stories

OURS_DIFFERS = {
    "sbatch-version": "our version is our own",
    "scontrol-errors_of_the_command_line": "so is scontrol's",
    "scontrol-reservations_licenses_and_more_that_are_empty": "and again",
    "squeue-steps_of_a_job": "22.05 finds no step named .batch, we do",
}
IN_THE_DEFAULT_RUN = {
    "refusal-bad_partition",
    "sbatch-wrap_runs_and_writes_its_output",
    "sbatch-hold",
    "scancel-by_id",
    "scontrol-ping",
    "scontrol-show_node",
    "scontrol-show_partition",
    "scontrol_job-update_of_a_pending_job",
    "sinfo-an_idle_cluster",
    "sinfo-formats",
    "squeue-default_and_long",
    "squeue-formats",
}
CASES = [
    story
    for story in stories()
    if story.belongs_to("22.05")
    and "fresh" not in story.options
    and story.name not in OURS_DIFFERS
    and (os.environ.get("FLURM_THOROUGH") or story.name in IN_THE_DEFAULT_RUN)
]


def why_not() -> str | None:
    """Why this cannot run here; None where it can."""
    if os.geteuid() != 0:
        return "namespaces and users of their own need root"
    for program in ("slurmctld", "slurmd", "munged", "unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return None if python_for_everybody() else "no python that ordinary users may run"


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnCommands]:
    if reason := why_not():
        pytest.skip(reason)
    with OwnCommands("22.05") as found:
        assert isinstance(found, OwnCommands)
        yield found


@pytest.mark.slurm
@pytest.mark.parametrize("story", CASES, ids=lambda story: story.name)
def test_our_commands_say_what_slurms_say(story: Story, cluster: OwnCommands) -> None:
    if diff := difference(golden.load("22.05", story), run(story, cluster)):
        pytest.fail(f"{story.name}:\n{diff}", pytrace=False)
