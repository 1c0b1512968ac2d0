"""Jobs from submission to their end, as `apply` decides it."""

from __future__ import annotations

import signal

import pytest

from flurm.core import commands as c
from flurm.core.effects import Done, JobEnded, LaunchBatch, Rejected, SignalJob, Submitted, TerminateJob
from flurm.core.enums import JobFlag, JobState, PartitionState, Reason, Refusal
from flurm.core.lifecycle import TRANSITIONS
from flurm.core.record import UNLIMITED
from flurm.core.records import Settings
from tests.core.world import ALICE, BOB, ROOT, World, code, on_first_core


def test_a_job_runs_and_ends():
    world = World()
    job_id = world.submit()
    assert world.state(job_id) is JobState.PENDING
    assert world.schedule() == [job_id]
    assert world.effects == (LaunchBatch(job_id),)
    assert (world.state(job_id), world.job(job_id).launch) == (JobState.RUNNING, "wanted")
    world.end(job_id)
    assert world.state(job_id) is JobState.COMPLETED
    assert world.node("n1").used_cpus == 0
    assert not world.cluster.active


def test_a_job_is_completing_until_its_nodes_are_clean():
    world = World()
    job_id = world.start(min_nodes=2, num_tasks=2, min_cpus=2)
    world.do(c.BatchEnded(now_s=1010, job_id=job_id, node="n1", exit_status=0))
    assert world.effects == (TerminateJob(job_id, ("n1", "n2")), JobEnded(job_id, "COMPLETED"))
    assert world.job(job_id).flags & JobFlag.COMPLETING
    world.do(c.EpilogDone(now_s=1010, job_id=job_id, node="n2"))
    assert world.job(job_id).flags & JobFlag.COMPLETING
    assert (world.node("n1").used_cpus, world.node("n2").used_cpus) == (1, 0)
    world.do(c.EpilogDone(now_s=1010, job_id=job_id, node="n1"))
    assert not world.job(job_id).flags & JobFlag.COMPLETING


@pytest.mark.parametrize(
    ("status", "reason"), [(3 << 8, Reason.NON_ZERO_EXIT_CODE), (int(signal.SIGSEGV), Reason.RAISED_SIGNAL)]
)
def test_a_job_that_fails_says_how(status, reason):
    world = World()
    job_id = world.start()
    world.end(job_id, status)
    job = world.job(job_id)
    assert (job.state, job.reason, job.exit_status) == (JobState.FAILED, reason, status)


def test_the_end_of_a_batch_script_counts_once():
    world = World()
    job_id = world.start()
    world.do(c.BatchEnded(now_s=1001, job_id=job_id, node="n1", exit_status=0))
    again = world.do(c.BatchEnded(now_s=1002, job_id=job_id, node="n1", exit_status=256))
    assert code(again) is Refusal.ALREADY_DONE
    assert world.job(job_id).exit_status == 0


def test_a_node_that_has_lost_a_job_cannot_end_the_run_on_another_and_need_not_report_its_own_again():
    world = World()
    job_id = world.start()
    reply = world.do(c.BatchEnded(now_s=1001, job_id=job_id, node="n2", exit_status=9))
    assert code(reply) is Refusal.ALREADY_DONE
    assert world.state(job_id) is JobState.RUNNING
    world.do(c.BatchEnded(now_s=1002, job_id=job_id, node="n1", exit_status=0))
    assert code(world.do(c.BatchEnded(now_s=1003, job_id=job_id, node="n2", exit_status=9))) is Refusal.ALREADY_DONE


def test_a_start_that_no_longer_fits_is_left_out():
    world = World(nodes=1)
    first, second = world.submit(), world.submit()
    world.do(c.ApplyPlan(now_s=1000, starts=(on_first_core(first), on_first_core(second))))
    assert (world.state(first), world.state(second)) == (JobState.RUNNING, JobState.PENDING)


def test_a_held_job_waits_until_it_is_released():
    world = World()
    job_id = world.submit(hold=True)
    assert (world.job(job_id).priority, world.job(job_id).reason) == (0, Reason.HELD_USER)
    assert world.schedule() == []
    assert world.update(job_id, priority=UNLIMITED) == Done()
    assert world.schedule() == [job_id]


