"""What the daemons that take Slurm's command lines have in common before they read anything else."""

from __future__ import annotations

import getopt
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flurm.client.version import VERSION_TEXT

__all__ = [
    "SLURMCTLD",
    "SLURMD",
    "BadUsage",
    "SlurmctldOptions",
    "SlurmdOptions",
    "asked_to_print",
    "bad_usage",
    "fatal",
    "number",
    "parse",
    "wait_for_file",
]

SLURMCTLD, SLURMD = "slurmctld", "slurmd"
PATIENCE_S = 60.0
"""How long a configuration file may be missing, as in Slurm: at boot its file system may come late."""
_POLL_S = 0.2


class SlurmctldOptions(NamedTuple):
    """What a command line of slurmctld asks for."""

    slurm_conf: str | None = None
    foreground: bool = False
    clears: bool = False
    log_file: Path | None = None
    nice: int = 0
    louder: int = 0
    in_state_dir: bool = False
    systemd: bool = False


class SlurmdOptions(NamedTuple):
    """What a command line of slurmd asks for."""

    slurm_conf: str | None = None
    conf_server: str | None = None
    node_name: str | None = None
    foreground: bool = False
    log_file: Path | None = None
    nice: int = 0
    louder: int = 0
    in_spool_dir: bool = False
    joins: bool = False
    joins_with: str = ""
    systemd: bool = False


class BadUsage(Exception):
    """The command line is not understood."""


def parse(argv: Sequence[str], letters: str, words: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The options in order, each with its value, as getopt(3) reads them. Raises BadUsage."""
    try:
        given, rest = getopt.getopt(list(argv), letters, list(words))
    except getopt.GetoptError as error:
        raise BadUsage(str(error)) from None
    if rest:
        raise BadUsage(f"unexpected argument {rest[0]}")
    return given


def number(option: str, text: str) -> int:
    """The number that an option has. Raises BadUsage."""
    try:
        return int(text)
    except ValueError:
        raise BadUsage(f"option {option} requires a number, not {text!r}") from None


def asked_to_print(given: Sequence[tuple[str, str]], usage: str) -> bool:
    """Print usage or version where that was asked for, and tell so."""
    words = {word for word, _ in given}
    if "-h" in words:
        print(usage, end="", file=sys.stderr)
    elif "-V" in words:
        print(VERSION_TEXT)
    else:
        return False
    return True


def bad_usage(name: str, usage: str, error: BadUsage) -> int:
    """Say what is not understood; returns the exit status."""
    print(f"{name}: {error}\n{usage}", end="", file=sys.stderr)
    return 1


def fatal(name: str, error: Exception) -> int:
    """Say why there will be no daemon, all reasons of it; returns the exit status."""
    *first, last = [str(each) for each in getattr(error, "all", ())] or [str(error)]
    for each in first:
        print(f"{name}: error: {each}", file=sys.stderr)
    print(f"{name}: fatal: {last}", file=sys.stderr)
    return 1


def wait_for_file(name: str, path: Path) -> None:
    """Wait for a configuration file that is not there yet. Raises FileNotFoundError."""
    if path.exists():
        return
    print(f"{name}: error: {path} is not there; waiting for it up to {PATIENCE_S:g} s", file=sys.stderr, flush=True)
    deadline_s = time.monotonic() + PATIENCE_S
    while not path.exists():
        if time.monotonic() > deadline_s:
            raise FileNotFoundError(f"{path}: there is no such file; name the site's slurm.conf with -f or SLURM_CONF")
        time.sleep(_POLL_S)
