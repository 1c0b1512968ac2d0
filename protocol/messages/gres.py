"""Generic resources (GPUs and the like) of jobs, steps and nodes, as they stand in credentials and launches."""

from __future__ import annotations

from protocol.schema import Field, If, Record, array, bits, repeat, string, u8, u16, u32, u64, vector
from protocol.wire import Bits

__all__ = [
    "GRES_MAGIC",
    "GresAllocation",
    "GresFound",
    "GresFoundList",
    "GresJobState",
    "GresNodeBits",
    "GresNodeState",
    "GresNodeStateTopo",
    "GresNodeStepBits",
    "GresStepState",
]


GRES_MAGIC = 0x438A34D4


class GresFound(Record):
    """One element of `rec` in GresFoundList. As real slurmd 22.05 and 24.11 were seen to send it."""

    magic: int = GRES_MAGIC
    count: int = 0
    cpu_cnt: int = 0
    config_flags: int = 0
    plugin_id: int = 0
    cpus: str | None = None
    links: str | None = None
    name: str | None = None
    type_name: str | None = None
    unique_id: str | None = None

    WIRE = (
        Field("magic", u32),
        Field("count", u64),
        Field("cpu_cnt", u32),
        Field("config_flags", u32),
        Field("plugin_id", u32),
        Field("cpus", string),
        Field("links", string),
        Field("name", string),
        Field("type_name", string),
        Field("unique_id", string),
    )


class GresFoundList(Record):
    """What a node daemon has found of generic resources: the content of `gres_info` in its registration."""

    version: int = 0
    rec: list[GresFound] = []

    WIRE = (
        Field("version", u16),
        Field("rec", array(GresFound, count=u16)),
    )


class GresNodeBits(Record):
    """One element of `node` in GresJobState."""

    has_gres_per_bit_alloc: int = 0
    gres_per_bit_alloc: list[int] = []

    WIRE = (
        Field("has_gres_per_bit_alloc", u8),
        If(
            "has_gres_per_bit_alloc",
            (Field("gres_per_bit_alloc", vector(u64)),),
        ),
    )


class GresNodeStepBits(Record):
    """One element of `node__2` in GresJobState."""

    has_gres_per_bit_step_alloc: int = 0
    gres_per_bit_step_alloc: list[int] = []

    WIRE = (
        Field("has_gres_per_bit_step_alloc", u8),
        If(
            "has_gres_per_bit_step_alloc",
            (Field("gres_per_bit_step_alloc", vector(u64)),),
        ),
    )


class GresJobState(Record):
    """One element of `rec` in GresJobState."""

    magic: int = 0
    plugin_id: int = 0
    cpus_per_gres: int = 0
    flags: int = 0
    gres_per_job: int = 0
    gres_per_node: int = 0
    gres_per_socket: int = 0
    gres_per_task: int = 0
    mem_per_gres: int = 0
    ntasks_per_gres: int = 0
    total_gres: int = 0
    type_name: str | None = None
    node_cnt: int = 0
    has_gres_cnt_node_alloc: int = 0
    gres_cnt_node_alloc: list[int] = []
    has_gres_bit_alloc: int = 0
    gres_bit_alloc: list[Bits | None] = []
    node: list[GresNodeBits] = []
    has_gres_bit_step_alloc: int = 0
    gres_bit_step_alloc: list[Bits | None] = []
    has_gres_cnt_step_alloc: int = 0
    gres_cnt_step_alloc: list[int] = []
    node__2: list[GresNodeStepBits] = []

    WIRE = (
        Field("magic", u32),
        Field("plugin_id", u32),
        Field("cpus_per_gres", u16, unit="CPUs"),
        Field("flags", u16),
        Field("gres_per_job", u64),
        Field("gres_per_node", u64),
        Field("gres_per_socket", u64),
        Field("gres_per_task", u64),
        Field("mem_per_gres", u64),
        Field("ntasks_per_gres", u16, unit="tasks"),
        Field("total_gres", u64),
        Field("type_name", string),
        Field("node_cnt", u32, unit="nodes"),
        Field("has_gres_cnt_node_alloc", u8),
        If(
            "has_gres_cnt_node_alloc",
            (Field("gres_cnt_node_alloc", vector(u64)),),
        ),
        Field("has_gres_bit_alloc", u8),
        If(
            "has_gres_bit_alloc",
            (Field("gres_bit_alloc", repeat(bits, "node_cnt")),),
        ),
        Field("node", repeat(GresNodeBits, "node_cnt"), since="23.11"),
        Field("has_gres_bit_step_alloc", u8),
        If(
            "has_gres_bit_step_alloc",
            (Field("gres_bit_step_alloc", repeat(bits, "node_cnt")),),
        ),
        Field("has_gres_cnt_step_alloc", u8),
        If(
            "has_gres_cnt_step_alloc",
            (Field("gres_cnt_step_alloc", repeat(u64, "node_cnt")),),
        ),
        Field("node__2", repeat(GresNodeStepBits, "node_cnt"), since="23.11"),
    )


