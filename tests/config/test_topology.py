"""topology.conf beside slurm.conf: what it means, what is odd, what is refused (as slurmctld refuses it)."""

import pytest

from flurm.config import ConfigError, Machine, load
from flurm.core.node_records import Switch

CONF = """\
ClusterName=c
SlurmctldHost=ctl
TopologyPlugin={plugin}
NodeName=n[1-4]
PartitionName=p Nodes=ALL
"""


@pytest.fixture
def loaded(tmp_path):
    def read(topology=None, plugin="topology/tree"):
        (tmp_path / "slurm.conf").write_text(CONF.format(plugin=plugin))
        (tmp_path / "flurm.toml").write_text('[flurm]\nslurm_conf = "slurm.conf"\nmunge_socket = "m"\n')
        if topology is not None:
            (tmp_path / "topology.conf").write_text(topology)
        return load(tmp_path / "flurm.toml", machine=Machine(hostname="ctl"))

    return read


TREE = "SwitchName=top Switches=s2,s1\nSwitchName=s2 Nodes=n4,n3 LinkSpeed=7\nSwitchName=s1 Nodes=n[1-2]\n"


def test_switches_have_levels_and_what_is_below_them(loaded):
    assert loaded(TREE).switches == (
        Switch("top", 1, "n[1-4]", "s2,s1"),
        Switch("s2", 0, "n4,n3", link_speed=7),
        Switch("s1", 0, "n[1-2]"),
    )


@pytest.mark.parametrize("plugin", ["topology/none", "topology/default", "topology/flat"])
def test_the_file_counts_under_the_trees_plugin_alone(loaded, plugin):
    assert loaded("SwitchName=s1\n", plugin).switches == ()


def test_what_is_odd_is_told(loaded):
    config = loaded("SwitchName=s1 Nodes=n[1-2],zz\nSwitchName=s2 Nodes=n2\nSwitchName=s3 Switches=s[1-2]\n")
    assert config.switches[2] == Switch("s3", 1, "n[1-2]", "s[1-2]")
    assert config.warnings[-3:] == (
        "topology.conf: nodes not configured: zz",
        "topology.conf: nodes below several leaf switches: n2",
        "topology.conf: nodes below no switch: n[3-4]",
    )


def test_without_the_file_there_are_no_switches_and_a_warning(loaded):
    config = loaded()
    assert config.switches == ()
    assert "topology.conf: there is none" in config.warnings[-1]


@pytest.mark.parametrize(
    ("topology", "line", "why"),
    [
        ("SwitchName=top Switches=s2,s1\nSwitchName=s1 Nodes=n1\n", 1, "no switch s2"),
        ("SwitchName=s2 Nodes=n1\nSwitchName=s1 Nodes=n2 Switches=s2\n", 2, "Nodes or Switches, found both"),
        ("SwitchName=s1\n", 1, "expected Nodes or Switches"),
        ("SwitchName=s1 Switches=s2\nSwitchName=s2 Switches=s1\n", 2, "a tree, but s1 is below itself"),
        ("SwitchName=s1 Nodes=n1\nSwitchName=s1 Nodes=n2\n", 2, "there already"),
        ("SwitchName=s1 Nodes=n[1\n", 1, "n[1"),
        ("SwitchName=s1 Knots=n1\n", 1, "unknown key"),
    ],
)
def test_what_is_no_tree_is_refused_with_its_line(loaded, topology, line, why):
    with pytest.raises(ConfigError) as refused:
        loaded(topology)
    assert refused.value.file.endswith("topology.conf")
    assert refused.value.line == line
    assert why in str(refused.value)
