"""Who may do what and see what: the one table of requests and rights, PrivateData, and who may use a partition.

Without an accounting database there are two kinds of users: root and SlurmUser, who may do anything, and all others,
who may do with their own jobs what Slurm lets them. `flurm.core.outcome.admin_level` is where levels come from.
Numbers of refusals are those that slurmctld 22.05 was seen to give.
"""

from __future__ import annotations

import errno
from enum import StrEnum
from typing import NamedTuple

from flurm.bridge import users
from flurm.bridge.context import Context
from flurm.core.job_records import Job
from flurm.core.node_records import Partition
from flurm.core.outcome import is_operator
from flurm.core.records import Cluster
from protocol.constants import MessageType, PrivateData
from protocol.errno import Errno

__all__ = ["RIGHTS", "Right", "Who", "closed_partitions", "hides", "may_see_job", "may_use_by_group", "refusal", "who"]


class Who(StrEnum):
    """Whom a request is for."""

    ANYBODY = "anybody"
    OWNER = "the job's owner, operators"
    OPERATORS = "operators"
    DAEMONS = "node daemons (root, SlurmUser)"
    ALLOWED = "operators, all with allow_user_triggers"


class Right(NamedTuple):
    """Who may send a request, what all others are told, and which word of PrivateData keeps it from them."""

    who: Who = Who.ANYBODY
    code: int = 0
    private: PrivateData = PrivateData(0)


_MISSING = int(Errno.ESLURM_USER_ID_MISSING)
_DENIED = int(Errno.ESLURM_ACCESS_DENIED)
_OPERATORS = Right(Who.OPERATORS, _MISSING)
_SYSTEM = Right(Who.OPERATORS, errno.EACCES)
_FEDERATION = Right(Who.OPERATORS, _DENIED)
_OWNER = Right(Who.OWNER, _MISSING)
_DAEMONS = Right(Who.DAEMONS, _MISSING)


def _private(word: PrivateData) -> Right:
    return Right(Who.ANYBODY, _DENIED, word)


RIGHTS: dict[int, Right] = {
    **dict.fromkeys(
        (
            MessageType.REQUEST_RECONFIGURE, MessageType.REQUEST_SHUTDOWN, MessageType.REQUEST_CONTROL,
            MessageType.REQUEST_TAKEOVER, MessageType.REQUEST_UPDATE_NODE, MessageType.REQUEST_CREATE_NODE,
            MessageType.REQUEST_DELETE_NODE, MessageType.REQUEST_CREATE_PARTITION,
            MessageType.REQUEST_UPDATE_PARTITION, MessageType.REQUEST_DELETE_PARTITION,
            MessageType.REQUEST_CREATE_RESERVATION, MessageType.REQUEST_UPDATE_RESERVATION,
            MessageType.REQUEST_DELETE_RESERVATION, MessageType.REQUEST_UPDATE_FRONT_END,
            MessageType.REQUEST_TRIGGER_PULL,
        ),
        _OPERATORS,
    ),
    **dict.fromkeys(
        (
            MessageType.REQUEST_SET_DEBUG_LEVEL, MessageType.REQUEST_SET_DEBUG_FLAGS,
            MessageType.REQUEST_SET_SCHEDLOG_LEVEL, MessageType.REQUEST_REBOOT_NODES,
            MessageType.REQUEST_SET_FS_DAMPENING_FACTOR, MessageType.REQUEST_SET_SUSPEND_EXC_NODES,
            MessageType.REQUEST_SET_SUSPEND_EXC_PARTS, MessageType.REQUEST_SET_SUSPEND_EXC_STATES,
            MessageType.ACCOUNTING_UPDATE_MSG, MessageType.ACCOUNTING_FIRST_REG, MessageType.ACCOUNTING_REGISTER_CTLD,
        ),
        _SYSTEM,
    ),
    **dict.fromkeys(
        (
            MessageType.REQUEST_CTLD_MULT_MSG, MessageType.REQUEST_SIB_JOB_LOCK, MessageType.REQUEST_SIB_JOB_UNLOCK,
            MessageType.REQUEST_DBD_RELAY,
        ),
        _FEDERATION,
    ),
    MessageType.REQUEST_TRIGGER_SET: Right(Who.ALLOWED, _DENIED),
    **dict.fromkeys(
        (
            MessageType.REQUEST_UPDATE_JOB, MessageType.REQUEST_KILL_JOB, MessageType.REQUEST_KILL_JOBS,
            MessageType.REQUEST_CANCEL_JOB_STEP, MessageType.REQUEST_JOB_REQUEUE, MessageType.REQUEST_TOP_JOB,
            MessageType.REQUEST_BATCH_SCRIPT, MessageType.REQUEST_UPDATE_JOB_STEP, MessageType.REQUEST_JOB_NOTIFY,
            MessageType.REQUEST_JOB_SBCAST_CRED, MessageType.REQUEST_COMPLETE_JOB_ALLOCATION,
        ),
        _OWNER,
    ),
    MessageType.REQUEST_SUSPEND: Right(Who.OPERATORS, _DENIED),
    **dict.fromkeys(
        (
            MessageType.MESSAGE_NODE_REGISTRATION_STATUS, MessageType.REQUEST_COMPLETE_BATCH_SCRIPT,
            MessageType.REQUEST_COMPLETE_PROLOG, MessageType.MESSAGE_EPILOG_COMPLETE,
            MessageType.REQUEST_STEP_COMPLETE, MessageType.RESPONSE_UPDATE_JOB_MEM,
        ),
        _DAEMONS,
    ),
    MessageType.REQUEST_NODE_INFO: _private(PrivateData.NODES),
    MessageType.REQUEST_NODE_INFO_SINGLE: _private(PrivateData.NODES),
    MessageType.REQUEST_PARTITION_INFO: _private(PrivateData.PARTITIONS),
    **dict.fromkeys(
        (
            MessageType.REQUEST_JOB_INFO, MessageType.REQUEST_JOB_INFO_SINGLE, MessageType.REQUEST_JOB_USER_INFO,
            MessageType.REQUEST_JOB_STATE, MessageType.REQUEST_JOB_STEP_INFO, MessageType.REQUEST_JOB_READY,
            MessageType.REQUEST_JOB_END_TIME, MessageType.REQUEST_JOB_ALLOCATION_INFO,
            MessageType.REQUEST_HET_JOB_ALLOC_INFO, MessageType.REQUEST_STEP_LAYOUT,
        ),
        Right(private=PrivateData.JOBS),
    ),
}  # fmt: skip
"""Requests that are not here are for anybody. A job's right that names no number hides others' jobs one by one."""


