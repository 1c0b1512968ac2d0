"""Switches and licenses as each release is told of them."""

import pytest

from flurm.bridge import show_licenses, show_topology
from flurm.core.enums import JobState
from flurm.core.job_records import Job, JobSpec
from flurm.core.node_records import Switch
from flurm.core.records import Cluster, Settings
from flurm.core.tables import put
from protocol.codec import pack, unpack
from protocol.constants import TopologyPlugin
from protocol.versions import Version

TREE = (Switch("leaf", 0, "n[1-2]", link_speed=9), Switch("top", 1, "n[1-2]", "leaf"))


def told(version, **settings):
    shown = show_topology.response(Cluster(settings=Settings(**settings)))
    return unpack(type(shown), pack(shown, version), version)


def test_switches_of_a_tree():
    new = told(Version.V24_11, switches=TREE).topo_info
    assert new.plugin_id == TopologyPlugin.TREE
    assert [(each.name, each.level, each.link_speed, each.nodes, each.switches) for each in new.switches] == [
        ("leaf", 0, 9, "n[1-2]", None),
        ("top", 1, 1, "n[1-2]", "leaf"),
    ]
    old = told(Version.V22_05, switches=TREE).data.switches
    assert [(each.topo_array_name, each.topo_array_switches) for each in old] == [("leaf", None), ("top", "leaf")]


def test_without_switches_the_network_is_flat():
    assert told(Version.V24_11).topo_info.plugin_id == TopologyPlugin.FLAT
    assert told(Version.V22_05).data.switches == []


@pytest.mark.parametrize("version", [Version.V22_05, Version.V24_11])
def test_licenses_with_what_is_held_of_them(version):
    cluster = Cluster(settings=Settings(licenses="matlab:4,ansys"))
    cluster = put(cluster, Job(1, JobSpec(licenses="matlab:3"), state=JobState.RUNNING))
    shown = show_licenses.response(cluster, now_s=7)
    back = unpack(type(shown), pack(shown, version), version)
    assert [(each.lic_array_name, each.lic_array_total, each.lic_array_in_use) for each in back.lic] == [
        ("ansys", 1, 0),
        ("matlab", 4, 3),
    ]
