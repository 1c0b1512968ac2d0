"""Jobs that ask for licenses start while there are any, and hold up nobody."""

from flurm.sched.queue import queue_order
from tests.sched.builders import TestCluster, cluster_of
from tests.sched.test_plan import passed, reasons, started


def with_licenses(text: str, nodes: int = 4) -> TestCluster:
    cluster = cluster_of(nodes=nodes, cpus=4)
    cluster.state = cluster.state.with_(settings=cluster.state.settings.with_(licenses=text))
    return cluster


def test_who_finds_none_left_waits_with_licenses_and_those_behind_go_on():
    cluster = with_licenses("matlab:4,ansys:1")
    first, second, third = (cluster.submit(licenses="matlab:2") for _ in range(3))
    plain, other = cluster.submit(), cluster.submit(licenses="ansys")
    for depth in (0, 1):
        decided = passed(cluster, depth=depth)
        assert started(decided) == [first, second, plain, other]
        assert reasons(decided) == {third: "Licenses"}


def test_what_running_jobs_hold_is_not_there():
    cluster = with_licenses("matlab:2")
    running = cluster.run("n1", licenses="matlab:2")
    waiting = cluster.submit(licenses="matlab")
    assert reasons(passed(cluster)) == {waiting: "Licenses"}
    cluster.change(running, spec=cluster.job(running).spec.with_(licenses="matlab:1"))
    assert started(passed(cluster)) == [waiting]


def test_a_job_that_does_not_fit_takes_none():
    cluster = with_licenses("matlab:1", nodes=2)
    cluster.run("n1", cores=4)
    wide, narrow = cluster.submit(nodes=2, licenses="matlab"), cluster.submit(licenses="matlab", time_limit_min=1)
    assert wide in queue_order(cluster.state, 0)
    assert started(passed(cluster)) == [narrow]


def test_each_task_of_an_array_takes_its_own():
    cluster = with_licenses("matlab:3")
    array = cluster.submit_array(8, licenses="matlab")
    decided = passed(cluster)
    assert [start.task_id for start in decided.starts] == [0, 1, 2]
    assert reasons(decided) == {array: "Licenses"}


def test_a_license_that_is_no_longer_configured_is_waited_for():
    cluster = with_licenses("matlab:1")
    gone = cluster.submit(licenses="gone")
    assert reasons(passed(cluster)) == {gone: "Licenses"}
