"""What users may do and see: one list of commands, given to real Slurm and to FLURM.

`python -m tests.slurm.rights_story` writes down in tests/data/rights what Debian's slurmctld 22.05 said to them.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from tests.slurm.sandbox import CLUSTER_DIR, Sandbox
from tests.slurm.slurm_conf import slurm_conf

RECORDED = Path(__file__).parents[1] / "data/rights"
PARTITIONS = """\
PartitionName=grp Nodes=n[1-4] AllowGroups=bob
PartitionName=acc Nodes=n[1-4] AllowAccounts=a1
PartitionName=den Nodes=n[1-4] DenyAccounts=a2
PartitionName=hid Nodes=n[1-4] Hidden=YES
PartitionName=rtp Nodes=n[1-4] RootOnly=YES
PartitionName=nrt Nodes=n[1-4] DisableRootJobs=YES
"""
OPEN = slurm_conf().replace("SlurmUser=root", "SlurmUser=slurm") + PARTITIONS
PRIVATE = OPEN + "PrivateData=jobs,nodes,partitions,reservations,usage,users,accounts,events\n"

SUBMITS = tuple(
    (user, f"sbatch -H --parsable {options} --wrap true")
    for user, options in (
        ("alice", ""), ("bob", ""), ("alice", "-p grp"), ("bob", "-p grp"), ("root", "-p grp"), ("alice", "-p acc"),
        ("alice", "-p acc -A a1"), ("alice", "-p acc -A zz"), ("alice", "-p den -A a2"), ("alice", "-p den -A a1"),
        ("alice", "-p hid"), ("alice", "-p rtp"), ("root", "-p rtp"), ("root", "-p nrt"), ("alice", "-p grp,debug"),
        ("alice", "--uid=bob"), ("alice", "--nice=-5"), ("alice", "-p grp --test-only"),
    )
)  # fmt: skip
"""The first two jobs are 70000 of alice and 70001 of bob."""
LISTS = tuple(
    (user, command)
    for user in ("alice", "bob", "root")
    for command in (
        "squeue -h -o '%i %u %P'", "squeue -h -a -o '%i %u %P'", "squeue -h -j 70000 -o %i", "squeue -h -s",
        "scontrol -o show job 70000 | cut -d' ' -f1", "scontrol -o show job 70001 | cut -d' ' -f1",
        "scontrol write batch_script 70001 - | head -1", "scontrol show partition | grep PartitionName",
        "scontrol -a show partition | grep PartitionName", "scontrol show partition hid | head -1",
        "sinfo -h -o %R | sort -u", "sinfo -h -a -o %R | sort -u", "scontrol -o show node n1 | cut -d' ' -f1",
        "scontrol show reservation",
    )
)  # fmt: skip
ORDERS = (
    *(
    ("alice", f"scontrol {words}")
    for words in (
        "update job 70001 comment=x", "update job 70001 priority=5", "hold 70001", "release 70001", "top 70001",
        "top 70000", "requeue 70001", "suspend 70001", "update job 70000 priority=99", "update job 70000 nice=-3",
        "update job 70000 admincomment=x", "update node n1 state=drain reason=x", "create nodename=x1 state=future",
        "delete nodename=n1", "create partition=p1 nodes=n1", "update partition=debug state=down",
        "delete partition=debug", "reconfigure", "shutdown", "setdebug 3", "setdebugflags +backfill",
        "schedloglevel 1", "takeover", "reboot n1", "create reservation start=now duration=1 nodes=n1 users=alice",
    )
),
    ("alice", "scancel 70001"), ("alice", "scancel -s USR1 70001"), ("alice", "sdiag -r"),
    ("root", "scontrol hold 70000"), ("alice", "scontrol release 70000"), ("root", "scontrol release 70000"),
    ("alice", "scontrol hold 70000"), ("root", "scontrol uhold 70001"), ("bob", "scontrol release 70001"),
)  # fmt: skip


def tell(sandbox: Sandbox, steps: tuple[tuple[str, str], ...]) -> list[list[str]]:
    """User, command, and what came of it, in one text each."""
    said = []
    for user, command in steps:
        seen = sandbox.run(command, user)
        lines = sorted((seen.stdout + seen.stderr).splitlines()) if "squeue" in command else [seen.stdout + seen.stderr]
        text = re.sub(r"start at \S+ using", "start at TIME using", "\n".join(lines).strip())
        said.append([user, command, f"{seen.exit}: {text}"])
    return said


def await_up(sandbox: Sandbox) -> None:
    """Wait until the controller answers."""
    give_up = time.monotonic() + 30
    while "UP" not in sandbox.run("scontrol ping").stdout:
        assert time.monotonic() < give_up, sandbox.run(f"tail -n 20 {CLUSTER_DIR}/*.out.log").stdout
        time.sleep(0.1)


def _record() -> None:
    for name, conf, steps in (("open", OPEN, SUBMITS + LISTS + ORDERS), ("private", PRIVATE, SUBMITS + LISTS)):
        with Sandbox() as sandbox:
            sandbox.write("/etc/slurm/slurm.conf", conf)
            sandbox.run(f"mkdir -p {CLUSTER_DIR}/state; chown slurm {CLUSTER_DIR} {CLUSTER_DIR}/state")
            sandbox.spawn(["slurmctld", "-D"], f"{CLUSTER_DIR}/ctld.out.log")
            await_up(sandbox)
            said = json.dumps(tell(sandbox, steps), indent=0)
        (RECORDED / f"{name}.json").write_text(said + "\n")


if __name__ == "__main__":
    _record()
