"""Whether this controller acts for the cluster, as every process of the tree may ask.

Of several controllers one is in charge: it leads, and has applied everything that was committed before its term. It
plans, talks to nodes and carries effects out; the others only follow the log. A controller that was in charge and lost
the others goes on to think so for at most an election timeout; what it decides meanwhile is never committed.
"""

from __future__ import annotations

from typing import Any

IN_CHARGE = "in_charge"
LEADER = "leader"


def is_in_charge(terms: dict[str, Any]) -> bool:
    """Whether this controller is in charge; a tree without consensus always is."""
    return bool(terms.get(IN_CHARGE, True))


def leader_of(terms: dict[str, Any]) -> str | None:
    """The member that leads as far as this one knows, itself perhaps; None while none is known."""
    return terms.get(LEADER)
