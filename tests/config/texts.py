"""What Slurm's own clients print of a slurm.conf under slurmctld and under FLURM, so that it can be compared.

The files are those of echo.py. `NAME` -> {command: text}, the commands being COMMANDS; record_texts.py took the texts
of real slurmctld 22.05 and 24.11 with the clients of the same release, and takes FLURM's with the same ones. `settled`
takes out what differs from one run to the next; KNOWN is what differs beyond that, and why.
"""

from __future__ import annotations

import difflib
import functools
import gzip
import json
import re
from pathlib import Path

from tests.config import echo

COMMANDS = ("scontrol show config", "scontrol show nodes", "scontrol show partitions")
SAMPLE = ("jobdefaults", "nodesets", "resources", "tree")
"""The files that the default run looks at."""
ELSEWHERE = {
    "control-machine": "several controllers need certificates",
    "large": "several controllers need certificates",
    "two-controllers": "several controllers need certificates",
}
"""Files that no controller is started on here, and why."""

Texts = dict[str, str]


def path_of(release: str) -> Path:
    """Where the texts of a release lie."""
    return echo.DATA / f"texts-{release}.json.gz"


@functools.cache
def recorded(release: str) -> dict[str, Texts]:
    """What the clients of a release print under slurmctld, by file."""
    return json.loads(gzip.decompress(path_of(release).read_bytes()))


def settled(text: str) -> list[str]:
    """The lines of a text, without times and what else belongs to one run."""
    for pattern, instead in _OF_ONE_RUN:
        text = re.sub(pattern, instead, text)
    return [line.rstrip() for line in text.splitlines()]


_OF_ONE_RUN = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "TIME"),
    (r"(?m)^(HASH_VAL|SLURM_CONF|SLURM_VERSION) .*$", r"\1 = SET"),
    (r"(?m)^(Slurmctld\(\w+\) at \S+ is) \w+$", r"\1 UP"),
    (r"\+NOT_RESPONDING", ""),
)


def differences(release: str, name: str, ours: Texts) -> list[str]:
    """Lines that differ between slurmctld (-) and FLURM (+), but for the known ones."""
    found = []
    for command in COMMANDS:
        theirs, mine = settled(recorded(release)[name][command]), settled(ours[command])
        found += [row for row in difflib.ndiff(theirs, mine) if row[0] in "+-"]
    known = [
        pattern for patterns in (*KNOWN.values(), *(KNOWN_OF_FILES.get(name, {}).values())) for pattern in patterns
    ]
    return [row.rstrip() for row in found if row[1:].strip() and not any(re.search(each, row) for each in known)]


_PRIORITY = (
    "FairShareDampeningFactor|Priority(DecayHalfLife|CalcPeriod|FavorSmall|Flags|MaxAge|UsageResetPeriod|Weight)"
)
KNOWN = {
    "FLURM does not hash its files": (r"^- HASH_VAL",),
    "slurmctld 22.05 has other defaults than newer releases; FLURM has those of the newer ones": (
        r"^[-+] SelectType(Parameters)? ", r"^[-+] PriorityType ", rf"^\+ ({_PRIORITY})",
    ),
    "parameters of mpi/pmix are slurmd's and srun's": (r"^- (PMIx|MPI Plugins Configuration)",),
    "names of node sets are not kept": (r"^-    NodeSets=",),
}  # fmt: skip
"""Why lines differ in any file, with patterns of them; docs/slurm-conf.md says the same."""
KNOWN_OF_FILES: dict[str, dict[str, tuple[str, ...]]] = {
    "cloud": {"nothing is powered down or up": (r"State=", "ReconfigFlags")},
    "flags": {"jobs cannot ask for frequencies": ("CpuFreq",)},
    "gpu": {"billing weights are shown, nothing is billed": ("billing=",)},
    "hardware": {"cores and memory of the system are not set aside, CPUs not bound": (
        "CPUEfctv", "CoreSpecCount", "CfgTRES", "CpuBind", "NodeName=j9", "AllocNodes", "TRES=",
    )},
    "jobdefaults": {"no GPUs are given out": ("JobDefaults",)},
    "limits": {"FLURM calls a node down after two heartbeats": ("State=", "Reason=Not responding")},
    "memory-limits": {
        "memory of the system is not set aside": ("MemSpecLimit",),
        "slurmctld shows a limit that is none as a number": ("DefMemPerNode",),
    },
    "odd-style": {"24.11 raises it, silently": ("UnkillableStepTimeout",)},
    "resources": {"22.05 drops no_consume": ("Gres=",)},
    "states": {"nodes that have not registered are UNKNOWN whatever the file says": (".",)},
}  # fmt: skip
"""The same for certain files."""
