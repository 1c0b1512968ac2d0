"""Makes one validated Config from flurm.toml, from a site's slurm.conf that it names, and from overrides.

Later beats earlier: the defaults of this machine, then slurm.conf, then flurm.toml, then the overrides (from the
command line). Every value passes the same tables of settings.py, wherever it comes from.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

import flurm.config.from_slurm as from_slurm
import flurm.config.nodes as nodes
import flurm.config.settings as settings
from flurm.config.errors import ConfigError, nearest
from flurm.config.machine import Machine, this_machine
from flurm.config.records import Config, ControllerAddress, NodeConfig, PartitionConfig, SlurmdConfig
from flurm.config.slurmconf import SLURM_CONF
from flurm.config.toml_lines import Path as KeyPath
from flurm.config.toml_lines import locate, nearest_line
from flurm.config.values import name as parse_name
from flurm.config.values import port as parse_port
from flurm.config.values import strings
from protocol.hostlist import expand

STANDARD_FILES = ("/etc/flurm/flurm.toml",)


def find_file() -> str | None:
    """Return the configuration file to use where none is named: $FLURM_CONF, else the first standard one there is."""
    named = os.environ.get("FLURM_CONF")
    return named or next((each for each in STANDARD_FILES if Path(each).is_file()), None)


def load(
    path: str | Path | None, *, overrides: Mapping[str, object] | None = None, machine: Machine | None = None
) -> Config:
    """Return the configuration in the file at path; without one, that of a one-machine cluster on this host.

    overrides: keys of [flurm] (dotted below it, "slurmd.cpus") -> values, as the file would have them.
    machine: what this host is, found out where not given. Raises ConfigError.
    """
    file = Source.read(path)
    file.override(overrides or {})
    return _Loader(file, machine or this_machine()).config()


class Source:
    """The [flurm] table of a file, with the place of each key for messages."""

    def __init__(self, name: str, table: dict[str, Any], lines: dict[KeyPath, int]) -> None:
        self.name, self.table, self.lines = name, table, lines
        self.overridden: set[KeyPath] = set()

    @classmethod
    def read(cls, path: str | Path | None) -> "Source":
        """Read the file at path; None gives an empty table."""
        if path is None:
            return cls("defaults", {}, {})
        text = _text_of(path)
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r" \(at line (\d+), column \d+\)", str(error))
            what = str(error).replace(place[0], "") if place else str(error)
            raise ConfigError(f"not TOML: {what}", file=str(path), line=int(place[1]) if place else None) from error
        return cls(str(path), _flurm_table(document, str(path), locate(text)), locate(text))

    def override(self, overrides: Mapping[str, object]) -> None:
        """Lay overrides, dotted key -> value, over the table."""
        for dotted, value in overrides.items():
            *above, last = dotted.split(".")
            table = self.table
            for part in above:
                table = table.setdefault(part, {})
            table[last] = value
            self.overridden.add((*above, last))

    def error(self, expected: str, path: KeyPath, value: object = None, hint: str | None = None) -> ConfigError:
        """Return the error that what stands at path (below [flurm]) is wrong."""
        dotted = ".".join(str(part) if isinstance(part, str) else f"[{part}]" for part in path).replace(".[", "[")
        if path in self.overridden:
            return ConfigError(expected, file="overrides", key=dotted, value=value, suggestion=hint)
        line = nearest_line(self.lines, ("flurm", *path))
        return ConfigError(expected, file=self.name, line=line, key=dotted, value=value, suggestion=hint)

    def values(
        self, table: Mapping[str, Any], keys: tuple[settings.Key, ...], at: KeyPath, other: tuple[str, ...]
    ) -> dict:
        """Return attribute -> parsed value of what table holds; other names keys that the caller reads."""
        known = {each.name: each for each in keys}
        found: dict[str, object] = {}
        for name, value in table.items():
            if name in other:
                continue
            if name not in known:
                hint = nearest(name, [*known, *other])
                raise self.error("unknown key", (*at, name), _short(value), hint)
            try:
                found[known[name].target] = known[name].parse(value)
            except ValueError as wrong:
                raise self.error(str(wrong), (*at, name), value) from None
        return found

    def tables(self, name: str) -> list[dict[str, Any]]:
        """Return the tables of [[flurm.name]]."""
        found = self.table.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise self.error(f"expected tables [[flurm.{name}]]", (name,), _short(found))
        return found


class _Loader:
    """Carries what has been read so far from one step to the next; used once."""

    def __init__(self, file: Source, machine: Machine) -> None:
        self.file, self.machine = file, machine
        self.warnings: list[str] = []

    def config(self) -> Config:
        """Return the whole configuration."""
        given = self.file.values(self.file.table, settings.CLUSTER, (), settings.CLUSTER_TABLES)
        site = self._site()
        base: dict[str, Any] = _machine_defaults(self.machine) | (site.settings if site else {}) | given
        if raw := self._slurm_table(given):
            base = base | raw["settings"] | {"slurm": dict(base.get("slurm", {})) | raw["slurm"]}
        base |= self._directories(base)
        base["slurmd"] = self._slurmd(base)
        base["controllers"] = self._controllers(base, site)
        base |= {"source": None if self.file.name == "defaults" else self.file.name}
        config = Config(**base)
        config = self._with_members(config, site, "embedded_node" in given)
        self._check(config)
        return msgspec.structs.replace(config, warnings=tuple(self.warnings))

    def _site(self) -> "from_slurm.Site | None":
        named = self.file.table.get("slurm_conf")
        if named is None:
            return None
        if not isinstance(named, str):
            raise self.file.error("expected a path", ("slurm_conf",), named)
        for other in ("nodes", "partitions"):
            if other in self.file.table:
                raise self.file.error("cannot be given beside slurm_conf, which has its own", (other,))
        path = self._path(named)
        if not Path(path).is_file():
            raise self.file.error("expected the path of a slurm.conf that exists", ("slurm_conf",), named)
        return from_slurm.read(path, self.machine, self.warnings)

    def _slurm_table(self, given: Mapping[str, object]) -> dict[str, Any] | None:
        """Read [flurm.slurm]: parameters in slurm.conf's own names, for what has no key here."""
        table = self.file.table.get("slurm")
        if table is None:
            return None
        if not isinstance(table, dict):
            raise self.file.error("expected a table [flurm.slurm]", ("slurm",), _short(table))
        by_slurm = {each.slurm: each for each in settings.CLUSTER if each.slurm}
        found: dict[str, object] = {}
        texts: dict[str, str] = {}
        for name, value in table.items():
            known = SLURM_CONF.key(name)
            if known is None:
                hint = nearest(name, [each.name for each in SLURM_CONF.keys])
                raise self.file.error("unknown key", ("slurm", name), _short(value), hint)
            key = known.name
            if key in by_slurm or key in from_slurm.SPECIAL_KEYS:
                own = by_slurm[key].name if key in by_slurm else from_slurm.SPECIAL_KEYS[key]
                raise self.file.error(f"expected as {own} under [flurm]", ("slurm", name), _short(value))
            texts[key] = _slurm_text(value)
        return {"settings": found, "slurm": texts}

    def _directories(self, base: Mapping[str, Any]) -> dict[str, str]:
        """Return every directory, absolute; what is not given lies where this user keeps such things."""
        whole = self.machine.is_root and "state_dir" not in base
        state = self._path(base.get("state_dir") or ("/var/lib/flurm" if whole else self.machine.state_home + "/flurm"))
        usual = {"log_dir": "/var/log/flurm", "spool_dir": "/var/spool/flurm"} if whole else {}
        usual = {
            "log_dir": f"{state}/log",
            "spool_dir": f"{state}/spool",
            "checkpoint_dir": f"{state}/checkpoint",
        } | usual
        found = {key: self._path(base.get(key, value)) for key, value in usual.items()}
        files = {
            key: self._path(base[key]) for key in ("jwt_key", "munge_key", "munge_socket", "slurm_key") if base.get(key)
        }
        tls = {"raft_ca": "ca.pem", "raft_certificate": "cert.pem", "raft_key": "key.pem"}
        files |= {key: self._path(base.get(key, f"{state}/tls/{name}")) for key, name in tls.items()}
        return {"state_dir": state} | found | files

    def _path(self, text: str) -> str:
        folder = Path.cwd() if self.file.name == "defaults" else Path(self.file.name).parent
        return os.path.normpath((folder / Path(text).expanduser()).absolute())

    def _slurmd(self, base: Mapping[str, Any]) -> SlurmdConfig:
        table = self.file.table.get("slurmd", {})
        if not isinstance(table, dict):
            raise self.file.error("expected a table [flurm.slurmd]", ("slurmd",), _short(table))
        given: dict[str, Any] = {
            "node_name": self.machine.hostname,
            "slurmd_port": base.get("slurmd_port", 6818),
            "spool_dir": base.get("slurmd_spool_dir") or f"{base['spool_dir']}/slurmd",
            "heartbeat_interval": base.get("heartbeat_interval", 30000),
        } | self.file.values(table, settings.SLURMD, ("slurmd",), ("controllers",))
        given["spool_dir"] = self._path(given["spool_dir"])
        given["controllers"] = self._addresses(table.get("controllers", []), ("slurmd", "controllers"), 6817)
        if isinstance(base, dict):
            base.pop("slurmd_spool_dir", None)
        return SlurmdConfig(**given)

    def _controllers(self, base: Mapping[str, Any], site: "from_slurm.Site | None") -> tuple[ControllerAddress, ...]:
        if "controllers" not in self.file.table:
            return site.controllers if site else ()
        return self._addresses(self.file.table["controllers"], ("controllers",), base.get("slurmctld_port", 6817))

    def _addresses(self, found: object, at: KeyPath, port: int) -> tuple[ControllerAddress, ...]:
        expected = 'expected a list of ["host", port], "host:port" or { name, host, port, raft_port } with host = "..."'
        if not isinstance(found, list | tuple):
            raise self.file.error(expected, at, _short(found))
        return tuple(self._address(each, at, port, expected) for each in found)

    def _address(self, value: object, at: KeyPath, port: int, expected: str) -> ControllerAddress:
        rest: dict[str, Any] = {}
        match value:
            case {"host": str(host), **others} if set(others) <= {"port", "name", "raft_port"}:
                rest = {str(key): each for key, each in others.items()}
                number = rest.pop("port", port)
            case [str(host), number]:
                pass
            case str(host):
                host, _, number = host.rpartition(":") if re.search(r"[^:]:\d+$", host) else (host, "", port)
            case _:
                raise self.file.error(expected, at, value)
        try:
            rest = {key: parse_port(each) if key == "raft_port" else parse_name(each) for key, each in rest.items()}
            return ControllerAddress(host.strip("[]"), parse_port(number), **rest)
        except ValueError as wrong:
            raise self.file.error(str(wrong), at, value) from None

    def _with_members(self, config: Config, site: "from_slurm.Site | None", embedded_given: bool) -> Config:
        """Return config with its nodes and partitions, this host among the nodes where it serves one itself."""
        declared = site.nodes if site else self._nodes(config)
        embedded = config.embedded_node if embedded_given else self._embeds(config, declared, site is not None)
        names = {each.name for each in declared}
        if embedded and config.slurmd.node_name not in names:
            if site:
                own = next((each for each in declared if each.hostname == self.machine.hostname), None)
                if own is None:
                    raise self.file.error(
                        f"expected a NodeName for {config.slurmd.node_name} in slurm.conf", ("embedded_node",), True
                    )
                config = msgspec.structs.replace(
                    config, slurmd=msgspec.structs.replace(config.slurmd, node_name=own.name)
                )
            else:
                declared = (*declared, self._local(config))
        config = msgspec.structs.replace(config, nodes=declared, embedded_node=embedded)
        if site:
            return msgspec.structs.replace(config, partitions=site.partitions)
        if (
            config.def_mem_per_cpu is None
            and config.def_mem_per_node is None
            and "def_mem_per_cpu" not in self.file.table
        ):
            config = msgspec.structs.replace(config, def_mem_per_cpu=nodes.shared_memory_per_cpu(declared))
        found = self._partitions(config) or (nodes.only_partition(config),)
        return msgspec.structs.replace(config, partitions=found)

    def _embeds(self, config: Config, declared: tuple[NodeConfig, ...], has_site: bool) -> bool:
        """Tell whether this process is a node too where the file does not say.

        It is on a cluster of one machine, unless nodes are declared.
        """
        if declared or has_site or len(config.controllers) > 1:
            return False
        wanted = [each.get("nodes", "ALL") for each in self.file.tables("partitions")]
        named = {name for each in wanted for part in strings(each) for name in expand(part)}
        return not wanted or bool(named & {"ALL", "all", config.slurmd.node_name}) or "slurmd" in self.file.table

    def _local(self, config: Config) -> NodeConfig:
        try:
            return nodes.local_node(self.machine, config.slurmd, self.warnings)
        except ValueError as wrong:
            raise self.file.error(str(wrong), ("slurmd",)) from None

    def _nodes(self, config: Config) -> tuple[NodeConfig, ...]:
        found: dict[str, NodeConfig] = {}
        for index, table in enumerate(self.file.tables("nodes")):
            at: KeyPath = ("nodes", index)
            given = self.file.values(table, settings.NODE, at, ("name",))
            names = self._expanded(table.get("name"), (*at, "name"))
            for number, name in enumerate(names):
                if name in found:
                    raise self.file.error("is there twice", (*at, "name"), name)
                own = given | from_slurm.share_of(given, number, len(names))
                try:
                    found[name] = nodes.node(name, own, config.slurmd_port, self.warnings)
                except ValueError as wrong:
                    raise self.file.error(str(wrong), at) from None
        return tuple(found.values())

    def _expanded(self, value: object, at: KeyPath) -> list[str]:
        if value is None:
            raise self.file.error("expected a name", at)
        try:
            return [name for part in strings(value) for name in expand(part)]
        except ValueError as wrong:
            raise self.file.error(str(wrong), at, value) from None

    def _partitions(self, config: Config) -> tuple[PartitionConfig, ...]:
        tables = self.file.tables("partitions")
        found: dict[str, PartitionConfig] = {}
        for index, table in enumerate(tables):
            at: KeyPath = ("partitions", index)
            each = self._partition(config, table, at, only=len(tables) == 1)
            if each.name in found:
                raise self.file.error("is there twice", (*at, "name"), each.name)
            if each.default and (other := next((p for p in found.values() if p.default), None)):
                raise self.file.error(
                    f"expected one default partition, {other.name} is one already", (*at, "default"), True
                )
            found[each.name] = each
        return tuple(found.values())

    def _partition(self, config: Config, table: dict[str, Any], at: KeyPath, *, only: bool) -> PartitionConfig:
        given = self.file.values(table, settings.PARTITION, at, ("name", "nodes"))
        try:
            name = settings.v.name(table.get("name"))
        except ValueError as wrong:
            raise self.file.error(str(wrong), (*at, "name"), table.get("name")) from None
        given = {"default": only, "max_time": config.max_time_limit} | given
        top, own = config.max_time_limit, given["max_time"]
        if top is not None and (own is None or own > top):
            raise self.file.error(
                f"expected at most max_time_limit ({top} minutes)", (*at, "max_time"), table["max_time"]
            )
        shorter = [each for each in (config.default_time_limit, own) if each is not None]
        given.setdefault("default_time", min(shorter, default=None))
        names = self._expanded(table.get("nodes", "ALL"), (*at, "nodes"))
        everyone = any(each.upper() == "ALL" for each in names)
        names = [each.name for each in config.nodes] if everyone else list(dict.fromkeys(names))
        return PartitionConfig(name=name, nodes=tuple(names), all_nodes=everyone, **given)

    def _check(self, config: Config) -> None:
        """Refuse what is right by itself but not together."""
        low, _ = config.raft_election_timeout
        if config.raft_heartbeat_interval >= low:
            raise self.file.error(
                f"expected less than raft_election_timeout ({low} ms)",
                ("raft_heartbeat_interval",),
                config.raft_heartbeat_interval,
            )
        if config.heartbeat_timeout < config.heartbeat_interval:
            raise self.file.error(
                f"expected at least heartbeat_interval ({config.heartbeat_interval} ms)",
                ("heartbeat_timeout",),
                config.heartbeat_timeout,
            )
        if config.max_request_memory < config.max_message_size:
            raise self.file.error(
                f"expected at least max_message_size ({config.max_message_size} bytes); lower that one as well",
                ("max_request_memory",),
                config.max_request_memory,
            )
        ports = {"slurmctld_port": config.slurmctld_port, "raft_port": config.raft_port, "http_port": config.http_port}
        if config.join_port:
            ports["join_port"] = config.join_port
        if config.embedded_node:
            ports["slurmd_port"] = config.slurmd.slurmd_port
        for key in sorted(ports, key=lambda each: each not in self.file.table):
            same = next((other for other in ports if other != key and ports[other] == ports[key]), None)
            if same is not None:
                raise self.file.error(f"expected another port than {same}", (key,), ports[key])
        self._check_names(config)

    def _check_names(self, config: Config) -> None:
        known = [each.name for each in config.partitions]
        for name in config.slurmd.partitions:
            if name not in known and config.embedded_node:
                raise self.file.error("unknown partition", ("slurmd", "partitions"), name, nearest(name, known))


def _machine_defaults(machine: Machine) -> dict[str, Any]:
    user = machine.user
    return {"controller_name": machine.hostname, "slurm_user": user, "slurmd_user": user}


def _text_of(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read it: {error.strerror}", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("not TOML: expected UTF-8 text", file=str(path)) from error


def _flurm_table(document: dict[str, Any], file: str, lines: dict[KeyPath, int]) -> dict[str, Any]:
    """Return the [flurm] table, which is all that the file may hold."""
    names = [*(each.name for each in settings.CLUSTER), *settings.CLUSTER_TABLES]
    for name, value in document.items():
        if name == "flurm" and isinstance(value, dict):
            continue
        hint = f"{name} under [flurm]" if name in names else nearest(name, ["flurm", *names])
        raise ConfigError(
            "unknown key", file=file, line=lines.get((name,)), key=name, value=_short(value), suggestion=hint
        )
    return document.get("flurm", {})


def _slurm_text(value: object) -> str:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    return ",".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _short(value: object) -> object:
    """Return value for a message; a table is not shown."""
    return (
        None if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)) else value
    )
