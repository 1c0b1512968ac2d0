"""A request that comes twice, because who forwarded it could not know whether the first one arrived, counts once."""

from __future__ import annotations

import msgspec

from flurm.core import answers
from flurm.core import commands as c
from flurm.core.effects import Done, Rejected, Submitted
from flurm.core.job_records import JobSpec
from flurm.core.records import Cluster
from flurm.core.snapshot import dump, load
from tests.core.world import ALICE, World


def submission(request_id, now_s=1000):
    return c.SubmitJob(now_s=now_s, spec=JobSpec(name="job", user_id=ALICE), request_id=request_id)


def test_the_second_gets_the_answer_of_the_first_and_changes_nothing():
    world = World()
    first = world.do(submission("b-7"))
    assert isinstance(first, Submitted)
    jobs = world.cluster.jobs
    assert world.do(submission("b-7", now_s=1001)) == first
    assert world.effects == ()
    assert world.cluster.jobs == jobs


def test_a_refusal_is_remembered_too():
    world = World()
    unknown = c.KillJob(now_s=1000, user_id=ALICE, target="1", request_id="b-8")
    first = world.do(unknown)
    assert isinstance(first, Rejected)
    assert world.submit() == 1
    assert world.do(unknown) == first


def test_requests_with_other_ids_or_without_one_are_carried_out_each():
    world = World()
    ids = [world.do(submission(request_id)).job_id for request_id in ("a-1", "a-2", "", "")]
    assert len(set(ids)) == 4


def test_another_controller_knows_the_answer_from_the_log_and_from_a_snapshot():
    world = World()
    first = world.do(submission("b-7"))
    replayed = World()
    for command in world.log:
        replayed.do(c.decode(c.encode(command)))
    assert replayed.do(submission("b-7")) == first
    world.cluster = load(dump(world.cluster))
    assert world.do(submission("b-7")) == first
    assert dump(load(dump(world.cluster))) == dump(world.cluster)


def test_only_the_newest_answers_are_kept():
    cluster = Cluster()
    for number in range(answers.KEPT + 3):
        cluster = answers.remember(cluster, f"a-{number}", Submitted(number))
    assert len(cluster.answers) == len(cluster.answered) == answers.KEPT
    assert answers.remembered(cluster, "a-2") is None
    assert answers.remembered(cluster, "a-3") == Submitted(3)
    again = load(dump(cluster))
    assert (again.answers, again.answered, again.answers_given) == (
        cluster.answers,
        cluster.answered,
        cluster.answers_given,
    )
    assert answers.remember(again, "new", Done()).answers.get("a-3") is None


def test_a_command_without_an_id_takes_no_room_for_it_in_the_log():
    assert "request_id" not in msgspec.msgpack.decode(c.encode(c.Wake(now_s=5)))
