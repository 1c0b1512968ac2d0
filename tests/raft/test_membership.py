"""Changing who belongs to a cluster, told as conversations."""

import pytest

from flurm.raft.effects import Commit, ConfigurationChanged, Reject, RejectReason, SteppedDown
from flurm.raft.events import AppendFailed, Campaign, ChangeMembership, FailureKind, Propose, Recovered
from flurm.raft.records import Configuration, Entry, EntryKind, HardState, Role
from flurm.raft.server import RaftServer
from tests.raft.cluster import Cluster


def leader(voters="abc", learners="", others=""):
    cluster = Cluster(voters, learners, others)
    cluster.elect("a")
    return cluster


def ask(cluster, voters, learners="", name="a", addresses=None):
    return cluster.tell(name, ChangeMembership(tuple(voters), tuple(learners), addresses or {}, token="change"))


def configurations(cluster, name):
    return [
        (c.configuration.voters, c.configuration.learners, c.configuration.outgoing) for c in changes(cluster, name)
    ]


def changes(cluster, name):
    return cluster.did(name, ConfigurationChanged)


def answers(cluster, name="a"):
    """What came of the change: the reason of its refusal, True for its commit."""
    refused = [reject.reason for reject in cluster.did(name, Reject) if reject.token == "change"]
    return refused + [True for commit in cluster.did(name, Commit) if "change" in commit.tokens]


def test_a_new_voter_learns_first_then_old_and_new_decide_together_then_the_new_ones_alone():
    cluster = leader(others="d")
    cluster.propose("a", b"x")
    ask(cluster, "abcd")
    cluster.run(1_000)
    old, new = tuple("abc"), tuple("abcd")
    assert configurations(cluster, "a") == [(old, ("d",), ()), (new, (), old), (new, (), ())]
    assert answers(cluster) == [True]
    assert {host.server.configuration.voters for host in cluster.hosts.values()} == {new}
    assert cluster.hosts["d"].commands == [b"x"]


def test_a_cluster_of_one_becomes_one_of_three_and_back():
    cluster = leader("a", others="bc")
    cluster.propose("a", b"x")
    ask(cluster, "abc")
    cluster.run(1_000)
    assert [host.commands for host in cluster.hosts.values()] == [[b"x"]] * 3
    ask(cluster, "a")
    cluster.run(500)
    assert answers(cluster) == [True, True]
    cluster.cut_off = {"b", "c"}
    cluster.propose("a", b"y")
    assert cluster.hosts["a"].commands == [b"x", b"y"] and cluster["a"].alone


@pytest.mark.parametrize("silent", ["bc", "de"])
def test_in_a_joint_configuration_neither_side_decides_without_the_other(silent):
    cluster = leader("abc", learners="de")
    cluster.run(100)
    cluster.cut_off = set(silent)
    ask(cluster, "ade")
    cluster.run(120)
    assert cluster["a"].configuration.outgoing == tuple("abc") and answers(cluster) == []
    cluster.cut_off = set()
    cluster.run(500)
    assert answers(cluster) == [True]


def test_a_leader_that_is_removed_sees_the_change_through_names_a_successor_and_stands_no_more():
    cluster = leader("abc")
    ask(cluster, "bc")
    cluster.run(100)
    assert answers(cluster) == [True] and cluster.did("a", SteppedDown)
    assert cluster.leaders in (["b"], ["c"]), "without waiting for an election timeout"
    cluster.run(2_000)
    assert cluster["a"].role is Role.FOLLOWER and cluster["b"].term == 2


def test_a_removed_follower_learns_of_it_and_disturbs_nobody():
    cluster = leader("abc")
    ask(cluster, "ab")
    cluster.run(3_000)
    assert cluster["c"].configuration.voters == ("a", "b")
    assert cluster.leaders == ["a"] and cluster["a"].term == 1
    assert "c" not in cluster["a"].progress


