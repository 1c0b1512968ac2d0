"""What users do to jobs that exist: update, hold, release, cancel, signal, requeue, top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flurm.bridge.calls import Mapped, for_jobs
from flurm.bridge.job_fields import given
from flurm.core.commands import KillJob, RequeueJob, TopJobs, UpdateJob
from flurm.core.effects import Rejected
from flurm.core.enums import JobState, Refusal
from flurm.core.outcome import is_operator
from flurm.core.records import UNLIMITED
from protocol import messages as wire
from protocol.constants import (
    ALLOC_SID_ADMIN_HOLD,
    ALLOC_SID_USER_HOLD,
    BATCH_STEP,
    NO_VAL,
    JobStateFlag,
    KillFlag,
)

if TYPE_CHECKING:
    from flurm.bridge.queries import Context

__all__ = ["cancel_step", "kill", "requeue", "suspend", "top", "update"]

_HOLD_KINDS = {ALLOC_SID_ADMIN_HOLD: "admin", ALLOC_SID_USER_HOLD: "user"}


def update(record: wire.JobDescription, context: Context) -> Mapped:
    """REQUEST_UPDATE_JOB: priority 0 holds (alloc_sid says whose hold it is), INFINITE releases."""
    target = _target(record.job_id_str, record.job_id)
    if target is None:
        return Rejected(Refusal.INVALID_JOB_ID)
    changes = given(record)
    if record.end_time:
        limit_min = _limit_until(target, record.end_time, context)
        if limit_min is None:
            return Rejected(Refusal.JOB_NOT_RUNNING)
        changes["time_limit_min"] = limit_min
    if "admin_comment" in changes and not is_operator(context.cluster, context.uid):
        return Rejected(Refusal.ACCESS_DENIED)
    limit = (record.array_inx or "").rpartition("%")[2]
    return for_jobs(
        UpdateJob(
            now_s=context.now_s,
            user_id=context.uid,
            target=target,
            spec_changes=changes,
            priority=None if record.priority == NO_VAL else record.priority,
            hold_kind=_HOLD_KINDS.get(record.alloc_sid),
            array_limit=int(limit) if limit.isdigit() else None,
        )
    )


def kill(record: wire.KillStep, context: Context) -> Mapped:
    """REQUEST_KILL_JOB: scancel of a job, of array tasks, or a signal to them."""
    target = _target(record.sjob_id, record.step_id.job_id)
    return _kill(target, record, context)


def cancel_step(record: wire.KillStep, context: Context) -> Mapped:
    """REQUEST_CANCEL_JOB_STEP: the batch step can be signalled; other steps there are none."""
    target = _target(record.sjob_id, record.step_id.job_id)
    step = record.step_id.step_id
    if step == NO_VAL:
        return _kill(target, record, context)
    job = context.cluster.jobs.get(int(target)) if target and target.isdigit() else None
    if job is None:
        return Rejected(Refusal.INVALID_JOB_ID)
    if job.spec.user_id != context.uid and not is_operator(context.cluster, context.uid):
        return Rejected(Refusal.ACCESS_DENIED)
    if job.state is JobState.PENDING:
        return Rejected(Refusal.TRANSITION_STATE_NO_UPDATE)
    if job.state.is_finished:
        return Rejected(Refusal.ALREADY_DONE)
    if step != BATCH_STEP:
        return Rejected(Refusal.INVALID_JOB_ID)
    return _kill(target, record, context, batch_only=True)


def _kill(target: str | None, record: wire.KillStep, context: Context, *, batch_only: bool = False) -> Mapped:
    if target is None:
        return Rejected(Refusal.INVALID_JOB_ID)
    return for_jobs(
        KillJob(
            now_s=context.now_s,
            user_id=context.uid,
            target=target,
            signal=record.signal,
            batch_only=batch_only or bool(record.flags & KillFlag.JOB_BATCH),
            whole_job=bool(record.flags & KillFlag.FULL_JOB),
            steps_only=bool(record.flags & KillFlag.STEPS_ONLY),
            array_only=bool(record.flags & KillFlag.ARRAY_TASK),
        )
    )


def requeue(record: wire.RequeueJob, context: Context) -> Mapped:
    """REQUEST_JOB_REQUEUE: scontrol requeue and requeuehold."""
    target = _target(record.job_id_str, record.job_id)
    if target is None:
        return Rejected(Refusal.INVALID_JOB_ID)
    special = bool(record.flags & JobStateFlag.SPECIAL_EXIT)
    hold = special or bool(record.flags & JobStateFlag.REQUEUE_HOLD)
    return for_jobs(
        RequeueJob(now_s=context.now_s, user_id=context.uid, target=target, hold=hold, special_exit=special)
    )


def top(record: wire.TopJob, context: Context) -> Mapped:
    """REQUEST_TOP_JOB: scontrol top."""
    text = _target(record.job_id_str, record.job_id)
    targets = tuple(part for part in (text or "").split(",") if part)
    if not targets:
        return Rejected(Refusal.INVALID_JOB_ID)
    return for_jobs(TopJobs(now_s=context.now_s, user_id=context.uid, targets=targets))


def suspend(record: wire.SuspendJob, context: Context) -> Mapped:
    """REQUEST_SUSPEND: jobs cannot be suspended here."""
    if not is_operator(context.cluster, context.uid):
        return Rejected(Refusal.ACCESS_DENIED)
    return Rejected(Refusal.NOT_SUPPORTED)


def _target(text: str | None, job_id: int) -> str | None:
    """A job as users write it; the text, where there is one, stands before the number."""
    if text:
        return text
    return None if job_id in (0, NO_VAL) else str(job_id)


def _limit_until(target: str, end_s: int, context: Context) -> int | None:
    """Minutes from a job's start to the end that is wanted, None where it does not run."""
    job = context.cluster.jobs.get(int(target)) if target.isdigit() else None
    if job is None or job.state is not JobState.RUNNING:
        return None
    return min(max(1, (end_s - job.start_s + 59) // 60), UNLIMITED - 2)
