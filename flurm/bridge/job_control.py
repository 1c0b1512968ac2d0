"""What users do to jobs that exist: update, hold, release, cancel, signal, requeue, top."""

from __future__ import annotations

import re

from flurm.bridge import users
from flurm.bridge.calls import Control, Mapped, for_jobs
from flurm.bridge.context import Context
from flurm.bridge.job_fields import bound_wait_for_switches, given
from flurm.bridge.submit import keep_open_partitions, mail_address
from flurm.core.arrays import records_of
from flurm.core.commands import KillJob, KillJobs, RequeueJob, TopJobs, UpdateJob
from flurm.core.control import may_touch
from flurm.core.effects import Rejected
from flurm.core.enums import JobState, Refusal
from flurm.core.job_records import Job
from flurm.core.licenses import are_valid
from flurm.core.outcome import is_operator
from flurm.core.record import UNLIMITED
from protocol import messages as wire
from protocol.constants import (
    ALLOC_SID_ADMIN_HOLD,
    ALLOC_SID_USER_HOLD,
    BATCH_STEP,
    NO_VAL,
    JobStateFlag,
    KillFlag,
)
from protocol.hostlist import HostlistError, expand

__all__ = ["cancel_step", "job_to_change", "kill", "kill_many", "notify", "requeue", "suspend", "top", "update"]

_THROTTLE = re.compile(r"(?:.*%)?([0-9]{1,9})")
_HOLD_KINDS = {ALLOC_SID_ADMIN_HOLD: "admin", ALLOC_SID_USER_HOLD: "user"}


def update(record: wire.JobDescription, context: Context) -> Mapped:
    """REQUEST_UPDATE_JOB: priority 0 holds (alloc_sid says whose hold it is), INFINITE releases."""
    target = _target(record.job_id_str, record.job_id)
    if target is None:
        return Rejected(Refusal.INVALID_JOB_ID)
    changes = given(record)
    bound_wait_for_switches(changes, context.config.scheduler_parameters)
    if changes.get("mail_user"):
        changes["mail_user"] = mail_address(changes["mail_user"], context.uid, context)
    if record.end_time:
        limit_min = _limit_until(target, record.end_time, context)
        if limit_min is None:
            return Rejected(Refusal.JOB_NOT_RUNNING)
        changes["time_limit_min"] = limit_min
    if "admin_comment" in changes and not is_operator(context.cluster, context.uid):
        return Rejected(Refusal.ACCESS_DENIED)
    if changes.get("licenses") and not are_valid(str(changes["licenses"]), context.cluster.settings.licenses):
        return Rejected(Refusal.INVALID_LICENSES)
    job = _job_named(target, context)
    if changes.get("partitions") and job is not None:
        refusal = keep_open_partitions(changes, context, job.spec.user_id)
        if refusal is not None:
            return refusal
    limit = _THROTTLE.fullmatch(record.array_inx or "")
    return for_jobs(
        UpdateJob(
            now_s=context.now_s,
            user_id=context.uid,
            target=target,
            spec_changes=changes,
            priority=None if record.priority == NO_VAL else record.priority,
            hold_kind=_HOLD_KINDS.get(record.alloc_sid),
            array_limit=int(limit[1]) if limit else None,
        )
    )


def job_to_change(record: wire.JobDescription, context: Context) -> Job | None:
    """The job that an update is for, None where there is none, or none that whoever asks may change."""
    job = _job_named(_target(record.job_id_str, record.job_id), context)
    return job if job is not None and may_touch(context.cluster, job, context.uid) else None


def kill(record: wire.KillStep, context: Context) -> Mapped:
    """REQUEST_KILL_JOB: scancel of a job, of array tasks, or a signal to them; a daemon whose launch failed may say
    KILL_ARRAY_TASK of a job that is no array's, which slurmctld takes as well."""
    target = _target(record.sjob_id, record.step_id.job_id)
    return _kill(target, record, context)


def cancel_step(record: wire.KillStep, context: Context) -> Mapped:
    """REQUEST_CANCEL_JOB_STEP: the batch step can be signalled; other steps there are none."""
    target = _target(record.sjob_id, record.step_id.job_id)
    step = record.step_id.step_id
    if step == NO_VAL:
        return _kill(target, record, context)
    job = _job_named(target, context)
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
        )
    )


