"""The flurmd command and what surrounds it."""

import os
import signal
import subprocess

import pytest

from flurm.config import load
from flurm.node.daemon import SpoolHeldError, SpoolLock, command
from protocol.constants import MessageType
from tests.node_daemon.controller import PATIENCE_S


def option(argv, name):
    return argv[argv.index(name) + 1]


def test_an_embedded_node_is_started_with_what_the_controller_is_configured_to(tmp_path):
    config = load(None, overrides={"slurmctld_port": 7001, "slurmd.slurmd_port": 7002, "slurmd.cpus": 3})
    argv = command(config, tmp_path / "flurm.toml")
    assert option(argv, "--controller").endswith(":7001")
    assert (option(argv, "--port"), option(argv, "--cpus")) == ("7002", "3")
    assert option(argv, "--config") == str(tmp_path / "flurm.toml")
    assert "--replace" in argv


def test_an_embedded_node_that_is_known_by_a_loopback_address_listens_there_alone():
    assert option(command(load(None)), "--bind") == "127.0.0.1"


def test_a_spool_has_one_daemon_at_a_time(tmp_path):
    first, second = SpoolLock(tmp_path), SpoolLock(tmp_path)
    first.take()
    with pytest.raises(SpoolHeldError, match=f"process {os.getpid()}"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_without_foreground_the_daemon_leaves_the_terminal(stopped_cluster):
    cluster = stopped_cluster
    argv = [word for word in cluster.command() if word != "-D"]
    subprocess.run([*argv, "--log-file", str(cluster.log)], check=True, timeout=PATIENCE_S)
    cluster.controller.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS)
    pid = int((cluster.place / "spool" / "flurmd.pid").read_text())
    assert os.getsid(pid) != os.getsid(0)
    os.kill(pid, signal.SIGTERM)
    lock = SpoolLock(cluster.place / "spool")
    lock.take(replace=True, patience_s=PATIENCE_S)
    lock.release()
    assert "node daemon stopped" in cluster.log.read_text()