def test_what_an_administrator_holds_its_owner_cannot_release():
    world = World()
    job_id = world.submit()
    world.update(job_id, user=ROOT, priority=0)
    assert world.job(job_id).reason is Reason.HELD_ADMIN
    assert code(world.update(job_id, priority=UNLIMITED)) is Refusal.ACCESS_DENIED
    assert world.update(job_id, user=ROOT, priority=UNLIMITED) == Done()
    assert world.job(job_id).priority > 0


def test_cancelling_a_waiting_job_ends_it_at_once():
    world = World()
    job_id = world.submit()
    assert world.kill(job_id) == Done()
    assert world.state(job_id) is JobState.CANCELLED
    assert code(world.kill(job_id)) is Refusal.ALREADY_DONE


def test_cancelling_a_running_job_ends_its_processes_first():
    world = World()
    job_id = world.start()
    world.kill(job_id)
    assert world.state(job_id) is JobState.CANCELLED
    assert TerminateJob(job_id, ("n1",)) in world.effects
    world.end(job_id, int(signal.SIGTERM))
    assert world.job(job_id).exit_status == int(signal.SIGTERM)
    assert world.node("n1").used_cpus == 0


def test_a_signal_does_not_end_the_job_by_itself():
    world = World()
    job_id = world.start()
    world.kill(job_id, signal=int(signal.SIGUSR1), batch_only=True)
    assert world.effects == (SignalJob(job_id, ("n1",), int(signal.SIGUSR1), batch_only=True),)
    assert world.state(job_id) is JobState.RUNNING


def test_nobody_touches_the_job_of_another_user():
    world = World()
    job_id = world.submit()
    for reply in (world.kill(job_id, user=BOB), world.requeue(job_id, BOB)):
        assert code(reply) is Refusal.ACCESS_DENIED
    assert code(world.update(job_id, user=BOB, name="mine")) is Refusal.USER_ID_MISSING
    assert world.kill(job_id, user=ROOT) == Done()


def test_an_unknown_job_is_refused_everywhere():
    world = World()
    for reply in (world.kill(77), world.update(77, name="x"), world.requeue(77), world.kill("7x")):
        assert code(reply) is Refusal.INVALID_JOB_ID


def test_a_requeued_job_runs_again():
    world = World()
    job_id = world.start()
    assert world.requeue(job_id) == Done()
    assert world.state(job_id) is JobState.PENDING
    assert world.schedule() == []
    world.clean(job_id)
    assert world.schedule() == [job_id]
    assert world.job(job_id).restarts == 1


def test_a_job_that_may_not_be_requeued_is_not():
    world = World()
    assert code(world.requeue(world.start(requeue=False))) is Refusal.DISABLED
    assert code(world.requeue(world.submit())) is Refusal.JOB_PENDING


def test_a_job_requeued_in_held_state_says_so():
    world = World()
    job_id = world.start()
    world.requeue(job_id, hold=True)
    world.clean(job_id)
    assert world.job(job_id).reason_text == "job requeued in held state"
    assert world.schedule() == []


def test_an_ended_job_can_be_requeued():
    world = World()
    job_id = world.start()
    world.end(job_id, 256)
    assert world.requeue(job_id) == Done()
    assert world.schedule() == [job_id]


def test_an_ended_job_that_is_requeued_waits_as_long_as_one_that_ran():
    world = World(settings=Settings(requeue_delay_s=121))
    job_id = world.start()
    world.end(job_id)
    world.requeue(job_id)
    assert (world.job(job_id).reason, world.job(job_id).eligible_s) == (Reason.BEGIN_TIME, world.now_s + 121)


def test_a_release_in_an_inactive_partition_is_done_and_answered_with_what_keeps_the_job():
    world = World()
    job_id = world.submit(hold=True)
    world.do(c.UpdatePartition(now_s=1, user_id=ROOT, name="debug", state=PartitionState.INACTIVE))
    assert code(world.update(job_id, priority=UNLIMITED)) is Refusal.REQUESTED_PART_CONFIG_UNAVAILABLE
    assert world.job(job_id).hold is None
    world.schedule()
    assert world.job(job_id).reason is Reason.PARTITION_INACTIVE