def kill_many(record: wire.KillJobs, context: Context) -> Mapped:
    """REQUEST_KILL_JOBS: scancel --ctld; the controller picks the jobs, by name, user, state and so on."""
    try:
        matching = _Filter(record)
    except HostlistError:
        return Rejected(Refusal.INVALID_NODE_NAME)
    if matching.user_id is None and record.user_name:
        return Rejected(Refusal.USER_ID_MISSING)
    named = [text for text in record.jobs_array if text]
    jobs = (context.cluster.jobs[job_id] for job_id in sorted({*context.cluster.pending, *context.cluster.active}))
    targets = named or [str(job.id) for job in jobs if may_touch(context.cluster, job, context.uid)]
    if record.state != _ANY_STATE or matching.is_narrow:
        targets = [text for text in targets if matching.accepts(_job_named(text, context))]
    return for_jobs(
        KillJobs(
            now_s=context.now_s,
            user_id=context.uid,
            targets=tuple(targets),
            signal=record.signal,
            batch_only=bool(record.flags & KillFlag.JOB_BATCH),
            whole_job=bool(record.flags & KillFlag.FULL_JOB),
            steps_only=bool(record.flags & KillFlag.STEPS_ONLY),
        )
    )


_ANY_STATE = 12


class _Filter:
    """What jobs must be like to be meant."""

    def __init__(self, record: wire.KillJobs) -> None:
        self._spec = {
            name: value
            for name, value in (
                ("name", record.job_name),
                ("account", record.account),
                ("qos", record.qos),
                ("reservation", record.reservation),
                ("wckey", record.wckey),
            )
            if value
        }
        self._partition = record.partition
        self._state = None if record.state == _ANY_STATE else record.state
        self._nodes = set(expand(record.nodelist)) if record.nodelist else set()
        self.user_id = users.uid_of(record.user_name) if record.user_name else None

    @property
    def is_narrow(self) -> bool:
        """Whether there is any condition but the state."""
        return bool(self._spec or self._partition or self._nodes or self.user_id is not None)

    def accepts(self, job: Job | None) -> bool:
        """Whether the job is meant."""
        if job is None or any(getattr(job.spec, name) != value for name, value in self._spec.items()):
            return False
        if self._partition and self._partition not in (job.partition, *job.spec.partitions):
            return False
        if self.user_id is not None and job.spec.user_id != self.user_id:
            return False
        if self._state is not None and int(job.state) != self._state:
            return False
        return not self._nodes or bool(self._nodes & set(job.node_names))


def _job_named(text: str | None, context: Context) -> Job | None:
    """The record behind a job as users write it; for a task of an array any record of the array will do."""
    found = _JOB_ID.match(text or "")
    if found is None:
        return None
    job_id = int(found[1])
    array = records_of(context.cluster, job_id)
    return context.cluster.jobs.get(job_id) or (array[0] if array else None)


_JOB_ID = re.compile(r"([0-9]{1,10})(?:_|$)")


def requeue(record: wire.RequeueJob, context: Context) -> Mapped:
    """REQUEST_JOB_REQUEUE: scontrol requeue and requeuehold, and node daemons that could not start a job."""
    target = _target(record.job_id_str, record.job_id)
    if target is None:
        return Rejected(Refusal.INVALID_JOB_ID)
    special = bool(record.flags & JobStateFlag.SPECIAL_EXIT)
    hold = special or bool(record.flags & JobStateFlag.REQUEUE_HOLD)
    failed = bool(record.flags & JobStateFlag.LAUNCH_FAILED) and is_operator(context.cluster, context.uid)
    hold |= failed and _holds_failed_launches(context)  # a slurmd of 22.05 says so itself, a newer one leaves it to us
    return for_jobs(
        RequeueJob(
            now_s=context.now_s, user_id=context.uid, target=target, hold=hold, special_exit=special,
            launch_failed=failed,
        )
    )  # fmt: skip


def _holds_failed_launches(context: Context) -> bool:
    words = (context.config.scheduler_parameters or "").lower().replace(" ", "").split(",")
    return "nohold_on_prolog_fail" not in words


def top(record: wire.TopJob, context: Context) -> Mapped:
    """REQUEST_TOP_JOB: scontrol top."""
    text = _target(record.job_id_str, record.job_id)
    targets = tuple(part for part in (text or "").split(",") if part)
    if not targets:
        return Rejected(Refusal.INVALID_JOB_ID)
    return for_jobs(TopJobs(now_s=context.now_s, user_id=context.uid, targets=targets))


def notify(record: wire.JobNotify, context: Context) -> Mapped:
    """REQUEST_JOB_NOTIFY: scontrol notify. Owner and operators may; arguments `job_id` and `text`."""
    job = context.cluster.jobs.get(record.step_id.job_id)
    if job is None:
        return Rejected(Refusal.INVALID_JOB_ID)
    if not may_touch(context.cluster, job, context.uid):
        return Rejected(Refusal.USER_ID_MISSING)
    if job.state is JobState.PENDING:
        return Rejected(Refusal.DISABLED)
    if job.state is not JobState.RUNNING:
        return Rejected(Refusal.ALREADY_DONE)
    return Control("notify", context.uid, {"job_id": job.id, "text": record.message or ""})


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
    job = _job_named(target, context)
    if job is None or job.state is not JobState.RUNNING:
        return None
    return min(max(1, (end_s - job.start_s + 59) // 60), UNLIMITED - 2)
