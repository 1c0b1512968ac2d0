"""What becomes of a job when a program around it has ended."""

from flurm.core import lifecycle
from flurm.core.commands import ProgramDone, RemindJobs
from flurm.core.effects import LaunchBatch
from flurm.core.enums import JobFlag, JobState, Reason
from flurm.core.job_records import ProgramRun
from flurm.core.mail import remind
from flurm.core.outcome import Outcome
from flurm.core.programs import EPILOG, PROLOG, forget
from flurm.core.records import Cluster
from flurm.core.tables import put


def done(cluster: Cluster, command: ProgramDone) -> Outcome:
    """A program has ended, or could not be run; one that nobody waits for any more changes nothing."""
    run = cluster.programs.get(command.id)
    if run is None:
        return Outcome(cluster)
    cluster = forget(cluster, run.id)
    if run.kind == PROLOG:
        return _prolog_done(cluster, run, command)
    if run.kind == EPILOG:
        return _epilog_done(cluster, run, command.now_s)
    return Outcome(cluster)


def _prolog_done(cluster: Cluster, run: ProgramRun, command: ProgramDone) -> Outcome:
    """After PrologSlurmctld the job is launched; where it failed, the job is put back in the queue, or is cancelled if
    that may not be (slurm.conf(5), PrologSlurmctld)."""
    job = cluster.jobs.get(run.job.id) if run.job is not None else None
    if job is None or job.prolog_run != run.id:
        return Outcome(cluster)
    job = job.with_(prolog_run=0)
    if command.status or command.error is not None:
        if job.spec.requeue:
            return lifecycle.requeue(cluster, job, command.now_s, reason=Reason.NONE)
        return lifecycle.finish(cluster, job, "cancel", command.now_s)
    job = job.with_(flags=job.flags & ~JobFlag.CONFIGURING, launch="wanted")
    cluster = put(cluster, job).with_(jobs_changed_s=command.now_s)
    return Outcome(cluster, effects=(LaunchBatch(job.id),))


def _epilog_done(cluster: Cluster, run: ProgramRun, now_s: int) -> Outcome:
    """After EpilogSlurmctld, whatever came of it, the job is COMPLETING only for nodes that are not clean yet."""
    job = cluster.jobs.get(run.job.id) if run.job is not None else None
    if job is None or job.epilog_run != run.id:
        return Outcome(cluster)
    job = lifecycle.settled(cluster, job.with_(epilog_run=0), now_s)
    cluster = put(cluster, job).with_(jobs_changed_s=now_s)
    if job.flags & JobFlag.COMPLETING:
        return Outcome(cluster)
    return lifecycle.retest_dependents(cluster, now_s, lifecycle.FREED)


def remind_jobs(cluster: Cluster, command: RemindJobs) -> Outcome:
    """Tell users what part of their jobs' time limits is over."""
    for job_id in command.ids:
        job = cluster.jobs.get(job_id)
        if job is not None and job.state is JobState.RUNNING:
            cluster, job = remind(cluster, job, command.now_s)
            cluster = put(cluster, job)
    return Outcome(cluster)
