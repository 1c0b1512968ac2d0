"""Small clusters for the tests of placement and planning: built in a line, asked in a line."""

from __future__ import annotations

from typing import Any

from flurm.core.bits import bits_of
from flurm.core.commands import Outlook, Start
from flurm.core.enums import JobState, NodeFlag, NodeState, Reason
from flurm.core.job_records import HIGHEST_PRIORITY, Allocation, ArrayTask, Job, JobSpec, NodeShare
from flurm.core.names import compress, node_mask
from flurm.core.node_records import Node, Partition
from flurm.core.records import Cluster, Settings


class TestCluster:
    """A cluster value that grows: jobs are put in, plans are carried out on it."""

    __test__ = False

    def __init__(self, nodes: list[Node], partitions: list[Partition], settings: Settings) -> None:
        self.state = Cluster(settings=settings)
        tables = self.state.nodes.update({node.name: node for node in nodes})
        self.state = self.state.with_(nodes=tables, node_order=tuple(node.name for node in nodes))
        for partition in partitions:
            self.partition(partition)
        self.next_id = 1

    def partition(self, partition: Partition) -> None:
        """Put a partition in, or in place of the one of its name."""
        partition = partition.with_(node_mask=node_mask(self.state, partition.nodes))
        self.state = self.state.with_(partitions=self.state.partitions.set(partition.name, partition))

    def change_partition(self, name: str, **changes: object) -> None:
        """Change fields of a partition."""
        self.partition(self.state.partitions[name].with_(**changes))

    def change_node(self, name: str, **changes: object) -> None:
        """Change fields of a node."""
        self.state = self.state.with_(nodes=self.state.nodes.set(name, self.state.nodes[name].with_(**changes)))

    def drain(self, *names: str) -> None:
        """Drain nodes."""
        for name in names:
            self.change_node(name, flags=NodeFlag.DRAIN)

    def put(self, job: Job) -> None:
        """Store a job and keep the indexes of pending and active ones."""
        jobs = self.state.jobs.set(job.id, job)
        pending, active = self.state.pending, self.state.active
        pending = pending.set(job.id, job.submit_s) if job.is_pending else _without(pending, job.id)
        active = active.set(job.id, job.start_s) if job.allocation is not None else _without(active, job.id)
        self.state = self.state.with_(jobs=jobs, pending=pending, active=active)

    def submit(self, partition: str = "debug", priority: int | None = None, **spec: Any) -> int:
        """A pending job; `nodes=2` and `tasks=3` are short for the fields that -N and -n set."""
        job_id = self.next_id
        self.next_id += 1
        self.put(
            Job(
                id=job_id,
                spec=spec_of(partition=partition, **spec),
                priority=HIGHEST_PRIORITY - job_id if priority is None else priority,
                partition=partition.split(",", maxsplit=1)[0],
                submit_s=job_id,
            )
        )
        return job_id

    def submit_array(self, tasks: int, max_running: int = 0, **spec: Any) -> int:
        """A job array whose tasks 0..tasks-1 all wait."""
        job_id = self.submit(**spec)
        array = ArrayTask(job_id, waiting=(1 << tasks) - 1, max_running=max_running, count=tasks, highest=tasks - 1)
        self.put(self.job(job_id).with_(array=array))
        self.state = self.state.with_(arrays=self.state.arrays.set(job_id, (job_id,)))
        return job_id

    def change(self, job_id: int, **changes: object) -> None:
        """Change fields of a job."""
        self.put(self.job(job_id).with_(**changes))

    def job(self, job_id: int) -> Job:
        """The job's record."""
        return self.state.jobs[job_id]

    def run(self, node: str, cores: int = 1, minutes: int = 60, memory_mib: int = 0, **spec: Any) -> int:
        """A job that runs on the first free cores of a node since time 0."""
        record = self.state.nodes[node]
        free = [core for core in range(record.cores) if not record.used_cores >> core & 1][:cores]
        share = NodeShare(record.index, sum(1 << core for core in free), cores * record.threads_per_core, memory_mib)
        job_id = self.submit(**spec)
        self.start(Start(job_id, Allocation((share,)), "debug"), now_s=0, minutes=minutes)
        return job_id

    def start(self, start: Start, now_s: int, minutes: int | None = None) -> int:
        """Carry a start out, as the state's own code would; returns the id of the job that runs."""
        job = self.job(start.job_id)
        if start.task_id is not None and job.array is not None:
            job = self._split_task(job, start.task_id)
        limit = minutes or job.spec.time_limit_min or self.state.partitions[start.partition].max_time_min
        self.put(
            job.with_(
                state=JobState.RUNNING,
                reason=Reason.NONE,
                partition=start.partition,
                allocation=start.allocation,
                start_s=now_s,
                end_s=now_s + limit * 60,
            )
        )
        for share in start.allocation.shares:
            node = self.state.node_at(share.node)
            assert not node.used_cores & share.cores, f"cores of {node.name} given out twice"
            self.change_node(
                node.name,
                used_cores=node.used_cores | share.cores,
                used_cpus=node.used_cpus + share.cpus,
                used_memory_mib=node.used_memory_mib + share.memory_mib,
                exclusive_job=job.id if start.allocation.whole_nodes else 0,
            )
        return job.id

    def finish(self, job_id: int) -> None:
        """End a running job."""
        job = self.job(job_id)
        assert job.allocation is not None
        for share in job.allocation.shares:
            node = self.state.node_at(share.node)
            self.change_node(
                node.name,
                used_cores=node.used_cores & ~share.cores,
                used_cpus=node.used_cpus - share.cpus,
                used_memory_mib=node.used_memory_mib - share.memory_mib,
                exclusive_job=0,
            )
        self.put(job.with_(state=JobState.COMPLETED, allocation=None))

    def tell(self, outlook: Outlook) -> None:
        """Carry an outlook out, as the state's own code would."""
        self.change(
            outlook.job_id,
            reason=outlook.reason,
            reason_text=outlook.text,
            start_s=outlook.start_s,
            planned_nodes=outlook.nodes,
        )

    def _split_task(self, job: Job, task_id: int) -> Job:
        assert job.array is not None
        waiting = job.array.waiting & ~(1 << task_id)
        array_id = job.array.job_id
        if waiting:
            self.put(job.with_(array=job.array.with_(waiting=waiting)))
            job = job.with_(id=self.next_id)
            self.next_id += 1
            records = (*self.state.arrays[array_id], job.id)
            self.state = self.state.with_(arrays=self.state.arrays.set(array_id, records))
        assert job.array is not None
        return job.with_(array=job.array.with_(task_id=task_id, waiting=0))


