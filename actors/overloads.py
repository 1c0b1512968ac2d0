"""How often each process has had too many messages waiting: an observer of the system that outlives the processes."""

from __future__ import annotations

from collections import Counter

from flurm.otp.messages import RuntimeEvent


class Overloads:
    """Counts by name, nameless processes (connection handlers) together as `""`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, event: RuntimeEvent) -> None:
        if event.kind == "overloaded":
            self.counts[event.name or ""] += 1
