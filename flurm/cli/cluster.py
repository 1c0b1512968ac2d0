"""`flurm cluster`: the controllers of the cluster, who leads, and changes to both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flurm.cli.common import columns, read_config, show_result
from flurm.cli.main import config_option

CHANGE_S = 40.0
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="cluster")
def command() -> None:
    """Look at the controllers of this cluster, and change them."""


@command.command()
@config_option
@json_option
def status(config_path: Path | None, as_json: bool) -> None:
    """Show the members, who leads, and how far each one is."""
    show_result(read_config(config_path), "consensus.cluster_status()", as_json, show=_shown)


@command.command()
@config_option
@click.argument("name")
@click.argument("address")
def add(config_path: Path | None, name: str, address: str) -> None:
    """Take in the controller NAME, which listens for its peers at ADDRESS (host:port)."""
    show_result(read_config(config_path), f"consensus.add_member({name!r}, {address!r})", False, timeout_s=CHANGE_S)


@command.command()
@config_option
@click.argument("name")
def remove(config_path: Path | None, name: str) -> None:
    """Let the controller NAME go."""
    show_result(read_config(config_path), f"consensus.remove_member({name!r})", False, timeout_s=CHANGE_S)


@command.command("transfer-leadership")
@config_option
@click.argument("name", required=False)
def transfer_leadership(config_path: Path | None, name: str | None) -> None:
    """Have the controller NAME lead, or whoever has most of the log."""
    source = f"consensus.transfer_leadership({name!r})" if name else "consensus.transfer_leadership()"
    show_result(read_config(config_path), source, False, timeout_s=CHANGE_S)


@command.command("force-election")
@config_option
def force_election(config_path: Path | None) -> None:
    """Have this controller stand for election now, whoever leads."""
    show_result(read_config(config_path), "consensus.force_election()", False, timeout_s=CHANGE_S)


def _shown(status: dict[str, Any]) -> str:
    leads = "nobody leads" if status["leader"] == "none" else f"{status['leader']} leads"
    lines = [
        f"{leads} in term {status['term']}, as {status['asked']} sees it; "
        f"{status['commit_index']} entries, machine version {status['machine_version']}",
        columns(status["members"]),
    ]
    return "\n".join(lines + [f"{key}: {status[key]}" for key in ("warning", "note") if key in status])
