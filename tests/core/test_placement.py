"""Placement: what Slurm 22.05 with select/cons_tres was seen to do on the same small cluster."""

from typing import Any

import pytest

from flurm.core.enums import Reason, Refusal
from flurm.core.job_records import Allocation
from flurm.core.node_records import Partition
from flurm.core.placement import (
    Free,
    Misfit,
    check_still_free,
    could_ever_run,
    demand_of,
    eligible_nodes,
    misfit,
    place,
)
from tests.sched.builders import TestCluster, cluster_of, node_of, nodes_of, shown, spec_of


def mixed_cluster() -> TestCluster:
    """Four small nodes, two fat ones, two with hyperthreads; one CPU of n1 is taken."""
    small = [node_of(f"n{i}", cpus=2, memory_mib=1000, features=("fast", "rack1")) for i in (1, 2)]
    small += [node_of(f"n{i}", cpus=2, memory_mib=1000, features=("big", "rack2")) for i in (3, 4)]
    fat = [node_of(f"n{i}", cpus=8, memory_mib=8000, sockets=2, weight=5, features=("fat",)) for i in (5, 6)]
    threaded = [node_of(f"n{i}", cpus=8, memory_mib=8000, sockets=2, threads_per_core=2, weight=10) for i in (7, 8)]
    partitions = (
        Partition("debug", nodes="n[1-4]", max_time_min=60),
        Partition("all", nodes="n[1-8]"),
        Partition("fat", nodes="n[5-6]"),
        Partition("ht", nodes="n[7-8]"),
        Partition("lim", nodes="n[1-4]", max_nodes=2, max_time_min=10),
        Partition("excl", nodes="n[5-6]", over_subscribe="EXCLUSIVE"),
    )
    cluster = cluster_of(
        0, extra_nodes=(*small, *fat, *threaded), partitions=partitions, default_memory_per_cpu_mib=100
    )
    cluster.run("n1", memory_mib=100)
    return cluster


def allocation_of(cluster: TestCluster, partition: str = "debug", **spec: Any) -> Allocation | None:
    request = spec_of(partition=partition, **spec)
    record = cluster.state.partitions[partition]
    demand = demand_of(cluster.state, request, record)
    return place(demand, Free.of(cluster.state), eligible_nodes(cluster.state, request, record))


