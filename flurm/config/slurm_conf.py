"""Reads slurm.conf: text in, ordered settings and records out; what they mean is decided elsewhere.

The grammar: keys without regard to case, Key=Value (spaces around the sign are let pass), values in double quotes
where they hold spaces, '#' begins a comment unless escaped, a line that ends in a backslash goes on in the next,
"Include path" reads another file in place, relative to the file that says so. Lines that open with NodeName,
PartitionName, NodeSet or DownNodes are records of several keys; a record named DEFAULT gives the values of those
that follow it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from flurm.config.errors import ConfigError
from flurm.config.slurm_keys import (
    NODE_KEYS,
    PARTITION_KEYS,
    RECORD_KEYS,
    REPEATED_KEYS,
    canonical,
    nearest_key,
)

MAX_INCLUDE_DEPTH = 16

_PAIR = re.compile(r'\s*([A-Za-z]\w*)\s*=\s*(?:"([^"]*)"|(\S*))')
_INCLUDE = re.compile(r"\s*include\s+(\S+)\s*$", re.IGNORECASE)
_COMMENT = re.compile(r"(?<!\\)#.*")
_KEYS_OF = {
    "NodeName": NODE_KEYS,
    "PartitionName": PARTITION_KEYS,
    "NodeSet": ("Feature", "Nodes"),
    "DownNodes": ("Reason", "State"),
}


class Setting(msgspec.Struct, frozen=True):
    """One Key=Value of the file, the key as Slurm spells it, and where it stands."""

    key: str
    value: str
    file: str
    line: int

    def wrong(self, expected: str, suggestion: str | None = None) -> ConfigError:
        """Return the error that this setting is wrong."""
        return ConfigError(
            expected, file=self.file, line=self.line, key=self.key, value=self.value, suggestion=suggestion
        )


class Record(msgspec.Struct, frozen=True):
    """A NodeName, PartitionName, NodeSet or DownNodes line with the DEFAULT values in force merged in."""

    name: Setting
    settings: dict[str, Setting]


class SlurmConf(msgspec.Struct):
    """A slurm.conf as read: global settings in file order, then the records of each kind."""

    path: str
    settings: list[Setting] = msgspec.field(default_factory=list)
    nodes: list[Record] = msgspec.field(default_factory=list)
    partitions: list[Record] = msgspec.field(default_factory=list)
    node_sets: list[Record] = msgspec.field(default_factory=list)
    down_nodes: list[Record] = msgspec.field(default_factory=list)

    def last(self) -> dict[str, Setting]:
        """Return the setting in force of each key: the last one, as Slurm has it."""
        return {each.key: each for each in self.settings}

    def all_of(self, key: str) -> list[Setting]:
        """Return every setting of key, in file order."""
        return [each for each in self.settings if each.key == key]

    def raw(self) -> dict[str, str]:
        """Return key -> text in force, repeated keys joined by commas."""
        joined = {key: ",".join(each.value for each in self.all_of(key)) for key in REPEATED_KEYS}
        return {key: joined.get(key, each.value) for key, each in self.last().items()}


def read(path: str | Path) -> SlurmConf:
    """Read the slurm.conf at path with all that it includes. Raises ConfigError."""
    conf = SlurmConf(path=str(path))
    _collect(conf, _lines_of(Path(path), (), None))
    return conf


def parse(text: str, file: str = "slurm.conf") -> SlurmConf:
    """Read the text of a slurm.conf; file names it in errors. Raises ConfigError."""
    conf = SlurmConf(path=file)
    _collect(conf, _logical_lines(text, file, Path(file).parent, (file,)))
    return conf


def _collect(conf: SlurmConf, lines: Iterator[tuple[str, int, str]]) -> None:
    defaults: dict[str, dict[str, Setting]] = {key: {} for key in RECORD_KEYS}
    kinds = {
        "NodeName": conf.nodes,
        "PartitionName": conf.partitions,
        "NodeSet": conf.node_sets,
        "DownNodes": conf.down_nodes,
    }
    for file, line, text in lines:
        settings = _settings_of(text, file, line)
        first = settings[0]
        if first.key not in kinds:
            conf.settings.extend(settings)
            continue
        values = {each.key: each for each in settings[1:]}
        if first.value.upper() == "DEFAULT":
            defaults[first.key] |= values
        else:
            kinds[first.key].append(Record(first, defaults[first.key] | values))


def _settings_of(text: str, file: str, line: int) -> list[Setting]:
    """Split one logical line into its settings; a line that opens a record is read by that record's keys."""
    settings: list[Setting] = []
    allowed: tuple[str, ...] | None = None
    position = 0
    while text[position:].strip():
        found = _PAIR.match(text, position)
        if found is None:
            raise _not_a_pair(text[position:].strip(), file, line)
        value = found[2] if found[2] is not None else found[3]
        key = canonical(found[1], allowed)
        if key is None or (settings and key in RECORD_KEYS):
            hint = nearest_key(found[1], allowed)
            inside = f" in a {settings[0].key} line" if allowed is not None else ""
            raise ConfigError(f"unknown key{inside}", file=file, line=line, key=found[1], value=value, suggestion=hint)
        settings.append(Setting(key, value.replace("\\#", "#"), file, line))
        if len(settings) == 1:
            allowed = _KEYS_OF.get(key)
        position = found.end()
    return settings


def _not_a_pair(rest: str, file: str, line: int) -> ConfigError:
    return ConfigError(f"expected Key=Value, found {rest.split(maxsplit=1)[0]!r}", file=file, line=line)


def _lines_of(path: Path, parents: tuple[str, ...], said_by: tuple[str, int] | None) -> Iterator[tuple[str, int, str]]:
    file, line = said_by or (str(path), None)
    if str(path) in parents or len(parents) >= MAX_INCLUDE_DEPTH:
        raise ConfigError(f"includes itself or too deeply: {path}", file=file, line=line, key="Include")
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", file=file, line=line) from error
    yield from _logical_lines(text, str(path), path.parent, (*parents, str(path)))


def _logical_lines(text: str, file: str, folder: Path, parents: tuple[str, ...]) -> Iterator[tuple[str, int, str]]:
    """Yield (file, line, text) of lines that say something: comments gone, continuations joined, includes read."""
    joined, began = "", 0
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        began = began if joined else number
        line = _COMMENT.sub("", raw).rstrip()
        if line.endswith("\\"):
            joined += line[:-1]
            continue
        whole, joined = joined + line, ""
        if include := _INCLUDE.match(whole):
            yield from _lines_of(folder / include[1], parents, (file, began))
        elif whole.strip():
            yield file, began, whole
