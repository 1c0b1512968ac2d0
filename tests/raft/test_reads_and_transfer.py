"""Reads that are current, and handing leadership over, told as conversations."""

import pytest

from flurm.raft.effects import Commit, ReadReady, Reject, RejectReason, Send, TransferEnded
from flurm.raft.events import Campaign, Propose, Read, Recovered, TransferLeadership
from flurm.raft.limits import Limits
from flurm.raft.messages import AppendEntries, TimeoutNow
from flurm.raft.records import Configuration
from flurm.raft.server import RaftServer
from tests.raft.cluster import Cluster


def leader(voters="abc", learners="", limits=Limits()):  # noqa: B008
    cluster = Cluster(voters, learners, limits=limits)
    cluster.elect("a")
    return cluster


def transfer(cluster, to=None, name="a"):
    return cluster.tell(name, TransferLeadership(to, "transfer"))


def test_a_read_waits_for_a_heartbeat_that_a_majority_answers():
    cluster = leader()
    assert cluster.tell("a", Read("r")) and cluster.did("a", ReadReady) == []
    cluster.deliver()
    assert cluster.did("a", ReadReady) == [ReadReady("r", 1)]


def test_a_leader_that_was_replaced_without_knowing_it_answers_no_read():
    cluster = leader()
    cluster.cut_off = {"a"}
    cluster.tell("a", Read("r"))
    cluster.run(1_000)
    assert cluster.did("a", ReadReady) == []
    assert [(r.token, r.reason) for r in cluster.did("a", Reject)] == [("r", RejectReason.LEADERSHIP_LOST)]


def test_answers_to_earlier_heartbeats_do_not_confirm_a_read():
    cluster = leader()
    cluster.tick("a", 50)
    cluster.deliver(1)
    answers, cluster.mail = cluster.mail, []
    cluster.tell("a", Read("r"))
    for answer in answers:
        cluster.deliver_one(answer)
    assert cluster.did("a", ReadReady) == []


def test_reads_that_come_together_share_a_heartbeat():
    cluster = leader()
    for token in range(100):
        cluster.tell("a", Read(token))
    sent = [s for s in cluster.mail if isinstance(s.message, AppendEntries)]
    assert len(sent) == 2
    cluster.deliver()
    assert [ready.token for ready in cluster.did("a", ReadReady)] == list(range(100))
    assert len(cluster.did("b", Send)) < 10


def test_a_new_leader_answers_reads_only_once_it_knows_what_is_committed():
    cluster = Cluster("abc")
    for name in "bc":
        cluster.hosts[name].hold()
    cluster.tell("a", Campaign())
    for _ in range(2):
        cluster.deliver(1)
        for name in "bc":
            cluster.release(name)
            cluster.hosts[name].hold()
    assert cluster.leaders == ["a"]
    cluster.tell("a", Read("r"))
    cluster.deliver()
    assert cluster["a"].commit_index == 0 and cluster.did("a", ReadReady) == []
    for name in "bc":
        cluster.release(name)
    cluster.run(100)
    assert cluster.did("a", ReadReady) == [ReadReady("r", 1)]


def test_a_cluster_of_one_answers_at_once():
    cluster = leader("a")
    assert cluster.tell("a", Read("r")) == [ReadReady("r", 1)]


def test_who_does_not_lead_says_who_does():
    cluster = leader()
    assert cluster.tell("b", Read("r")) == [Reject("r", RejectReason.NOT_LEADER, "not the leader", "a")]
    assert cluster.tell("b", TransferLeadership("c", "t"))[0].leader == "a"


def test_reads_are_bounded():
    cluster = leader(limits=Limits(waiting_reads=1))
    cluster.tell("a", Read(1))
    (refused,) = cluster.tell("a", Read(2))
    assert refused.reason is RejectReason.BUSY


def test_leadership_is_handed_over_without_waiting_for_a_timeout():
    cluster = leader()
    transfer(cluster, "c")
    cluster.deliver()
    assert cluster.leaders == ["c"] and cluster.did("a", TransferEnded) == [TransferEnded("transfer", "c")]


def test_the_target_first_gets_what_it_lacks_and_nothing_new_is_taken_meanwhile():
    cluster = leader()
    cluster.hosts["c"].hold()
    cluster.propose("a", b"x")
    cluster.deliver()
    transfer(cluster, "c")
    assert not any(isinstance(sent.message, TimeoutNow) for sent in cluster.mail)
    (refused,) = cluster.tell("a", Propose(b"y", "y"))
    assert refused.reason is RejectReason.TRANSFERRING
    cluster.release("c")
    cluster.deliver()
    assert cluster.leaders == ["c"] and cluster.hosts["c"].commands == [b"x"]


def test_without_a_name_it_goes_to_who_has_most_of_the_log():
    cluster = leader()
    cluster.cut_off = {"b"}
    cluster.propose("a", b"x")
    cluster.run(60)
    cluster.cut_off = set()
    transfer(cluster)
    cluster.deliver()
    assert cluster.leaders == ["c"]


def test_without_a_name_it_does_not_go_to_one_that_has_fallen_silent():
    cluster = leader()
    cluster.hosts["b"].hold()
    cluster.propose("a", b"x")
    cluster.run(60)
    cluster.cut_off = {"c"}
    cluster.run(310)
    assert cluster["a"].progress["c"].match_index > cluster["a"].progress["b"].match_index
    transfer(cluster)
    cluster.release("b")
    cluster.run(100)
    assert cluster.leaders == ["b"]


def test_a_transfer_that_does_not_get_through_is_given_up_and_proposals_are_taken_again():
    cluster = leader()
    cluster.cut_off = {"c"}
    transfer(cluster, "c")
    cluster.run(400)
    assert cluster.did("a", TransferEnded) == [TransferEnded("transfer", "a")] and cluster.leaders == ["a"]
    cluster.propose("a", b"x")
    cluster.run(100)
    assert cluster.hosts["b"].commands == [b"x"]


def test_a_lost_word_is_said_again():
    cluster = leader()
    transfer(cluster, "c")
    cluster.mail.clear()
    cluster.run(100)
    assert cluster.leaders == ["c"]


@pytest.mark.parametrize(
    ("voters", "learners", "to", "detail"),
    [
        ("abc", "", "a", "a leads already"),
        ("abc", "", "z", "z does not belong to the cluster"),
        ("abc", "d", "d", "d is not a voter and cannot lead"),
        ("a", "", None, "no other voter could lead"),
    ],
)
def test_who_cannot_lead_is_not_handed_leadership(voters, learners, to, detail):
    cluster = leader(voters, learners)
    (refused,) = transfer(cluster, to)
    assert (refused.reason, refused.detail) == (RejectReason.INVALID, detail)


def test_one_transfer_at_a_time():
    cluster = leader()
    transfer(cluster, "b")
    (refused,) = transfer(cluster, "c")
    assert refused.detail == "leadership is already being handed to b"


def test_no_acknowledged_proposal_is_lost_in_a_transfer_under_load():
    cluster = leader()
    for number in range(20):
        cluster.propose(cluster.leaders[0], b"%d" % number)
        if number % 5 == 0:
            transfer(cluster, name=cluster.leaders[0])
        cluster.run(50)
    acknowledged = [token for name in "abc" for c in cluster.did(name, Commit) for token in c.tokens if token]
    assert set(acknowledged) <= set(cluster.hosts["a"].commands) and len(acknowledged) > 10


def test_a_server_that_was_never_told_of_a_cluster_leads_nothing():
    server = RaftServer("a", Configuration())
    server.handle(Recovered())
    assert server.next_deadline_ms is None