def placed(cluster: TestCluster, partition: str = "debug", **spec: Any) -> str | None:
    return shown(cluster, allocation_of(cluster, partition, **spec))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"tasks": 1}, "n1:1"),
        ({"tasks": 3}, "n1:1 n2:2"),
        ({"nodes": 2}, "n1:1 n2:1"),
        ({"nodes": 2, "tasks": 3}, "n1:1 n2:2"),
        ({"min_nodes": 1, "max_nodes": 3, "tasks": 3}, "n1:1 n2:1 n3:1"),
        ({"min_nodes": 1, "max_nodes": 3}, "n1:1 n2:1 n3:1"),
        ({"min_nodes": 3, "max_nodes": 4}, "n1:1 n2:1 n3:1 n4:1"),
        ({"min_nodes": 1, "max_nodes": 4, "tasks": 5}, "n1:1 n2:2 n3:1 n4:1"),
        ({"tasks": 3, "cpus_per_task": 2}, "n2:2 n3:2 n4:2"),
        ({"tasks": 3, "ntasks_per_node": 1}, "n1:1 n2:1 n3:1"),
        ({"tasks": 3, "ntasks_per_node": 2}, "n2:2 n3:2"),
        ({"tasks": 3, "memory_per_node_mib": 0}, "n2:2 n3:1"),
        ({"tasks": 3, "memory_per_cpu_mib": 600}, "n1:1 n2:1 n3:1"),
        ({"min_cpus_per_node": 2}, "n2:2"),
        ({"nodes": 2, "required_nodes": "n3"}, "n3:1 n4:1"),
        ({"tasks": 3, "required_nodes": "n3"}, "n3:2 n4:1"),
        ({"excluded_nodes": "n[1-2]"}, "n3:1"),
        ({"features": "big", "tasks": 3}, "n3:2 n4:1"),
        ({"features": "fast|big", "tasks": 5}, "n1:1 n2:2 n3:2"),
        ({"features": "[rack1|rack2]", "nodes": 2, "tasks": 4}, "n3:2 n4:2"),
        ({"features": "[rack1*1&rack2*1]", "nodes": 2}, "n1:1 n3:1"),
        ({"features": "rack1*2", "nodes": 2}, "n1:1 n2:1"),
        ({"features": "(rack1|rack2)&fast"}, "n1:1"),
        ({"tasks": 4, "overcommit": True, "min_cpus": 1}, "n1:1"),
        ({"tasks": 8}, None),
        ({"partition": "all", "tasks": 9}, "n1:1 n2:2 n3:2 n4:2 n5:2"),
        ({"partition": "all", "tasks": 17}, "n1:1 n2:2 n3:2 n4:2 n5:8 n6:2"),
        ({"partition": "all", "nodes": 2, "tasks": 12}, "n5:8 n6:4"),
        ({"partition": "all", "nodes": 2, "tasks": 16}, "n5:8 n6:8"),
        ({"partition": "all", "nodes": 1, "tasks": 4}, "n5:4"),
        ({"partition": "all", "nodes": 3, "tasks": 10}, "n1:1 n2:2 n5:7"),
        ({"partition": "all", "tasks": 3, "cpus_per_task": 3}, "n5:6 n6:3"),
        ({"partition": "all", "min_nodes": 1, "max_nodes": 5, "tasks": 10}, "n1:1 n2:2 n3:2 n4:2 n5:3"),
        ({"partition": "all", "nodes": 6}, "n1:1 n2:1 n3:1 n4:1 n5:1 n6:1"),
        ({"partition": "all", "tasks": 10, "required_nodes": "n1,n5", "min_nodes": 2}, "n1:1 n2:1 n5:8"),
        ({"partition": "all", "tasks": 10, "required_nodes": "n5"}, "n2:2 n5:8"),
        ({"partition": "all", "tasks": 1, "cpus_per_task": 4, "memory_per_cpu_mib": 300}, "n5:4"),
        ({"partition": "all", "tasks": 4, "cpus_per_task": 2, "memory_per_cpu_mib": 1500}, "n5:4 n6:4"),
        ({"partition": "fat", "nodes": 2, "tasks": 3}, "n5:2 n6:1"),
        ({"partition": "fat", "nodes": 2, "tasks": 9}, "n5:8 n6:1"),
        ({"partition": "fat", "tasks": 10, "exclusive": 0}, "n5:8 n6:8"),
        ({"partition": "excl", "tasks": 1}, "n5:8"),
        ({"partition": "ht", "tasks": 1}, "n7:2"),
        ({"partition": "ht", "tasks": 3}, "n7:4"),
        ({"partition": "ht", "tasks": 9}, "n7:8 n8:2"),
        ({"partition": "ht", "tasks": 4, "ntasks_per_core": 1}, "n7:8"),
        ({"partition": "ht", "tasks": 5, "threads_per_core": 1}, "n7:8 n8:2"),
        ({"partition": "fat", "tasks": 6, "ntasks_per_node": 4, "nodes": 2}, "n5:4 n6:4"),
    ],
)
def test_nodes_and_cpus_are_those_that_slurm_gives(request_, expected):
    assert placed(mixed_cluster(), **request_) == expected


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        ({"tasks": 3, "nodes": 1}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"tasks": 5, "nodes": 2}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"cpus_per_task": 3}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"min_cpus_per_node": 3}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"memory_per_node_mib": 1001}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"memory_per_cpu_mib": 1001}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"memory_per_cpu_mib": 1000, "cpus_per_task": 2}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"memory_per_cpu_mib": 600, "tasks": 3, "nodes": 2}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"tmp_disk_mib": 100}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"sockets_per_node": 2}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"threads_per_core": 2}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"required_nodes": "n5"}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"excluded_nodes": "n[1-4]"}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"features": "fast&big"}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"features": "rack1,big"}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"partition": "lim", "tasks": 5}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        (
            {"partition": "ht", "tasks": 5, "memory_per_cpu_mib": 2000, "nodes": 1},
            Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE,
        ),
        ({"required_nodes": "nope"}, Refusal.INVALID_NODE_NAME),
        ({"excluded_nodes": "n[1"}, Refusal.INVALID_NODE_NAME),
        ({"features": "fast|nope"}, Refusal.INVALID_FEATURE),
        ({"features": "[fast"}, Refusal.INVALID_FEATURE),
    ],
)
def test_what_no_nodes_of_the_partition_can_give_is_refused_at_submission(request_, refusal):
    assert fate(**request_).refusal is refusal


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"tasks": 9}, Reason.PARTITION_CONFIG),
        ({"cpus_per_task": 100}, Reason.PARTITION_CONFIG),
        ({"nodes": 9}, Reason.PARTITION_CONFIG),
        ({"nodes": 5}, Reason.PARTITION_NODE_LIMIT),
        ({"partition": "lim", "nodes": 3}, Reason.PARTITION_NODE_LIMIT),
        ({"partition": "lim", "min_nodes": 1, "max_nodes": 3, "tasks": 4}, Reason.PARTITION_NODE_LIMIT),
        ({"minutes": 61}, Reason.PARTITION_TIME_LIMIT),
    ],
)
def test_what_exceeds_a_partition_as_a_whole_is_taken_and_waits(request_, reason):
    assert fate(**request_) == Misfit(reason=reason)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"cpus_per_task": 3}, "CPU count per node can not be satisfied"),
        ({"memory_per_node_mib": 1001}, "Memory specification can not be satisfied"),
        ({"tmp_disk_mib": 1}, "Temporary disk specification can not be satisfied"),
        ({"sockets_per_node": 2}, "Socket, core and/or thread specification can not be satisfied"),
        ({"tasks": 3, "nodes": 1}, None),
    ],
)
def test_a_refusal_says_which_property_no_node_has(request_, text):
    assert fate(**request_).text == text


