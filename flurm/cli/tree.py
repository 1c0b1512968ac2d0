"""`flurm tree`: the supervision tree of the running controller."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.tree import Tree

from flurm.cli.common import NotRunning, ask, not_running, read_config
from flurm.cli.main import config_option
from flurm.cli.top import processes, rates, size
from flurm.config import Config

WIDTH = 200
"""Where there is no terminal: whoever reads it with grep or awk wants a process on a line."""


@click.command(name="tree")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Print anew every second until interrupted.")
def command(config_path: Path | None, as_json: bool, watch: bool) -> None:
    """Show the supervision tree: state, restarts, uptime, mailbox, messages and memory of every process."""
    config = read_config(config_path)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    before: dict[str, dict[str, Any]] = {}
    before_s = 0.0
    while True:
        roots, began_s = _fetch(config), time.monotonic()
        used = processes(config)
        _add_usage(roots, rates(before, used, began_s - before_s) if before else used)
        if as_json:
            click.echo(json.dumps(roots, indent=2))
        else:
            if watch:
                console.clear()
            for root in roots:
                console.print(_draw(root, None))
        if not watch:
            return
        before, before_s = used, began_s
        time.sleep(1)


def _fetch(config: Config) -> list[dict[str, Any]]:
    try:
        roots: list[dict[str, Any]] = ask(config, "/api/tree")
    except NotRunning as error:
        raise not_running(config) from error
    return roots


def _add_usage(rows: list[dict[str, Any]], used: dict[str, dict[str, Any]]) -> None:
    """Put memory and messages per second beside each process; the average of its life where nothing is compared."""
    for row in rows:
        usage = used.get(row["pid"], {})
        row["memory"] = usage.get("memory", 0)
        average = row["handled"] / row["uptime_s"] if row["uptime_s"] else 0.0
        row["messages_per_s"] = round(usage.get("messages", average), 1)
        _add_usage(row["children"], used)


def _draw(row: dict[str, Any], parent: Tree | None) -> Tree:
    text = _line(row)
    branch = Tree(text) if parent is None else parent.add(text)
    for child in row["children"]:
        _draw(child, branch)
    return branch


def _line(row: dict[str, Any]) -> str:
    facts = [row["pid"]]
    if row["strategy"]:
        facts.append(row["strategy"])
    if row["status"] != "running":
        facts.append(row["status"])
    facts.append(f"up {_duration(row['uptime_s'])}")
    facts.append(f"restarts {row['restarts']}")
    if row["kind"] == "worker":
        facts += [f"mailbox {row['mailbox']}", f"handled {row['handled']}"]
        facts += [f"{row['messages_per_s']:g}/s", size(row["memory"])]
    label = row["id"] if row["name"] in (None, row["id"]) else row["name"]
    return f"{label}  " + "  ".join(facts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02}h" if days else f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
