"""Which programs of a site run around a job, in what order, and what they are told."""

import json
import stat
from pathlib import Path

import pytest

from flurm.node.programs import (
    JobFacts,
    NoSuchProgram,
    epilog_environment,
    health_environment,
    matching,
    programs_of,
    prolog_environment,
)
from flurm.node.run_program import run_all, run_one

RECORDED = json.loads((Path(__file__).parents[1] / "data/node/program_environments.json").read_text())
JOB = JobFacts(
    job_id=70000, uid=1001, gid=1001, user_name="alice", partition="debug", node_list="n1", cpus_per_node=(1,),
    cpu_count_reps=(1,), work_dir="/mnt/alice", comment="a comment", constraints="fast", std_in="/dev/null",
)  # fmt: skip
ADDED = {"SLURM_JOB_NODELIST": "n1"}
"""Beside what slurmd 22.05 gives: the name that a job's own environment has for its nodes."""


def program(directory: Path, name: str, body: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_prolog_is_told_what_slurmd_tells():
    told = prolog_environment(JOB, "n1", "testc", "/etc/slurm/slurm.conf")
    assert told == RECORDED["prolog"] | ADDED


def test_an_epilog_is_told_how_the_job_ended():
    told = epilog_environment(JOB, "n1", "testc", "/etc/slurm/slurm.conf", exit_status=7 << 8, derived_status=0)
    assert told == RECORDED["epilog"] | ADDED


def test_a_signal_stands_behind_the_colon():
    told = epilog_environment(JOB, "n1", "testc", "", exit_status=9, derived_status=0)
    assert told["SLURM_JOB_EXIT_CODE2"] == "0:9"


def test_a_health_check_knows_its_node_and_nothing_else():
    assert health_environment("n2") == RECORDED["health_check"] | {"SLURMD_NODENAME": "n2"}


def test_programs_of_a_pattern_run_in_reverse_order(tmp_path):
    for name in ("10-first", "20-second", "30-third"):
        program(tmp_path, name, f"echo {name} >> {tmp_path}/trace.txt")
    assert run_all((f"{tmp_path}/*0-*",), {"PATH": "/usr/bin:/bin"}) is None
    assert (tmp_path / "trace.txt").read_text().split() == ["30-third", "20-second", "10-first"]


def test_the_first_program_that_fails_ends_the_row(tmp_path):
    program(tmp_path, "a", f"touch {tmp_path}/ran")
    program(tmp_path, "b", "echo no scratch; exit 3")
    failure = run_all((f"{tmp_path}/?",), {"PATH": "/usr/bin:/bin"})
    assert failure == f"{tmp_path}/b ended with 3: no scratch"
    assert not (tmp_path / "ran").exists()


def test_programs_after_a_comma_run_in_the_order_of_the_list(tmp_path):
    listed = programs_of({"Prolog": f"{tmp_path}/b, {tmp_path}/a"}).prolog
    program(tmp_path, "a", ""), program(tmp_path, "b", "")
    assert matching(listed) == [f"{tmp_path}/b", f"{tmp_path}/a"]


def test_a_prolog_that_a_controller_sent_lies_beside_the_file():
    read = programs_of({"Prolog": "first.sh,/site/*.sh"}, "/run/slurm/conf/slurm.conf")
    assert read.prolog == ("/run/slurm/conf/first.sh", "/site/*.sh")


@pytest.mark.parametrize("pattern", ["nothing", "nothing*"])
def test_a_program_that_is_not_there_is_a_failure(tmp_path, pattern):
    with pytest.raises(NoSuchProgram):
        matching((f"{tmp_path}/{pattern}",))
    assert run_all((f"{tmp_path}/{pattern}",), {}) == f"there is no {tmp_path}/{pattern}"


def test_a_program_that_may_not_be_executed_is_a_failure(tmp_path):
    (tmp_path / "prolog").write_text("#!/bin/sh\n")
    assert run_one([str(tmp_path / "prolog")], {}) == f"{tmp_path}/prolog cannot be executed: Permission denied"


def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(tmp_path):
    path = program(tmp_path, "prolog", "trap '' TERM; sleep 600 & wait; sleep 600")
    assert run_one([str(path)], {"PATH": "/usr/bin:/bin"}, 0.2) == f"{path} was ended after 0.2 s"


def test_what_a_program_leaves_in_the_background_is_not_waited_for(tmp_path):
    path = program(tmp_path, "prolog", "sleep 5 & exit 0")
    assert run_one([str(path)], {"PATH": "/usr/bin:/bin"}, 4) is None


@pytest.mark.parametrize(
    ("keys", "limits"),
    [
        ({}, (None, None)),
        ({"PrologEpilogTimeout": "60"}, (60.0, 60.0)),
        ({"PrologEpilogTimeout": "60", "EpilogTimeout": "5"}, (60.0, 5.0)),
        ({"PrologEpilogTimeout": "65534"}, (None, None)),
    ],
)
def test_how_long_prolog_and_epilog_may_take(keys, limits):
    read = programs_of(keys)
    assert (read.prolog_timeout_s, read.epilog_timeout_s) == limits


def test_what_is_not_set_is_not_run():
    read = programs_of({"Prolog": "(null)", "TaskProlog": "none", "PrologFlags": "Serial,Alloc"})
    assert (read.prolog, read.task_prolog, read.serial, read.holds) == ((), "", True, True)
    assert not programs_of({"SchedulerParameters": "bf_interval=1,nohold_on_prolog_fail"}).holds
