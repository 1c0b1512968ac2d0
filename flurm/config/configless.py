"""The files that slurmd, sackd and clients without a slurm.conf get from the controller ("configless" Slurm).

A site that has its own slurm.conf says there whether it wants that (SlurmctldParameters=enable_configless), and the
file is served as it stands, with those beside it that slurmctld serves: files by well-known names, files that are
included by a bare name, and, for 23.11 and newer, prologs and epilogs that are named without a folder. What lies
elsewhere must be on the node, as with Slurm. Without a slurm.conf of a site what `flurm client-config` prints is served
to whoever asks.

Files are read once, when the configuration is: what is served is what is in force, until the next reconfigure.
"""

from pathlib import Path

import msgspec

from flurm.config.records import Config
from flurm.config.render import render_slurm_conf
from flurm.config.slurmconf.lexer import Lexer
from protocol.versions import Version

# In the order in which slurmctld names them. Each release sends all that it knows, to have the others deleted.
_WELL_KNOWN: tuple[tuple[str, Version | None, Version | None], ...] = (
    ("acct_gather.conf", None, None),
    ("cgroup.conf", None, None),
    ("cli_filter.lua", None, None),
    ("ext_sensors.conf", None, Version.V23_11),
    ("gres.conf", None, None),
    ("helpers.conf", None, None),
    ("job_container.conf", None, None),
    ("knl_cray.conf", None, Version.V23_11),
    ("mpi.conf", None, None),
    ("namespace.yaml", Version.V25_11, None),
    ("oci.conf", None, None),
    ("plugstack.conf", None, None),
    ("scrun.lua", Version.V23_02, None),
    ("topology.conf", None, None),
    ("topology.yaml", Version.V25_05, None),
)
_FOR_CLIENTS: dict[str, Version] = {
    "cli_filter.lua": Version.V22_05,
    "plugstack.conf": Version.V22_05,
    "topology.conf": Version.V22_05,
    "topology.yaml": Version.V25_05,
    "oci.conf": Version.V23_02,
    "scrun.lua": Version.V23_02,
}
"""Of these what clients and sackd get beside slurm.conf and what it includes, in that order, and from which release on;
node daemons get all."""
_SCRIPTS = ("Epilog", "Prolog")
_SCRIPTS_SINCE = Version.V23_11


class ServedFile(msgspec.Struct, frozen=True):
    """One file: its name without a folder, its text (None: there is none), and the releases that it is for."""

    name: str
    text: str | None
    executable: bool = False
    since: int = 0
    before: int = 1 << 16
    is_main: bool = False
    """slurm.conf, or what it or a file of clients includes: for all."""


class ConfigFiles(msgspec.Struct, frozen=True):
    """Everything that is served; clients without a site's slurm.conf get another one than node daemons."""

    files: tuple[ServedFile, ...]
    client_conf: str | None = None
    spool_dir: str = ""

    def for_version(self, version: int, *, for_client: bool) -> tuple[ServedFile, ...]:
        """The files for a program that speaks this protocol version, slurm.conf first, then what that includes."""
        found = [each for each in self.files if each.since <= version < each.before]
        if not for_client:
            return tuple(found)
        wanted = [name for name, since in _FOR_CLIENTS.items() if version >= since]
        beside = {each.name: each for each in found if each.name in wanted}
        found = [each for each in found if each.is_main] + [beside[name] for name in wanted if name in beside]
        if self.client_conf is not None:
            found[0] = msgspec.structs.replace(found[0], text=self.client_conf)
        return tuple(found)


def config_files(config: Config) -> ConfigFiles | None:
    """Read what is to be served; None where the site's slurm.conf does not want it. Raises OSError."""
    if config.slurm_conf is None:
        own = ServedFile("slurm.conf", render_slurm_conf(config, for_client=False), is_main=True)
        spool_dir = config.slurm.get("SlurmdSpoolDir") or f"{config.spool_dir}/slurmd.%n"
        return ConfigFiles((own, *_absent()), render_slurm_conf(config), spool_dir)
    if not is_enabled(config):
        return None
    path = Path(config.slurm_conf)
    main = [ServedFile("slurm.conf", _text_of(path), is_main=True)]
    main += [ServedFile(name, _text_of(path.with_name(name)), is_main=True) for name in _included(path)]
    beside = [
        ServedFile(name, _text_of(path.with_name(name)), since=int(since or 0), before=int(before or 1 << 16))
        for name, since, before in _WELL_KNOWN
    ]
    found: dict[str, ServedFile] = {}
    for each in (*main, *beside):
        found.setdefault(each.name, each)
    for source in (each for each in beside if each.text is not None):
        for name in _included(path.with_name(source.name)):
            text = _text_of(path.with_name(name))
            found.setdefault(name, ServedFile(name, text, is_main=source.name in _FOR_CLIENTS))
    for each in _scripts(config, path):
        found.setdefault(each.name, each)
    return ConfigFiles(tuple(found.values()), spool_dir=config.slurm.get("SlurmdSpoolDir", "/var/spool/slurmd"))


def is_enabled(config: Config) -> bool:
    """Whether this cluster serves its configuration (SlurmctldParameters=enable_configless)."""
    words = config.slurm.get("SlurmctldParameters", "").lower().split(",")
    return config.slurm_conf is None or "enable_configless" in (word.strip() for word in words)


def _absent() -> tuple[ServedFile, ...]:
    return tuple(
        ServedFile(name, None, since=int(since or 0), before=int(before or 1 << 16))
        for name, since, before in _WELL_KNOWN
    )


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None


def _included(path: Path) -> list[str]:
    """The names of files beside this one that it includes, also through others; what is wrong is told elsewhere."""
    if path.suffix != ".conf":
        return []
    lexer = Lexer()
    for _ in lexer.lines(str(path)):
        pass
    return [Path(each).name for each in lexer.included if Path(each).parent == path.parent]


def _scripts(config: Config, path: Path) -> list[ServedFile]:
    found = []
    for key in _SCRIPTS:
        name = config.slurm.get(key, "")
        if not name or "/" in name:
            continue
        text = _text_of(path.with_name(name))
        if text is not None:
            found.append(ServedFile(name, text, executable=True, since=int(_SCRIPTS_SINCE)))
    return found
