"""Job arrays and dependencies between jobs."""

from __future__ import annotations

import pytest

from flurm.core import arrays, dependencies
from flurm.core import commands as c
from flurm.core.deadlines import due
from flurm.core.effects import Done
from flurm.core.enums import JobState, Reason, Refusal
from flurm.core.record import UNLIMITED
from tests.core.world import World, code


@pytest.mark.parametrize(
    ("text", "tasks", "limit"),
    [("0-3", [0, 1, 2, 3], 0), ("0-9:3%2", [0, 3, 6, 9], 2), ("1,3,5-6", [1, 3, 5, 6], 0), ("7", [7], 0)],
)
def test_array_texts_are_read(text, tasks, limit):
    request = arrays.parse(text, 1001)
    assert request is not None
    assert (arrays.bits_of(request.tasks), request.max_running) == (tasks, limit)


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-1001", "0-3%", "0-3%x", "1--2", "-1", "0-9:0"])
def test_array_texts_that_are_none(text):
    assert arrays.parse(text, 1001) is None


def test_tasks_are_split_off_and_the_last_one_keeps_the_arrays_id():
    world = World(nodes=1, cpus=2)
    array = world.submit(array="0-2")
    assert world.schedule() == [array + 1, array + 2]
    assert [world.job(i).array.task_id for i in (array + 1, array + 2)] == [0, 1]
    world.end(array + 1)
    assert world.schedule() == [array]
    assert world.job(array).array.task_id == 2
    assert [arrays.label(job) for job in arrays.records_of(world.cluster, array)] == [
        f"{array}_0", f"{array}_1", f"{array}_2",
    ]  # fmt: skip


def test_a_throttle_keeps_tasks_back():
    world = World(nodes=2, cpus=2)
    array = world.submit(array="0-3%1")
    assert len(world.schedule()) == 1
    assert world.schedule() == []
    assert world.job(array).reason is Reason.JOB_ARRAY_TASK_LIMIT
    assert world.update(array, array_limit=0) == Done()
    assert len(world.schedule()) == 3


def test_cancelling_an_array_ends_all_of_it():
    world = World(nodes=1, cpus=1)
    array = world.submit(array="0-4")
    (running,) = world.schedule()
    assert world.kill(array) == Done()
    assert {world.state(i) for i in (array, running)} == {JobState.CANCELLED}


def test_waiting_tasks_that_are_cancelled_are_gone_and_the_others_stay():
    world = World(nodes=1, cpus=1)
    array = world.submit(array="0-4")
    assert world.kill(f"{array}_[1-2]") == Done()
    assert arrays.bits_of(world.job(array).array.waiting) == [0, 3, 4]
    assert list(world.cluster.jobs) == [array]


def test_the_last_waiting_tasks_of_an_array_are_cancelled_as_its_record():
    world = World(nodes=1, cpus=1)
    array = world.submit(array="0-2")
    assert world.kill(f"{array}_0") == world.kill(f"{array}_[1-2]") == Done()
    assert world.state(array) is JobState.CANCELLED


def test_the_step_of_an_array_is_that_of_its_first_tasks():
    world = World()
    assert world.job(world.submit(array="3,5,9-13:2")).array.step == 2
    assert world.job(world.submit(array="7")).array.step == 1


def test_a_job_whose_dependency_never_comes_true_ends_where_that_is_wished_and_takes_its_own_dependents_along():
    world = World()
    first = world.start()
    second = world.submit(dependency=f"afterok:{first}", kill_invalid_dependency=True)
    third = world.submit(dependency=f"afterok:{second}", kill_invalid_dependency=True)
    patient = world.submit(dependency=f"afterok:{first}")
    world.end(first, status=256)
    assert [world.state(i) for i in (second, third)] == [JobState.CANCELLED] * 2
    assert (world.job(second).reason, world.state(patient)) == (Reason.DEPENDENCY_NEVER_SATISFIED, JobState.PENDING)


def test_a_job_that_comes_after_another_may_start_when_that_has_begun():
    world = World()
    first = world.submit()
    second = world.submit(dependency=f"after:{first}")
    assert world.schedule() == [first]
    assert world.schedule() == [second]


def test_a_job_submitted_when_its_dependency_has_failed_ends_at_the_next_look_at_the_clock():
    world = World()
    first = world.start()
    world.end(first, status=256)
    second = world.submit(dependency=f"afterok:{first}", kill_invalid_dependency=True)
    assert due(world.cluster, world.now_s).wake
    world.do(c.Wake(now_s=world.now_s))
    assert world.state(second) is JobState.CANCELLED


def test_what_a_held_job_depends_on_is_looked_at_when_it_is_released():
    world = World()
    held = world.submit(hold=True, dependency="afterok:99999")
    assert dependencies.describe(world.job(held).dependencies) == "afterok:99999(unfulfilled)"
    world.update(held, priority=UNLIMITED)
    assert world.job(held).dependencies == ()


def test_a_refused_action_on_a_task_does_not_split_it_off():
    world = World()
    array = world.submit(array="0-4")
    before = world.cluster
    assert code(world.kill(f"{array}_1", user=4242)) is Refusal.ACCESS_DENIED
    assert world.cluster.jobs == before.jobs


@pytest.mark.parametrize(
    ("kind", "status", "runs"),
    [("afterok", 0, True), ("afterok", 256, False), ("afternotok", 256, True), ("afterany", 256, True)],
)
def test_a_dependency_waits_for_the_end(kind, status, runs):
    world = World()
    first = world.start()
    second = world.submit(dependency=f"{kind}:{first}")
    assert (world.job(second).reason, world.schedule()) == (Reason.DEPENDENCY, [])
    world.end(first, status)
    assert (world.schedule() == [second]) is runs
    if not runs:
        assert world.job(second).reason is Reason.DEPENDENCY_NEVER_SATISFIED


def test_after_waits_for_the_start_and_the_delay():
    world = World()
    first = world.submit(hold=True)
    second = world.submit(dependency=f"after:{first}+2")
    world.update(first, priority=0xFFFFFFFF)
    assert world.schedule() == [first]
    world.now_s += 119
    world.do(c.Wake(now_s=world.now_s))
    assert world.schedule() == []
    world.now_s += 1
    world.do(c.Wake(now_s=world.now_s))
    assert world.schedule() == [second]


def test_a_singleton_waits_for_its_namesakes_of_the_same_user():
    world = World()
    first = world.start(name="db")
    second = world.submit(name="db", dependency="singleton")
    assert world.schedule() == []
    world.end(first)
    assert world.schedule() == [second]


def test_one_of_several_is_enough_with_question_marks():
    world = World()
    good, bad = world.start(), world.start()
    third = world.submit(dependency=f"afterok:{bad}?afterok:{good}")
    world.end(bad, 256)
    assert world.schedule() == []
    world.end(good)
    assert world.schedule() == [third]


def test_a_dependency_on_an_array_waits_for_every_task():
    world = World(nodes=1, cpus=2)
    array = world.submit(array="0-1")
    second = world.submit(dependency=f"afterok:{array}")
    first_task, last_task = world.schedule()
    world.end(first_task)
    assert world.job(second).reason is Reason.DEPENDENCY
    world.end(last_task)
    assert world.schedule() == [second]
