"""A cluster that lives through commands alone: what the tests of `apply` tell their stories with."""

from __future__ import annotations

from typing import Any

from flurm.core import commands as c
from flurm.core import submission
from flurm.core.apply import apply
from flurm.core.effects import Effect, Rejected, Reply, Submitted
from flurm.core.enums import JobState, NodeState, Refusal
from flurm.core.job_records import Allocation, Job, JobSpec, NodeShare
from flurm.core.node_records import Node, NodeFacts, Partition
from flurm.core.records import Cluster, Settings
from flurm.sched.plan import plan
from flurm.sched.queue import queue_order

ROOT, ALICE, BOB = 0, 1001, 1002


class World:
    """Commands go in, the cluster changes; `log` keeps every command for replays."""

    def __init__(self, nodes: int = 2, cpus: int = 2, settings: Settings | None = None, **partition: Any) -> None:
        self.cluster = Cluster()
        self.now_s = 1000
        self.log: list[c.AnyCommand] = []
        self.effects: tuple[Effect, ...] = ()
        names = [f"n{i + 1}" for i in range(nodes)]
        records = tuple(Node(name=name, index=i, cpus=cpus, real_memory_mib=1000) for i, name in enumerate(names))
        partitions = (
            Partition(name="debug", nodes="ALL", is_default=True, **{"max_time_min": 60, **partition}),
            Partition(name="long", nodes=names[-1]),
        )
        settings = settings or Settings(default_memory_per_cpu_mib=100, requeue_delay_s=0)
        self.do(c.Configure(now_s=self.now_s, settings=settings, nodes=records, partitions=partitions, fingerprint="1"))
        for name in names:
            self.register(name, cpus=cpus)

    def do(self, command: c.AnyCommand) -> Reply:
        """Apply a command; the effects are kept for a look."""
        self.log.append(command)
        outcome = apply(self.cluster, command)
        self.cluster, self.effects = outcome.cluster, outcome.effects
        return outcome.reply

    def register(self, name: str, cpus: int = 2, jobs: tuple[int, ...] = (), since_s: int = 0) -> Reply:
        facts = NodeFacts(cpus=cpus, real_memory_mib=1000)
        return self.do(c.RegisterNode(now_s=self.now_s, name=name, facts=facts, jobs=jobs, since_s=since_s))

    def try_submit(self, user: int = ALICE, array: str | None = None, hold: bool = False, **spec: Any) -> Reply:
        partition, strict = spec.pop("partition", None), spec.pop("strict", False)
        asked = JobSpec(
            name=spec.pop("name", "job"),
            user_id=user,
            partitions=tuple(partition.split(",")) if partition else (),
            **spec,
        )
        command = c.SubmitJob(now_s=self.now_s, spec=asked, array=array, hold=hold, strict=strict)
        return submission.check(self.cluster, command) or self.do(command)

    def submit(self, **asked: Any) -> int:
        reply = self.try_submit(**asked)
        assert isinstance(reply, Submitted), reply
        return reply.job_id

    def refused(self, **asked: Any) -> Refusal:
        reply = self.try_submit(**asked)
        assert isinstance(reply, Rejected), reply
        return reply.code

    def schedule(self) -> list[int]:
        """One scheduling pass; the ids of jobs that it started."""
        before = set(self.cluster.active)
        decided = plan(self.cluster, queue_order(self.cluster, self.now_s), self.now_s)
        self.do(c.ApplyPlan(now_s=self.now_s, starts=decided.starts, outlooks=decided.outlooks))
        return sorted(set(self.cluster.active) - before)

    def start(self, **asked: Any) -> int:
        """Submit a job and have it started."""
        job_id = self.submit(**asked)
        assert self.schedule() == [job_id], self.job(job_id)
        self.do(c.LaunchDone(now_s=self.now_s, job_id=job_id, restarts=self.job(job_id).restarts))
        return job_id

    def end(self, job_id: int, status: int = 0) -> Reply:
        """The batch script ends with this wait status, and the nodes are clean."""
        host = self.job(job_id).batch_host
        assert host is not None
        reply = self.do(c.BatchEnded(now_s=self.now_s, job_id=job_id, node=host, exit_status=status))
        self.clean(job_id)
        return reply

    def clean(self, job_id: int) -> None:
        for name in self.cluster.names_in(self.job(job_id).completing):
            self.do(c.EpilogDone(now_s=self.now_s, job_id=job_id, node=name))

    def kill(self, target: int | str, user: int = ALICE, **how: Any) -> Reply:
        return self.do(c.KillJob(now_s=self.now_s, user_id=user, target=str(target), **how))

    def update(self, target: int | str, user: int = ALICE, **what: Any) -> Reply:
        own = {k: what.pop(k) for k in ("priority", "hold_kind", "array_limit") if k in what}
        return self.do(c.UpdateJob(now_s=self.now_s, user_id=user, target=str(target), spec_changes=what, **own))

    def requeue(self, target: int | str, user: int = ALICE, **how: Any) -> Reply:
        return self.do(c.RequeueJob(now_s=self.now_s, user_id=user, target=str(target), **how))

    def job(self, job_id: int) -> Job:
        return self.cluster.jobs[job_id]

    def state(self, job_id: int) -> JobState:
        return self.job(job_id).state

    def node(self, name: str) -> Node:
        return self.cluster.nodes[name]

    def up(self, name: str) -> bool:
        return self.node(name).state is NodeState.IDLE


def on_first_core(job_id: int, partition: str = "debug") -> c.Start:
    """A start on core 0 of node 0, whatever runs there."""
    return c.Start(job_id, Allocation((NodeShare(0, 1, 1, 100),)), partition)


def code(reply: Reply) -> Refusal:
    """The refusal that a reply is."""
    assert isinstance(reply, Rejected), reply
    return reply.code
