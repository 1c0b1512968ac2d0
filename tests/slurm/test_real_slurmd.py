"""Debian's slurmd 22.05 as a node of FLURM, alone and beside FLURM's own node daemons in one partition."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest

from tests.slurm.flurm_cluster import start_flurm
from tests.slurm.real_slurmd import await_node, start_real_slurmd
from tests.slurm.sandbox import Sandbox
from tests.slurm.slurm_conf import slurm_conf
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A FLURM controller with FLURM's nodes n1 and n2, and real slurmd as n3 and n4."""
    if reason := why_not("22.05") or (None if shutil.which("slurmd") else "slurmd is not installed"):
        pytest.skip(reason)
    with Sandbox() as made:
        made.write("/etc/slurm/slurm.conf", slurm_conf())
        start_flurm(made, slurm_conf(), nodes=("n1", "n2"))
        for node in ("n3", "n4"):
            start_real_slurmd(made, node, slurm_conf())
        for node in ("n1", "n2", "n3", "n4"):
            await_node(made, node)
        yield made


def submit(sandbox: Sandbox, options: str, command: str, user: str = "alice") -> str:
    done = sandbox.run(f"sbatch --parsable {options} --wrap '{command}'", user)
    assert done.exit == 0, done
    return done.stdout.strip()


def await_job(sandbox: Sandbox, job: str, *states: str, deadline_s: float = 20) -> str:
    give_up = time.monotonic() + deadline_s
    while (seen := sandbox.run(f"squeue -h -t all -j {job} -o %T").stdout.strip()) not in states:
        record = sandbox.run(f"scontrol show job {job}; tail -n 20 /mnt/cluster/*.out.log").stdout
        assert time.monotonic() < give_up, f"job {job} is {seen!r}, not one of {states}\n{record}"
        time.sleep(0.05)
    return seen


def exit_code(sandbox: Sandbox, job: str) -> str:
    record = sandbox.run(f"scontrol -o show job {job}").stdout.split()
    return next(word.removeprefix("ExitCode=") for word in record if word.startswith("ExitCode="))


def test_real_slurmd_registers_with_its_own_version(sandbox: Sandbox) -> None:
    assert "Version=22.05.8" in sandbox.run("scontrol show node n3").stdout


def test_real_slurmd_runs_a_batch_job_and_reports_it_complete(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n3", "echo $SLURMD_NODENAME; id -un; pwd")
    await_job(sandbox, job, "COMPLETED")
    assert sandbox.read(f"/mnt/alice/slurm-{job}.out") == "n3\nalice\n/mnt/alice\n"
    assert exit_code(sandbox, job) == "0:0"


def test_the_exit_code_of_a_job_under_real_slurmd_arrives(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n4", "exit 17")
    await_job(sandbox, job, "FAILED")
    assert exit_code(sandbox, job) == "17:0"


def test_a_job_under_real_slurmd_is_cancelled(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n3", "sleep 60")
    await_job(sandbox, job, "RUNNING")
    assert sandbox.run(f"scancel {job}", "alice").exit == 0
    await_job(sandbox, job, "CANCELLED")
    await_node(sandbox, "n3")
    assert "CANCELLED" in sandbox.read(f"/mnt/alice/slurm-{job}.out")


def test_real_slurmd_answers_pings(sandbox: Sandbox) -> None:
    # SlurmdTimeout is 15 s: a node that did not answer would be down by the end of three ping intervals
    registered = sandbox.run("scontrol show node n3").stdout
    give_up = time.monotonic() + 18
    while time.monotonic() < give_up:
        assert sandbox.run("sinfo -h -n n3,n4 -p debug -o %T").stdout.split() == ["idle"], registered
        time.sleep(1)


def test_slurms_and_flurms_nodes_share_a_partition(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-a 1-4 --exclusive -o node-%a.txt", "echo $SLURMD_NODENAME; sleep 1")
    await_job(sandbox, job, "\n".join(["COMPLETED"] * 4))
    ran_on = {sandbox.read(f"/mnt/alice/node-{task}.txt").strip() for task in range(1, 5)}
    assert ran_on == {"n1", "n2", "n3", "n4"}


def test_a_job_over_a_flurm_node_and_a_slurm_node_runs_and_ends(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n2,n3 -N 2", "echo $SLURM_JOB_NODELIST")
    await_job(sandbox, job, "COMPLETED")
    assert sandbox.read(f"/mnt/alice/slurm-{job}.out") == "n[2-3]\n"
    await_node(sandbox, "n2")
    await_node(sandbox, "n3")
