"""What a Raft server wants done. Effects are carried out in the order in which they are returned."""

from __future__ import annotations

import enum
from typing import Any, TypeAlias

import msgspec

from flurm.raft.messages import Message
from flurm.raft.records import Entry, HardState


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


Effect: TypeAlias = Append | Commit | BecameLeader | SteppedDown | Reject | Send
