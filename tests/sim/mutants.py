"""Planted bugs: each is the system with one line of it gone wrong. See mutants.md."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from actors.net.serving import Service
from actors.state_manager import StateManager
from flurm.core import answers, lifecycle, snapshot
from flurm.core.commands import SubmitJob
from flurm.raft import election, following, replication
from flurm.raft.limits import Timing
from flurm.raft.messages import AppendReply
from flurm.raft.records import HardState
from flurm.storage.hard_state import HardStateFile
from flurm.storage.segments import SegmentLog

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def commits_alone(patch: Patch) -> None:
    """A leader commits, and clients are told, as soon as the entry is on its own disk."""

    def advance_commit(me: Any) -> None:
        if me.durable_index > me.commit_index and me.log.term_at(me.durable_index) == me.term:
            me.commit(me.durable_index)

    patch.setattr(replication, "advance_commit", advance_commit)


def acknowledges_before_it_is_durable(patch: Patch) -> None:
    """A follower answers for entries that are not on its disk yet."""

    def acknowledge(me: Any) -> None:
        if me.leader is not None and me.leader != me.member:
            index = me.following.verified_index
            me.send(me.leader, AppendReply(me.member, me.term, True, index, round=me.following.round))

    patch.setattr(following, "acknowledge", acknowledge)


def does_not_sync(patch: Patch) -> None:
    """The log says that entries are durable without having synced the file."""
    patch.setattr(SegmentLog, "_sync", lambda self, segment: None)


def votes_twice(patch: Patch) -> None:
    """A member gives its vote in a term to everybody who asks."""
    real = election.request_vote

    def request_vote(me: Any, request: Any) -> None:
        if me.hard_state.voted_for not in (None, me.member):
            me.hard_state = HardState(me.term, None)
        real(me, request)

    patch.setattr(election, "request_vote", request_vote)


def forgets_its_vote(patch: Patch) -> None:
    """Term and vote do not survive a restart, only the term that the log shows does."""
    real = HardStateFile.load
    patch.setattr(HardStateFile, "load", lambda self: HardState(max(real(self).term - 1, 0), None))


def elects_anybody(patch: Patch) -> None:
    """A member votes for candidates whose log lacks what its own has."""
    patch.setattr(election, "log_is_current", lambda me, request: True)


def applies_differently_on_followers(patch: Patch) -> None:
    """The same command makes another state where it was not proposed."""
    real = StateManager._apply_all

    def apply_all(self: Any, state: Any, entries: Any, tokens: Any) -> None:
        real(self, state, entries, tokens)
        if not state.in_charge and any(b"SubmitJob" in entry.payload for entry in entries):
            state.cluster = state.cluster.with_(next_job_id=state.cluster.next_job_id + 1)

    patch.setattr(StateManager, "_apply_all", apply_all)


def forgets_what_it_answered(patch: Patch) -> None:
    """A request that is sent again is carried out again."""
    patch.setattr(answers, "remembered", lambda cluster, request_id: None)


def snapshots_without_answers(patch: Patch) -> None:
    """Snapshots leave out which requests were answered."""
    real = snapshot.load
    empty = {"answers": snapshot.Map(), "answered": snapshot.Map(), "answers_given": 0}
    patch.setattr(snapshot, "load", lambda data: real(data).with_(**empty))


def keeps_no_scripts(patch: Patch) -> None:
    """Controllers that do not lead do not keep scripts and environments."""
    real = StateManager._keep_blobs

    def keep(self: Any, command: Any) -> None:
        if self.system.terms.get("in_charge") or not isinstance(command, SubmitJob):
            real(self, command)

    patch.setattr(StateManager, "_keep_blobs", keep)


def frees_nodes_before_they_are_clean(patch: Patch) -> None:
    """A job that ends gives its resources back at once, not when its node says that nothing of it is left."""
    real = lifecycle.finish

    def finish(cluster: Any, job: Any, event: str, now_s: int, **more: Any) -> Any:
        outcome = real(cluster, job, event, now_s, **more)
        after = outcome.cluster
        for name in job.node_names:
            after = lifecycle.vacate(after, after.jobs[job.id], after.nodes[name], now_s)
        return outcome._replace(cluster=after)

    patch.setattr(lifecycle, "finish", finish)


def skips_an_entry(patch: Patch) -> None:
    """Now and then a committed submission is not applied."""
    real, count = StateManager._apply_all, itertools.count()

    def apply_all(self: Any, state: Any, entries: Any, tokens: Any) -> None:
        if next(count) % 97 == 96 and not state.in_charge:
            state.index = entries[-1].index
            return
        real(self, state, entries, tokens)

    patch.setattr(StateManager, "_apply_all", apply_all)


def answers_current_reads_without_asking(patch: Patch) -> None:
    """A controller that has led answers what must be current from its state, whoever leads by now."""
    patch.setattr(Service, "_confirm", lambda self, exchange, system: None)


def trusts_its_lease_too_long(patch: Patch) -> None:
    """A leader takes its lease to be as long as it leads without an answer, where it has leases."""

    def lease_ms(timing: Timing) -> int:
        return 0 if timing.clock_drift_bound is None else 2 * timing.election_ms[1]

    patch.setattr(Timing, "lease_ms", property(lease_ms))


ALL: tuple[Mutant, ...] = (
    commits_alone,
    does_not_sync,
    votes_twice,
    forgets_its_vote,
    applies_differently_on_followers,
    forgets_what_it_answered,
    snapshots_without_answers,
    keeps_no_scripts,
    frees_nodes_before_they_are_clean,
    skips_an_entry,
    elects_anybody,
    acknowledges_before_it_is_durable,
    answers_current_reads_without_asking,
    trusts_its_lease_too_long,
)
