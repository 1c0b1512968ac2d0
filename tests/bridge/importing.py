"""What a slurmctld might have told, for tests of what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flurm.bridge.importing.answers import Answers
from flurm.bridge.importing.cluster import Imported, cluster_of
from flurm.bridge.importing.jobs import job_id_of
from flurm.bridge.show_nodes import node_info
from flurm.bridge.show_partitions import partition_info
from flurm.core.commands import Configure
from flurm.core.enums import NodeState
from flurm.core.records import Cluster
from protocol.constants import MEM_PER_CPU, NICE_OFFSET, NO_VAL, NO_VAL16, JobFlag
from protocol.messages import JobInfo, JobResources, NodeInfo, PartitionInfo, StepId
from protocol.versions import Version
from protocol.wire import Bits
from tests.bridge import recorded, twin

NOW_S = 1_700_000_000
SCRIPT = b"#!/bin/sh\nexit 0\n"
ENVIRONMENT = (b"HOME=/mnt/alice", b"PATH=/bin")


def configured(cluster: Cluster) -> Configure:
    """The command of a slurm.conf that names the nodes and partitions of a cluster, which nothing has happened to."""
    nodes = (cluster.nodes[name] for name in cluster.node_order)
    fresh = tuple(
        node.with_(
            facts=None, state=NodeState.UNKNOWN, flags=0, reason=None, reason_s=0, last_busy_s=0, used_cpus=0,
            used_cores=0, used_memory_mib=0,
        )
        for node in nodes
    )  # fmt: skip
    return Configure(now_s=NOW_S, settings=cluster.settings, nodes=fresh, partitions=tuple(cluster.partitions.values()))


def site() -> Cluster:
    """Four nodes of two cores and the partitions of the recordings."""
    return twin.nodes_and_partitions("22.05", "idle", Version.V22_05)


def taken(jobs: Iterable[JobInfo] = (), **told: Any) -> Imported:
    """What an import makes of jobs, and of what else is told, on a site."""
    jobs = tuple(jobs)
    owners = [job.array_job_id or job_id_of(job) for job in jobs if job.batch_flag]
    told.setdefault("scripts", dict.fromkeys(owners, SCRIPT))
    told.setdefault("environments", dict.fromkeys(owners, ENVIRONMENT))
    fresh = site()
    told.setdefault("nodes", tuple(node_info(fresh.node_at(index), None) for index in range(4)))
    told.setdefault("partitions", tuple(partition_info(fresh, each) for each in fresh.partitions.values()))
    usual: dict[str, Any] = {"version": Version.V22_05, "asked_s": NOW_S, "next_job_id": 70100}
    answers = Answers(cluster_name="testc", release="22.05.8", jobs=jobs, **(usual | told))
    return cluster_of(answers, configured(fresh), {1001: "alice"}.get)


def waiting(job_id: int, **fields: Any) -> JobInfo:
    """A batch job of alice's that waits."""
    usual: dict[str, Any] = {
        "job_id": job_id, "name": "job", "user_id": 1001, "group_id": 1001, "batch_flag": 1, "partition": "debug",
        "array_task_id": NO_VAL, "priority": 100, "time_limit": 10, "nice": NICE_OFFSET, "requeue": 1,
        "submit_time": NOW_S - 100, "eligible_time": NOW_S - 100, "num_cpus": 1, "num_nodes": 1, "num_tasks": 1,
        "cpus_per_task": 1, "pn_min_cpus": 1, "pn_min_memory": MEM_PER_CPU | 100, "shared": NO_VAL16,
        "core_spec": NO_VAL16, "cpu_freq_min": NO_VAL, "cpu_freq_max": NO_VAL, "cpu_freq_gov": NO_VAL,
        "bitflags": int(JobFlag.USE_DEFAULT_PART), "work_dir": "/mnt/alice",
        "tres_req_str": "cpu=1,mem=100M,node=1,billing=1",
    }  # fmt: skip
    return JobInfo(**(usual | fields))


def running(job_id: int, node: str = "n1", **fields: Any) -> JobInfo:
    """One that runs on the first core of a node."""
    held = JobResources(
        nhosts=1, ncpus=1, nodes=node, cpus=[1], memory_allocated=[100], sockets_per_node=[1], cores_per_socket=[2],
        sock_core_rep_count=[1], core_bitmap=Bits(2, 1),
    )  # fmt: skip
    usual = {
        "job_state": 1, "nodes": node, "batch_host": node, "job_resrcs": held, "start_time": NOW_S - 90,
        "end_time": NOW_S + 510,
    }  # fmt: skip
    return waiting(job_id, **(usual | fields))


def of_recording(release: str, moment: str, version: int) -> dict[str, Any]:
    """What was told at a recorded moment."""
    nodes: tuple[NodeInfo, ...] = tuple(recorded.reply(release, moment, "nodes", version).record.node_array)
    partitions: tuple[PartitionInfo, ...] = tuple(
        recorded.reply(release, moment, "partitions", version).record.partition_array
    )
    now_s = recorded.reply(release, moment, "nodes", version).now_s
    return {"version": version, "asked_s": now_s, "nodes": nodes, "partitions": partitions}


def step(job_id: int, number: int) -> StepId:
    """A step of a job."""
    return StepId(job_id=job_id, step_id=number)
