"""What is to be done in the world after a command, and what its sender is told.

Effects are hints to act now: everything they ask for is also in the state (`Job.launch`, `Job.completing`,
`Cluster.programs`), so that it is taken up again when the one who should have acted died before acting. Receivers treat
a second one as none.
"""

import msgspec

from flurm.core.enums import Refusal


class LaunchBatch(msgspec.Struct, frozen=True):
    """Send the job's script to its batch host."""

    job_id: int


class TerminateJob(msgspec.Struct, frozen=True):
    """End all that is left of the job on these nodes, and have them say so."""

    job_id: int
    nodes: tuple[str, ...]


class SignalJob(msgspec.Struct, frozen=True):
    """Send a signal to the job's processes."""

    job_id: int
    nodes: tuple[str, ...]
    signal: int
    batch_only: bool = False
    whole_job: bool = False
    steps_only: bool = False


class NotifyJob(msgspec.Struct, frozen=True):
    """Have the node that runs the job's script write a line into its output. Nothing of it is in the state."""

    job_id: int
    text: str


class JobEnded(msgspec.Struct, frozen=True):
    """A job has reached its final state (metrics, mail, accounting)."""

    job_id: int
    state: str


class ScheduleSoon(msgspec.Struct, frozen=True):
    """Something changed that may let a job start."""


class PingNodes(msgspec.Struct, frozen=True):
    """Ask these nodes to register."""

    nodes: tuple[str, ...]


class AskAgain(msgspec.Struct, frozen=True):
    """Have a node register once more in a while: what it said now cannot tell yet whether it has lost a job."""

    node: str
    after_s: int


class RebootNode(msgspec.Struct, frozen=True):
    """Tell a node to reboot."""

    name: str


class ProgramsChanged(msgspec.Struct, frozen=True):
    """`Cluster.programs` is another one: run what is new in it, end what is no longer there."""


class RuleFailed(msgspec.Struct, frozen=True):
    """A rule raised instead of answering: a bug to be reported."""

    command: str
    traceback: str


Effect = (
    LaunchBatch
    | TerminateJob
    | SignalJob
    | NotifyJob
    | JobEnded
    | ScheduleSoon
    | PingNodes
    | AskAgain
    | RebootNode
    | ProgramsChanged
    | RuleFailed
)


class Done(msgspec.Struct, frozen=True, tag=True):
    """The command was carried out."""


class Submitted(msgspec.Struct, frozen=True, tag=True):
    """The job exists under this id."""

    job_id: int
    message: str | None = None


class Rejected(msgspec.Struct, frozen=True, tag=True):
    """The command was turned down and changed nothing."""

    code: Refusal
    text: str | None = None
    """A sentence for the user beyond the code's own, or None."""


class Result(msgspec.Struct, frozen=True):
    """Outcome for one part of an array."""

    target: str
    code: Refusal | None = None


class Results(msgspec.Struct, frozen=True, tag=True):
    """Outcomes that differ between the tasks of an array."""

    results: tuple[Result, ...]


Reply = Done | Submitted | Rejected | Results
