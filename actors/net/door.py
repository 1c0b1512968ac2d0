"""The door: how many requests may wait for a manager at a time, and what happens to one more.

Handlers are a bounded pool. If all of them waited for commits, there would be nobody left to answer reads, or to tell a
client that the controller is busy. So some are kept free: no more than `most` requests wait inside. One more waits a
moment for a place, which is all it takes while the controller is merely busy. Where requests inside stand still, it is
turned away at once: `Overloaded`, which the client is told in Slurm's terms and tries again. What is turned away has
not been carried out.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from flurm.otp import Overloaded

PATIENCE_S = 0.5
"""How long a request waits for a place."""
STANDS_STILL_S = 1.0
"""A full house whose oldest request is older than this will not have a place soon."""


class Door:
    """Admits `most` at a time; for many threads."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._clock = clock
        self._since_s: dict[object, float] = {}  # when each request inside came in; the oldest is first
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._since_s)

    @property
    def is_shut(self) -> bool:
        """Whether all places are taken and none will be free soon."""
        with self._changed:
            return not self._has_place() and self._stands_still()

    def check(self, to: str) -> None:
        """Turn a request away before anything is done for it, where it would be later. Raises Overloaded."""
        if self.is_shut:
            raise self._refusal(to)

    @contextlib.contextmanager
    def admitted(self, to: str) -> Iterator[None]:
        """Wait inside for the process `to`. Raises Overloaded."""
        ticket = object()
        with self._changed:
            if not self._has_place() and (self._stands_still() or not self._await_place()):
                raise self._refusal(to)
            self._since_s[ticket] = self._clock()
        try:
            yield
        finally:
            with self._changed:
                del self._since_s[ticket]
                self._changed.notify()

    def _refusal(self, to: str) -> Overloaded:
        return Overloaded(f"the door to {to}", len(self))

    def _has_place(self) -> bool:
        return len(self) < self.most

    def _stands_still(self) -> bool:
        return self._clock() - next(iter(self._since_s.values())) > STANDS_STILL_S

    def _await_place(self) -> bool:
        return self._changed.wait_for(self._has_place, PATIENCE_S)
