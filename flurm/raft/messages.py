"""What members say to each other: the Raft paper's messages, with pre-vote, pipelining, snapshots in chunks, transfer.

A message may be lost, delayed, doubled or overtaken by another; whoever sends one sends it again until an answer says
that it is not needed any more. ``encode`` and ``decode`` give them bytes.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from flurm.raft.records import Configuration, Entry


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base of every message between members: who sent it, in which term.

    A pre-vote, and the answer that grants it, carry the term that the candidate would take on, which nobody takes over
    from them.
    """

    sender: str
    term: int


class RequestVote(Message, frozen=True, tag=True):
    """The sender wants to lead in ``term`` (``pre``: would want to); its log ends at (``last_index``, ``last_term``).

    With ``transfer`` the present leader has asked it to, so that nobody holds on to that leader.
    """

    last_index: int
    last_term: int
    pre: bool = False
    transfer: bool = False


class VoteReply(Message, frozen=True, tag=True):
    """Answer to RequestVote."""

    granted: bool
    pre: bool = False


class AppendEntries(Message, frozen=True, tag=True):
    """The leader's entries after (``previous_index``, ``previous_term``); without any a heartbeat.

    ``round`` numbers the leader's heartbeats: answers with it prove that the leader still led when it was sent.
    """

    previous_index: int
    previous_term: int
    entries: tuple[Entry, ...] = ()
    commit_index: int = 0
    round: int = 0


class AppendReply(Message, frozen=True, tag=True):
    """Answer to AppendEntries.

    Accepted: everything up to ``index`` matches the leader's log and is durable here. Otherwise ``index`` and
    ``index_term`` are the newest entry of the sender that may match.
    """

    accepted: bool
    index: int
    index_term: int = 0
    round: int = 0
    machines: tuple[int, int] = (1, 1)
    """The oldest and the newest version of the state machine that the sender can do."""


class InstallSnapshot(Message, frozen=True, tag=True):
    """A piece of the snapshot of the state after (``index``, ``index_term``), from byte ``offset``."""

    index: int
    index_term: int
    configuration: Configuration
    offset: int
    data: bytes
    done: bool
    round: int = 0


class SnapshotReply(Message, frozen=True, tag=True):
    """The sender has the snapshot's bytes up to ``offset``, durably; with ``done`` it has taken the snapshot over."""

    index: int
    offset: int
    done: bool = False
    round: int = 0


class TimeoutNow(Message, frozen=True, tag=True):
    """The leader hands over: the receiver shall campaign at once."""


AnyMessage: TypeAlias = (
    RequestVote | VoteReply | AppendEntries | AppendReply | InstallSnapshot | SnapshotReply | TimeoutNow
)

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: Message) -> bytes:
    """The bytes of a message between members."""
    return _ENCODER.encode(message)


def decode(data: bytes) -> AnyMessage:
    """The reverse of ``encode``. Raises msgspec.DecodeError, msgspec.ValidationError."""
    return _DECODER.decode(data)
