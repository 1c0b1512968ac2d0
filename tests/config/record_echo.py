"""Records what real slurmctld makes of each slurm.conf in tests/data/slurmconf.

    FLURM_ROOTS=... python -m tests.config.record_echo [22.05] [24.11]

The file is put where Slurm looks for it, in a sandbox whose host is called as the file says, with the directories that
it names; slurmctld is started on it and asked for configuration, nodes and partitions. The echoes (echo.py) go to
tests/data/slurmconf/<release>.json. Needs what tests.slurm needs.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

from flurm.config.slurmconf import read_slurm_conf
from protocol import messages as wire
from protocol.codec import encode_body
from protocol.constants import MessageType as M
from protocol.hostlist import HostlistError, expand
from tests.config import echo
from tests.slurm import roots
from tests.slurm.sandbox import Sandbox

_QUERIES = (
    (M.REQUEST_BUILD_INFO, wire.LastUpdate()),
    (M.REQUEST_NODE_INFO, wire.NodeInfoRequest(show_flags=echo.SHOW_ALL)),
    (M.REQUEST_PARTITION_INFO, wire.PartitionInfoRequest(show_flags=echo.SHOW_ALL)),
)
_NAME_SERVICE = "passwd: files\ngroup: files\nhosts: files\n"
_COMPANIONS = {"topology": "topology.conf", "gres": "gres.conf"}
_PROGRAMS = re.compile(r"=\"?(/\S+\.sh|/usr/local/bin/\S+)")
_PATHS = re.compile(r"(?im)^\s*(?:StateSaveLocation|SlurmdSpoolDir|Slurm\w*LogFile|JobCompLoc|\w+PidFile)\s*=\s*(\S+)")

_PREPARE = r"""
rm -rf /var/spool/* /run/slurm*; mkdir -p /var/spool $1; chown -R "$2" $1
for program in $3; do mkdir -p $(dirname $program); echo '#!/bin/sh' >$program; chmod 755 $program; done
"""
_START = ["bash", "-c", "echo $$ >/mnt/cluster/ctld.pid; exec slurmctld -D -f /etc/slurm/slurm.conf"]
_STOP = "kill -9 $(cat /mnt/cluster/ctld.pid)"
_ASK = r"""
import json, os, socket, struct, subprocess, sys, time
port, asked = int(sys.argv[1]), json.loads(sys.argv[2])
def text(data): return struct.pack('>I', len(data) + 1) + data + b'\0'
def link():
    give_up = time.monotonic() + 20
    while True:
        try: return socket.create_connection(('127.0.0.1', port), timeout=10)
        except OSError:
            pid = open('/mnt/cluster/ctld.pid').read().strip() if os.path.exists('/mnt/cluster/ctld.pid') else '1'
            if not os.path.exists('/proc/' + pid) or time.monotonic() > give_up: sys.exit('it is gone')
            time.sleep(0.02)
def ask(number, version, body):
    credential = subprocess.run(['munge', '-n'], capture_output=True, check=True).stdout.strip()
    header = struct.pack('>HHHIHHH', version, 0, number, len(body), 0, 0, 0)
    frame = header + struct.pack('>I', 101) + text(credential) + body
    with link() as opened:
        opened.sendall(struct.pack('>I', len(frame)) + frame)
        data = b''
        while len(data) < 4 or len(data) < 4 + struct.unpack('>I', data[:4])[0]:
            piece = opened.recv(1 << 16)
            if not piece: break
            data += piece
    return data.hex()
print(json.dumps([ask(number, version, bytes.fromhex(body)) for number, version, body in asked]))
"""


class Slurmctld:
    """Real slurmctld of one release in a sandbox, started anew on each file."""

    def __init__(self, release: str) -> None:
        self.version, self.foreign = echo.RELEASES[release], release != "22.05"
        root = roots.ensure() if self.foreign else None
        self.sandbox = Sandbox(root)
        self.sandbox.write("/mnt/etc/nsswitch.conf", _NAME_SERVICE)
        self.sandbox.run(f"mount -t tmpfs tmpfs {root or ''}/var/spool; mount -t tmpfs tmpfs {root or ''}/var/log")
        self.sandbox.run(f"mount --bind /mnt/etc/nsswitch.conf {root or ''}/etc/nsswitch.conf")
        self.sandbox.run("mkdir -p /mnt/cluster")

    def __enter__(self) -> Slurmctld:
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def echo_of(self, path: Path, host: str) -> echo.Echo:
        """What it makes of a file; {"refused": the end of its log} where it does not start."""
        self.place(path, host)
        last = {key: setting.value for key, setting in read_slurm_conf(str(path)).last().items()}
        return self._answers(int(last.get("SlurmctldPort", "6817").partition("-")[0]))

    def place(self, path: Path, host: str) -> None:
        """Put a file where Slurm looks for it, with the directories, programs and names that it speaks of."""
        text = self._place(path)
        conf = read_slurm_conf(str(path))
        last = {key: setting.value for key, setting in conf.last().items()}
        self._name_hosts(host, conf)
        folders = {str(Path(each).parent) if "." in Path(each).name else each for each in _PATHS.findall(text)}
        folders |= {"/var/spool", "/var/log"}
        programs = " ".join(dict.fromkeys(_PROGRAMS.findall(text)))
        owner = last.get("SlurmUser", "root")
        self.sandbox.run(
            ["bash", "-c", _PREPARE, "-", " ".join(sorted(folders)), owner, programs], foreign=self.foreign
        )

    def _answers(self, port: int) -> echo.Echo:
        asked = [
            (int(number), self.version, encode_body(number, body, self.version).hex()) for number, body in _QUERIES
        ]
        self.sandbox.run("rm -f /mnt/cluster/ctld.pid /mnt/cluster/ctld.log")
        daemon = self.sandbox.spawn(_START, "/mnt/cluster/ctld.log", foreign=self.foreign)
        done = self.sandbox.run(["python3", "-c", _ASK, str(port), json.dumps(asked)], timeout_s=60)
        self.sandbox.run(_STOP)
        daemon.wait()
        if done.exit != 0:
            log = self.sandbox.read("/mnt/cluster/ctld.log").splitlines()
            told = [each for each in log if "fatal" in each or "Parse error" in each or "Parsing error" in each]
            return {"refused": told or log[-2:] + done.stderr.splitlines()[-2:]}
        return echo.of_frames(bytes.fromhex(each) for each in json.loads(done.stdout))

    def _place(self, path: Path) -> str:
        text = path.read_bytes().decode()
        self.sandbox.run("rm -rf /etc/slurm/*")
        if self.foreign:
            self.sandbox.write("/etc/slurm/cgroup.conf", "CgroupPlugin=disabled\n")
        self.sandbox.write("/etc/slurm/slurm.conf", text)
        for ending, name in _COMPANIONS.items():
            if (companion := path.with_suffix(f".{ending}")).exists():
                self.sandbox.write(f"/etc/slurm/{name}", companion.read_text())
        for included in path.with_suffix(".d").glob("*"):
            self.sandbox.write(f"/etc/slurm/{path.stem}.d/{included.name}", included.read_text())
            text += included.read_text()
        self.sandbox.write("/etc/slurm/jwt.key", "0" * 64, mode=0o600)
        return text

    def _name_hosts(self, host: str, conf: object) -> None:
        names = {host, "localhost"}
        for record in conf.records["NodeName"]:  # type: ignore[attr-defined]
            for text in (record.name.value, record.text("NodeAddr"), record.text("NodeHostname")):
                with contextlib.suppress(HostlistError):
                    names |= set(expand(text))
        for setting in conf.all_of("SlurmctldHost"):  # type: ignore[attr-defined]
            names.add(setting.value.partition("(")[0])
        rows = [f"127.0.0.1 {' '.join(sorted(names)[i : i + 20])}" for i in range(0, len(names), 20)]
        self.sandbox.write("/mnt/etc/hosts", "\n".join(rows) + "\n")
        self.sandbox.run(["hostname", host])


def record(release: str) -> dict[str, echo.Echo]:
    """The echo of every file."""
    with Slurmctld(release) as slurmctld:
        found = {name: slurmctld.echo_of(echo.path_of(name), echo.host_of(name)) for name in echo.names()}
    smallest = found[echo.SMALLEST]
    short = {name: each if "refused" in each else echo.against(each, smallest) for name, each in found.items()}
    return short | {echo.SMALLEST: smallest}


def main(releases: list[str]) -> None:
    """Record the releases named, or all."""
    for release in releases or list(echo.RELEASES):
        target = echo.DATA / f"{release}.json"
        target.write_text(json.dumps(record(release), indent=1, sort_keys=True) + "\n")
        subprocess.run(["ls", "-l", str(target)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
