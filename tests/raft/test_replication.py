"""How entries get from a leader to the others, told as conversations."""

from flurm.raft.effects import Append, Commit, Reject, Send
from flurm.raft.events import Appended, AppendFailed, FailureKind, Propose, Received, Recovered, Tick
from flurm.raft.limits import Limits
from flurm.raft.messages import AppendEntries, AppendReply, VoteReply
from flurm.raft.records import Configuration, Entry, EntryKind, HardState, Role
from flurm.raft.server import RaftServer
from tests.raft.cluster import Cluster


def entry(index, term, payload=b"x"):
    return Entry(index, term, EntryKind.COMMAND, payload)


def follower(*entries, term=2):
    """A member that follows ``b`` in ``term`` and has ``entries``."""
    server = RaftServer("a", Configuration(("a", "b", "c")))
    server.handle(Recovered(HardState(term), entries=entries))
    server.handle(Tick(1_000))
    return server


def replies(effects):
    return [effect.message for effect in effects if isinstance(effect, Send)]


def leader(limits=Limits()):  # noqa: B008
    """A cluster of three led by ``a`` in term 1, its no-op committed."""
    cluster = Cluster("abc", limits=limits)
    cluster.elect("a")
    return cluster


def to(cluster, name):
    return [sent.message for sent in cluster.mail if sent.to == name]


def test_what_is_proposed_is_applied_by_all_in_the_same_order():
    cluster = leader()
    cluster.propose("a", b"x", b"y", b"z")
    cluster.run(100)
    assert [host.commands for host in cluster.hosts.values()] == [[b"x", b"y", b"z"]] * 3
    (commit,) = [c for c in cluster.did("a", Commit) if b"x" in c.tokens]
    assert commit.tokens[0] == b"x"


def test_the_others_learn_at_once_what_is_committed_and_not_with_the_next_heartbeat():
    cluster = leader()
    cluster.run(100)
    cluster.propose("a", b"x")
    cluster.deliver()
    assert [host.commands for host in cluster.hosts.values()] == [[b"x"]] * 3
    assert cluster.mail == [], "it is said once"


def test_a_leader_commits_when_a_majority_holds_the_entry_durably_and_it_is_among_them():
    cluster = leader()
    for name in "ac":
        cluster.hosts[name].hold()
    cluster.propose("a", b"x")
    cluster.deliver()
    assert cluster["a"].commit_index == 1, "only b has it on disk"
    cluster.release("c")
    cluster.deliver()
    assert cluster["a"].commit_index == 1, "what it commits the leader has itself"
    cluster.release("a")
    assert cluster["a"].commit_index == 2


def test_a_follower_answers_for_entries_when_they_are_durable_and_for_heartbeats_at_once():
    server = follower()
    entries = (entry(1, 2), entry(2, 2))
    (append,) = [e for e in server.handle(Received(AppendEntries("b", 2, 0, 0, entries))) if isinstance(e, Append)]
    assert append.entries == entries
    (reply,) = replies(server.handle(Received(AppendEntries("b", 2, 2, 2, (), 0, 7))))
    assert reply == AppendReply("a", 2, True, 0, round=7)
    assert replies(server.handle(Appended(2, 2))) == [AppendReply("a", 2, True, 2, round=7)]


def test_a_follower_gives_no_answer_in_a_term_that_it_could_forget():
    server = follower()
    effects = server.handle(Received(AppendEntries("b", 3, 0, 0)))
    assert Append(hard_state=HardState(3)) in effects and replies(effects) == []
    assert replies(server.handle(Appended(0, 0, HardState(3)))) == [AppendReply("a", 3, True, 0)]


def test_a_follower_applies_what_is_committed_when_it_has_it_on_disk():
    server = follower()
    assert not any(
        isinstance(e, Commit) for e in server.handle(Received(AppendEntries("b", 2, 0, 0, (entry(1, 2),), 1)))
    )
    assert Commit((entry(1, 2),), (None,)) in server.handle(Appended(1, 2))


def test_a_follower_does_not_apply_what_may_differ_from_the_leaders_log():
    server = follower(entry(1, 1), entry(2, 1))
    server.handle(Received(AppendEntries("b", 2, 1, 1, (), 2)))
    assert server.commit_index == 1, "entry 2 is of term 1 here and may be another one there"


def test_entries_that_are_here_already_are_not_written_again():
    server = follower(entry(1, 2), entry(2, 2))
    effects = server.handle(Received(AppendEntries("b", 2, 0, 0, (entry(1, 2), entry(2, 2), entry(3, 2)))))
    assert [e.entries for e in effects if isinstance(e, Append)] == [(entry(3, 2),)]
    assert replies(server.handle(Received(AppendEntries("b", 2, 0, 0, (entry(1, 2),))))) == [
        AppendReply("a", 2, True, 2)
    ]


