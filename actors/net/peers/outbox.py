"""What waits to be sent on one connection: bounded in number and bytes, written many at a time.

Raft says everything again, so its lanes let the oldest go to make room for the newest. A call is never dropped behind
its caller's back: where there is no room it is refused.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import msgspec


class Parcel(msgspec.Struct):
    """A frame that waits. `leave` is asked when it is about to go, and says whether it still should."""

    data: bytes
    leave: Callable[[], bool] | None = None


class Outbox:
    """For many threads; `most` may be changed at any time."""

    def __init__(self, most: int, most_bytes: int, *, drops: bool) -> None:
        self.most = most
        self.dropped = 0
        self._most_bytes = most_bytes
        self._drops = drops
        self._bytes = 0
        self._parcels: deque[Parcel] = deque()
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._parcels)

    @property
    def held_bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def put(self, parcel: Parcel) -> bool:
        """Queue a parcel; the oldest go where there are too many. False where it is refused instead."""
        with self._guard:
            if not self._drops and self._is_over(1, len(parcel.data)):
                return False
            self._parcels.append(parcel)
            self._bytes += len(parcel.data)
            while self._drops and len(self._parcels) > 1 and self._is_over(0, 0):
                self._pop()
                self.dropped += 1
            return True

    def put_first(self, parcel: Parcel) -> None:
        """Queue something small before everything else, whatever the bounds say."""
        with self._guard:
            self._parcels.appendleft(parcel)
            self._bytes += len(parcel.data)

    def take(self, size: int) -> tuple[bytes, int]:
        """The next frames, as many as fit into `size` bytes but at least one, and their number; empty where none."""
        with self._guard:
            found: list[bytes] = []
            while self._parcels and (not found or size >= len(self._parcels[0].data)):
                parcel = self._pop()
                if parcel.leave is None or parcel.leave():
                    found.append(parcel.data)
                    size -= len(parcel.data)
        return found[0] if len(found) == 1 else b"".join(found), len(found)

    def clear(self) -> None:
        """Drop everything."""
        with self._guard:
            self.dropped += len(self._parcels)
            self._parcels.clear()
            self._bytes = 0

    def _is_over(self, more: int, more_bytes: int) -> bool:
        return len(self._parcels) + more > self.most or self._bytes + more_bytes > self._most_bytes

    def _pop(self) -> Parcel:
        parcel = self._parcels.popleft()
        self._bytes -= len(parcel.data)
        return parcel
