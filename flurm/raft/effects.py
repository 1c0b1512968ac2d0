"""What a Raft server wants done. Effects are carried out in the order in which they are returned."""

from __future__ import annotations

import enum
from typing import Any, TypeAlias

import msgspec

from flurm.raft.messages import Message
from flurm.raft.records import Configuration, Entry, HardState


class Append(msgspec.Struct, frozen=True):
    """Make ``hard_state`` (where given), then ``entries`` durable and answer with ``Appended`` or ``AppendFailed``.

    Entries replace whatever the log on disk holds from the first one's index on. Several appends may be written with
    one sync, then one ``Appended`` for the last of them is enough.
    """

    entries: tuple[Entry, ...] = ()
    hard_state: HardState | None = None
    epoch: int = 0


class Commit(msgspec.Struct, frozen=True):
    """These entries are agreed on for good: apply them in order.

    ``tokens`` has one item per entry: the proposer's token, None where the entry was not proposed through this server.
    """

    entries: tuple[Entry, ...]
    tokens: tuple[Any, ...]


class BecameLeader(msgspec.Struct, frozen=True):
    """This member leads in ``term``. It knows all commits only once the no-op entry of this term commits."""

    term: int


class SteppedDown(msgspec.Struct, frozen=True):
    """This member led and no longer does; ``leader`` is the new one where known."""

    term: int
    leader: str | None


class RejectReason(enum.Enum):
    """Why a proposal was not taken.

    After LEADERSHIP_LOST the entry may still be committed by another leader; after every other reason it never will.
    """

    NOT_LEADER = "not the leader"
    BUSY = "too many proposals wait"
    TOO_LARGE = "the command is too large"
    STORAGE_FULL = "no room left on the device"
    STORAGE_FAILED = "storage failed"
    LEADERSHIP_LOST = "leadership was lost"
    TRANSFERRING = "leadership is being handed over"
    INVALID = "the request cannot be carried out"


class Reject(msgspec.Struct, frozen=True):
    """The proposal with ``token`` is refused; ``detail`` is for people, ``leader`` is who to ask instead, if known."""

    token: Any
    reason: RejectReason
    detail: str = ""
    leader: str | None = None


class Send(msgspec.Struct, frozen=True):
    """Give ``message`` to member ``to``; it may get lost."""

    to: str
    message: Message


class ReadReady(msgspec.Struct, frozen=True):
    """Whoever reads the state once it has applied ``index`` reads what was current when it asked."""

    token: Any
    index: int


class TransferEnded(msgspec.Struct, frozen=True):
    """The transfer asked for with ``token`` is over; ``leader`` leads now, None where nobody is known to."""

    token: Any
    leader: str | None


class LeaderChanged(msgspec.Struct, frozen=True):
    """``leader`` leads in ``term`` as far as this member knows; None while it knows of none.

    Where it is this member itself, or was until now, ``BecameLeader`` or ``SteppedDown`` says so instead.
    """

    term: int
    leader: str | None


class ConfigurationChanged(msgspec.Struct, frozen=True):
    """This is the cluster from now on: talk to these members. In force before it is committed, as Raft has it."""

    configuration: Configuration


class SendChunk(msgspec.Struct, frozen=True):
    """Send ``to`` an ``InstallSnapshot`` of the snapshot that ends at ``index``, from byte ``offset``.

    Where that one is gone, send the newest from its beginning. A snapshot that is being sent should be kept until
    another one is sent to that member, or a slow transfer would begin anew with every snapshot taken meanwhile.
    """

    to: str
    term: int
    index: int
    offset: int
    round: int = 0


class TakeSnapshot(msgspec.Struct, frozen=True):
    """Take a snapshot now that ends at ``index`` or later, and say so with ``SnapshotTaken``.

    A member needs entries that are no longer in memory, and the newest snapshot ends before them.
    """

    index: int


class StoreChunk(msgspec.Struct, frozen=True):
    """Keep this piece of a leader's snapshot; answer with ``ChunkStored`` or ``ChunkFailed``, for the last one with
    ``SnapshotStored`` or ``ChunkFailed``. A piece at offset 0 begins anew.

    With the last piece the log on disk is replaced, whatever it holds: none of it belongs after this snapshot.
    """

    index: int
    term: int
    configuration: Configuration
    offset: int
    data: bytes
    done: bool


class Restore(msgspec.Struct, frozen=True):
    """The applied state is to be replaced by the snapshot that ends at ``index``; commits go on after it."""

    index: int


Effect: TypeAlias = (
    Append
    | Commit
    | BecameLeader
    | SteppedDown
    | Reject
    | Send
    | ReadReady
    | TransferEnded
    | LeaderChanged
    | ConfigurationChanged
    | SendChunk
    | TakeSnapshot
    | StoreChunk
    | Restore
)
