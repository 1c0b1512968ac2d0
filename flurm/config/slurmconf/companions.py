"""The files beside slurm.conf: gres.conf, topology.conf, cgroup.conf and job_container.conf, read by the same grammar.

FLURM reads them to tell what is wrong with them before a switch. Of topology.conf the tree of switches counts
(flurm.config.topology). Real slurmd goes on reading its own gres.conf; FLURM takes no devices from there yet.
"""

from flurm.config.slurmconf.keys import Grammar, Key, RecordKind, State
from flurm.config.slurmconf.kinds import KINDS

_SLURMD = "of the node daemon: real slurmd reads it from its own file"
_NO_GRES = "of the node daemon: what it finds by it is compared with Gres of its NodeName line"
_NO_BLOCKS = "nodes are all equally far from each other under topology/block"


def _keys(state: State, note: str, **names: str) -> tuple[Key, ...]:
    kinds = {kind.replace(" ", "_").replace("/", "_"): kind for kind in KINDS}
    return tuple(
        Key(name, KINDS[kinds[kind]], state=state, note=note) for kind, every in names.items() for name in every.split()
    )


_GRES = _keys(State.ACCEPTED, _NO_GRES, text="AutoDetect Cores CPUs Count File Flags Links MultipleFiles Type")
GRES_CONF = Grammar(
    "gres.conf",
    _keys(State.ACCEPTED, _NO_GRES, text="AutoDetect"),
    (
        RecordKind("NodeName", (*_GRES, *_keys(State.ACCEPTED, _NO_GRES, text="Name"))),
        RecordKind("Name", (*_GRES, *_keys(State.ACCEPTED, _NO_GRES, text="NodeName"))),
    ),
)
TOPOLOGY_CONF = Grammar(
    "topology.conf",
    _keys(State.DIFFERS, _NO_BLOCKS, text="BlockSizes"),
    (
        RecordKind("SwitchName", _keys(State.ACTS, "", text="Nodes Switches", u32="LinkSpeed")),
        RecordKind("BlockName", _keys(State.DIFFERS, _NO_BLOCKS, text="Nodes")),
    ),
)
CGROUP_CONF = Grammar(
    "cgroup.conf",
    _keys(
        State.ACCEPTED,
        _SLURMD,
        text="""
            AllowedKmemSpace AllowedRAMSpace AllowedSwapSpace CgroupMountpoint CgroupPlugin MaxKmemPercent MaxRAMPercent
            MaxSwapPercent MemorySwappiness MinKmemSpace MinRAMSpace SystemdTimeout
            """,
        yes_no="""
            CgroupAutomount ConstrainCores ConstrainDevices ConstrainKmemSpace ConstrainRAMSpace ConstrainSwapSpace
            EnableControllers EnableExtraControllers IgnoreSystemd IgnoreSystemdOnFailure SignalChildrenProcesses
            TaskAffinity
            """,
    ),
)
_CONTAINER = _keys(
    State.ACCEPTED,
    _SLURMD,
    text="BasePath CloneNSEpilog CloneNSProlog CloneNSScript CloneNSScript_Wait Dirs EntireStepInNS InitScript",
    yes_no="AutoBasePath Shared",
)
JOB_CONTAINER_CONF = Grammar("job_container.conf", _CONTAINER, (RecordKind("NodeName", _CONTAINER),))

COMPANIONS = (GRES_CONF, TOPOLOGY_CONF, CGROUP_CONF, JOB_CONTAINER_CONF)
