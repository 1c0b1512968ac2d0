"""Vocabulary of persistent connections (`protocol.persist`): forms, states, meanings, and the events of both ends."""

from __future__ import annotations

from enum import Enum

import msgspec

from protocol import versions
from protocol.frame import Frame
from protocol.messages import DbdFini, PersistInit, PersistReply
from protocol.schema import Record
from protocol.versions import Version

__all__ = [
    "Answer",
    "Closing",
    "Event",
    "Fini",
    "Form",
    "Opened",
    "Opening",
    "Refused",
    "Request",
    "State",
    "negotiate",
]


class Form(Enum):
    """To whom the connection leads: how its opening is framed, and whose numbers follow."""

    ACCOUNTING = "accounting"
    CONTROLLER = "controller"


class State(Enum):
    """Where a connection is."""

    IDLE = "nothing was sent or received"
    OPENING = "the opening is under way: unanswered at the client, undecided at the server"
    OPEN = "messages may travel"
    CLOSED = "refused, or ended by either side"
    FAILED = "the stream makes no sense any more"


class Fini(Enum):
    """What a DBD_FINI says."""

    COMMIT = "make the changes of this connection final"
    ROLLBACK = "forget the changes of this connection"
    CLOSE = "this connection ends"

    @classmethod
    def of(cls, fini: DbdFini) -> Fini:
        """The meaning of a body."""
        if fini.close_conn:
            return cls.CLOSE
        return cls.COMMIT if fini.commit else cls.ROLLBACK


class Opening(msgspec.Struct, frozen=True):
    """Server: a client wants the connection. Check the credential of `frame`, then `accept` or `refuse`.

    `version` is what both speak, None where they have none in common.
    """

    frame: Frame
    init: PersistInit
    version: Version | None


class Request(msgspec.Struct, frozen=True):
    """Server: a message to be answered."""

    number: int
    record: Record | None


class Closing(msgspec.Struct, frozen=True):
    """Server: the client said that it is about to close. There is nothing to answer."""


class Opened(msgspec.Struct, frozen=True):
    """Client: the server took the connection; `version` is what both speak from now on."""

    version: Version
    reply: PersistReply


class Refused(msgspec.Struct, frozen=True):
    """Client: the server did not take the connection, or was taken for something else."""

    reply: PersistReply


class Answer(msgspec.Struct, frozen=True):
    """Client: the answer to the oldest request without one."""

    request: int
    number: int
    record: Record | None


Event = Opening | Request | Closing | Opened | Refused | Answer


def negotiate(theirs: int, ours: int = versions.NEWEST) -> Version | None:
    """The version in which two programs talk: the older of their newest, None when we do not know it."""
    version = min(theirs, ours)
    return Version(version) if versions.is_supported(version) else None
