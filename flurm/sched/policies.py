"""Scheduling policies: what a plugin of the scheduler is.

A policy is a class with a `name` and `plan(cluster, order, now_s)`; the entry point group `flurm.schedulers` finds
those of other packages. `order` is the queue as the queue manager sees it, and a policy may reorder it. A policy object
may remember what it has seen to save work, never to decide: the same cluster, order and time give the same plan.
"""

from __future__ import annotations

from typing import ClassVar

from flurm.core.records import Cluster
from flurm.sched import fairshare
from flurm.sched.plan import Plan, plan


class Policy:
    """Base of all policies. A quiet pass, in which nothing has changed since the last, is answered at once."""

    name: ClassVar[str] = ""

    def __init__(self) -> None:
        self._seen: tuple[object, ...] = ()
        self._order: tuple[int, ...] = ()
        self._quiet_until_s: int | None = None

    def plan(self, cluster: Cluster, order: tuple[int, ...], now_s: int) -> Plan:
        """What starts now and why the rest waits."""
        seen = (cluster.jobs, cluster.nodes, cluster.partitions, cluster.settings)
        if self._is_quiet(seen, now_s) and order == self._order:
            return Plan(wake_s=self._quiet_until_s)
        decided = self.decide(cluster, order, now_s)
        nothing_new = not decided.starts and not decided.outlooks
        self._seen, self._order = (seen if nothing_new else ()), order
        self._quiet_until_s = decided.wake_s
        return decided

    def decide(self, cluster: Cluster, order: tuple[int, ...], now_s: int) -> Plan:
        """The policy itself: a pure function."""
        raise NotImplementedError

    def _is_quiet(self, seen: tuple[object, ...], now_s: int) -> bool:
        """Whether the last pass decided nothing and saw these very tables, and no begin time has come since."""
        if len(seen) != len(self._seen) or any(now is not then for now, then in zip(seen, self._seen, strict=True)):
            return False
        return self._quiet_until_s is None or now_s < self._quiet_until_s


class Fifo(Policy):
    """Strictly in order: a job that does not fit stops its partition."""

    name = "fifo"

    def decide(self, cluster: Cluster, order: tuple[int, ...], now_s: int) -> Plan:
        """See Policy."""
        return plan(cluster, order, now_s, depth=0)


class Backfill(Policy):
    """In order, and around blocked jobs whoever does not delay the first `depth` of them in their partition."""

    name = "backfill"

    def __init__(self, depth: int = 1) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"backfill promises a place to at least one job per partition, not {depth}: use fifo")
        self.depth = depth

    def decide(self, cluster: Cluster, order: tuple[int, ...], now_s: int) -> Plan:
        """See Policy."""
        return plan(cluster, order, now_s, depth=self.depth)


class Fairshare(Backfill):
    """Backfill over a queue in which users who had less of the cluster lately come first (`flurm.sched.fairshare`)."""

    name = "fairshare"

    def __init__(self, depth: int = 1, half_life_s: int = fairshare.HALF_LIFE_S) -> None:
        super().__init__(depth)
        self.half_life_s = half_life_s

    def decide(self, cluster: Cluster, order: tuple[int, ...], now_s: int) -> Plan:
        """See Policy."""
        return plan(cluster, fairshare.reorder(cluster, order, now_s, self.half_life_s), now_s, depth=self.depth)


BUILT_IN: dict[str, type[Policy]] = {policy.name: policy for policy in (Fifo, Backfill, Fairshare)}
"""The policies that come with FLURM, by name."""
