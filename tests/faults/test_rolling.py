"""Three controllers go to another release one by one, with clients that submit all the while."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time

import pytest

import flurm
from flurm.otp.release import PACKAGES, make
from tests.faults.controllers import PROGRAMS, Controllers, Request, why_not
from tests.faults.test_upgrade import CHANGES, FAILS, copied

THOROUGH = bool(os.environ.get("FLURM_THOROUGH"))

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.skipif(not THOROUGH, reason="takes minutes: FLURM_THOROUGH=1"),
]

VERSION_2 = {
    "flurm/core/machine.py": (
        ("{1: Version()}", "{1: Version(), 2: Version(migrate=_note)}"),
        (
            "class Version(",
            'def _note(cluster: Cluster) -> Cluster:\n    return cluster.with_(fingerprint="2")\n\n\nclass Version(',
        ),
    )
}
"""A release whose state machine has a version 2: the switch leaves its mark in the state."""


def release(where, version, *edits):
    copied(where, *edits)
    make(where, "flurm", version, PACKAGES)
    return where


def longest_stall_ms(seen: list[list[Request]], from_ms: float, to_ms: float) -> float:
    """The longest time without an acknowledgement."""
    ends = sorted(each.ended_ms for rows in seen for each in rows if each.job_id and from_ms <= each.ended_ms <= to_ms)
    return max(later - earlier for earlier, later in itertools.pairwise(ends))


def versions(cluster):
    """What runs on each controller, by what it says itself."""
    rows = {
        name: json.loads(cluster.flurm(f"versions --json --config {cluster.config_of(name)}"))
        for name in cluster.members
    }
    return {name: next(row["version"] for row in each if row["state"] == "runs") for name, each in rows.items()}


def upgrade(cluster, words):
    done = cluster.sandbox.run(
        f"{PROGRAMS / 'flurm'} upgrade --cluster {words} --config {cluster.config_of('c1')}", timeout_s=120
    )
    print(done.stdout + done.stderr)
    return done


def caught_up(cluster, name):
    """What docs/operations.md says to wait for: the member has applied what the others have."""
    rows = {row["member"]: row for row in cluster.status(name).get("members", [])}
    return rows and rows[name].get("applied", 0) >= max(row.get("applied", 0) for row in rows.values()) - 100


def restart(cluster, name, code=None):
    cluster.kill(name, signal.SIGTERM)
    cluster.start(name, code)
    cluster.await_that(f"{name} has caught up", lambda: caught_up(cluster, name))


def assert_none_is_lost(cluster, seen):
    acknowledged = [each.job_id for rows in seen for each in rows if each.job_id]
    assert len(acknowledged) > 100
    assert len(acknowledged) == len(set(acknowledged))
    cluster.await_that("all acknowledged jobs are listed", lambda: set(acknowledged) <= set(cluster.job_ids()))


@pytest.mark.timeout(400)
def test_a_release_goes_through_a_running_cluster_and_back_and_its_state_machine_comes_into_force(tmp_path):
    newer = release(tmp_path / "9.0", "9.0", CHANGES)
    broken = release(tmp_path / "9.1", "9.1", CHANGES, FAILS)
    able = release(tmp_path / "9.2", "9.2", CHANGES, VERSION_2)
    with Controllers() as cluster:
        before = dict.fromkeys(cluster.members, flurm.__version__)
        old_leader = cluster.await_leader()
        cluster.begin_submitting(4, 300)
        cluster.let_pass(1.0)
        began_ms = time.monotonic() * 1000

        failed = upgrade(cluster, str(broken))
        assert failed.exit == 1 and "code_change of flurm_queue_manager failed" in failed.stderr
        assert versions(cluster) == before

        done = upgrade(cluster, str(newer))
        assert done.exit == 0, done.stderr
        order = [line.partition(":")[0] for line in done.stdout.splitlines() if ": release 9.0 runs" in line]
        assert sorted(order) == list(cluster.members) and order[-1] == old_leader
        assert cluster.await_leader() != old_leader
        assert versions(cluster) == dict.fromkeys(cluster.members, "9.0")

        assert upgrade(cluster, "--rollback").exit == 0
        assert versions(cluster) == before

        assert "version 2 is in force" in upgrade(cluster, str(able)).stdout
        ended_ms = time.monotonic() * 1000
        status = cluster.status("c2")
        assert status["machine_version"] == 2
        assert {(row["release"], row["machine"]) for row in status["members"]} == {("9.2", "1-2")}
        refused = upgrade(cluster, "--rollback")
        assert refused.exit == 1 and "at version 2, this release knows 1 to 1" in refused.stderr
        assert versions(cluster) == dict.fromkeys(cluster.members, "9.2")

        cluster.let_pass(0.5)
        seen = cluster.end_submitting()
        assert [each for rows in seen for each in rows if not each.job_id] == []
        assert_none_is_lost(cluster, seen)
        stall_ms = longest_stall_ms(seen, began_ms, ended_ms)
        print(f"longest stall {stall_ms:.0f} ms")
        assert stall_ms < 1000


@pytest.mark.timeout(400)
def test_controllers_are_restarted_one_by_one_on_a_newer_release_and_an_older_one_is_refused_from_then_on(tmp_path):
    able = release(tmp_path / "9.2", "9.2", VERSION_2)
    with Controllers() as cluster:
        cluster.begin_submitting(4, 300)
        began_ms = time.monotonic() * 1000
        leader = cluster.await_leader()
        followers = [name for name in cluster.members if name != leader]
        for name in followers:
            restart(cluster, name, able)
            assert cluster.status(name)["machine_version"] == 1
        restart(cluster, leader, able)  # it hands leadership over by itself
        cluster.await_that("version 2 is in force", lambda: cluster.status(leader).get("machine_version") == 2)
        ended_ms = time.monotonic() * 1000
        seen = cluster.end_submitting()
        assert_none_is_lost(cluster, seen)
        failed = sum(not each.job_id for rows in seen for each in rows)
        stall_ms = longest_stall_ms(seen, began_ms, ended_ms)
        print(f"longest stall {stall_ms:.0f} ms, {failed} requests failed")
        assert failed == 0 and stall_ms < 1000

        older = followers[1]
        cluster.kill(older, signal.SIGTERM)
        cluster.start(older)
        assert cluster.daemons[older].wait(60) == 1
        said = cluster.sandbox.read(f"/mnt/cluster/{older}.out.log")
        assert "Error: the cluster's state machine is at version 2, this release knows 1 to 1" in said
        cluster.start("c4")
        cluster.await_that("c4 is up", lambda: cluster.status("c4"))
        added = cluster.sandbox.run(
            f"{PROGRAMS / 'flurm'} cluster add c4 127.0.0.4:6816 --config {cluster.config_of(followers[0])}",
            timeout_s=60,
        )
        assert added.exit == 1 and "c4 knows 1 to 1: upgrade it first" in added.stderr
        assert cluster.command("squeue -h | head -1")
