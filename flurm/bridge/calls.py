"""What a request becomes: a command for the manager that owns it, an order to the application, or an answer at once."""

from __future__ import annotations

from typing import Any, NamedTuple

from flurm.bridge.context import Context
from flurm.core.commands import AnyCommand
from flurm.core.effects import Done, Rejected
from flurm.core.enums import Refusal
from flurm.core.outcome import is_operator

JOB_MANAGER = "flurm_job_manager"
PARTITION_MANAGER = "flurm_partition_manager"


class Call(NamedTuple):
    """A command and the manager that carries it out."""

    manager: str
    command: AnyCommand
    no_reply_needed: bool = False
    """The sender closes the connection without reading an answer."""


class Control(NamedTuple):
    """What concerns the controller itself rather than the cluster: reconfigure, shutdown, takeover ..."""

    action: str
    user_id: int
    arguments: dict[str, Any] = {}


Mapped = Call | Control | Rejected | Done
"""Done: there is nothing to do and the sender is told so."""


def for_jobs(command: AnyCommand) -> Call:
    """A call to the job manager, which also passes on what concerns nodes: the documented matrix has the protocol talk
    to no other manager of jobs and nodes."""
    return Call(JOB_MANAGER, command)


def only_operators(context: Context) -> Rejected | None:
    """Refuses everybody but root and SlurmUser; node daemons run as one of them."""
    return None if is_operator(context.cluster, context.uid) else Rejected(Refusal.USER_ID_MISSING)