def fate(**spec: Any) -> Misfit:
    cluster = mixed_cluster()
    request = spec_of(**spec)
    found = misfit(cluster.state, request, cluster.state.partitions[request.partitions[0]])
    assert found is not None
    return found


def test_a_request_that_could_run_on_the_idle_cluster_is_not_refused():
    cluster = mixed_cluster()
    assert could_ever_run(cluster.state, spec_of(tasks=8), cluster.state.partitions["debug"]) is None


def test_the_smallest_stretch_of_free_nodes_is_used_first():
    cluster = cluster_of(nodes=4, cpus=2)
    cluster.run("n3", cores=2)
    assert placed(cluster, tasks=1) == "n4:1"
    assert placed(cluster, nodes=2) == "n1:1 n2:1"


def test_a_node_that_takes_all_is_preferred_to_two_that_share():
    cluster = cluster_of(nodes=4, cpus=2)
    for name in ("n1", "n2", "n3"):
        cluster.run(name)
    assert placed(cluster, tasks=2) == "n4:2"


def test_a_contiguous_request_gets_neighbours_or_waits():
    cluster = cluster_of(nodes=5, cpus=1)
    cluster.run("n2")
    assert placed(cluster, nodes=3, contiguous=True) == "n3:1 n4:1 n5:1"
    cluster.run("n4")
    assert placed(cluster, nodes=3) == "n1:1 n3:1 n5:1"
    assert placed(cluster, nodes=2, contiguous=True) is None


def test_tasks_are_spread_over_sockets_where_each_may_carry_only_so_many():
    allocation = allocation_of(mixed_cluster(), "fat", tasks=2, ntasks_per_socket=1)
    assert allocation is not None
    assert [share.cores for share in allocation.shares] == [0b10001]


def test_memory_is_the_nodes_own_where_all_of_it_is_asked_for():
    allocation = allocation_of(mixed_cluster(), tasks=3, memory_per_node_mib=0)
    assert allocation is not None
    assert [share.memory_mib for share in allocation.shares] == [1000, 1000]


def test_memory_is_not_counted_where_it_is_no_resource():
    cluster = cluster_of(memory_is_consumed=False)
    allocation = allocation_of(cluster, tasks=2, memory_per_node_mib=99_999)
    assert allocation is not None
    assert allocation.memory_mib == 0


def test_a_plan_no_longer_fits_when_its_cores_or_memory_are_taken_or_its_node_is_drained():
    cluster = cluster_of(nodes=1, cpus=4, memory_mib=1000)
    allocation = allocation_of(cluster, tasks=2, memory_per_node_mib=600)
    assert allocation is not None and check_still_free(cluster.state, allocation)
    cluster.change_node("n1", used_memory_mib=500)
    assert not check_still_free(cluster.state, allocation)
    cluster.change_node("n1", used_memory_mib=0, used_cores=0b10)
    assert not check_still_free(cluster.state, allocation)
    cluster.change_node("n1", used_cores=0)
    cluster.drain("n1")
    assert not check_still_free(cluster.state, allocation)


def test_eligible_nodes_do_not_depend_on_what_runs():
    cluster = mixed_cluster()
    request = spec_of(cpus_per_task=2, excluded_nodes="n4")
    eligible = eligible_nodes(cluster.state, request, cluster.state.partitions["debug"])
    assert nodes_of(cluster, eligible) == "n[1-3]"


def test_of_more_required_nodes_than_the_job_may_have_the_first_are_meant():
    cluster = cluster_of(nodes=4, cpus=2)
    spec = spec_of(required_nodes="n[2-4]", max_nodes=2)
    assert demand_of(cluster.state, spec, cluster.state.partitions["debug"]).required == 0b0110
