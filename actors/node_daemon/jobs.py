"""What the node daemon remembers of a job."""

from __future__ import annotations

import msgspec

from actors.node_daemon import messages as m
from flurm.node.spec import StepKey


class Job(msgspec.Struct):
    """One job here: what runs of it, what has ended and is not yet known to a controller, and whether it must end.

    What runs may still be `waiting` for the job's prolog. `end` is the order to end it, `epilog_rc` what came of the
    epilog after that (None: not run).
    """

    uid: int
    running: set[StepKey] = msgspec.field(default_factory=set)
    unacknowledged: dict[StepKey, m.Ended] = msgspec.field(default_factory=dict)
    acknowledged: set[StepKey] = msgspec.field(default_factory=set)
    waiting: set[StepKey] = msgspec.field(default_factory=set)
    end: m.Terminate | None = None
    epilog_rc: int | None = None

    @property
    def ending(self) -> bool:
        """Whether a controller wants it ended."""
        return self.end is not None
