"""What the console can call: the documented troubleshooting calls under their documented names.

Each object stands for a part of the controller; its methods are short, and their first docstring line is their help.
Everything that waits has a time limit of its own, so that a call into a busy process ends.
"""

from __future__ import annotations

import difflib
import getpass
import inspect
import os
from collections.abc import Callable
from typing import Any

from actors import messages as m
from actors.net import agent
from flurm import __version__
from flurm.console.backups import Backups
from flurm.console.consensus import Consensus
from flurm.console.fleet import Fleet
from flurm.console.join_tokens import JoinTokens
from flurm.console.log_levels import LEVELS
from flurm.console.processes import Observer, Recon, Sys, find
from flurm.console.refused import Refused
from flurm.console.releases import Releases
from flurm.console.show import plain
from flurm.core import commands as c
from flurm.core.effects import Rejected
from flurm.core.enums import JobState
from flurm.core.free import Free
from flurm.core.job_records import Job
from flurm.core.node_records import Node
from flurm.core.records import Cluster
from flurm.sched.explain import explain

__all__ = ["namespace"]

CALL_S = 5.0
CYCLE_S = 35.0
MOST_JOBS = 200


def namespace(system: Any) -> dict[str, Any]:
    """Every name that console code may use, by name."""
    cluster = ClusterCalls(system)
    names: dict[str, Any] = {
        "status": cluster.status,
        "drain": cluster.drain,
        "resume": cluster.resume,
        "version": cluster.version,
        "cluster": cluster.state,
        "tree": system.tree,
        "whereis": lambda name: find(system, name).pid,
        "system": system,
        "scheduler": Scheduler(system),
        "node_manager": NodeManagerCalls(system),
        "join_tokens": JoinTokens(system),
        "job_manager": JobManagerCalls(system),
        "consensus": Consensus(system),
        "health": Health(system),
        "log": Log(system),
        "backup": Backups(system),
        "releases": Releases(system),
        "fleet": system.env.get("fleet"),
        "versions": Releases(system).versions,
        "sys": Sys(system),
        "recon": Recon(system),
        "observer": Observer(),
    }
    names["help"] = lambda: _help(names)
    return names


class _Part:
    """A part of the controller, by way of its running system."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def __repr__(self) -> str:
        calls = [name for name, _ in inspect.getmembers(self, callable) if not name.startswith("_")]
        return f"<{type(self).__name__}: {', '.join(calls)}>"

    @property
    def _cluster(self) -> Cluster:
        return self._system.terms["cluster"]

    def _carry_out(self, command: c.AnyCommand) -> Any:
        reply = self._system.call("flurm_job_manager", m.Request(command), CALL_S)
        if isinstance(reply, Rejected):
            raise Refused(reply.text or reply.code.value)
        if isinstance(reply, m.Unavailable):
            raise Refused(reply.detail or reply.reason.value)
        return reply

    def _now_s(self) -> int:
        return int(self._system.now_s())


class ClusterCalls(_Part):
    """The controller as a whole."""

    def status(self) -> dict[str, Any]:
        """How the controller and its cluster are."""
        config = self._system.env["config"]
        health = self._system.call("flurm_health_checker", "health", CALL_S)
        jobs, nodes = health["jobs"], health["nodes"]
        return {
            "cluster": config.cluster_name,
            "status": health["status"],
            "version": __version__,
            "pid": os.getpid(),
            "consensus": health["consensus"],
            "takes_jobs": "yes" if self._cluster.closed is None else f"no: {self._cluster.closed}",
            "nodes": f"{nodes['up']} up, {nodes['down']} down, {nodes['total']} in all",
            "jobs": f"{jobs['running']} running, {jobs['pending']} pending",
        }

    def drain(self, reason: str = "drained") -> str:
        """Take no new jobs; those that wait or run go on. `resume()` ends it."""
        by = f"{reason} (by {getpass.getuser()})"
        self._carry_out(c.CloseQueue(now_s=self._now_s(), user_id=0, reason=by))
        return f"no new jobs are taken: {by}"

    def resume(self) -> str:
        """Take new jobs again."""
        self._carry_out(c.OpenQueue(now_s=self._now_s(), user_id=0))
        return "new jobs are taken"

    def version(self) -> str:
        """FLURM's version."""
        return __version__

    def state(self) -> Cluster:
        """The published cluster state, an immutable value."""
        return self._cluster


class Scheduler(_Part):
    """The scheduler engine."""

    def status(self) -> dict[str, Any]:
        """The plugin in use and the figures of its cycles."""
        return plain(self._system.call("flurm_scheduler_engine", "status", CALL_S))

    def run_cycle(self) -> dict[str, Any]:
        """Plan now, whether anything changed or not."""
        return plain(self._system.call("flurm_scheduler_engine", m.RunCycle(), CYCLE_S))

    def debug_job(self, job_id: int) -> str:
        """Why a job waits, from the data that decides it."""
        return "\n".join(explain(self._cluster, int(job_id), self._now_s()).sentences)


