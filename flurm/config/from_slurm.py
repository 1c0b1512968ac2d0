"""What an existing site's slurm.conf means for FLURM.

Keys that FLURM acts on become attributes of the configuration, by the same table as flurm.toml; every key is kept as
text as well, so that `scontrol show config` gives it back. Nodes and partitions follow Slurm's rules: host lists in
names, addresses and ports, DEFAULT records, node sets, the last default partition wins.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

import flurm.config.nodes as nodes
import flurm.config.settings as settings
from flurm.config.errors import ConfigError, nearest
from flurm.config.machine import Machine
from flurm.config.records import ControllerAddress, NodeConfig, PartitionConfig
from flurm.config.show_cgroup import settings_beside
from flurm.config.slurmconf import REPEATED, SLURM_CONF, Parsed, Record, Setting, parse_slurm_conf, read_slurm_conf
from flurm.config.slurmconf.kinds import Kind
from flurm.config.topology import switches_beside
from flurm.config.values import Parser, auth_alt_types, integer, is_unlimited, one_of, port, strings
from protocol.hostlist import expand, in_order

# Slurm keys that become something else than one attribute of the same meaning, with the flurm.toml key to use instead.
SPECIAL_KEYS = {
    "AuthAltParameters": "jwt_key",
    "AuthAltTypes": "auth_alt_types",
    "AuthInfo": "munge_socket and munge_ttl",
    "AuthType": "auth_type",
    "CredType": "cred_type",
    "SchedulerType": "scheduler_plugin",
    "SlurmctldHost": "controllers",
    "SlurmctldPort": "slurmctld_port",
    "SlurmdSpoolDir": "spool_dir under [flurm.slurmd]",
    "SlurmdTimeout": "heartbeat_timeout",
    "StateSaveLocation": "state_dir",
}

_PER_HOST = ("hostname", "address", "bcast_address", "port")
_SCHEDULERS = {"sched/backfill": "flurm_sched_backfill", "sched/builtin": "flurm_sched_fifo"}
_ALIASES = {"Features": "Feature", "Procs": "CPUs", "Shared": "OverSubscribe"}


class Site(msgspec.Struct):
    """A site as its slurm.conf describes it; settings are attributes of Config."""

    settings: dict[str, Any]
    controllers: tuple[ControllerAddress, ...]
    nodes: tuple[NodeConfig, ...]
    partitions: tuple[PartitionConfig, ...]


def read(path: str, machine: Machine, warnings: list[str]) -> Site:
    """Read the slurm.conf at path. Raises ConfigError, which tells all that is wrong."""
    return interpret(read_slurm_conf(path), machine, warnings)


def interpret(conf: Parsed, machine: Machine, warnings: list[str]) -> Site:
    """Return what conf means on this machine; oddities that Slurm lets pass are added to warnings."""
    warnings += conf.warnings
    faults = Faults(conf.faults)
    last = conf.last()
    found: dict[str, Any] = dict(settings.SLURM_DEFAULTS)
    for key in settings.CLUSTER:
        if key.slurm and key.slurm in last:
            with faults:
                found[key.target] = _parsed(last[key.slurm], key.parse)
    with faults:
        found |= _special(last)
    controllers = _controllers(conf, found.get("slurmctld_port", 6817))
    own = next((each for each in controllers if each.name.split(".")[0] == machine.hostname), None)
    if own is not None:
        found |= {"controller_name": own.name, "slurmctld_host": own.host}
    site_nodes = _nodes(conf, found.get("slurmd_port", 6818), warnings, faults)
    usual = {"disable_root_jobs": found.get("disable_root_jobs", False)}
    site_partitions = tuple(_settled(each, warnings) for each in _partitions(conf, site_nodes, usual, faults))
    with faults:
        plugin = last["TopologyPlugin"].value if "TopologyPlugin" in last else None
        found["switches"] = switches_beside(conf.path, plugin, [each.name for each in site_nodes], warnings)
    found["cgroup"] = settings_beside(conf.path, warnings)
    faults.raise_all()
    found |= {"slurm_conf": conf.path, "slurm": raw(conf)}
    if "cluster_name" in found:
        found["cluster_name"] = found["cluster_name"].lower()
    return Site(found, controllers, site_nodes, site_partitions)


def raw(conf: Parsed) -> dict[str, str]:
    """Return key -> text in force, of keys that may stand several times all of it, joined by commas."""
    joined = {key: ",".join(each.value for each in conf.all_of(key)) for key in REPEATED}
    return {key: joined.get(key, each.value) for key, each in conf.last().items()}


def _settled(partition: PartitionConfig, warnings: list[str]) -> PartitionConfig:
    """A partition without a default time limit that is beyond its own, which Slurm drops."""
    limit, default = partition.max_time, partition.default_time
    if limit is None or default is None or default <= limit:
        return partition
    warnings.append(f"partition {partition.name}: DefaultTime is beyond MaxTime; ignored")
    return msgspec.structs.replace(partition, default_time=None)


class Faults:
    """A block that begins `with faults:` may raise ConfigError; all of them are told at the end."""

    def __init__(self, found: Sequence[ConfigError]) -> None:
        self.found = list(found)

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if isinstance(error, ConfigError):
            self.found.append(error)
        return isinstance(error, ConfigError)

    def raise_all(self) -> None:
        """Raise what has been found, if anything."""
        if self.found:
            raise ConfigError.of_all(self.found)


def node_line(text: str, default_port: int, **usual: object) -> tuple[NodeConfig, ...]:
    """Return the nodes of one line NodeName=..., as administrators and dynamic nodes send it.

    usual: attributes of NodeConfig for what the line leaves out. Raises ConfigError, ValueError.
    """
    if "\n" in text or not text.lower().startswith("nodename="):
        raise ConfigError("expected one line that begins with NodeName=", value=text[:80])
    conf = parse_slurm_conf(text, "node line").checked()
    records = conf.records["NodeName"]
    if conf.settings or len(records) != 1:
        raise ConfigError("expected the names of nodes", value=text[:80])
    return tuple(_nodes_of(records[0], default_port, [], usual))


def share_of(given: Mapping[str, object], number: int, count: int) -> dict[str, object]:
    """Return what the number-th of count nodes gets of addresses and names that were given as host lists.

    Raises ValueError where a list has neither one entry nor count of them.
    """
    shares: dict[str, object] = {}
    for key in _PER_HOST:
        if isinstance(value := given.get(key), str):
            each = expand(value)
            if len(each) not in (1, count):
                raise ValueError(f"expected 1 or {count} in {key} {value!r}, found {len(each)}")
            shares[key] = each[number] if len(each) == count else each[0]
    return shares


def _parsed(setting: Setting, parse: Parser, kind: Kind | None = None) -> Any:
    """Read a value; a number is taken as Slurm reads numbers."""
    if kind is None and (key := SLURM_CONF.key(setting.key)):
        kind = key.kind
    number = kind is not None and kind.name in ("u16", "u32", "u64")
    try:
        return parse(
            kind.parse(setting.value) if number and kind and not is_unlimited(setting.value) else setting.value
        )
    except ValueError as wrong:
        raise setting.wrong(str(wrong)) from None


def _special(last: Mapping[str, Setting]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if setting := last.get("SlurmctldPort"):
        found["slurmctld_port"] = port(setting.value) if setting.value.isdigit() else _first_port(setting)
    if setting := last.get("SchedulerType"):
        found["scheduler_plugin"] = _SCHEDULERS[_parsed(setting, one_of(*_SCHEDULERS))]
    if setting := last.get("AuthType"):
        found["auth_type"] = _parsed(setting, one_of("auth/munge", "auth/none", "auth/slurm")).removeprefix("auth/")
    if setting := last.get("CredType"):
        known = one_of("cred/munge", "cred/none", "cred/slurm", "auth/slurm")
        found["cred_type"] = _parsed(setting, known).partition("/")[2]
    if setting := last.get("SlurmdTimeout"):
        seconds = _parsed(setting, integer(0, 65534))
        found["heartbeat_timeout"] = (seconds or 65534) * 1000
        found["heartbeat_interval"] = min(30_000, max(found["heartbeat_timeout"] // 3, 1))
    if setting := last.get("StateSaveLocation"):
        found["state_dir"] = f"{setting.value.rstrip('/')}/flurm"
    if setting := last.get("SlurmdSpoolDir"):
        found["slurmd_spool_dir"] = setting.value
    return found | _auth_info(last.get("AuthInfo")) | _auth_alt(last)


def _first_port(setting: Setting) -> int:
    """Return the first port of a range such as 6817-6820."""
    low, _, _ = setting.value.partition("-")
    try:
        return int(str(port(low)))
    except ValueError as wrong:
        raise setting.wrong(f"{wrong}, or a range of them") from None


def _auth_info(setting: Setting | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in strings(setting.value) if setting else ():
        key, _, value = option.partition("=")
        if key == "socket":
            found["munge_socket"] = value
        elif key == "ttl" and setting:
            found["munge_ttl"] = _parsed(msgspec.structs.replace(setting, value=value), integer(1, 86400))
    return found


def _auth_alt(last: Mapping[str, Setting]) -> dict[str, Any]:
    """Tokens of users: AuthAltTypes=auth/jwt and its key. Raises ConfigError for keys that are not shared secrets."""
    found: dict[str, Any] = {}
    if setting := last.get("AuthAltTypes"):
        found["auth_alt_types"] = _parsed(setting, auth_alt_types)
    setting = last.get("AuthAltParameters")
    for option in strings(setting.value) if setting else ():
        key, _, value = option.partition("=")
        if key == "jwt_key":
            found["jwt_key"] = value
        elif key in ("jwks", "userclaimfield") and setting:
            raise setting.wrong(f"expected jwt_key=FILE: {key} needs tokens signed with a public key, not taken here")
    return found


def _controllers(conf: Parsed, default_port: int) -> tuple[ControllerAddress, ...]:
    """Return every SlurmctldHost=name[(address)]; ControlMachine and BackupController are their older names."""
    found = []
    for setting in conf.all_of("SlurmctldHost"):
        name, _, address = setting.value.partition("(")
        found.append(ControllerAddress(address.rstrip(")") or name, default_port, name))
    last = conf.last()
    for old, old_address in (("ControlMachine", "ControlAddr"), ("BackupController", "BackupAddr")):
        if not conf.all_of("SlurmctldHost") and old in last:
            name = last[old].value
            found.append(ControllerAddress(last.get(old_address, last[old]).value, default_port, name))
    return tuple(found)


def _values(record: Record, keys: tuple[settings.Key, ...], per_host: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return attribute -> parsed value of a record; attributes in per_host stay text, being host lists."""
    by_slurm = {each.slurm: each for each in keys if each.slurm}
    kinds = {each.name: each.kind for each in SLURM_CONF.records[record.name.key].keys}
    found: dict[str, Any] = {}
    for setting in record.settings.values():
        right = _ALIASES.get(setting.key, setting.key)
        key = by_slurm.get(right)
        if key is not None and (right == setting.key or right not in record.settings):
            kind = kinds[setting.key]
            found[key.target] = setting.value if key.name in per_host else _parsed(setting, key.parse, kind)
    return found


