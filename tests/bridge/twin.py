"""The recorded cluster (record.py) as a core cluster, built by hand.

What a user asked for and what the scheduler decided is written here; only points in time, priorities and the machine's
own facts are taken from the recording, because they are different each time.
"""

from __future__ import annotations

from typing import Any

from immutables import Map

from flurm.core.enums import JobState, NodeFlag, NodeState, PartitionState, Reason
from flurm.core.job_records import Allocation, ArrayTask, Dependency, Job, JobSpec, NodeShare
from flurm.core.node_records import Node, NodeFacts, Partition
from flurm.core.records import Cluster, Settings
from protocol.constants import JobFlag, MailFlag
from protocol.hostlist import expand
from tests.bridge import recorded

DEFAULT_PART = int(JobFlag.USE_DEFAULT_PART)
MEM_SET = int(JobFlag.MEM_SET)
SPEC = JobSpec(
    user_id=1001, group_id=1001, user_name="alice", partitions=("debug",), submit_host="ctl", script_digest="d",
    work_dir="/mnt/alice", memory_per_cpu_mib=100, bit_flags=DEFAULT_PART,
)  # fmt: skip

ASKED: dict[str, dict[str, Any]] = {
    "plain": {},
    "mem": {"num_tasks": 1, "memory_per_cpu_mib": None, "memory_per_node_mib": 200, "time_limit_min": 5,
            "comment": "hello", "std_out": "out.%j.%N", "std_err": "err", "bit_flags": DEFAULT_PART | MEM_SET},
    "two": {"num_tasks": 2, "min_nodes": 2, "max_nodes": 2, "ntasks_per_node": 1, "memory_per_cpu_mib": 150,
            "min_cpus": 2, "bit_flags": DEFAULT_PART | MEM_SET},
    "excl": {"exclusive": 0, "required_nodes": "n4", "work_dir": "/tmp", "time_limit_min": 60},
    "short": {}, "ok": {}, "fail": {}, "sig": {}, "gone": {}, "held": {}, "admin": {}, "dep": {}, "array": {},
    "long": {},
    "whole": {"min_nodes": 4, "max_nodes": 4, "num_tasks": None, "cpus_per_task": 2, "min_cpus": 8, "exclusive": 0,
              "time_limit_min": 3, "nice": 5},
    "begin": {},
    "feat": {"features": "fast", "excluded_nodes": "n2", "num_tasks": 1},
    "opts": {"num_tasks": 3, "max_nodes": 2, "min_cpus": 3, "cpus_per_task": 1, "ntasks_per_node": 2,
             "memory_per_cpu_mib": None, "memory_per_node_mib": 300, "time_min_min": 1, "time_limit_min": 20,
             "std_in": "/dev/null", "std_out": "o%A", "partitions": ("long",), "bit_flags": MEM_SET},
    "multi": {"partitions": ("debug", "long"), "bit_flags": 0},
    "share": {"exclusive": 1, "overcommit": True, "contiguous": True, "tmp_disk_mib": 5},
    "mincpu": {"min_cpus_per_node": 2, "req_switch": 1, "wait_for_switch_s": 300},
    "dist": {"num_tasks": 2, "min_cpus": 2, "sockets_per_node": 1, "cores_per_socket": 2, "threads_per_core": 1,
             "ntasks_per_core": 1},
    "single": {},
    "holes": {},
    "noreq": {"requeue": False, "mail_type": int(MailFlag.JOB_END), "mail_user": "x@y"},
    "mem0": {"memory_per_cpu_mib": None, "memory_per_node_mib": 0, "bit_flags": DEFAULT_PART | MEM_SET},
    "script": {"argv": ("/mnt/alice/s.sh", "a", "b"), "std_out": "s.out"},
    "wide": {"num_tasks": 8, "min_cpus": 8},
    "wide2": {"num_tasks": 8, "min_cpus": 8, "partitions": ("long", "debug"), "time_limit_min": 5, "bit_flags": 0},
    "range": {"num_tasks": 3, "min_nodes": 1, "max_nodes": 3, "min_cpus": 3},
    "twoc": {"num_tasks": 2, "cpus_per_task": 2, "min_cpus": 4},
    "requeue": {},
}  # fmt: skip
REASONS = {
    "whole": Reason.PRIORITY, "begin": Reason.BEGIN_TIME, "dep": Reason.DEPENDENCY, "feat": Reason.RESOURCES,
    "opts": Reason.RESOURCES, "admin": Reason.HELD_ADMIN, "requeue": Reason.BEGIN_TIME,
    "long": Reason.JOB_ARRAY_TASK_LIMIT, "array": Reason.JOB_ARRAY_TASK_LIMIT, "wide2": Reason.PARTITION_CONFIG,
    "two": Reason.BEGIN_TIME,
}  # fmt: skip
HELD = ("held", "multi", "share", "mincpu", "dist", "single", "holes", "noreq", "mem0", "script", "admin", "wide",
        "range", "twoc")  # fmt: skip
