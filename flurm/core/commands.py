"""Everything that can change a cluster, as plain data: what the log holds.

A command carries its time (`now_s`) and who asked (`user_id`); ids of new jobs are given when it is applied, which is
the same on every controller. `encode` and `decode` turn it into the bytes of a log entry and back.
"""

import msgspec

from flurm.core.enums import JobState, PartitionState, Reason
from flurm.core.job_records import Allocation, JobSpec
from flurm.core.node_records import Node, NodeFacts, Partition
from flurm.core.records import Settings
from flurm.core.trigger_records import Trigger


class Command(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True, kw_only=True):
    """Base of all commands."""

    now_s: int
    request_id: str = ""
    """Where given, a second command with it is not carried out: its sender is told what the first one's was told."""


class SubmitJob(Command, frozen=True):
    """A batch job, or a job array where `array` is given. Reply: Submitted or Rejected."""

    spec: JobSpec
    array: str | None = None
    hold: bool = False
    blobs: dict[str, bytes] = {}
    """Script and environment by digest, where the proposer did not have them yet: every controller keeps them."""
    strict: bool = False
    """Refuse what no partition can run as it is configured, and dependencies on jobs that never were, rather than let
    the job wait."""


class UpdateJob(Command, frozen=True):
    """Change fields of a job or of array tasks. Reply: Done, Rejected or Results."""

    user_id: int
    target: str
    """A job id as users write it: 12, 12_3, 12_[1-3], 12_*"""
    spec_changes: dict[str, object] = {}
    """JobSpec fields by name."""
    priority: int | None = None
    """0 holds, UNLIMITED releases."""
    hold_kind: str | None = None
    """"user" or "admin" for a hold."""
    array_limit: int | None = None


class KillJob(Command, frozen=True):
    """Signal or cancel a job or array tasks. Reply: Done, Rejected or Results."""

    user_id: int
    target: str
    signal: int = 9
    batch_only: bool = False
    whole_job: bool = False
    """--full: the batch script too, not only its steps."""
    steps_only: bool = False
    array_only: bool = False


class KillJobs(Command, frozen=True):
    """The same for several jobs at once, each as far as the user may. Reply: Results."""

    user_id: int
    targets: tuple[str, ...]
    signal: int = 9
    batch_only: bool = False
    whole_job: bool = False
    steps_only: bool = False


class RequeueJob(Command, frozen=True):
    """Put a running or ended job back in the queue. Reply: Done, Rejected or Results."""

    user_id: int
    target: str
    hold: bool = False
    special_exit: bool = False
    launch_failed: bool = False
    """A node daemon asks: it could not start the job."""


class TopJobs(Command, frozen=True):
    """Move a user's jobs ahead of his others (scontrol top). Reply: Done or Rejected."""

    user_id: int
    targets: tuple[str, ...]


class Start(msgspec.Struct, frozen=True, gc=False):
    """One decision of the scheduler: this job (this task of an array) starts here."""

    job_id: int
    allocation: Allocation
    partition: str
    task_id: int | None = None
    by: str = "Main"


