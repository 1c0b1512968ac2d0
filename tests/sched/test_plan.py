"""Passes: who starts, who waits, and what it is told. Reasons are those that Slurm 22.05 was seen to print."""

import pytest

from flurm.core.enums import PartitionState, Reason
from flurm.core.job_records import Dependency
from flurm.core.node_records import Partition
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from flurm.sched.plan import Plan, plan
from flurm.sched.policies import BUILT_IN, Backfill, Fairshare, Fifo
from flurm.sched.queue import queue_order
from tests.sched.builders import TestCluster, cluster_of, node_of, nodes_of

EASY, CONSERVATIVE = 1, 50


def passed(cluster: TestCluster, now_s: int = 0, depth: int = EASY) -> Plan:
    return plan(cluster.state, queue_order(cluster.state, now_s), now_s, depth=depth)


def started(decided: Plan) -> list[int]:
    return [start.job_id for start in decided.starts]


def reasons(decided: Plan) -> dict[int, str]:
    return {outlook.job_id: outlook.text or str(outlook.reason) for outlook in decided.outlooks}


def carry_out(cluster: TestCluster, decided: Plan, now_s: int = 0) -> list[int]:
    ids = [cluster.start(start, now_s) for start in decided.starts]
    for outlook in decided.outlooks:
        cluster.tell(outlook)
    return ids


def test_a_job_that_cannot_start_does_not_hold_back_one_that_can():
    cluster = cluster_of(nodes=2, cpus=4)
    wide, narrow = cluster.submit(nodes=3), cluster.submit(nodes=1)
    decided = passed(cluster, depth=0)
    assert started(decided) == [narrow]
    assert reasons(decided) == {wide: "PartitionNodeLimit"}


def test_fifo_starts_nobody_behind_a_blocked_job_of_the_same_partition():
    cluster = cluster_of(nodes=2, cpus=2)
    cluster.run("n1", cores=2)
    blocked, small = cluster.submit(nodes=2), cluster.submit()
    decided = passed(cluster, depth=0)
    assert started(decided) == []
    assert reasons(decided) == {blocked: "Resources", small: "Priority"}


def test_fifo_goes_on_in_a_partition_with_other_nodes():
    cluster = cluster_of(2, 2, partitions=(Partition("debug", nodes="n1"), Partition("other", nodes="n2")))
    cluster.run("n1", cores=2)
    cluster.submit()
    other = cluster.submit(partition="other")
    assert started(passed(cluster, depth=0)) == [other]


def test_fifo_keeps_the_nodes_of_a_blocked_job_from_other_partitions():
    cluster = cluster_of(2, 2, partitions=(Partition("other", nodes="n[1-2]"),))
    cluster.run("n1", cores=2)
    cluster.submit(nodes=2)
    cluster.submit(partition="other")
    assert started(passed(cluster, depth=0)) == []


def test_backfill_starts_a_short_job_that_is_over_before_the_blocked_one_can_start():
    cluster = cluster_of(nodes=4, cpus=2)
    first, blocked = cluster.submit(tasks=7, minutes=10), cluster.submit(tasks=8, minutes=10)
    short, long = cluster.submit(minutes=5), cluster.submit(minutes=15)
    decided = passed(cluster)
    assert started(decided) == [first, short]
    assert [start.by for start in decided.starts] == ["Main", "Backfill"]
    assert reasons(decided) == {blocked: "Resources", long: "Priority"}


def test_backfill_starts_a_long_job_on_nodes_that_the_blocked_one_does_not_need():
    cluster = cluster_of(nodes=3, cpus=2)
    cluster.run("n1", cores=2, minutes=10)
    cluster.submit(nodes=2, required_nodes="n[1-2]", tasks=4)
    long = cluster.submit(minutes=600, cpus_per_task=2)
    decided = passed(cluster)
    assert started(decided) == [long]
    assert nodes_of(cluster, decided.starts[0].allocation.node_mask) == "n3"


def test_the_blocked_job_is_told_when_and_where_it_will_start():
    cluster = cluster_of(nodes=3, cpus=2)
    cluster.run("n1", cores=2, minutes=10)
    cluster.run("n2", cores=2, minutes=20)
    cluster.submit(nodes=2, tasks=4, minutes=5)
    (outlook,) = passed(cluster).outlooks
    assert (outlook.start_s, nodes_of(cluster, outlook.nodes)) == (600, "n[1,3]")


