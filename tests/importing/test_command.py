"""`flurm import` where it cannot be done: it says why, and leaves nothing behind."""

from __future__ import annotations

import os
import socket

import pytest

from flurm.cli.main import main as flurm
from flurm.config.machine import this_machine
from flurm.core.records import Cluster
from flurm.storage import founding

CONF = """\
ClusterName=site
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
StateSaveLocation={tmp}/state
NodeName=n1 CPUs=1
PartitionName=p Nodes=n1
"""


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """A slurm.conf; call it with another SlurmUser, and with lines that come in addition."""
    monkeypatch.delenv("FLURM_CONF", raising=False)
    own = tmp_path / "flurm.toml"
    own.write_text(f'[flurm]\nmunge_key = "{tmp_path}/munge.key"\n')
    (tmp_path / "munge.key").write_bytes(bytes(range(128)))
    (tmp_path / "munge.key").chmod(0o400)
    monkeypatch.setenv("FLURM_CONF", str(own))

    def write(user=None, more=""):
        path = tmp_path / "slurm.conf"
        path.write_text(CONF.format(tmp=tmp_path, user=user or os.getuid(), host=this_machine().hostname) + more)
        return str(path)

    return write


@pytest.fixture
def nobody_there():
    """A port at which nobody listens, for as long as it is held."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_who_answers_nothing_is_named_and_no_state_is_made(conf, nobody_there, capsys, tmp_path):
    assert flurm(["import", "--from", f"127.0.0.1:{nobody_there}", "-f", conf()]) == 1
    assert f"no slurmctld answers: 127.0.0.1:{nobody_there}" in capsys.readouterr().err
    assert not (tmp_path / "state" / "flurm" / "snapshots").exists()


def test_a_state_that_is_there_is_told_before_anybody_is_asked(conf, nobody_there, capsys, tmp_path):
    founding.found(tmp_path / "state" / "flurm", Cluster(), {})
    assert flurm(["import", "--from", f"127.0.0.1:{nobody_there}", "-f", conf()]) == 1
    assert "already holds the state of a cluster" in capsys.readouterr().err


def test_controllers_that_could_not_start_are_not_worth_a_shutdown(conf, nobody_there, capsys):
    path = conf(more="SlurmctldHost=there(127.0.0.2)\n")
    assert flurm(["import", "--from", f"127.0.0.1:{nobody_there}", "--shutdown", "-f", path]) == 1
    assert "flurm cert bootstrap --cluster site DIR" in capsys.readouterr().err


def test_others_than_root_and_slurm_user_are_told_less_and_refused(conf, nobody_there, capsys, monkeypatch):
    path = conf("root")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert flurm(["import", "--from", f"127.0.0.1:{nobody_there}", "-f", path]) == 1
    assert "only root and SlurmUser (root)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--from", "a:b"], ["--from", "a:0"], [], ["--from", "a", "--dry-run", "--shutdown"]]
)
def test_what_makes_no_sense_is_wrong_usage(conf, words):
    assert flurm(["import", "-f", conf(), *words]) == 2


def test_a_missing_slurm_conf_is_named(conf, capsys, tmp_path):
    assert flurm(["import", "--from", "a", "-f", str(tmp_path / "none.conf")]) == 1
    assert "none.conf" in capsys.readouterr().err
