"""A network that loses, delays, doubles and reorders messages, and whose links can be cut in either direction.

It knows no messages and keeps no time: it says after how long a message arrives, as often as it arrives.
"""

from __future__ import annotations

import random
from collections.abc import Iterable


class Network:
    """Links between all members; a message on each takes its own time, so that later ones overtake."""

    def __init__(self, draw: random.Random, delay_ms: tuple[float, float]) -> None:
        self._draw = draw
        self._delay_ms = delay_ms
        self.loss = 0.0
        self.duplication = 0.0
        self.extra_ms = 0.0
        self._cuts: dict[tuple[str, str], int] = {}

    def arrivals(self, sender: str, to: str) -> tuple[float, ...]:
        """After how many milliseconds a message from ``sender`` arrives at ``to``: never, once, or twice."""
        if self._cuts.get((sender, to)) or (self.loss and self._draw.random() < self.loss):
            return ()
        if self.duplication and self._draw.random() < self.duplication:
            return self._delay(), self._delay()
        return (self._delay(),)

    def _delay(self) -> float:
        low, high = self._delay_ms
        delay = low + (high - low) * self._draw.random()
        return delay + self.extra_ms * self._draw.random() if self.extra_ms else delay

    def cut(self, links: Iterable[tuple[str, str]]) -> None:
        """Let nothing through on ``links`` (sender, receiver) until each is mended as often as it was cut."""
        for link in links:
            self._cuts[link] = self._cuts.get(link, 0) + 1

    def mend(self, links: Iterable[tuple[str, str]]) -> None:
        """Undo one ``cut``."""
        for link in links:
            self._cuts[link] -= 1

    def heal(self) -> None:
        """From now on nothing is lost, and nothing takes long."""
        self._delay_ms = (0.2, 5.0)
        self.loss = self.duplication = self.extra_ms = 0.0
        self._cuts.clear()


def between(side: Iterable[str], others: Iterable[str]) -> list[tuple[str, str]]:
    """The links between two sides of a partition, in both directions."""
    return [link for one in side for other in others for link in ((one, other), (other, one))]