def _expanded(setting: Setting, text: str | None = None) -> list[str]:
    try:
        return [name for part in strings(setting.value if text is None else text) for name in expand(part)]
    except ValueError as wrong:
        raise setting.wrong(str(wrong)) from None


def _nodes(conf: Parsed, default_port: int, warnings: list[str], faults: Faults) -> tuple[NodeConfig, ...]:
    found: dict[str, NodeConfig] = {}
    for record in conf.records["NodeName"]:
        with faults:
            for each in _nodes_of(record, default_port, warnings):
                if each.name in found:
                    raise record.name.wrong(f"{each.name} is there twice")
                found[each.name] = each
    for record in conf.records["DownNodes"]:
        with faults:
            _take_down(record, found, warnings)
    return tuple(found[name] for name in in_order(found))


def _nodes_of(
    record: Record, default_port: int, warnings: list[str], usual: Mapping[str, object] | None = None
) -> list[NodeConfig]:
    given = {**(usual or {}), **_values(record, settings.NODE, _PER_HOST)}
    names = _expanded(record.name)
    found = []
    for number, name in enumerate(names):
        try:
            own = given | share_of(given, number, len(names))
            if "port" in own:
                own["port"] = port(own["port"])
            found.append(nodes.node(name, own, default_port, warnings))
        except ValueError as wrong:
            raise record.name.wrong(str(wrong)) from None
    return found


