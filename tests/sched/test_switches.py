"""Jobs go below the lowest switch that has room, as topology/tree of Slurm 22.05 and 24.11 was seen to place them."""

from __future__ import annotations

from flurm.core.names import compress
from flurm.core.node_records import Switch
from flurm.sched.plan import Plan
from tests.sched.builders import TestCluster, cluster_of
from tests.sched.test_plan import passed, reasons, started

TREE = (
    Switch("top", 1, "n[1-6]", "s[1-3]"),
    Switch("s1", 0, "n[1-2]"),
    Switch("s2", 0, "n[3-4]"),
    Switch("s3", 0, "n[5-6]"),
)


def tree(switches: tuple[Switch, ...] = TREE, nodes: int = 6) -> TestCluster:
    cluster = cluster_of(nodes=nodes, cpus=2)
    cluster.state = cluster.state.with_(settings=cluster.state.settings.with_(switches=switches))
    return cluster


def places(cluster: TestCluster, decided: Plan) -> list[str]:
    return [compress(cluster.state.names_in(start.allocation.node_mask)) for start in decided.starts]


def test_two_nodes_are_below_one_leaf_switch_though_neighbours_are_free_elsewhere():
    cluster = tree()
    cluster.run("n1", cores=2)
    cluster.run("n4", cores=2)
    cluster.submit(nodes=2)
    assert places(cluster, passed(cluster)) == ["n[5-6]"]


def test_the_leaf_switch_with_the_fewest_free_nodes_that_suffice_is_used():
    cluster = tree()
    cluster.run("n3", cores=2)
    cluster.submit()
    assert places(cluster, passed(cluster)) == ["n4"]


def test_who_needs_more_gets_as_few_leaf_switches_as_will_do():
    cluster = tree()
    cluster.run("n1", cores=2)
    cluster.submit(nodes=4)
    assert places(cluster, passed(cluster)) == ["n[3-6]"]


def test_who_asks_for_one_switch_waits_for_it_so_long_and_then_takes_any():
    cluster = tree()
    cluster.run("n1", cores=2)
    cluster.run("n3", cores=2)
    cluster.run("n5", cores=2)
    job = cluster.submit(nodes=2, req_switch=1, wait_for_switch_s=100)
    early = passed(cluster, now_s=50)
    assert (started(early), reasons(early)) == ([], {job: "Resources"})
    assert early.wake_s == cluster.job(job).submit_s + 100
    assert started(passed(cluster, now_s=early.wake_s)) == [job]


def test_one_that_can_never_be_below_so_few_switches_starts_in_the_end():
    cluster = tree()
    job = cluster.submit(nodes=3, req_switch=1, wait_for_switch_s=60)
    assert started(passed(cluster)) == []
    assert started(passed(cluster, now_s=100)) == [job]


def test_two_switches_may_be_asked_for():
    cluster = tree()
    cluster.submit(nodes=4, req_switch=2, wait_for_switch_s=60)
    assert places(cluster, passed(cluster)) == ["n[1-4]"]


def test_required_nodes_say_which_switch():
    cluster = tree()
    cluster.submit(nodes=2, required_nodes="n6")
    assert places(cluster, passed(cluster)) == ["n[5-6]"]


def test_nobody_spans_switches_that_nothing_connects():
    cluster = tree(TREE[1:])
    apart, single = cluster.submit(nodes=3), cluster.submit()
    decided = passed(cluster)
    assert started(decided) == [single]
    assert reasons(decided) == {apart: "Resources"}


def test_nodes_below_no_switch_serve_who_finds_no_other():
    cluster = tree(TREE[1:2])
    cluster.submit(nodes=4)
    assert places(cluster, passed(cluster)) == ["n[3-6]"]


def test_without_switches_placement_is_what_it_was():
    cluster = tree(())
    cluster.submit(nodes=2, req_switch=1, wait_for_switch_s=100)
    assert places(cluster, passed(cluster)) == ["n[1-2]"]
