"""`flurm nodes`: what nodes there are, what is free on them, and why one does not register."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.cli import join_tokens
from flurm.cli.common import columns, read_config, show_result
from flurm.cli.main import config_option

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="nodes")
def command() -> None:
    """Look at nodes."""


@command.command("list")
@config_option
@json_option
def list_nodes(config_path: Path | None, as_json: bool) -> None:
    """List every node: state, CPUs and memory in use, why it is out of service."""
    show_result(read_config(config_path), "node_manager.list_nodes()", as_json, show=columns)


@command.command("available-resources")
@config_option
@json_option
def available_resources(config_path: Path | None, as_json: bool) -> None:
    """Show what a job could get right now."""
    show_result(read_config(config_path), "node_manager.available_resources()", as_json)


@command.command("register-test")
@config_option
@json_option
@click.argument("name")
def register_test(config_path: Path | None, as_json: bool, name: str) -> None:
    """Ask node NAME to register, and say where that fails and what to do."""
    show_result(read_config(config_path), f"node_manager.register_test({name!r})", as_json, timeout_s=30)


command.add_command(join_tokens.command)
