"""Mail to users about their jobs (sbatch(1), --mail-type): when there is some, and what it says.

`MailProg` is called as `MailProg -s SUBJECT RECIPIENT` with the job in its environment. Which events are told, and the
words of the subjects, are slurmctld 22.05's as it was seen to send them: the end of a job that failed is told under
FAIL alone, that of one that completed or was cancelled under END alone; without ARRAY_TASKS a job array begins and ends
once, as a whole.
"""

from enum import IntFlag

from flurm.core.arrays import records_of
from flurm.core.enums import JobState, Reason
from flurm.core.job_records import Job
from flurm.core.programs import MAIL, Variables, decide, exit_parts, exit_variables
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster

LIMIT_S = 300
"""A mail program that takes longer is killed."""


class MailType(IntFlag):
    """The numbers of --mail-type on the wire."""

    BEGIN = 0x1
    END = 0x2
    FAIL = 0x4
    REQUEUE = 0x8
    TIME_100 = 0x10
    TIME_90 = 0x20
    TIME_80 = 0x40
    TIME_50 = 0x80
    STAGE_OUT = 0x100
    ARRAY_TASKS = 0x200
    INVALID_DEPEND = 0x400


_WORDS = {
    MailType.BEGIN: "Began",
    MailType.END: "Ended",
    MailType.FAIL: "Failed",
    MailType.REQUEUE: "Requeued",
    MailType.TIME_100: "Reached time limit",
    MailType.TIME_90: "Reached 90% of time limit",
    MailType.TIME_80: "Reached 80% of time limit",
    MailType.TIME_50: "Reached 50% of time limit",
    MailType.INVALID_DEPEND: "Invalid dependency",
}

_SHARES = ((MailType.TIME_50, 50), (MailType.TIME_80, 80), (MailType.TIME_90, 90))
REMINDERS = MailType.TIME_50 | MailType.TIME_80 | MailType.TIME_90


def began(cluster: Cluster, job: Job, now_s: int) -> Cluster:
    """A job has got its resources."""
    if not job.spec.mail_type & MailType.BEGIN:
        return cluster
    if _is_summary(job):
        assert job.array is not None
        first = cluster.jobs.get(job.array.job_id, job)
        if any(other.restarts or other.node_names for other in _others(cluster, job)):
            return cluster  # another task began before
        return _send(cluster, first, MailType.BEGIN, "", (), now_s, state=JobState.PENDING)
    queued = _span(job.start_s - job.submit_s)
    return _send(cluster, job, MailType.BEGIN, f", Queued time {queued}", (("SLURM_JOB_QUEUED_TIME", queued),), now_s)


def ended(cluster: Cluster, job: Job, now_s: int) -> Cluster:
    """A job, which the cluster has in its final state, is over."""
    if not job.spec.mail_type & (MailType.END | MailType.FAIL):
        return cluster
    if _is_summary(job):
        return _array_ended(cluster, job, now_s)
    fine = job.state in (JobState.COMPLETED, JobState.CANCELLED)
    kind = MailType.END if fine else MailType.FAIL
    code, signal_number = exit_parts(job.exit_status)
    text = f", Run time {_run_time(job, now_s)}, {job.state.name}"
    text += "" if signal_number else f", ExitCode {code}"
    variables = (
        *exit_variables(job), ("SLURM_JOB_EXIT_CODE_MAX", str(code)), ("SLURM_JOB_RUN_TIME", _run_time(job, now_s)),
    )  # fmt: skip
    return _send(cluster, job, kind, text, variables, now_s)


def _array_ended(cluster: Cluster, job: Job, now_s: int) -> Cluster:
    """One mail when the last task is over: what all of them came to."""
    assert job.array is not None
    tasks = [*_others(cluster, job), job]
    if not all(task.state.is_finished for task in tasks):
        return cluster
    parts = [exit_parts(task.exit_status) for task in tasks]
    codes = [code for code, _ in parts]
    cancelled = any(task.state is JobState.CANCELLED for task in tasks)
    signal_number = max(9 if cancelled else 0, *(number for _, number in parts))
    kind = MailType.FAIL if max(codes) else MailType.END
    found: Variables = (("SLURM_JOB_TERM_SIGNAL_MAX", str(signal_number)),)
    text = f", Mixed, MaxSignal [{signal_number}]"
    if not signal_number:
        how = "COMPLETED" if not max(codes) else "FAILED" if min(codes) else "Mixed"
        text = f", {how}, ExitCode [{min(codes)}-{max(codes)}]"
        found = (("SLURM_JOB_EXIT_CODE_MAX", str(max(codes))), ("SLURM_JOB_EXIT_CODE_MIN", str(min(codes))))
    head = cluster.jobs.get(job.array.job_id, job)
    variables = (*exit_variables(head), *found, ("SLURM_JOB_RUN_TIME", _run_time(head, now_s)))
    return _send(cluster, head, kind, text, variables, now_s)


