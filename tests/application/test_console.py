"""The console of a running controller: every documented call, the commands built on them, and what must not hurt it."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.application.controllers import until, write_config
from tests.application.test_commands import flurm


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = write_config(tmp_path_factory.mktemp("console"), embedded_node=True)
    done = flurm("start", config=path)
    assert done.returncode == 0, done.stderr
    until(lambda: "IDLE" in flurm("nodes", "list", config=path).stdout, 30)
    yield path
    flurm("stop", config=path)


def evaluated(config: Path, expression: str) -> str:
    done = flurm("eval", expression, config=config)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("documented", "expected"),
    [
        ("flurm:status().", "healthy"),
        ("flurm_health:check().", "healthy"),
        ("flurm_consensus:status().", "leader"),
        ("flurm_consensus:cluster_status().", "'role': 'leader'"),
        ("flurm_consensus:force_election().", "leads"),
        ("flurm_scheduler:status().", "plugin"),
        ("flurm_scheduler:run_cycle().", "duration_us"),
        ("flurm_scheduler:debug_job(12345).", "There is no job 12345."),
        ("flurm_node_manager:list_nodes().", "IDLE"),
        ("flurm_node_manager:available_resources().", "free_cpus"),
        ("flurm_job_manager:list_jobs().", "[]"),
        ("recon:proc_count(memory, 10).", "flurm_core_sup"),
        ("observer:start().", "flurm observer"),
        ('sys.get_state("flurm_job_manager")', "State("),
        ('sys.get_status("flurm_consensus")', "commit_index"),
        ("help()", "scheduler.debug_job(job_id)"),
    ],
)
def test_documented_calls_work_as_documented(config, documented, expected):
    assert expected in evaluated(config, documented)


def test_leadership_is_not_handed_to_a_stranger(config):
    done = flurm("eval", "flurm_consensus:transfer_leadership(controller2).", config=config)
    assert (done.returncode, "controller2 does not belong to the cluster" in done.stderr) == (1, True), done


def test_a_node_is_asked_to_register_and_an_unknown_one_has_the_nearest_name(config):
    name = json.loads(flurm("nodes", "list", "--json", config=config).stdout)[0]["node"]
    assert "It answers" in flurm("nodes", "register-test", name, config=config).stdout
    wrong = flurm("nodes", "register-test", name + "x", config=config)
    assert (wrong.returncode, f"did you mean {name}?" in wrong.stderr) == (1, True)


def test_a_job_that_waits_is_explained(config):
    job_id = flurm("sbatch", "--parsable", "--hold", "--wrap", "true", config=config).stdout.strip()
    assert "scontrol release" in flurm("scheduler", "debug-job", job_id, config=config).stdout
    row = json.loads(flurm("eval", "--json", "job_manager.list_jobs('pending')", config=config).stdout)[0]
    assert (row["job"], row["state"], row["reason"]) == (int(job_id), "PENDING", "JobHeldUser")
    flurm("scancel", job_id, config=config)


def test_a_drained_controller_refuses_jobs_until_it_is_resumed(config):
    assert "no new jobs are taken: backup" in flurm("drain", "--reason", "backup", config=config).stdout
    refused = flurm("sbatch", "-o", "/dev/null", "--wrap", "true", config=config)
    assert (refused.returncode, "System submissions disabled" in refused.stderr) == (1, True)
    assert "no: backup" in evaluated(config, "status()")
    assert flurm("resume", config=config).returncode == 0
    assert flurm("sbatch", "-o", "/dev/null", "--wrap", "true", config=config).returncode == 0


def test_log_levels_change_for_a_module_and_back(config):
    assert "actors.consensus" in flurm("log-level", "--module", "flurm_consensus", "debug", config=config).stdout
    assert "actors.consensus" not in flurm("log-level", "--module", "flurm_consensus", config=config).stdout
    assert "debug" in evaluated(config, "logger:set_primary_config(level, debug).")
    assert "info" in flurm("log-level", "info", config=config).stdout
    wrong = flurm("log-level", "loud", config=config)
    assert (wrong.returncode, "there are debug, info" in wrong.stderr) == (1, True)


def test_an_expression_that_never_ends_costs_the_cluster_nothing(config):
    began_s = time.monotonic()
    done = flurm("eval", "--timeout", "0.5", "while True: pass", config=config)
    assert (done.returncode, "it was stopped" in done.stderr) == (1, True)
    assert time.monotonic() - began_s < 30
    assert flurm("eval", "9**9**9", config=config).returncode == 1
    assert "healthy" in evaluated(config, "status()")


def test_the_console_is_its_own_users_alone(config):
    directory = Path(json.loads(flurm("status", "--json", config=config).stdout)["state_dir"])
    mode = (directory / "flurm.sock").stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_the_remote_console_talks_completes_and_remembers(config, tmp_path):
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flurm.cli.main", "remote_console"],
        stdin=secondary, stdout=secondary, stderr=secondary, close_fds=True,
        env={**os.environ, "FLURM_CONF": str(config), "XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"},
    )  # fmt: skip
    os.close(secondary)
    seen = ""

    def expect(text: str) -> None:
        nonlocal seen
        deadline_s = time.monotonic() + 20
        while text not in seen:
            assert time.monotonic() < deadline_s, seen
            if select.select([primary], [], [], 0.1)[0]:
                seen += os.read(primary, 4096).decode(errors="replace")
        seen = seen[seen.index(text) + len(text) :]

    def type_(text: str) -> None:
        os.write(primary, text.encode())

    expect("flurm> ")
    type_("x = 20 + 1\n")
    expect("flurm> ")
    type_("x * 2\n")
    expect("42")
    expect("flurm> ")
    type_("for i in range(2):\n")
    expect("  ...> ")
    type_("    print('line', i)\n\n")
    expect("line 1")
    expect("flurm> ")
    type_("job_manager.list_j\t")
    expect("list_jobs")
    type_("(limit=0)\n")
    expect("flurm> ")
    type_("1/0\n")
    expect("ZeroDivisionError")
    expect("flurm> ")
    type_("exit\n")
    assert process.wait(10) == 0
    os.close(primary)
    assert "x = 20 + 1" in (tmp_path / "flurm" / "console_history").read_text()
