"""Placement: what Slurm 22.05 with select/cons_tres was seen to do on the same small cluster."""

from typing import Any

import pytest

from flurm.core.placement import Free, demand_of, eligible_nodes, place
from flurm.core.records import Allocation, Partition
from tests.sched.builders import TestCluster, cluster_of, node_of, shown, spec_of


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
