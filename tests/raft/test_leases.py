"""Reads that trust a clock, where it has been said how far clocks may drift: what leader and others owe them."""

from flurm.raft.effects import ReadReady, Reject
from flurm.raft.events import Campaign, Propose, Read, Received, TransferLeadership
from flurm.raft.limits import Timing
from flurm.raft.messages import RequestVote, VoteReply
from flurm.raft.records import Role
from tests.raft.cluster import Cluster

TIMING = Timing(election_ms=(150, 300), heartbeat_ms=50, clock_drift_bound=0.2)
LEASE_MS = 119


def leader():
    cluster = Cluster("abc", timing=TIMING)
    cluster.run(160)
    cluster.elect("a")
    return cluster


def answered(cluster, token, name="a"):
    """Whether a read is answered at once, without a word from anybody."""
    return any(isinstance(effect, ReadReady) for effect in cluster.tell(name, Read(token)))


def test_the_lease_is_as_much_shorter_than_an_election_timeout_as_clocks_may_drift():
    assert TIMING.lease_ms == LEASE_MS
    assert Timing().lease_ms == 0, "nobody has said anything of clocks"


def test_a_leader_with_a_lease_answers_at_once():
    cluster = leader()
    cluster.mail.clear()
    assert answered(cluster, "r") and cluster.mail == []


def test_the_lease_runs_from_when_the_heartbeat_was_sent_not_from_its_answer():
    cluster = leader()
    cluster.tick("a", 50)
    sent_ms = cluster["a"].now_ms
    cluster.deliver()
    cluster.cut_off = {"a"}
    cluster.tick("a", LEASE_MS - 1)
    assert answered(cluster, "still")
    cluster.tick("a", 1)
    assert cluster["a"].now_ms - sent_ms == LEASE_MS and not answered(cluster, "no more")


def test_one_answer_of_two_others_is_a_majority_and_none_is_not():
    cluster = leader()
    cluster.cut_off = {"b"}
    cluster.run(200)
    assert answered(cluster, "with c")
    cluster.cut_off = {"b", "c"}
    cluster.run(120)
    assert not answered(cluster, "alone")


def test_who_was_told_to_take_over_may_lead_any_time_so_there_is_no_lease_in_this_term_any_more():
    cluster = leader()
    cluster.cut_off = {"c"}
    cluster.tell("a", TransferLeadership("c"))
    cluster.run(400)
    assert cluster.leaders == ["a"], "it was given up"
    assert not answered(cluster, "r")
    cluster.deliver()
    assert cluster.did("a", ReadReady)[-1].token == "r", "a heartbeat of its own tells"


def test_a_member_that_comes_back_helps_nobody_before_it_could_have_promised_the_contrary():
    cluster = leader()
    cluster.cut_off = {"a"}
    cluster.restart("b")
    term = cluster["c"].term
    ask = RequestVote("c", term + 1, cluster["c"].log.last_index, cluster["c"].log.last_term, pre=True)
    assert not granted(cluster, "b", ask)
    cluster.tick("b", 149)
    assert not granted(cluster, "b", ask)
    cluster.tick("b", 1)
    assert granted(cluster, "b", ask)


def granted(cluster, name, request):
    cluster.mail.clear()
    cluster.tell(name, Received(request))
    return any(isinstance(sent.message, VoteReply) and sent.message.granted for sent in cluster.mail)


def test_a_newer_term_takes_no_promise_back():
    cluster = leader()
    term = cluster["b"].term
    assert not granted(cluster, "b", VoteReply("c", term + 1, granted=False, pre=True))
    assert cluster["b"].term == term + 1 and cluster["b"].leader is None
    ask = RequestVote("c", term + 1, cluster["c"].log.last_index, cluster["c"].log.last_term)
    assert not granted(cluster, "b", ask)
    cluster.tick("b", 150)
    assert granted(cluster, "b", ask)


def test_an_administrator_overrides_no_lease():
    cluster = leader()
    cluster.tell("b", Campaign())
    assert cluster["b"].role is Role.FOLLOWER
    cluster.cut_off = {"a"}
    cluster.tick("b", 150)
    cluster.tick("c", 150)
    cluster.tell("b", Campaign())
    cluster.deliver()
    assert cluster["b"].role is Role.LEADER


def test_a_leader_that_has_been_overtaken_has_no_lease_when_it_is():
    cluster = leader()
    cluster.cut_off = {"a"}
    for _ in range(100):
        cluster.run(10)
        others = [name for name in cluster.leaders if name != "a"]
        if others:
            cluster.tell(others[0], Propose(b"x", "x"))
            break
    assert others and not answered(cluster, "r")
    cluster.run(400)
    assert [effect.token for effect in cluster.did("a", Reject)] == ["r"]