def test_conservative_backfill_delays_none_of_the_blocked_jobs():
    cluster = cluster_of(nodes=2, cpus=2)
    cluster.run("n1", cores=2, minutes=10)
    cluster.submit(nodes=2, minutes=10)
    cluster.submit(tasks=4, minutes=10)
    sneaky = cluster.submit(required_nodes="n2", cpus_per_task=2, minutes=15)
    assert started(passed(cluster, depth=EASY)) == []
    decided = passed(cluster, depth=CONSERVATIVE)
    assert [outlook.start_s for outlook in decided.outlooks] == [600, 1200, 1800]
    assert decided.outlooks[-1].job_id == sneaky


def test_memory_that_a_blocked_job_was_promised_is_not_given_away():
    cluster = cluster_of(nodes=1, cpus=4, memory_mib=1000)
    cluster.run("n1", cores=1, minutes=10, memory_mib=600)
    blocked = cluster.submit(memory_per_node_mib=900, minutes=60)
    short = cluster.submit(memory_per_node_mib=300, minutes=9)
    cluster.submit(memory_per_node_mib=300, minutes=11)
    slim = cluster.submit(memory_per_node_mib=100, minutes=600)
    decided = passed(cluster)
    assert started(decided) == [short, slim]
    assert decided.outlooks[0].job_id == blocked


def test_a_pass_over_a_state_that_knows_its_outlooks_proposes_nothing():
    cluster = cluster_of(nodes=1, cpus=2)
    cluster.run("n1", cores=2, minutes=10)
    for _ in range(3):
        cluster.submit(tasks=2)
    carry_out(cluster, passed(cluster))
    again = passed(cluster, now_s=5)
    assert (again.starts, again.outlooks) == ((), ())


def test_tasks_of_an_array_start_from_the_lowest_as_far_as_they_fit():
    cluster = cluster_of(nodes=1, cpus=2)
    array = cluster.submit_array(tasks=5)
    decided = passed(cluster)
    assert [(start.job_id, start.task_id) for start in decided.starts] == [(array, 0), (array, 1)]
    assert reasons(decided) == {array: "Resources"}


def test_an_array_runs_no_more_tasks_than_its_limit():
    cluster = cluster_of(nodes=1, cpus=8)
    array = cluster.submit_array(tasks=5, max_running=2)
    decided = passed(cluster)
    assert [start.task_id for start in decided.starts] == [0, 1]
    assert reasons(decided) == {array: "JobArrayTaskLimit"}
    running = carry_out(cluster, decided)
    assert passed(cluster).starts == ()
    cluster.finish(running[0])
    assert [start.task_id for start in passed(cluster).starts] == [2]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"minutes": 61}, "PartitionTimeLimit"),
        ({"tasks": 9}, "PartitionConfig"),
        ({"nodes": 9}, "PartitionConfig"),
        ({"nodes": 5}, "PartitionNodeLimit"),
        ({"partition": "narrow", "nodes": 3}, "PartitionNodeLimit"),
        ({"partition": "down"}, "PartitionDown"),
        ({"partition": "inactive"}, "PartitionInactive"),
    ],
)
def test_a_job_beyond_a_partitions_limits_is_told_which(request_, reason):
    partitions = (
        Partition("debug", nodes="ALL", max_time_min=60),
        Partition("narrow", nodes="ALL", max_nodes=2),
        Partition("down", nodes="ALL", state=PartitionState.DOWN),
        Partition("inactive", nodes="ALL", state=PartitionState.INACTIVE),
    )
    cluster = cluster_of(4, 2, partitions=partitions)
    job = cluster.submit(**request_)
    decided = passed(cluster)
    assert (started(decided), reasons(decided)) == ([], {job: reason})


def test_a_drained_partition_still_starts_what_it_took():
    cluster = cluster_of()
    cluster.change_partition("debug", state=PartitionState.DRAIN)
    job = cluster.submit()
    assert started(passed(cluster)) == [job]


def test_jobs_whose_nodes_are_out_of_service_are_told_so_and_block_nobody():
    cluster = cluster_of(nodes=4, cpus=2)
    cluster.drain("n1", "n2")
    needs_n1, needs_four, needs_five_cpus = (
        cluster.submit(required_nodes="n1"),
        cluster.submit(nodes=4),
        cluster.submit(tasks=5),
    )
    small = cluster.submit()
    decided = passed(cluster)
    assert started(decided) == [small]
    assert reasons(decided) == {
        needs_n1: "ReqNodeNotAvail, UnavailableNodes:n1",
        needs_four: "ReqNodeNotAvail, UnavailableNodes:n[1-2]",
        needs_five_cpus: "ReqNodeNotAvail, UnavailableNodes:n[1-2]",
    }


