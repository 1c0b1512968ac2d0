"""A real Slurm cluster in a sandbox: slurmctld and four slurmd, of Debian 12 (22.05) or of a foreign root (24.11).

`RealCluster("22.05")` is up when the constructor returns: every node is idle. It is what the goldens are recorded from.
Whatever can run stories offers the same three things: `release`, `sandbox` and `client(command, user)`.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.slurm import roots
from tests.slurm.sandbox import CLUSTER_DIR, Outcome, Sandbox
from tests.slurm.slurm_conf import NODES, slurm_conf

RELEASES = ("22.05", "24.11")


class ClusterNotUp(Exception):
    """The nodes were not idle in time; the text holds what the daemons logged."""


class Cluster:
    """Clients of one release in a sandbox; subclasses bring the controller and the nodes."""

    def __init__(self, release: str) -> None:
        self.release = release
        self.foreign = release != "22.05"
        root: Path | None = roots.ensure() if self.foreign else None
        self.sandbox = Sandbox(root)
        try:
            self.sandbox.write("/etc/slurm/slurm.conf", slurm_conf())
            self.start()
            self.await_idle()
        except BaseException:
            self.sandbox.close()
            raise

    def start(self) -> None:
        """Start the controller and the nodes."""
        raise NotImplementedError

    def logs(self) -> str:
        """The last lines of the daemons' logs, for a failure's message."""
        return self.sandbox.run(f"tail -n 15 {CLUSTER_DIR}/*.out.log").stdout

    def client(self, command: str, user: str = "root", timeout_s: int = 30) -> Outcome:
        """Run a shell command of `user` with the clients of this release on the path."""
        return self.sandbox.run(command, user=user, foreign=self.foreign, timeout_s=timeout_s)

    def await_idle(self, deadline_s: float = 30) -> None:
        """Wait until all nodes are idle."""
        give_up = time.monotonic() + deadline_s
        while True:
            seen = self.client("sinfo -h -N -p debug -o '%N %T'").stdout.split()
            if seen == [word for node in NODES for word in (node, "idle")]:
                return
            if time.monotonic() > give_up:
                raise ClusterNotUp(f"nodes are {' '.join(seen)!r}\n{self.logs()}")
            time.sleep(0.1)

    def close(self) -> None:
        """Kill the cluster."""
        self.sandbox.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RealCluster(Cluster):
    """Debian's slurmctld and slurmd."""

    def start(self) -> None:
        """slurmctld first, so that the nodes' first registration succeeds."""
        plugin = "disabled" if self.foreign else "cgroup/v1"
        self.sandbox.write("/etc/slurm/cgroup.conf", f"CgroupPlugin={plugin}\n")
        self.sandbox.run(f"mkdir -p {CLUSTER_DIR}/state {' '.join(f'{CLUSTER_DIR}/spool.{n}' for n in NODES)}")
        self.sandbox.spawn(["slurmctld", "-D"], f"{CLUSTER_DIR}/ctld.out.log", foreign=self.foreign)
        give_up = time.monotonic() + 20
        while "UP" not in self.client("scontrol ping").stdout and time.monotonic() < give_up:
            time.sleep(0.1)
        for node in NODES:
            self.sandbox.spawn(["slurmd", "-D", "-N", node], f"{CLUSTER_DIR}/{node}.out.log", foreign=self.foreign)
