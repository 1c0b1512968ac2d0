"""Majorities: what a set of voters has agreed on.

Plain functions over sets of voters and what each is known to hold; joint consensus is the smaller of two answers.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping


class Vote(enum.Enum):
    """Where an election stands."""

    PENDING = "pending"
    WON = "won"
    LOST = "lost"


def majority(voters: Collection[str]) -> int:
    """How many of ``voters`` decide."""
    return len(voters) // 2 + 1


def committed_index(voters: Collection[str], match: Mapping[str, int]) -> int:
    """The highest index that a majority of ``voters`` holds durably.

    ``match`` maps a member to the last index it is known to hold; who is missing holds nothing. No voters agree on
    nothing: 0.
    """
    if not voters:
        return 0
    indexes = sorted((match.get(voter, 0) for voter in voters), reverse=True)
    return indexes[majority(voters) - 1]


def tally(voters: Collection[str], votes: Mapping[str, bool]) -> Vote:
    """Where the election stands once ``votes`` (member to granted) have come in; other members' votes do not count.

    Without voters nobody can win.
    """
    granted = sum(votes.get(voter, False) for voter in voters)
    refused = sum(not votes.get(voter, True) for voter in voters)
    if voters and granted >= majority(voters):
        return Vote.WON
    if refused > len(voters) - majority(voters):
        return Vote.LOST
    return Vote.PENDING


def joint_index(voters: Collection[str], outgoing: Collection[str], match: Mapping[str, int]) -> int:
    """As ``committed_index``, where ``voters`` and, unless empty, ``outgoing`` must agree (Raft paper, section 6)."""
    index = committed_index(voters, match)
    return min(index, committed_index(outgoing, match)) if outgoing else index


def joint_tally(voters: Collection[str], outgoing: Collection[str], votes: Mapping[str, bool]) -> Vote:
    """As ``tally``, where the candidate must win among ``voters`` and, unless empty, among ``outgoing``."""
    outcomes = {tally(voters, votes)} | ({tally(outgoing, votes)} if outgoing else set())
    if Vote.LOST in outcomes:
        return Vote.LOST
    return Vote.PENDING if Vote.PENDING in outcomes else Vote.WON
