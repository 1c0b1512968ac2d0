"""What a key is, and what a grammar is: the keys that a file may hold, and the records that its lines may open.

The tables themselves are in cluster_keys.py (slurm.conf, but for records), record_keys.py (its records) and
companions.py (gres.conf, topology.conf ...).
"""

from enum import Enum

import msgspec

from flurm.config.slurmconf.kinds import Kind


class State(Enum):
    """What FLURM makes of a key; one outside the tables is refused."""

    ACTS = "acts"
    ACCEPTED = "accepted"
    DIFFERS = "differs"


class Since(msgspec.Struct, frozen=True):
    """A default that changed: before it was one thing, from the given release on it is another."""

    before: object
    release: str
    after: object


class Key(msgspec.Struct, frozen=True):
    """One key.

    name: as Slurm spells it; kind: how its text is read; default: the value where it is not given, as the wire has it,
    or a Since; field: its place in Slurm's configuration record, empty where it has none; state: what FLURM makes of
    it, and note: why, or how; since and until: the first and the last release that knows it, "" where all do;
    repeated: every line of it counts.
    """

    name: str
    kind: Kind
    default: object = None
    field: str = ""
    state: State = State.ACCEPTED
    note: str = ""
    since: str = ""
    until: str = ""
    repeated: bool = False


class RecordKind:
    """A line that opens with `name` and holds further keys; aliases are other spellings of some of them."""

    def __init__(self, name: str, keys: tuple[Key, ...], *, has_defaults: bool = False) -> None:
        self.name, self.keys, self.has_defaults = name, keys, has_defaults
        self._by_lower = {each.name.lower(): each for each in keys}

    def key(self, name: str) -> Key | None:
        """Return the key of that name in any case, None where there is none."""
        return self._by_lower.get(name.lower())

    def names(self) -> list[str]:
        """Return the names of the keys, as Slurm spells them."""
        return [each.name for each in self.keys]


class Grammar:
    """The keys of a file and the records in it."""

    def __init__(self, file: str, keys: tuple[Key, ...], records: tuple[RecordKind, ...] = ()) -> None:
        self.file, self.keys = file, keys
        self.records = {each.name: each for each in records}
        self._by_lower = {each.name.lower(): each for each in keys}
        self._records_by_lower = {each.name.lower(): each for each in records}

    def key(self, name: str) -> Key | None:
        """Return the key of that name in any case, None where there is none."""
        return self._by_lower.get(name.lower())

    def record(self, name: str) -> RecordKind | None:
        """Return the record that a line with this key opens, None where it opens none."""
        return self._records_by_lower.get(name.lower())

    def names(self) -> list[str]:
        """Return the names of all keys that a line may begin with."""
        return [*(each.name for each in self.keys), *self.records]
