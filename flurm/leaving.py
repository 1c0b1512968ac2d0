"""The way out of service: what a controller that is told to end does before its tree ends.

It hands leadership over where it leads, and then takes in no more clients. Whoever is connected gets an answer first:
this controller still has everything, and what it can no longer write down it passes on to the one that leads now. So a
rolling restart costs clients no more than a moment, and none of them an error. Nothing here may keep a controller from
ending: each step has its time, and what fails is logged.
"""

from __future__ import annotations

import structlog

from actors.net.listener import Listener
from actors.net.members import Members
from flurm.config import Config

ANSWERS_S = 2.0
"""So long clients that are here may still take for their answers."""
MARGIN_S = 0.5
"""Consensus itself gives up within an election timeout, and says so."""

log = structlog.get_logger(__name__)


def leave(config: Config, members: Members, listener: Listener) -> None:
    """Stop leading, then stop serving. Raises nothing."""
    try:
        _leave(config, members, listener)
    except Exception:
        log.exception("not left in order")


def _leave(config: Config, members: Members, listener: Listener) -> None:
    successor = members.hand_over(config.raft_election_timeout[1] / 1000 + MARGIN_S)
    if successor is not None:
        log.info("leadership handed over", to=successor)
    if not listener.leave(ANSWERS_S):
        log.warning("clients left without an answer", waited_s=ANSWERS_S, incomplete=listener.waiting())
