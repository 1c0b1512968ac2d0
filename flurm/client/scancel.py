"""scancel: cancel or signal jobs, tasks of arrays and steps, named by id or picked by what they are."""

from __future__ import annotations

import os
import pwd
import re
import signal as signals
import sys
from collections.abc import Callable

import msgspec

from flurm.client.connection import Controller
from flurm.client.errors import CommandError, Refused
from flurm.client.jobs import job_id_text, on_node
from flurm.client.options import flag, parse, takes
from flurm.client.states import job_state_named
from protocol.constants import NO_VAL, JobState, KillFlag, MessageType, ShowFlag
from protocol.errno import Errno
from protocol.hostlist import expand
from protocol.messages import JobInfo, JobInfoRequest, JobInfoResponse, KillStep, StepId

__all__ = ["OPTIONS", "run"]

OPTIONS = (
    takes("account", "A"),
    flag("batch", "b"),
    flag("ctld", ""),
    flag("cron", ""),
    flag("full", "f"),
    flag("help", ""),
    flag("hurry", "H"),
    flag("interactive", "i"),
    takes("clusters", "M", "clusters"),
    flag("me", ""),
    takes("name", "n", "jobname", "name"),
    takes("nodelist", "w"),
    takes("partition", "p"),
    takes("qos", "q"),
    flag("quiet", "Q"),
    takes("reservation", "R"),
    takes("sibling", ""),
    takes("signal", "s"),
    takes("state", "t", "state"),
    flag("usage", ""),
    takes("user", "u"),
    flag("verbose", "v"),
    flag("version", "V"),
    takes("wckey", ""),
)
_ID = re.compile(r"(\d+)(?:_(\*|\d+|\[[\d,:%-]+\])|\+(\d+))?(?:\.(\d+|batch|extern))?")
_FILTERS = ("account", "me", "name", "nodelist", "partition", "qos", "reservation", "state", "user", "wckey")
_CANCELLABLE = (JobState.PENDING, JobState.RUNNING, JobState.SUSPENDED)
_OVER = (Errno.ESLURM_ALREADY_DONE, Errno.ESLURM_INVALID_JOB_ID)


class Request(msgspec.Struct):
    """A command line, understood."""

    options: dict[str, str | None]
    targets: list[str]
    signal: int
    flags: int

    @property
    def filters(self) -> bool:
        """Whether jobs are picked by what they are."""
        return any(name in self.options for name in _FILTERS) or "interactive" in self.options


def run(argv: list[str], controller: Callable[[], Controller]) -> int:
    """Cancel or signal and return the exit status."""
    request = understand(argv)
    if not request.filters:
        return max([_one(request, target, controller()) for target in request.targets], default=0)
    status = 0
    for job in _matching(request, controller()):
        if "interactive" in request.options and not _confirmed(job):
            continue
        status = max(status, _one(request, _target_of(job), controller()))
    return status


def understand(argv: list[str]) -> Request:
    """Read the command line. Raises UsageError or CommandError."""
    given, operands = parse("scancel", OPTIONS, argv)
    options = dict(given)
    targets = [word for operand in operands for word in _split(operand)]
    for word in targets:
        if not _ID.fullmatch(word):
            raise CommandError(f"scancel: error: Invalid job id {word}")
    if not targets and not any(name in options for name in _FILTERS):
        raise CommandError("scancel: error: No job identification provided")
    flags = KillFlag(0)
    if "batch" in options:
        flags |= KillFlag.JOB_BATCH
    if "full" in options:
        flags |= KillFlag.FULL_JOB
    if "hurry" in options:
        flags |= KillFlag.HURRY
    if state := options.get("state"):
        _check_state(state)
    if user := options.get("user"):
        options["user"] = str(_uid(user))
    return Request(options, targets, _signal(options.get("signal")), int(flags))


def _split(operand: str) -> list[str]:
    return [word for word in re.split(r",(?![^\[]*\])", operand) if word]


def _check_state(words: str) -> None:
    for word in words.split(","):
        if job_state_named(word) not in _CANCELLABLE:
            raise CommandError(
                f"Invalid job state specified: {word}\nValid job states are PENDING, RUNNING, and SUSPENDED"
            )


