"""A process's messages as they come and go, for whoever watches (`flurm trace`).

The watcher is told through a bounded queue: when it reads too slowly, events are left out and counted, and the process
waits for nobody. It is untold when it goes away, and after a limited number of events.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from typing import Any

from flurm.console.processes import describe_event, find
from flurm.otp import OtpError, debug

__all__ = ["watch"]

QUEUE = 1000
POLL_S = 0.25


def watch(system: Any, name: str, most: int) -> Iterator[str]:
    """Lines: seconds since the start, since the event before, what happened. Raises LookupError at once.

    A line that is empty says that nothing happened for a moment: whoever writes it finds out that nobody reads.
    """
    process = find(system, name)
    events: queue.Queue[tuple[float, str]] = queue.Queue(QUEUE)
    key = object()
    debug.install(system, process.pid, _Put(events), 0, key)
    return _lines(system, process, events, key, most)


class _Put:
    """Runs in the traced process: must not wait."""

    def __init__(self, events: queue.Queue[tuple[float, str]]) -> None:
        self._events = events

    def __call__(self, lost: int, event: Any, _process: str) -> int:
        text = describe_event(event)
        try:
            self._events.put_nowait((time.monotonic(), f"{text}  ({lost} left out before)" if lost else text))
        except queue.Full:
            return lost + 1
        return 0


def _lines(system: Any, process: Any, events: queue.Queue[tuple[float, str]], key: object, most: int) -> Iterator[str]:
    began_s = before_s = time.monotonic()
    try:
        for _ in range(most):
            while True:
                try:
                    at_s, text = events.get(timeout=POLL_S)
                    break
                except queue.Empty:
                    if process.exited:
                        yield f"{process.name or process.pid} has ended: {process.reason}"
                        return
                    yield ""
            yield f"{at_s - began_s:10.6f} {(at_s - before_s) * 1000:+10.3f} ms  {text}"
            before_s = at_s
    finally:
        try:
            debug.remove(system, process.pid, key)
        except OtpError:
            pass  # it has ended, and with it what was installed
