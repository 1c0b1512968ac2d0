"""The `flurm` command: start, look, stop, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.application.controllers import write_config

TIMEOUT_S = 60


def flurm(*arguments: str, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "FLURM_CONF"}
    if config is not None:
        environment["FLURM_CONF"] = str(config)
    return subprocess.run(
        [sys.executable, "-m", "flurm.cli.main", *arguments],
        capture_output=True, text=True, timeout=TIMEOUT_S, env=environment, check=False,
    )  # fmt: skip


@pytest.fixture
def started(tmp_path):
    config = write_config(tmp_path)
    done = flurm("start", config=config)
    assert done.returncode == 0, done.stderr
    yield config
    flurm("stop", config=config)


def test_start_status_tree_stop(started):
    status = json.loads(flurm("status", "--json", config=started).stdout)
    assert (status["status"], status["cluster"]) == ("healthy", "test")
    assert "flurm_state_manager" in flurm("tree", config=started).stdout
    assert json.loads(flurm("tree", "--json", config=started).stdout)[0]["id"] == "flurm_sup"
    stopped = flurm("stop", config=started)
    assert (stopped.returncode, stopped.stdout) == (0, "stopped\n")
    assert flurm("status", config=started).returncode == 1


def test_a_second_start_says_who_runs(started):
    pid = json.loads(flurm("status", "--json", config=started).stdout)["pid"]
    again = flurm("start", config=started)
    assert again.returncode == 1
    assert f"already running: pid {pid}" in again.stderr
    foreground = flurm("foreground", config=started)
    assert foreground.returncode == 1
    assert str(pid) in foreground.stderr


def test_commands_without_a_controller_say_what_to_do(tmp_path):
    config = write_config(tmp_path)
    for command in ("status", "tree", "stop"):
        done = flurm(command, config=config)
        assert done.returncode == 1
        assert "start one with `flurm start`" in done.stderr


def test_a_bad_configuration_is_refused_with_its_place(tmp_path):
    config = write_config(tmp_path, slurmctld_prot=1)
    done = flurm("start", config=config)
    assert done.returncode == 1
    assert "flurm.toml:" in done.stderr
    assert "slurmctld_port" in done.stderr


def test_wrong_usage_is_exit_status_2():
    assert flurm("start", "--no-such-option").returncode == 2
    assert flurm("no-such-command").returncode == 2


def test_every_command_has_help():
    listed = flurm("--help").stdout
    for command in ("start", "foreground", "stop", "status", "tree", "client-config"):
        assert command in listed
        assert "--config" in flurm(command, "--help").stdout


def test_client_config_is_a_slurm_conf(tmp_path):
    config = write_config(tmp_path)
    text = flurm("client-config", config=config).stdout
    assert "ClusterName=test" in text
    assert "SlurmctldPort=" in text
