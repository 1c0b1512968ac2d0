"""Three controllers and two node daemons in a sandbox, and clients that submit to them through Debian's libslurm.

The controllers are c1, c2, c3 at 127.0.0.1-3, all at port 6817, as DESIGN has it; a munged serves the clients.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from tests.slurm.sandbox import CLUSTER_DIR, MUNGE_KEY, Sandbox

PROGRAMS = Path(sys.executable).parent
SOURCE = Path(__file__).with_name("submitter.c")
SHARED = Path(__file__).parents[2] / "bench"
NODES = {"n1": 17001, "n2": 17002}
PATIENCE_S = 60.0
CALM = {"raft_election_timeout": [500, 1000], "raft_heartbeat_interval": 100}
"""Timings for machines that do other things too: who leads shall change because of what a test does."""

_COMMON = """\
[flurm]
cluster_name = "three"
controller_name = "{name}"
slurmctld_host = "{address}"
http_host = "{address}"
munge_key = "{key}"
state_dir = "{directory}/{name}/state"
log_dir = "{directory}/{name}/log"
raft_snapshot_interval = {snapshot_interval}
embedded_node = false
controllers = [
{controllers}]
{settings}"""
_NODE = """
[[flurm.nodes]]
name = "{name}"
address = "{address}"
port = {port}
cpus = 2
memory = 1000
"""
_SLURMD = """
[flurm.slurmd]
node_name = "{name}"
spool_dir = "{directory}/spool.{name}"
controllers = [{controllers}]
"""
_SLURM_CONF = """\
ClusterName=three
{hosts}SlurmctldPort=6817
SlurmUser=root
AuthType=auth/munge
SlurmctldTimeout=30
NodeName=n1 NodeAddr={node} Port=17001 CPUs=2 RealMemory=1000
NodeName=n2 NodeAddr={node} Port=17002 CPUs=2 RealMemory=1000
PartitionName=all Nodes=ALL Default=YES
"""


class Request(NamedTuple):
    """One submission of a client: milliseconds of the monotonic clock, the id or 0, Slurm's error number or 0."""

    began_ms: float
    ended_ms: float
    job_id: int
    error: int


