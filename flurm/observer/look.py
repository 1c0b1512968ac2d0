"""One look at a running controller: everything that the observer shows, fetched together, as plain data."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import msgspec

from flurm.cli.common import NotRunning, ask
from flurm.config import Config

__all__ = ["Look", "leave_process", "look", "process_page"]

KEPT_MESSAGES = 30

_EXPRESSION = """{
    "status": status(),
    "processes": recon.processes(),
    "jobs": job_manager.list_jobs(limit=500),
    "nodes": node_manager.list_nodes(),
    "scheduler": scheduler.status(),
}"""


class Look(msgspec.Struct):
    """What was seen, and when; `error` where nothing answered."""

    at_s: float
    tree: list[dict[str, Any]] = []
    status: dict[str, Any] = {}
    processes: dict[str, dict[str, Any]] = {}
    jobs: list[dict[str, Any]] = []
    nodes: list[dict[str, Any]] = []
    scheduler: dict[str, Any] = {}
    error: str = ""

    @property
    def handled(self) -> int:
        """Messages that all processes have handled."""
        return sum(row["handled"] for row in self.processes.values())


def look(config: Config) -> Look:
    """Look once; a controller that does not answer is part of what is seen."""
    at_s = time.monotonic()
    try:
        tree = ask(config, "/api/tree")
        seen = _evaluate(config, _EXPRESSION)
    except (NotRunning, ValueError) as error:
        return Look(at_s, error=str(error))
    processes = {row["pid"]: row for row in seen.pop("processes")}
    return Look(at_s, tree=tree, processes=processes, **seen)


def process_page(config: Config, pid: str) -> dict[str, Any]:
    """All about one process, which from now on keeps its last messages. Raises NotRunning, ValueError: it is gone."""
    return _evaluate(config, f"(sys.log({pid!r}, {KEPT_MESSAGES}), recon.info({pid!r}))[1]")


def leave_process(config: Config, pid: str) -> None:
    """Have a process keep no more messages."""
    with contextlib.suppress(NotRunning, ValueError):
        _evaluate(config, f"sys.log({pid!r}, 0)")


def _evaluate(config: Config, source: str) -> Any:
    answer = ask(config, "/control/eval", method="POST", body={"source": source, "json": True})
    if answer["error"]:
        raise ValueError(answer["error"])
    return answer["value"]
