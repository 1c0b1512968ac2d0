"""Records what Slurm's clients print of each slurm.conf in tests/data/slurmconf under real slurmctld.

    FLURM_ROOTS=... python -m tests.config.record_texts [22.05] [24.11]

Needs what record_echo needs. `Clients` is a sandbox in which either slurmctld or FLURM runs on a file, at its port, on
a host that is called as the file says.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import sys
import time
from pathlib import Path

import flurm
from flurm.config.slurmconf import read_slurm_conf
from tests.config import echo, texts
from tests.config.record_echo import Slurmctld
from tests.slurm.flurm_cluster import PROGRAMS
from tests.slurm.sandbox import MUNGE_KEY

_KEY = f"mkdir -p /etc/munge && mount -t tmpfs tmpfs /etc/munge && cp {MUNGE_KEY} /etc/munge/munge.key"
_ADDRESS = re.compile(r"(?im)^\s*(?:SlurmctldHost=\S+?\((\d[\d.]+)\)|ControlAddr=(\d[\d.]+))")
_STATE = "/mnt/cluster/flurm"
_OWN = {"FLURM_CONF": "/mnt/cluster/flurm.toml"}
"""Where FLURM's state is, in the sandbox and not in the machine's /var/lib."""
_UP_S = 10


class NotUp(Exception):
    """The controller did not answer in time; the text is its log's end."""


class Clients(Slurmctld):
    """The clients of a release beside a controller that is started anew on each file."""

    def __init__(self, release: str) -> None:
        super().__init__(release)
        self.release = release
        self.sandbox.run(_KEY)
        self.sandbox.write("/mnt/cluster/flurm.toml", f'[flurm]\nstate_dir = "{_STATE}"\n')

    def user_of(self, name: str) -> str:
        """The SlurmUser of a file."""
        setting = read_slurm_conf(str(echo.path_of(name))).last().get("SlurmUser")
        return "root" if setting is None else setting.value

    def may_read(self) -> bool:
        """Whether any user may read where FLURM and its Python lie."""
        places = " ".join([str(Path(flurm.__file__).parent), sys.prefix, sys.base_prefix])
        return self.sandbox.run(f"ls -d {places}", user="bob").exit == 0

    def place(self, path: Path, host: str) -> None:
        """As before, and with the address of the first controller."""
        super().place(path, host)
        if found := _ADDRESS.search(path.read_bytes().decode()):
            self.sandbox.run(f"ip address add {found[1] or found[2]}/32 dev lo")

    def under_slurmctld(self, name: str) -> texts.Texts:
        """What they print of a file under slurmctld."""
        self.place(echo.path_of(name), echo.host_of(name))
        return self._texts(["slurmctld", "-D", "-f", "/etc/slurm/slurm.conf"], foreign=self.foreign)

    def under_flurm(self, name: str) -> texts.Texts:
        """The same under FLURM."""
        self.place(echo.path_of(name), echo.host_of(name))
        self.sandbox.run(f"rm -rf {_STATE}")
        return self._texts([str(PROGRAMS / "flurm"), "slurmctld", "-D", "-f", "/etc/slurm/slurm.conf"], foreign=False)

    def _texts(self, command: list[str], *, foreign: bool) -> texts.Texts:
        log = "/mnt/cluster/controller.log"
        self.sandbox.run(["rm", "-f", log])
        shell = f"echo $$ >/mnt/cluster/controller.pid; exec {' '.join(command)}"
        daemon = self.sandbox.spawn(["bash", "-c", shell], log, env=_OWN, foreign=foreign)
        give_up = time.monotonic() + _UP_S
        try:
            while self._print("scontrol show config") == "":
                if daemon.poll() is not None or time.monotonic() > give_up:
                    raise NotUp(self.sandbox.read(log)[-2000:])
            return {each: self._print(each) for each in texts.COMMANDS}
        finally:
            self.sandbox.run("kill -9 $(cat /mnt/cluster/controller.pid)")
            daemon.wait()

    def _print(self, command: str) -> str:
        done = self.sandbox.run(command, foreign=self.foreign)
        return done.stdout if done.exit == 0 else ""


def record(release: str) -> dict[str, texts.Texts]:
    """The texts of every file that slurmctld takes."""
    with Clients(release) as clients:
        found = {}
        for name in echo.names():
            with contextlib.suppress(NotUp):
                found[name] = clients.under_slurmctld(name)
        return found


def main(releases: list[str]) -> None:
    """Record the releases named, or all."""
    for release in releases or list(echo.RELEASES):
        data = json.dumps(record(release), indent=1, sort_keys=True).encode()
        target: Path = texts.path_of(release)
        target.write_bytes(gzip.compress(data, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
