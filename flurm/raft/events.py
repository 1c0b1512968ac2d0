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
from flurm.raft.records import Entry, HardState


class Recovered(msgspec.Struct, frozen=True):
    """Storage has been read back: the first event of every server.

    ``entries`` are all entries after the snapshot, oldest first; everything here is already durable.
    """

    hard_state: HardState = HardState()
    snapshot_index: int = 0
    snapshot_term: int = 0
    entries: tuple[Entry, ...] = ()


class Tick(msgspec.Struct, frozen=True):
    """Time has passed; ``now_ms`` comes from a clock that never goes back."""

    now_ms: int


class Propose(msgspec.Struct, frozen=True):
    """Somebody wants ``command`` in the log; ``token`` comes back with its commit or its refusal, unlooked at."""

    command: bytes
    token: Any = None


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


Event: TypeAlias = Recovered | Tick | Propose | Appended | AppendFailed | Received
