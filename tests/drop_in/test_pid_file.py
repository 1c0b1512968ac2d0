"""Pid files: one daemon holds one, and whoever comes later ends it first."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from flurm.cli.daemon import DaemonError, PidFile

HOLD = """
import sys, time
from pathlib import Path
from flurm.cli.daemon import PidFile
PidFile(Path(sys.argv[1])).take(print)
print("held", flush=True)
time.sleep(60)
"""


def test_the_file_holds_the_pid_in_a_line_that_everybody_may_read(tmp_path):
    pid_file = PidFile(tmp_path / "d.pid")
    with subprocess.Popen([sys.executable, "-c", HOLD, pid_file.path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert pid_file.path.read_text() == f"{holder.pid}\n"
        assert pid_file.path.stat().st_mode & 0o777 == 0o644
        holder.kill()


def test_a_daemon_that_holds_the_file_is_ended_before_another_takes_it(tmp_path):
    path, told = tmp_path / "d.pid", []
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        later = PidFile(path)
        later.take(told.append)
        assert holder.wait(10) == -signal.SIGTERM
    assert told == [f"killing old daemon [{holder.pid}]"]
    later.remove()
    assert not path.exists()


def test_a_pid_that_a_crash_left_behind_kills_nobody(tmp_path):
    path, told = tmp_path / "d.pid", []
    with subprocess.Popen(["sleep", "60"]) as bystander:
        path.write_text(f"{bystander.pid}\n")
        PidFile(path).take(told.append)
        assert told == []
        assert bystander.poll() is None
        bystander.kill()


def test_a_place_where_no_file_can_be_is_named(tmp_path):
    with pytest.raises(DaemonError, match=r"missing/d\.pid: No such file"):
        PidFile(tmp_path / "missing" / "d.pid").take(print)
