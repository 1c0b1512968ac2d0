"""`scontrol show`: jobs, steps, nodes, partitions, the configuration, host lists."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import msgspec

from flurm.client import show_features
from flurm.client.connection import Controller
from flurm.client.errors import CommandError, Refused
from flurm.client.nodes import load_nodes
from flurm.client.queue_filter import JobSelector, expand_arrays, parse_job_selectors
from flurm.client.show_cluster import node_text, partition_text, partitions_of
from flurm.client.show_config import config_lines
from flurm.client.show_job import job_text, step_text, threads_per_core
from protocol.constants import NO_VAL, MessageType, ShowFlag
from protocol.hostlist import HostlistError, expand, fold, fold_sorted
from protocol.messages import (
    BuildInfoResponse,
    JobIdRequest,
    JobInfo,
    JobInfoRequest,
    JobInfoResponse,
    LastUpdate,
    PartitionInfoRequest,
    PartitionInfoResponse,
    StepId,
    StepInfoRequest,
    StepInfoResponse,
)

__all__ = ["Settings", "ping", "show"]

Ask = Callable[[], Controller]


class Settings(msgspec.Struct):
    """How things are shown."""

    one_line: bool = False
    details: bool = False
    all: bool = False
    json: bool = False


def show(words: list[str], settings: Settings, controller: Ask) -> int:
    """Show an entity; the exit status."""
    if not words:
        raise CommandError("too few arguments for keyword:show")
    name, equals, value = words[0].partition("=")
    which = value if equals else words[1] if len(words) > 1 else None
    lowered = name.lower()
    if lowered in _HERE:
        return _HERE[lowered](which)
    for entity, function in _ENTITIES.items():
        if lowered == entity or (entity.startswith(lowered) and len(lowered) >= _SHORTEST.get(entity, 3)):
            return function(which, settings, controller)
    raise CommandError(f"invalid entity:{name} for keyword:show ")


def _flags(settings: Settings) -> int:
    return int(ShowFlag.LOCAL | (ShowFlag.ALL if settings.all else 0) | (ShowFlag.DETAIL if settings.details else 0))


def _jobs(which: str | None, settings: Settings, controller: Ask) -> int:
    selector = _selector(which)
    try:
        if selector is None:
            asked = JobInfoRequest(show_flags=_flags(settings))
            found = controller().fetch(JobInfoResponse, MessageType.REQUEST_JOB_INFO, asked).jobs
        else:
            one = JobIdRequest(job_id=selector.job_id, show_flags=_flags(settings))
            found = controller().fetch(JobInfoResponse, MessageType.REQUEST_JOB_INFO_SINGLE, one).jobs
    except Refused as error:
        raise CommandError(f"slurm_load_jobs error: {error}") from error
    if selector is not None:
        found = _picked(found, selector)
    if not found:
        if selector is not None:
            print(f"Job {which} not found")
            return 1
        print("No jobs in the system")
    if settings.json:
        from flurm.client.json_out import jobs_document, print_document

        print_document(jobs_document(found))
        return 0
    threads = _threads(controller()) if settings.details and found else {}
    for job in found:
        text = job_text(job, time.time(), one_line=settings.one_line, details=settings.details, threads=threads)
        sys.stdout.write(text)
    return 0


def _selector(which: str | None) -> JobSelector | None:
    if which is None:
        return None
    try:
        (selector,) = parse_job_selectors(which)
    except ValueError:
        raise CommandError("scontrol_print_job error: Invalid job id specified") from None
    return selector


def _picked(found: list[JobInfo], selector: JobSelector) -> list[JobInfo]:
    picked = [job for job in found if selector.picks(job)]
    if selector.task_id is None:
        return picked
    return [job for job in expand_arrays(picked) if job.array_task_id == selector.task_id]


def _threads(controller: Controller) -> dict[str, int]:
    try:
        return threads_per_core(load_nodes(controller))
    except Refused:
        return {}


def _steps(which: str | None, settings: Settings, controller: Ask) -> int:
    selector = _selector(which)
    job_id = selector.job_id if selector else NO_VAL
    step = selector.step if selector and selector.step else ""
    step_id = StepId(job_id=job_id, step_id=int(step) if step.isdigit() else NO_VAL, step_het_comp=NO_VAL)
    try:
        asked = StepInfoRequest(step_id=step_id, show_flags=_flags(settings))
        found = controller().fetch(StepInfoResponse, MessageType.REQUEST_JOB_STEP_INFO, asked).job_steps
    except Refused as error:
        raise CommandError(f"slurm_get_job_steps error: {error}") from error
    if not found:
        print("No job steps in the system")
    for each in found:
        sys.stdout.write(step_text(each, one_line=settings.one_line))
    return 0


def _nodes(which: str | None, settings: Settings, controller: Ask) -> int:
    try:
        found = load_nodes(controller())
        parts = _load_partitions(controller(), show_all=True)
    except Refused as error:
        raise CommandError(f"slurm_load_node error: {error}") from error
    member = partitions_of(parts)
    by_name = {node.name or "": node for node in found}
    status = 0
    for name in _expanded(which) if which else by_name:
        if (node := by_name.get(name)) is None:
            print(f"Node {name} not found")
            status = 1
            continue
        sys.stdout.write(node_text(node, member.get(name, []), one_line=settings.one_line))
    return status


def _expanded(text: str) -> list[str]:
    try:
        return expand(text)
    except HostlistError as error:
        raise CommandError(f"Invalid hostlist: {text}: {error}") from error


def _load_partitions(controller: Controller, *, show_all: bool):  # type: ignore[no-untyped-def]
    asked = PartitionInfoRequest(show_flags=int(ShowFlag.ALL) if show_all else 0)
    return controller.fetch(PartitionInfoResponse, MessageType.REQUEST_PARTITION_INFO, asked).partition_array


def _partitions(which: str | None, settings: Settings, controller: Ask) -> int:
    try:
        found = _load_partitions(controller(), show_all=settings.all or which is not None)
    except Refused as error:
        raise CommandError(f"slurm_load_partitions error: {error}") from error
    if which is not None:
        found = [part for part in found if part.name == which]
        if not found:
            print(f"Partition {which} not found")
            return 1
    elif not found:
        print("No partitions in the system")
    for part in found:
        sys.stdout.write(partition_text(part, one_line=settings.one_line))
    return 0


def _config(which: str | None, settings: Settings, controller: Ask) -> int:
    found = controller()
    try:
        body = found.fetch(BuildInfoResponse, MessageType.REQUEST_BUILD_INFO, LastUpdate())
    except Refused as error:
        raise CommandError(f"slurm_load_ctl_conf error: {error}") from error
    for line in config_lines(body, time.time()):
        print(line)
    print()
    ping([], controller)
    return 0


def ping(words: list[str], controller: Ask) -> int:
    """Say of each controller whether it answers; 0 where one does."""
    found = controller()
    roles = ["primary", *["backup"] * (len(found.addresses) - 1)]
    up = 0
    for role, address, name in zip(roles, found.addresses, found.names, strict=True):
        try:
            found.ask(MessageType.REQUEST_PING, address=address)
            state, up = "UP", up + 1
        except Refused:
            state = "DOWN"
        print(f"Slurmctld({role}) at {name} is {state}")
    return 0 if up else 1


def _hostnames(which: str | None) -> int:
    text = which or os.environ.get("SLURM_JOB_NODELIST") or os.environ.get("SLURM_NODELIST") or _from_stdin()
    for name in _expanded(text):
        print(name)
    return 0


def _from_stdin() -> str:
    if sys.stdin.isatty():
        raise CommandError("SLURM_NODELIST environment variable undefined and no host list given")
    return ",".join(sys.stdin.read().split())


def _hostlist(*, in_order: bool) -> Callable[[str | None], int]:
    def command(which: str | None) -> int:
        text = which or os.environ.get("SLURM_JOB_NODELIST") or _from_stdin()
        if text.startswith(("/", ".")):
            with open(text) as file:
                text = ",".join(file.read().split())
        names = _expanded(text)
        print(fold_sorted(names) if in_order else fold(names))
        return 0

    return command


def _daemons(which: str | None) -> int:
    print("slurmctld slurmd")
    return 0


def _aliases(which: str | None) -> int:
    print(which or os.uname().nodename.partition(".")[0])
    return 0


def _empty(text: str) -> Callable[[str | None, Settings, Ask], int]:
    def command(which: str | None, settings: Settings, controller: Ask) -> int:
        if text:
            print(text)
        return 0

    return command


def _licenses(which: str | None, settings: Settings, controller: Ask) -> int:
    return show_features.licenses(which, controller(), one_line=settings.one_line)


def _topology(which: str | None, settings: Settings, controller: Ask) -> int:
    return show_features.topology(which, controller())


_HERE: dict[str, Callable[[str | None], int]] = {
    "aliases": _aliases,
    "daemons": _daemons,
    "hostlist": _hostlist(in_order=False),
    "hostlistsorted": _hostlist(in_order=True),
    "hostnames": _hostnames,
}
"""What needs no controller."""
_ENTITIES: dict[str, Callable[[str | None, Settings, Ask], int]] = {
    "jobs": _jobs,
    "jobid": _jobs,
    "steps": _steps,
    "nodes": _nodes,
    "partitions": _partitions,
    "partitionname": _partitions,
    "nodename": _nodes,
    "config": _config,
    "burstbuffer": _empty(""),
    "federation": _empty(""),
    "licenses": _licenses,
    "reservations": _empty("No reservations in the system"),
    "topology": _topology,
}
_SHORTEST = {"partitions": 1, "nodes": 1, "jobs": 1, "steps": 4}
