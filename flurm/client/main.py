"""The door to the commands: `run("squeue", argv)` does what Slurm's squeue would do with that command line.

A command prints to stdout and stderr and returns its exit status. Whatever goes wrong in an expected way ends here
with the words that Slurm's program has for it.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from flurm.client.connection import Controller, configured
from flurm.client.errors import CommandError, NotSetUp
from flurm.client.help import help_text
from flurm.client.options import UsageError
from flurm.client.version import VERSION_TEXT

__all__ = ["COMMANDS", "run"]

COMMANDS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue")
_USAGE_STATUS = {"sbatch": 255}


def run(name: str, argv: list[str]) -> int:
    """Run a command with its arguments (without its name) and return its exit status."""
    if name not in COMMANDS:
        raise ValueError(f"no command {name!r}; there are {', '.join(COMMANDS)}")
    if argv[:1] in (["--version"], ["-V"]):
        print(VERSION_TEXT)
        return 0
    if argv[:1] in (["--help"], ["--usage"]):
        print(help_text(name))
        return 0
    try:
        status: int = import_module(f"flurm.client.{name}").run(list(argv), _Once())
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(error, file=sys.stderr)
        return _USAGE_STATUS.get(name, 1)
    except CommandError as error:
        sys.stdout.flush()
        if str(error):
            print(error, file=sys.stderr)
        return error.status
    except NotSetUp as error:
        print(f"{name}: fatal: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130


class _Once:
    """The configured controller, looked up when it is first needed: bad options are told without one."""

    def __init__(self) -> None:
        self.found: Controller | None = None

    def __call__(self) -> Controller:
        if self.found is None:
            self.found = configured()
        return self.found


def main() -> int:
    """`python -m flurm.client.main squeue ...`, for a shell without the `flurm` command."""
    return run(sys.argv[1], sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
