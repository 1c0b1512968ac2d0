"""flurmd as the nodes of a real slurmctld 22.05, in namespaces of their own: Slurm's own programs run jobs on it."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.sandbox import CLUSTER_DIR, MUNGE_KEY
from tests.slurm.slurm_conf import NODES

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("slurmctld") is None, reason="needs root and slurmctld"),
]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0


class FlurmNodes(Cluster):
    """Debian's slurmctld, with flurmd for all of its nodes."""

    def start(self) -> None:
        self.sandbox.run(f"mkdir -p {CLUSTER_DIR}/state")
        self.sandbox.write("/mnt/cluster/flurm.toml", '[flurm]\nslurm_conf = "/etc/slurm/slurm.conf"\n')
        self.sandbox.spawn(["slurmctld", "-D"], f"{CLUSTER_DIR}/ctld.out.log")
        for index, node in enumerate(NODES):
            self.start_node(node, 17001 + index)

    def start_node(self, node: str, port: int) -> None:
        argv = [sys.executable, "-m", "flurm.cli.flurmd", "-D", "--config", "/mnt/cluster/flurm.toml", "-N", node]
        argv += ["--port", str(port), "--munge-key", MUNGE_KEY, "--spool-dir", f"{CLUSTER_DIR}/spool.{node}"]
        argv += ["--cpus", "2", "--memory", "1000"]
        self.sandbox.spawn(argv, f"{CLUSTER_DIR}/{node}.out.log", env={"PYTHONPATH": str(ROOT)})

    def await_state(self, job_id: str, state: str) -> str:
        """Wait for a job's state; what `scontrol show job` says then."""
        give_up_s = time.monotonic() + PATIENCE_S
        while f"JobState={state} " not in (shown := self.client(f"scontrol show job {job_id}").stdout):
            assert time.monotonic() < give_up_s, shown + self.logs()
            time.sleep(0.05)
        return shown

    def submit(self, options: str) -> str:
        done = self.client(f"sbatch --parsable {options}", user="alice")
        assert done.exit == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def slurm():
    with FlurmNodes("22.05") as cluster:
        yield cluster


def test_a_wrapped_command_runs_and_leaves_nothing_behind(slurm):
    job = slurm.submit("-o out --wrap 'echo hello from $SLURMD_NODENAME; exit 3'")
    shown = slurm.await_state(job, "FAILED")
    assert "ExitCode=3:0" in shown
    assert slurm.client("cat /mnt/alice/out").stdout == "hello from n1\n"
    slurm.await_idle(PATIENCE_S)


def test_a_cancelled_job_says_so_in_its_output(slurm):
    job = slurm.submit("-o cancelled --wrap 'echo begun; sleep 600'")
    slurm.await_state(job, "RUNNING")
    while not slurm.client("cat /mnt/alice/cancelled").stdout:
        time.sleep(0.05)
    assert slurm.client(f"scancel {job}", user="alice").exit == 0
    assert "ExitCode=0:15" in slurm.await_state(job, "CANCELLED")
    slurm.await_idle(PATIENCE_S)
    assert f"slurmstepd: error: *** JOB {job} ON n1 CANCELLED AT 20" in slurm.client("cat /mnt/alice/cancelled").stdout


def test_the_controller_shows_the_nodes_release_and_size(slurm):
    shown = slurm.client("scontrol show node n1").stdout
    assert "Version=22.05.0" in shown
    assert "CPUTot=2" in shown
