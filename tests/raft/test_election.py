"""Elections between members, told as conversations."""

from flurm.raft.effects import Append, BecameLeader, LeaderChanged, Reject, RejectReason, Send, SteppedDown
from flurm.raft.events import Appended, AppendFailed, Campaign, FailureKind, Received, Recovered, StateLags, Tick
from flurm.raft.messages import AppendEntries, AppendReply, RequestVote, TimeoutNow, VoteReply
from flurm.raft.records import Configuration, Entry, EntryKind, HardState, Role
from flurm.raft.server import RaftServer
from tests.raft.cluster import Cluster


def member(name="a", voters="abc", hard_state=HardState(), entries=()):  # noqa: B008
    server = RaftServer(name, Configuration(tuple(voters)))
    server.handle(Recovered(hard_state, entries=tuple(entries)))
    server.handle(Tick(1_000))
    return server


def entry(index, term):
    return Entry(index, term, EntryKind.COMMAND, b"x")


def sends(effects):
    return [(effect.to, effect.message) for effect in effects if isinstance(effect, Send)]


def test_a_member_that_misses_a_leader_first_asks_whether_it_could_win_and_changes_nothing():
    server = member(hard_state=HardState(3, "b"), entries=[entry(1, 2)])
    asked = RequestVote("a", 4, last_index=1, last_term=2, pre=True)
    assert server.handle(Tick(1_301)) == (Send("b", asked), Send("c", asked))
    assert server.role is Role.FOLLOWER and server.hard_state == HardState(3, "b")


def test_it_stands_when_a_majority_says_yes_and_asks_for_votes_when_its_own_is_durable():
    server = member(hard_state=HardState(3))
    server.handle(Tick(1_301))
    assert server.handle(Received(VoteReply("b", 4, granted=True, pre=True))) == (Append(hard_state=HardState(4, "a")),)
    asked = RequestVote("a", 4, last_index=0, last_term=0)
    assert sends(server.handle(Appended(0, 0, HardState(4, "a")))) == [("b", asked), ("c", asked)]
    assert BecameLeader(4) in server.handle(Received(VoteReply("c", 4, granted=True)))


def test_a_vote_is_given_only_when_it_is_durable():
    server = member()
    request = RequestVote("b", 2, last_index=0, last_term=0)
    assert server.handle(Received(request)) == (Append(hard_state=HardState(2, "b")),)
    assert server.handle(Received(request)) == ()
    given = ("b", VoteReply("a", 2, granted=True))
    assert sends(server.handle(Appended(0, 0, HardState(2, "b")))) == [given]
    assert sends(server.handle(Received(request))) == [given], "the first answer may have been lost"


def test_a_member_votes_once_in_a_term_and_remembers_it_after_a_restart():
    request = RequestVote("c", 2, last_index=9, last_term=1)
    server = member(hard_state=HardState(2, "b"))
    assert server.handle(Received(request)) == (Send("c", VoteReply("a", 2, granted=False)),)


def test_a_candidate_whose_log_is_older_gets_no_vote():
    server = member(hard_state=HardState(2), entries=[entry(1, 1), entry(2, 2)])
    for last_index, last_term in [(9, 1), (1, 2)]:
        ((_, reply),) = sends(server.handle(Received(RequestVote("b", 3, last_index, last_term))))
        assert not reply.granted
    server.handle(Received(RequestVote("c", 4, last_index=2, last_term=2)))
    assert server.hard_state == HardState(4, "c")


def test_who_hears_a_leader_does_not_take_part_in_an_election_unless_that_leader_hands_over():
    server = member(hard_state=HardState(2))
    server.handle(Received(AppendEntries("b", 2, 0, 0)))
    assert server.handle(Received(RequestVote("c", 3, 5, 2))) == ()
    ((_, reply),) = sends(server.handle(Received(RequestVote("c", 3, 5, 2, pre=True))))
    assert reply == VoteReply("a", 2, granted=False, pre=True)
    server.handle(Received(RequestVote("c", 3, 5, 2, transfer=True)))
    assert server.hard_state == HardState(3, "c")


def test_a_refused_pre_vote_tells_of_a_newer_term():
    server = member(hard_state=HardState(3), entries=[entry(1, 3)])
    server.handle(Tick(1_301))
    server.handle(Received(VoteReply("b", 7, granted=False, pre=True)))
    assert server.hard_state == HardState(7)


def test_answers_to_an_earlier_election_do_not_count():
    server = member(hard_state=HardState(3))
    server.handle(Tick(1_301))
    server.handle(Received(VoteReply("b", 3, granted=True, pre=True)))
    assert server.role is Role.FOLLOWER
    server.handle(Received(VoteReply("b", 4, granted=True, pre=True)))
    server.handle(Appended(0, 0, HardState(4, "a")))
    server.handle(Received(VoteReply("b", 4, granted=True, pre=True)))
    assert server.role is Role.CANDIDATE, "saying that one would vote is no vote"


