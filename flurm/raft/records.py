"""The plain values of the Raft core: entries, hard state, roles.

They are frozen, know no encoding and no file; ``flurm.storage`` gives them bytes.
"""

from __future__ import annotations

import enum

import msgspec


class EntryKind(enum.IntEnum):
    """What an entry of the log is. The numbers stand on disk: never reuse one."""

    COMMAND = 1
    NOOP = 2
    CONFIGURATION = 3
    MACHINE_VERSION = 4


class Entry(msgspec.Struct, frozen=True):
    """One entry of the replicated log, identified by (index, term); indexes start at 1 and have no gaps."""

    index: int
    term: int
    kind: EntryKind
    payload: bytes = b""


class HardState(msgspec.Struct, frozen=True):
    """What a member must never forget: its term and whom it voted for in that term (Raft paper, figure 2)."""

    term: int = 0
    voted_for: str | None = None


class Role(enum.Enum):
    """What a member is at the moment. RECOVERING lasts until the log has been read back from disk."""

    RECOVERING = "recovering"
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


class Status(msgspec.Struct, frozen=True):
    """A server at one moment, for people and metrics."""

    member: str
    role: Role
    term: int
    leader: str | None
    voters: frozenset[str]
    commit_index: int
    last_index: int
    durable_index: int
    waiting: int
