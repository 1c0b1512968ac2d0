"""Real slurmd as a node of any controller that speaks Slurm: Debian's 22.05, or 24.11 of a foreign root."""

from __future__ import annotations

import subprocess
import time

from tests.slurm.sandbox import CLUSTER_DIR, Sandbox


def start_real_slurmd(
    sandbox: Sandbox, node: str, slurm_conf_text: str, foreign: bool = False
) -> subprocess.Popen[bytes]:
    """Start slurmd as `node` in a sandbox, with a slurm.conf that names the controller's address and port.

    The text also becomes /etc/slurm/slurm.conf, for whatever the node's jobs run.
    """
    sandbox.write("/etc/slurm/slurm.conf", slurm_conf_text)
    sandbox.write("/etc/slurm/cgroup.conf", f"CgroupPlugin={'disabled' if foreign else 'cgroup/v1'}\n")
    sandbox.run(["mkdir", "-p", f"{CLUSTER_DIR}/spool.{node}"])
    return sandbox.spawn(["slurmd", "-D", "-vvv", "-N", node], f"{CLUSTER_DIR}/real-{node}.out.log", foreign=foreign)


def kill_slurmd(sandbox: Sandbox, node: str) -> None:
    """Kill a node's daemon, and nothing of its jobs, without a word."""
    done = sandbox.run(f"kill -KILL $(cat {CLUSTER_DIR}/slurmd.{node}.pid)")
    assert done.exit == 0, done


def await_node(sandbox: Sandbox, node: str, state: str = "idle", deadline_s: float = 30) -> None:
    """Wait until sinfo shows the node in a state; raises AssertionError with the daemons' logs."""
    give_up = time.monotonic() + deadline_s
    while (seen := sandbox.run(f"sinfo -h -n {node} -p debug -o %T").stdout.strip()) != state:
        if time.monotonic() > give_up:
            raise AssertionError(f"{node} is {seen!r}, not {state!r}\n{_logs(sandbox)}")
        time.sleep(0.05)


def submit(sandbox: Sandbox, options: str, command: str, user: str = "alice") -> str:
    """Submit a command of a user; returns the job's id."""
    done = sandbox.run(f"sbatch --parsable {options} --wrap '{command}'", user)
    assert done.exit == 0, done
    return done.stdout.strip()


def await_job(sandbox: Sandbox, job: str, *states: str, deadline_s: float = 20) -> str:
    """Wait until a job is in one of some states and return which; raises AssertionError with the daemons' logs."""
    give_up = time.monotonic() + deadline_s
    while (seen := sandbox.run(f"squeue -h -t all -j {job} -o %T").stdout.strip()) not in states:
        if time.monotonic() > give_up:
            record = sandbox.run(f"scontrol show job {job}").stdout
            raise AssertionError(f"job {job} is {seen!r}, not one of {states}\n{record}\n{_logs(sandbox)}")
        time.sleep(0.05)
    return seen


def await_text(sandbox: Sandbox, path: str, text: str, deadline_s: float = 20) -> str:
    """Wait until a file inside holds a text and return all of it; raises AssertionError with the daemons' logs."""
    give_up = time.monotonic() + deadline_s
    while text not in (seen := sandbox.read(path)):
        if time.monotonic() > give_up:
            raise AssertionError(f"{path} holds {seen!r}, not {text!r}\n{_logs(sandbox)}")
        time.sleep(0.05)
    return seen


def field(sandbox: Sandbox, job: str, name: str) -> str:
    """A field of a job's record as scontrol shows it."""
    record = sandbox.run(f"scontrol -o show job {job}").stdout.split()
    return next(word.removeprefix(f"{name}=") for word in record if word.startswith(f"{name}="))


def _logs(sandbox: Sandbox) -> str:
    """The last lines of every daemon's log but for pings."""
    each = f'for f in {CLUSTER_DIR}/*.out.log; do echo "== $f"; grep -v PING "$f" | tail -n 30; done'
    return sandbox.run(each).stdout
