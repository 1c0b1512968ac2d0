"""A real Slurm cluster whose users type FLURM's own commands: the stories of tests/slurm are played with them."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from tests.slurm.cluster import RealCluster
from tests.slurm.sandbox import CLUSTER_DIR, Outcome

COMMANDS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue")
BIN = f"{CLUSTER_DIR}/bin"
CONFIG = f"{CLUSTER_DIR}/client.toml"
SOURCE = Path(__file__).parents[2]
_TOML = f"""\
[flurm]
slurm_conf = "/etc/slurm/slurm.conf"
munge_key = "{CLUSTER_DIR}/munge.key"
munge_socket = "/run/munge/munge.socket.2"
state_dir = "{CLUSTER_DIR}/client-state"
"""


def python_for_everybody() -> str | None:
    """A python of this version that ordinary users may run; None where there is none."""
    candidate = Path(f"/usr/bin/{Path(sysconfig.get_config_var('EXENAME') or 'python3.11').name}")
    return str(candidate) if os.access(candidate, os.X_OK) else None


class OwnCommands(RealCluster):
    """slurmctld and slurmd are Debian's; sbatch, squeue and their like are FLURM's for users of `client`."""

    def start(self) -> None:
        """Start the cluster, then put the commands on the users' path."""
        super().start()
        self.sandbox.open_to_others(SOURCE / "flurm", Path(sysconfig.get_paths()["purelib"]))
        self.sandbox.write(CONFIG, _TOML)
        paths = f"{SOURCE}:{sysconfig.get_paths()['purelib']}"
        for name in COMMANDS:
            script = f"#!/bin/sh\nexport FLURM_CONF={CONFIG} PYTHONPATH={paths}\n"
            script += f'exec {python_for_everybody()} -m flurm.client.main {name} "$@"\n'
            self.sandbox.write(f"{BIN}/{name}", script, mode=0o755)

    def client(self, command: str, user: str = "root", timeout_s: int = 60) -> Outcome:
        """Run a shell command of `user` with FLURM's commands first on the path."""
        return self.sandbox.run(f"export PATH={BIN}:$PATH\n{command}", user=user, timeout_s=timeout_s)
