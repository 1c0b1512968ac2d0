"""topology.conf of a site with TopologyPlugin=topology/tree: switches with nodes below them, and switches above those.

As slurmctld reads it: a tree that is none is refused; nodes that are not configured, or that no switch or several leaf
switches reach, are odd and no more.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from flurm.config.errors import ConfigError
from flurm.config.slurmconf.companions import TOPOLOGY_CONF
from flurm.config.slurmconf.parser import Record, read
from flurm.core.node_records import Switch
from protocol.hostlist import HostlistError, expand, fold, in_order

__all__ = ["FILE", "switches_beside"]

FILE = "topology.conf"
_TREE = "topology/tree"


def switches_beside(slurm_conf: str, plugin: str | None, nodes: list[str], warnings: list[str]) -> tuple[Switch, ...]:
    """The switches in the topology.conf beside a slurm.conf, in file order; none unless the plugin is the tree's.

    nodes: the names of all that are configured, in their order. Raises ConfigError.
    """
    if plugin is None or plugin.lower() != _TREE:
        return ()
    path = Path(slurm_conf).with_name(FILE)
    if not path.is_file():
        warnings.append(f"{path}: there is none, though TopologyPlugin={_TREE}: all nodes are equally far apart")
        return ()
    parsed = read(str(path), TOPOLOGY_CONF).checked()
    warnings += parsed.warnings
    return _Tree(parsed.records["SwitchName"], nodes, warnings).switches()


class _Tree:
    """The records of one file; used once."""

    def __init__(self, records: list[Record], nodes: list[str], warnings: list[str]) -> None:
        self._records: dict[str, Record] = {}
        self._rank = {name: number for number, name in enumerate(nodes)}
        self._warnings = warnings
        self._reach: dict[str, tuple[int, set[str]]] = {}
        for record in records:
            if record.name.value in self._records:
                raise record.name.wrong("a switch of that name is there already")
            self._records[record.name.value] = record

    def switches(self) -> tuple[Switch, ...]:
        """All of them."""
        found = tuple(self._switch(name) for name in self._records)
        self._look_for_oddities(found)
        return found

    def _switch(self, name: str) -> Switch:
        record = self._records[name]
        level, reached = self._reached(name, ())
        nodes, children = record.text("Nodes"), record.text("Switches")
        speed = record.settings.get("LinkSpeed")
        return Switch(
            name=name,
            level=level,
            nodes=nodes if nodes is not None else fold(sorted(reached, key=self._rank.__getitem__)),
            switches=children,
            link_speed=1 if speed is None else int(speed.value),
        )

    def _reached(self, name: str, above: tuple[str, ...]) -> tuple[int, set[str]]:
        """The switch's level, 0 where nodes are, and the configured nodes below it."""
        if name in self._reach:
            return self._reach[name]
        record = self._records[name]
        nodes, children = record.settings.get("Nodes"), record.settings.get("Switches")
        if nodes is not None and children is not None:
            raise record.name.wrong("expected Nodes or Switches, found both")
        if nodes is not None:
            found = 0, {each for each in _names(nodes.value, record) if each in self._rank}
        elif children is not None:
            found = self._above(record, _names(children.value, record), (*above, name))
        else:
            raise record.name.wrong("expected Nodes or Switches")
        self._reach[name] = found
        return found

    def _above(self, record: Record, children: list[str], path: tuple[str, ...]) -> tuple[int, set[str]]:
        level, reached = 0, set[str]()
        for child in children:
            if child not in self._records:
                raise record.settings["Switches"].wrong(f"no switch {child}")
            if child in path:
                raise record.settings["Switches"].wrong(f"expected a tree, but {child} is below itself")
            child_level, below = self._reached(child, path)
            level, reached = max(level, child_level + 1), reached | below
        return level, reached

    def _look_for_oddities(self, switches: tuple[Switch, ...]) -> None:
        leaves = [each for each in switches if each.level == 0]
        named = [name for each in leaves for name in dict.fromkeys(expand(each.nodes))]
        unknown = sorted({name for name in named if name not in self._rank})
        counts = Counter(named)
        twice = [name for name, count in counts.items() if count > 1 and name in self._rank]
        missing = [name for name in self._rank if name not in counts]
        for what, names in (
            ("not configured", unknown),
            ("below several leaf switches", in_order(twice)),
            ("below no switch", missing),
        ):
            if names:
                self._warnings.append(f"{FILE}: nodes {what}: {fold(names)}")


def _names(text: str, record: Record) -> list[str]:
    try:
        return expand(text)
    except HostlistError as error:
        raise ConfigError(
            str(error), file=record.name.file, line=record.name.line, key=record.name.key, value=text
        ) from error