class GresStepState(Record):
    """One element of `rec` in GresStepState."""

    magic: int = 0
    plugin_id: int = 0
    cpus_per_gres: int = 0
    flags: int = 0
    gres_per_step: int = 0
    gres_per_node: int = 0
    gres_per_socket: int = 0
    gres_per_task: int = 0
    mem_per_gres: int = 0
    total_gres: int = 0
    type_name: str | None = None
    node_cnt: int = 0
    node_in_use: Bits | None = None
    has_gres_cnt_node_alloc: int = 0
    gres_cnt_node_alloc: list[int] = []
    has_gres_bit_alloc: int = 0
    gres_bit_alloc: list[Bits | None] = []
    node: list[GresNodeBits] = []

    WIRE = (
        Field("magic", u32),
        Field("plugin_id", u32),
        Field("cpus_per_gres", u16, unit="CPUs"),
        Field("flags", u16),
        Field("gres_per_step", u64),
        Field("gres_per_node", u64),
        Field("gres_per_socket", u64),
        Field("gres_per_task", u64),
        Field("mem_per_gres", u64),
        Field("total_gres", u64),
        Field("type_name", string, since="24.05"),
        Field("node_cnt", u32, unit="nodes"),
        Field("node_in_use", bits),
        Field("has_gres_cnt_node_alloc", u8),
        If(
            "has_gres_cnt_node_alloc",
            (Field("gres_cnt_node_alloc", vector(u64)),),
        ),
        Field("has_gres_bit_alloc", u8),
        If(
            "has_gres_bit_alloc",
            (Field("gres_bit_alloc", repeat(bits, "node_cnt")),),
        ),
        Field("node", repeat(GresNodeBits, "node_cnt"), since="23.11"),
    )


class GresNodeStateTopo(Record):
    """One element of `topo` in GresNodeState."""

    topo_core_bitmap: Bits | None = None
    topo_gres_bitmap: Bits | None = None
    topo_res_core_bitmap: Bits | None = None

    WIRE = (
        Field("topo_core_bitmap", bits),
        Field("topo_gres_bitmap", bits),
        Field("topo_res_core_bitmap", bits),
    )


class GresNodeState(Record):
    """One element of `rec` in GresNodeState."""

    magic: int = 0
    plugin_id: int = 0
    config_flags: int = 0
    gres_cnt_avail: int = 0
    gres_bit_alloc: int = 0
    topo: list[GresNodeStateTopo] = []
    topo_gres_cnt_alloc: list[int] = []
    topo_gres_cnt_avail: list[int] = []
    topo_type_id: list[int] = []
    topo_type_name: list[str | None] = []

    WIRE = (
        Field("magic", u32),
        Field("plugin_id", u32),
        Field("config_flags", u32),
        Field("gres_cnt_avail", u64),
        Field("gres_bit_alloc", u16),
        Field("topo", array(GresNodeStateTopo, u16)),
        Field("topo_gres_cnt_alloc", vector(u64)),
        Field("topo_gres_cnt_avail", vector(u64)),
        Field("topo_type_id", vector(u32)),
        Field("topo_type_name", vector(string)),
    )


class GresAllocation(Record):
    """Part of KillJob, PrologLaunch."""

    magic: int = 0
    plugin_id: int = 0
    node_cnt: int = 0
    has_gres_cnt_node_alloc: int = 0
    gres_cnt_node_alloc: list[int] = []
    has_gres_bit_alloc: int = 0
    gres_bit_alloc: list[Bits | None] = []

    WIRE = (
        Field("magic", u32),
        Field("plugin_id", u32),
        Field("node_cnt", u32, unit="nodes"),
        Field("has_gres_cnt_node_alloc", u8),
        If(
            "has_gres_cnt_node_alloc",
            (Field("gres_cnt_node_alloc", vector(u64)),),
        ),
        Field("has_gres_bit_alloc", u8),
        If(
            "has_gres_bit_alloc",
            (Field("gres_bit_alloc", repeat(bits, "node_cnt")),),
        ),
    )
