"""Controllers that do not reach each other: service where there is a majority, and never two that lead."""

from __future__ import annotations

import itertools
import os
import re
import time

import pytest

from tests.faults.controllers import Separated, why_not

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.skipif(not os.environ.get("FLURM_THOROUGH"), reason="a minute of cut lines: `make failover` has them"),
]

THOROUGH = bool(os.environ.get("FLURM_THOROUGH"))
UNTIL_OTHERS_ARE_ASKED_MS = 2500
"""A controller whose line to the leader is cut finds out when a request is not answered (TRY_S of forwarding.py)."""
LED = re.compile(r'"term": (\d+), "event": "leader"')


def leaders_by_term(cluster: Separated) -> dict[int, set[str]]:
    """Who says in its log that it has led, by term."""
    found: dict[int, set[str]] = {}
    for name in cluster.members:
        for term in LED.findall(cluster.sandbox.read(f"/mnt/cluster/{name}.out.log")):
            found.setdefault(int(term), set()).add(name)
    return found


def others_of(cluster: Separated, *names: str) -> tuple[str, ...]:
    return tuple(name for name in cluster.members if name not in names)


def check(cluster: Separated, parts_ms: list[tuple[float, float]]) -> None:
    """Nothing acknowledged is lost, there was service in spite of the cuts, and one leader per term."""
    seen = cluster.end_submitting()
    acknowledged = [each.job_id for rows in seen for each in rows if each.job_id]
    assert len(acknowledged) == len(set(acknowledged))
    cluster.await_that("all acknowledged jobs are listed", lambda: set(acknowledged) <= set(cluster.job_ids()))
    assert all(len(names) == 1 for names in leaders_by_term(cluster).values()), leaders_by_term(cluster)
    for began_ms, ended_ms in parts_ms:
        during = [each for rows in seen for each in rows if each.job_id and began_ms < each.ended_ms < ended_ms]
        assert during, f"nothing was acknowledged between {began_ms:.0f} and {ended_ms:.0f}"


def now_ms() -> float:
    return time.monotonic() * 1000


@pytest.fixture(scope="module")
def cluster():
    with Separated() as found:
        yield found


def test_a_leader_that_is_alone_steps_down_and_the_others_go_on(cluster):
    leader = cluster.await_leader()
    others = others_of(cluster, leader)
    cluster.begin_submitting(4, 300)
    began_ms = now_ms()
    cluster.part((leader,), others)
    cluster.await_leader(others, but=leader)
    refused = cluster.sandbox.run("sbatch --wrap true", env={"SLURM_CONF": cluster.conf_of(leader)}, timeout_s=60)
    assert refused.exit == 1
    said = ("standby", "Unable to contact", "Zero Bytes")  # the last where the request may have been carried out
    assert any(words in refused.stderr for words in said), refused
    cluster.let_pass(1.0)
    cluster.part((leader,), others, mend=True)
    cluster.await_leader()
    check(cluster, [(began_ms + 1000, now_ms())])


def test_one_way_cuts_leave_a_leader_and_service(cluster):
    leader = cluster.await_leader()
    other = others_of(cluster, leader)[0]
    cuts = list(itertools.permutations(cluster.members, 2)) if THOROUGH else [(leader, other), (other, leader)]
    cluster.begin_submitting(4, 300)
    parts = []
    for sender, receiver in cuts:
        cluster.cut(sender, receiver)
        began_ms = now_ms()
        cluster.let_pass(4.0)
        parts.append((began_ms + UNTIL_OTHERS_ARE_ASKED_MS, now_ms()))
        cluster.mend(sender, receiver)
        cluster.await_leader()
    check(cluster, parts)


def test_a_flapping_line_elects_no_two_leaders(cluster):
    cluster.begin_submitting(4, 300)
    began_ms = now_ms()
    for round_ in range(10):
        leader = cluster.members[round_ % 3]
        cluster.part((leader,), others_of(cluster, leader))
        cluster.let_pass(0.25)
        cluster.part((leader,), others_of(cluster, leader), mend=True)
        cluster.let_pass(0.25)
    cluster.await_leader()
    cluster.let_pass(1.0)
    check(cluster, [(began_ms, now_ms())])
