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


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry of the replicated log, identified by (index, term); indexes start at 1 and have no gaps."""

    index: int
    term: int
    kind: EntryKind
    payload: bytes = b""


class Configuration(msgspec.Struct, frozen=True):
    """Who belongs to the cluster. Names are sorted, so that equal configurations have equal bytes.

    While ``outgoing`` is not empty the configuration is joint: a majority of ``voters`` and one of ``outgoing`` decide
    together (Raft paper, section 6). Learners receive the log and decide nothing. ``addresses`` says where a member
    listens for its peers (``host:port``); consensus itself never looks at it.
    """

    voters: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()
    outgoing: tuple[str, ...] = ()
    addresses: dict[str, str] = {}

    @property
    def members(self) -> frozenset[str]:
        """Everybody that the leader sends the log to."""
        return frozenset((*self.voters, *self.learners, *self.outgoing))

    def encode(self) -> bytes:
        """The payload of a CONFIGURATION entry."""
        return msgspec.msgpack.encode(self, order="deterministic")

    @staticmethod
    def decode(payload: bytes) -> Configuration:
        """The reverse of ``encode``. Raises msgspec.DecodeError."""
        return msgspec.msgpack.decode(payload, type=Configuration)


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


class MemberStatus(msgspec.Struct, frozen=True):
    """Another member as its leader sees it: what it holds durably, what is sent next, and how; ``silent_ms`` since it
    was last heard."""

    match_index: int
    next_index: int
    phase: str
    silent_ms: int


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
    learners: frozenset[str] = frozenset()
    configuration: Configuration = Configuration()
    snapshot_index: int = 0
    progress: dict[str, MemberStatus] = {}
    longest_silence_ms: int = 0
    """At a follower: the longest time between two messages of the present leader."""
    """On a leader, of every other member."""