def test_fifo_says_of_the_first_job_only_that_its_nodes_are_out_of_service():
    cluster = cluster_of(nodes=4, cpus=2)
    cluster.drain("n1", "n2")
    first = cluster.submit(nodes=4)
    told = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"
    assert reasons(passed(cluster, depth=0)) == {first: told}


def test_held_dependent_and_later_jobs_are_left_alone():
    cluster = cluster_of()
    cluster.submit(priority=0)
    cluster.submit(begin_s=100)
    waits = cluster.submit()
    cluster.change(waits, dependencies=(Dependency("afterok", 1),))
    decided = passed(cluster)
    assert (decided.starts, decided.outlooks, decided.wake_s) == ((), (), 100)


def test_a_job_of_several_partitions_starts_in_the_one_of_the_highest_tier_that_fits():
    cluster = cluster_of(
        2, 2, partitions=(Partition("debug", nodes="n1"), Partition("hi", nodes="n2", priority_tier=9))
    )
    first, second = cluster.submit(partition="debug,hi", tasks=2), cluster.submit(partition="debug,hi", tasks=2)
    assert [(s.job_id, s.partition) for s in passed(cluster).starts] == [(first, "hi"), (second, "debug")]


def test_the_queue_is_ordered_by_tier_then_priority_then_age():
    cluster = cluster_of(1, 2, partitions=(Partition("hi", nodes="ALL", priority_tier=2),))
    old, young = cluster.submit(priority=5), cluster.submit(priority=5)
    urgent, high = cluster.submit(priority=9), cluster.submit(partition="hi", priority=1)
    assert queue_order(cluster.state, 0) == (high, urgent, old, young)


def test_an_endless_running_job_blocks_for_a_year_and_no_pass_fails():
    cluster = cluster_of(1, 2)
    running = cluster.run("n1", cores=2)
    cluster.change(running, end_s=365 * 24 * 3600)
    cluster.submit()
    assert passed(cluster).outlooks[0].start_s == 365 * 24 * 3600
    assert cluster.state.partitions["debug"].max_time_min == UNLIMITED


def test_a_job_over_its_end_is_expected_to_go_within_the_minute():
    cluster = cluster_of(1, 2)
    cluster.run("n1", cores=2, minutes=1)
    cluster.submit()
    assert passed(cluster, now_s=130).outlooks[0].start_s == 180


class CountingFifo(Fifo):
    passes = 0

    def decide(self, cluster: Cluster, order: tuple[int, ...], now_s: int) -> Plan:
        self.passes += 1
        return super().decide(cluster, order, now_s)


def test_a_policy_does_not_repeat_a_pass_that_decided_nothing_until_a_begin_time_comes():
    cluster = cluster_of(1, 2)
    cluster.submit(begin_s=100)
    policy = CountingFifo()
    for now_s in (0, 1, 99):
        policy.plan(cluster.state, queue_order(cluster.state, now_s), now_s)
    assert policy.passes == 1
    assert started(policy.plan(cluster.state, queue_order(cluster.state, 100), 100)) == [1]


def test_fairshare_puts_the_user_who_used_less_first():
    cluster = cluster_of(nodes=1, cpus=2)
    cluster.run("n1", cores=1, user_id=1)
    greedy, modest = cluster.submit(user_id=1), cluster.submit(user_id=2)
    order = queue_order(cluster.state, 600)
    assert order == (greedy, modest)
    assert started(Fairshare().plan(cluster.state, order, 600)) == [modest]
    assert started(Backfill().plan(cluster.state, order, 600)) == [greedy]


def test_the_built_in_policies_go_by_their_names():
    assert sorted(BUILT_IN) == ["backfill", "fairshare", "fifo"]


def test_weights_decide_before_position():
    cluster = cluster_of(0, extra_nodes=(node_of("n1", weight=9), node_of("n2", weight=1)))
    cluster.submit()
    assert nodes_of(cluster, passed(cluster).starts[0].allocation.node_mask) == "n2"


def test_a_job_that_is_first_is_told_resources_once_its_partition_is_back():
    cluster = cluster_of(1, 1)
    cluster.run("n1")
    job = cluster.submit()
    cluster.change(job, reason=Reason.PARTITION_DOWN)
    assert reasons(passed(cluster)) == {job: "Resources"}