def test_a_member_that_was_removed_while_it_was_away_disturbs_nobody_either():
    cluster = leader("abc")
    cluster.cut_off = {"c"}
    ask(cluster, "ab")
    cluster.run(3_000)
    cluster.cut_off = set()
    cluster.run(3_000)
    assert cluster.leaders == ["a"] and cluster["a"].term == 1


def test_where_only_learners_change_one_entry_is_enough():
    cluster = leader("abc", others="d")
    ask(cluster, "abc", "d")
    cluster.run(200)
    assert configurations(cluster, "a") == [(tuple("abc"), ("d",), ())]
    assert answers(cluster) == [True]


def test_a_voter_can_become_a_learner():
    cluster = leader("abc")
    ask(cluster, "ab", "c")
    cluster.run(300)
    cluster.propose("a", b"x")
    cluster.run(100)
    assert cluster.hosts["c"].commands == [b"x"] and cluster["a"].configuration.learners == ("c",)


def test_a_new_voter_that_does_not_get_the_log_in_time_is_given_up():
    cluster = leader("abc", others="d")
    cluster.cut_off = {"d"}
    ask(cluster, "abcd")
    cluster.run(1_000)
    assert answers(cluster) == []
    cluster.run(60_000)
    (refused,) = [reject for reject in cluster.did("a", Reject) if reject.token == "change"]
    assert refused.detail == "given up: d did not get the log within 60000 ms"
    assert cluster["a"].configuration == Configuration(tuple("abc"))
    ask(cluster, "ab")
    cluster.run(300)
    assert True in answers(cluster), "the next change has a chance"


def test_a_new_leader_finishes_a_joint_configuration_that_it_finds():
    cluster = leader("abc", learners="d")
    cluster.run(100)
    ask(cluster, "bcd")
    cluster.deliver(1)
    cluster.mail.clear()
    cluster.cut_off = {"a"}
    cluster.run(2_000)
    (second,) = [name for name in cluster.leaders if name != "a"]
    assert cluster[second].configuration == Configuration(tuple("bcd"))
    assert answers(cluster) == [RejectReason.LEADERSHIP_LOST]


def test_a_configuration_that_is_cut_off_the_log_is_no_longer_in_force():
    cluster = leader("abc", learners="d")
    cluster.run(100)
    cluster.cut_off = {"a"}
    ask(cluster, "abcd")
    assert cluster["a"].configuration.outgoing
    cluster.run(1_000)
    cluster.cut_off = set()
    cluster.run(500)
    assert cluster["a"].configuration == Configuration(tuple("abc"), ("d",))
    assert changes(cluster, "a")[-1].configuration == Configuration(tuple("abc"), ("d",))


def test_only_one_change_at_a_time():
    cluster = leader("abc", others="d")
    ask(cluster, "abcd")
    (refused,) = ask(cluster, "ab")
    assert refused.reason is RejectReason.BUSY and refused.detail == "another change of membership is under way"