def test_a_follower_with_a_gap_names_its_last_entry():
    server = follower(entry(1, 1))
    (reply,) = replies(server.handle(Received(AppendEntries("b", 2, 5, 2))))
    assert reply == AppendReply("a", 2, False, 1, 1)


def test_a_follower_that_disagrees_names_its_newest_entry_that_is_not_newer():
    server = follower(entry(1, 1), entry(2, 1), entry(3, 3), entry(4, 3), term=5)
    (reply,) = replies(server.handle(Received(AppendEntries("b", 5, 4, 2))))
    assert reply == AppendReply("a", 5, False, 2, 1)


def test_a_suffix_that_the_leader_contradicts_is_replaced():
    server = follower(entry(1, 1), entry(2, 1, b"old"), entry(3, 1, b"old"))
    effects = server.handle(Received(AppendEntries("b", 2, 1, 1, (entry(2, 2, b"new"),))))
    assert Append((entry(2, 2, b"new"),)) in effects
    assert server.log.last_index == 2 and server.durable_index == 1
    assert replies(server.handle(Appended(2, 2))) == [AppendReply("a", 2, True, 2)]


def test_entries_are_not_replaced_while_others_are_being_written():
    """The answer to the earlier append would otherwise pass for one to the later."""
    server = follower(entry(1, 1))
    server.handle(Received(AppendEntries("b", 2, 1, 1, (entry(2, 2),))))
    effects = server.handle(Received(AppendEntries("c", 3, 1, 1, (entry(2, 3, b"other"),))))
    assert [e for e in effects if isinstance(e, Append) and e.entries] == []
    server.handle(Appended(1, 1, HardState(3)))
    effects = server.handle(Appended(2, 2))
    assert [e.entries for e in effects if isinstance(e, Append)] == [(entry(2, 3, b"other"),)]


def test_a_follower_whose_disk_refuses_forgets_the_entries_and_says_nothing_until_it_is_asked():
    server = follower(entry(1, 1))
    server.handle(Received(AppendEntries("b", 2, 1, 1, (entry(2, 2),))))
    assert server.handle(AppendFailed(1, FailureKind.FULL, "no space")) == ()
    assert server.log.last_index == 1
    (reply,) = replies(server.handle(Received(AppendEntries("b", 2, 2, 2))))
    assert reply == AppendReply("a", 2, False, 1, 1)


def test_entries_that_were_to_be_replaced_and_still_are_on_disk_do_not_come_back():
    server = follower(entry(1, 1), entry(2, 1, b"old"), entry(3, 1, b"old"))
    server.handle(Received(AppendEntries("b", 2, 1, 1, (entry(2, 2, b"new"),))))
    server.handle(AppendFailed(3, FailureKind.FULL, "could not even cut the log"))
    assert server.log.last_index == 1 == server.durable_index
    effects = server.handle(Received(AppendEntries("b", 2, 1, 1, (entry(2, 2, b"new"),))))
    assert Append((entry(2, 2, b"new"),), epoch=1) in effects


def test_a_follower_whose_disk_is_full_catches_up_when_there_is_room():
    cluster = leader()
    cluster.hosts["c"].hold()
    cluster.propose("a", b"x")
    cluster.deliver()
    cluster.hosts["c"].take_answers()
    cluster.hosts["c"].disk.pop()
    cluster.tell("c", AppendFailed(1, FailureKind.FULL, "no space"))
    cluster.run(200)
    assert cluster.hosts["c"].commands == [b"x"]


def test_while_answers_are_outstanding_proposals_gather_and_go_out_together():
    cluster = leader(Limits(window_messages=2))
    cluster.propose("a", *(b"%d" % number for number in range(10)))
    assert [len(message.entries) for message in to(cluster, "b")] == [1, 1]
    cluster.mail, first = [], cluster.mail
    for sent in first:
        cluster.deliver_one(sent)
    cluster.deliver_one(cluster.mail.pop(0))
    assert [len(message.entries) for message in to(cluster, "b")] == [8]


def test_a_message_holds_no_more_than_its_limits_but_always_an_entry():
    cluster = leader(Limits(message_bytes=10, message_entries=3))
    cluster.cut_off = {"b"}
    cluster.propose("a", b"123456789012345", b"1", b"2", b"3", b"4", b"12345678", b"5")
    cluster.cut_off = set()
    cluster.mail.clear()
    cluster.tick("a", 50)
    cluster.deliver(1)
    cluster.deliver(1)
    cluster.deliver(1)
    assert all(len(m.entries) == 1 or sum(len(e.payload) for e in m.entries) <= 10 for m in to(cluster, "b"))
    cluster.run(300)
    assert cluster.hosts["b"].commands == cluster.hosts["a"].commands
    assert len(cluster.hosts["b"].commands) == 7


