"""What is still to be done in the world, read off the state: the effects that a restart takes up again."""

from flurm.core.effects import Effect, LaunchBatch, TerminateJob
from flurm.core.enums import JobState
from flurm.core.records import Cluster


def outstanding(cluster: Cluster) -> tuple[Effect, ...]:
    """Launches not yet accepted and ends not yet confirmed."""
    effects: list[Effect] = []
    for job_id in cluster.active:
        job = cluster.jobs[job_id]
        if job.completing:
            effects.append(TerminateJob(job_id, tuple(cluster.names_in(job.completing))))
        elif job.state is JobState.RUNNING and job.launch == "wanted":
            effects.append(LaunchBatch(job_id))
    return tuple(effects)
