"""What members say to each other. The messages themselves come with replication; this is the part all of them share."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True):
    """Base of every message between members: who sent it, in which term."""

    sender: str
    term: int