def test_the_nice_value_of_a_job_that_runs_stays():
    world = World()
    job_id = world.start()
    assert world.update(job_id, nice=3, comment="c") == Done()
    assert (world.job(job_id).spec.nice, world.job(job_id).spec.comment) == (0, "c")


def test_a_held_job_need_not_fit_yet():
    world = World()
    job_id = world.submit(hold=True, memory_per_node_mib=1 << 20)
    world.update(job_id, priority=UNLIMITED)
    assert world.schedule() == []
    assert world.job(job_id).reason is Reason.BAD_CONSTRAINTS
    assert world.refused(memory_per_node_mib=1 << 20) is Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE
    assert world.refused(hold=True, required_nodes="n77") is Refusal.INVALID_NODE_NAME


def test_what_waits_for_a_larger_partition_or_an_unknown_job_is_refused_where_that_is_asked_for():
    world = World(nodes=2, cpus=2)
    for asked in ({"min_nodes": 9, "min_cpus": 9}, {"min_nodes": 2, "partition": "long"}, {"num_tasks": 100}):
        assert isinstance(world.try_submit(**asked), Submitted)
        assert world.refused(strict=True, **asked) is Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE
    assert isinstance(world.try_submit(dependency="afterok:99999"), Submitted)
    assert world.refused(strict=True, dependency="afterok:99999") is Refusal.DEPENDENCY


def test_a_held_job_is_given_a_priority_by_its_release_alone():
    world = World()
    job_id = world.submit(hold=True)
    for user in (ALICE, ROOT):
        assert code(world.update(job_id, user=user, priority=777)) is Refusal.JOB_HELD
    world.update(job_id, priority=UNLIMITED)
    assert world.update(job_id, user=ROOT, priority=777) == Done()


def test_a_held_job_with_a_begin_time_tells_it():
    world = World()
    job = world.job(world.submit(hold=True, begin_s=5000))
    assert (job.eligible_s, job.start_s, job.reason) == (5000, 5000, Reason.HELD_USER)


def test_a_user_may_change_a_nice_value_but_not_below_zero():
    world = World()
    job_id = world.submit(nice=7)
    assert world.update(job_id, nice=3) == Done()
    assert code(world.update(job_id, nice=-1)) is Refusal.ACCESS_DENIED
    assert world.update(job_id, user=ROOT, nice=-1) == Done()


def test_time_is_up():
    world = World()
    job_id = world.start(time_limit_min=5)
    assert world.job(job_id).end_s == world.now_s + 300
    world.do(c.ExpireJobs(now_s=1300, ids=(job_id,)))
    assert (world.state(job_id), world.job(job_id).reason) == (JobState.TIMEOUT, Reason.TIME_LIMIT)
    world.clean(job_id)
    assert world.node("n1").used_cpus == 0


def test_a_user_may_lower_the_limit_of_a_running_job_but_not_raise_it():
    world = World()
    job_id = world.start(time_limit_min=10)
    assert world.update(job_id, time_limit_min=5) == Done()
    assert world.job(job_id).end_s == world.now_s + 300
    assert code(world.update(job_id, time_limit_min=20)) is Refusal.ACCESS_DENIED
    assert world.update(job_id, user=ROOT, time_limit_min=20) == Done()


def test_a_waiting_job_can_be_changed_and_a_running_one_hardly():
    world = World()
    job_id = world.submit()
    assert world.update(job_id, name="new", partitions=["long"], nice=5, comment="why") == Done()
    assert (world.job(job_id).partition, world.job(job_id).spec.name) == ("long", "new")
    assert code(world.update(job_id, partitions=["nope"])) is Refusal.INVALID_PARTITION_NAME
    world.schedule()
    assert code(world.update(job_id, partitions=["debug"])) is Refusal.JOB_NOT_PENDING
    assert world.update(job_id, name="newer") == Done()


