"""Bugs to plant in the Raft core, each a mistake that somebody could make. The simulation has to find them.

``MUTANTS`` maps what the bug does to a function that plants it with pytest's ``monkeypatch``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from flurm.raft import effects as e
from flurm.raft import election, following, membership, quorum, reads, replication, snapshotting
from flurm.raft.limits import Timing
from flurm.raft.member import Member
from flurm.raft.messages import VoteReply
from flurm.raft.records import HardState
from flurm.raft.server import RaftServer


def forget_the_vote_in_a_restart(patch: Any) -> None:
    recovered = RaftServer._recovered

    def forgetful(server, event):
        recovered(server, msgspec.structs.replace(event, hard_state=HardState(event.hard_state.term)))

    patch.setattr(RaftServer, "_recovered", forgetful)


def forget_the_term_in_a_restart(patch: Any) -> None:
    recovered = RaftServer._recovered

    def forgetful(server, event):
        term = event.entries[-1].term if event.entries else event.snapshot_term
        recovered(server, msgspec.structs.replace(event, hard_state=HardState(term)))

    patch.setattr(RaftServer, "_recovered", forgetful)


def commit_an_entry_of_an_old_term_by_count(patch: Any) -> None:
    patch.setattr(replication, "may_commit", lambda me, index: True)


def acknowledge_before_the_sync(patch: Any) -> None:
    append = Member.append

    def hasty(me, entries):
        append(me, entries)
        me.durable_index = me.log.last_index

    patch.setattr(Member, "append", hasty)


def vote_before_the_sync(patch: Any) -> None:
    save = Member.save_hard_state

    def hasty(me):
        save(me)
        voted_for = me.hard_state.voted_for
        if voted_for not in (None, me.member):
            me.send(voted_for, VoteReply(me.member, me.term, granted=True))

    patch.setattr(Member, "save_hard_state", hasty)


def vote_for_any_log(patch: Any) -> None:
    patch.setattr(election, "log_is_current", lambda me, request: True)


def vote_for_a_longer_log_of_an_older_term(patch: Any) -> None:
    patch.setattr(election, "log_is_current", lambda me, request: request.last_index >= me.log.last_index)


def forget_the_outgoing_voters(patch: Any) -> None:
    patch.setattr(quorum, "joint_index", lambda voters, outgoing, match: quorum.committed_index(voters, match))
    patch.setattr(quorum, "joint_tally", lambda voters, outgoing, votes: quorum.tally(voters, votes))


def skip_the_joint_configuration(patch: Any) -> None:
    patch.setattr(membership, "_decide_together", membership._conclude)


def apply_more_than_is_committed(patch: Any) -> None:
    def eager(me):
        index = min(me.following.verified_index, me.durable_index)
        if index > me.commit_index:
            me.commit(index)

    patch.setattr(following, "advance", eager)


def apply_what_was_not_compared_with_the_leaders_log(patch: Any) -> None:
    def trusting(me):
        index = min(me.following.leader_commit, me.durable_index)
        if index > me.commit_index:
            me.commit(index)

    patch.setattr(following, "advance", trusting)


def take_entries_without_looking_at_what_comes_before(patch: Any) -> None:
    patch.setattr(following, "_matches", lambda me, index, term: index <= me.log.last_index)


def keep_entries_that_the_leader_contradicts(patch: Any) -> None:
    def by_index(me, entries):
        return [entry for entry in entries if entry.index > me.log.last_index]

    patch.setattr(following, "_missing", by_index)


def answer_for_what_was_not_compared(patch: Any) -> None:
    acknowledge = following.acknowledge

    def boastful(me):
        me.following.verified_index = me.log.last_index
        acknowledge(me)

    patch.setattr(following, "acknowledge", boastful)


def answer_reads_without_asking_anybody(patch: Any) -> None:
    patch.setattr(reads, "confirmed_round", lambda me: me.round + 1)


def trust_a_lease_for_an_election_timeout_whatever_clocks_do(patch: Any) -> None:
    def whole(timing):
        return 0 if timing.clock_drift_bound is None else timing.election_ms[0]

    patch.setattr(Timing, "lease_ms", property(whole))


def trust_a_lease_for_two_election_timeouts(patch: Any) -> None:
    def doubled(timing):
        return 0 if timing.clock_drift_bound is None else 2 * timing.election_ms[0]

    patch.setattr(Timing, "lease_ms", property(doubled))


def keep_the_lease_when_handing_over(patch: Any) -> None:
    has_lease = reads.has_lease

    def forgetful(me):
        me.handed_over_in = 0
        return has_lease(me)

    patch.setattr(reads, "has_lease", forgetful)


def stand_within_a_lease_when_an_administrator_says_so(patch: Any) -> None:
    patch.setattr(election, "force", lambda me: election.campaign(me, transfer=True))


def answer_reads_before_knowing_what_is_committed(patch: Any) -> None:
    patch.setattr(replication, "has_committed", lambda me: True)


def keep_the_log_beside_an_installed_snapshot(patch: Any) -> None:
    patch.setattr(snapshotting.following, "replace_log", lambda me, index, term: None)


def lose_the_token_of_a_commit(patch: Any) -> None:
    commit = Member.commit

    def silent(me, index):
        commit(me, index)
        last = me.effects[-1]
        me.effects[-1] = e.Commit(last.entries[:-1], last.tokens[:-1]) if len(last.entries) > 1 else last

    patch.setattr(Member, "commit", silent)


MUTANTS: dict[str, Callable[[Any], None]] = {
    mutant.__name__: mutant
    for mutant in (
        forget_the_vote_in_a_restart,
        forget_the_term_in_a_restart,
        commit_an_entry_of_an_old_term_by_count,
        acknowledge_before_the_sync,
        vote_before_the_sync,
        vote_for_any_log,
        vote_for_a_longer_log_of_an_older_term,
        forget_the_outgoing_voters,
        skip_the_joint_configuration,
        apply_more_than_is_committed,
        apply_what_was_not_compared_with_the_leaders_log,
        take_entries_without_looking_at_what_comes_before,
        keep_entries_that_the_leader_contradicts,
        answer_for_what_was_not_compared,
        answer_reads_without_asking_anybody,
        answer_reads_before_knowing_what_is_committed,
        trust_a_lease_for_an_election_timeout_whatever_clocks_do,
        trust_a_lease_for_two_election_timeouts,
        keep_the_lease_when_handing_over,
        stand_within_a_lease_when_an_administrator_says_so,
        keep_the_log_beside_an_installed_snapshot,
        lose_the_token_of_a_commit,
    )
}

RARE = {
    "skip_the_joint_configuration",
    "vote_before_the_sync",
    "vote_for_a_longer_log_of_an_older_term",
    "answer_for_what_was_not_compared",
}
"""Those that take many seeds, and so some seconds: the default run leaves them out."""