ARRAYS = {
    "array": ArrayTask(70006, waiting=0x3FF, max_running=2, count=10, lowest=0, highest=9),
    "holes": ArrayTask(70017, waiting=0xAA, count=4, lowest=1, highest=7),
    "long": ArrayTask(0, waiting=0x1C, max_running=1, count=4, lowest=1, highest=4),
}
DEPENDENCIES = {
    "dep": (Dependency("afterok", 70000),),
    "single": (Dependency("singleton"),),
}


def cluster(release: str, moment: str, version: int) -> Cluster:
    """The whole cluster at a moment."""
    jobs = recorded.reply(release, moment, "jobs2", version).record.jobs
    made = nodes_and_partitions(release, moment, version)
    arrays: dict[int, tuple[int, ...]] = {}
    table = {}
    for seen in jobs:
        table[seen.job_id] = job(seen, made, release)
        if seen.array_job_id:
            arrays[seen.array_job_id] = (*arrays.get(seen.array_job_id, ()), seen.job_id)
    return made.with_(jobs=Map(table), arrays=Map(arrays))


def nodes_and_partitions(release: str, moment: str, version: int) -> Cluster:
    """The cluster without jobs."""
    seen = {node.name: node for node in recorded.reply(release, moment, "nodes", version).record.node_array}
    order = ("n1", "n2", "n3", "n4")
    nodes = {name: _node(name, index, seen[name], moment) for index, name in enumerate(order)}
    for one in recorded.reply(release, moment, "jobs2", version).record.jobs:
        if one.job_state & 0xFF == JobState.RUNNING:
            _occupy(nodes, one)
    partitions = (
        Partition("debug", "n[1-4]", 0b1111, is_default=True, max_time_min=60, default_time_min=10),
        Partition("long", "n[3-4]", 0b1100),
        Partition("down", "n[1-4]", 0b1111, state=PartitionState.DOWN),
        Partition("drained", "n[1-4]", 0b1111, state=PartitionState.DRAIN),
    )
    settings = Settings(cluster_name="testc", first_job_id=70000, default_memory_per_cpu_mib=100)
    return Cluster(
        settings=settings, nodes=Map(nodes), node_order=order, partitions=Map({p.name: p for p in partitions})
    )


def _node(name: str, index: int, seen: Any, moment: str) -> Node:
    facts = NodeFacts(
        version=seen.version, arch="x86_64", os=seen.os, boot_s=seen.boot_time, daemon_start_s=seen.slurmd_start_time
    )
    node = Node(
        name, index, hostname="ctl", address="127.0.0.1", port=17001 + index, cpus=2, sockets=1, cores_per_socket=2,
        real_memory_mib=1000, features=("fast",) if index < 2 else ("big",), facts=facts, state=NodeState.IDLE,
        last_busy_s=seen.last_busy,
    )  # fmt: skip
    if seen.node_state & NodeFlag.PLANNED:
        node = node.with_(flags=NodeFlag.PLANNED)
    if moment == "mixed":
        if name == "n3":
            node = node.with_(state=NodeState.DOWN, reason="broken", reason_uid=0, reason_s=seen.reason_time)
        if name == "n4":
            node = node.with_(flags=NodeFlag.DRAIN, reason="bad disk", reason_uid=0, reason_s=seen.reason_time)
    return node


