"""A site that migrates: eight real slurmd under real slurmctld, and the programs of FLURM that take slurmctld's place.

Jobs of the site wait for a word: a job submitted with `waiting(..., exit=3)` runs until `let_go` is called with its id,
and ends with that exit status.
"""

from __future__ import annotations

import time

from tests.slurm.flurm_cluster import PROGRAMS
from tests.slurm.sandbox import CLUSTER_DIR, MUNGE_KEY, Outcome, Sandbox

NODES = tuple(f"n{number}" for number in range(1, 9))
SBIN = f"{CLUSTER_DIR}/sbin"
CONF = """\
ClusterName=site
SlurmctldHost=ctl(127.0.0.1)
SlurmUser=root
StateSaveLocation=/mnt/cluster/state
SlurmdSpoolDir=/mnt/cluster/spool.%n
SlurmctldPidFile=/mnt/cluster/slurmctld.pid
SlurmdPidFile=/mnt/cluster/slurmd.%n.pid
SlurmctldLogFile=/mnt/cluster/slurmctld.log
SlurmdLogFile=/mnt/cluster/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PriorityType=priority/basic
DefMemPerCPU=100
FirstJobId=70000
ReturnToService=1
KillWait=2
BatchStartTimeout=1
SlurmdParameters=config_overrides
NodeName=DEFAULT CPUs=8 Sockets=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=2000 State=UNKNOWN
NodeName=n[1-8] NodeHostname=ctl NodeAddr=127.0.0.1 Port=[17001-17008] Feature=old
PartitionName=debug Nodes=n[1-8] Default=YES MaxTime=1:00:00 DefaultTime=10
PartitionName=long Nodes=n[3-4] MaxTime=INFINITE
"""
WAITING = """\
#!/bin/bash
way=/mnt/alice/go.${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}
mkfifo -m 666 $way
read word < $way
echo "$GREETING $SLURM_JOB_ID $*"
exit {exit}
"""


class Site:
    """The machine with everything on it."""

    def __init__(self, sandbox: Sandbox, *, links: bool = True) -> None:
        self.sandbox = sandbox
        sandbox.write("/etc/slurm/slurm.conf", CONF)
        sandbox.write("/etc/slurm/cgroup.conf", "CgroupPlugin=cgroup/v1\n")
        self.run(f"mkdir -p /etc/munge && mount -t tmpfs tmpfs /etc/munge && cp {MUNGE_KEY} /etc/munge/munge.key")
        self.run(f"mkdir -p {CLUSTER_DIR}/state")
        if links:
            self.run(f"{PROGRAMS}/flurm install-links {SBIN}", timeout_s=100)

    def start_slurm(self) -> None:
        """Slurm's own controller and node daemons; all nodes are idle when it returns."""
        self.sandbox.spawn(["slurmctld", "-D"], f"{CLUSTER_DIR}/ctld.out.log")
        self.until("scontrol ping", "UP")
        for node in NODES:
            self.start_node(node)
        self.until("sinfo -h -p debug -o %D%T", "8idle\n")

    def start_node(self, node: str) -> None:
        """A real slurmd."""
        self.run(f"mkdir -p {CLUSTER_DIR}/spool.{node}")
        self.sandbox.spawn(["slurmd", "-D", "-N", node], f"{CLUSTER_DIR}/{node}.out.log")

    def start_flurm(self) -> None:
        """FLURM's slurmctld, by its name."""
        self.run(f"{SBIN}/slurmctld", timeout_s=100)

    def flurm(self, words: str) -> Outcome:
        """The `flurm` command, as root."""
        return self.sandbox.run(f"{PROGRAMS}/flurm {words}", timeout_s=100)

    def run(self, command: str, user: str = "root", timeout_s: int = 30) -> str:
        """A command that succeeds; what it printed."""
        env = {"GREETING": "hello"}
        outcome = self.sandbox.run(command, user, env=env, timeout_s=timeout_s)
        assert outcome.exit == 0, f"{command}: {outcome}"
        return outcome.stdout

    def waiting(self, options: str = "", exit_status: int = 0, arguments: str = "") -> int:
        """Submit a job of alice's that waits for `let_go`; returns its id."""
        self.sandbox.write(f"/mnt/alice/exit{exit_status}.sh", WAITING.format(exit=exit_status), "alice", 0o755)
        said = self.run(f"sbatch --parsable {options} exit{exit_status}.sh {arguments}", "alice")
        return int(said)

    def let_go(self, *job_ids: int | str) -> None:
        """Tell jobs that run, or begin to, to end; an array's task is named as squeue does."""
        paths = " ".join(f"/mnt/alice/go.{job_id}" for job_id in job_ids)
        self.run(f"for path in {paths}; do until [ -p $path ]; do sleep 0.02; done; echo go > $path; done")

    def until(self, command: str, expected: str, deadline_s: float = 30) -> str:
        """Repeat a command until it prints something; what it printed."""
        give_up = time.monotonic() + deadline_s
        while expected not in (seen := self.sandbox.run(command).stdout):
            if time.monotonic() > give_up:
                logs = self.sandbox.run(f"tail -n 20 {CLUSTER_DIR}/slurmctld.log").stdout
                raise AssertionError(f"{command} printed {seen!r}, not {expected!r}\n{logs}")
            time.sleep(0.05)
        return seen

    def ended(self, job_id: int | str, deadline_s: float = 30) -> tuple[str, str]:
        """State and exit code of a job, once it has ended and its nodes are clean."""
        give_up = time.monotonic() + deadline_s
        while True:
            record = self.run(f"scontrol -o show job {job_id}")
            fields = dict(word.split("=", 1) for word in record.split() if "=" in word)
            if fields["JobState"] not in ("PENDING", "RUNNING", "COMPLETING", "SUSPENDED"):
                return fields["JobState"], fields["ExitCode"]
            if time.monotonic() > give_up:
                logs = self.sandbox.run(f"tail -n 20 {CLUSTER_DIR}/slurmctld.log").stdout
                raise AssertionError(f"{record}\n{logs}")
            time.sleep(0.05)
