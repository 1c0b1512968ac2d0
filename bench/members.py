"""One controller and three: commits per second and their latency; what a controller with many jobs costs.

Run: python -m bench --members. Every controller is a `flurm foreground` of its own, at 127.0.0.1, 2 and 3 of one
sandbox, with its state on the same real disk; the load is `load.c`, as for everything else here.

commits      held jobs by 1, 8 and 64 threads: to one member, to the leader of three, to a follower, which hands them
             on; in turns. Each submission is one commit. A member syncs once for all that waits, so that more threads
             share a sync: the leader's own metrics say how many entries did. The disk's own rate is measured between.
many jobs    a controller that comes up with 100,000 pending jobs, made by the rules of flurm.core and stored as a
             snapshot: seconds until it answers a ping, resident memory, seconds of a backup of the state that is
             running (which writes out what a snapshot does). Then two empty members are added to it, they get all that
             as a snapshot, and it is asked for all jobs while it takes the next backup and plans: the longest time that
             a follower heard nothing of it.
"""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import flurm.bridge.configure as configure
from bench.load import BenchError, Load
from bench.measures import disk_syncs_per_second
from bench.sides import PROGRAMS, SLURM_CONF, UP_TIMEOUT_S, Side
from flurm.config import Config
from flurm.config import load as load_config
from flurm.core import commands, snapshot
from flurm.core.apply import apply
from flurm.core.job_records import JobSpec
from flurm.core.records import Cluster
from flurm.raft.records import HardState
from flurm.storage.hard_state import HardStateFile
from flurm.storage.snapshots import SnapshotStore
from tests.slurm.sandbox import MUNGE_KEY

THREADS = {1: 300, 8: 1_500, 64: 1_500}
"""Clients at once -> submissions of a measurement."""
MANY_JOBS = 100_000
FLURM = shlex.quote(str(PROGRAMS / "flurm"))

_TOML = """\
[flurm]
cluster_name = "bench"
controller_name = "{name}"
slurmctld_host = "{address}"
http_host = "{address}"
munge_key = "{munge_key}"
state_dir = "{directory}/{name}/state"
log_dir = "{directory}/{name}/log"
embedded_node = false
max_job_count = 1000000
raft_election_timeout = [500, 1000]
raft_heartbeat_interval = 100
raft_ca = "{directory}/tls/{name}/ca.pem"
raft_certificate = "{directory}/tls/{name}/cert.pem"
raft_key = "{directory}/tls/{name}/key.pem"
controllers = [
{controllers}]

[[flurm.nodes]]
name = "n1"
cpus = 2
memory = 1000
"""
_SLURM_CONF = (
    "ClusterName=bench\n{hosts}SlurmctldPort=6817\nSlurmUser=root\nNodeName=n1\nPartitionName=debug Nodes=n1\n"
    "MessageTimeout=100\n"
)


