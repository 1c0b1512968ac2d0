"""What applying a command gives: the new cluster, the answer, the effects."""

from typing import NamedTuple

from flurm.core.effects import Done, Effect, Rejected, Reply
from flurm.core.enums import Refusal
from flurm.core.records import Cluster


class Outcome(NamedTuple):
    """Result of one command."""

    cluster: Cluster
    reply: Reply = Done()
    effects: tuple[Effect, ...] = ()


def rejected(cluster: Cluster, code: Refusal, text: str | None = None) -> Outcome:
    """An outcome that changes nothing."""
    return Outcome(cluster, Rejected(code, text))


def is_operator(cluster: Cluster, user_id: int) -> bool:
    """Whether the user may do anything: root and SlurmUser (slurm.conf(5))."""
    return user_id in (0, cluster.settings.slurm_user_id)
