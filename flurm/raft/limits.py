"""What a Raft server is told about time and room.

All of it may differ between members without harm to safety, but for what leases rest on: where one member has a
``clock_drift_bound``, all need the same, and the same shortest election timeout.
"""

from __future__ import annotations

import msgspec


class Timing(msgspec.Struct, frozen=True):
    """How long to wait: an election timeout is drawn from ``election_ms`` anew each time."""

    election_ms: tuple[int, int] = (150, 300)
    heartbeat_ms: int = 50
    catch_up_ms: int = 60_000
    """How long a new voter may take to get the log before the change of membership is given up."""
    clock_drift_bound: float | None = None
    """In the time in which the fastest member's clock shows 1 s, the slowest one's shows at least 1 s less this. None:
    nobody has said, so clocks decide nothing and there are no leases (``reads``)."""

    @property
    def lease_ms(self) -> int:
        """How long after a heartbeat, by the leader's clock, nobody who has answered it helps to elect another leader;
        0 without leases. A millisecond less than clocks would allow: all times are cut to whole ones."""
        if self.clock_drift_bound is None:
            return 0
        return max(int(self.election_ms[0] * (1 - self.clock_drift_bound)) - 1, 0)


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
