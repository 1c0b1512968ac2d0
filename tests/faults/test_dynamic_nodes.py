"""A flurmd that no controller was told of joins three of them with the cluster's key, and outlives their leader."""

from __future__ import annotations

import os

import pytest

from tests.faults.controllers import PROGRAMS, Controllers, why_not
from tests.slurm.sandbox import CLUSTER_DIR, MUNGE_KEY

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.skipif(not os.environ.get("FLURM_THOROUGH"), reason="twenty seconds: FLURM_THOROUGH=1 has them"),
]


def start_guest(cluster: Controllers, *more: str) -> None:
    words = [str(PROGRAMS / "flurmd"), "--foreground", "-Z", "-N", "guest", "--port", "17009", *more]
    words += ["--munge-key", MUNGE_KEY, "--spool-dir", f"{CLUSTER_DIR}/spool.guest", "--bind", "127.0.0.1"]
    for name in cluster.members:
        words += ["--controller", f"{cluster.addresses[name]}:6817"]
    cluster.daemons["guest"] = cluster.sandbox.spawn(words, f"{CLUSTER_DIR}/guest.out.log")


def run_there(cluster: Controllers, command: str, options: str = "") -> str:
    """Run a command on the guest to its end, and return what it printed."""
    words = f"sbatch --parsable --wait -D /mnt/root -o out.txt {options} -w guest --wrap '{command}'"
    done = cluster.sandbox.run(words)
    assert done.exit == 0, f"{done}\n{cluster.logs()}"
    return cluster.sandbox.read("/mnt/root/out.txt").strip()


def test_a_node_joins_three_controllers_and_is_known_to_the_next_leader():
    with Controllers() as cluster:

        def state() -> str:
            return cluster.command("sinfo -h -n guest -o %T")

        start_guest(cluster, "--conf", "Feature=late", "--cpus", "2", "--memory", "4000")
        cluster.await_that("the guest is idle", lambda: state() == "idle")
        assert run_there(cluster, "echo $SLURMD_NODENAME", "-C late") == "guest"
        leader = cluster.await_leader()
        cluster.kill(leader)
        rest = tuple(name for name in cluster.members if name != leader)
        cluster.await_leader(rest, but=leader)
        assert run_there(cluster, "echo again $SLURMD_NODENAME") == "again guest"

        cluster.kill("guest", 15)
        start_guest(cluster, "--conf", "Feature=late", "--cpus", "4", "--memory", "4000")
        cluster.await_that("it has more CPUs", lambda: cluster.command("sinfo -h -n guest -o %c") == "4")
        cluster.await_that("it is idle again", lambda: state() == "idle")
        assert run_there(cluster, "echo $SLURM_JOB_CPUS_PER_NODE", "-N 1 -n 4") == "4"

        done = cluster.sandbox.run("scontrol delete nodename=guest")
        assert done.exit == 0, done
        cluster.start(leader)
        cluster.await_leader()
        for name in cluster.members:
            shown = cluster.command(f"SLURM_CONF={cluster.conf_of(name)} scontrol show nodes guest")
            assert "State=" not in shown