@pytest.mark.parametrize(
    ("voters", "learners", "addresses", "detail"),
    [
        ("", "a", {}, "a cluster needs at least one voter"),
        ("aab", "", {}, "a member is named twice"),
        ("ab", "b", {}, "b cannot be voter and learner at once"),
        ("ab", "", {"z": "z:1"}, "z has an address and is neither voter nor learner"),
        ("abd", "", {"a": "a:1", "b": "b:1"}, "nobody knows where d listens: give its address"),
        ("cab", "", {}, "the cluster has these members already"),
        (["a", ""], "", {}, "a member needs a name"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_is_wrong(voters, learners, addresses, detail):
    cluster = leader("abc")
    (refused,) = ask(cluster, voters, learners, addresses=addresses)
    assert (refused.reason, refused.detail) == (RejectReason.INVALID, detail)
    assert changes(cluster, "a") == []


def test_a_follower_and_a_leader_that_does_not_know_yet_what_is_committed_refuse():
    cluster = leader("abc")
    (refused,) = ask(cluster, "ab", name="b")
    assert (refused.reason, refused.leader) == (RejectReason.NOT_LEADER, "a")
    cluster = Cluster("abc")
    cluster.tell("a", Campaign())
    cluster.deliver(2)
    (refused,) = ask(cluster, "ab")
    assert cluster.leaders == ["a"] and refused.reason is RejectReason.BUSY


def test_after_a_restart_the_configuration_in_the_log_holds_not_the_one_a_member_was_made_with():
    configuration = Configuration(("a", "b"))
    change = Entry(1, 1, EntryKind.CONFIGURATION, configuration.encode())
    server = RaftServer("a", Configuration(("a",)))
    assert ConfigurationChanged(configuration) in server.handle(Recovered(HardState(1), entries=(change,)))
    assert server.role is Role.FOLLOWER and server.voters == {"a", "b"}


def test_a_snapshot_remembers_the_configuration_at_its_end():
    cluster = leader("abc", others="d")
    before = cluster["a"].commit_index
    ask(cluster, "abc", "d")
    cluster.run(200)
    assert cluster["a"].configuration_at(before) == Configuration(tuple("abc"))
    assert cluster["a"].configuration_at(before + 1) == Configuration(tuple("abc"), ("d",))
    server = RaftServer("a", Configuration(("a",)))
    server.handle(Recovered(HardState(1), 5, 1, (), Configuration(("a", "b"))))
    assert server.voters == {"a", "b"}


def test_a_cluster_of_one_that_cannot_store_the_change_stays_one():
    cluster = leader("a", others="b")
    cluster.hosts["a"].hold()
    ask(cluster, "ab")
    cluster.hosts["a"].take_answers()
    cluster.hosts["a"].disk.pop()
    cluster.tell("a", AppendFailed(1, FailureKind.FULL, "no space"))
    assert answers(cluster) == [RejectReason.LEADERSHIP_LOST]
    cluster.run(100)
    cluster.tell("a", Propose(b"x"))
    assert cluster.hosts["a"].commands == [b"x"] and cluster["a"].alone


def test_a_member_that_the_newest_entry_removes_still_stands_while_that_may_be_undone():
    """Found by the simulation: only removed members had the final entry, the others could not win without it."""
    four, one = Configuration(tuple("abcd")), Configuration(("b",))
    joint = Configuration(("b",), outgoing=tuple("abcd"))
    entries = [Entry(i, 1, EntryKind.CONFIGURATION, c.encode()) for i, c in ((1, four), (2, joint), (3, one))]
    cluster = Cluster("abcd")
    for name, held in (("a", 3), ("b", 2), ("c", 2), ("d", 3)):
        cluster.hosts[name].disk, cluster.hosts[name].hard_state = entries[:held], HardState(1)
        cluster.restart(name)
    cluster.run(2_000)
    assert cluster.leaders == ["b"] and cluster["b"].configuration == one
    assert cluster["b"].commit_index > 3


def test_a_leader_that_has_just_removed_everybody_else_does_not_reuse_places_that_they_may_have_seen():
    """Found by the simulation: the last member removed still was sent entries, which the disk then refused."""
    cluster = leader("ab")
    ask(cluster, "a")
    cluster.run(20)
    assert cluster["a"].alone and "b" in cluster["a"].progress
    last = cluster["a"].log.last_index
    cluster.hosts["a"].hold()
    cluster.propose("a", b"x")
    cluster.deliver()
    cluster.hosts["a"].take_answers()
    cluster.hosts["a"].disk.pop()
    assert cluster.tell("a", AppendFailed(last, FailureKind.FULL, "no space"))[0] == SteppedDown(1, None)
    cluster.run(100)
    cluster.propose("a", b"y")
    assert cluster.hosts["a"].commands == [b"y"] and cluster["a"].term == 2
