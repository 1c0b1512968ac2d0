"""What can happen to a Raft server.

Storage is asynchronous: an ``Append`` effect goes out, ``Appended`` or ``AppendFailed`` comes back later, in order. The
epoch ties them together. It grows each time the server has dropped entries because storage refused them; answers from
an older epoch speak of entries that no longer exist and are ignored.
"""

from __future__ import annotations

import enum
from typing import Any, TypeAlias

import msgspec

from flurm.raft.messages import Message
from flurm.raft.records import Configuration, Entry, EntryKind, HardState


class Recovered(msgspec.Struct, frozen=True):
    """Storage has been read back: the first event of every server.

    ``entries`` are all entries after the snapshot, oldest first; everything here is already durable. ``configuration``
    is the one at the snapshot; None where there is no snapshot, then the one that the server was made with holds.
    """

    hard_state: HardState = HardState()
    snapshot_index: int = 0
    snapshot_term: int = 0
    entries: tuple[Entry, ...] = ()
    configuration: Configuration | None = None


class Tick(msgspec.Struct, frozen=True):
    """Time has passed; ``now_ms`` comes from a clock that never goes back."""

    now_ms: int


class Propose(msgspec.Struct, frozen=True):
    """Somebody wants ``command`` in the log; ``token`` comes back with its commit or its refusal, unlooked at.

    ``kind`` is COMMAND, or MACHINE_VERSION for what switches the state machine.
    """

    command: bytes
    token: Any = None
    kind: EntryKind = EntryKind.COMMAND


class Appended(msgspec.Struct, frozen=True):
    """Everything up to the entry (``last_index``, ``last_term``), and ``hard_state`` where given, is durable."""

    last_index: int
    last_term: int
    hard_state: HardState | None = None
    epoch: int = 0


class FailureKind(enum.Enum):
    """Why storage could not take an append.

    FULL passes when there is room again, FAILED needs people; POISONED means that storage has to be opened anew before
    it takes anything again, so the owner should restart.
    """

    FULL = "full"
    FAILED = "failed"
    POISONED = "poisoned"


class AppendFailed(msgspec.Struct, frozen=True):
    """Neither this append nor any later one of its epoch was stored; the log on disk ends at ``last_index``."""

    last_index: int
    kind: FailureKind
    detail: str
    epoch: int = 0


class Received(msgspec.Struct, frozen=True):
    """A message from another member arrived."""

    message: Message


class Read(msgspec.Struct, frozen=True):
    """Somebody wants to read what is current: answered by ``ReadReady`` or ``Reject`` with ``token``."""

    token: Any


class ChangeMembership(msgspec.Struct, frozen=True):
    """Make these the cluster's voters and learners, through a joint configuration; answered as a proposal is.

    New voters are learners first, until they have nearly the whole log. ``addresses`` are those of all members.
    """

    voters: tuple[str, ...]
    learners: tuple[str, ...] = ()
    addresses: dict[str, str] = {}
    token: Any = None


class TransferLeadership(msgspec.Struct, frozen=True):
    """Hand leadership over, to ``to`` or to whoever has most of the log; answered by ``TransferEnded`` or ``Reject``.

    Proposals are refused meanwhile. It is given up after an election timeout.
    """

    to: str | None = None
    token: Any = None


class Campaign(msgspec.Struct, frozen=True):
    """Try to become leader now, whoever leads: an administrator asks (`force-election`)."""


class StateLags(msgspec.Struct, frozen=True):
    """Whether the state that committed entries are applied to is far behind them: it could not serve as leader yet."""

    lags: bool


class MachineKnown(msgspec.Struct, frozen=True):
    """Which version of the state machine is in force here, and the oldest and newest that this member can do."""

    in_force: int
    supported: tuple[int, int]


class SnapshotTaken(msgspec.Struct, frozen=True):
    """Storage holds a snapshot of the state after (``index``, ``term``): older entries need not be held any more."""

    index: int
    term: int


class ChunkStored(msgspec.Struct, frozen=True):
    """The bytes of the snapshot ``index`` up to ``offset`` are durable; no piece of it before was lost."""

    index: int
    offset: int


class SnapshotStored(msgspec.Struct, frozen=True):
    """The last piece came, the snapshot is whole and durable, and the log on disk is empty and begins after it."""

    index: int
    term: int
    configuration: Configuration


class ChunkFailed(msgspec.Struct, frozen=True):
    """A piece could not be stored, or the whole is damaged: the snapshot has to be sent again from byte ``offset``."""

    index: int
    offset: int
    detail: str = ""


Event: TypeAlias = (
    Recovered
    | Tick
    | Propose
    | Appended
    | AppendFailed
    | Received
    | Read
    | ChangeMembership
    | TransferLeadership
    | Campaign
    | StateLags
    | MachineKnown
    | SnapshotTaken
    | ChunkStored
    | SnapshotStored
    | ChunkFailed
)
