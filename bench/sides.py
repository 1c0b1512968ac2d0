"""The two sides of the comparison: Debian's slurmctld and FLURM, each in a machine of its own.

A side is a sandbox (private mounts, network, process ids, munged) with a controller and one node of two CPUs. Both
keep their state below the same directory of a real disk: a sandbox's own files lie in memory, where durability would
cost nothing. Clients of either side are the same programs; only the slurm.conf that they are given differs.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

from bench.load import BenchError, Load, parse
from tests.slurm.sandbox import MUNGE_KEY, Outcome, Sandbox

NODE_CPUS = 2
UP_TIMEOUT_S = 60.0
PROGRAMS = Path(sys.executable).parent
SLURM_CONF = "/etc/slurm/slurm.conf"

TUNED = """\
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
CompleteWait=0
"""
_SLURM_CONF = """\
ClusterName=bench
SlurmctldHost=ctl(127.0.0.1)
SlurmUser=root
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool.%n
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MailProg=/bin/true
MaxJobCount=200000
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
{tuning}NodeName=n1 NodeHostname=ctl NodeAddr=127.0.0.1 Port=17001 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=debug Nodes=n1 Default=YES MaxTime=1:00:00 State=UP
"""
_FLURM_TOML = """\
[flurm]
cluster_name = "bench"
controller_name = "ctl"
slurmctld_host = "127.0.0.1"
munge_key = "{munge_key}"
munge_socket = "/run/munge/munge.socket.2"
state_dir = "{directory}/state"
log_dir = "{directory}/log"
spool_dir = "{directory}/spool"
max_job_count = 200000

[flurm.slurmd]
cpus = {cpus}
"""


class Side:
    """A cluster under load; a context manager. Subclasses bring the controller."""

    name = ""
    program = ""

    def __init__(self, directory: Path, load: Path) -> None:
        self.directory = directory
        self._load = load
        directory.chmod(0o755)
        self.sandbox = Sandbox()
        try:
            self._controller = self.start()
            self._await_idle()
            self.pid = self._find_pid()
        except BaseException:
            self.sandbox.close()
            raise

    def start(self) -> subprocess.Popen[bytes]:
        """Start the controller and the node; returns the controller's outermost process."""
        raise NotImplementedError

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def run(self, command: str, timeout_s: int = 60) -> Outcome:
        """Run a shell command inside; its exit status is the caller's to judge."""
        return self.sandbox.run(command, timeout_s=timeout_s)

    def load(self, verb: str, *numbers: int, timeout_s: int = 900) -> Load:
        """Put load on the controller and return what the generator saw. Raises BenchError."""
        words = [str(self._load), verb, *map(str, numbers)]
        done = self.sandbox.run(words, timeout_s=timeout_s)
        try:
            return parse(done.stdout, done.stderr)
        except BenchError as error:
            raise BenchError(f"{self.name}: {error}\n{self.log_tail()}") from error

    def resident_kib(self) -> int:
        """The controller's resident memory, in KiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise BenchError(f"{self.name}: the controller has ended\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of what the daemons logged, for an error's text."""
        return self.run(f"find {self.directory} -name '*.log' -type f | xargs tail -n 5 2>&1 | cut -c1-300").stdout

    def version(self) -> str:
        """The release, as the program prints it."""
        raise NotImplementedError

    def _await_idle(self) -> None:
        give_up = time.monotonic() + UP_TIMEOUT_S
        while (seen := self.run("sinfo -h -o %T")).stdout.strip() != "idle":
            if time.monotonic() > give_up:
                raise BenchError(f"{self.name} is not up: {seen.stdout}{seen.stderr}\n{self.log_tail()}")
            time.sleep(0.1)

    def _find_pid(self) -> int:
        """The controller below the processes that put it into the sandbox: the first whose command names it."""
        line = [self._controller.pid]
        while line:
            pid = line.pop(0)
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if any(Path(word).name == self.program for word in words[:2]):
                return pid
            line += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        raise BenchError(f"{self.name}: no {self.program} runs\n{self.log_tail()}")


class Slurm(Side):
    """slurmctld and slurmd as installed; `tuning` is what its slurm.conf has beyond the bare cluster."""

    name = "slurmctld"
    program = "slurmctld"
    tuning = TUNED

    def start(self) -> subprocess.Popen[bytes]:
        """slurmctld first, so that the node's first registration succeeds."""
        conf = _SLURM_CONF.format(directory=self.directory, tuning=self.tuning, cpus=NODE_CPUS)
        self.sandbox.write(SLURM_CONF, conf)
        self.sandbox.write("/etc/slurm/cgroup.conf", "CgroupPlugin=cgroup/v1\n")
        self.run(f"mkdir -p {self.directory}/state {self.directory}/spool.n1")
        controller = self.sandbox.spawn(["slurmctld", "-D"], f"{self.directory}/slurmctld.out.log")
        give_up = time.monotonic() + UP_TIMEOUT_S
        while "UP" not in self.run("scontrol ping").stdout and time.monotonic() < give_up:
            time.sleep(0.1)
        self.sandbox.spawn(["slurmd", "-D", "-N", "n1"], f"{self.directory}/slurmd.out.log")
        return controller

    def version(self) -> str:
        """As in `slurmctld 22.05.8`."""
        return f"slurmctld {self.run('slurmctld -V').stdout.split()[-1]}"


class StockSlurm(Slurm):
    """The same without the tuning: what a site gets that configures nothing."""

    name = "slurmctld, stock"
    tuning = ""


class Flurm(Side):
    """`flurm foreground` with its embedded node."""

    name = "flurm"
    program = "flurm"

    def __init__(self, directory: Path, load: Path, programs: Path | None = None) -> None:
        self._flurm = str((programs or PROGRAMS) / "flurm")
        super().__init__(directory, load)

    def start(self) -> subprocess.Popen[bytes]:
        """The controller starts its node; clients get the slurm.conf that FLURM writes for them."""
        config = f"{self.directory}/flurm.toml"
        self.sandbox.write(config, _FLURM_TOML.format(directory=self.directory, munge_key=MUNGE_KEY, cpus=NODE_CPUS))
        client = self.run(f"{shlex.quote(self._flurm)} client-config --config {config}")
        if client.exit:
            raise BenchError(f"flurm client-config: {client.stderr}")
        self.sandbox.write(SLURM_CONF, client.stdout)
        return self.sandbox.spawn([self._flurm, "foreground", "--config", config], f"{self.directory}/flurm.out.log")

    def version(self) -> str:
        """As in `flurm 0.1.0`."""
        return self.run(f"{shlex.quote(self._flurm)} --version").stdout.strip().replace(", version", "")