class Members(Side):
    """So many controllers, no node; a context manager.

    The first may `begin_with_jobs` that wait; `beside` further ones are prepared, but neither started nor members.
    """

    program = "flurm"

    def __init__(self, directory: Path, load: Path, count: int, begin_with_jobs: int = 0, beside: int = 0):
        self.names = [f"c{number + 1}" for number in range(count)]
        self.others = [f"c{number + 1}" for number in range(count, count + beside)]
        self.name = f"{count} member{'s' if count > 1 else ''}"
        self._jobs = begin_with_jobs
        self.up_s = 0.0
        super().__init__(directory, load)

    def start(self) -> subprocess.Popen[bytes]:
        """All of them; returns the first one's outermost process."""
        everybody = [*self.names, *self.others]
        self.flurm(f"cert bootstrap {self.directory}/tls --cluster bench {' '.join(everybody)}")
        for name in everybody:
            self.sandbox.write(self._config(name), self._toml(name))
        hosts = "".join(f"SlurmctldHost={name}({_address(name)})\n" for name in self.names)
        self.sandbox.write(SLURM_CONF, _SLURM_CONF.format(hosts=hosts))
        if self._jobs:
            self._store_jobs(self.directory / self.names[0] / "state")
        began_s = time.monotonic()
        first, *_ = [self.start_one(name) for name in self.names]
        self._await_answer()
        self.up_s = time.monotonic() - began_s
        return first

    def _store_jobs(self, state: Path) -> None:
        """A snapshot after the first entry of the first term, and a term that goes with it."""
        cluster = with_jobs(load_config(Path(self._config(self.names[0]))), self._jobs)
        SnapshotStore(state / "snapshots").write(1, 1, snapshot.parts(cluster))
        HardStateFile(state / "raft" / "hard_state").save(HardState(1))

    def start_one(self, name: str) -> subprocess.Popen[bytes]:
        """Start a controller."""
        words = [str(PROGRAMS / "flurm"), "foreground", "--config", self._config(name)]
        return self.sandbox.spawn(words, f"{self.directory}/{name}.out.log")

    def flurm(self, words: str, timeout_s: int = 120) -> str:
        """What a `flurm` command prints. Raises BenchError."""
        done = self.run(f"{FLURM} {words}", timeout_s=timeout_s)
        if done.exit:
            raise BenchError(f"flurm {words}: {done.stdout}{done.stderr}\n{self.log_tail()}")
        return done.stdout

    def controlled(self, words: str, name: str = "c1") -> str:
        """The same about one controller."""
        return self.flurm(f"{words} --config {self._config(name)}")

    def lead(self, name: str) -> None:
        """Have this one lead from now on. Raises BenchError."""
        self.controlled(f"cluster transfer-leadership {name}")
        self.await_that(f"{name} leads", lambda: all(self.status(each)["leader"] == name for each in self.names))

    def load_on(self, name: str, verb: str, *numbers: int) -> Load:
        """Put load on this controller, whoever leads. Raises BenchError."""
        hosts = f"SlurmctldHost={name}({_address(name)})\n"
        self.sandbox.write(SLURM_CONF, _SLURM_CONF.format(hosts=hosts))
        return self.load(verb, *numbers)

    def written(self, name: str) -> tuple[float, float]:
        """How many entries a controller's log writer has written so far, and in how many syncs. Raises BenchError."""
        code = f"import urllib.request as r; print(r.urlopen('http://{_address(name)}:9090/metrics').read().decode())"
        done = self.run(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}")
        if done.exit:
            raise BenchError(f"{name} shows no metrics: {done.stderr}")
        found = dict(line.split() for line in done.stdout.splitlines() if line.startswith("flurm_storage_"))
        return float(found["flurm_storage_entries_total"]), float(found["flurm_storage_syncs_total"])

    def longest_silence_ms(self) -> int:
        """The longest that one of the others has heard nothing of the leader, since it follows it."""
        return max(int(self.status(name)["longest_silence_ms"]) for name in self.others)

    def status(self, name: str) -> dict[str, Any]:
        """What a controller says of consensus."""
        found: dict[str, Any] = json.loads(self.controlled("eval --json 'consensus.status()'", name))
        return found

    def version(self) -> str:
        """Nobody asks."""
        return ""

    def _await_idle(self) -> None:
        """There is no node to wait for."""

    def _await_answer(self) -> None:
        self.await_that("all answer", lambda: self.run("sinfo -h").exit == 0 and self._all_up())

    def _all_up(self) -> bool:
        return self.run("scontrol ping").stdout.count("UP") == len(self.names)

    def await_that(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until something holds. Raises BenchError."""
        give_up_s = time.monotonic() + UP_TIMEOUT_S
        while not holds():
            if time.monotonic() > give_up_s:
                raise BenchError(f"{self.name}: waited {UP_TIMEOUT_S:g} s for: {what}\n{self.log_tail()}")
            time.sleep(0.02)

    def _config(self, name: str) -> str:
        return f"{self.directory}/{name}.toml"

    def _toml(self, name: str) -> str:
        controllers = "".join(
            f'  {{ name = "{each}", host = "{_address(each)}", port = 6817, raft_port = 6816 }},\n'
            for each in dict.fromkeys((*self.names, name))
        )
        return _TOML.format(
            name=name, address=_address(name), munge_key=MUNGE_KEY, directory=self.directory, controllers=controllers
        )


def _address(name: str) -> str:
    return f"127.0.0.{name[1:]}"


def with_jobs(config: Config, count: int) -> Cluster:
    """The cluster of a configuration after so many submissions, of a hundred users in turn."""
    now_s = int(time.time())
    cluster = apply(Cluster(), configure.command(config, now_s=now_s, keep_changes=True)).cluster
    for number in range(count):
        spec = JobSpec(
            name=f"job-{number}", user_id=1000 + number % 100, group_id=100, work_dir="/tmp",
            std_out=f"/tmp/out-{number}", time_limit_min=60, partitions=("debug",), submit_host="login",
        )  # fmt: skip
        cluster = apply(cluster, commands.SubmitJob(now_s=now_s, spec=spec)).cluster
    if len(cluster.jobs) != count:
        raise BenchError(f"{len(cluster.jobs)} of {count} jobs were taken")
    return cluster


def commits(directory: Path, load: Path, rounds: int, scale: float, progress: Callable[[str], None]) -> list[str]:
    """A line per way and number of clients: medians of the rounds."""
    seen: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    syncs: list[float] = []
    with Members(_below(directory, "one"), load, 1) as one, Members(_below(directory, "three"), load, 3) as three:
        three.lead("c1")
        ways = (("one member", one, "c1"), ("leader of three", three, "c1"), ("follower", three, "c2"))
        for _ in range(rounds):
            for threads, count in THREADS.items():
                syncs.append(disk_syncs_per_second(directory))
                for way, side, name in ways:
                    figures = _commits(side, name, max(threads, int(count * scale)), threads)
                    progress(f"{way}, {threads} clients: {figures[0]:.0f}/s")
                    seen.setdefault((way, threads), []).append(figures)
        if three.status("c1")["leader"] != "c1":
            raise BenchError(f"c1 leads no longer\n{three.log_tail()}")
    lines = [f"this disk alone, meanwhile: {min(syncs):.0f} to {max(syncs):.0f} fdatasync/s", ""]
    lines.append(f"{'':15} {'clients':>8} {'commits/s':>10} {'median ms':>10} {'p99 ms':>8} {'entries/sync':>13}")
    for (way, threads), rows in seen.items():
        rate, p50, p99, shared = (statistics.median(values) for values in zip(*rows, strict=True))
        lines.append(f"{way:15} {threads:>8} {rate:>10,.0f} {p50:>10.1f} {p99:>8.1f} {shared:>13.1f}")
    return lines


def _commits(side: Members, name: str, count: int, threads: int) -> tuple[float, ...]:
    """Per second, median and p99 in ms of submissions to this controller; entries that shared a sync of the leader."""
    entries, syncs = side.written("c1")
    done = side.load_on(name, "submit", count, threads)
    entries_after, syncs_after = side.written("c1")
    return done.per_second, done.p50_ms, done.p99_ms, (entries_after - entries) / (syncs_after - syncs)


def many_jobs(directory: Path, load: Path, jobs: int, progress: Callable[[str], None]) -> list[str]:
    """What a controller costs that has so many jobs."""
    with Members(_below(directory, "many"), load, 1, begin_with_jobs=jobs, beside=2) as side:
        progress(f"up after {side.up_s:.2f} s")
        lines = [
            f"a controller with {jobs:,} pending jobs:",
            f"  start to first answer  {side.up_s:8.2f} s",
            f"  resident memory        {side.resident_kib() / 1024:8.0f} MiB",
            f"  backup of it           {_took_s(lambda: _back_up(side)):8.2f} s",
        ]
        for number, name in enumerate(side.others, start=2):
            side.start_one(name)
            progress(f"adding {name}")
            began_s = time.monotonic()
            side.controlled(f"cluster add {name} {_address(name)}:6816")
            lines.append(f"  member {number} added         {time.monotonic() - began_s:8.2f} s")
        works = (
            lambda: side.load("jobs", 1),
            lambda: side.controlled("eval --timeout 60 'scheduler.run_cycle()'"),
            lambda: _back_up(side),
        )
        joining_ms = side.longest_silence_ms()
        took_s = _took_s(lambda: _all(works))
        silence_ms = side.longest_silence_ms()
        lines.append(f"  listing, backup and scheduling pass at once: {took_s:.2f} s; the longest that a follower")
        lines.append(f"  heard nothing, heartbeats being due every 100 ms: {silence_ms} ms")
        lines.append(f"  (while they were added and got all that: {joining_ms} ms)")
    return lines


def _below(directory: Path, name: str) -> Path:
    path = directory / name
    path.mkdir()
    return path


def _back_up(side: Members) -> None:
    side.controlled(f"backup create {side.directory}/backup-{time.monotonic_ns()}")


def _all(works: Sequence[Callable[[], object]]) -> None:
    """Do all at once. Raises what any of them raised: a load that failed shows nothing."""
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(work) for work in works]:
            done.result()


def _took_s(work: Callable[[], object]) -> float:
    began_s = time.monotonic()
    work()
    return time.monotonic() - began_s


def measure(directory: Path, load: Path, quick: bool, progress: Callable[[str], None]) -> str:
    """Everything, as text for people. Raises BenchError."""
    lines = commits(directory, load, 1 if quick else 3, 0.05 if quick else 1.0, progress)
    return "\n".join([*lines, "", *many_jobs(directory, load, 500 if quick else MANY_JOBS, progress)])
