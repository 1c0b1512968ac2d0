"""Timers of one system: a heap and one thread that sends what is due.

Cancelled timers stay in the heap until they come up, or until they are more than half of it.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from typing import Any


class TimerRef:
    """One message to be sent at `due_s` of the monotonic clock."""

    __slots__ = ("due_s", "message", "number", "state", "target")

    def __init__(self, due_s: float, number: int, target: Any, message: Any) -> None:
        self.due_s = due_s
        self.number = number
        self.target = target
        self.message = message
        self.state = "waiting"

    def __lt__(self, other: TimerRef) -> bool:
        return (self.due_s, self.number) < (other.due_s, other.number)


class Timers:
    """Sends messages later through `deliver(target, message)`."""

    def __init__(self, deliver: Callable[[Any, Any], None]) -> None:
        self._deliver = deliver
        self._heap: list[TimerRef] = []
        self._cancelled = 0
        self._number = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def send_after(self, delay_s: float, target: Any, message: Any) -> TimerRef:
        """Arm a timer."""
        with self._changed:
            self._number += 1
            ref = TimerRef(time.monotonic() + max(delay_s, 0), self._number, target, message)
            if self._stopped:
                return ref
            heapq.heappush(self._heap, ref)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="flurm-timers", daemon=True)
                self._thread.start()
            elif self._heap[0] is ref:
                self._changed.notify()
        return ref

    def cancel(self, ref: TimerRef) -> float | None:
        """Disarm; returns the seconds that were left, None where the timer is no longer armed."""
        with self._changed:
            if ref.state != "waiting":
                return None
            ref.state = "cancelled"
            ref.message = None
            self._cancelled += 1
            if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
                self._heap = [timer for timer in self._heap if timer.state == "waiting"]
                heapq.heapify(self._heap)
                self._cancelled = 0
            return max(ref.due_s - time.monotonic(), 0)

    def stop(self) -> None:
        """Drop all timers and end the thread."""
        with self._changed:
            self._stopped = True
            self._heap.clear()
            self._changed.notify()

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def _run(self) -> None:
        while True:
            due = self._next()
            if due is None:
                return
            self._deliver(due.target, due.message)

    def _next(self) -> TimerRef | None:
        """Wait for the next timer that is due; None when stopped."""
        with self._changed:
            while not self._stopped:
                wait_s = None
                if self._heap:
                    wait_s = self._heap[0].due_s - time.monotonic()
                    if wait_s <= 0:
                        ref = heapq.heappop(self._heap)
                        if ref.state == "waiting":
                            ref.state = "fired"
                            return ref
                        self._cancelled -= 1
                        continue
                self._changed.wait(wait_s)
        return None
