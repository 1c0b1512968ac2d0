"""squeue: the jobs and steps in the queue."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import msgspec

from flurm.client.connection import Controller
from flurm.client.errors import CommandError, Refused
from flurm.client.layout import Column, long_format, render, short_format
from flurm.client.nodes import load_nodes
from flurm.client.options import Given, flag, maybe, parse, takes
from flurm.client.queue_filter import (
    Filter,
    JobSelector,
    expand_arrays,
    parse_job_selectors,
    parse_states,
    parse_users,
    sort_items,
)
from flurm.client.squeue_fields import JOB_LETTERS, JOB_WORDS, STEP_LETTERS, STEP_WORDS, View
from flurm.client.texts import clock
from protocol.constants import NO_VAL, JobState, MessageType, ShowFlag
from protocol.hostlist import expand, fold_sorted
from protocol.messages import (
    JobIdRequest,
    JobInfo,
    JobInfoRequest,
    JobInfoResponse,
    StepId,
    StepInfo,
    StepInfoRequest,
    StepInfoResponse,
    UserJobsRequest,
)

__all__ = ["OPTIONS", "run"]

OPTIONS = (
    takes("accounts", "A", "accounts", "account"),
    flag("all", "a"),
    flag("array", "r"),
    flag("array_unique", ""),
    takes("clusters", "M", "clusters", "cluster"),
    flag("federation", ""),
    takes("format", "o"),
    takes("Format", "O", "Format"),
    flag("help", ""),
    flag("hide", ""),
    takes("iterate", "i"),
    maybe("jobs", "j", "jobs", "job"),
    flag("json", ""),
    takes("licenses", "L", "licenses", "license"),
    flag("local", ""),
    flag("long", "l"),
    flag("me", ""),
    takes("names", "n", "name", "names"),
    flag("noconvert", ""),
    takes("nodes", "w", "nodelist", "node", "nodes"),
    flag("noheader", "h"),
    takes("partitions", "p", "partitions", "partition"),
    flag("priority", "P"),
    takes("qos", "q"),
    takes("reservations", "R", "reservation"),
    flag("sibling", "", "sibling"),
    takes("sort", "S"),
    flag("start", ""),
    takes("states", "t", "states", "state"),
    maybe("steps", "s", "steps", "step"),
    flag("usage", ""),
    takes("users", "u", "users", "user"),
    flag("verbose", "v"),
    flag("version", "V"),
)
_ENVIRONMENT = {
    "SQUEUE_ACCOUNT": "accounts",
    "SQUEUE_ALL": "all",
    "SQUEUE_ARRAY": "array",
    "SQUEUE_FORMAT": "format",
    "SQUEUE_FORMAT2": "Format",
    "SQUEUE_NAMES": "names",
    "SQUEUE_PARTITION": "partitions",
    "SQUEUE_QOS": "qos",
    "SQUEUE_SORT": "sort",
    "SQUEUE_STATES": "states",
    "SQUEUE_USERS": "users",
}
_FORMAT = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
_LONG_FORMAT = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"
_START_FORMAT = "%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20Y %R"
_STEP_FORMAT = "%.15i %.8j %.9P %.8u %.9M %N"
_STEP_LONG_FORMAT = "%.15i %.8j %.9P %.8u %.9M %.9l %N"
_COMPLAINT = "squeue: error: Invalid job format specification"


class Request(msgspec.Struct):
    """A command line, understood."""

    options: dict[str, str | None]
    filter: Filter
    header: bool = True

    def has(self, name: str) -> bool:
        """Whether the option was given."""
        return name in self.options

    def text(self, name: str) -> str | None:
        """The argument of an option."""
        return self.options.get(name)


def run(argv: list[str], controller: Callable[[], Controller]) -> int:
    """Print what was asked for and return the exit status."""
    request = understand(argv)
    period_s = request.text("iterate")
    while True:
        _show(request, controller(), View(time.time()))
        if period_s is None:
            return 0
        print(flush=True)
        time.sleep(int(period_s))


def understand(argv: list[str]) -> Request:
    """Read the command line and the environment. Raises UsageError or CommandError."""
    given, operands = parse("squeue", OPTIONS, argv)
    asked = dict(given)
    for name in ("jobs", "steps"):
        if name in asked and asked[name] is None and operands:
            given.append((name, operands.pop(0)))
    if operands:
        raise CommandError(f"squeue: error: Unrecognized option: {operands[0]}")
    if (period := dict(given).get("iterate")) is not None and not (period.isdigit() and int(period)):
        raise CommandError(f"squeue: error: --iterate={period}")
    options = {dest: os.environ[name] for name, dest in _ENVIRONMENT.items() if name in os.environ} | dict(given)
    if "Format" in dict(given):
        options.pop("format", None)
    elif "format" in dict(given):
        options.pop("Format", None)
    return Request(options, _filter(options, given), "noheader" not in options)


def _filter(options: dict[str, str | None], given: Given) -> Filter:
    found = Filter()
    for text in (options.get("jobs"), options.get("steps")):
        if text:
            found.selectors = (found.selectors or []) + _selectors(text)
    if states := options.get("states"):
        found.states = parse_states(states, "squeue")
    elif "start" in options:
        found.states = [JobState.PENDING]
    if "me" in options:
        found.users = {os.getuid()}
    elif users := options.get("users"):
        found.users = parse_users(users, lambda word: print(f"squeue: error: Invalid user: {word}\n", file=sys.stderr))
    for name in ("partitions", "names", "accounts", "qos", "reservations", "licenses"):
        if text := options.get(name):
            setattr(found, name, set(text.split(",")))
    if nodes := options.get("nodes"):
        found.nodes = set(expand(nodes))
    return found


def _selectors(text: str) -> list[JobSelector]:
    try:
        return parse_job_selectors(text)
    except ValueError as wrong:
        raise CommandError(f"squeue: error: Invalid job id: {wrong}") from None


def _show(request: Request, controller: Controller, view: View) -> None:
    if request.filter.nodes is not None:
        _check_nodes(request.filter.nodes, controller)
    if request.has("json"):
        from flurm.client.json_out import jobs_document, print_document

        everything = Request({"all": None, "details": None}, Filter())
        print_document(jobs_document(_load_jobs(everything, controller)))
        return
    if request.has("steps"):
        lines = render(*step_lines(request, _load_steps(request, controller), view), header=request.header)
    else:
        lines = render(*job_lines(request, _load_jobs(request, controller), view), header=request.header)
    if request.has("long") and request.header:
        print(clock(view.now_s))
    for line in lines:
        print(line)


def job_lines(request: Request, found: list[JobInfo], view: View) -> tuple[list[Column], list[JobInfo], View]:
    """Columns and jobs in the order in which they are shown."""
    shown = [job for job in found if request.filter.admits(job)]
    default, order = _FORMAT, "P,t,-p"
    if request.has("start"):
        default, order = _START_FORMAT, "S"
    elif request.has("long"):
        default = _LONG_FORMAT
    if words := request.text("Format"):
        columns = long_format(words, JOB_WORDS, _COMPLAINT)
    else:
        columns = short_format(request.text("format") or default, JOB_LETTERS, _COMPLAINT)
    shown = sort_items(shown, request.text("sort") or order, view)
    if request.has("array"):
        shown = [job for job in expand_arrays(shown) if request.filter.admits(job)]
    return columns, shown, view


def step_lines(request: Request, found: list[StepInfo], view: View) -> tuple[list[Column], list[StepInfo], View]:
    """Columns and steps in the order in which they are shown."""
    shown = [step for step in found if request.filter.admits_step(step)]
    if words := request.text("Format"):
        columns = long_format(words, STEP_WORDS, "squeue: error: Invalid job step format specification")
    else:
        text = request.text("format") or (_STEP_LONG_FORMAT if request.has("long") else _STEP_FORMAT)
        columns = short_format(text, STEP_LETTERS, "squeue: error: Invalid job step format specification")
    return columns, sort_items(shown, request.text("sort") or "P,i", view, steps=True), view


def _show_flags(request: Request) -> int:
    more = (ShowFlag.ALL if request.has("all") else 0) | (ShowFlag.DETAIL if request.has("details") else 0)
    return int(ShowFlag.LOCAL | more)


def _load_jobs(request: Request, controller: Controller) -> list[JobInfo]:
    flags = _show_flags(request)
    selectors, users = request.filter.selectors, request.filter.users
    try:
        if selectors is not None and len(selectors) == 1:
            one = JobIdRequest(job_id=selectors[0].job_id, show_flags=flags)
            return controller.fetch(JobInfoResponse, MessageType.REQUEST_JOB_INFO_SINGLE, one).jobs
        if users is not None and len(users - {NO_VAL}) == 1:
            (uid,) = users - {NO_VAL}
            mine = UserJobsRequest(user_id=uid, show_flags=flags)
            return controller.fetch(JobInfoResponse, MessageType.REQUEST_JOB_USER_INFO, mine).jobs
        everything = JobInfoRequest(show_flags=flags)
        return controller.fetch(JobInfoResponse, MessageType.REQUEST_JOB_INFO, everything).jobs
    except Refused as error:
        raise CommandError(f"slurm_load_jobs error: {error}") from error


def _load_steps(request: Request, controller: Controller) -> list[StepInfo]:
    step_id = StepId(job_id=NO_VAL, step_id=NO_VAL, step_het_comp=NO_VAL)
    selectors = request.filter.selectors
    if selectors is not None and len(selectors) == 1:
        step_id.job_id = selectors[0].job_id
    asked = StepInfoRequest(step_id=step_id, show_flags=_show_flags(request))
    try:
        return controller.fetch(StepInfoResponse, MessageType.REQUEST_JOB_STEP_INFO, asked).job_steps
    except Refused as error:
        raise CommandError(f"slurm_load_job_steps error: {error}") from error


def _check_nodes(names: set[str], controller: Controller) -> None:
    try:
        known = load_nodes(controller)
    except Refused as error:
        raise CommandError(f"slurm_load_node error: {error}") from error
    missing = names - {node.name for node in known}
    if missing:
        raise CommandError(f"squeue: error: Invalid node name {fold_sorted(missing)}")
