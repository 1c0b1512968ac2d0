"""Forecasts and explanations."""

import pytest

from flurm.core.enums import Refusal
from flurm.sched.explain import explain
from flurm.sched.forecast import Forecast, will_run
from flurm.sched.plan import plan
from flurm.sched.queue import queue_order
from tests.sched.builders import cluster_of, nodes_of, spec_of


def test_a_request_that_fits_would_start_now():
    cluster = cluster_of(nodes=4, cpus=2)
    assert will_run(cluster.state, spec_of(tasks=3), 50) == Forecast(50, 0b11, "debug", 3)


def test_a_request_that_does_not_fit_now_would_start_when_enough_has_ended():
    cluster = cluster_of(nodes=2, cpus=2)
    cluster.run("n1", cores=2, minutes=10)
    cluster.run("n2", cores=2, minutes=5)
    assert will_run(cluster.state, spec_of(tasks=4), 0) == Forecast(600, 0b11, "debug", 4)


def test_a_request_would_start_behind_a_job_that_was_promised_its_nodes():
    cluster = cluster_of(nodes=2, cpus=2)
    cluster.run("n1", cores=2, minutes=10)
    cluster.submit(tasks=4, minutes=10)
    for outlook in plan(cluster.state, queue_order(cluster.state, 0), 0).outlooks:
        cluster.tell(outlook)
    assert will_run(cluster.state, spec_of(tasks=3, minutes=10), 0) == Forecast(1200, 0b11, "debug", 3)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        ({"tasks": 9}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"cpus_per_task": 3}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"nodes": 5}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"nodes": 2, "required_nodes": "n1"}, Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE),
        ({"required_nodes": "nope"}, Refusal.INVALID_NODE_NAME),
        ({"features": "nope"}, Refusal.INVALID_FEATURE),
        ({"partition": "nope"}, Refusal.INVALID_PARTITION_NAME),
    ],
)
def test_a_request_that_never_fits_is_refused(request_, refusal):
    assert will_run(cluster_of(nodes=4, cpus=2).state, spec_of(**request_), 0) is refusal


def test_an_explanation_names_the_nodes_out_of_service_and_the_verdict():
    cluster = cluster_of(nodes=2, cpus=2)
    cluster.drain("n2")
    job = cluster.submit(nodes=2)
    found = explain(cluster.state, job, 0)
    assert (found.position, found.starts_now) == (0, False)
    assert "1 of them are in service (not n2)" in found.sentences[2]
    assert found.sentences[-2] == "Without the nodes that are out of service it can never start."


def test_an_explanation_says_what_a_job_waits_for_that_is_not_in_the_queue():
    cluster = cluster_of()
    held, later = cluster.submit(priority=0), cluster.submit(begin_s=90)
    assert "scontrol release 1" in explain(cluster.state, held, 0).sentences[0]
    assert "another 90 seconds" in explain(cluster.state, later, 0).sentences[0]
    assert explain(cluster.state, 99, 0).sentences == ("There is no job 99.",)


def test_the_explanation_of_a_job_that_starts_says_so():
    cluster = cluster_of()
    job = cluster.submit()
    assert explain(cluster.state, job, 0).starts_now
    assert nodes_of(cluster, 0b11) == "n[1-2]"