class Outlook(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the scheduler knows of a job that it did not start."""

    job_id: int
    reason: Reason
    text: str | None = None
    start_s: int = 0
    nodes: int = 0


class ApplyPlan(Command, frozen=True):
    """A scheduling pass's decisions. Starts that no longer fit are left out. Reply: Done."""

    starts: tuple[Start, ...] = ()
    outlooks: tuple[Outlook, ...] = ()
    shape_version: int | None = None
    """Of the cluster that was planned on: where nodes have changed since, the plan's node numbers mean nothing."""


class LaunchDone(Command, frozen=True):
    """The batch host has accepted the script, or could not be made to. Reply: Done."""

    job_id: int
    restarts: int
    error: str | None = None
    drain_node: str | None = None
    """Where set, the node is drained with the error as its reason."""


class BatchEnded(Command, frozen=True):
    """The batch script is over. Reply: Done, or Rejected when it is no running job of this node."""

    job_id: int
    node: str
    exit_status: int
    slurm_rc: int = 0
    """Where the node could not run the job: why, as the node's number; the job is put back and held."""
    drain_reason: str | None = None
    """Where the node had better run no other job either: why."""


class EpilogDone(Command, frozen=True):
    """Nothing of the job is left on the node. Reply: Done."""

    job_id: int
    node: str
    return_code: int = 0


class ExpireJobs(Command, frozen=True):
    """Time has come for these jobs: limits, deadlines, ages. Reply: Done."""

    ids: tuple[int, ...]
    state: JobState = JobState.TIMEOUT


class PurgeJobs(Command, frozen=True):
    """Forget ended jobs that are older than MinJobAge. Reply: Done."""

    ids: tuple[int, ...]


class Wake(Command, frozen=True):
    """The begin time of waiting jobs has come. Reply: Done."""


class RegisterNode(Command, frozen=True):
    """A node daemon says who it is and what runs there. Reply: Done or Rejected."""

    name: str
    facts: NodeFacts
    jobs: tuple[int, ...] = ()
    """Ids of jobs that the daemon knows, running or not yet acknowledged."""
    since_s: int = 0
    """Launches accepted before this time must be among `jobs`, or are lost."""
    startup: bool = False
    drain_reason: str | None = None
    """Where the daemon says that its node had better run no job: why."""
    joins: Node | None = None
    """Where the daemon wants to be a node without being configured (`slurmd -Z`): what it says it is."""


class NodesResponded(Command, frozen=True):
    """These nodes answer again. Reply: Done."""

    names: tuple[str, ...]


class NodesMissing(Command, frozen=True):
    """These nodes did not answer; `down` where they have been away too long. Reply: Done."""

    names: tuple[str, ...]
    down: bool = False
    reason: str = "Not responding"


class UpdateNode(Command, frozen=True):
    """An administrator changes nodes. Reply: Done or Rejected."""

    user_id: int
    names: str
    state: str | None = None
    """drain, resume, undrain, down, fail, idle ..."""
    reason: str | None = None
    changes: dict[str, object] = {}
    """Node fields by name."""


class CreateNodes(Command, frozen=True):
    """An administrator declares nodes at run time (`scontrol create nodename=`). Reply: Done or Rejected."""

    user_id: int
    nodes: tuple[Node, ...]


class DeleteNodes(Command, frozen=True):
    """Forget nodes that no job uses. Reply: Done, or Rejected where some stay; those that can go do all the same."""

    user_id: int
    names: str


class CreateJoinToken(Command, frozen=True):
    """Let `uses` nodes have the cluster's key with this token until `expires_s`. Reply: Done or Rejected."""

    user_id: int
    id: str
    expires_s: int
    uses: int


class UseJoinToken(Command, frozen=True):
    """A node has shown this token, and its signature is right. Reply: Done where it may have the key, or Rejected."""

    id: str
    node: str


class RevokeJoinToken(Command, frozen=True):
    """Let nobody join with this token any more. Reply: Done or Rejected."""

    user_id: int
    id: str


class CreatePartition(Command, frozen=True):
    """Reply: Done or Rejected."""

    user_id: int
    partition: Partition


class UpdatePartition(Command, frozen=True):
    """Reply: Done or Rejected."""

    user_id: int
    name: str
    state: PartitionState | None = None
    changes: dict[str, object] = {}


class DeletePartition(Command, frozen=True):
    """Reply: Done or Rejected."""

    user_id: int
    name: str


class ProgramDone(Command, frozen=True):
    """A program of `Cluster.programs` has ended. Reply: Done."""

    id: int
    status: int = 0
    """As wait(2) gives it, of the last one that was run."""
    error: str | None = None
    """Why it could not be run, or was killed."""


class RemindJobs(Command, frozen=True):
    """These jobs have reached a part of their time limit that their users want to hear of. Reply: Done."""

    ids: tuple[int, ...]


class SetTrigger(Command, frozen=True):
    """Have a program run at an event. Reply: Done or Rejected."""

    user_id: int
    trigger: Trigger
    """Its id and its owner are given when it is applied."""


class ClearTriggers(Command, frozen=True):
    """Forget the triggers that all of these fit. Reply: Done or Rejected."""

    user_id: int
    id: int | None = None
    job_id: int | None = None
    owner: int | None = None


class ControllerEvent(Command, frozen=True):
    """Something that triggers may wait for has happened to a controller. Reply: Done."""

    kinds: int
    """A mask of flurm.core.trigger_records.TriggerKind."""


class RunTriggers(Command, frozen=True):
    """Run the programs whose event has been. Reply: Done."""


class RebootNodes(Command, frozen=True):
    """Reboot nodes once nothing runs on them. Reply: Done or Rejected."""

    user_id: int
    names: str
    asap: bool = False
    next_state: str | None = None
    """"resume", "down", or as it was before."""
    reason: str | None = None


class LookAtReboots(Command, frozen=True):
    """Have nodes reboot that are free for it, and give up those that did not come back. Reply: Done."""


class RebootTold(Command, frozen=True):
    """A node was told to reboot. Reply: Done."""

    name: str
    issued_s: int
    """Which reboot it was told of."""


class CloseQueue(Command, frozen=True):
    """Take no new jobs until OpenQueue; what waits and runs goes on. Reply: Done or Rejected."""

    user_id: int
    reason: str = "drained"


class OpenQueue(Command, frozen=True):
    """Take new jobs again. Reply: Done or Rejected."""

    user_id: int


class Configure(Command, frozen=True):
    """The configuration as read at a start or a reconfigure. Reply: Done."""

    settings: Settings
    nodes: tuple[Node, ...]
    partitions: tuple[Partition, ...]
    fingerprint: str = ""
    keep_changes: bool = False
    """A plain restart keeps what administrators changed at run time (states, reasons, partition states)."""


AnyCommand = (
    SubmitJob | UpdateJob | KillJob | KillJobs | RequeueJob | TopJobs | ApplyPlan | LaunchDone | BatchEnded | EpilogDone
    | ExpireJobs | PurgeJobs | Wake | RegisterNode | NodesResponded | NodesMissing | UpdateNode | CreateNodes
    | DeleteNodes | CreatePartition | UpdatePartition | DeletePartition | CloseQueue | OpenQueue | Configure
    | CreateJoinToken | UseJoinToken | RevokeJoinToken
    | ProgramDone | RemindJobs | SetTrigger | ClearTriggers | ControllerEvent | RunTriggers
    | RebootNodes | LookAtReboots | RebootTold
)  # fmt: skip

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyCommand)


def encode(command: AnyCommand) -> bytes:
    """The bytes of a command in the log."""
    return _encoder.encode(command)


def decode(data: bytes) -> AnyCommand:
    """The command that `encode` made the bytes of. Raises msgspec.DecodeError for anything else."""
    return _decoder.decode(data)
