"""Network topology, host list expansion, network call ids."""

from __future__ import annotations

import msgspec

from protocol.constants import MessageType, TopologyPlugin
from protocol.messages.common import StepId
from protocol.schema import Field, Record, Switch, array, boolean, mem, message, string, u16, u32

__all__ = [
    "HostlistExpansionRequest",
    "HostlistExpansionResponse",
    "NetworkCallerid",
    "NetworkCalleridResponse",
    "TopoConfig",
    "Topology",
    "TopologyBlock",
    "TopologyInfoRequest",
    "TopologyInfoResponse",
    "TopologyOldSwitch",
    "TopologyPlacement",
    "TopologyRing",
    "TopologySwitch",
    "TopologyTorus",
    "TopologyTree",
]


@message(MessageType.REQUEST_NETWORK_CALLERID)
class NetworkCallerid(Record):
    """Body of REQUEST_NETWORK_CALLERID."""

    ip_src: bytes = b""
    ip_dst: bytes = b""
    port_src: int = 0
    port_dst: int = 0
    af: int = 0

    WIRE = (
        Field("ip_src", mem),
        Field("ip_dst", mem),
        Field("port_src", u32),
        Field("port_dst", u32),
        Field("af", u32),
    )


@message(MessageType.RESPONSE_NETWORK_CALLERID)
class NetworkCalleridResponse(Record):
    """Body of RESPONSE_NETWORK_CALLERID."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    return_code: int = 0
    node_name: bytes | str | None = None

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("return_code", u32),
        Field("node_name", mem, until="22.05"),
        Field("node_name", string, since="23.02"),
    )


@message(MessageType.REQUEST_HOSTLIST_EXPANSION)
class HostlistExpansionRequest(Record):
    """Body of REQUEST_HOSTLIST_EXPANSION."""

    data: str | None = None

    WIRE = (Field("data", string),)


@message(MessageType.RESPONSE_HOSTLIST_EXPANSION)
class HostlistExpansionResponse(Record):
    """Body of RESPONSE_HOSTLIST_EXPANSION."""

    data: str | None = None

    WIRE = (Field("data", string),)


@message(MessageType.RESPONSE_TOPO_CONFIG)
class TopoConfig(Record):
    """Body of RESPONSE_TOPO_CONFIG."""

    config: str | None = None

    WIRE = (Field("config", string),)


@message(MessageType.REQUEST_TOPO_INFO)
class TopologyInfoRequest(Record):
    """Body of REQUEST_TOPO_INFO."""

    request: str | None = None

    WIRE = (Field("request", string, since="25.05"),)


class TopologyOldSwitch(Record):
    """One element of `switches` in TopologyTree."""

    topo_array_level: int = 0
    topo_array_link_speed: int = 0
    topo_array_name: str | None = None
    topo_array_nodes: str | None = None
    topo_array_switches: str | None = None

    WIRE = (
        Field("topo_array_level", u16),
        Field("topo_array_link_speed", u32),
        Field("topo_array_name", string),
        Field("topo_array_nodes", string),
        Field("topo_array_switches", string),
    )


class TopologySwitch(Record):
    """One element of `switches` in Topology."""

    level: int = 0
    link_speed: int = 0
    name: str | None = None
    nodes: str | None = None
    switches: str | None = None

    WIRE = (
        Field("level", u16),
        Field("link_speed", u32),
        Field("name", string),
        Field("nodes", string),
        Field("switches", string),
    )


class TopologyBlock(Record):
    """One element of `blocks` in Topology."""

    aggregated: bool = False
    block_index: int = 0
    name: str | None = None
    nodes: str | None = None
    size: int = 0

    WIRE = (
        Field("aggregated", boolean, since="24.11"),
        Field("block_index", u16),
        Field("name", string),
        Field("nodes", string),
        Field("size", u32, since="24.11"),
    )


class TopologyRing(Record):
    """One element of `rings` in Topology."""

    topo_array_name: str | None = None
    topo_array_nodes: str | None = None
    topo_array_ring_index: int = 0
    topo_array_size: int = 0

    WIRE = (
        Field("topo_array_name", string),
        Field("topo_array_nodes", string),
        Field("topo_array_ring_index", u16),
        Field("topo_array_size", u16),
    )


class TopologyPlacement(Record):
    """One element of `placement` in Topology."""

    placements_x_size: int = 0
    placements_y_size: int = 0
    placements_z_size: int = 0
    placements_anchor_count: int = 0

    WIRE = (
        Field("placements_x_size", u16),
        Field("placements_y_size", u16),
        Field("placements_z_size", u16),
        Field("placements_anchor_count", u32),
    )


class TopologyTorus(Record):
    """One element of `toruses` in Topology."""

    name: str | None = None
    nodes: str | None = None
    x_size: int = 0
    y_size: int = 0
    z_size: int = 0
    placement: list[TopologyPlacement] = []

    WIRE = (
        Field("name", string),
        Field("nodes", string),
        Field("x_size", u16),
        Field("y_size", u16),
        Field("z_size", u16),
        Field("placement", array(TopologyPlacement)),
    )


class Topology(Record):
    """Part of TopologyTree, TopologyInfoResponse."""

    plugin_id: int = 0
    switches: list[TopologySwitch] = []
    blocks: list[TopologyBlock] = []
    rings: list[TopologyRing] = []
    toruses: list[TopologyTorus] = []

    WIRE = (
        Field("plugin_id", u32, means=TopologyPlugin),
        Switch(
            "plugin_id",
            (
                ((102,), (Field("switches", array(TopologySwitch)),)),
                ((103,), (Field("blocks", array(TopologyBlock)),)),
                ((104,), (Field("rings", array(TopologyRing)),)),
                ((101,), (Field("toruses", array(TopologyTorus)),)),
            ),
        ),
    )


class TopologyTree(Record):
    """Part of TopologyInfoResponse."""

    switches: list[TopologyOldSwitch] = []
    topo_info: Topology = msgspec.field(default_factory=Topology)

    WIRE = (
        Field("switches", array(TopologyOldSwitch), until="23.02"),
        Field("topo_info", Topology, since="23.11"),
    )


@message(MessageType.RESPONSE_TOPO_INFO)
class TopologyInfoResponse(Record):
    """Body of RESPONSE_TOPO_INFO."""

    data: TopologyTree = msgspec.field(default_factory=TopologyTree)
    topo_info: Topology = msgspec.field(default_factory=Topology)

    WIRE = (
        Field("data", TopologyTree, until="23.02"),
        Field("topo_info", Topology, since="23.11"),
    )