def _take_down(record: Record, found: dict[str, NodeConfig], warnings: list[str]) -> None:
    """Give the nodes of a DownNodes line its state and reason; as in Slurm, unknown names and states are no error."""
    state = (record.text("State") or "DOWN").upper()
    where = f"{record.name.file}:{record.name.line}"
    if state not in ("DOWN", "DRAIN", "FAIL", "FAILING"):
        warnings.append(f"{where}: State = {state!r}: expected DOWN, DRAIN, FAIL or FAILING; ignored")
        return
    for name in _expanded(record.name):
        if name not in found:
            warnings.append(f"{where}: no node {name}; ignored")
            continue
        reason = record.text("Reason") or "Set in slurm.conf"
        found[name] = msgspec.structs.replace(found[name], state=state, reason=reason)


def _partitions(
    conf: Parsed, known: tuple[NodeConfig, ...], usual: Mapping[str, Any], faults: Faults
) -> tuple[PartitionConfig, ...]:
    sets = _node_sets(conf, known, faults)
    by_feature = {
        record.name.value: text for record in conf.records["NodeSet"] if (text := record.text("Feature")) is not None
    }
    found: dict[str, PartitionConfig] = {}
    for record in conf.records["PartitionName"]:
        with faults:
            given = _values(record, settings.PARTITION) | _old_priority(record)
            given["dynamic_features"] = tuple(
                by_feature[part] for part in strings(record.text("Nodes") or "") if part in by_feature
            )
            members, everyone = _members(record, known, sets)
            name = record.name.value
            if name in found:
                raise record.name.wrong(f"{name} is there twice")
            found[name] = PartitionConfig(name=name, nodes=members, all_nodes=everyone, **{**usual, **given})
    default = next((each.name for each in reversed(found.values()) if each.default), None)
    return tuple(msgspec.structs.replace(each, default=each.name == default) for each in found.values())


