"""Real slurmd 22.05 as a node of any controller that speaks Slurm."""

from __future__ import annotations

import subprocess
import time

from tests.slurm.sandbox import CLUSTER_DIR, Sandbox


def start_real_slurmd(sandbox: Sandbox, node: str, slurm_conf_text: str) -> subprocess.Popen[bytes]:
    """Start Debian's slurmd as `node` in a sandbox, with a slurm.conf that names the controller's address and port.

    The text also becomes /etc/slurm/slurm.conf, for whatever the node's jobs run.
    """
    sandbox.write("/etc/slurm/slurm.conf", slurm_conf_text)
    sandbox.write("/etc/slurm/cgroup.conf", "CgroupPlugin=cgroup/v1\n")
    sandbox.run(["mkdir", "-p", f"{CLUSTER_DIR}/spool.{node}"])
    return sandbox.spawn(["slurmd", "-D", "-vv", "-N", node], f"{CLUSTER_DIR}/real-{node}.out.log")


def await_node(sandbox: Sandbox, node: str, state: str = "idle", deadline_s: float = 30) -> None:
    """Wait until sinfo shows the node in a state; raises AssertionError with the daemons' logs."""
    give_up = time.monotonic() + deadline_s
    while (seen := sandbox.run(f"sinfo -h -n {node} -p debug -o %T").stdout.strip()) != state:
        if time.monotonic() > give_up:
            logs = sandbox.run(f"tail -n 25 {CLUSTER_DIR}/*.out.log").stdout
            raise AssertionError(f"{node} is {seen!r}, not {state!r}\n{logs}")
        time.sleep(0.05)
