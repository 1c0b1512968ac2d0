"""Programs that the controller runs around jobs: which are to run now, and what stands in the way of a job until they
have.

A program that is decided on becomes a `ProgramRun` in the cluster and stays there until a `ProgramDone` says how it
ended (`flurm.core.program_ends`). Whoever leads runs what is in the table and nothing else: so a new leader takes up
what its predecessor began and did not report, from the beginning, as a restarted slurmctld does. A program runs at
least once; more than once only where its controller ended, or lost its leadership, before the end was written down.

PrologSlurmctld keeps a job CONFIGURING, EpilogSlurmctld keeps it COMPLETING, both as in slurmctld 22.05.
"""

import os

from flurm.core.enums import JobFlag
from flurm.core.job_records import Job, ProgramRun
from flurm.core.records import Cluster

PROLOG, EPILOG, MAIL, TRIGGER, REBOOT = "prolog", "epilog", "mail", "trigger", "reboot"

MOST_WAITING = 10_000
"""Mails and triggers beyond so many unfinished programs are dropped; what a job waits for never is."""

Variables = tuple[tuple[str, str], ...]


def decide(cluster: Cluster, kind: str, programs: tuple[str, ...], now_s: int, **about: object) -> Cluster:
    """The cluster with one more program to run, whose id is the `next_program` of before."""
    if kind in (MAIL, TRIGGER) and len(cluster.programs) >= MOST_WAITING:
        return cluster
    number = cluster.next_program
    run = ProgramRun(id=number, kind=kind, programs=programs, decided_s=now_s).with_(**about)
    return cluster.with_(programs=cluster.programs.set(number, run), next_program=number + 1)


def forget(cluster: Cluster, number: int) -> Cluster:
    """The cluster without this program: where it runs, it is killed."""
    return cluster.with_(programs=cluster.programs.delete(number)) if number in cluster.programs else cluster


def before_start(cluster: Cluster, job: Job, now_s: int) -> tuple[Cluster, Job]:
    """A job that has just got its resources: PrologSlurmctld, where there is one, comes before its launch."""
    settings = cluster.settings
    if not settings.prolog_slurmctld:
        return cluster, job
    number = cluster.next_program
    job = job.with_(flags=job.flags | JobFlag.CONFIGURING, launch="prolog", prolog_run=number)
    cluster = decide(
        cluster, PROLOG, settings.prolog_slurmctld, now_s, job=job, limit_s=settings.prolog_limit_s,
        variables=(("SLURM_SCRIPT_CONTEXT", "prolog_slurmctld"),),
    )  # fmt: skip
    return cluster, job


def after_end(cluster: Cluster, job: Job, now_s: int) -> tuple[Cluster, Job]:
    """A job that leaves its resources: a PrologSlurmctld that still runs is killed, EpilogSlurmctld begins."""
    cluster = forget(forget(cluster, job.prolog_run), job.epilog_run)
    job = job.with_(flags=job.flags & ~JobFlag.CONFIGURING, prolog_run=0, epilog_run=0)
    settings = cluster.settings
    if not settings.epilog_slurmctld:
        return cluster, job
    number = cluster.next_program
    job = job.with_(flags=job.flags | JobFlag.COMPLETING, epilog_run=number)
    cluster = decide(
        cluster, EPILOG, settings.epilog_slurmctld, now_s, job=job, limit_s=settings.epilog_limit_s,
        variables=(*exit_variables(job), ("SLURM_SCRIPT_CONTEXT", "epilog_slurmctld")),
    )  # fmt: skip
    return cluster, job


def exit_variables(job: Job) -> Variables:
    """How the job ended, as epilogs and mails of its end are told (slurm.conf(5), Prolog and Epilog Scripts)."""
    code, signal_number = exit_parts(job.exit_status)
    return (
        ("SLURM_JOB_DERIVED_EC", str(job.derived_exit_status)),
        ("SLURM_JOB_EXIT_CODE2", f"{code}:{signal_number}"),
        ("SLURM_JOB_EXIT_CODE", str(job.exit_status)),
    )


def exit_parts(status: int) -> tuple[int, int]:
    """The exit code and the signal of what wait(2) gave."""
    if os.WIFSIGNALED(status):
        return 0, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), 0
