"""Which tokens nodes may join with."""

from flurm.core import commands as c
from flurm.core import join_tokens, snapshot
from flurm.core.apply import apply
from flurm.core.effects import Done, Rejected
from flurm.core.records import Cluster


class Story:
    """A cluster, and what it answers."""

    def __init__(self):
        self.cluster = Cluster()

    def tell(self, command):
        """A command, carried out after having been in the log."""
        outcome = apply(self.cluster, c.decode(c.encode(command)))
        self.cluster = outcome.cluster
        return outcome.reply

    def create(self, name="t", now_s=100, expires_s=200, uses=1, user_id=0):
        return self.tell(c.CreateJoinToken(now_s=now_s, user_id=user_id, id=name, expires_s=expires_s, uses=uses))

    def use(self, name="t", now_s=150, node="n1", attempt=""):
        return self.tell(c.UseJoinToken(now_s=now_s, request_id=attempt, id=name, node=node))


def said(reply):
    assert isinstance(reply, Rejected)
    return reply.text


def test_a_token_counts_as_often_as_it_may():
    story = Story()
    assert story.create(uses=2) == Done()
    assert (story.use(node="n1"), story.use(node="n2")) == (Done(), Done())
    assert said(story.use(node="n3")) == "this token has been used as often as it may be, by n1, n2"


def test_a_node_that_asks_again_because_it_heard_no_answer_uses_it_once():
    story = Story()
    story.create(uses=1)
    assert story.use(attempt="join/t/1") == story.use(attempt="join/t/1") == Done()
    assert story.cluster.join_tokens["t"].joined == ("n1",)
    assert isinstance(story.use(attempt="join/t/2"), Rejected)


def test_a_token_counts_until_it_expires_and_not_after_it_was_revoked():
    story = Story()
    story.create("old", expires_s=160)
    story.create("gone", expires_s=900)
    assert said(story.use("old", now_s=160)) == "this token has expired"
    assert story.tell(c.RevokeJoinToken(now_s=150, user_id=0, id="gone")) == Done()
    assert said(story.use("gone")) == said(story.use("never was")) == "this token was revoked, or has expired"
    assert said(story.tell(c.RevokeJoinToken(now_s=150, user_id=0, id="gone"))) == "there is no token gone"


def test_only_an_operator_makes_and_revokes_them():
    story = Story()
    assert isinstance(story.create(user_id=1000), Rejected)
    story.create()
    assert isinstance(story.tell(c.RevokeJoinToken(now_s=150, user_id=1000, id="t")), Rejected)
    assert "t" in story.cluster.join_tokens


def test_those_that_have_expired_make_room_and_there_is_a_bound(monkeypatch):
    monkeypatch.setattr(join_tokens, "MOST", 2)
    story = Story()
    story.create("a", expires_s=150)
    story.create("b", expires_s=900)
    assert said(story.create("c", expires_s=900)) == "there are 2 tokens already; revoke one"
    assert story.create("c", now_s=150, expires_s=900) == Done()
    assert set(story.cluster.join_tokens) == {"b", "c"}


def test_a_snapshot_keeps_them():
    story = Story()
    story.create("a", uses=3)
    story.use("a", node="n1")
    assert snapshot.load(snapshot.dump(story.cluster)).join_tokens == story.cluster.join_tokens
