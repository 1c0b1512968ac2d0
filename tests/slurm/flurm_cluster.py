"""FLURM in a sandbox, in the place of slurmctld and slurmd.

Everything that knows how FLURM is started is `start_flurm`. Its contract:

    given     a sandbox, the text of a slurm.conf (controller `ctl` at 127.0.0.1:6817, nodes n1-n4 at ports 17001-17004
              of 127.0.0.1), the path of a munge key in the sandbox
    does      starts `flurm foreground --config FILE` with a flurm.toml of `slurm_conf`, `munge_key`, `state_dir` and
              `log_dir`, and one `flurmd --config FILE` per node with the same keys and `[flurm.slurmd] node_name` and
              `spool_dir`; all as root, with the programs beside this interpreter
    returns   a `Flurm`: the daemons, `stop()`, which ends the controller and the nodes in order

The nodes are up some time later: who calls waits for that.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.slurm.cluster import Cluster
from tests.slurm.sandbox import CLUSTER_DIR, MUNGE_KEY, Sandbox
from tests.slurm.slurm_conf import NODES, slurm_conf

PROGRAMS = Path(sys.executable).parent
_FLURM_TOML = """\
[flurm]
slurm_conf = "{slurm_conf}"
munge_key = "{munge_key}"
state_dir = "{directory}/flurm"
log_dir = "{directory}/flurm-log"
"""
_NODE_TOML = """\

[flurm.slurmd]
node_name = "{node}"
spool_dir = "{directory}/spool.{node}"
"""


@dataclass
class Flurm:
    """A started controller and its node daemons, by node name."""

    controller: subprocess.Popen[bytes]
    nodes: dict[str, subprocess.Popen[bytes]]

    def stop(self, deadline_s: float = 10) -> None:
        """Ask the controller, then the nodes, to end; kill what does not."""
        for daemon in (self.controller, *self.nodes.values()):
            daemon.terminate()
        for daemon in (self.controller, *self.nodes.values()):
            try:
                daemon.wait(deadline_s)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def installed() -> bool:
    """Whether this environment has FLURM's programs."""
    return all((PROGRAMS / name).exists() for name in ("flurm", "flurmd"))


def start_flurm(
    sandbox: Sandbox,
    slurm_conf_text: str,
    munge_key: str = MUNGE_KEY,
    nodes: tuple[str, ...] = NODES,
    settings: str = "",
    slurm_conf_path: str = "/etc/slurm/slurm.conf",
) -> Flurm:
    """Start a controller and the named nodes; see the contract above. `settings` are further lines of [flurm]; with
    another `slurm_conf_path` and no text the file is the caller's."""
    if slurm_conf_text:
        sandbox.write("/etc/slurm/slurm.conf", slurm_conf_text)
    common = _FLURM_TOML.format(directory=CLUSTER_DIR, munge_key=munge_key, slurm_conf=slurm_conf_path) + settings
    sandbox.write(f"{CLUSTER_DIR}/flurm.toml", common)
    controller = spawn(sandbox, "flurm")
    daemons = {}
    for node in nodes:
        sandbox.write(f"{CLUSTER_DIR}/{node}.toml", common + _NODE_TOML.format(directory=CLUSTER_DIR, node=node))
        daemons[node] = spawn(sandbox, node)
    return Flurm(controller, daemons)


def spawn(sandbox: Sandbox, name: str) -> subprocess.Popen[bytes]:
    """Start the controller (`flurm`) or a node daemon, by node name, with the configuration that it had before."""
    words = [str(PROGRAMS / "flurm"), "foreground"] if name == "flurm" else [str(PROGRAMS / "flurmd"), "--foreground"]
    return sandbox.spawn([*words, "--config", f"{CLUSTER_DIR}/{name}.toml"], f"{CLUSTER_DIR}/{name}.out.log")


class FlurmCluster(Cluster):
    """FLURM with clients of a release; everything else as in a real cluster."""

    def start(self) -> None:
        """Start the controller and all nodes."""
        self.flurm = start_flurm(self.sandbox, slurm_conf())