def cluster_of(
    nodes: int = 2,
    cpus: int = 4,
    memory_mib: int = 4000,
    extra_nodes: tuple[Node, ...] = (),
    partitions: tuple[Partition, ...] = (),
    **settings: Any,
) -> TestCluster:
    """A cluster of equal idle nodes n1, n2 ... in the partition `debug`, with more of either as given."""
    equal = [node_of(f"n{number + 1}", cpus=cpus, memory_mib=memory_mib) for number in range(nodes)]
    every = [node.with_(index=index) for index, node in enumerate([*equal, *extra_nodes])]
    if not any(partition.name == "debug" for partition in partitions):
        partitions = (Partition("debug", nodes="ALL", is_default=True), *partitions)
    return TestCluster(every, list(partitions), Settings(**settings))


def node_of(name: str, cpus: int = 4, memory_mib: int = 4000, **fields: Any) -> Node:
    """An idle node with one socket, unless the fields say otherwise."""
    threads, sockets = int(fields.get("threads_per_core", 1)), int(fields.get("sockets", 1))
    fields.setdefault("cores_per_socket", cpus // threads // sockets)
    return Node(name, 0, cpus=cpus, real_memory_mib=memory_mib, state=NodeState.IDLE, **fields)


def spec_of(
    partition: str = "debug",
    nodes: int | None = None,
    tasks: int | None = None,
    minutes: int | None = None,
    **spec: Any,
) -> JobSpec:
    """A request as a client would send it: `nodes` is -N, `tasks` is -n, `minutes` is -t."""
    per_task = int(spec.get("cpus_per_task") or 1)
    if nodes is not None:
        spec |= {"min_nodes": nodes, "max_nodes": nodes}
    count = tasks or int(spec.get("min_nodes") or 1)
    spec.setdefault("min_cpus", count * per_task)
    spec.setdefault("time_limit_min", minutes)
    return JobSpec(partitions=tuple(partition.split(",")), num_tasks=tasks, **spec)


def shown(cluster: TestCluster, allocation: Allocation | None) -> str | None:
    """An allocation in short: nodes with their CPUs, as in "n1:1 n2:2"."""
    if allocation is None:
        return None
    return " ".join(f"{cluster.state.node_order[share.node]}:{share.cpus}" for share in allocation.shares)


def nodes_of(cluster: TestCluster, mask: int) -> str:
    """A node mask in bracket form."""
    return compress([cluster.state.node_order[index] for index in bits_of(mask)])


def _without(table, key: int):  # type: ignore[no-untyped-def]
    return table.delete(key) if key in table else table
