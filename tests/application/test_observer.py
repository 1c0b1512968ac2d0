"""The observer, driven in a terminal of tmux; `flurm top` and `flurm trace` beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.application.controllers import until, write_config
from tests.application.test_commands import flurm

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = write_config(tmp_path_factory.mktemp("observed"), embedded_node=True)
    done = flurm("start", config=path)
    assert done.returncode == 0, done.stderr
    until(lambda: "IDLE" in flurm("nodes", "list", config=path).stdout, 30)
    yield path
    flurm("stop", config=path)


class Terminal:
    """A program in a tmux of its own: keys in, screen out."""

    def __init__(self, socket: Path, command: list[str], environment: dict[str, str]) -> None:
        self._tmux = ["tmux", "-f", "/dev/null", "-S", str(socket)]
        subprocess.run(
            [*self._tmux, "new-session", "-d", "-x", "140", "-y", "50", "-s", "it", *command],
            env={**environment, "TERM": "xterm-256color"}, check=True,
        )  # fmt: skip

    def press(self, *keys: str) -> None:
        """Send keys by tmux's names."""
        subprocess.run([*self._tmux, "send-keys", "-t", "it", *keys], check=True)

    def screen(self) -> str:
        """What is shown; nothing once the program has ended."""
        shown = subprocess.run(
            [*self._tmux, "capture-pane", "-p", "-t", "it"], capture_output=True, text=True, check=False
        )
        return shown.stdout

    def expect(self, *texts: str) -> str:
        """Wait until all of this is on the screen."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not all(text in (shown := self.screen()) for text in texts):
            assert time.monotonic() < deadline_s, f"{texts} not on the screen:\n{shown}"
            time.sleep(0.05)
        return shown

    def ended(self) -> bool:
        """Whether the program has ended, and tmux with it."""
        return subprocess.run([*self._tmux, "has-session"], capture_output=True, check=False).returncode != 0

    def close(self) -> None:
        """End tmux."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux (`make slurm` installs it)")
def test_the_observer_shows_tree_process_jobs_nodes_and_load(config, tmp_path):
    job_id = flurm("sbatch", "--parsable", "--hold", "-J", "watched", "--wrap", "true", config=config).stdout.strip()
    command = [sys.executable, "-m", "flurm.cli.main", "observer", "--interval", "0.3"]
    terminal = Terminal(tmp_path / "tmux", command, {**os.environ, "FLURM_CONF": str(config)})
    try:
        terminal.expect("flurm_sup", "rest_for_one", "flurm_queue_manager", "test: healthy")
        terminal.press("Tab", "Down", "Down", "Enter")
        terminal.expect("module", "vsn", "links", "last messages")
        terminal.press("Escape")
        terminal.expect("Processes", "flurm_consensus")
        terminal.press("BTab", "Right")
        terminal.expect("PID".lower(), "msg/s", "cpu %")
        terminal.press("Right")
        terminal.expect(job_id, "watched", "JobHeldUser")
        terminal.press("Right")
        terminal.expect("memory_mib", "IDLE")
        terminal.press("Right")
        terminal.expect("messages/s:", "jobs pending: 1", "flurm_sched_backfill")
        terminal.press("q")
        until(terminal.ended, 10)
    finally:
        terminal.close()
        flurm("scancel", job_id, config=config)


def test_top_sorts_processes(config):
    rows = json.loads(flurm("top", "--json", "--sort", "memory", "-n", "50", "--interval", "0.2", config=config).stdout)
    assert [row["memory"] for row in rows] == sorted((row["memory"] for row in rows), reverse=True)
    assert {"flurm_state_manager", "flurm_consensus"} <= {row["process"] for row in rows}
    shown = flurm("top", "--once", "-n", "3", "--interval", "0.2", config=config).stdout.splitlines()
    assert (len(shown), shown[0].split()) == (4, ["PROCESS", "PID", "STATUS", "MAILBOX", "MSG/S", "CPU%", "MEMORY"])


def test_trace_shows_the_messages_of_a_process_and_leaves_no_trace(config):
    lines = flurm("trace", "-n", "2", "flurm_scheduler_engine", config=config).stdout.splitlines()
    assert len(lines) == 2
    assert all(" ms  " in line and ("<- " in line or "-> " in line) for line in lines), lines
    status = json.loads(flurm("eval", "--json", "recon.info('flurm_scheduler_engine')['debug']", config=config).stdout)
    assert status == []
    wrong = flurm("trace", "flurm_scheduler_engin", config=config)
    assert (wrong.returncode, "did you mean flurm_scheduler_engine?" in wrong.stderr) == (1, True)


def test_the_last_messages_of_a_process_are_kept_on_request(config):
    flurm("eval", "sys.log('flurm_job_manager', 5)", config=config)
    kept = until(lambda: json.loads(flurm("eval", "--json", "sys.log('flurm_job_manager', 5)", config=config).stdout))
    assert any("clock" in line for line in kept)
    flurm("eval", "sys.log('flurm_job_manager', 0)", config=config)
    assert json.loads(flurm("eval", "--json", "sys.log('flurm_job_manager', 0)", config=config).stdout) == []


def test_tree_shows_messages_and_memory(config):
    row = json.loads(flurm("tree", "--json", config=config).stdout)[0]["children"][1]["children"][0]
    assert row["id"] == "flurm_consensus" and row["memory"] > 0 and row["messages_per_s"] > 0
