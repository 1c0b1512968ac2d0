"""TaskProlog and TaskEpilog: run as the job's user, in its working directory, before and after its script.

What a TaskProlog prints are orders for the script to come (slurm.conf(5)): `export NAME=value`, `unset NAME`, and
`print text` for a line in the job's output. An order begins its line; what is none of the three is passed over, and so
is whatever it says on standard error. Standard library only.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Orders", "orders_of", "run_task_epilog", "run_task_prolog"]


class Orders(NamedTuple):
    """What a TaskProlog wants: the environment as it is then, and lines for the job's standard output."""

    environment: dict[str, str]
    lines: list[str]


def orders_of(printed: str, environment: Mapping[str, str]) -> Orders:
    """Apply what a TaskProlog printed to an environment. A value is everything after the first '=', blanks included."""
    changed, lines = dict(environment), []
    for line in printed.split("\n"):
        word, _, rest = line.partition(" ")
        if word == "print":
            lines.append(rest)
        elif word == "unset":
            changed.pop(rest.strip(), None)
        elif word == "export":
            name, equals, value = rest.partition("=")
            if equals and name.strip():
                changed[name.strip()] = value
    return Orders(changed, lines)


def run_task_prolog(path: str, environment: Mapping[str, str], slurm_conf: str = "") -> tuple[int, str]:
    """Run it to its end: its exit status (128 and the signal where it was killed) and what it printed.

    Raises OSError where it cannot be executed.
    """
    done = subprocess.run(
        [path],
        env=_environment(environment, "prolog_task", slurm_conf),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
        process_group=0,
    )
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout.decode("utf-8", "surrogateescape")


def run_task_epilog(path: str, environment: Mapping[str, str], slurm_conf: str = "") -> int:
    """Run it to its end; what it prints is lost, but for standard error, which is the job's. Returns its status."""
    return subprocess.run(
        [path],
        env=_environment(environment, "epilog_task", slurm_conf),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
        process_group=0,
    ).returncode


def _environment(environment: Mapping[str, str], context: str, slurm_conf: str) -> dict[str, str]:
    own = {"SLURM_SCRIPT_CONTEXT": context} | ({"SLURM_CONF": slurm_conf} if slurm_conf else {})
    return {**environment, **own}
