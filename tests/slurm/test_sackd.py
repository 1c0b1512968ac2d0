"""Programs of 24.11 without a slurm.conf: sackd on a login node, slurmd, also one that no configuration names.

FLURM gives them its files, and again when those change.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.slurm import roots
from tests.slurm.flurm_cluster import start_flurm
from tests.slurm.real_slurmd import await_text
from tests.slurm.sandbox import CLUSTER_DIR, Sandbox
from tests.slurm.slurm_conf import slurm_conf
from tests.slurm.test_clients import why_not

pytestmark = [pytest.mark.slurm, pytest.mark.trixie]

SITE = f"{CLUSTER_DIR}/site"
SERVER = ("--conf-server", "127.0.0.1:6817")
CONF = slurm_conf() + "SlurmctldParameters=enable_configless\nMaxNodeCount=10\nInclude more.conf\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A controller with its files in a place of its own, and a sackd that has found it."""
    if reason := why_not("24.11"):
        pytest.skip(reason)
    if not (roots.directory() / "usr/sbin/sackd").exists():
        pytest.skip("no sackd of Slurm 24.11 in the root (package sackd)")
    with Sandbox(roots.directory()) as made:
        made.run(f"mkdir -p {SITE} /run/slurm {CLUSTER_DIR}/spool.n3 {CLUSTER_DIR}/spool.dyn1")
        made.write(f"{SITE}/slurm.conf", CONF)
        made.write(f"{SITE}/more.conf", "KillWait=3\n")
        made.write(f"{SITE}/cgroup.conf", "CgroupPlugin=disabled\n")
        start_flurm(made, "", nodes=(), slurm_conf_path=f"{SITE}/slurm.conf")
        give_up = time.monotonic() + 20
        while "UP" not in made.run(f"SLURM_CONF={SITE}/slurm.conf scontrol ping", foreign=True).stdout:
            assert time.monotonic() < give_up, made.read(f"{CLUSTER_DIR}/flurm.out.log")
        made.spawn(["/usr/sbin/sackd", "-D", *SERVER], f"{CLUSTER_DIR}/sackd.out.log", foreign=True)
        await_text(made, "/run/slurm/conf/more.conf", "KillWait=3")
        yield made


def await_up(sandbox: Sandbox, node: str) -> None:
    give_up = time.monotonic() + 30
    while "State=IDLE" not in (seen := sandbox.run(f"scontrol show node {node}", foreign=True).stdout):
        assert time.monotonic() < give_up, f"{seen}\n{sandbox.read(f'{CLUSTER_DIR}/{node}.out.log')[-2000:]}"
        time.sleep(0.1)


def test_clients_find_the_cluster_by_what_sackd_has_fetched(sandbox: Sandbox) -> None:
    assert sandbox.run("scontrol ping", foreign=True).stdout == "Slurmctld(primary) at ctl is UP\n"


def test_node_daemons_fetch_their_files_be_they_named_there_or_not(sandbox: Sandbox) -> None:
    sandbox.spawn(["slurmd", "-D", "-N", "n3", *SERVER], f"{CLUSTER_DIR}/n3.out.log", foreign=True)
    joins = ["slurmd", "-D", "-Z", "-N", "dyn1", "--conf", "CPUs=1 Port=17099", *SERVER]
    sandbox.spawn(joins, f"{CLUSTER_DIR}/dyn1.out.log", foreign=True)
    for node in ("n3", "dyn1"):
        await_up(sandbox, node)


def test_all_of_them_are_given_the_new_files_when_these_change(sandbox: Sandbox) -> None:
    sandbox.write(f"{SITE}/more.conf", "KillWait=4\nMaxJobCount=777\n")
    done = sandbox.run("scontrol reconfigure", foreign=True)
    assert (done.exit, done.stderr) == (0, "")
    for cache in ("/run/slurm/conf", f"{CLUSTER_DIR}/spool.n3/conf-cache", f"{CLUSTER_DIR}/spool.dyn1/conf-cache"):
        await_text(sandbox, f"{cache}/more.conf", "MaxJobCount=777")