def why_not() -> str | None:
    """Why such a cluster cannot run here; None where it can."""
    if os.geteuid() != 0:
        return "namespaces need root"
    for program in ("cc", "munged", "squeue", "unshare", "nsenter", "ip"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            return f"{program} is not installed"
    return None if Path("/usr/include/slurm/slurm.h").exists() else "libslurm-dev is not installed"


class Controllers:
    """The cluster; a context manager. `members` are those that the configuration names at the beginning."""

    addresses: ClassVar[dict[str, str]] = {f"c{number}": f"127.0.0.{number}" for number in range(1, 6)}
    node_address = "127.0.0.1"

    def __init__(self, members: tuple[str, ...] = ("c1", "c2", "c3"), snapshot_interval: int = 10_000, **settings: Any):
        settings = CALM | settings
        self.members = members
        self.sandbox = Sandbox()
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: list[tuple[subprocess.Popen[bytes], str]] = []
        self._snapshot_interval = snapshot_interval
        self._settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        try:
            self._prepare()
            for name in members:
                self.start(name)
            for name in NODES:
                self.start_node(name)
            self.await_leader()
            self.await_that("both nodes are idle", lambda: self.command("sinfo -h -o %D/%T") == "2/idle")
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        hosts = "".join(f"SlurmctldHost={name}({self.addresses[name]})\n" for name in self.members)
        self.sandbox.write("/etc/slurm/slurm.conf", _SLURM_CONF.format(hosts=hosts, node=self.node_address))
        self.flurm(f"cert bootstrap {CLUSTER_DIR}/tls --cluster three {' '.join(self.addresses)}")
        for name in self.addresses:
            self.sandbox.write(f"{CLUSTER_DIR}/{name}.toml", self._config(name))
        for name in NODES:
            addresses = ", ".join(f'"{self.addresses[each]}:6817"' for each in self.members)
            slurmd = _SLURMD.format(name=name, directory=CLUSTER_DIR, controllers=addresses)
            self.sandbox.write(f"{CLUSTER_DIR}/{name}.toml", self._config(next(iter(self.members))) + slurmd)
        build = self.sandbox.run(f"cc -O1 -I {SHARED} -o {CLUSTER_DIR}/submitter {SOURCE} -lslurm")
        assert build.exit == 0, build.stderr

    def _config(self, name: str) -> str:
        controllers = "".join(
            f'  {{ name = "{each}", host = "{self.addresses[each]}", port = 6817, raft_port = 6816 }},\n'
            for each in dict.fromkeys((*self.members, name))
        )
        tls = f"{CLUSTER_DIR}/tls/{name}"
        files = f'raft_ca = "{tls}/ca.pem"\nraft_certificate = "{tls}/cert.pem"\nraft_key = "{tls}/key.pem"\n'
        return _COMMON.format(
            name=name,
            address=self.addresses[name],
            key=MUNGE_KEY,
            directory=CLUSTER_DIR,
            controllers=controllers,
            snapshot_interval=self._snapshot_interval,
            settings=files + self._settings,
        ) + "".join(_NODE.format(name=node, address=self.node_address, port=port) for node, port in NODES.items())

    def __enter__(self) -> Controllers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        self.sandbox.close()

    def start(self, name: str, code: Path | None = None) -> None:
        """Start a controller, with the state that it has; of the release that lies in `code` where one is given."""
        words = [str(PROGRAMS / "flurm"), "foreground", "--config", f"{CLUSTER_DIR}/{name}.toml"]
        if code is not None:
            words = ["env", f"PYTHONPATH={code}", *words]
        self.daemons[name] = self.sandbox.spawn([*self.within(name), *words], f"{CLUSTER_DIR}/{name}.out.log")

    def within(self, name: str) -> list[str]:
        """What is put before the command of a controller to have it run where it belongs."""
        return []

    def start_node(self, name: str) -> None:
        """Start a node daemon."""
        words = [str(PROGRAMS / "flurmd"), "--foreground", "--config", f"{CLUSTER_DIR}/{name}.toml"]
        self.daemons[name] = self.sandbox.spawn(words, f"{CLUSTER_DIR}/{name}.out.log")

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a daemon: kill -9 where no other is named; then wait for its end."""
        os.kill(self.pid_of(name), number)
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            self.daemons[name].wait(PATIENCE_S)

    def pid_of(self, name: str) -> int:
        """A daemon's process number, as this machine counts."""
        entered = self.daemons[name].pid
        return int(Path(f"/proc/{entered}/task/{entered}/children").read_text().split()[0])

    def flurm(self, words: str) -> str:
        """What a `flurm` command prints."""
        done = self.sandbox.run(f"{PROGRAMS / 'flurm'} {words}", timeout_s=60)
        assert done.exit == 0, f"flurm {words}: {done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def command(self, text: str) -> str:
        """What one of Slurm's commands prints; its errors are nothing."""
        return self.sandbox.run(text).stdout.strip()

    def config_of(self, name: str) -> str:
        """The path of a controller's flurm.toml."""
        return f"{CLUSTER_DIR}/{name}.toml"

    def conf_of(self, name: str) -> str:
        """A slurm.conf that knows this controller alone."""
        path = f"/etc/slurm/{name}.conf"
        hosts = f"SlurmctldHost={name}({self.addresses[name]})\n"
        self.sandbox.write(path, _SLURM_CONF.format(hosts=hosts, node=self.node_address))
        return path

    def status(self, name: str) -> dict[str, Any]:
        """What a controller says of itself and the others; empty where it does not answer."""
        done = self.sandbox.run(
            f"{PROGRAMS / 'flurm'} cluster status --json --config {CLUSTER_DIR}/{name}.toml", timeout_s=10
        )
        return json.loads(done.stdout) if done.exit == 0 else {}

    def await_leader(self, among: tuple[str, ...] | None = None, but: str = "none") -> str:
        """Wait until all of these agree on a leader (`but` no more on that one), and return it."""
        names = among or self.members

        def agreed() -> str | None:
            leaders = {self.status(name).get("leader", "none") for name in names}
            return leaders.pop() if len(leaders) == 1 and not leaders & {"none", but} else None

        return self.await_that(f"{', '.join(names)} agree on a leader", agreed)

    def await_that(self, what: str, holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Wait until `holds` gives something true, and return it."""
        deadline_s = time.monotonic() + patience_s
        while not (result := holds()):
            if time.monotonic() > deadline_s:
                raise AssertionError(f"waited {patience_s:g} s for: {what}\n{self.logs()}")
            time.sleep(0.05)
        return result

    def begin_submitting(self, clients: int, seconds: float) -> None:
        """Have clients submit one job after the other."""
        for number in range(clients):
            out = f"{CLUSTER_DIR}/client-{len(self._clients)}.out"
            words = ["bash", "-c", f"exec {CLUSTER_DIR}/submitter client{number} {seconds:g} > {out}"]
            self._clients.append((self.sandbox.spawn(words, f"{CLUSTER_DIR}/clients.log"), out))

    def end_submitting(self) -> list[list[Request]]:
        """Have them end, and return what each has seen."""
        found = []
        for client, out in self._clients:
            if client.poll() is None:
                entered = client.pid
                children = Path(f"/proc/{entered}/task/{entered}/children").read_text().split()
                if children:
                    os.kill(int(children[0]), signal.SIGTERM)
            client.wait(PATIENCE_S)
            rows = [line.split() for line in self.sandbox.read(out).splitlines()]
            found.append([Request(float(b), float(e), int(job), int(code)) for b, e, job, code in rows])
        self._clients.clear()
        return found

    def let_pass(self, seconds: float) -> None:
        """Have the clients go on for a while."""
        time.sleep(seconds)

    def job_ids(self) -> list[int]:
        """The ids of all jobs, as the first controller that answers lists them."""
        text = self.sandbox.run("squeue -h -a -t all -o %A", timeout_s=60)
        assert text.exit == 0, text
        return [int(word) for word in text.stdout.split()]

    def logs(self) -> str:
        """The end of each daemon's log, without colours."""
        each = f'for f in {CLUSTER_DIR}/*.out.log; do echo "== $f"; tail -n 25 "$f"; done'
        return re.sub(r"\x1b\[[0-9;]*m", "", self.sandbox.run(each).stdout)


class Separated(Controllers):
    """Each controller in a network namespace of its own, all on one bridge: what passes between two can be cut.

    Clients and node daemons are where the bridge is. A cut gives the sender a wrong link address for the receiver, so
    that its packets vanish and nobody is told.
    """

    addresses: ClassVar[dict[str, str]] = {f"c{number}": f"10.9.0.{number}" for number in range(1, 6)}
    node_address = "10.9.0.254"

    def _prepare(self) -> None:
        commands = [
            "ip link add bridge0 type bridge",
            "ip addr add 10.9.0.254/24 dev bridge0",
            "ip link set bridge0 up",
            "mkdir -p /run/netns",
        ]
        for name, address in self.addresses.items():
            inside = f"ip netns exec {name}"
            commands += [
                f"ip netns add {name}",
                f"ip link add v-{name} type veth peer name eth0 netns {name}",
                f"ip link set v-{name} master bridge0 up",
                f"{inside} ip link set lo up",
                f"{inside} ip addr add {address}/24 dev eth0",
                f"{inside} ip link set eth0 up",
            ]
        done = self.sandbox.run(" && ".join(commands))
        assert done.exit == 0, done
        super()._prepare()

    def within(self, name: str) -> list[str]:
        return ["ip", "netns", "exec", name]

    def cut(self, sender: str, receiver: str) -> None:
        """Nothing that one controller sends reaches the other any more; the way back stays open."""
        self._neighbour(sender, f"replace {self.addresses[receiver]} lladdr 02:00:00:00:00:99 nud permanent dev eth0")

    def mend(self, sender: str, receiver: str) -> None:
        """Undo `cut`."""
        self._neighbour(sender, f"del {self.addresses[receiver]} dev eth0")

    def part(self, one: tuple[str, ...], other: tuple[str, ...], mend: bool = False) -> None:
        """Cut (or mend) everything between two groups, both ways."""
        change = self.mend if mend else self.cut
        for a in one:
            for b in other:
                change(a, b)
                change(b, a)

    def _neighbour(self, name: str, words: str) -> None:
        done = self.sandbox.run(f"ip netns exec {name} ip neigh {words}")
        assert done.exit == 0, done
