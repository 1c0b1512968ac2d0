"""What the daemons make of Slurm's command lines before they start anything."""

from __future__ import annotations

import re

import pytest

from flurm.cli import slurm_options, slurmctld, slurmd
from flurm.cli.main import main as flurm

GOOD_CONF = """
ClusterName=c
SlurmctldHost={host}(127.0.0.1)
StateSaveLocation={tmp}/state
SlurmctldLogFile={tmp}/ctld.log
SlurmctldPidFile={tmp}/ctld.pid
NodeName=n1 NodeHostname=elsewhere CPUs=1
PartitionName=p Nodes=n1
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A slurm.conf that SLURM_CONF names; call it with the text."""
    path = tmp_path / "slurm.conf"
    monkeypatch.setenv("SLURM_CONF", str(path))
    monkeypatch.delenv("FLURM_CONF", raising=False)

    def write(text, host="elsewhere"):
        path.write_text(text.format(tmp=tmp_path, host=host))
        return path

    return write


@pytest.mark.parametrize("daemon", ["slurmctld", "slurmd"])
def test_the_version_line_has_a_release_that_scripts_can_read(capsys, daemon):
    assert flurm([daemon, "-V"]) == 0
    assert re.fullmatch(r"slurm \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize("module", [slurmctld, slurmd])
def test_usage_goes_to_standard_error_as_slurms_does(capsys, module):
    assert module.main(["-h"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    program = module.__name__.rpartition(".")[2]
    assert printed.err.startswith(f"Usage: {program} ")


@pytest.mark.parametrize("module", [slurmctld, slurmd])
@pytest.mark.parametrize("argv", [["-x"], ["-n", "high"], ["-f"], ["surplus"]])
def test_what_is_not_understood_is_said_with_the_usage_and_exit_status_1(capsys, module, argv):
    assert module.main(argv) == 1
    assert "Usage:" in capsys.readouterr().err


@pytest.mark.parametrize("module", [slurmctld, slurmd])
def test_the_usage_lists_every_option_and_no_other(module):
    listed = re.findall(r"^  (-\w(?:, -\w)*)( [A-Z]+)?  ", module.USAGE, re.M)
    letters = {f"{word[1]}{':' if value else ''}" for words, value in listed for word in words.split(", ")}
    assert letters == set(re.findall(r"\w:?", module.LETTERS))


def test_a_dynamic_nodes_line_needs_a_dynamic_node(capsys):
    assert slurmd.main(["--conf", "Weight=2"]) == 1
    assert "needs -Z" in capsys.readouterr().err


def test_slurmd_prints_this_machine_as_a_line_of_slurm_conf(capsys):
    assert slurmd.main(["-C"]) == 0
    line, up = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"NodeName=\S+ CPUs=\d+ Boards=1 SocketsPerBoard=\d+ CoresPerSocket=\d+ ThreadsPerCore=\d+ RealMemory=\d+", line
    )
    assert re.fullmatch(r"UpTime=\d+-\d\d:\d\d:\d\d", up)


def test_every_mistake_of_a_bad_file_is_told_with_its_line(capsys, site):
    path = site("ClusterName=c\nNope=1\nSlurmctldPort=much\n")
    assert slurmctld.main(["-D"]) == 1
    said = capsys.readouterr().err
    assert f"slurmctld: error: {path}:2" in said
    assert f"slurmctld: fatal: {path}:3" in said


def test_a_host_that_no_slurmctldhost_names_is_no_controller_and_touches_nothing(capsys, site, tmp_path):
    site(GOOD_CONF)
    assert slurmctld.main(["-D"]) == 1
    assert "SlurmctldHost names elsewhere" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["slurm.conf"]


def test_slurmd_says_which_nodes_it_could_be(capsys, site):
    site(GOOD_CONF)
    assert slurmd.main(["-D"]) == 1
    assert "say with -N which one" in capsys.readouterr().err
    assert slurmd.main(["-D", "-N", "n9"]) == 1
    assert "no such node" in capsys.readouterr().err


def test_a_file_that_is_missing_is_waited_for_and_then_named(capsys, site, monkeypatch, tmp_path):
    monkeypatch.setattr(slurm_options, "PATIENCE_S", 0.0)
    assert slurmctld.main(["-D", "-f", str(tmp_path / "nowhere")]) == 1
    said = capsys.readouterr().err
    assert "waiting for it" in said
    assert f"fatal: {tmp_path}/nowhere: there is no such file" in said