def test_a_begin_time_keeps_a_job_waiting():
    world = World()
    job_id = world.submit(begin_s=2000)
    assert (world.job(job_id).reason, world.schedule()) == (Reason.BEGIN_TIME, [])
    world.now_s = 2000
    world.do(c.Wake(now_s=2000))
    assert world.schedule() == [job_id]


def test_a_launch_that_is_refused_puts_the_job_back_and_may_drain_the_node():
    world = World()
    job_id = world.submit()
    world.schedule()
    world.do(c.LaunchDone(now_s=1001, job_id=job_id, restarts=0, error="no such user", drain_node="n1"))
    assert world.state(job_id) is JobState.PENDING
    assert world.node("n1").reason == "no such user"
    world.clean(job_id)
    world.now_s = 1001
    world.do(c.Wake(now_s=1001))
    assert world.schedule() == [job_id]
    assert world.job(job_id).node_names == ("n2",)


def test_a_late_answer_to_an_earlier_launch_changes_nothing():
    world = World()
    job_id = world.start()
    world.requeue(job_id)
    world.clean(job_id)
    world.schedule()
    before = world.job(job_id)
    world.do(c.LaunchDone(now_s=1001, job_id=job_id, restarts=0, error="late"))
    assert world.job(job_id) == before


def test_submissions_that_are_refused():
    world = World()
    assert world.refused(partition="nope") is Refusal.INVALID_PARTITION_NAME
    assert world.refused(features="gpu") is Refusal.INVALID_FEATURE
    assert world.refused(array="9-1") is Refusal.INVALID_ARRAY
    assert world.refused(array="0-5000") is Refusal.INVALID_ARRAY
    assert world.refused(dependency="afterwards:1") is Refusal.DEPENDENCY
    assert world.refused(min_nodes=2, max_nodes=1) is Refusal.INVALID_NODE_COUNT
    assert world.refused(num_tasks=1, cpus_per_task=3, min_cpus=3) is Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE
    world.do(c.UpdatePartition(now_s=1000, user_id=ROOT, name="long", state=PartitionState.DRAIN))
    assert world.refused(partition="long") is Refusal.PARTITION_NOT_AVAIL
    assert not world.cluster.jobs


def test_a_partition_that_is_down_takes_jobs_and_starts_none():
    world = World()
    world.do(c.UpdatePartition(now_s=1000, user_id=ROOT, name="long", state=PartitionState.DOWN))
    job_id = world.submit(partition="long")
    assert world.schedule() == []
    assert world.job(job_id).reason is Reason.PARTITION_DOWN


def test_the_first_named_bad_partition_is_named_in_the_refusal():
    reply = World().try_submit(partition="debug,nope")
    assert reply == Rejected(Refusal.INVALID_PARTITION_NAME, "invalid partition specified: nope")


def test_top_puts_a_job_before_its_owners_others():
    world = World()
    first, second = world.submit(hold=False), world.submit()
    assert code(world.do(c.TopJobs(now_s=1000, user_id=ALICE, targets=(str(second),)))) is Refusal.ACCESS_DENIED
    world.do(c.TopJobs(now_s=1000, user_id=ROOT, targets=(str(second),)))
    assert world.job(second).priority > world.job(first).priority
    assert (world.job(first).spec.nice, world.job(second).spec.nice) == (1, -1)


def test_ended_jobs_are_forgotten_when_they_are_purged():
    world = World()
    job_id = world.start()
    world.end(job_id)
    running = world.start()
    world.do(c.PurgeJobs(now_s=5000, ids=(job_id, running)))
    assert set(world.cluster.jobs) == {running}


def test_the_state_machine_ends_every_job():
    ways_out = {state for state, _ in TRANSITIONS}
    assert {state for state in JobState if state not in ways_out} == set()
    reachable, frontier = set(), {JobState.PENDING}
    while frontier:
        reachable |= frontier
        frontier = {after for (state, _), after in TRANSITIONS.items() if state in frontier} - reachable
    assert set(JobState) - reachable == {JobState.PREEMPTED, JobState.BOOT_FAIL}
