"""Majorities over a set of voters."""

import pytest

from flurm.raft.quorum import Vote, committed_index, tally


@pytest.mark.parametrize(
    ("voters", "match", "index"),
    [
        ("", {}, 0),
        ("a", {}, 0),
        ("a", {"a": 7}, 7),
        ("ab", {"a": 7, "b": 3}, 3),
        ("abc", {"a": 7, "b": 3, "c": 5}, 5),
        ("abc", {"a": 7}, 0),
        ("abcd", {"a": 9, "b": 8, "c": 2, "d": 1}, 2),
        ("abcde", {"a": 9, "b": 8, "c": 2, "d": 1}, 2),
        ("abc", {"a": 7, "b": 7, "stranger": 100}, 7),
    ],
)
def test_an_index_is_committed_once_a_majority_of_the_voters_holds_it(voters, match, index):
    assert committed_index(set(voters), match) == index


@pytest.mark.parametrize(
    ("voters", "votes", "outcome"),
    [
        ("", {}, Vote.LOST),
        ("a", {}, Vote.PENDING),
        ("a", {"a": True}, Vote.WON),
        ("abc", {"a": True}, Vote.PENDING),
        ("abc", {"a": True, "b": True}, Vote.WON),
        ("abc", {"a": True, "b": False, "c": False}, Vote.LOST),
        ("abc", {"a": True, "b": False}, Vote.PENDING),
        ("abcd", {"a": False, "b": False}, Vote.LOST),
        ("abc", {"a": True, "stranger": True}, Vote.PENDING),
    ],
)
def test_an_election_is_won_or_lost_as_soon_as_the_other_voters_cannot_change_it(voters, votes, outcome):
    assert tally(set(voters), votes) is outcome