def test_what_was_lost_on_the_way_is_sent_again_with_the_next_heartbeat():
    cluster = leader()
    cluster.propose("a", b"x")
    cluster.mail.clear()
    cluster.run(100)
    assert [host.commands for host in cluster.hosts.values()] == [[b"x"]] * 3


def test_answers_that_come_in_another_order_or_twice_change_nothing():
    cluster = leader()
    cluster.propose("a", b"x", b"y")
    cluster.mail, requests = [], cluster.mail
    for sent in reversed(requests):
        cluster.deliver_one(sent)
        cluster.deliver_one(sent)
    cluster.mail.reverse()
    cluster.run(200)
    assert [host.commands for host in cluster.hosts.values()] == [[b"x", b"y"]] * 3


def test_entries_of_an_earlier_term_are_not_committed_by_counting_who_holds_them():
    """Figure 8 of the Raft paper: a majority holds entry 2 of term 2, and yet it may still be replaced."""
    server = RaftServer("a", Configuration(("a", "b", "c")))
    server.handle(Recovered(HardState(3), entries=(entry(1, 1), entry(2, 2))))
    server.handle(Tick(0))
    server.handle(Tick(301))
    server.handle(Received(VoteReply("b", 4, granted=True, pre=True)))
    server.handle(Appended(2, 2, HardState(4, "a")))
    server.handle(Received(VoteReply("b", 4, granted=True)))
    assert server.role is Role.LEADER
    server.handle(Received(AppendReply("b", 4, True, 2)))
    assert server.commit_index == 0
    server.handle(Received(AppendReply("b", 4, True, 3)))
    (commit,) = [e for e in server.handle(Appended(3, 4)) if isinstance(e, Commit)]
    assert [e.index for e in commit.entries] == [1, 2, 3]


def test_logs_that_differ_in_many_terms_meet_in_a_few_messages():
    old = tuple(entry(index, 1 if index < 10 else 2) for index in range(1, 200))
    new = tuple(entry(index, 1 if index < 10 else 3) for index in range(1, 300))
    cluster = Cluster("abc")
    for name, entries, term in (("a", new, 3), ("b", new, 3), ("c", old, 2)):
        cluster.hosts[name].disk, cluster.hosts[name].hard_state = list(entries), HardState(term)
        cluster.restart(name)
    cluster.elect("a")
    refused = [
        s.message for s in cluster.did("c", Send) if isinstance(s.message, AppendReply) and not s.message.accepted
    ]
    assert len(refused) <= 3
    assert cluster.hosts["c"].disk == cluster.hosts["a"].disk


def test_members_that_do_not_answer_get_heartbeats_without_entries():
    cluster = leader()
    cluster.cut_off = {"c"}
    cluster.run(400)
    cluster.propose("a", b"x" * 1000)
    cluster.run(60)
    cluster.mail.clear()
    cluster.tick("a", 50)
    assert [message.entries for message in to(cluster, "c")] == [()]


def test_a_leader_heartbeats_at_its_interval_and_says_when_it_wants_the_next_tick():
    cluster = leader()
    cluster.mail.clear()
    server = cluster["a"]
    due = server.next_deadline_ms
    cluster.tell("a", Tick(due - 1))
    assert cluster.mail == []
    cluster.tell("a", Tick(due))
    assert {sent.to for sent in cluster.mail} == {"b", "c"}
    assert server.next_deadline_ms == due + 50


def test_a_leader_that_lost_its_place_gives_up_what_waits_and_the_new_one_may_still_commit_it():
    cluster = leader()
    cluster.propose("a", b"x")
    cluster.deliver(1)
    cluster.mail.clear()
    cluster.elect("b")
    assert [r.token for r in cluster.did("a", Reject)] == [b"x"]
    assert cluster.hosts["c"].commands == [b"x"]


def test_a_machine_version_is_carried_like_a_command():
    cluster = leader()
    cluster.tell("a", Propose(b"2", "t", EntryKind.MACHINE_VERSION))
    cluster.run(100)
    assert cluster.hosts["c"].applied[-1] == Entry(2, 1, EntryKind.MACHINE_VERSION, b"2")


def test_no_entry_of_a_term_is_stored_before_the_term_whatever_storage_refused_meanwhile():
    server = RaftServer("b", Configuration(("a", "b", "c")))
    server.handle(Recovered())
    term = HardState(3)
    assert Append(hard_state=term) in server.handle(Received(AppendEntries("a", 3, 0, 0)))
    server.handle(AppendFailed(0, FailureKind.FULL, "no space"))
    entry = Entry(1, 3, EntryKind.COMMAND, b"x")
    assert server.handle(Received(AppendEntries("a", 3, 0, 0, (entry,)))) == (Append((entry,), term, epoch=1),)
    assert server.handle(Appended(1, 3, term, epoch=1))[-1].message.index == 1
