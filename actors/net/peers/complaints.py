"""Says in the log what keeps happening, once a minute: others can make it happen as often as they like."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

EVERY_S = 60.0
MOST = 256
"""So many different complaints are told apart; beyond that the oldest is forgotten, and may be told again."""

WARN_DAYS, DAY_S = 30, 86400

log = structlog.get_logger(__name__)


class Complaints:
    """For many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[str, ...], tuple[float, int]] = {}  # when it was told last, and how often it came since
        self._guard = threading.Lock()

    def tell(self, event: str, *key: str, **fields: Any) -> None:
        """Log a warning, unless one with this key was logged within the last minute."""
        now_s = self._clock()
        with self._guard:
            told_s, again = self._told.pop((event, *key), (-EVERY_S, 0))
            is_due = now_s - told_s >= EVERY_S
            self._told[(event, *key)] = (now_s, 0) if is_due else (told_s, again + 1)
            if len(self._told) > MOST:
                del self._told[next(iter(self._told))]
        if is_due:
            log.warning(event, **fields, **({"repeated": again} if again else {}))

    def warn_of_end(self, name: str, until_s: float, now_s: float) -> None:
        """Log where a controller's certificate ends soon."""
        if until_s - now_s < WARN_DAYS * DAY_S:
            days = int((until_s - now_s) // DAY_S)
            self.tell("certificate ends soon", name, peer=name, days=days, remedy="flurm cert renew")
