"""Debian roots with newer Slurm releases than the machine's own, made by debootstrap.

`TRIXIE` (Debian 13) holds the programs of Slurm 24.11, `SID` the library of 26.05 and its plugins. `ensure()` returns
the directory of a finished root and makes it first where there is none yet: idempotent, and a matter of minutes the
first time. Roots live under FLURM_ROOTS, or ~/.cache/flurm/roots. `python -m tests.slurm.roots` makes all of them, with
names of suites as arguments those. Needs root, debootstrap and a Debian mirror.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Root(NamedTuple):
    """One root: where Debian has it, which Slurm it holds, and the files (patterns) that tell that it is finished."""

    suite: str
    release: str
    packages: tuple[str, ...]
    needed: tuple[str, ...]

    def directory(self) -> Path:
        """Where the root is, or will be."""
        base = os.environ.get("FLURM_ROOTS")
        return (Path(base) if base else Path.home() / ".cache" / "flurm" / "roots") / self.suite

    def ready(self) -> bool:
        """Whether the root holds all that is needed."""
        return all(any(self.directory().glob(pattern)) for pattern in self.needed)

    def missing(self) -> str | None:
        """Why a root can neither be used nor made here; None where it can."""
        if os.geteuid() != 0:
            return f"a Debian {self.suite} root needs root"
        if not self.ready() and shutil.which("debootstrap") is None:
            return f"no Slurm {self.release} in {self.directory()}, and no debootstrap to make it"
        return None

    def ensure(self) -> Path:
        """The directory of a finished root; raises CalledProcessError or FileExistsError where it cannot be made.

        The root is made beside its place and moved there when it is complete; who comes second waits for the first.
        """
        root = self.directory()
        if self.ready():
            return root
        root.parent.mkdir(parents=True, exist_ok=True)
        with (root.parent / f".{self.suite}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.ready():
                self._create(root)
        return root

    def _create(self, root: Path) -> None:
        if root.exists():
            raise FileExistsError(f"{root} is no finished root (no {self.needed[0]}); remove it and try again")
        unfinished = root.with_name(f".{self.suite}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", self.suite, str(unfinished)], check=True
        )
        _install(unfinished, self.packages)
        unfinished.rename(root)


TRIXIE = Root(
    "trixie",
    "24.11",
    ("slurm-client", "slurmctld", "slurmd", "slurm-wlm-basic-plugins", "slurm-wlm-jwt-plugin", "sackd", "munge"),
    ("usr/bin/sbatch", "usr/sbin/slurmctld", "usr/sbin/slurmd"),
)
SID = Root("sid", "26.05", ("slurm-wlm-basic-plugins",), ("usr/lib/*/slurm-wlm/libslurmfull.so",))
ROOTS = (TRIXIE, SID)
directory, ready, missing, ensure = TRIXIE.directory, TRIXIE.ready, TRIXIE.missing, TRIXIE.ensure
"""Those of the root that most tests want."""


def _install(root: Path, packages: tuple[str, ...]) -> None:
    """Install the packages without starting their daemons; /proc and /dev are there only meanwhile.

    A suite without releases is mirrored from snapshots, whose index may be older than apt wants to believe.
    """
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    (root / "etc/apt/apt.conf.d/90flurm").write_text('Acquire::Check-Valid-Until "false";\n')
    script = (
        'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && chroot "$0" apt-get update -q && '
        'DEBIAN_FRONTEND=noninteractive chroot "$0" apt-get install -qy --no-install-recommends "$@" && '
        'chroot "$0" apt-get clean && rm -rf "$0"/var/lib/apt/lists/*'
    )
    private = ["unshare", "--mount", "--propagation", "private"]
    subprocess.run([*private, "sh", "-c", script, str(root), *packages], check=True)


if __name__ == "__main__":
    wanted = [root for root in ROOTS if root.suite in sys.argv[1:] or not sys.argv[1:]]
    for root in wanted:
        if reason := root.missing():
            sys.exit(reason)
        print(root.ensure())
