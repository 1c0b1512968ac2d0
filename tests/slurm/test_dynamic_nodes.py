"""Debian's slurmd 22.05 with -Z: a node that FLURM was never told of joins, works, is deleted and comes back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.slurm.flurm_cluster import PROGRAMS, start_flurm
from tests.slurm.real_slurmd import await_job, await_node, await_text, submit
from tests.slurm.sandbox import CLUSTER_DIR, Sandbox
from tests.slurm.slurm_conf import slurm_conf
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm

DYNAMIC = "MaxNodeCount=8\nTreeWidth=65533\nNodeSet=late Feature=x\nPartitionName=late Nodes=late\n"
"""Without a wide tree slurmd 22.05 refuses to be dynamic."""


def conf() -> str:
    return slurm_conf().replace("PartitionName=debug Nodes=n[1-4]", "PartitionName=debug Nodes=ALL") + DYNAMIC


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    if reason := why_not("22.05") or (None if shutil.which("slurmd") else "slurmd is not installed"):
        pytest.skip(reason)
    with Sandbox() as made:
        start_flurm(made, conf(), nodes=("n1",))
        made.write("/etc/slurm/cgroup.conf", "CgroupPlugin=cgroup/v1\n")
        made.run(["mkdir", "-p", f"{CLUSTER_DIR}/spool.dyn1"])
        await_node(made, "n1")
        yield made


def start_dynamic(sandbox: Sandbox, line: str) -> subprocess.Popen[bytes]:
    words = ["slurmd", "-D", "-vvv", "-Z", "-N", "dyn1", "--conf", line]
    return sandbox.spawn(words, f"{CLUSTER_DIR}/real-dyn1.out.log")


def stop_dynamic(sandbox: Sandbox, daemon: subprocess.Popen[bytes]) -> None:
    assert sandbox.run(f"kill $(cat {CLUSTER_DIR}/slurmd.dyn1.pid)").exit == 0
    daemon.wait(20)


def shown(sandbox: Sandbox) -> str:
    return sandbox.run("scontrol -o show node dyn1").stdout


def test_a_dynamic_node_joins_works_is_deleted_and_comes_back(sandbox: Sandbox) -> None:
    daemon = start_dynamic(sandbox, "Feature=x,y Weight=7")
    await_node(sandbox, "dyn1")
    for word in ("State=IDLE+DYNAMIC_NORM", "AvailableFeatures=x,y", "Weight=7", "Partitions=debug,late"):
        assert word in shown(sandbox)
    job = submit(sandbox, "-p late", "echo on $SLURMD_NODENAME; sleep 60")
    await_text(sandbox, f"/mnt/alice/slurm-{job}.out", "on dyn1")

    refused = sandbox.run("scontrol delete nodename=dyn1")
    assert (refused.exit, refused.stdout + refused.stderr) == (
        1, "scontrol: error: failed to delete nodes dyn1\ndelete_node nodename=dyn1: Requested nodes are busy\n"
    )  # fmt: skip
    assert sandbox.run(f"scancel {job}", "alice").exit == 0
    await_node(sandbox, "dyn1")
    gone = sandbox.run("scontrol delete nodename=dyn1")
    assert (gone.exit, gone.stdout + gone.stderr) == (0, "")
    assert "dyn1 not found" in shown(sandbox)
    stop_dynamic(sandbox, daemon)

    daemon = start_dynamic(sandbox, "CPUs=1 RealMemory=300")
    await_node(sandbox, "dyn1")
    assert "CPUTot=1" in shown(sandbox) and "RealMemory=300" in shown(sandbox)
    job = submit(sandbox, "-w dyn1", "echo again")
    await_job(sandbox, job, "COMPLETED")
    stop_dynamic(sandbox, daemon)


def test_scontrol_creates_nodes_and_says_why_it_does_not(sandbox: Sandbox) -> None:
    def said(command: str, user: str = "root") -> str:
        outcome = sandbox.run(f"scontrol {command}", user)
        return outcome.stdout + outcome.stderr

    assert said("create nodename=c1 state=cloud cpus=4 feature=x") == ""
    assert "State=IDLE+CLOUD+DYNAMIC_NORM+POWERED_DOWN" in said("-o show node c1")
    assert said("create nodename=f1 state=future") == ""
    assert "f1" not in sandbox.run("sinfo -N").stdout
    assert "c1" in sandbox.run("sinfo -h -p late -o %N").stdout
    wrong = "Error creating the node(s): Invalid node state specified"
    only = "scontrol: error: Only State=FUTURE and State=CLOUD allowed for nodes created by scontrol"
    assert said("create nodename=g1 cpus=4") == f"{only}\n{wrong}\n"
    assert said("create nodename=g1 bogus=4 state=future") == (
        "scontrol: error: Failed to parse nodeline 'nodename=g1 bogus=4 state=future'\n"
        "Error creating the node(s): Unspecified error\n"
    )
    assert said("create nodename=g1 state=future", "alice") == "Error creating the node(s): Invalid user id\n"
    assert said("delete nodename=nope") == (
        "scontrol: error: failed to delete nodes nope\ndelete_node nodename=nope: Invalid node name specified\n"
    )
    assert said("delete nodename=c1,f1") == ""


def test_flurms_own_scontrol_says_what_slurms_does(sandbox: Sandbox) -> None:
    for words in (
        "delete nodename=nope",
        "delete nodename=",
        "create nodename=g1 cpus=2",
        "create nodename=n1 state=future",
    ):
        slurms = sandbox.run(f"scontrol {words}")
        own = sandbox.run(f"FLURM_CONF={CLUSTER_DIR}/flurm.toml {PROGRAMS / 'flurm'} scontrol {words}")
        assert (own.exit, own.stdout, own.stderr) == (slurms.exit, slurms.stdout, slurms.stderr)
        assert own.exit == 1
