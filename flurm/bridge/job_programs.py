"""What a program around jobs is given: its words, its environment, and who runs it.

The environment of PrologSlurmctld, EpilogSlurmctld and MailProg is the job's, in Slurm's variables, and nothing else
(slurm.conf(5), Prolog and Epilog Scripts); it is what slurmctld 22.05 was seen to set, and three that 24.11 has beside
that (start, end, sharing). A trigger's program has its user's.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from flurm.bridge.configure import DEFAULT_MAIL_PROGRAM
from flurm.bridge.resources import cpu_groups
from flurm.config.records import Config
from flurm.core.enums import JobState
from flurm.core.job_records import Job, ProgramRun
from flurm.core.programs import MAIL, TRIGGER
from flurm.core.records import Cluster
from protocol.hostlist import fold

__all__ = ["order_of"]

_OTHER_MAIL_PROGRAM = "/usr/bin/mail"
_SHARING = {0: "NO", 1: "YES", 2: "USER"}


def order_of(run: ProgramRun, place: int, cluster: Cluster, config: Config) -> dict[str, Any]:
    """The order to the keeper (actors.programs.keeper) for the `place`-th program of a run."""
    environment, names = _of_job(run.job, cluster) if run.job is not None else ({}, {})
    environment |= dict(run.variables)
    if run.kind == TRIGGER and config.slurm_conf:
        environment["SLURM_CONF"] = config.slurm_conf
    return {
        "run": run.id,
        "argv": [*_program(run, place), *run.arguments],
        "env": environment,
        "names": names,
        "uid": cluster.settings.slurm_user_id if run.user_id is None else run.user_id,
        "login": run.kind == TRIGGER,
        "limit_s": run.limit_s,
    }


def _program(run: ProgramRun, place: int) -> list[str]:
    text = run.programs[place]
    if run.kind == TRIGGER:
        try:
            return shlex.split(text) or [text]
        except ValueError:
            return text.split()
    if run.kind == MAIL and text == DEFAULT_MAIL_PROGRAM and not Path(text).exists():
        return [_OTHER_MAIL_PROGRAM]
    return [text]


def _of_job(job: Job, cluster: Cluster) -> tuple[dict[str, str], dict[str, tuple[str, int]]]:
    """The variables of a job, and those whose value is the name of a user or group that is to be looked up."""
    spec = job.spec
    found: dict[str, object] = {
        "SLURM_CLUSTER_NAME": cluster.settings.cluster_name,
        "SLURM_JOB_ACCOUNT": spec.account or "(null)",
        "SLURM_JOB_COMMENT": spec.comment,
        "SLURM_JOB_CONSTRAINTS": spec.features,
        "SLURM_JOB_END_TIME": job.end_s or None,
        "SLURM_JOB_GID": spec.group_id,
        "SLURM_JOB_ID": job.id,
        "SLURM_JOBID": job.id,
        "SLURM_JOB_LICENSES": spec.licenses,
        "SLURM_JOB_NAME": spec.name,
        "SLURM_JOB_NODELIST": fold(job.node_names) if job.node_names else "(null)",
        "SLURM_JOB_OVERSUBSCRIBE": "OK" if spec.exclusive is None else _SHARING.get(spec.exclusive, "OK"),
        "SLURM_JOB_PARTITION": job.partition,
        "SLURM_JOB_QOS": spec.qos,
        "SLURM_JOB_RESTART_COUNT": job.restarts,
        "SLURM_JOB_START_TIME": job.start_s if job.end_s else None,
        "SLURM_JOB_STDERR": _in_work_dir(job, spec.std_err),
        "SLURM_JOB_STDIN": _in_work_dir(job, spec.std_in or ("/dev/null" if spec.script_digest else None)),
        "SLURM_JOB_STDOUT": _in_work_dir(job, spec.std_out),
        "SLURM_JOB_UID": spec.user_id,
        "SLURM_JOB_USER": spec.user_name,
        "SLURM_JOB_WORK_DIR": spec.work_dir,
        **_of_allocation(job),
        **_of_array(job),
    }
    names = {"SLURM_JOB_GROUP": ("group", spec.group_id)}
    if spec.user_name is None:
        names["SLURM_JOB_USER"] = ("user", spec.user_id)
    return {name: str(value) for name, value in found.items() if value is not None}, names


def _of_allocation(job: Job) -> dict[str, object]:
    if job.allocation is None or not job.node_names:
        return {}
    groups, repetitions = cpu_groups(job)
    cpus = [f"{cpus}(x{times})" if times > 1 else str(cpus) for cpus, times in zip(groups, repetitions, strict=True)]
    return {"SLURM_JOB_CPUS_PER_NODE": ",".join(cpus), "SLURM_JOB_NUM_NODES": len(job.node_names)}


def _of_array(job: Job) -> dict[str, object]:
    array = job.array
    if array is None or array.task_id is None or (job.state is JobState.PENDING and not job.node_names):
        return {}
    return {
        "SLURM_ARRAY_JOB_ID": array.job_id,
        "SLURM_ARRAY_TASK_COUNT": array.count,
        "SLURM_ARRAY_TASK_ID": array.task_id,
        "SLURM_ARRAY_TASK_MAX": array.highest,
        "SLURM_ARRAY_TASK_MIN": array.lowest,
        "SLURM_ARRAY_TASK_STEP": array.step,
    }


def _in_work_dir(job: Job, path: str | None) -> str | None:
    if not path or path.startswith("/"):
        return path or None
    return f"{job.spec.work_dir or ''}/{path}"
