"""Nodes and partitions: what slurmctld sends of the same ones."""

from __future__ import annotations

import pytest

from flurm.bridge.resources import memory_text, tres_text
from flurm.bridge.show_nodes import Load, hidden_nodes, nodes_response, one_node_response, state_word
from flurm.bridge.show_partitions import in_configured_order, partition_info, partitions_response
from flurm.core.enums import NodeFlag, NodeState
from flurm.core.node_records import Node, Partition
from flurm.core.record import UNLIMITED
from protocol.codec import encode_body
from protocol.constants import MEM_PER_CPU, MessageType, ShowFlag
from protocol.versions import Version
from tests.bridge import recorded, twin

CASES = [(release, version) for release in recorded.RELEASES for version in recorded.VERSIONS[release]]
ORDER = ("debug", "long", "down", "drained")


@pytest.mark.parametrize(("release", "version"), CASES)
@pytest.mark.parametrize("moment", ["idle", "running", "mixed"])
def test_every_field_of_every_node_is_what_slurmctld_sends(release, version, moment):
    seen = recorded.reply(release, moment, "nodes", version)
    loads = {node.name: Load(node.cpu_load, node.free_mem) for node in seen.record.node_array}
    cluster = twin.nodes_and_partitions(release, moment, version)
    shown = nodes_response(cluster, version, 0, seen.record.last_update, loads.get)
    wrong = {}
    for ours, theirs in zip(shown.node_array, seen.record.node_array, strict=True):
        but = [] if theirs.reason else ["reason_uid"]
        if release == "24.11":
            but += ["ext_sensors"]
        if theirs.reason == "broken":
            but += ["node_state"]
        if found := recorded.differences(recorded.as_sent(ours, version), theirs, *but):
            wrong[theirs.name] = found
    assert not wrong
    assert recorded.differences(shown, seen.record, "node_array", "hidden_nodes") == {}


@pytest.mark.parametrize(("release", "version"), CASES)
def test_partly_used_nodes_are_allocated_even_for_those_who_ask_for_mixed(release, version):
    seen = recorded.reply(release, "running", "nodes_mixed", version).record
    cluster = twin.nodes_and_partitions(release, "running", version)
    shown = nodes_response(cluster, version, 8, 0, lambda name: None)
    assert [n.node_state for n in shown.node_array] == [n.node_state for n in seen.node_array] == [3, 3, 3, 3]


@pytest.mark.parametrize(("release", "version"), CASES)
def test_partitions_travel_byte_for_byte_as_slurmctld_sends_them(release, version):
    seen = recorded.reply(release, "idle", "partitions", version)
    cluster = twin.nodes_and_partitions(release, "idle", version)
    shown = partitions_response(cluster, ORDER, 0, seen.record.last_update)
    assert encode_body(MessageType.RESPONSE_PARTITION_INFO, shown, version) == seen.body


def test_who_asks_for_details_is_told_that_no_resource_is_drained():
    cluster = twin.nodes_and_partitions("22.05", "idle", Version.V22_05)
    for flags, told in ((0, None), (ShowFlag.DETAIL, "N/A")):
        (every,) = {node.gres_drain for node in nodes_response(cluster, 0x2600, flags, 0, lambda _: None).node_array}
        (single,) = one_node_response(cluster, "n1", Version.V22_05, 0, lambda _: None, flags).node_array
        assert (every, single.gres_drain) == (told, told)


def test_a_node_that_is_not_there_gives_no_record():
    cluster = twin.nodes_and_partitions("22.05", "idle", 0x2600)
    assert one_node_response(cluster, "zz", Version.V22_05, 5, lambda name: None).record_count == 0
    assert one_node_response(cluster, "n2", Version.V22_05, 5, lambda name: None).node_array[0].name == "n2"


def test_nodes_of_hidden_partitions_alone_are_left_out_and_marked_from_24_11():
    cluster = twin.nodes_and_partitions("22.05", "idle", 0x2600)
    secret = Partition("secret", "n1", 0b1, hidden=True)
    only_two = cluster.partitions["debug"].with_(node_mask=0b10)
    cluster = cluster.with_(
        partitions=cluster.partitions.set("debug", only_two).set("secret", secret).delete("down").delete("drained")
    )
    assert hidden_nodes(cluster, 0) == 0b1
    assert hidden_nodes(cluster, 1) == 0
    old = nodes_response(cluster, Version.V22_05, 0, 0, lambda name: None)
    new = nodes_response(cluster, Version.V24_11, 0, 0, lambda name: None)
    assert [node.name for node in old.node_array] == ["n2", "n3", "n4"]
    assert (new.record_count, new.node_array[0], new.hidden_nodes.mask) == (4, None, 1)


@pytest.mark.parametrize("version", Version)
def test_every_release_can_read_nodes_and_partitions(version):
    cluster = twin.nodes_and_partitions("22.05", "mixed", 0x2600)
    nodes = nodes_response(cluster, version, 1, 0, lambda name: None)
    assert encode_body(MessageType.RESPONSE_NODE_INFO, nodes, version)
    assert encode_body(MessageType.RESPONSE_PARTITION_INFO, partitions_response(cluster, ORDER, 1, 0), version)


def test_flags_stand_above_the_base_state():
    node = Node("a", 0, cpus=2, state=NodeState.IDLE, used_cpus=1, flags=NodeFlag.DRAIN | NodeFlag.COMPLETING)
    assert state_word(node) == 3 | 0x200 | 0x400


def test_partitions_made_later_come_behind_those_configured():
    cluster = twin.nodes_and_partitions("22.05", "idle", 0x2600)
    cluster = cluster.with_(partitions=cluster.partitions.set("added", Partition("added")))
    assert [p.name for p in in_configured_order(cluster, ORDER)] == [*ORDER, "added"]


def test_limits_of_a_partition_are_told():
    cluster = twin.nodes_and_partitions("22.05", "idle", 0x2600)
    partition = Partition(
        "p", default_memory_per_cpu_mib=10, max_memory_per_node_mib=99, over_subscribe="FORCE", max_share=4,
        preempt_mode="CANCEL", root_only=True, hidden=True,
    )  # fmt: skip
    shown = partition_info(cluster, partition)
    assert (shown.def_mem_per_cpu, shown.max_mem_per_cpu) == (MEM_PER_CPU | 10, 99)
    assert (shown.max_share, shown.preempt_mode, shown.flags) == (0x8004, 8, 2 | 8)


@pytest.mark.parametrize(("minutes", "told"), [(None, 0xFFFE), (7, 7), (UNLIMITED, 0xFFFF)])
def test_a_limit_overrun_without_end_fits_into_its_field(minutes, told):
    cluster = twin.nodes_and_partitions("22.05", "idle", Version.V22_05)
    assert partition_info(cluster, Partition("debug", over_time_limit_min=minutes)).over_time_limit == told


def test_memory_is_written_in_the_largest_unit_of_which_it_is_whole_halves():
    assert [memory_text(m) for m in (0, 1000, 1024, 1536, 1 << 20)] == ["0M", "1000M", "1G", "1.50G", "1T"]
    assert tres_text(2, 0, 1) == "cpu=2,node=1,billing=2"
