"""Three controllers as one cluster: commands, jobs across a failover, members that come, go, and come back."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.faults.controllers import PROGRAMS, Controllers, why_not
from tests.faults.daemons import Daemons

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

CERTIFICATE_FILES = {"ca": "ca.pem", "certificate": "cert.pem", "key": "key.pem"}
AWAY = int(os.environ.get("FLURM_AWAY", "3000"))
"""So many entries are committed while a member is away (`make failover`: 50,000)."""


@pytest.fixture
def cluster():
    with Controllers(snapshot_interval=1000) as found:
        yield found


def submit(cluster, options="", command="true"):
    done = cluster.sandbox.run(f"sbatch --parsable -o /dev/null {options} --wrap '{command}'")
    assert done.exit == 0, f"{done}\n{cluster.logs()}"
    return done.stdout.strip()


def shown(cluster, job, name):
    record = cluster.command(f"scontrol -o show job {job}")
    found = re.search(rf"\b{name}=(\S+)", record)
    return found.group(1) if found else ""


def test_jobs_go_on_while_leaders_come_and_go_and_end_with_their_own_exit_code(cluster):
    long = submit(cluster, "-w n1", "sleep 4; exit 7")
    cluster.await_that("it runs", lambda: shown(cluster, long, "JobState") == "RUNNING")
    leader = cluster.await_leader()
    cluster.kill(leader)
    rest = tuple(name for name in cluster.members if name != leader)
    cluster.await_leader(rest, but=leader)
    short = submit(cluster, "-w n2", "exit 3")
    cluster.await_that("a job starts and ends under the new leader", lambda: shown(cluster, short, "ExitCode") == "3:0")
    cluster.await_that("the old one ends", lambda: shown(cluster, long, "JobState") == "FAILED")
    assert shown(cluster, long, "ExitCode") == "7:0"
    assert shown(cluster, long, "Restarts") == "0"
    cluster.start(leader)
    cluster.await_leader()
    assert cluster.command("sinfo -h -o %T") == "idle"


def test_leadership_goes_where_it_is_told_to_go(cluster):
    for name in cluster.members:
        assert f"{name} leads" in cluster.flurm(
            f"cluster transfer-leadership {name} --config {cluster.config_of('c1')}"
        )
        assert cluster.await_leader() == name
    assert "c2 leads" in cluster.flurm(f"cluster force-election --config {cluster.config_of('c2')}")
    assert cluster.await_leader() == "c2"
    done = cluster.sandbox.run("scontrol takeover 2")
    assert done.exit == 0, done
    assert cluster.await_leader() == "c3"
    assert cluster.command("scontrol ping").count("is UP") == 3
    assert submit(cluster)


def test_a_wish_that_makes_no_sense_is_refused_and_changes_nothing(cluster):
    before = cluster.status(cluster.await_leader())["members"]
    wishes = {
        "add c4 10.0.0.4": "expected host:port",
        "add c4 :6816": "expected host:port",
        "add c4 c4:0": "expected host:port",
        "add c2 127.0.0.2:6816": "member already",
        "remove c9": "no member",
        "transfer-leadership c9": "does not belong",
    }
    for wish, said in wishes.items():
        done = cluster.sandbox.run(f"{PROGRAMS / 'flurm'} cluster {wish} --config {cluster.config_of('c1')}")
        assert done.exit == 1 and said in done.stderr, done
    assert [each["member"] for each in cluster.status(cluster.await_leader())["members"]] == [
        each["member"] for each in before
    ]
    assert submit(cluster)


def test_a_single_controller_with_a_certificate_is_a_cluster_of_one_that_others_may_join(tmp_path):
    tls = tmp_path / "tls"
    flurm = [sys.executable, "-m", "flurm.cli.main"]
    subprocess.run(
        [*flurm, "cert", "bootstrap", str(tls), "one", "--cluster", "faults"], check=True, capture_output=True
    )
    files = {f"raft_{key}": str(tls / "one" / name) for key, name in CERTIFICATE_FILES.items()}
    with Daemons(controller_name="one", **files) as alone:
        alone.await_node()
        job = alone.client.submit("exit 3")
        assert alone.await_end({job})[job].exit_code == 3 << 8
        alone.kill_controller()
        alone.start()
        job = alone.client.submit("exit 4")
        assert alone.await_end({job})[job].exit_code == 4 << 8


def test_members_are_added_and_removed_under_load_the_leader_too(cluster):
    cluster.begin_submitting(4, 300)
    for name in ("c4", "c5"):
        cluster.start(name)
        cluster.await_that(f"{name} is up", lambda name=name: cluster.status(name))
        cluster.flurm(f"cluster add {name} {cluster.addresses[name]}:6816 --config {cluster.config_of('c1')}")
    five = ("c1", "c2", "c3", "c4", "c5")
    leader = cluster.await_leader(five)
    assert len(cluster.status(leader)["members"]) == 5
    others = [name for name in five if name != leader]
    cluster.flurm(f"cluster remove {leader} --config {cluster.config_of(others[0])}")
    cluster.await_leader(tuple(others), but=leader)
    gone = next(name for name in others if name in ("c4", "c5"))
    cluster.flurm(f"cluster remove {gone} --config {cluster.config_of(others[0])}")
    left = tuple(name for name in others if name != gone)
    new = cluster.await_leader(left)
    assert {each["member"] for each in cluster.status(new)["members"]} == set(left)
    for name in (leader, gone):
        cluster.kill(name)
    seen = cluster.end_submitting()
    acknowledged = {each.job_id for rows in seen for each in rows if each.job_id}
    assert acknowledged
    cluster.await_that("all acknowledged jobs are listed", lambda: acknowledged <= set(cluster.job_ids()))


def test_a_member_that_was_away_for_long_comes_back_by_a_snapshot(cluster):
    leader = cluster.await_leader()
    away = next(name for name in reversed(cluster.members) if name != leader)
    cluster.kill(away)
    cluster.begin_submitting(8, 600)
    cluster.await_that("the others have gone on", lambda: cluster.status(leader)["commit_index"] > AWAY, 300)
    cluster.end_submitting()
    commit_index = cluster.status(leader)["commit_index"]
    term = cluster.status(leader)["term"]
    cluster.start(away)
    cluster.await_that("it has caught up", lambda: cluster.status(away).get("commit_index", 0) >= commit_index, 60)
    assert cluster.status(leader)["term"] == term, "nobody missed a heartbeat"
    cluster.await_that(
        "it has the scripts too", lambda: "brought" in cluster.sandbox.read(f"/mnt/cluster/{away}.out.log")
    )
    cluster.flurm(f"cluster transfer-leadership {away} --config {cluster.config_of(away)}")
    held = cluster.job_ids()[0]
    assert cluster.sandbox.run(f"scontrol release {held}").exit == 0
    cluster.await_that("a job from before runs", lambda: shown(cluster, held, "JobState") == "COMPLETED")
