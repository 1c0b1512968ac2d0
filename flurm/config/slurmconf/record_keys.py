"""The keys inside slurm.conf's records: NodeName, PartitionName, NodeSet and DownNodes lines."""

from flurm.config.slurmconf.keys import Key, RecordKind, State
from flurm.config.slurmconf.kinds import KINDS

_ACTS = {
    "NodeName": {
        "text": "Feature NodeAddr NodeHostname Port Reason",
        "u16": "Boards CoresPerSocket CPUs Sockets SocketsPerBoard ThreadsPerCore",
        "u32": "TmpDisk Weight",
        "u64": "RealMemory",
        "node state": "State",
    },
    "PartitionName": {
        "text": """
            AllowAccounts AllowGroups AllowQos AllocNodes Alternate DefMemPerCPU DefMemPerNode DenyAccounts DenyQos
            MaxCPUsPerNode MaxMemPerCPU MaxMemPerNode MaxNodes Nodes QOS
            """,
        "minutes": "DefaultTime MaxTime OverTimeLimit",
        "u16": "Priority PriorityJobFactor PriorityTier",
        "u32": "MinNodes",
        "yes/no": "Default DisableRootJobs ExclusiveUser Hidden LLN ReqResv RootOnly",
        "partition state": "State",
        "sharing": "OverSubscribe Shared",
    },
    "NodeSet": {"text": "Feature Nodes"},
    "DownNodes": {"text": "Reason State"},
}
_DIFFERS = {
    "NodeName": {"text": "Gres", "u16": "CoreSpecCount RestrictedCoresPerGPU", "u64": "MemSpecLimit"},
    "PartitionName": {
        "text": "DefCpuPerGPU DefMemPerGPU MaxCPUsPerSocket SelectTypeParameters SuspendTime Topology",
        "preempt": "PreemptMode",
        "u16": "ResumeTimeout SuspendTimeout",
        "u32": "GraceTime",
        "yes/no": "ExclusiveTopo PowerDownOnIdle",
    },
}
_ACCEPTED = {
    "NodeName": {"text": "BcastAddr CpuBind CpuSpecList Features TRESWeights", "u16": "Procs"},
    "PartitionName": {"text": "CpuBind TRESBillingWeights"},
}
_FIRST_RELEASE = {
    "RestrictedCoresPerGPU": "23.11",
    "ExclusiveTopo": "23.11",
    "MaxCPUsPerSocket": "23.11",
    "PowerDownOnIdle": "23.11",
    "Topology": "25.05",
}
_NOTES = {
    State.ACTS: "",
    State.DIFFERS: "shown, and not acted on yet",
    State.ACCEPTED: "told to nodes and clients, no rule of the controller's",
}


def _record(name: str) -> RecordKind:
    keys = [
        Key(each, KINDS[kind], state=state, note=_NOTES[state], since=_FIRST_RELEASE.get(each, ""))
        for state, table in ((State.ACTS, _ACTS), (State.DIFFERS, _DIFFERS), (State.ACCEPTED, _ACCEPTED))
        for kind, names in table.get(name, {}).items()
        for each in names.split()
    ]
    return RecordKind(name, tuple(keys), has_defaults=name in ("NodeName", "PartitionName"))


RECORDS = tuple(_record(name) for name in ("NodeName", "PartitionName", "NodeSet", "DownNodes"))
