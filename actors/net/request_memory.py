"""How many bytes of requests are held over all connections, from the first byte read to the answer.

One frame may be as long as `max_message_size`, and there may be `max_connections` of them; together they would be more
than any memory. What counts is what has arrived, not what was announced, so that nobody takes room with four bytes.
Where it becomes too much, the connection that holds most is given up: whoever sends a request of ordinary size is never
the one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

SMALL = 16_384
"""A connection that holds no more is never given up: as many as there may be of them are no danger."""


class Account:
    """What one connection holds."""

    __slots__ = ("closed", "held")

    def __init__(self) -> None:
        self.held = 0
        self.closed = False


class RequestMemory:
    """The sum of all accounts and its bound; for many threads."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.held = 0
        self.peak = 0
        self._guard = threading.Lock()

    def add(self, account: Account, size: int) -> bool:
        """Note bytes that have arrived; whether it is too much now. Nothing is noted for a closed account."""
        with self._guard:
            if not account.closed:
                account.held += size
                self.held += size
                self.peak = max(self.peak, self.held)
            return self.held > self.bound

    def release(self, account: Account) -> None:
        """The connection is closed, or its request served; a second time changes nothing."""
        with self._guard:
            self.held -= account.held
            account.held = 0
            account.closed = True


def largest(accounts: Iterable[Account]) -> Account | None:
    """The account that holds most; None where none holds more than a small request."""
    found = max(accounts, key=lambda account: account.held, default=None)
    return found if found is not None and found.held > SMALL else None
