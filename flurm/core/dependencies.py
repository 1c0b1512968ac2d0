"""Dependencies between jobs: reading them, testing them, showing them (sbatch(1), --dependency)."""

import re

from flurm.core.arrays import records_of
from flurm.core.enums import JobState
from flurm.core.job_records import Dependency, Job
from flurm.core.records import Cluster

UNFULFILLED, FULFILLED, FAILED = "unfulfilled", "fulfilled", "failed"
KINDS = ("after", "afterany", "afterok", "afternotok", "aftercorr", "afterburstbuffer", "expand", "singleton")
_JOB = re.compile(r"(\d+)(?:_(\d+|\*))?(?:\+(\d+))?")


def parse(cluster: Cluster, text: str) -> tuple[Dependency, ...] | None:
    """Read `afterok:1:2_3,after:4+5?singleton`; None where it is not one, or names a job that never was."""
    any_of = "?" in text
    if any_of and "," in text:
        return None
    found: list[Dependency] = []
    for part in re.split(r"[,?]", text):
        kind, _, jobs = part.strip().partition(":")
        kind = kind.lower()
        if kind == "singleton" and not jobs:
            found.append(Dependency(kind="singleton", any_of=any_of))
            continue
        if kind not in KINDS or kind in ("singleton", "expand") or not jobs:
            return None
        for job in jobs.split(":"):
            one = _parse_job(cluster, kind, job, any_of)
            if one is None:
                return None
            found.append(one)
    return tuple(found)


def _parse_job(cluster: Cluster, kind: str, text: str, any_of: bool) -> Dependency | None:
    matched = _JOB.fullmatch(text)
    if matched is None or (matched[3] and kind != "after"):
        return None
    job_id, part = int(matched[1]), matched[2]
    return Dependency(
        kind=kind,
        job_id=job_id,
        task_id=int(part) if part and part != "*" else None,
        whole_array=job_id in cluster.arrays and (part is None or part == "*"),
        delay_min=int(matched[3] or 0),
        any_of=any_of,
    )


def describe(dependencies: tuple[Dependency, ...]) -> str | None:
    """As clients show it: what still matters, each with its state; None when nothing does."""
    left = [d for d in dependencies if d.state != FULFILLED]
    if not left:
        return None
    return ("?" if left[0].any_of else ",").join(f"{_name(d)}({d.state})" for d in left)


def _name(dependency: Dependency) -> str:
    if dependency.kind == "singleton":
        return "singleton"
    task = "_*" if dependency.whole_array else "" if dependency.task_id is None else f"_{dependency.task_id}"
    delay = f"+{dependency.delay_min}" if dependency.delay_min else ""
    return f"{dependency.kind}:{dependency.job_id}{task}{delay}"


def test(cluster: Cluster, job: Job, now_s: int) -> tuple[tuple[Dependency, ...], str]:
    """The dependencies with their present states, and the verdict: fulfilled, unfulfilled or failed."""
    tested = tuple(
        d if d.state == FULFILLED else d.with_(state=_state(cluster, job, d, now_s)) for d in job.dependencies
    )
    states = [d.state for d in tested]
    if not states:
        return (), FULFILLED
    if tested[0].any_of:
        if FULFILLED in states:
            return (), FULFILLED
        return tested, UNFULFILLED if UNFULFILLED in states else FAILED
    if FAILED in states:
        return tested, FAILED
    return (tested, UNFULFILLED) if UNFULFILLED in states else ((), FULFILLED)


def _state(cluster: Cluster, job: Job, dependency: Dependency, now_s: int) -> str:
    if dependency.kind == "singleton":
        return UNFULFILLED if _has_earlier_namesake(cluster, job) else FULFILLED
    others = _targets(cluster, dependency)
    if not others:
        return FAILED if dependency.kind == "afternotok" else FULFILLED
    verdicts = [_one(other, dependency, now_s) for other in others]
    if dependency.kind == "afternotok" and len(verdicts) > 1:
        if UNFULFILLED in verdicts:
            return UNFULFILLED
        return FULFILLED if FULFILLED in verdicts else FAILED
    if FAILED in verdicts:
        return FAILED
    return UNFULFILLED if UNFULFILLED in verdicts else FULFILLED


def _targets(cluster: Cluster, dependency: Dependency) -> list[Job]:
    if dependency.whole_array:
        return records_of(cluster, dependency.job_id)
    if dependency.task_id is not None:
        bit = 1 << dependency.task_id
        return [
            job
            for job in records_of(cluster, dependency.job_id)
            if job.array and (job.array.task_id == dependency.task_id or job.array.waiting & bit)
        ]
    found = cluster.jobs.get(dependency.job_id)
    return [found] if found else []


def _one(other: Job, dependency: Dependency, now_s: int) -> str:
    finished = other.state.is_finished and not other.completing
    if dependency.kind == "after":
        began = other.state is not JobState.PENDING and (other.start_s or other.end_s)
        return FULFILLED if began and now_s >= began + 60 * dependency.delay_min else UNFULFILLED
    if not finished:
        return UNFULFILLED
    succeeded = other.state is JobState.COMPLETED
    if dependency.kind in ("afterok", "aftercorr"):
        return FULFILLED if succeeded else FAILED
    if dependency.kind == "afternotok":
        return FAILED if succeeded else FULFILLED
    return FULFILLED


def _has_earlier_namesake(cluster: Cluster, job: Job) -> bool:
    for ids in (cluster.pending, cluster.active):
        for other_id in ids:
            other = cluster.jobs[other_id]
            if (
                other_id < job.id
                and other.spec.user_id == job.spec.user_id
                and other.spec.name == job.spec.name
                and not (other.array and job.array and other.array.job_id == job.array.job_id)
            ):
                return True
    return False
