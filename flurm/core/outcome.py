"""What applying a command gives: the new cluster, the answer, the effects."""

from enum import IntEnum
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


class AdminLevel(IntEnum):
    """What an accounting database makes of a user (sacctmgr(1)); root and SlurmUser are above it."""

    NONE = 1
    OPERATOR = 2
    ADMINISTRATOR = 3
    SUPER_USER = 4


def admin_level(cluster: Cluster, user_id: int) -> AdminLevel:
    """The level of a user. Without an accounting database none is there but root's and SlurmUser's (slurm.conf(5));
    where one says more, it has to be part of the cluster's state, since commands are applied by it."""
    return AdminLevel.SUPER_USER if user_id in (0, cluster.settings.slurm_user_id) else AdminLevel.NONE


def is_operator(cluster: Cluster, user_id: int) -> bool:
    """Whether the user is an operator or above."""
    return admin_level(cluster, user_id) >= AdminLevel.OPERATOR
