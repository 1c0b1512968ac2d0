"""The `flurm` command: start, look at and stop a controller, and FLURM's own client commands.

Each command lives in a file of its own and is imported when it is called, so that `flurm squeue` does not wait for what
only the daemon needs. Exit status: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import importlib
import sys
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click

from flurm import __version__

CLIENT_COMMANDS = ("sbatch", "squeue", "sinfo", "scancel", "scontrol")
DAEMON_COMMANDS = {"slurmctld": "flurm.cli.slurmctld", "slurmd": "flurm.cli.slurmd"}
"""Module of each daemon that takes Slurm's command line."""
COMMANDS = {
    "start": "Start the controller in the background.",
    "foreground": "Run the controller in this terminal.",
    "stop": "Stop the controller; running jobs go on.",
    "status": "Show how the controller and its cluster are.",
    "tree": "Show the supervision tree of the running controller.",
    "cluster": "The controllers of this cluster, who leads, and changes to both.",
    "scheduler": "How the scheduler is, a cycle by hand, why a job waits.",
    "nodes": "What nodes there are, what is free, why one does not register.",
    "drain": "Take no new jobs.",
    "resume": "Take new jobs again.",
    "backup": "The cluster's state in one file, and back.",
    "storage": "Check and show what a state directory holds.",
    "log-level": "What the running controller logs.",
    "top": "The processes that use most.",
    "trace": "The messages of one process as they come and go.",
    "observer": "The tree, processes, jobs, nodes and load, live in this terminal.",
    "upgrade": "Go to another release while everything goes on.",
    "reload": "Load one module anew.",
    "versions": "Which releases run, ran before, and lie ready.",
    "release": "Make and compare releases.",
    "eval": "Evaluate one expression in the running controller.",
    "remote_console": "A Python prompt in the running controller.",
    "simulate": "The whole tree on simulated machines, with faults that a seed decides.",
    "wire": "Decode, check, show and record Slurm messages.",
    "cert": "Certificates with which controllers prove themselves to each other.",
    "check-config": "Tell what is wrong with a slurm.conf, and what will differ under FLURM.",
    "import": "Begin with the jobs, node states and changes of a running slurmctld.",
    "install-links": "Put programs named slurmctld and slurmd into a directory.",
    "client-config": "Print the slurm.conf that Slurm's own clients need.",
}


class Commands(click.Group):
    """Finds a command's module by its name: `flurm.cli.<prefix><name>`, with `_` behind a word of Python's."""

    def __init__(
        self, *args: Any, commands_by_module: dict[str, str] = COMMANDS, prefix: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._known, self._prefix = commands_by_module, prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Daemon commands only; the client commands are told of in the epilog."""
        return list(self._known)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name, None where there is none."""
        if name not in self._known:
            return None
        stem = f"{self._prefix}{name.replace('-', '_')}"
        module = importlib.import_module(f"flurm.cli.{stem}_" if iskeyword(stem) else f"flurm.cli.{stem}")
        command: click.Command = module.command
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="With Slurm's own options: " + ", ".join((*CLIENT_COMMANDS, *DAEMON_COMMANDS)) + ".",
)
@click.version_option(__version__, prog_name="flurm")
def group() -> None:
    """FLURM, a workload manager that Slurm's own programs take for Slurm."""


config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="FLURM_CONF",
    help="Configuration file; default $FLURM_CONF, then /etc/flurm/flurm.toml, then built-in defaults.",
)
"""The option that every command takes."""


def main(argv: list[str] | None = None) -> int:
    """Entry point of the `flurm` program."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in CLIENT_COMMANDS:
        from flurm.client.main import run

        return run(arguments[0], arguments[1:])
    if arguments and arguments[0] in DAEMON_COMMANDS:
        daemon = importlib.import_module(DAEMON_COMMANDS[arguments[0]])
        status: int = daemon.main(arguments[1:])
        return status
    try:
        group.main(args=arguments, prog_name="flurm", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2 if isinstance(error, click.UsageError) else 1
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
