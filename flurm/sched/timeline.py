"""Free resources over time: what is free now, what running jobs will release, what is promised to waiting ones.

A running job releases its share at its time limit (a little later where that has passed), and nothing else ever frees
resources, so that, promises aside, the earliest moment a demand fits is found by bisection over the ends. A
`Promise` is a place in the future that planning keeps for a job; whoever runs into its time may not use its cores.
"""

from __future__ import annotations

from bisect import insort
from typing import NamedTuple

from flurm.core.bits import bits_of
from flurm.core.enums import JobFlag
from flurm.core.job_records import Allocation, Job, NodeShare
from flurm.core.placement import Demand, Free, place
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster

YEAR_S = 365 * 24 * 3600
"""What counts as the duration of a job without a time limit."""

MOST_PROBES = 100
"""Moments that are tried one by one after the first possible one; then the job goes behind all promises."""


class Promise(NamedTuple):
    """Resources kept for a waiting job from `start_s` to `end_s`; `spare` is the memory then left on each node."""

    start_s: int
    end_s: int
    job_id: int
    allocation: Allocation
    spare: dict[int, int]
    nodes: int
    cores: int


class Timeline:
    """The free resources of now (`free`, which planning takes from) and of later."""

    def __init__(self, cluster: Cluster, now_s: int, free: Free) -> None:
        self.now_s = now_s
        self.free = free
        self.promises: list[Promise] = []
        self._cluster = cluster
        self._releases: dict[int, list[Allocation]] | None = None
        self._started: list[tuple[int, Allocation]] = []
        self._shadows: dict[int, Free] = {}

    def start(self, allocation: Allocation, duration_s: int) -> None:
        """A job takes its place now."""
        self.free.take(allocation)
        for shadow in self._shadows.values():
            shadow.take(allocation)
        end_s = self.now_s + duration_s
        if self._releases is None:
            self._started.append((end_s, allocation))
        else:
            self._releases.setdefault(end_s, []).append(allocation)

    def promise(self, job_id: int, start_s: int, duration_s: int, allocation: Allocation, then: Free) -> None:
        """Keep a place that `earliest` found. `then` is what it found to be free at that moment."""
        spare = {share.node: then.memory[share.node] - share.memory_mib for share in allocation.shares}
        cores = sum(share.cores.bit_count() for share in allocation.shares)
        promised = Promise(start_s, start_s + duration_s, job_id, allocation, spare, allocation.node_mask, cores)
        insort(self.promises, promised, key=lambda p: p[:3])
        self._shadows.clear()

    def keep_planned(self, cluster: Cluster) -> None:
        """Keep the nodes that waiting jobs were promised by earlier passes, whole, from their expected start on."""
        for job_id in cluster.pending:
            job = cluster.jobs[job_id]
            if not job.planned_nodes or not job.start_s:
                continue
            nodes = [(index, self.free.layout.all_cores[index]) for index in bits_of(job.planned_nodes)]
            allocation = Allocation(tuple(NodeShare(index, cores, cores.bit_count()) for index, cores in nodes))
            limit = job.spec.time_limit_min or cluster.partitions[job.partition].max_time_min
            start_s = max(job.start_s, self.now_s)
            self.promise(job_id, start_s, YEAR_S if limit >= UNLIMITED else limit * 60, allocation, self.free)

    def free_for(self, duration_s: int) -> Free:
        """What a job of this duration may use if it starts now: nothing promised to start before it ends."""
        end_s, met = self.now_s + duration_s, 0
        for promise in self.promises:
            if promise.start_s >= end_s:
                break
            met += 1
        if not met:
            return self.free
        shadow = self._shadows.get(met)
        if shadow is None:
            shadow = self.free.copy()
            for promise in self.promises[:met]:
                _keep_for(shadow, promise)
            self._shadows[met] = shadow
        return shadow

    def earliest(self, demand: Demand, candidates: int, duration_s: int) -> tuple[int, Allocation, Free] | None:
        """When and where the demand fits first, and what is free then; None where it never does."""
        moments, releases = self._release_times()
        free, passed = self._first_fit(demand, candidates, moments, releases)
        first_s = moments[passed - 1] if passed else self.now_s
        later = {*moments[passed:], *(promise.end_s for promise in self.promises)}
        probes = [first_s, *sorted(moment for moment in later if moment > first_s)]
        if len(probes) > MOST_PROBES:
            behind_all_s = max(promise.end_s for promise in self.promises) if self.promises else probes[-1]
            probes = [*probes[:MOST_PROBES], max(probes[MOST_PROBES - 1], behind_all_s)]
        for moment in probes:
            while passed < len(moments) and moments[passed] <= moment:
                _give(free, releases[moments[passed]])
                passed += 1
            if self._is_too_full(demand, free, candidates, moment):
                continue
            window = self._window(free, moment, moment + duration_s)
            allocation = place(demand, window, candidates)
            if allocation is not None:
                return moment, allocation, window
        return None

    def _first_fit(
        self, demand: Demand, candidates: int, moments: list[int], releases: dict[int, list[Allocation]]
    ) -> tuple[Free, int]:
        """What is free when the demand fits first, promises aside, and how many moments of release have passed then."""
        free = self.free.copy()
        if not moments or place(demand, free, candidates) is not None:
            return free, 0
        low, high = 1, len(moments)
        while low < high:
            middle = (low + high) // 2
            probe = free.copy()
            for moment in moments[low - 1 : middle]:
                _give(probe, releases[moment])
            if place(demand, probe, candidates) is not None:
                high = middle
            else:
                free, low = probe, middle + 1
        _give(free, releases[moments[low - 1]])
        return free, low

    def _is_too_full(self, demand: Demand, free: Free, candidates: int, moment: int) -> bool:
        """Whether, of the cores free at the moment, promises then in force leave too few: a bound, cheap to have."""
        under_way = [promise for promise in self.promises if promise.start_s <= moment < promise.end_s]
        promised = sum([promise.cores for promise in under_way if not promise.nodes & ~candidates])
        left = free.cores_in(candidates & free.usable) - promised
        return left * free.layout.most_threads < demand.cpus

    def _window(self, free: Free, start_s: int, end_s: int) -> Free:
        met = [promise for promise in self.promises if promise.start_s < end_s and promise.end_s > start_s]
        if not met:
            return free
        window = free.copy()
        for promise in met:
            window.take(promise.allocation)
        return window

    def _release_times(self) -> tuple[list[int], dict[int, list[Allocation]]]:
        """The moments at which resources come back, in order, and what comes back at each."""
        if self._releases is None:
            self._releases = {}
            soon_s = (self.now_s // 60 + 1) * 60
            for job_id in self._cluster.active:
                job = self._cluster.jobs[job_id]
                if job.allocation is not None:
                    self._releases.setdefault(max(job.end_s, soon_s), []).append(_still_held(job))
            for end_s, allocation in self._started:
                self._releases.setdefault(end_s, []).append(allocation)
        return sorted(self._releases), self._releases


def _give(free: Free, allocations: list[Allocation]) -> None:
    for allocation in allocations:
        free.give(allocation)


def _keep_for(shadow: Free, promise: Promise) -> None:
    """Take a promise out of what is free now: its cores, and memory beyond what it leaves."""
    for share in promise.allocation.shares:
        node = share.node
        memory = min(shadow.memory[node], promise.spare[node])
        shadow.put(node, shadow.cores[node] & ~share.cores, memory)


def _still_held(job: Job) -> Allocation:
    """The part of a job's allocation that is not free yet: while it completes, its nodes come back one by one."""
    assert job.allocation is not None
    if job.flags is JobFlag.NONE or not job.flags & JobFlag.COMPLETING:
        return job.allocation
    held = tuple(share for share in job.allocation.shares if job.completing >> share.node & 1)
    return Allocation(held, job.allocation.whole_nodes)