def refusal(msg_type: int, context: Context) -> int:
    """The number with which this user's request is turned down whatever it says; 0 where it is to be looked at."""
    right = RIGHTS.get(msg_type)
    if right is None or right.code == 0 or is_operator(context.cluster, context.uid):
        return 0
    if right.private:
        return right.code if hides(context, right.private) else 0
    return right.code if right.who is Who.OPERATORS else 0


def who(msg_type: int) -> str:
    """A request's right in words, for people."""
    right = RIGHTS.get(msg_type, Right())
    if not right.private:
        return right.who
    word = (right.private.name or "").lower()
    return f"{Who.ANYBODY}; PrivateData={word}: {'operators' if right.code else 'own jobs only'}"


def hides(context: Context, word: PrivateData) -> bool:
    """Whether PrivateData keeps this from whoever asks."""
    words = context.config.slurm.get("PrivateData", "").lower().replace(" ", "").split(",")
    return (word.name or "").lower() in words and not is_operator(context.cluster, context.uid)


def may_see_job(context: Context, job: Job) -> bool:
    """Whether PrivateData=jobs lets whoever asks see this job."""
    return job.spec.user_id == context.uid or not hides(context, PrivateData.JOBS)


def may_use_by_group(partition: Partition, cluster: Cluster, user_id: int) -> bool:
    """Whether AllowGroups of a partition has one of the user's groups, primary or other; operators need none."""
    if partition.allow_groups is None or is_operator(cluster, user_id):
        return True
    return not users.groups_of(user_id).isdisjoint(partition.allow_groups.split(","))


def closed_partitions(context: Context) -> frozenset[str]:
    """The names of partitions whose groups whoever asks is not in."""
    return frozenset(
        partition.name
        for partition in context.cluster.partitions.values()
        if not may_use_by_group(partition, context.cluster, context.uid)
    )


def open_partitions(context: Context, user_id: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these partitions, or of the default one, that a user's groups let him use; names of none are kept."""
    cluster = context.cluster
    return tuple(
        name
        for name in names
        if name not in cluster.partitions or may_use_by_group(cluster.partitions[name], cluster, user_id)
    )
