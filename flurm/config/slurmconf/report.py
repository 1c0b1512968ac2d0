"""What will differ under FLURM where a site's files are taken as they are, for `flurm check-config`."""

from pathlib import Path

import msgspec

from flurm.config.slurmconf.companions import COMPANIONS
from flurm.config.slurmconf.keys import Key, State
from flurm.config.slurmconf.parser import Parsed, Setting, read

SAME = {
    "AccountingStorageEnforce": {"none", "0"},
    "AccountingStorageType": {"accounting_storage/none"},
    "JobCompType": {"jobcomp/none"},
    "MCSPlugin": {"mcs/none"},
    "PreemptMode": {"off"},
    "PreemptType": {"preempt/none"},
    "PriorityFavorSmall": {"no"},
    "SelectType": {"select/cons_tres", "select/cons_res"},
    "SuspendTime": {"-1", "infinite", "none"},
    "TopologyPlugin": {"topology/none", "topology/default", "topology/flat", "topology/tree"},
    "TrackWCKey": {"no", "0"},
}
"""Values of keys that make a difference otherwise, under which Slurm does what FLURM does."""


class Finding(msgspec.Struct, frozen=True):
    """A key of the site that FLURM does not act on: where it stands first, how often, and why nothing comes of it."""

    where: str
    key: str
    value: str
    count: int
    state: State
    note: str

    def __str__(self) -> str:
        again = f" (and {self.count - 1} more)" if self.count > 1 else ""
        return f"{self.where}: {self.key} = {self.value!r}{again}: {self.note}"


def findings(conf: Parsed) -> list[Finding]:
    """Return what FLURM does not act on, keys that make a difference first, each key once."""
    from flurm.config.slurmconf import SLURM_CONF

    found: dict[str, list[tuple[Setting, Key]]] = {}
    for setting in conf.settings:
        if (key := SLURM_CONF.key(setting.key)) and setting.value.lower() not in SAME.get(setting.key, ()):
            found.setdefault(setting.key, []).append((setting, key))
    for kind, records in conf.records.items():
        for record in records:
            for setting in record.settings.values():
                if key := SLURM_CONF.records[kind].key(setting.key):
                    found.setdefault(f"{kind} {setting.key}", []).append((setting, key))
    return sorted(
        (_finding(name, each) for name, each in found.items() if each[0][1].state is not State.ACTS),
        key=lambda each: each.state is State.ACCEPTED,
    )


def _finding(name: str, places: list[tuple[Setting, Key]]) -> Finding:
    setting, key = places[0]
    return Finding(f"{setting.file}:{setting.line}", name, setting.value, len(places), key.state, key.note)


def companions_of(path: str) -> list[Parsed]:
    """Read the files that lie beside the slurm.conf at path."""
    folder = Path(path).parent
    return [read(str(folder / each.file), each) for each in COMPANIONS if (folder / each.file).is_file()]
