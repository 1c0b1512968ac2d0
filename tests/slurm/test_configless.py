"""slurmd 22.05 and clients that have no slurm.conf: FLURM serves theirs, and again when it changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.slurm.flurm_cluster import start_flurm
from tests.slurm.real_slurmd import await_job, await_node, await_text, submit
from tests.slurm.sandbox import CLUSTER_DIR, Sandbox
from tests.slurm.slurm_conf import slurm_conf
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm

SITE = f"{CLUSTER_DIR}/site"
SPOOL = f"{CLUSTER_DIR}/spool.n3"
CONF = slurm_conf() + "Include more.conf\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A FLURM controller whose files lie where no Slurm program looks, and no file where one does."""
    if reason := why_not("22.05") or (None if shutil.which("slurmd") else "slurmd is not installed"):
        pytest.skip(reason)
    with Sandbox() as made:
        made.run(["mkdir", "-p", SITE, "/run/slurm", f"{CLUSTER_DIR}/spool.n3"])
        made.write(f"{SITE}/slurm.conf", CONF + "SlurmctldParameters=enable_configless\n")
        made.write(f"{SITE}/more.conf", "KillWait=3\n")
        made.write(f"{SITE}/cgroup.conf", "CgroupPlugin=cgroup/v1\n")
        start_flurm(made, "", nodes=(), slurm_conf_path=f"{SITE}/slurm.conf")
        made.spawn(
            ["slurmd", "-D", "-vvv", "-N", "n3", "--conf-server", "127.0.0.1:6817"],
            f"{CLUSTER_DIR}/real-n3.out.log",
        )
        await_node(made, "n3")
        yield made


def test_slurmd_without_a_file_fetches_it_and_runs_a_batch_job(sandbox: Sandbox) -> None:
    assert sandbox.read(f"{SPOOL}/conf-cache/more.conf") == "KillWait=3\n", "an included file comes too"
    assert sandbox.read(f"{SPOOL}/conf-cache/cgroup.conf") == "CgroupPlugin=cgroup/v1\n"
    job = submit(sandbox, "-w n3", "echo $SLURMD_NODENAME; squeue -h -j $SLURM_JOB_ID -o %T; exit 5")
    await_job(sandbox, job, "FAILED")
    assert sandbox.read(f"/mnt/alice/slurm-{job}.out") == "n3\nRUNNING\n", "squeue in the job has no file either"


def test_a_reconfigure_gives_slurmd_the_new_files(sandbox: Sandbox) -> None:
    sandbox.write(f"{SITE}/more.conf", "KillWait=4\nMaxJobCount=777\n")
    sandbox.write(f"{SITE}/gres.conf", "# none\n")
    done = sandbox.run("scontrol reconfigure")
    assert (done.exit, done.stderr) == (0, "")
    await_text(sandbox, f"{SPOOL}/conf-cache/more.conf", "MaxJobCount=777")
    await_text(sandbox, f"{SPOOL}/conf-cache/gres.conf", "# none")
    assert "MaxJobCount             = 777" in sandbox.run("scontrol show config").stdout


def test_without_enable_configless_nothing_is_served(sandbox: Sandbox) -> None:
    sandbox.write(f"{SITE}/slurm.conf", CONF)
    assert sandbox.run("scontrol reconfigure").exit == 0
    refused = sandbox.run("timeout 20 slurmd -D -N n4 --conf-server 127.0.0.1:6817")
    assert refused.exit not in (0, 124), refused
    assert "ConfigLess mode is disabled" in refused.stdout + refused.stderr, refused
