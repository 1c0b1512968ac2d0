"""One answer that somebody waits for, settled at most once.

`Outcome` is a lock held until the first `settle`; later ones are ignored. No lock guards the box: `list.append` is
atomic, and whoever appends first has won. That makes "the answer", "the callee died", "the caller must exit" and "the
callee was killed" race safely without a mutex per message.
"""

from __future__ import annotations

import _thread
from typing import Any, Final

from flurm.otp.messages import Pid, Response, ResponseDown
from flurm.otp.ports import ProcessPort

ANSWERED: Final = 0
DOWN: Final = 1
EXITING: Final = 2


class Outcome:
    """A box for one (kind, value); the first to settle it wins."""

    __slots__ = ("_box", "_lock")

    def __init__(self) -> None:
        self._lock: Any = _thread.allocate_lock()
        self._lock.acquire()
        self._box: list[tuple[int, Any]] = []

    def settle(self, kind: int, value: Any) -> None:
        """Put the outcome, unless there is one."""
        self._box.append((kind, value))
        try:
            self._lock.release()
        except RuntimeError:  # settled before
            pass

    def wait(self, timeout_s: float) -> tuple[int, Any] | None:
        """The outcome, or None when it does not come in time. Infinity waits for good."""
        if timeout_s == float("inf"):
            self._lock.acquire()
        elif not self._lock.acquire(timeout=max(timeout_s, 0)):
            return None
        return self._box[0]


class Sender(Outcome):
    """Whoever waits for the answer to a call. Answer with `system.reply(sender, value)` from any thread."""

    __slots__ = ("callee", "pid")

    def __init__(self, callee: ProcessPort, pid: Pid | None) -> None:
        super().__init__()
        self.callee = callee
        self.pid = pid

    def reply(self, value: Any) -> None:
        """Hand the answer to the caller."""
        self.callee.pending.pop(self, None)
        self.settle(ANSWERED, value)


class Requester(Sender):
    """A process that asked with `send_request`: the outcome goes to its inbox."""

    __slots__ = ("process", "tag")

    def __init__(self, callee: ProcessPort, process: ProcessPort, tag: Any) -> None:
        super().__init__(callee, process.pid)
        self.process = process
        self.tag = tag

    def settle(self, kind: int, value: Any) -> None:
        """Send the outcome on, unless one was sent."""
        mine = (kind, value)
        self._box.append(mine)
        if self._box[0] is mine:
            answer = Response(self.tag, value) if kind == ANSWERED else ResponseDown(self.tag, value)
            self.process.put_info(answer)
