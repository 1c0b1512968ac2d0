"""flurmd as the nodes of a real slurmctld, in namespaces of their own: Slurm's own programs run jobs on it."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.slurm import roots
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
        more = "TreeWidth=2\\nProlog=/mnt/cluster/prolog\\nEpilog=/mnt/cluster/epilog\\n"
        self.sandbox.run(f"mkdir -p {CLUSTER_DIR}/state; printf '{more}' >> /etc/slurm/slurm.conf")
        for program in ("prolog", "epilog"):
            self.sandbox.write(f"{CLUSTER_DIR}/{program}", f"#!/bin/sh\n[ ! -e /mnt/{program}-fails ]\n", mode=0o755)
        self.sandbox.write("/mnt/cluster/flurm.toml", '[flurm]\nslurm_conf = "/etc/slurm/slurm.conf"\n')
        self.sandbox.spawn(["slurmctld", "-D"], f"{CLUSTER_DIR}/ctld.out.log", foreign=self.foreign)
        for node in NODES:
            self.start_node(node)

    def start_node(self, node: str) -> None:
        """Port, size and spool come from the slurm.conf."""
        argv = [sys.executable, "-m", "flurm.cli.flurmd", "-D", "--config", "/mnt/cluster/flurm.toml", "-N", node]
        argv += ["--munge-key", MUNGE_KEY]
        self.sandbox.spawn(argv, f"{CLUSTER_DIR}/{node}.out.log", env={"PYTHONPATH": str(ROOT)})

    def kill_node(self, node: str) -> None:
        assert self.client(f"kill -9 $(cat {CLUSTER_DIR}/spool.{node}/flurmd.pid)").exit == 0

    def await_text(self, path: str, text: str) -> None:
        give_up_s = time.monotonic() + PATIENCE_S
        while text not in (shown := self.client(f"cat {path}").stdout):
            assert time.monotonic() < give_up_s, shown + self.logs()
            time.sleep(0.05)

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


@pytest.fixture(scope="module", params=["22.05", pytest.param("24.11", marks=pytest.mark.trixie)])
def slurm(request):
    if request.param != "22.05" and not roots.ready():
        pytest.skip(f"no Slurm {request.param} in {roots.directory()}")
    with FlurmNodes(request.param) as cluster:
        yield cluster


def test_a_wrapped_command_runs_and_leaves_nothing_behind(slurm):
    job = slurm.submit("-o out --wrap 'echo hello from $SLURMD_NODENAME; exit 3'")
    shown = slurm.await_state(job, "FAILED")
    assert "ExitCode=3:0" in shown
    assert slurm.client("cat /mnt/alice/out").stdout == "hello from n1\n"
    slurm.await_idle(PATIENCE_S)


def test_a_cancelled_job_says_so_in_its_output(slurm):
    job = slurm.submit("-o cancelled --wrap 'echo begun; sleep 600'")
    slurm.await_text("/mnt/alice/cancelled", "begun")
    assert slurm.client(f"scancel {job}", user="alice").exit == 0
    assert "ExitCode=0:15" in slurm.await_state(job, "CANCELLED")
    slurm.await_idle(PATIENCE_S)
    assert f"slurmstepd: error: *** JOB {job} ON n1 CANCELLED AT 20" in slurm.client("cat /mnt/alice/cancelled").stdout


def test_a_signal_and_a_message_reach_the_script(slurm):
    script = 'trap "echo got it" USR1; echo begun; while :; do sleep 0.1; done'
    job = slurm.submit(f"-o signalled --wrap '{script}'")
    slurm.await_text("/mnt/alice/signalled", "begun")
    slurm.client(f"scontrol notify {job} hello there", user="alice")
    slurm.await_text("/mnt/alice/signalled", "slurmstepd: error: hello there")
    slurm.client(f"scancel -b -s USR1 {job}", user="alice")
    slurm.await_text("/mnt/alice/signalled", "got it")
    slurm.client(f"scontrol suspend {job}")
    slurm.await_state(job, "SUSPENDED")
    slurm.client(f"scontrol resume {job}")
    slurm.await_state(job, "RUNNING")
    slurm.client(f"scontrol requeue {job}", user="alice")
    slurm.await_text("/mnt/alice/signalled", "DUE TO JOB REQUEUE")
    slurm.client(f"scancel {job}", user="alice")
    slurm.await_idle(PATIENCE_S)


def test_a_job_on_all_nodes_is_ended_on_all_nodes(slurm):
    job = slurm.submit("-N 4 -o wide --wrap 'echo $SLURM_JOB_NODELIST'")
    slurm.await_state(job, "COMPLETED")
    slurm.await_idle(PATIENCE_S)
    assert slurm.client("cat /mnt/alice/wide").stdout == "n[1-4]\n"


def test_a_job_survives_its_killed_node_daemon(slurm):
    job = slurm.submit("-o survivor --wrap 'echo begun; until test -e go; do sleep 0.1; done; exit 6'")
    slurm.await_text("/mnt/alice/survivor", "begun")
    slurm.kill_node("n1")
    slurm.client("touch go", user="alice")
    slurm.start_node("n1")
    assert "ExitCode=6:0" in slurm.await_state(job, "FAILED")
    slurm.await_idle(PATIENCE_S)


def test_an_array_runs_to_its_end(slurm):
    job = slurm.submit("-a 1-20 -o array.%a --wrap 'echo $SLURM_ARRAY_TASK_ID'")
    slurm.await_idle(PATIENCE_S)
    give_up_s = time.monotonic() + PATIENCE_S
    while slurm.client(f"squeue -h -j {job}").stdout.strip():
        assert time.monotonic() < give_up_s
        time.sleep(0.1)
    assert slurm.client("cat array.* | sort -n | tail -1", user="alice").stdout == "20\n"


def test_the_controller_shows_the_nodes_release_and_size(slurm):
    shown = slurm.client("scontrol show node n1").stdout
    assert f"Version={slurm.release}.0" in shown
    assert "CPUTot=2" in shown


def test_a_prolog_that_fails_holds_the_job_and_drains_the_node(slurm):
    slurm.sandbox.write("/mnt/prolog-fails", "")
    job = slurm.submit("-w n2 --wrap true")
    await_drained(slurm, "n2", "Prolog error")
    slurm.sandbox.run(["rm", "/mnt/prolog-fails"])
    assert "Reason=launch_failed_requeued_held" in slurm.await_state(job, "PENDING")
    assert slurm.client(f"scancel {job}; scontrol update nodename=n2 state=resume").exit == 0
    slurm.await_idle(PATIENCE_S)


def test_an_epilog_that_fails_drains_the_node(slurm):
    slurm.sandbox.write("/mnt/epilog-fails", "")
    slurm.submit("-w n2 --wrap true")
    await_drained(slurm, "n2", "Epilog error")
    slurm.sandbox.run(["rm", "/mnt/epilog-fails"])
    assert slurm.client("scontrol update nodename=n2 state=resume").exit == 0
    slurm.await_idle(PATIENCE_S)


def await_drained(slurm, node: str, reason: str) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while (seen := slurm.client(f"sinfo -h -n {node} -p debug -o '%T %E'").stdout) != f"drained {reason}\n":
        assert time.monotonic() < give_up_s, seen + slurm.logs()
        time.sleep(0.05)
