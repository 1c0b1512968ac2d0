"""One member of a Raft cluster, told as conversations: an event, and everything that comes of it."""

import pytest

from flurm.raft.effects import Append, BecameLeader, Commit, Reject, RejectReason, Send
from flurm.raft.events import Appended, AppendFailed, FailureKind, Propose, Received, Recovered, Tick
from flurm.raft.messages import AppendEntries, AppendReply, VoteReply
from flurm.raft.records import Configuration, Entry, EntryKind, HardState, Role
from flurm.raft.server import Limits, RaftServer


def noop(index, term):
    return Entry(index, term, EntryKind.NOOP)


def command(index, term, payload):
    return Entry(index, term, EntryKind.COMMAND, payload)


def sole_leader(limits=Limits()):  # noqa: B008
    """A cluster of one that leads in term 1, its no-op committed at index 1."""
    server = RaftServer("a", Configuration(("a",)), limits=limits)
    server.handle(Recovered())
    server.handle(Appended(0, 0, HardState(1, "a")))
    server.handle(Appended(1, 1))
    assert server.role is Role.LEADER and server.commit_index == 1
    return server


def test_a_cluster_of_one_elects_itself_without_a_timeout_and_commits_when_its_append_is_durable():
    server = RaftServer("a", Configuration(("a",)))
    vote = HardState(1, "a")
    assert server.handle(Recovered()) == (Append(hard_state=vote),)
    assert server.role is Role.CANDIDATE
    assert server.handle(Appended(0, 0, vote)) == (BecameLeader(1), Append((noop(1, 1),)))
    assert server.handle(Appended(1, 1)) == (Commit((noop(1, 1),), (None,)),)
    assert server.handle(Propose(b"x", "t")) == (Append((command(2, 1, b"x"),)),)
    assert server.handle(Appended(2, 1)) == (Commit((command(2, 1, b"x"),), ("t",)),)


def test_one_durable_append_commits_everything_before_it_in_order():
    server = sole_leader()
    for payload in (b"x", b"y", b"z"):
        server.handle(Propose(payload, payload))
    entries = tuple(command(index, 1, payload) for index, payload in ((2, b"x"), (3, b"y"), (4, b"z")))
    assert server.handle(Appended(3, 1)) == (Commit(entries[:2], (b"x", b"y")),)
    assert server.handle(Appended(4, 1)) == (Commit(entries[2:], (b"z",)),)
    assert server.handle(Appended(4, 1)) == ()


def test_a_vote_that_is_not_durable_elects_nobody():
    server = RaftServer("a", Configuration(("a",)))
    server.handle(Recovered())
    assert server.handle(Appended(0, 0)) == ()
    assert server.handle(Appended(0, 0, HardState(1, None))) == ()
    assert server.role is Role.CANDIDATE


def test_what_earlier_terms_left_is_committed_with_the_first_entry_of_the_own_term_and_not_before():
    server = RaftServer("a", Configuration(("a",)))
    left = (command(5, 2, b"x"), command(6, 3, b"y"))
    server.handle(Recovered(HardState(3, "a"), snapshot_index=4, snapshot_term=2, entries=left))
    assert server.commit_index == 4
    effects = server.handle(Appended(6, 3, HardState(4, "a")))
    assert effects == (BecameLeader(4), Append((noop(7, 4),)))
    server.durable_index = 4  # as if the sync of those entries were still to come
    assert server.handle(Appended(6, 3)) == ()
    assert server.durable_index == 6
    assert server.handle(Appended(7, 4)) == (Commit((*left, noop(7, 4)), (None, None, None)),)


def test_a_proposal_to_a_member_that_does_not_lead_is_refused_with_its_token():
    server = RaftServer("a", Configuration(("a",)))
    (reject,) = server.handle(Propose(b"x", "early"))
    assert (reject.token, reject.reason) == ("early", RejectReason.NOT_LEADER)
    server.handle(Recovered())
    (reject,) = server.handle(Propose(b"x", "candidate"))
    assert (reject.token, reject.reason) == ("candidate", RejectReason.NOT_LEADER)


@pytest.mark.parametrize(
    ("limits", "commands", "reason"),
    [
        (Limits(waiting_entries=2), [b"x", b"y", b"z"], RejectReason.BUSY),
        (Limits(waiting_bytes=5), [b"123", b"456"], RejectReason.BUSY),
        (Limits(command_bytes=2), [b"123"], RejectReason.TOO_LARGE),
    ],
)
def test_what_exceeds_a_limit_is_refused_and_what_waited_before_is_kept(limits, commands, reason):
    server = sole_leader(limits)
    *taken, refused = [server.handle(Propose(payload, payload)) for payload in commands]
    assert all(isinstance(effects[0], Append) for effects in taken)
    assert refused == (Reject(commands[-1], reason, reason.value, "a"),)


