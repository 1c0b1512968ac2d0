"""A Debian 13 root with Slurm 24.11, made by debootstrap.

`ensure()` returns the directory of a finished root and makes it first where there is none yet: idempotent, and a matter
of minutes the first time. Roots live under FLURM_ROOTS, or ~/.cache/flurm/roots. `python -m tests.slurm.roots` does
it by hand. Needs root, debootstrap and a Debian mirror.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

SUITE = "trixie"
PACKAGES = ("slurm-client", "slurmctld", "slurmd", "slurm-wlm-basic-plugins", "slurm-wlm-jwt-plugin", "sackd", "munge")
_NEEDED = ("usr/bin/sbatch", "usr/sbin/slurmctld", "usr/sbin/slurmd")


def directory() -> Path:
    """Where the root is, or will be."""
    base = os.environ.get("FLURM_ROOTS")
    return (Path(base) if base else Path.home() / ".cache" / "flurm" / "roots") / SUITE


def ready() -> bool:
    """Whether the root holds all programs."""
    return all((directory() / name).exists() for name in _NEEDED)


def missing() -> str | None:
    """Why a root can neither be used nor made here; None where it can."""
    if os.geteuid() != 0:
        return "a Debian 13 root needs root"
    if not ready() and shutil.which("debootstrap") is None:
        return f"no Slurm 24.11 in {directory()}, and no debootstrap to make it"
    return None


def ensure() -> Path:
    """The directory of a finished root; raises CalledProcessError or FileExistsError where it cannot be made.

    The root is made beside its place and moved there when it is complete; who comes second waits for the first.
    """
    root = directory()
    if ready():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / f".{SUITE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready():
            if root.exists():
                raise FileExistsError(f"{root} is no finished root (no {_NEEDED[0]}); remove it and try again")
            unfinished = root.with_name(f".{SUITE}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            subprocess.run(
                ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(unfinished)], check=True
            )
            _install(unfinished)
            unfinished.rename(root)
    return root


def _install(root: Path) -> None:
    """Install the packages without starting their daemons; /proc and /dev are there only meanwhile."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    script = (
        'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && chroot "$0" apt-get update -q && '
        'DEBIAN_FRONTEND=noninteractive chroot "$0" apt-get install -qy --no-install-recommends "$@"'
    )
    private = ["unshare", "--mount", "--propagation", "private"]
    subprocess.run([*private, "sh", "-c", script, str(root), *PACKAGES], check=True)


if __name__ == "__main__":
    if reason := missing():
        sys.exit(reason)
    print(ensure())