class NodeManagerCalls(_Part):
    """Nodes."""

    def list_nodes(self) -> list[dict[str, Any]]:
        """Every node: state, CPUs and memory in use, why it is out of service."""
        return [_node_row(self._cluster.nodes[name]) for name in self._cluster.node_order]

    def available_resources(self) -> dict[str, Any]:
        """What a job could get right now: free cores and memory, node by node."""
        cluster = self._cluster
        free = Free.of(cluster)
        rows = []
        for name in cluster.node_order:
            node = cluster.nodes[name]
            if node.is_schedulable:
                cpus = node.cpus - node.used_cpus
                rows.append({"node": name, "cpus": cpus, "memory_mib": node.real_memory_mib - node.used_memory_mib})
        return {
            "usable_nodes": len(rows),
            "nodes": len(cluster.node_order),
            "free_cpus": sum(row["cpus"] for row in rows),
            "free_cores": free.cores_in(free.usable),
            "free_memory_mib": sum(row["memory_mib"] for row in rows),
            "by_node": rows,
        }

    def register_test(self, name: str) -> str:
        """Ask a node daemon to register, step by step, and say where it fails and what to do."""
        cluster = self._cluster
        node = cluster.nodes.get(name)
        if node is None:
            near = difflib.get_close_matches(name, cluster.nodes, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise Refused(f"no node {name} is configured{hint}")
        said = [f"{name} is configured at {node.address or node.hostname or name}, port {node.port}."]
        answers: list[agent.Sent] = []
        agent.carry_out(agent.Task(agent.Kind.REGISTER, name), 0, cluster, self._system.env, answers.append)
        if not answers[0].reached:
            said.append(f"It does not answer: {answers[0].error}.")
            said.append(
                "Is flurmd or slurmd running there, does the name resolve, is the port open, is munge.key the same?"
            )
        else:
            said.append(f"It answers, and was asked to register ({answers[0].duration_us / 1000:.1f} ms).")
            said.append(f"The controller has it as {node.shown_state.name}{f': {node.reason}' if node.reason else ''}.")
        return "\n".join(said)


class JobManagerCalls(_Part):
    """Jobs."""

    def list_jobs(self, state: str | None = None, limit: int = MOST_JOBS) -> list[dict[str, Any]]:
        """Jobs, newest first: `list_jobs("RUNNING")`, `list_jobs(limit=10)`."""
        if state is not None and state.upper() not in JobState.__members__:
            known = ", ".join(JobState.__members__)
            raise Refused(f"no job state {state}; there are {known}")
        rows = []
        for job_id in sorted(self._cluster.jobs, reverse=True):
            job = self._cluster.jobs[job_id]
            if state is None or JobState(job.state).name == state.upper():
                rows.append(_job_row(job))
                if len(rows) >= limit:
                    break
        return rows

    def job(self, job_id: int) -> Job:
        """The record of one job."""
        found = self._cluster.jobs.get(int(job_id))
        if found is None:
            raise Refused(f"there is no job {job_id}")
        return found


class Health(_Part):
    """The health checker."""

    def check(self) -> dict[str, Any]:
        """What /health shows, checked now."""
        return plain(self._system.call("flurm_health_checker", "health", CALL_S))


class Log(_Part):
    """What is logged."""

    def set_primary_config(self, key: str, value: str) -> str:
        """`set_primary_config("level", "debug")`: log from this level on."""
        if key != "level":
            raise Refused(f"only the level can be set, not {key}")
        return self.set_level(value)

    def set_level(self, level: str) -> str:
        """Log from this level on: debug, info, warning, error, critical."""
        LEVELS.set(level)
        return self.levels()

    def set_module_level(self, module: str, level: str | None) -> str:
        """Log from this level on for one module (`flurm_consensus`, `actors.net`, ...); None: as the rest."""
        LEVELS.set(level, _python_module(self._system, module))
        return self.levels()

    def levels(self) -> str:
        """The levels in force."""
        return str(LEVELS)


def _python_module(system: Any, name: str) -> str:
    """The Python module behind a documented process name, or the name itself."""
    process = system.find(name)
    if process is not None:
        return type(process.module).__module__
    short = name.removeprefix("flurm_")
    return {"protocol": "actors.net", "scheduler": "actors.scheduler_engine"}.get(
        short, short if "." in short else f"actors.{short}"
    )


def _node_row(node: Node) -> dict[str, Any]:
    return {
        "node": node.name,
        "state": "+".join([node.shown_state.name, *(flag.name or "" for flag in node.flags)]),
        "cpus": f"{node.used_cpus}/{node.cpus}",
        "memory_mib": f"{node.used_memory_mib}/{node.real_memory_mib}",
        "jobs": len(node.jobs),
        "reason": node.reason,
    }


def _job_row(job: Job) -> dict[str, Any]:
    return {
        "job": job.id,
        "name": job.spec.name,
        "user": job.spec.user_id,
        "state": JobState(job.state).name,
        "partition": job.partition,
        "priority": job.priority,
        "reason": str(job.reason),
    }


def _help(names: dict[str, Any]) -> str:
    lines = ["Python, with these names (and the documented spelling, flurm_scheduler:status().):", ""]
    for name, value in names.items():
        if isinstance(value, _Part | Backups | Consensus | Fleet | JoinTokens | Releases | Sys | Recon | Observer):
            for method, function in inspect.getmembers(value, inspect.ismethod):
                if not method.startswith("_"):
                    lines.append(_help_line(f"{name}.{method}", function))
        elif callable(value) and inspect.getdoc(value):
            lines.append(_help_line(name, value))
    return "\n".join(lines)


def _help_line(name: str, function: Callable[..., Any]) -> str:
    first = (inspect.getdoc(function) or "").splitlines()[0]
    parameters = inspect.signature(function).parameters.values()
    given = ", ".join(str(each.replace(annotation=inspect.Parameter.empty)) for each in parameters)
    return f"  {f'{name}({given})':<46} {first}"
