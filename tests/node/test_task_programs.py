"""TaskProlog and TaskEpilog: before and after the script, as the user."""

import os
from pathlib import Path

import pytest

from flurm.node.plan import StepPrograms
from flurm.node.spec import SignalTarget, StepEnded, StepStarted
from flurm.node.stepd import StepManager
from flurm.node.task_programs import orders_of
from tests.node.node import USER, Node, batch


def program(node: Node, name: str, body: str) -> str:
    path = node.place / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def run(node: Node, script: str, **programs: str) -> StepEnded:
    node.launcher.launch(batch(1, script, node.work), StepPrograms(**programs))
    return node.wait_for(StepEnded, 1)


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("export NEW=a b ", {"OLD": "1", "NEW": "a b "}),
        ("export SPACED = x", {"OLD": "1", "SPACED": " x"}),
        ("unset OLD", {}),
        ("  export NEW=1", {"OLD": "1"}),
        ("export NOTHING", {"OLD": "1"}),
        ("something else", {"OLD": "1"}),
    ],
)
def test_what_a_task_prolog_prints_changes_the_environment(line, changed):
    assert orders_of(f"{line}\n", {"OLD": "1"}).environment == changed


def test_the_script_finds_what_the_task_prolog_has_set_and_printed(node):
    prolog = program(
        node, "prolog", "echo export SCRATCH=/x y; echo unset SLURM_JOB_USER; echo 'print made /x'; echo lost >&2"
    )
    run(node, "echo [$SCRATCH] ${SLURM_JOB_USER-gone}", task_prolog=prolog)
    assert node.output(1) == "made /x\n[/x y] gone\n"


def test_a_task_prolog_runs_as_the_user_in_the_jobs_directory(node):
    prolog = program(node, "prolog", 'echo "print $(id -u) $(pwd) $SLURM_SCRIPT_CONTEXT $SLURM_CONF"')
    run(node, "true", task_prolog=prolog, slurm_conf="/etc/slurm/slurm.conf")
    assert node.output(1) == f"{USER.pw_uid} {node.work} prolog_task /etc/slurm/slurm.conf\n"


def test_a_task_prolog_that_fails_keeps_the_script_from_running(node):
    ended = run(node, "echo ran", task_prolog=program(node, "prolog", "exit 5"))
    assert (ended.wait_status, node.output(1)) == (5 << 8, "slurmstepd-n1: error: TaskProlog failed status=5\n")


def test_a_task_prolog_that_is_not_there_keeps_the_script_from_running(node):
    ended = run(node, "echo ran", task_prolog="/no/such/prolog")
    assert ended.wait_status and "ran" not in node.output(1)


def test_a_job_can_be_ended_while_its_task_prolog_runs(node):
    gate = node.fifo("gate")
    prolog = program(node, "prolog", f"echo > {gate}; exec sleep 600")
    node.launcher.launch(batch(1, "echo ran", node.work), StepPrograms(task_prolog=prolog))
    node.wait_for(StepStarted, 1)
    gate.read_text()
    node.launcher.signal(1, 9, SignalTarget.ALL)
    assert node.wait_for(StepEnded, 1).wait_status and "ran" not in node.output(1)


def test_a_task_epilog_runs_after_the_script_and_changes_nothing_about_its_end(node):
    epilog = program(node, "epilog", "echo lost; echo seen $SLURM_SCRIPT_CONTEXT $(id -u) >&2; exit 9")
    ended = run(node, "echo ran; exit 3", task_epilog=epilog)
    assert (ended.wait_status, node.output(1)) == (3 << 8, f"ran\nseen epilog_task {USER.pw_uid}\n")


def test_what_cannot_be_killed_is_left_to_the_sites_program(tmp_path, monkeypatch):
    tmp_path.chmod(0o755)
    script = tmp_path / "unkillable"
    script.write_text(f"#!/bin/sh\necho $SLURM_JOB_ID $SLURM_STEP_ID > {tmp_path}/pipe\n")
    script.chmod(0o755)
    os.mkfifo(tmp_path / "pipe")
    programs = {"unkillable": str(script), "unkillable_s": 0.0}
    plan = {"job_id": 7, "step": "batch", "node": "n1", "memory_mib": 0, "cpu_ids": [], "programs": programs}
    manager = StepManager(plan, Path(tmp_path), None)
    monkeypatch.setattr(manager, "_has_children", lambda: True)
    manager._clean_up()
    assert (manager.unkillable, (tmp_path / "pipe").read_text()) == (True, "7 batch\n")
