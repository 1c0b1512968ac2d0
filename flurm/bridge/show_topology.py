"""The network as clients see it: `scontrol show topology`."""

from __future__ import annotations

from flurm.core.records import Cluster
from protocol.constants import TopologyPlugin
from protocol.messages import Topology, TopologyInfoResponse, TopologyOldSwitch, TopologySwitch, TopologyTree

__all__ = ["response"]


def response(cluster: Cluster) -> TopologyInfoResponse:
    """Every switch, in both layouts: that of releases until 23.02 and that with a plugin's number from 23.11 on."""
    switches = cluster.settings.switches
    old = [TopologyOldSwitch(each.level, each.link_speed, each.name, each.nodes, each.switches) for each in switches]
    new = [TopologySwitch(each.level, each.link_speed, each.name, each.nodes, each.switches) for each in switches]
    plugin = TopologyPlugin.TREE if switches else TopologyPlugin.FLAT
    return TopologyInfoResponse(TopologyTree(switches=old), Topology(plugin_id=plugin, switches=new))
