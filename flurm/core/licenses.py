"""Licenses: counts that the configuration names and running jobs hold (slurm.conf(5) Licenses, sbatch(1) --licenses).

A text is `name[:count],...`, `=` standing for `:` as well; no count is one, and what is named twice adds up. A job
holds what it asks for from its start until its end; while it completes, others may have it. Texts are the state, and
who holds what follows from the jobs, so nothing here can get out of step.
"""

from __future__ import annotations

import re

from flurm.core.enums import JobState
from flurm.core.records import Cluster

__all__ = ["are_valid", "free", "parse", "used", "wanted"]

_ONE = re.compile(r"([^\s:=*|,]+)(?:[:=](\d{1,9}))?")
_HOLDING = (JobState.RUNNING, JobState.SUSPENDED)


def parse(text: str | None) -> dict[str, int]:
    """Name -> count, in the order of the text. Raises ValueError for what is no list of licenses."""
    found: dict[str, int] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        one = _ONE.fullmatch(part.strip())
        if one is None:
            raise ValueError(f"expected NAME:COUNT, found {part.strip()!r}")
        found[one[1]] = found.get(one[1], 0) + int(one[2] or 1)
    return found


def wanted(text: str | None) -> dict[str, int]:
    """What a job asks for; a text that can not be read, which no submission leaves, stands for a license nobody has."""
    try:
        return parse(text)
    except ValueError:
        return {str(text): 1}


def are_valid(asked: str | None, configured: str | None) -> bool:
    """Whether all that is asked for is configured, and in such numbers."""
    try:
        asked_for, total = parse(asked), parse(configured)
    except ValueError:
        return False
    return all(count <= total.get(name, -1) for name, count in asked_for.items())


def used(cluster: Cluster) -> dict[str, int]:
    """Name -> count that jobs hold now."""
    found: dict[str, int] = {}
    for job_id in cluster.active:
        job = cluster.jobs[job_id]
        if job.spec.licenses and job.state in _HOLDING:
            for name, count in wanted(job.spec.licenses).items():
                found[name] = found.get(name, 0) + count
    return found


def free(cluster: Cluster) -> dict[str, int]:
    """Name -> count that nobody holds; below zero where there were more once."""
    held = used(cluster)
    return {name: count - held.get(name, 0) for name, count in parse(cluster.settings.licenses).items()}
