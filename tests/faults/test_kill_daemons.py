"""`kill -9` of the controller, of the node daemon, and of both, while jobs run and wait."""

from __future__ import annotations

import pytest

from protocol.constants import JobState
from tests.faults.daemons import BASE_STATE, Daemons

RUNNING, WAITING = 20, 100


def kill_controller(cluster: Daemons) -> None:
    cluster.kill_controller()
    cluster.start()


def kill_node(cluster: Daemons) -> None:
    """Whoever started the node daemon starts it again."""
    killed = cluster.kill_node()
    cluster.await_that("a new node daemon", lambda: cluster.node_pid() not in (None, killed))


def kill_both(cluster: Daemons) -> None:
    cluster.kill_controller()
    cluster.kill_node()
    cluster.start()


def kill_controller_twice(cluster: Daemons) -> None:
    kill_controller(cluster)
    kill_controller(cluster)


def code_of(number: int) -> int:
    """A different exit code for every job, 0 among them."""
    return number % 120


@pytest.mark.parametrize("kill", [kill_controller, kill_node, kill_both, kill_controller_twice])
def test_every_job_ends_with_its_own_exit_code(kill):
    with Daemons(max_batch_requeue=5) as cluster:
        cluster.await_node()
        gate, runs = cluster.place / "gate", cluster.place / "runs"
        wait = f"echo $SLURM_JOB_ID >> {runs}; until test -e {gate}; do sleep 0.1; done; exit"
        expected = {cluster.client.submit(f"{wait} {code_of(n)}"): code_of(n) for n in range(RUNNING)}
        for n in range(RUNNING, RUNNING + WAITING):
            expected[cluster.client.submit(f"echo $SLURM_JOB_ID >> {runs}; exit {code_of(n)}")] = code_of(n)
        cluster.await_that("20 jobs run", lambda: runs.exists() and len(runs.read_text().split()) == RUNNING)
        states = [job.job_state & BASE_STATE for job in cluster.client.jobs().values()]
        assert (states.count(JobState.RUNNING), states.count(JobState.PENDING)) == (RUNNING, WAITING)

        kill(cluster)
        gate.touch()

        jobs = cluster.await_end(set(expected), patience_s=50)
        assert {job_id: jobs[job_id].exit_code >> 8 for job_id in expected} == expected
        ran = runs.read_text().split()
        assert sorted(map(int, ran)) == sorted(expected), "each job ran exactly once"


def test_a_job_that_ends_while_both_daemons_are_gone_is_reported_with_its_exit_code():
    with Daemons() as cluster:
        cluster.await_node()
        begun, gate, over = (cluster.place / name for name in ("begun", "gate", "over"))
        job_id = cluster.client.submit(
            f"touch {begun}; until test -e {gate}; do sleep 0.05; done; touch {over}; exit 42"
        )
        cluster.await_that("the job runs", begun.exists)
        cluster.kill_controller()
        cluster.kill_node()
        gate.touch()
        cluster.await_that("the job is over", over.exists)
        cluster.start()
        assert cluster.await_end({job_id})[job_id].exit_code == 42 << 8


def test_a_node_daemon_that_is_killed_again_and_again_loses_no_job():
    with Daemons() as cluster:
        cluster.await_node()
        gate = cluster.place / "gate"
        expected = {
            cluster.client.submit(f"until test -e {gate}; do sleep 0.1; done; exit {n + 1}"): n + 1 for n in range(5)
        }
        for _ in range(3):
            kill_node(cluster)
        gate.touch()
        jobs = cluster.await_end(set(expected))
        assert {job_id: jobs[job_id].exit_code >> 8 for job_id in expected} == expected