def requeued(cluster: Cluster, job: Job, now_s: int) -> Cluster:
    """A job, given as it was before, waits again."""
    return _with_run_time(cluster, job, MailType.REQUEUE, now_s, state=JobState.PENDING)


def timed_out(cluster: Cluster, job: Job, now_s: int) -> Cluster:
    """A job's time is up; it is given as it was before."""
    return _with_run_time(cluster, job, MailType.TIME_100, now_s)


def reminders_due(job: Job, now_s: int) -> MailType:
    """The parts of its time limit that a running job has reached and its user wants to hear of."""
    due = MailType(0)
    if job.state is not JobState.RUNNING or job.time_limit_min in (None, UNLIMITED):
        return due
    span_s = job.end_s - job.start_s
    for kind, share in _SHARES:
        if now_s - job.start_s >= span_s * share / 100:
            due |= kind
    return due & MailType(job.spec.mail_type & REMINDERS & ~job.mails_sent)


def remind(cluster: Cluster, job: Job, now_s: int) -> tuple[Cluster, Job]:
    """Tell what is due of that."""
    due = reminders_due(job, now_s)
    for kind, _ in _SHARES:
        if due & kind:
            cluster = _with_run_time(cluster, job, kind, now_s)
    return cluster, job.with_(mails_sent=job.mails_sent | int(due))


def invalid_dependency(cluster: Cluster, job: Job, now_s: int) -> tuple[Cluster, Job]:
    """Tell once that what a waiting job depends on never comes true."""
    kind = MailType.INVALID_DEPEND
    wanted = job.spec.mail_type & kind & ~job.mails_sent
    if not wanted or job.reason is not Reason.DEPENDENCY_NEVER_SATISFIED:
        return cluster, job
    cluster = _send(cluster, job, kind, "", (), now_s)
    return cluster, job.with_(mails_sent=job.mails_sent | kind)


def _with_run_time(cluster: Cluster, job: Job, kind: MailType, now_s: int, state: JobState | None = None) -> Cluster:
    run = _run_time(job, now_s)
    return _send(cluster, job, kind, f", Run time {run}", (("SLURM_JOB_RUN_TIME", run),), now_s, state=state)


def _send(
    cluster: Cluster, job: Job, kind: MailType, text: str, variables: Variables, now_s: int,
    state: JobState | None = None,
) -> Cluster:  # fmt: skip
    if not job.spec.mail_type & kind or not cluster.settings.mail_program:
        return cluster
    recipient = job.spec.mail_user or job.spec.user_name or str(job.spec.user_id)
    if recipient.startswith("-"):
        return cluster  # an option: a user would have SlurmUser's mail program do what he likes
    word = _WORDS[kind]
    subject = f"{_title(job, kind)} {word}{text}"
    told = (
        ("SLURM_JOB_MAIL_TYPE", word),
        ("SLURM_JOB_STATE", (job.state if state is None else state).name),
        *variables,
    )
    return decide(
        cluster, MAIL, (cluster.settings.mail_program,), now_s, job=job, variables=told, limit_s=LIMIT_S,
        arguments=("-s", subject, recipient),
    )  # fmt: skip


def _title(job: Job, kind: MailType) -> str:
    array = job.array
    if array is None:
        return f"Slurm Job_id={job.id} Name={job.spec.name}"
    if _is_summary(job) and kind in (MailType.BEGIN, MailType.END, MailType.FAIL):
        return f"Slurm Array Summary Job_id={array.job_id}_* ({job.id}) Name={job.spec.name}"
    task = "*" if array.task_id is None else array.task_id
    return f"Slurm Array Task Job_id={array.job_id}_{task} ({job.id}) Name={job.spec.name}"


def _is_summary(job: Job) -> bool:
    return job.array is not None and not job.spec.mail_type & MailType.ARRAY_TASKS


def _others(cluster: Cluster, job: Job) -> list[Job]:
    assert job.array is not None
    return [other for other in records_of(cluster, job.array.job_id) if other.id != job.id]


def _run_time(job: Job, now_s: int) -> str:
    end_s = job.end_s if job.state.is_finished else now_s
    return _span(end_s - job.start_s if job.start_s else 0)


def _span(seconds: int) -> str:
    """A time as Slurm's commands print it: `00:01:11`, `1-00:00:00`."""
    minutes, rest = divmod(max(seconds, 0), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (f"{days}-" if days else "") + f"{hours:02}:{minutes:02}:{rest:02}"