def _old_priority(record: Record) -> dict[str, Any]:
    """Return what Priority= means: tier and job factor both, unless they are named as close by as it is."""
    old = record.settings.get("Priority")
    if old is None:
        return {}
    both = _parsed(old, settings.BOUNDED)
    names = {"priority_tier": "PriorityTier", "priority_job_factor": "PriorityJobFactor"}
    nearer = {name for name, key in names.items() if key in record.settings and record.settings[key].line >= old.line}
    return {name: both for name in names if name not in nearer}


def _node_sets(conf: Parsed, known: tuple[NodeConfig, ...], faults: Faults) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for record in conf.records["NodeSet"]:
        members: list[str] = []
        with faults:
            if feature := record.settings.get("Feature"):
                members += [each.name for each in known if feature.value in each.features]
            if named := record.settings.get("Nodes"):
                members += _checked(named, _expanded(named), known)
        found[record.name.value] = members
    return found


def _members(
    record: Record, known: tuple[NodeConfig, ...], sets: Mapping[str, list[str]]
) -> tuple[tuple[str, ...], bool]:
    """Return the nodes of a partition record, in order and each once, and whether it takes every node."""
    setting = record.settings.get("Nodes")
    if setting is None or not setting.value:
        return (), False
    names: list[str] = []
    for part in strings(setting.value):
        if part.upper() == "ALL":
            return tuple(each.name for each in known), True
        names += sets[part] if part in sets else _checked(setting, _expanded(setting, part), known)
    return tuple(dict.fromkeys(names)), False


def _checked(setting: Setting, names: list[str], known: tuple[NodeConfig, ...]) -> list[str]:
    declared = {each.name for each in known}
    for name in names:
        if name not in declared:
            raise _unknown_node(setting, name, declared)
    return names


def _unknown_node(setting: Setting, name: str, declared: set[str]) -> ConfigError:
    return setting.wrong(f"unknown node {name}", nearest(name, declared))