def _occupy(nodes: dict[str, Node], seen: Any) -> None:
    """Give a running job what it holds of its nodes."""
    per_cpu, per_node = ASKED[seen.name].get("memory_per_cpu_mib", 100), ASKED[seen.name].get("memory_per_node_mib", 0)
    for index, name in enumerate(sorted(expand(seen.nodes))):
        cpus = (seen.job_resrcs.core_bitmap.mask >> 2 * index & 3).bit_count()
        node, memory = nodes[name], per_node or per_cpu * cpus
        nodes[name] = node.with_(used_cpus=node.used_cpus + cpus, used_memory_mib=node.used_memory_mib + memory)


def job(seen: Any, made: Cluster, release: str) -> Job:
    """The job that `seen` should be the record of."""
    name = seen.name
    spec = SPEC.with_(name=name, protocol_version={"22.05": 0x2600, "24.11": 0x2A00}[release], **ASKED[name])
    if seen.tres_per_task:
        spec = spec.with_(tres_per_task=f"cpu={spec.cpus_per_task}")
    if name == "opts":
        spec = spec.with_(deadline_s=seen.deadline)
    state = JobState(seen.job_state & 0xFF)
    twin = Job(
        seen.job_id, spec, state=state, priority=0 if name in HELD else seen.priority, partition=spec.partitions[0],
        submit_s=seen.submit_time, eligible_s=seen.eligible_time, start_s=seen.start_time,
        last_evaluated_s=seen.last_sched_eval, array=_array(seen),
        scheduled_by="Backfill" if seen.bitflags & JobFlag.BACKFILL_SCHED else "Main",
        restarts=seen.restart_cnt,
    )  # fmt: skip
    if state is JobState.PENDING:
        return _waiting(twin, seen, made)
    twin = twin.with_(end_s=seen.end_time, exit_status={"fail": 3 << 8, "sig": 9}.get(name, 0))
    if name in ("fail", "sig"):
        twin = twin.with_(reason=Reason.NON_ZERO_EXIT_CODE)
    if state is JobState.CANCELLED and seen.nodes:
        twin = twin.with_(exit_status=15)
    if seen.nodes:
        return _placed(twin, seen, made)
    reason = Reason.HELD_USER if name in HELD else Reason.PRIORITY
    return twin.with_(reason=reason, planned_nodes=_mask(made, seen.sched_nodes))


def _waiting(twin: Job, seen: Any, made: Cluster) -> Job:
    name = twin.spec.name
    dependencies = DEPENDENCIES.get(name, ())
    reason = REASONS.get(name, Reason.HELD_USER if name in HELD else Reason.PRIORITY)
    if name == "dep" and "failed" in seen.dependency:
        dependencies = tuple(one.with_(state="failed") for one in dependencies)
        reason = Reason.DEPENDENCY_NEVER_SATISFIED
    text = seen.state_desc if name in ("opts", "wide2") else None
    planned = _mask(made, seen.sched_nodes)
    return twin.with_(reason=reason, dependencies=dependencies, reason_text=text, planned_nodes=planned)


def _placed(twin: Job, seen: Any, made: Cluster) -> Job:
    """Where the scheduler put it: by node, the first or both cores."""
    cores, shares = seen.job_resrcs.core_bitmap.mask, []
    whole = twin.spec.name in ("excl", "whole")
    for index, node in enumerate(sorted(expand(seen.nodes))):
        own = cores >> 2 * index & 3
        cpus = own.bit_count()
        memory = twin.spec.memory_per_node_mib or (twin.spec.memory_per_cpu_mib or 0) * cpus
        shares.append(NodeShare(made.nodes[node].index, own, cpus, memory))
    allocation = Allocation(tuple(shares), whole_nodes=whole)
    names = tuple(made.names_in(allocation.node_mask))
    return twin.with_(allocation=allocation, node_names=names, time_limit_min=seen.time_limit)


def _mask(made: Cluster, text: str | None) -> int:
    return made.mask_of(expand(text)) if text else 0


def _array(seen: Any) -> ArrayTask | None:
    array = ARRAYS.get(seen.name)
    if array is None:
        return None
    array = array.with_(job_id=seen.array_job_id)
    if seen.array_task_id != 0xFFFFFFFE:
        return array.with_(task_id=seen.array_task_id, waiting=0)
    return array.with_(waiting=int(seen.array_task_str, 16)) if seen.array_task_str else array
