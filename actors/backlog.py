"""Mailboxes seen from outside: who does not keep up, and what need not be sent there now.

Calls to an overloaded process fail by themselves (`flurm.otp`); casts do not. Who casts what can wait asks here first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from flurm.otp import Overloaded, SystemPort
from flurm.otp.messages import RuntimeEvent

FEW = 1000


def keeps_up(system: SystemPort, name: str) -> bool:
    """Whether few messages wait for a process. What is found again at the next look is not sent to one that lags: it
    would only stand in line with what was found before. Clients' requests are bounded elsewhere and are never many."""
    process = system.find(name)
    return process is None or process.mailbox <= FEW


def check(system: SystemPort, name: str) -> None:
    """Treat a cast as a call would be. Raises Overloaded."""
    process = system.find(name)
    if process is not None and process.mailbox > process.max_mailbox:
        raise Overloaded(name, process.mailbox)


def overloaded(processes: Iterable[Any]) -> dict[str, int]:
    """Messages that wait for each process for which too many do; one that is stuck does not notice it itself."""
    return {
        process.name or str(process.pid): process.mailbox
        for process in processes
        if process.mailbox > process.max_mailbox
    }


class Overloads:
    """How often a mailbox became too long, by name, nameless processes (connection handlers) together as `""`.

    An observer of the system; it outlives the processes.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, event: RuntimeEvent) -> None:
        if event.kind == "overloaded":
            self.counts[event.name or ""] += 1
