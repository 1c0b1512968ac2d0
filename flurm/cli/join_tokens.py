"""`flurm nodes token`: what a node needs to join, in one line of text."""

from __future__ import annotations

import re
from pathlib import Path

import click

from flurm.cli.common import read_config, show_result
from flurm.cli.main import config_option

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType):
    """Seconds, or 30m, 12h, 7d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """In seconds."""
        found = re.fullmatch(r"([1-9][0-9]*)([smhd]?)", str(value))
        if found is None:
            self.fail(f"expected seconds, or a number with m, h or d, found {value!r}", param, ctx)
        return int(found[1]) * _UNITS_S[found[2] or "s"]


@click.group(name="token")
def command() -> None:
    """Make, list and revoke tokens with which nodes join (flurmd --token), on the controller that leads."""


@command.command("create")
@config_option
@click.option("--ttl", type=Duration(), default="1h", show_default=True, help="How long it counts: 30m, 12h, 7d.")
@click.option("--uses", type=click.IntRange(1), default=1, show_default=True, help="How many nodes may join with it.")
def create(config_path: Path | None, ttl: int, uses: int) -> None:
    """Print a new token. Whoever has it can get the cluster's key: bring it to the node as you would a password."""
    show_result(read_config(config_path), f"join_tokens.create({ttl}, {uses})", False)


@command.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_tokens(config_path: Path | None, as_json: bool) -> None:
    """List tokens that still count, and who has joined with them."""
    show_result(read_config(config_path), "join_tokens.list()", as_json)


@command.command("revoke")
@config_option
@click.argument("token")
def revoke(config_path: Path | None, token: str) -> None:
    """Let nobody join with TOKEN (its id in the list) any more. Nodes that have joined have the key, and stay."""
    show_result(read_config(config_path), f"join_tokens.revoke({token!r})", False)
