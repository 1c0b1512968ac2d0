"""A private little machine for one cluster, made of namespaces.

A `Sandbox` is a tree of processes with its own mounts, host name, network and process ids (the network is loopback and
one address on a veth pair: Slurm's daemons do not start on loopback alone). Inside it the host is always called `ctl`,
the users alice (1001) and bob (1002) exist, their homes are `/mnt/alice` and `/mnt/bob`, the files of the cluster lie
in `/mnt/cluster`, `/etc/slurm` and `/run` are private, and a munged serves `/run/munge`. So several clusters can live
side by side on one host, always at the same paths and ports, and what programs print hardly needs any normalisation.
Everything in it dies with `close()`, or with the process that made it.

A Debian root of another release can be attached as `foreign_root`: programs then run in it by chroot, on the same
files. Needs root, util-linux, iproute2 and munge.
"""

from __future__ import annotations

import os
import select
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

USERS = {"root": 0, "alice": 1001, "bob": 1002}
CLUSTER_DIR = "/mnt/cluster"
MUNGE_KEY = f"{CLUSTER_DIR}/munge.key"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

_SETUP = r"""
set -e
hostname ctl
ip link set lo up
ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && ip address add 10.77.0.1/24 dev v0
passwd=$(grep -vE '^(alice|bob):' /etc/passwd
    echo alice:x:1001:1001::/mnt/alice:/bin/sh; echo bob:x:1002:1002::/mnt/bob:/bin/sh)
group=$(grep -vE '^(alice|bob):' /etc/group; echo alice:x:1001:; echo bob:x:1002:)
mount -t tmpfs -o mode=755 tmpfs /mnt
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/munge /etc/slurm /mnt/etc /mnt/cluster /mnt/alice /mnt/bob /mnt/root
mount -t tmpfs -o mode=755 tmpfs /etc/slurm
chown 1001:1001 /mnt/alice; chown 1002:1002 /mnt/bob
echo "$passwd" > /mnt/etc/passwd; echo "$group" > /mnt/etc/group
echo '127.0.0.1 ctl localhost n1 n2 n3 n4' > /mnt/etc/hosts
for f in passwd group hosts; do [ -e /etc/$f ] || touch /etc/$f; mount --bind /mnt/etc/$f /etc/$f; done
if [ -n "$1" ]; then
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mkdir -p "$1/etc/slurm"
    for d in /mnt /run /etc/slurm; do mount --rbind $d "$1$d"; done
    for f in passwd group hosts; do touch "$1/etc/$f"; mount --bind /mnt/etc/$f "$1/etc/$f"; done
fi
dd if=/dev/urandom of=/mnt/cluster/munge.key bs=128 count=1 status=none
chmod 400 /mnt/cluster/munge.key
chmod 755 /run/munge
if [ -n "$2" ]; then
    munged --key-file=/mnt/cluster/munge.key --pid-file=/run/munge/munged.pid --log-file=/run/munge/munged.log \
        --seed-file=/run/munge/munged.seed
else
    rmdir /run/munge
    [ ! -d /etc/munge ] || mount -t tmpfs tmpfs /etc/munge
fi
echo ready
while :; do sleep infinity & wait $!; done
"""


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended; `exit` is 124 where its time was up."""

    stdout: str
    stderr: str
    exit: int


class Sandbox:
    """The namespaces and the munged in them; a context manager. Without `munged` there is no trace of MUNGE."""

    def __init__(self, foreign_root: Path | None = None, *, munged: bool = True) -> None:
        self.foreign_root = foreign_root
        self._daemons: list[subprocess.Popen[bytes]] = []
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--uts", "--net", "--pid", "--fork"]
        command += ["--kill-child", "--mount-proc", "--propagation", "private", "bash", "-c", _SETUP, "sandbox"]
        self._holder = subprocess.Popen(
            [*command, str(foreign_root or ""), "munged" if munged else ""],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._await_ready()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill everything in the sandbox; its mounts and files go with it."""
        self._holder.kill()
        self._holder.wait()
        for daemon in self._daemons:
            daemon.wait()

    def argv(
        self,
        command: str | Sequence[str],
        user: str = "root",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        foreign: bool = False,
    ) -> list[str]:
        """The host command line that runs `command` inside, as `user`, from the foreign root where `foreign`."""
        uid, root = USERS[user], str(self.foreign_root) if foreign else "/"
        variables = {
            "PATH": PATH,
            "HOME": f"/mnt/{user}",
            "USER": user,
            "LOGNAME": user,
            "SHELL": "/bin/sh",
            "TZ": "UTC",
        }
        variables |= env or {}
        inner = ["bash", "-c", command] if isinstance(command, str) else list(command)
        enter = ["nsenter", "--target", str(self._init_pid), "--mount", "--uts", "--net", "--pid"]
        become = ["chroot", f"--userspec={uid}:{uid}", "--groups=", root]
        clean = ["env", "-i", "-C", cwd or f"/mnt/{user}", *(f"{k}={v}" for k, v in variables.items())]
        return [*enter, "--", *become, *clean, *inner]

    def run(
        self,
        command: str | Sequence[str],
        user: str = "root",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        foreign: bool = False,
        timeout_s: int = 30,
    ) -> Outcome:
        """Run a command (a string goes through bash) to its end and return what came of it."""
        inner = ["bash", "-c", command] if isinstance(command, str) else list(command)
        bounded = ["timeout", "--kill-after=2", str(timeout_s), *inner]
        done = subprocess.run(
            self.argv(bounded, user, env, cwd, foreign), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        return Outcome(done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode)

    def spawn(
        self,
        command: Sequence[str],
        log: str,
        user: str = "root",
        env: Mapping[str, str] | None = None,
        foreign: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a daemon in the foreground of a process of its own; what it prints goes to `log`, a path inside."""
        shell = f"exec {shlex.join(command)} >>{shlex.quote(log)} 2>&1"
        daemon = subprocess.Popen(
            self.argv(shell, user, env, CLUSTER_DIR, foreign), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self._daemons.append(daemon)
        return daemon

    def open_to_others(self, *ways: Path) -> None:
        """Have every user reach these files inside, also where they lie in somebody's home; all else there is hid."""
        closed = {each for way in ways for each in way.parents if not each.stat().st_mode & 0o001}
        for directory in sorted(closed):
            names = {way.relative_to(directory).parts[0] for way in ways if way.is_relative_to(directory)}
            aside = f"mkdir -p /mnt/under; mount --bind {directory} /mnt/under"
            hide = f"mount -t tmpfs -o mode=755 tmpfs {directory}"
            show = "".join(
                f"mkdir {directory}/{name}; mount --bind /mnt/under/{name} {directory}/{name}; " for name in names
            )
            outcome = self.run(f"set -e; {aside}; {hide}; {show} umount /mnt/under")
            if outcome.exit:
                raise RuntimeError(f"{directory} cannot be opened: {outcome.stderr}")

    def write(self, path: str, text: str, user: str = "root", mode: int = 0o644) -> None:
        """Write a file inside, owned by `user`."""
        uid = USERS[user]
        target = Path(f"/proc/{self._init_pid}/root{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        os.chown(target, uid, uid)

    def read(self, path: str) -> str:
        """A file inside; empty where there is none."""
        target = Path(f"/proc/{self._init_pid}/root{path}")
        return target.read_text(errors="replace") if target.exists() else ""

    def _await_ready(self) -> None:
        assert self._holder.stdout is not None and self._holder.stderr is not None
        readable, _, _ = select.select([self._holder.stdout], [], [], 30)
        line = self._holder.stdout.readline() if readable else b""
        if line.strip() != b"ready":
            self._holder.kill()
            raise RuntimeError(f"no sandbox: {self._holder.stderr.read().decode()}")
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self._init_pid = int(children[0])
