"""Who the members of a cluster are, and what a controller needs before it joins them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flurm.config import Config, ConfigError, Machine, load, tls_files

HOST = Machine(hostname="box", cpus=2)
NAMED = """controllers = [
  { name = "one", host = "127.0.0.1" }, { name = "two", host = "127.0.0.2", raft_port = 7000 },
  { name = "three", host = "127.0.0.3" } ]
"""
UNNAMED = 'controllers = [["127.0.0.1", 6817], "127.0.0.2:7000", { name = "three", host = "::1" }]\n'


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "flurm.toml"
    path.write_text(f'[flurm]\nstate_dir = "{tmp_path}"\n{text}')
    return load(path, machine=HOST)


def refusal(config: Config) -> str:
    with pytest.raises(ConfigError) as refused:
        tls_files(config)
    return str(refused.value)


def with_certificates(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / "tls" / name).write_text("")


def test_a_single_controller_is_a_cluster_of_one_and_needs_no_certificate(tmp_path):
    config = loaded(tmp_path, 'controller_name = "ctl"\n')
    assert config.members() == {"ctl": "localhost:6816"}
    assert config.member_name == "ctl"
    assert tls_files(config) is None


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ('slurmctld_host = "127.0.0.2"', "two"),
        ('slurmctld_host = "0.0.0.0"\ncontroller_name = "three"', "three"),
        ('slurmctld_host = "127.0.0.1"\ncontroller_name = "another"', "one"),
    ],
)
def test_members_have_their_names_and_each_knows_its_own(tmp_path, own, name):
    config = loaded(tmp_path, f"{NAMED}{own}\n")
    assert config.members() == {"one": "127.0.0.1:6816", "two": "127.0.0.2:7000", "three": "127.0.0.3:6816"}
    assert config.member_name == name


def test_where_one_has_no_name_all_go_by_where_clients_find_them(tmp_path):
    config = loaded(tmp_path, f'{UNNAMED}slurmctld_host = "127.0.0.2"\nslurmctld_port = 7000\nraft_port = 6000\n')
    assert config.members() == {
        "127.0.0.1:6817": "127.0.0.1:6000",
        "127.0.0.2:7000": "127.0.0.2:6000",
        "[::1]:7000": "[::1]:6000",
    }
    assert config.member_name == "127.0.0.2:7000"


def test_certificates_lie_below_the_state_directory_unless_told_otherwise(tmp_path):
    with_certificates(tmp_path)
    files = tls_files(loaded(tmp_path, NAMED + 'slurmctld_host = "127.0.0.1"\nraft_ca = "tls/key.pem"\n'))
    place = tmp_path / "tls"
    assert files is not None
    assert (files.ca, files.certificate) == (f"{place}/key.pem", f"{place}/cert.pem")
    assert files.key == f"{place}/key.pem"


def test_a_missing_certificate_is_named_with_the_command_that_makes_it(tmp_path):
    told = refusal(loaded(tmp_path, NAMED + 'slurmctld_host = "127.0.0.1"\n'))
    assert "flurm.toml: raft_ca = " in told
    assert "there is no such file; make certificates for all controllers with " in told
    assert "`flurm cert bootstrap DIR one two three` and copy DIR/one/*.pem to " in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raft_bootstrap = false", "raft_bootstrap = False: expected the others in controllers: they take this one in"),
        (NAMED, "expected this controller among them: an entry with its slurmctld_host and slurmctld_port"),
        (NAMED + 'slurmctld_host = "127.0.0.2"', "raft_port = 6816: expected the raft_port that stands for this"),
        (
            'controllers = [{ name = "one", host = "a" }, { name = "one", host = "b" }]\nslurmctld_host = "a"',
            "expected another name and another address for each",
        ),
        (
            'controllers = [{ name = "one", host = "a" }, { name = "two", host = "a" }]\nslurmctld_host = "a"',
            "expected another name and another address for each",
        ),
    ],
)
def test_a_list_that_cannot_be_is_refused_when_the_controller_starts(tmp_path, text, words):
    with_certificates(tmp_path)
    assert words in refusal(loaded(tmp_path, text + "\n"))


@pytest.mark.parametrize("entry", ['{ host = "a", name = "not a name" }', '{ host = "a", raft_port = 0 }'])
def test_a_bad_entry_is_refused_with_its_place(tmp_path, entry):
    with pytest.raises(ConfigError, match=r"flurm\.toml:3: controllers = "):
        loaded(tmp_path, f"controllers = [{entry}]\n")
