"""What is still to be done in the world, read off the state: the effects that a restart takes up again."""

from flurm.core.effects import Effect, LaunchBatch, RebootNode, TerminateJob
from flurm.core.enums import JobState
from flurm.core.reboots import must_be_told
from flurm.core.records import Cluster


def outstanding(cluster: Cluster) -> tuple[Effect, ...]:
    """Launches not yet accepted, ends not yet confirmed, and nodes that do not know yet that they are to reboot."""
    effects: list[Effect] = []
    for job_id in cluster.active:
        job = cluster.jobs[job_id]
        if job.completing:
            effects.append(TerminateJob(job_id, tuple(cluster.names_in(job.completing))))
        elif job.state is JobState.RUNNING and job.launch == "wanted":
            effects.append(LaunchBatch(job_id))
    effects += [RebootNode(name) for name in cluster.rebooting if must_be_told(cluster.nodes[name])]
    return tuple(effects)
