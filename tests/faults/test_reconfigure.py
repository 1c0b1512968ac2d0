"""A new configuration under three controllers: all switch together, and one whose file was forgotten says so."""

from __future__ import annotations

import os
import signal

import pytest

from tests.faults.controllers import Controllers, why_not
from tests.slurm.sandbox import CLUSTER_DIR

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

thorough = pytest.mark.skipif("FLURM_THOROUGH" not in os.environ, reason="FLURM_THOROUGH is not set")


@pytest.fixture(scope="module")
def cluster():
    with Controllers() as found:
        yield found


def write(cluster, names, lines):
    """Give these controllers the file that they began with, and further lines of [flurm]."""
    for name in names:
        text = cluster.sandbox.read(f"{cluster.config_of(name)}.first") or cluster.sandbox.read(cluster.config_of(name))
        cluster.sandbox.write(f"{cluster.config_of(name)}.first", text)
        cluster.sandbox.write(cluster.config_of(name), text.replace("[flurm]\n", f"[flurm]\n{lines}", 1))


def configurations(cluster, asked):
    """What the members have, as one of them tells."""
    return {row["member"]: row["configuration"] for row in cluster.status(asked).get("members", [])}


def shown(cluster, key):
    """A value of `scontrol show config`, from whichever controller leads."""
    lines = cluster.command("scontrol show config").splitlines()
    return next((line.partition("=")[2].strip() for line in lines if line.startswith(f"{key} ")), "")


def reconfigure(cluster):
    done = cluster.sandbox.run("scontrol reconfigure")
    return done.exit, done.stderr.strip()


def lead_by(cluster, name):
    cluster.flurm(f"cluster transfer-leadership {name} --config {cluster.config_of('c1')}")
    cluster.await_that(f"{name} leads", lambda: cluster.await_leader() == name)


def test_all_controllers_switch_together_and_a_failover_changes_nothing(cluster):
    write(cluster, cluster.members, "max_job_count = 4321\nkill_wait = 7\n")
    assert reconfigure(cluster) == (0, "")
    same = dict.fromkeys(cluster.members, "same")
    for name in cluster.members:
        cluster.await_that(f"{name} says that all have it", lambda name=name: configurations(cluster, name) == same)
    leader = cluster.await_leader()
    lead_by(cluster, next(name for name in cluster.members if name != leader))
    assert (shown(cluster, "MaxJobCount"), shown(cluster, "KillWait")) == ("4321", "7 sec")


def test_a_bad_file_is_refused_as_a_whole_with_an_error(cluster):
    write(cluster, cluster.members, 'max_job_count = 5\nkill_wait = "soon"\n')
    code, text = reconfigure(cluster)
    write(cluster, cluster.members, "max_job_count = 4321\nkill_wait = 7\n")
    assert code == 1
    assert "kill_wait = 'soon'" in text and "slurm_reconfigure error: " in text
    assert (shown(cluster, "MaxJobCount"), shown(cluster, "KillWait")) == ("4321", "7 sec")


@thorough
def test_a_controller_with_an_old_file_says_so_and_does_not_bring_it_back_when_it_leads(cluster):
    lead_by(cluster, "c1")
    write(cluster, ("c1", "c3"), "max_job_count = 1234\nkill_wait = 7\n")
    assert reconfigure(cluster) == (0, "")
    wanted = {"c1": "same", "c2": "DIFFERS", "c3": "same"}
    cluster.await_that("c2 is told of", lambda: configurations(cluster, "c3") == wanted)
    assert "configuration of the cluster not followed" in cluster.sandbox.read(f"{CLUSTER_DIR}/c2.out.log")
    assert "c2" in cluster.status("c1")["warning"]

    lead_by(cluster, "c2")
    cluster.await_that("c2 knows", lambda: "which is kept" in cluster.sandbox.read(f"{CLUSTER_DIR}/c2.out.log"))
    cluster.kill("c2")
    cluster.await_leader(("c1", "c3"), but="c2")
    assert configurations(cluster, "c1") | {"c2": ""} == {"c1": "same", "c2": "", "c3": "same"}
    cluster.start("c2")
    cluster.await_that("c2 is told of again", lambda: configurations(cluster, "c3") == wanted)

    write(cluster, ("c2",), "max_job_count = 1234\nkill_wait = 7\n")
    assert reconfigure(cluster) == (0, "")
    same = dict.fromkeys(cluster.members, "same")
    cluster.await_that("c2 has it now", lambda: configurations(cluster, "c2") == same)


@thorough
def test_a_hangup_of_any_controller_reconfigures_the_cluster(cluster):
    lead_by(cluster, "c1")
    write(cluster, cluster.members, "max_job_count = 77\n")
    os.kill(cluster.pid_of("c3"), signal.SIGHUP)
    cluster.await_that("all have it", lambda: shown(cluster, "MaxJobCount") == "77")
    same = dict.fromkeys(cluster.members, "same")
    cluster.await_that("and say so", lambda: configurations(cluster, "c2") == same)
