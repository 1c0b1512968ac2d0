"""kill -9 of the leading controller, again and again, while clients submit through Debian's libslurm."""

from __future__ import annotations

import itertools
import os
import statistics
import time

import pytest

from tests.faults.controllers import Controllers, Request, why_not

KILLS = int(os.environ.get("FLURM_KILLS", "2"))
"""`make failover` kills twenty times, and measures."""
MEASURED = (
    {"raft_election_timeout": [150, 300], "raft_heartbeat_interval": 50, "max_job_count": 1_000_000}
    if KILLS >= 20
    else {}
)
"""The documented timings, for a quiet machine; over a hundred thousand jobs may come."""
CLIENTS = 8
DYING_MS = 500
"""So long after the signal a process may still have connections in its backlog."""

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]


def longest_gap_ms(seen: list[list[Request]], around_ms: float, window_ms: float = 5000) -> float:
    """The longest time without an acknowledgement in a window after a moment."""
    ends = sorted(each.ended_ms for rows in seen for each in rows if each.job_id)
    inside = [at for at in ends if around_ms - 50 <= at <= around_ms + window_ms]
    return max((later - earlier for earlier, later in itertools.pairwise(inside)), default=window_ms)


def test_the_leader_is_killed_again_and_again_and_no_acknowledged_job_is_lost():
    with Controllers(**MEASURED) as cluster:
        cluster.begin_submitting(CLIENTS, 600)
        killed_ms = []
        for _ in range(KILLS):
            leader = cluster.await_leader()
            cluster.let_pass(1.0)
            killed_ms.append(time.monotonic() * 1000)
            cluster.kill(leader)
            cluster.let_pass(3.0)
            cluster.start(leader)
            cluster.await_leader()
        seen = cluster.end_submitting()
        acknowledged = [each.job_id for rows in seen for each in rows if each.job_id]
        failed = [each for rows in seen for each in rows if not each.job_id]
        gaps = [longest_gap_ms(seen, at) for at in killed_ms]
        print(f"\n{len(acknowledged)} jobs acknowledged, {len(failed)} requests failed; gaps of")
        print(f"{statistics.median(gaps):.0f} ms median, {max(gaps):.0f} ms at most: {[round(gap) for gap in gaps]}")
        assert len(acknowledged) == len(set(acknowledged)), "no id is given twice"
        cluster.await_that("all acknowledged jobs are listed", lambda: set(acknowledged) <= set(cluster.job_ids()))
        listed = cluster.job_ids()
        assert len(listed) == len(set(listed))
        unacknowledged = set(listed) - set(acknowledged)
        assert len(unacknowledged) <= len(failed), "a request that failed made at most one job"
        for each in failed:
            near = [at for at in killed_ms if each.began_ms - DYING_MS <= at <= each.ended_ms]
            assert near, f"a request failed without a kill: {each}; killed at {killed_ms}\n{cluster.logs()}"
        if MEASURED:
            assert max(gaps) < 1000
