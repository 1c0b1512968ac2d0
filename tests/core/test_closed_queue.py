"""A controller that is drained takes no new jobs and goes on with those it has."""

from __future__ import annotations

from flurm.core import commands as c
from flurm.core.effects import Done
from flurm.core.enums import JobState, Refusal
from flurm.core.snapshot import dump, load
from tests.core.world import ALICE, ROOT, World, code


def test_a_closed_queue_refuses_submissions_of_everybody_until_it_is_opened():
    world = World()
    assert world.do(c.CloseQueue(now_s=1000, user_id=ROOT, reason="backup")) == Done()
    assert world.refused() is Refusal.SUBMISSIONS_DISABLED
    assert code(world.try_submit(user=ROOT)) is Refusal.SUBMISSIONS_DISABLED
    world.do(c.OpenQueue(now_s=1001, user_id=ROOT))
    assert world.submit()


def test_jobs_that_wait_when_the_queue_is_closed_still_start():
    world = World()
    job_id = world.submit()
    world.do(c.CloseQueue(now_s=1000, user_id=ROOT))
    assert world.schedule() == [job_id]
    assert world.state(job_id) is JobState.RUNNING


def test_only_administrators_close_and_open_the_queue():
    world = World()
    assert code(world.do(c.CloseQueue(now_s=1000, user_id=ALICE))) is Refusal.USER_ID_MISSING
    world.do(c.CloseQueue(now_s=1000, user_id=ROOT))
    assert code(world.do(c.OpenQueue(now_s=1000, user_id=ALICE))) is Refusal.USER_ID_MISSING
    assert world.refused() is Refusal.SUBMISSIONS_DISABLED


def test_a_closed_queue_is_still_closed_after_a_restart():
    world = World()
    world.do(c.CloseQueue(now_s=1000, user_id=ROOT, reason="backup"))
    assert load(dump(world.cluster)).closed == "backup"
