"""What the processes of the controller's tree say to each other. Who may send what to whom: docs/architecture.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from flurm.core.commands import AnyCommand, encode
from flurm.core.effects import Effect
from flurm.core.records import Cluster
from flurm.otp import Sender
from flurm.raft.effects import RejectReason
from flurm.raft.records import Configuration, Entry
from flurm.storage.errors import BlobsLost


class Request(msgspec.Struct, frozen=True):
    """Call to a manager: have this command carried out. Answer: a core Reply, or Unavailable."""

    command: AnyCommand


class Waiting(msgspec.Struct, frozen=True):
    """The token of what somebody asked consensus itself for: whom to answer."""

    sender: Sender


class Unavailable(msgspec.Struct, frozen=True):
    """Answer to a Request that could not be written down: it has changed nothing, unless leadership was lost."""

    reason: RejectReason
    detail: str


class Proposal(msgspec.Struct, frozen=True):
    """The token of an entry: the command itself, so that it need not be decoded again, and who waits for its reply."""

    command: AnyCommand
    reply_to: Sender | None = None


class Propose(msgspec.Struct, frozen=True):
    """To consensus: get these bytes into the log; `token` comes back with the commit."""

    data: bytes
    token: Any = None


def propose(command: AnyCommand, reply_to: Sender | None = None) -> Propose:
    """What a manager casts to consensus; whoever `reply_to` is gets the answer when the command is committed."""
    return Propose(encode(command), Proposal(command, reply_to))


class Confirm(msgspec.Struct, frozen=True):
    """Call to the job manager, before a read that must be current. Answer, from consensus: ReadReady once it is sure
    that no other controller leads, or a Reject."""


class Recovered(msgspec.Struct, frozen=True):
    """Answer of consensus to `Recover`: the newest snapshot, the index where it ends, and what was committed since.

    `configuration` is the one at the snapshot; `leading_term` the term in which this member leads, 0 where it does not.
    """

    snapshot: bytes | None
    index: int
    entries: Sequence[Entry] = ()
    configuration: Configuration | None = None
    leading_term: int = 0


class Recover(msgspec.Struct, frozen=True):
    """Call to consensus: hand out the state that is on disk; later commits come to the caller as casts."""


class Committed(msgspec.Struct, frozen=True):
    """Consensus to the state manager: apply these, in order."""

    entries: Sequence[Entry]
    tokens: Sequence[Any]


class LeadershipChanged(msgspec.Struct, frozen=True):
    """Consensus to the state manager: this member leads in that term, or (0) does not."""

    leading_term: int


class Restored(msgspec.Struct, frozen=True):
    """Consensus to the state manager: a leader's snapshot, which ends at `index`, is in place of the log's beginning,
    and takes the place of the applied state."""

    index: int
    configuration: Configuration


class TookCharge(msgspec.Struct, frozen=True):
    """The state manager to the owners of effects: this controller leads now and has applied all that was before."""


class Reconfigured(msgspec.Struct, frozen=True):
    """The application to the node manager: there is a new configuration, have the node daemons hear of it."""


class Refused(msgspec.Struct, frozen=True):
    """Consensus to the state manager: this proposal is not taken."""

    token: Any
    reason: RejectReason
    detail: str


class SnapshotTaken(msgspec.Struct, frozen=True):
    """The state manager to itself: the snapshot thread is done."""

    index: int
    term: int
    error: str | None = None
    took_s: float = 0.0
    lost: BlobsLost | None = None
    """Scripts or environments that only the log still has."""


class Carry(msgspec.Struct, frozen=True):
    """The state manager to an owner: carry these effects out."""

    effects: tuple[Effect, ...]


class NodeRequest(msgspec.Struct, frozen=True):
    """The job manager to the node manager: a node daemon or an administrator asks for this; answer it."""

    command: AnyCommand
    reply_to: Sender | None


class Changed(msgspec.Struct, frozen=True):
    """To the scheduler engine: something changed that may let a job start."""


class RunCycle(msgspec.Struct, frozen=True):
    """Call to the scheduler engine: plan now. Answer: a CycleReport."""


class QueueOrder(msgspec.Struct, frozen=True):
    """Call to the queue manager: the ids of waiting jobs in the order in which they are to be considered."""

    cluster: Cluster
    now_s: int


class MakePlan(msgspec.Struct, frozen=True):
    """Call to a scheduler plugin: decide on this snapshot. Answer: a flurm.sched Plan."""

    cluster: Cluster
    order: tuple[int, ...]
    now_s: int


class CycleReport(msgspec.Struct, frozen=True):
    """What one scheduling cycle did."""

    queue_length: int = 0
    started: int = 0
    duration_us: int = 0
    proposed: bool = False
