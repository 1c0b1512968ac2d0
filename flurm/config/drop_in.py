"""The configuration of a daemon that was started as Slurm's: from slurm.conf, found where Slurm finds it.

What slurm.conf has no word for (http_port, raft_port, the names of keys ...) may stand in a flurm.toml in the usual
place; without one there is no HTTP. A site's daemon listens on every address, as Slurm's do, unless
CommunicationParameters says NoInAddrAny or NoCtldInAddrAny, or the file gives it an address of the loopback.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from flurm.config.debug_levels import nearest_level, number_of
from flurm.config.load import find_file, load
from flurm.config.records import Config
from flurm.config.values import strings

__all__ = ["ALL_ADDRESSES", "is_controller_here", "load_drop_in", "log_path", "pid_path", "slurm_conf_path"]

STANDARD_FILE = "/etc/slurm/slurm.conf"
ALL_ADDRESSES = "0.0.0.0"


def slurm_conf_path(given: str | None) -> Path:
    """Return the path of the slurm.conf: what was given, $SLURM_CONF, or where every Slurm program looks."""
    return Path(given or os.environ.get("SLURM_CONF") or STANDARD_FILE).absolute()


def load_drop_in(
    slurm_conf: Path, level_key: str, *, louder: int = 0, overrides: Mapping[str, object] | None = None
) -> Config:
    """Return the configuration of the site whose slurm.conf that is. Raises ConfigError.

    level_key: SlurmctldDebug or SlurmdDebug, whichever this daemon logs by; louder: steps above it, as -v asks for.
    """
    own_file = find_file()
    quiet = {} if own_file is not None else {"http_port": 0}
    config = load(own_file, overrides={**quiet, **(overrides or {}), "slurm_conf": str(slurm_conf)})
    number = number_of(config.slurm.get(level_key)) + louder
    if louder or level_key in config.slurm:
        config = msgspec.structs.replace(config, log_level=nearest_level(number))
    if not _listens_as_told(config):
        config = msgspec.structs.replace(config, slurmctld_host=ALL_ADDRESSES)
    return config


def is_controller_here(config: Config) -> bool:
    """Whether a SlurmctldHost line names this host."""
    return config.controller_name in {each.name for each in config.controllers}


def pid_path(config: Config, key: str, name: str, host: str) -> Path:
    """Return the pid file, %n and %h filled in: SlurmctldPidFile or SlurmdPidFile."""
    usual = {"SlurmctldPidFile": "/run/slurmctld.pid", "SlurmdPidFile": "/run/slurmd.pid"}
    return _filled(config.slurm.get(key, usual[key]), name, host)


def log_path(config: Config, key: str, name: str, host: str) -> Path | None:
    """Return the log file, %n and %h filled in; None where the log goes to syslog."""
    text = config.slurm.get(key, "")
    return _filled(text, name, host) if text and text.lower() != "none" else None


def _filled(text: str, name: str, host: str) -> Path:
    return Path(text.replace("%n", name).replace("%h", host))


def _listens_as_told(config: Config) -> bool:
    words = {each.lower() for each in strings(config.slurm.get("CommunicationParameters", ""))}
    return config.slurmctld_host.startswith("127.") or bool(words & {"noinaddrany", "noctldinaddrany"})