def test_room_comes_back_with_the_commit():
    server = sole_leader(Limits(waiting_entries=1, waiting_bytes=1))
    server.handle(Propose(b"x", 1))
    assert isinstance(server.handle(Propose(b"y", 2))[0], Reject)
    server.handle(Appended(2, 1))
    assert isinstance(server.handle(Propose(b"y", 3))[0], Append)


def test_on_a_full_disk_the_proposals_that_were_not_stored_are_refused_and_the_next_ones_take_their_place():
    server = sole_leader()
    for payload in (b"x", b"y", b"z"):
        server.handle(Propose(payload, payload))
    server.handle(Appended(2, 1))
    effects = server.handle(AppendFailed(2, FailureKind.FULL, "no space"))
    refused = [Reject(token, RejectReason.STORAGE_FULL, "no space", "a") for token in (b"y", b"z")]
    assert effects == tuple(refused)
    assert server.role is Role.LEADER
    assert server.handle(Propose(b"again", "t")) == (Append((command(3, 1, b"again"),), epoch=1),)
    assert server.handle(Appended(3, 1, epoch=1)) == (Commit((command(3, 1, b"again"),), ("t",)),)


def test_a_late_answer_from_before_a_refusal_says_nothing_about_the_entries_after_it():
    server = sole_leader()
    server.handle(Propose(b"x", "x"))
    server.handle(AppendFailed(1, FailureKind.FULL, "no space"))
    server.handle(Propose(b"y", "y"))
    assert server.handle(AppendFailed(1, FailureKind.FULL, "no space", epoch=0)) == ()
    assert server.handle(Appended(2, 1, epoch=0)) == ()
    assert server.handle(Appended(2, 1, epoch=1)) == (Commit((command(2, 1, b"y"),), ("y",)),)


def test_an_append_of_another_term_at_the_same_index_does_not_count():
    server = sole_leader()
    server.handle(Propose(b"x", "x"))
    assert server.handle(Appended(2, 2)) == ()
    assert server.handle(Appended(3, 1)) == ()
    assert server.commit_index == 1


def test_a_vote_that_found_no_room_is_saved_again_with_the_next_tick():
    server = RaftServer("a", Configuration(("a",)))
    server.handle(Recovered())
    assert server.handle(AppendFailed(0, FailureKind.FULL, "no space")) == ()
    assert server.handle(Tick(10)) == (Append(hard_state=HardState(1, "a"), epoch=1),)
    assert server.handle(Tick(20)) == ()
    assert server.handle(Appended(0, 0, HardState(1, "a"), epoch=1))[0] == BecameLeader(1)


def test_a_noop_that_found_no_room_is_appended_again_before_anything_else_of_its_term():
    def leader_without_noop():
        server = RaftServer("a", Configuration(("a",)))
        server.handle(Recovered())
        server.handle(Appended(0, 0, HardState(1, "a")))
        server.handle(AppendFailed(0, FailureKind.FULL, "no space"))
        return server

    assert leader_without_noop().handle(Tick(10)) == (Append((noop(1, 1),), epoch=1),)
    effects = leader_without_noop().handle(Propose(b"x", "t"))
    assert effects == (Append((noop(1, 1), command(2, 1, b"x")), epoch=1),)


def test_a_member_of_three_waits_for_the_others_and_does_not_elect_itself():
    server = RaftServer("a", Configuration(("a", "b", "c")))
    assert server.handle(Recovered()) == ()
    assert server.handle(Tick(1_000_000)) == ()
    assert server.role is Role.FOLLOWER


def test_a_newer_term_is_taken_on_and_made_durable_and_an_older_one_is_told_so():
    server = RaftServer("a", Configuration(("a", "b", "c")))
    server.handle(Recovered(HardState(3, "a")))
    assert server.handle(Received(VoteReply("b", 5, granted=False))) == (Append(hard_state=HardState(5, None)),)
    assert server.handle(Received(VoteReply("b", 4, granted=True))) == ()
    late = AppendEntries("c", 4, previous_index=0, previous_term=0)
    assert server.handle(Received(late)) == (Send("c", AppendReply("a", 5, accepted=False, index=0)),)


def test_the_same_events_give_the_same_effects():
    events = [
        Recovered(HardState(2, "a"), 3, 2, (command(4, 2, b"x"),)),
        Appended(4, 2, HardState(3, "a")),
        Propose(b"y", 1),
        Appended(6, 3),
        AppendFailed(6, FailureKind.FAILED, "broken"),
        Tick(5),
        Propose(b"z", 2),
    ]
    one, other = RaftServer("a", Configuration(("a",))), RaftServer("a", Configuration(("a",)))
    assert [one.handle(event) for event in events] == [other.handle(event) for event in events]
    assert one.status() == other.status()
