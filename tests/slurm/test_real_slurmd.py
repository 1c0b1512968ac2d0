"""Debian's slurmd 22.05 as a node of FLURM, alone and beside FLURM's own node daemons in one partition."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.constants import MessageType
from tests.slurm.flurm_cluster import start_flurm
from tests.slurm.real_slurmd import await_job, await_node, await_text, field, start_real_slurmd, submit
from tests.slurm.sandbox import MUNGE_KEY, Sandbox
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


def test_real_slurmd_registers_with_its_own_version(sandbox: Sandbox) -> None:
    assert "Version=22.05.8" in sandbox.run("scontrol show node n3").stdout


def test_real_slurmd_runs_a_batch_job_and_reports_it_complete(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n3", "echo $SLURMD_NODENAME; id -un; pwd")
    await_job(sandbox, job, "COMPLETED")
    assert sandbox.read(f"/mnt/alice/slurm-{job}.out") == "n3\nalice\n/mnt/alice\n"
    assert field(sandbox, job, "ExitCode") == "0:0"


def test_the_exit_code_of_a_job_under_real_slurmd_arrives(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n4", "exit 17")
    await_job(sandbox, job, "FAILED")
    assert field(sandbox, job, "ExitCode") == "17:0"


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


def test_a_job_over_two_slurm_nodes_and_a_flurm_node_runs_and_ends(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n[2-4] -N 3", "echo $SLURM_JOB_NODELIST $SLURM_JOB_CPUS_PER_NODE")
    await_job(sandbox, job, "COMPLETED")
    assert sandbox.read(f"/mnt/alice/slurm-{job}.out") == "n[2-4] 1(x3)\n"
    for node in ("n2", "n3", "n4"):
        await_node(sandbox, node)


def test_a_job_that_begins_on_a_slurm_node_is_cancelled_on_all_its_nodes(sandbox: Sandbox) -> None:
    assert sandbox.run("scontrol update nodename=n[1-2] state=drain reason=test").exit == 0
    job = submit(sandbox, "-w n[3-4] -N 2", "sleep 60")
    await_job(sandbox, job, "RUNNING")
    assert sandbox.run(f"scancel {job}", "alice").exit == 0
    for node in ("n3", "n4"):
        await_node(sandbox, node)
    assert sandbox.run("scontrol update nodename=n[1-2] state=resume").exit == 0


def test_a_script_under_real_slurmd_gets_a_signal_and_goes_on(sandbox: Sandbox) -> None:
    script = 'trap "echo got USR1; exit 5" USR1; echo ready; while :; do sleep 0.1; done'
    sandbox.write("/mnt/alice/trap.sh", f"#!/bin/bash\n{script}\n", "alice", 0o755)
    job = sandbox.run("sbatch --parsable -w n3 trap.sh", "alice").stdout.strip()
    await_text(sandbox, f"/mnt/alice/slurm-{job}.out", "ready")
    assert sandbox.run(f"scancel -s USR1 -b {job}", "alice").exit == 0
    await_job(sandbox, job, "FAILED")
    assert sandbox.read(f"/mnt/alice/slurm-{job}.out") == "ready\ngot USR1\n"
    assert field(sandbox, job, "ExitCode") == "5:0"


def test_a_full_signal_reaches_what_the_script_started_under_real_slurmd(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n4", "echo ready; sleep 60; echo woken")
    await_text(sandbox, f"/mnt/alice/slurm-{job}.out", "ready")
    assert sandbox.run(f"scancel --full -s INT {job}", "alice").exit == 0
    assert await_job(sandbox, job, "FAILED", "COMPLETED")
    await_node(sandbox, "n4")


def test_array_tasks_under_real_slurmd_know_who_they_are(sandbox: Sandbox) -> None:
    command = "echo $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MAX"
    job = submit(sandbox, "-w n3 -a 3,5 -o task-%a.txt", command)
    await_job(sandbox, job, "COMPLETED\nCOMPLETED")
    assert sandbox.read("/mnt/alice/task-3.txt") == f"{job} 3 2 5\n"
    assert sandbox.read("/mnt/alice/task-5.txt") == f"{job} 5 2 5\n"


def test_the_memory_of_a_job_is_told_to_real_slurmd(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n4 --mem=300", "echo $SLURM_MEM_PER_NODE")
    await_job(sandbox, job, "COMPLETED")
    assert sandbox.read(f"/mnt/alice/slurm-{job}.out") == "300\n"


def test_a_job_requeued_from_real_slurmd_runs_there_again(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n3 -o again-%j.txt --open-mode=append", "echo run $SLURM_RESTART_COUNT; sleep 60")
    await_text(sandbox, f"/mnt/alice/again-{job}.txt", "run")
    assert sandbox.run(f"scontrol requeue {job}", "alice").exit == 0
    await_node(sandbox, "n3")
    assert field(sandbox, job, "Reason") == "BeginTime"
    assert sandbox.run(f"scontrol update jobid={job} starttime=now", "alice").exit == 0
    await_text(sandbox, f"/mnt/alice/again-{job}.txt", "run 1")
    assert field(sandbox, job, "JobState") == "RUNNING"
    assert sandbox.run(f"scancel {job}", "alice").exit == 0
    await_node(sandbox, "n3")


def ping_through(sandbox: Sandbox, port: int, nodes: str, width: int) -> dict[str, int]:
    """What a ping with these further nodes brings back, by node."""
    script = Path(__file__).with_name("ping_tree.py")
    outcome = sandbox.run([sys.executable, str(script), MUNGE_KEY, str(port), nodes, str(width)])
    assert outcome.exit == 0, outcome.stderr
    found: dict[str, int] = json.loads(outcome.stdout)
    return found


@pytest.mark.parametrize("width", (1, 2, 16))
@pytest.mark.parametrize(("port", "behind"), ((17001, "n3,n2,n4"), (17003, "n1,n4,n2")))
def test_a_request_travels_through_slurms_and_flurms_nodes_in_turn(
    sandbox: Sandbox, port: int, behind: str, width: int
) -> None:
    answers = ping_through(sandbox, port, behind, width)
    assert answers == dict.fromkeys(("", *behind.split(",")), MessageType.RESPONSE_PING_SLURMD)


@pytest.mark.parametrize("port", (17001, 17003))
def test_flurmd_names_a_missing_node_as_slurmd_does(sandbox: Sandbox, port: int) -> None:
    answers = ping_through(sandbox, port, "n9,n2,n4", 1)
    assert answers.pop("n9") == MessageType.RESPONSE_FORWARD_FAILED
    assert answers == dict.fromkeys(("", "n2", "n4"), MessageType.RESPONSE_PING_SLURMD)
