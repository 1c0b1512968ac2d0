"""Switching the state machine's version when every member can do it, told as conversations."""

from flurm.raft.effects import Reject
from flurm.raft.events import AppendFailed, ChangeMembership, FailureKind, MachineKnown, Propose
from flurm.raft.messages import AppendReply, decode, encode
from flurm.raft.records import Entry, EntryKind
from tests.raft.cluster import Cluster


def of_members(voters="abc", learners="", others="", newest=1):
    """A cluster that `a` leads; at version 1, which every member can do, and everything up to `newest`."""
    cluster = Cluster(voters, learners, others)
    for name in cluster.hosts:
        can_do(cluster, name, newest)
    cluster.elect("a")
    return cluster


def can_do(cluster, name, newest, in_force=1, oldest=1):
    cluster.tell(name, MachineKnown(in_force, (oldest, newest)))


def switches(cluster, name="a"):
    """The versions that a member was told to switch to."""
    return [int(entry.payload) for entry in cluster.hosts[name].applied if entry.kind is EntryKind.MACHINE_VERSION]


def refusals(cluster, name="a"):
    return [reject.detail for reject in cluster.did(name, Reject) if reject.token == "change"]


def add(cluster, *voters):
    cluster.tell("a", ChangeMembership(voters, token="change"))
    cluster.run(1_000)


def test_the_version_is_switched_once_every_member_can_do_the_newer_one():
    cluster = of_members()
    for name in "abc":
        cluster.run(500)
        assert switches(cluster) == []
        can_do(cluster, name, newest=2)
    cluster.run(500)
    assert [switches(cluster, name) for name in "abc"] == [[2], [2], [2]]


def test_it_goes_as_far_as_the_least_able_member():
    cluster = of_members(newest=4)
    assert switches(cluster) == [4]
    cluster = of_members()
    can_do(cluster, "b", newest=3)
    can_do(cluster, "c", newest=2)
    can_do(cluster, "a", newest=9)
    cluster.run(500)
    assert switches(cluster) == [2]


def test_a_learner_has_to_be_able_too():
    cluster = of_members("abc", learners="d")
    for name in "abc":
        can_do(cluster, name, newest=2)
    cluster.run(500)
    assert switches(cluster) == []
    can_do(cluster, "d", newest=2)
    cluster.run(500)
    assert switches(cluster, "d") == [2]


def test_a_member_that_has_not_been_heard_of_lately_may_have_become_another():
    cluster = of_members()
    can_do(cluster, "b", newest=2)
    can_do(cluster, "c", newest=2)
    cluster.run(200)
    cluster.cut_off = {"c"}
    cluster.run(1_000)
    can_do(cluster, "a", newest=2)
    cluster.run(500)
    assert switches(cluster) == []
    cluster.cut_off = set()
    cluster.run(500)
    assert switches(cluster) == [2]


def test_what_a_member_could_do_under_the_leader_before_is_asked_anew():
    cluster = of_members()
    for name in "bc":
        can_do(cluster, name, newest=2)
    cluster.run(200)
    can_do(cluster, "c", newest=1)
    cluster.elect("b")
    can_do(cluster, "a", newest=2)
    cluster.run(500)
    assert switches(cluster, "b") == []


def test_it_is_written_once_while_its_commit_and_application_take_their_time():
    cluster = of_members(newest=2)
    for _ in range(20):
        cluster.run(100)
    assert switches(cluster) == [2], "in force is still said to be 1"
    can_do(cluster, "a", newest=2, in_force=2)
    cluster.run(500)
    assert switches(cluster) == [2]


def test_a_new_leader_writes_what_the_old_one_could_not_get_committed():
    cluster = of_members()
    for name in "bc":
        can_do(cluster, name, newest=2)
    cluster.run(200)
    cluster.cut_off = {"a"}
    can_do(cluster, "a", newest=2)
    assert cluster.hosts["a"].disk[-1].kind is EntryKind.MACHINE_VERSION
    cluster.run(2_000)
    (leader,) = [name for name in cluster.leaders if name != "a"]
    assert switches(cluster, leader) == []
    cluster.cut_off = set()
    cluster.run(1_000)
    assert [switches(cluster, name) for name in "abc"] == [[2], [2], [2]]


