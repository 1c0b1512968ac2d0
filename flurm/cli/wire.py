"""`flurm wire`: look at the Slurm wire. Each command lives in a file of its own, as those of `flurm` do."""

from __future__ import annotations

import click

from flurm.cli.main import Commands

COMMANDS = {
    "decode": "Print recorded messages readably.",
    "check": "Decode and encode recorded messages and compare the bytes.",
    "show": "Show what a message consists of in a version.",
    "proxy": "Relay connections and record what travels.",
}


@click.group(name="wire", cls=Commands, commands_by_module=COMMANDS, prefix="wire_")
def command() -> None:
    """Look at the Slurm wire: decode, check and record messages, show their layout."""
