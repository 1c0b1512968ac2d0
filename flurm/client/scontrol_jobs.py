"""The commands of scontrol that act on jobs: hold, release, requeue, suspend, top, wait_job, write batch_script."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from flurm.client.connection import Controller
from flurm.client.errors import CommandError, Refused
from flurm.client.scontrol_update import empty_job_change
from protocol.constants import (
    ALLOC_SID_USER_HOLD,
    INFINITE,
    JobState,
    JobStateFlag,
    MessageType,
    ReadyBit,
    ShowFlag,
    SuspendOp,
)
from protocol.errno import errno_text
from protocol.messages import (
    BatchScript,
    JobArrayErrors,
    JobDescription,
    JobIdRequest,
    JobInfoRequest,
    JobInfoResponse,
    RequeueJob,
    ReturnCode,
    StepId,
    SuspendJob,
    TopJob,
)
from protocol.schema import Record

__all__ = ["JOB_COMMANDS", "change_jobs"]

_POLL_S = (0.1, 0.2, 0.5, 1.0, 2.0)


def change_jobs(record: JobDescription, controller: Controller) -> int:
    """Send one update and tell what was refused, task by task; the exit status."""
    return _ask(MessageType.REQUEST_UPDATE_JOB, record, record.job_id_str or "", controller)


def _ask(msg_type: MessageType, record: Record, job: str, controller: Controller) -> int:
    number, _ = _try(msg_type, record, job, controller)
    return int(number != 0)


def _try(msg_type: MessageType, record: Record, job: str, controller: Controller) -> tuple[int, str]:
    """The last error number of a request about a job (0 for none) and its text; each is told on stderr."""
    try:
        answer = controller.ask(msg_type, record)
    except Refused as error:
        text = error.message or str(error)
        print(f"{text} for job {job}", file=sys.stderr)
        return error.number, str(error)
    last = 0
    if isinstance(answer, JobArrayErrors):
        for each in answer.job_array:
            if each.error_code:
                last = each.error_code
                text = each.err_msg or errno_text(last)
                print(f"{each.job_array_id}: {text}", file=sys.stderr)
    return last, errno_text(last) if last else ""


def _ids(words: list[str], controller: Controller) -> list[str]:
    """The jobs that the words name: ids with commas between, or all of a name by `jobname=`."""
    found: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name.lower() in ("jobname", "name"):
            found += _named(value, controller)
        else:
            found += [each for each in (value if equals else word).split(",") if each]
    return found


def _named(name: str, controller: Controller) -> list[str]:
    asked = JobInfoRequest(show_flags=int(ShowFlag.LOCAL))
    try:
        jobs = controller.fetch(JobInfoResponse, MessageType.REQUEST_JOB_INFO, asked).jobs
    except Refused as error:
        raise CommandError(f"slurm_load_jobs error: {error}") from error
    alive = [job for job in jobs if job.name == name and job.job_state & 0xFF <= JobState.SUSPENDED]
    return list(dict.fromkeys(str(job.array_job_id or job.job_id) for job in alive))


def _held(**fields: int) -> Callable[[list[str], Controller], int]:
    def command(words: list[str], controller: Controller) -> int:
        status = 0
        for job in _ids(words, controller):
            record = msgspec.structs.replace(empty_job_change(job), **fields)
            number, text = _try(MessageType.REQUEST_UPDATE_JOB, record, job, controller)
            if number:
                print(f"slurm_suspend error: {text}", file=sys.stderr)
                status = 1
        return status

    return command


def _requeue(flags: int) -> Callable[[list[str], Controller], int]:
    def command(words: list[str], controller: Controller) -> int:
        extra, ids = flags, []
        for word in words:
            name, equals, value = word.partition("=")
            if equals and name.lower() == "state" and value.lower() == "specialexit":
                extra |= JobStateFlag.SPECIAL_EXIT
            elif word.lower() != "incomplete":
                ids.append(word)
        status = 0
        for job in _ids(ids, controller):
            record = RequeueJob(job_id_str=job, flags=int(extra))
            status |= _ask(MessageType.REQUEST_JOB_REQUEUE, record, job, controller)
        return status

    return command


def _suspend(op: SuspendOp) -> Callable[[list[str], Controller], int]:
    def command(words: list[str], controller: Controller) -> int:
        status = 0
        for job in _ids(words, controller):
            record = SuspendJob(op=int(op), job_id_str=job)
            status |= _ask(MessageType.REQUEST_SUSPEND, record, job, controller)
        return status

    return command


def _top(words: list[str], controller: Controller) -> int:
    jobs = ",".join(words)
    return _ask(MessageType.REQUEST_TOP_JOB, TopJob(job_id_str=jobs), jobs, controller)


def _job_number(word: str) -> int:
    digits = word.rpartition("=")[2]
    if not digits.isdigit():
        raise CommandError(f"Invalid job_id {word}")
    return int(digits)


def _wait_job(words: list[str], controller: Controller) -> int:
    number = _job_number(words[0])
    record = JobIdRequest(job_id=number, step_id=StepId(job_id=number), show_flags=0)
    pauses = iter(_POLL_S)
    while True:
        try:
            answer = controller.fetch(ReturnCode, MessageType.REQUEST_JOB_READY, record)
        except Refused as error:
            if error.unreachable:
                raise CommandError(f"scontrol: error: {error}") from error
            raise CommandError(f"scontrol: Problem running job {number}") from error
        ready = answer.return_code
        if ready >= 1 << 31:
            raise CommandError(f"scontrol: Problem running job {number}")
        if not ready & ReadyBit.JOB_STATE:
            raise CommandError(f"scontrol: Job {number} no longer running")
        if ready & ReadyBit.NODE_STATE:
            print(f"scontrol: Nodes are ready for job {number}", file=sys.stderr)
            return 0
        time.sleep(next(pauses, _POLL_S[-1]))


def _write(words: list[str], controller: Controller) -> int:
    if words[0].lower() not in ("batch_script", "batch"):
        raise CommandError(f"invalid write keyword: {words[0]}")
    if len(words) < 2:
        raise CommandError("too few arguments for keyword:write")
    number = _job_number(words[1])
    target = words[2] if len(words) > 2 else f"slurm-{number}.sh"
    record = JobIdRequest(job_id=number, step_id=StepId(job_id=number))
    try:
        script = controller.fetch(BatchScript, MessageType.REQUEST_BATCH_SCRIPT, record).data or ""
    except Refused as error:
        print(f"job script retrieval failed: {error}", file=sys.stderr)
        return 0
    raw = script.encode(errors="surrogateescape")
    if target == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(raw)
        sys.stdout.flush()
        return 0
    try:
        Path(target).write_bytes(raw)
    except OSError as error:
        raise CommandError(f"failed to open file `{target}`: {error.strerror}") from error
    print(f"batch script for job {number} written to {target}")
    return 0


JOB_COMMANDS: dict[str, tuple[int, Callable[[list[str], Controller], int]]] = {
    "hold": (1, _held(priority=0, alloc_sid=0)),
    "holdu": (1, _held(priority=0, alloc_sid=ALLOC_SID_USER_HOLD)),
    "uhold": (1, _held(priority=0, alloc_sid=ALLOC_SID_USER_HOLD)),
    "release": (1, _held(priority=INFINITE)),
    "requeue": (1, _requeue(0)),
    "requeuehold": (1, _requeue(int(JobStateFlag.REQUEUE_HOLD))),
    "resume": (1, _suspend(SuspendOp.RESUME)),
    "suspend": (1, _suspend(SuspendOp.SUSPEND)),
    "top": (1, _top),
    "wait_job": (1, _wait_job),
    "write": (1, _write),
}
"""Command word -> how many words it needs at least, and what it does."""
