"""The configuration of a daemon that was started as Slurm's."""

from __future__ import annotations

from pathlib import Path

import pytest

from flurm.cli.daemon import DaemonError
from flurm.cli.node_daemon import node_name_of
from flurm.config.debug_levels import nearest_level, number_of
from flurm.config.drop_in import ALL_ADDRESSES, load_drop_in, log_path, pid_path, slurm_conf_path
from flurm.config.machine import this_machine
from flurm.config.show import with_debug_flags

HOST = this_machine().hostname


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.delenv("FLURM_CONF", raising=False)

    def written(text, **options):
        path = tmp_path / "slurm.conf"
        path.write_text(f"ClusterName=c\n{text}\n")
        return load_drop_in(path, "SlurmctldDebug", **options)

    return written


def test_the_file_is_the_one_named_else_slurm_confs_else_the_usual(monkeypatch):
    monkeypatch.setenv("SLURM_CONF", "/site/slurm.conf")
    assert slurm_conf_path("/mine.conf") == Path("/mine.conf")
    assert slurm_conf_path(None) == Path("/site/slurm.conf")
    monkeypatch.delenv("SLURM_CONF")
    assert slurm_conf_path(None) == Path("/etc/slurm/slurm.conf")


def test_the_log_level_is_slurms_and_each_v_is_a_step_above_it(load):
    conf = f"SlurmctldHost={HOST}\nSlurmctldDebug=error"
    assert load(conf).log_level == "error"
    assert load(conf, louder=3).log_level == "debug"
    assert load(f"SlurmctldHost={HOST}").log_level == "info"
    assert load(f"SlurmctldHost={HOST}", louder=-1).log_level == "error"


def test_levels_are_read_as_words_and_numbers():
    assert [number_of(text) for text in ("quiet", "DEBUG2", "4", None, "odd")] == [0, 6, 4, 3, 3]
    assert [nearest_level(number) for number in (-1, 1, 2, 3, 4, 5, 9)] == [
        "critical", "critical", "error", "info", "info", "debug", "debug",
    ]  # fmt: skip


def test_a_controller_listens_everywhere_unless_the_file_says_where(load):
    assert load(f"SlurmctldHost={HOST}").slurmctld_host == ALL_ADDRESSES
    assert load(f"SlurmctldHost={HOST}(127.0.0.1)").slurmctld_host == "127.0.0.1"
    only = f"SlurmctldHost={HOST}(10.0.0.1)\nCommunicationParameters=NoInAddrAny"
    assert load(only).slurmctld_host == "10.0.0.1"


def test_there_is_no_http_unless_a_flurm_toml_is_there(load, tmp_path, monkeypatch):
    assert load(f"SlurmctldHost={HOST}").http_port == 0
    own = tmp_path / "flurm.toml"
    own.write_text("[flurm]\nhttp_port = 9999\n")
    monkeypatch.setenv("FLURM_CONF", str(own))
    assert load(f"SlurmctldHost={HOST}").http_port == 9999


def test_pid_and_log_files_know_node_and_host(load):
    config = load(f"SlurmctldHost={HOST}\nSlurmdPidFile=/run/s.%n.pid\nSlurmdLogFile=/log/%h.%n")
    assert pid_path(config, "SlurmdPidFile", "n1", "h") == Path("/run/s.n1.pid")
    assert log_path(config, "SlurmdLogFile", "n1", "h") == Path("/log/h.n1")
    assert pid_path(config, "SlurmctldPidFile", "c", "c") == Path("/run/slurmctld.pid")
    assert log_path(config, "SlurmctldLogFile", "c", "c") is None


def test_a_host_is_the_one_node_that_has_its_name(load):
    config = load(f"SlurmctldHost={HOST}\nNodeName=n1 NodeHostname=a\nNodeName=n[2-3] NodeHostname=b")
    assert node_name_of(config, "a", None) == "n1"
    assert node_name_of(config, "b", "n3") == "n3"
    assert node_name_of(config, "new", None, joins=True) == "new"
    with pytest.raises(DaemonError, match="n2, n3"):
        node_name_of(config, "b", None)


def test_debug_flags_are_set_and_taken_away_one_by_one(load):
    config = load(f"SlurmctldHost={HOST}\nDebugFlags=Backfill,Steps")
    assert with_debug_flags(config, 1 << 6, 0) == "Steps,Gres,Backfill"
    assert with_debug_flags(config, 0, 1 << 12) == "Steps"
