"""What a Raft server is told about time and room. All of it may differ between members without harm to safety."""

from __future__ import annotations

import msgspec


class Timing(msgspec.Struct, frozen=True):
    """How long to wait: an election timeout is drawn from ``election_ms`` anew each time."""

    election_ms: tuple[int, int] = (150, 300)
    heartbeat_ms: int = 50
    catch_up_ms: int = 60_000
    """How long a new voter may take to get the log before the change of membership is given up."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds on what one server holds for others, and on what it has under way to each member."""

    waiting_entries: int = 10_000
    waiting_bytes: int = 64 * 1024 * 1024
    command_bytes: int = 16 * 1024 * 1024
    waiting_reads: int = 10_000
    message_entries: int = 1_024
    message_bytes: int = 1024 * 1024
    window_messages: int = 16
    window_bytes: int = 8 * 1024 * 1024
    kept_entries: int = 5_000
    """How many entries before a snapshot stay in memory, for members that are a little behind."""
    learner_lag: int = 100
    """A learner that lacks no more entries than this may become a voter."""