def test_nothing_is_switched_where_nobody_says_what_is_in_force():
    cluster = Cluster("abc")
    for name in "abc":
        can_do(cluster, name, newest=2, in_force=0)
    cluster.elect("a")
    cluster.run(500)
    assert switches(cluster) == []


def test_a_version_that_some_member_no_longer_can_do_is_skipped():
    cluster = of_members()
    for name, oldest in (("b", 1), ("c", 3), ("a", 1)):
        can_do(cluster, name, newest=2 if name != "c" else 4, oldest=oldest)
    cluster.run(500)
    assert switches(cluster) == []


def test_a_member_that_is_alone_switches_by_itself():
    cluster = Cluster("a")
    can_do(cluster, "a", newest=2)
    cluster.run(500)
    assert switches(cluster) == [2]


def test_a_switch_that_storage_refused_is_written_again():
    cluster = Cluster("a")
    cluster.run(100)
    cluster.hosts["a"].hold()
    can_do(cluster, "a", newest=2)
    last = cluster["a"].durable_index
    cluster.hosts["a"].take_answers()
    cluster.hosts["a"].disk.pop()
    cluster.tell("a", AppendFailed(last, FailureKind.FULL, "no room"))
    cluster.run(500)
    assert switches(cluster) == [2]


def test_a_newcomer_that_cannot_do_the_version_in_force_is_refused_and_told_why():
    cluster = of_members(newest=2, others="d")
    can_do(cluster, "d", newest=1)
    for name in "abc":
        can_do(cluster, name, newest=2, in_force=2)
    add(cluster, *"abcd")
    assert refusals(cluster) == [
        "given up: the cluster's state machine is at version 2, d knows 1 to 1: upgrade it first"
    ]
    assert cluster["a"].configuration.members == set("abc")
    can_do(cluster, "d", newest=2)
    add(cluster, *"abcd")
    assert cluster["a"].configuration.voters == tuple("abcd")


def test_a_learner_that_cannot_do_the_version_in_force_does_not_become_a_voter():
    cluster = of_members(newest=2, learners="d")
    can_do(cluster, "d", newest=1)
    for name in "abc":
        can_do(cluster, name, newest=2, in_force=2)
    cluster.run(500)
    add(cluster, *"abcd")
    assert "d knows 1 to 1" in refusals(cluster)[0]
    assert cluster["a"].configuration.learners == ("d",)


def test_the_version_is_not_switched_while_members_change():
    cluster = of_members(others="d")
    can_do(cluster, "d", newest=1)
    cluster.cut_off = {"d"}
    cluster.tell("a", ChangeMembership(tuple("abcd"), token="change"))
    for name in "abc":
        can_do(cluster, name, newest=2)
    cluster.run(500)
    assert switches(cluster) == []
    cluster.cut_off = set()
    cluster.run(1_000)
    assert cluster["a"].configuration.voters == tuple("abcd")
    assert switches(cluster) == []


def test_a_member_of_a_release_that_says_nothing_can_do_the_first_version_alone():
    said = encode(AppendReply("b", 3, True, 7))
    without = said.replace(b"\x88", b"\x87", 1).replace(b"\xa8machines\x92\x01\x01", b"")
    assert len(without) < len(said)
    assert decode(without).machines == (1, 1)


def test_a_switch_is_an_entry_between_commands():
    cluster = of_members(newest=2)
    cluster.tell("a", Propose(b"x", "x"))
    cluster.deliver()
    assert [entry.kind for entry in cluster.hosts["a"].applied] == [
        EntryKind.NOOP, EntryKind.MACHINE_VERSION, EntryKind.COMMAND,
    ]  # fmt: skip
    assert cluster.hosts["a"].applied[1] == Entry(2, cluster["a"].term, EntryKind.MACHINE_VERSION, b"2")
