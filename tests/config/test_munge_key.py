"""Which MUNGE socket clients are sent to."""

import socket
from pathlib import Path

import pytest

from flurm.config import Config, load_or_create_munge_key, munge_socket_path, own_munge_socket_path, render_slurm_conf
from flurm.config import munge_key as module
from flurm.config.munge_key import is_key_withheld


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with MUNGE's key, and a place for munged's socket."""
    (tmp_path / "munge.key").write_bytes(bytes(128))
    monkeypatch.setattr(module, "SYSTEM_KEY", str(tmp_path / "munge.key"))
    monkeypatch.setattr(module, "SYSTEM_SOCKET", str(tmp_path / "socket"))
    return tmp_path


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def test_a_configured_socket_is_the_one():
    config = Config(state_dir="/s", munge_socket="/m/socket")
    assert munge_socket_path(config) == own_munge_socket_path(config) == "/m/socket"
    assert "AuthInfo=socket=/m/socket\n" in render_slurm_conf(config)


def test_clients_go_to_the_systems_munged_where_its_key_is_ours(system):
    listen(system / "socket")
    assert munge_socket_path(Config(state_dir="/s")) == str(system / "socket")


def test_clients_come_to_us_where_no_munged_runs(system):
    assert munge_socket_path(Config(state_dir="/s")) == "/s/munge.socket.2"


def test_clients_come_to_us_where_munged_has_another_key(system):
    listen(system / "socket")
    (system / "munge.key").unlink()
    assert munge_socket_path(Config(state_dir="/s")) == "/s/munge.socket.2"
    assert "AuthInfo=socket=/s/munge.socket.2\n" in render_slurm_conf(Config(state_dir="/s"))


@pytest.mark.parametrize("given", [{}, {"munge_key": "/k"}, {"munge_socket": "/m"}, {"auth_type": "slurm"}])
def test_a_key_is_withheld_where_munged_runs_and_nothing_else_was_given(system, monkeypatch, given):
    config = Config(state_dir="/s", **given)
    monkeypatch.setattr(module.os, "access", lambda path, mode: False)
    assert not is_key_withheld(config)
    listen(system / "socket")
    assert is_key_withheld(config) is (not given)
    monkeypatch.setattr(module.os, "access", lambda path, mode: True)
    assert not is_key_withheld(config)


def test_who_has_become_slurmuser_still_knows_that_the_systems_key_is_its_own(system, monkeypatch):
    listen(system / "socket")
    load_or_create_munge_key(Config(state_dir="/s"))
    monkeypatch.setattr(module.os, "access", lambda path, mode: False)
    assert munge_socket_path(Config(state_dir="/s")) == str(system / "socket")