def _uid(word: str) -> int:
    try:
        return int(word) if word.isdigit() else pwd.getpwnam(word).pw_uid
    except KeyError:
        raise CommandError(f"scancel: error: Invalid user name: {word}") from None


def _signal(word: str | None) -> int:
    if word is None:
        return int(signals.SIGKILL)
    if word.isdigit():
        return int(word)
    name = word.upper().removeprefix("SIG")
    try:
        return int(signals.Signals[f"SIG{name}"])
    except KeyError:
        raise CommandError(f"Unknown job signal: {word}") from None


def _matching(request: Request, controller: Controller) -> list[JobInfo]:
    try:
        asked = JobInfoRequest(show_flags=int(ShowFlag.ALL | ShowFlag.LOCAL))
        found = controller.fetch(JobInfoResponse, MessageType.REQUEST_JOB_INFO, asked).jobs
    except Refused as error:
        raise CommandError(f"scancel: error: slurm_load_jobs error: {error}") from error
    return [job for job in found if _fits(request, job)]


def _fits(request: Request, job: JobInfo) -> bool:
    options = request.options
    if job.job_state & 0xFF not in _CANCELLABLE:
        return False
    uid = os.getuid() if "me" in options else int(options["user"] or 0) if "user" in options else None
    states = options.get("state")
    nodes = options.get("nodelist")
    return (
        (uid is None or job.user_id == uid)
        and _is(options, "name", job.name)
        and _is(options, "partition", job.partition)
        and _is(options, "account", job.account)
        and _is(options, "qos", job.qos)
        and _is(options, "reservation", job.resv_name)
        and _is(options, "wckey", job.wckey)
        and (not states or job.job_state & 0xFF in [job_state_named(each) for each in states.split(",")])
        and (not nodes or on_node(job.nodes, set(expand(nodes))))
        and (not request.targets or any(_names(target, job) for target in request.targets))
    )


def _is(options: dict[str, str | None], name: str, value: str | None) -> bool:
    return name not in options or options[name] == value


def _names(target: str, job: JobInfo) -> bool:
    ids = {str(job.job_id), job_id_text(job)}
    if job.array_job_id:
        ids.add(str(job.array_job_id))
    return target.partition(".")[0] in ids


def _target_of(job: JobInfo) -> str:
    if job.array_job_id and not job.array_task_str and job.array_task_id != NO_VAL:
        return f"{job.array_job_id}_{job.array_task_id}"
    return str(job.job_id)


def _confirmed(job: JobInfo) -> bool:
    prompt = f"Cancel job_id={job_id_text(job)} name={job.name} partition={job.partition} [y/n]? "
    try:
        return input(prompt).strip().lower().startswith("y")
    except EOFError:
        return False


def _one(request: Request, target: str, controller: Controller) -> int:
    """Cancel one job or step; 0 where that worked or there is nothing to cancel any more."""
    job, dot, step = target.partition(".")
    verbose = "verbose" in request.options
    if verbose:
        what = (
            "Terminating" if request.signal == signals.SIGKILL and not request.flags else f"Signal {request.signal} to"
        )
        print(f"scancel: {what} {'step ' if dot else 'job '}{target}", file=sys.stderr)
    nothing = StepId(job_id=NO_VAL, step_id=NO_VAL, step_het_comp=NO_VAL)
    try:
        if dot and step != "batch":
            at = StepId(job_id=int(job), step_id=int(step), step_het_comp=NO_VAL)
            record = KillStep(step_id=at, signal=request.signal, flags=request.flags)
            controller.ask(MessageType.REQUEST_CANCEL_JOB_STEP, record)
        else:
            flags = request.flags | (KillFlag.JOB_BATCH if dot else 0)
            record = KillStep(step_id=nothing, sjob_id=job, signal=request.signal, flags=int(flags))
            controller.ask(MessageType.REQUEST_KILL_JOB, record)
    except Refused as error:
        return _refused(error, target, verbose, quiet="quiet" in request.options)
    return 0


def _refused(error: Refused, target: str, verbose: bool, *, quiet: bool) -> int:
    already_over = error.number in _OVER
    if not (quiet or (already_over and not verbose)):
        print(f"scancel: error: Kill job error on job id {target}: {error}", file=sys.stderr)
    return 0 if already_over else error.number & 0xFF
