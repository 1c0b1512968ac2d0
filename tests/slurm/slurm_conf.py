"""The one slurm.conf of these tests: real Slurm and FLURM are given the same text.

Cluster `testc`, nodes n1-n4 (2 CPUs, 1000 MiB; n1,n2 `fast`, n3,n4 `big`), four partitions. Job ids begin at 70000,
above every port and every process id of a sandbox, so that they can be told from any other number in an output.
Scheduling is tuned to react at once: stock Slurm waits for seconds.
"""

from __future__ import annotations

FIRST_JOB_ID = 70000
NODES = ("n1", "n2", "n3", "n4")

TEMPLATE = """\
ClusterName=testc
SlurmctldHost={host}({address})
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool.%n
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.%n.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PriorityType=priority/basic
DefMemPerCPU=100
FirstJobId=70000
ReturnToService=1
SlurmdTimeout=15
KillWait=2
SlurmdParameters=config_overrides
NodeName=DEFAULT CPUs=2 Sockets=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=1000 State=UNKNOWN
NodeName=n[1-2] NodeHostname={host} NodeAddr={address} Port={node_ports_12} Feature=fast
NodeName=n[3-4] NodeHostname={host} NodeAddr={address} Port={node_ports_34} Feature=big
PartitionName=debug Nodes=n[1-4] Default=YES MaxTime=1:00:00 DefaultTime=10 State=UP
PartitionName=long Nodes=n[3-4] MaxTime=INFINITE State=UP
PartitionName=down Nodes=n[1-4] State=DOWN
PartitionName=drained Nodes=n[1-4] State=DRAIN
"""


def slurm_conf(
    host: str = "ctl",
    address: str = "127.0.0.1",
    port: int = 6817,
    first_node_port: int = 17001,
    directory: str = "/mnt/cluster",
) -> str:
    """The text for a controller at `address:port`, whose nodes listen on four ports from `first_node_port`."""
    p = first_node_port
    return TEMPLATE.format(
        host=host,
        address=address,
        port=port,
        directory=directory,
        node_ports_12=f"[{p}-{p + 1}]",
        node_ports_34=f"[{p + 2}-{p + 3}]",
    )
