"""A cluster out of what a slurmctld told, on the nodes and partitions that slurm.conf names.

Whatever is not understood holds nothing up: it is noted, job by job. Where a job would start otherwise than its user
meant (its dependency cannot be tested, its reservation is not there), it is taken held by the administrator.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from flurm.bridge.importing import saved, states
from flurm.bridge.importing.answers import Answers, Note
from flurm.bridge.importing.arrays import array_of, array_tasks, asked_tasks
from flurm.bridge.importing.jobs import UserName, job_id_of, job_of, open_mode_of, spec_of
from flurm.bridge.importing.waiting import held, with_reasons
from flurm.core.apply import apply
from flurm.core.commands import Configure
from flurm.core.enums import JobState, NodeFlag, Reason
from flurm.core.job_records import HIGHEST_PRIORITY, Job
from flurm.core.numbering import with_members
from flurm.core.records import Cluster
from flurm.core.tables import mark_completing, occupy, put, put_node
from protocol.constants import BATCH_STEP, JobStateFlag
from protocol.constants import JobFlag as BitFlag
from protocol.messages import JobInfo, StepId
from protocol.versions import Version

__all__ = ["Imported", "cluster_of", "login_environment"]


class Imported(NamedTuple):
    """The state to begin with, the scripts and environments that it refers to, by digest, and what is to be told."""

    cluster: Cluster
    blobs: dict[str, bytes]
    taken: tuple[str, ...]
    """What was changed at run time and comes along."""
    differs: tuple[Note, ...]
    """What comes along, but not as it was."""
    left: tuple[Note, ...]
    """What does not come along."""
    told_in_part: int = 0
    """Batch jobs of which only what clients are told is known."""


class _Building:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.blobs: dict[str, bytes] = {}
        self.taken: list[str] = []
        self.differs: list[Note] = []
        self.left: list[Note] = []
        self.told_in_part = 0

    def keep(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest


def cluster_of(answers: Answers, configure: Configure, user_name: UserName) -> Imported:
    """Everything that was told, as a cluster that `configure` has been applied to."""
    build = _Building(apply(Cluster(), configure).cluster)
    _take_nodes(build, answers)
    _take_partitions(build, answers)
    _take_jobs(build, answers, user_name)
    build.cluster, notes = with_reasons(build.cluster, answers.jobs, answers.asked_s)
    build.differs += notes
    build.left += [Note(f"reservation {name}", "FLURM has no reservations") for name in answers.reservations]
    build.differs += [
        Note(f"job {step.job_id}", f"its step {step.step_id} runs on and is no longer shown")
        for step in answers.steps
        if step.job_id in build.cluster.active and _is_numbered(step)
    ]
    cluster = build.cluster.with_(
        next_job_id=answers.next_job_id or max(build.cluster.jobs, default=build.cluster.next_job_id - 1) + 1,
        next_priority=_next_priority(build.cluster),
        jobs_changed_s=configure.now_s,
        nodes_changed_s=configure.now_s,
    )
    return Imported(
        cluster, build.blobs, tuple(build.taken), tuple(build.differs), tuple(build.left), build.told_in_part
    )


def _is_numbered(step: StepId) -> bool:
    return step.step_id < BATCH_STEP - 0xF


def _next_priority(cluster: Cluster) -> int:
    """What priority/basic gives the next job: one less than the last; priorities that somebody set are far below."""
    given = [job.priority + job.spec.nice for job in cluster.jobs.values() if job.priority]
    lowest = min((each for each in given if each > HIGHEST_PRIORITY // 2), default=HIGHEST_PRIORITY + 1)
    return max(2, lowest - 1)


def _take_nodes(build: _Building, answers: Answers) -> None:
    told = {info.name or "": info for info in answers.nodes}
    for name, info in told.items():
        known = build.cluster.nodes.get(name)
        if known is None and states.is_dynamic(info):
            known = states.joined(info, len(build.cluster.node_order))
            build.cluster = build.cluster.with_(node_order=(*build.cluster.node_order, name))
            build.taken.append(f"node {name}: joined at run time")
        if known is None:
            build.left.append(Note(f"node {name}", "slurm.conf does not name it"))
            continue
        node = states.node_of(info, known)
        build.cluster = put_node(build.cluster, node)
        if node.flags & (NodeFlag.DRAIN | NodeFlag.FAIL) or node.state.name == "DOWN":
            words = [node.state.name.lower()] + [str(f.name).lower() for f in NodeFlag if f and node.flags & f]
            build.taken.append(f"node {name}: {'+'.join(words)}, reason {node.reason!r}")
        if flags := states.uncarried_flags(info):
            build.differs.append(Note(f"node {name}", f"{', '.join(flags)}: does not go on"))
    for name in build.cluster.node_order:
        if name not in told:
            build.differs.append(Note(f"node {name}", "in slurm.conf, and slurmctld does not know it yet"))
    build.cluster = with_members(build.cluster, build.cluster.configured_s)


def _take_partitions(build: _Building, answers: Answers) -> None:
    told = set()
    for info in answers.partitions:
        told.add(info.name)
        partition, changed = states.changed_partition(info, build.cluster)
        if not changed:
            continue
        build.taken.append(f"partition {partition.name}: {', '.join(changed)} as changed at run time")
        build.cluster = build.cluster.with_(partitions=build.cluster.partitions.set(partition.name, partition))
    for name in build.cluster.partitions:
        if name not in told:
            build.differs.append(Note(f"partition {name}", "in slurm.conf, and slurmctld does not have it: it is back"))
    build.cluster = with_members(build.cluster, build.cluster.configured_s)


def _take_jobs(build: _Building, answers: Answers, user_name: UserName) -> None:
    arrays: dict[int, int] = {}
    for info in answers.jobs:
        if info.array_job_id:
            arrays[info.array_job_id] = arrays.get(info.array_job_id, 0) | array_tasks(info)
    for array_id, known in arrays.items():
        first = next(info for info in answers.jobs if info.array_job_id == array_id)
        asked = asked_tasks(first, answers.scripts.get(array_id, b""))
        if asked & known == known:
            arrays[array_id] = asked
    for info in answers.jobs:
        _take_job(build, answers, info, arrays.get(info.array_job_id, 0), user_name)


def _take_job(build: _Building, answers: Answers, info: JobInfo, tasks: int, user_name: UserName) -> None:
    about = f"job {job_id_of(info)}"
    problem = _why_not(build.cluster, info, answers)
    if problem is not None:
        build.left.append(Note(about, problem))
        return
    spec, array = spec_of(info, answers.version, user_name), array_of(info, tasks)
    kept = saved.find(answers.saved, job_id_of(info), info)
    if kept is not None:
        spec, array = saved.with_saved(spec, kept), array and saved.with_totals(array, kept)
    elif info.batch_flag and not JobState(info.job_state & 0xFF).is_finished:
        build.told_in_part += 1
        spec = spec.with_(open_mode=open_mode_of(answers.scripts.get(_script_owner(info), b"")))
    try:
        job = job_of(info, spec, build.cluster, array)
    except LookupError:
        build.left.append(Note(about, f"runs on {info.nodes}, of which slurm.conf names none"))
        return
    job = _with_blobs(build, answers, job, info)
    if job.spec.reservation and job.is_pending:
        build.differs.append(Note(about, f"asks for reservation {job.spec.reservation}, which FLURM has not: held"))
        job = held(job)
    if job.is_pending and kept is None and _lacks_arguments(info, answers):
        text = "its script takes arguments, which slurmctld does not tell: held; submit it again, or release it"
        build.differs.append(Note(about, text))
        job = held(job)
    build.differs += [Note(about, text) for text in _differences(job, info, build.cluster)]
    build.cluster = put(build.cluster, job)
    if job.id in build.cluster.active:
        build.cluster = occupy(build.cluster, job, job.start_s)
        build.cluster = mark_completing(build.cluster, job)


_USES_ARGUMENTS = re.compile(rb"\$\{?[1-9@*#]|\bgetopts?\b|\bshift\b|\bargv\b")


def _lacks_arguments(info: JobInfo, answers: Answers) -> bool:
    """Whether a script looks at arguments that are not told: from 23.02 on only where the command line is."""
    if answers.version <= Version.V22_05 or not info.command or info.submit_line:
        return False
    return _USES_ARGUMENTS.search(answers.scripts.get(_script_owner(info), b"")) is not None


_MOST_STATE = max(JobState)


def _why_not(cluster: Cluster, info: JobInfo, answers: Answers) -> str | None:
    """Why a job cannot be taken; None where it can."""
    base = info.job_state & 0xFF
    if base > _MOST_STATE or info.job_state & JobStateFlag.REVOKED:
        return "belongs to a federation, of which FLURM knows nothing"
    waits = base == JobState.PENDING and not info.job_state & JobStateFlag.COMPLETING
    named = [part for part in (info.partition or "").split(",") if part]
    if not any(part in cluster.partitions for part in named):
        return f"partition {info.partition} is in neither slurm.conf nor slurmctld"
    if not waits:
        return None
    if info.het_job_id:
        return f"waits as part of heterogeneous job {info.het_job_id}, which FLURM has not"
    if not info.batch_flag:
        return "an allocation of salloc or srun that waits: its command has to be given again"
    if _script_owner(info) not in answers.scripts:
        return "slurmctld does not give its script"
    return None


def _script_owner(info: JobInfo) -> int:
    return info.array_job_id or job_id_of(info)


def _with_blobs(build: _Building, answers: Answers, job: Job, info: JobInfo) -> Job:
    """The job with its script and environment; without a script it can run on, and never again."""
    script = answers.scripts.get(_script_owner(info)) if info.batch_flag else None
    if script is None:
        return job.with_(spec=job.spec.with_(requeue=False), launch=None if not info.batch_flag else job.launch)
    environment = answers.environments.get(_script_owner(info))
    if environment is None:
        environment = login_environment(job)
        if job.is_pending:
            text = "its environment is not known: starts with its user's login environment, as with --export=NONE"
            build.differs.append(Note(f"job {job.id}", text))
        elif not job.state.is_finished and job.spec.requeue:
            text = "its environment is not known: were it requeued, it would start with its user's login environment"
            build.differs.append(Note(f"job {job.id}", text))
    return job.with_(
        spec=job.spec.with_(
            script_digest=build.keep(script),
            script_size=len(script),
            environment_digest=build.keep(b"\0".join(environment)),
        )
    )


def login_environment(job: Job) -> tuple[bytes, ...]:
    """What stands in for an environment that is not known, as sbatch --export=NONE has it: the node makes the one that
    the user has at login."""
    spec = job.spec
    given = {
        "SLURM_GET_USER_ENV": "1",
        "SLURM_EXPORT_ENV": "NONE",
        "SLURM_JOB_NAME": spec.name,
        "SLURM_SUBMIT_DIR": spec.work_dir,
        "SLURM_SUBMIT_HOST": spec.submit_host,
    }
    return tuple(f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in given.items() if value)


def _differences(job: Job, info: JobInfo, cluster: Cluster) -> list[str]:
    """What of a job that is taken will be otherwise."""
    notes = []
    runs = not job.state.is_finished and job.allocation is not None
    if job.is_pending and (gone := [name for name in job.spec.partitions if name not in cluster.partitions]):
        notes.append(f"partition {','.join(gone)} is in neither slurm.conf nor slurmctld")
    if runs and not info.batch_flag:
        notes.append("an allocation of salloc or srun: it holds its nodes until they end it, and starts no new steps")
    elif runs and job.spec.script_digest is None:
        notes.append("slurmctld does not give its script: it runs on, and is not requeued")
    if job.state is JobState.SUSPENDED:
        notes.append("suspended, and FLURM cannot resume it: resume it before the import, or cancel it")
    if runs and (info.gres_total or any(info.gres_detail_str)):
        notes.append(f"holds {info.gres_total or 'generic resources'}, which FLURM does not count")
    if runs and job.reason is Reason.NONE and job.launch == "wanted":
        notes.append("was about to be launched, and is launched again")
    if not job.state.is_finished and info.bitflags & BitFlag.CRON_JOB:
        notes.append("of scrontab: runs this time, and is not repeated")
    if runs and info.het_job_id:
        notes.append(f"part of heterogeneous job {info.het_job_id}: goes on as a job of its own")
    return notes