def test_a_candidate_asks_those_again_that_have_not_answered():
    server = member()
    server.handle(Tick(1_301))
    server.handle(Received(VoteReply("b", 0, granted=False, pre=True)))
    assert [to for to, _ in sends(server.handle(Tick(1_360)))] == ["c"]


def test_a_candidate_follows_whoever_leads_in_its_term():
    server = member()
    server.handle(Campaign())
    server.handle(Appended(0, 0, HardState(1, "a")))
    effects = server.handle(Received(AppendEntries("b", 1, 0, 0)))
    assert LeaderChanged(1, "b") in effects and server.role is Role.FOLLOWER


def test_the_first_to_miss_the_leader_is_followed_by_the_others():
    cluster = Cluster("abc")
    cluster.run(1_000)
    assert len(cluster.leaders) == 1
    leader = cluster.leaders[0]
    assert {host.server.leader for host in cluster.hosts.values()} == {leader}
    assert {host.server.term for host in cluster.hosts.values()} == {1}, "one election was enough"


def test_a_member_whose_state_is_not_there_yet_lets_the_others_stand_first_and_stands_where_they_do_not():
    server = member()
    server.handle(StateLags(True))
    server.handle(Received(AppendEntries("b", 1, 0, 0)))
    assert sends(server.handle(Tick(1_301))) == []
    assert {to for to, _ in sends(server.handle(Tick(1_601)))} == {"b", "c"}
    server.handle(StateLags(False))
    assert {to for to, _ in sends(server.handle(Tick(1_902)))} == {"b", "c"}, "the wait is as long as others' again"


def test_a_follower_knows_how_late_the_heartbeats_of_its_leader_have_been():
    server = member()
    for leader, term, at_ms in [("b", 1, 1_010), ("b", 1, 1_060), ("b", 1, 1_190), ("b", 1, 1_240)]:
        server.handle(Received(AppendEntries(leader, term, 0, 0)), at_ms)
    assert server.status().longest_silence_ms == 130
    server.handle(Received(AppendEntries("c", 2, 0, 0)), 1_290)
    assert server.status().longest_silence_ms == 0, "of another leader nothing is known yet"


def test_a_member_that_was_cut_off_comes_back_without_raising_the_term():
    cluster = Cluster("abc")
    cluster.elect("a")
    cluster.cut_off = {"c"}
    cluster.run(2_000)
    cluster.cut_off = set()
    cluster.run(500)
    assert cluster.leaders == ["a"] and cluster["c"].term == cluster["a"].term == 1


def test_a_leader_that_nobody_answers_steps_down_and_another_one_takes_over():
    cluster = Cluster("abc")
    cluster.elect("a")
    cluster.cut_off = {"a"}
    cluster.run(1_000)
    assert SteppedDown(1, None) in cluster.did("a", SteppedDown)
    assert cluster["a"].role is Role.FOLLOWER and len(cluster.leaders) == 1


def test_a_leader_of_an_older_term_is_told_so():
    server = member(hard_state=HardState(5))
    assert sends(server.handle(Received(AppendEntries("b", 4, 0, 0)))) == [("b", AppendReply("a", 5, False, 0))]


def test_a_member_that_is_told_to_take_over_stands_at_once_and_says_that_it_was_asked():
    server = member(hard_state=HardState(2))
    server.handle(Received(AppendEntries("b", 2, 0, 0)))
    assert Append(hard_state=HardState(3, "a")) in server.handle(Received(TimeoutNow("b", 2)))
    (_, request), _ = sends(server.handle(Appended(0, 0, HardState(3, "a"))))
    assert request.transfer


def test_who_is_no_voter_never_stands():
    server = member("d", voters="abc")
    for event in (Tick(9_000), Campaign(), Tick(99_000)):
        assert server.handle(event) == ()


def test_a_leader_whose_disk_refuses_steps_down_and_lets_others_stand_first():
    cluster = Cluster("abc")
    cluster.elect("a")
    cluster.hosts["a"].hold()
    cluster.propose("a", b"x")
    cluster.hosts["a"].take_answers()
    cluster.hosts["a"].disk.pop()
    effects = cluster.tell("a", AppendFailed(1, FailureKind.FULL, "no space"))
    assert effects[0] == SteppedDown(1, None)
    assert Reject(b"x", RejectReason.LEADERSHIP_LOST, "leadership was lost", None) in effects
    cluster.run(1_000)
    assert cluster.leaders in (["b"], ["c"])
    assert all(host.commands == [b"x"] for host in cluster.hosts.values()), "the others had it"


def test_an_administrator_can_have_a_member_lead_that_follows():
    cluster = Cluster("abc")
    cluster.elect("a")
    cluster.elect("b")
    assert cluster["b"].term == 2
