"""`flurm top`: processes sorted by memory, mailbox, CPU or message rate."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from flurm.cli.common import evaluate, read_config
from flurm.cli.main import config_option
from flurm.config import Config

SORTED_BY = ("memory", "mailbox", "cpu", "messages")


@click.command(name="top")
@config_option
@click.option("--sort", default="messages", type=click.Choice(SORTED_BY), show_default=True, help="What by.")
@click.option("-n", "--number", default=20, show_default=True, help="How many processes.")
@click.option("--interval", default=1.0, show_default=True, help="Seconds between two looks.")
@click.option("--once", is_flag=True, help="Look for one interval, print, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; implies --once.")
def command(config_path: Path | None, sort: str, number: int, interval: float, once: bool, as_json: bool) -> None:
    """Show the processes of the running controller that use most."""
    config = read_config(config_path)
    console = Console(highlight=False)
    before, before_s = processes(config), time.monotonic()
    while True:
        time.sleep(interval)
        after, after_s = processes(config), time.monotonic()
        rated = rates(before, after, after_s - before_s)
        rows = sorted(rated.values(), key=lambda row: row[sort], reverse=True)[:number]
        if as_json:
            click.echo(json.dumps(rows, indent=2))
        else:
            if not once:
                console.clear()
            console.print(_table(rows))
        if once or as_json:
            return
        before, before_s = after, after_s


def processes(config: Config) -> dict[str, dict[str, Any]]:
    """All processes by pid, as they are now."""
    answer = evaluate(config, "recon.processes()", json=True)
    if answer["error"]:
        raise click.ClickException(answer["error"])
    return {row["pid"]: row for row in answer["value"]}


def rates(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], seconds: float
) -> dict[str, dict[str, Any]]:
    """The later rows, with CPU in percent and messages per second between the two."""
    rows = {}
    for pid, now in after.items():
        then = before.get(pid, {"cpu_s": now["cpu_s"], "handled": now["handled"]})
        cpu = 100 * (now["cpu_s"] - then["cpu_s"]) / seconds
        rows[pid] = {**now, "cpu": round(cpu, 1), "messages": round((now["handled"] - then["handled"]) / seconds, 1)}
    return rows


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("PROCESS", "PID", "STATUS", box=None, pad_edge=False)
    for name in ("MAILBOX", "MSG/S", "CPU%", "MEMORY"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = (str(row["mailbox"]), f"{row['messages']:.1f}", f"{row['cpu']:.1f}", size(row["memory"]))
        table.add_row(row["process"], row["pid"], row["status"], *figures)
    return table


def size(count: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
