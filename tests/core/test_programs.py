"""PrologSlurmctld and EpilogSlurmctld: what they keep a job from, and what becomes of it when they fail."""

from __future__ import annotations

import pytest

from flurm.core import commands as c
from flurm.core.apply import apply
from flurm.core.effects import LaunchBatch, ProgramsChanged
from flurm.core.enums import JobFlag, JobState
from flurm.core.records import Cluster, Settings
from flurm.core.snapshot import dump, load
from tests.core.world import World

PROLOG, EPILOG = ("/etc/before",), ("/etc/after",)


def world(prolog=(), epilog=(), **settings):
    return World(
        settings=Settings(
            default_memory_per_cpu_mib=100,
            requeue_delay_s=0,
            prolog_slurmctld=prolog,
            epilog_slurmctld=epilog,
            **settings,
        )
    )


def configuring(w, **asked):
    job_id = w.submit(**asked)
    assert w.schedule() == [job_id]
    return job_id


def runs(w):
    return [(run.kind, run.job.id) for _, run in sorted(w.cluster.programs.items())]


def done(w, status=0, error=None):
    """The oldest program ends."""
    w.do(c.ProgramDone(now_s=w.now_s, id=min(w.cluster.programs), status=status, error=error))


def test_a_job_is_configuring_until_the_prolog_is_done():
    w = world(prolog=PROLOG)
    job_id = configuring(w)
    assert w.job(job_id).flags & JobFlag.CONFIGURING
    assert (runs(w), LaunchBatch(job_id) in w.effects) == ([("prolog", job_id)], False)
    assert ProgramsChanged() in w.effects
    done(w)
    assert not w.job(job_id).flags & JobFlag.CONFIGURING
    assert (runs(w), LaunchBatch(job_id) in w.effects, w.job(job_id).launch) == ([], True, "wanted")


def test_a_job_whose_prolog_fails_waits_again():
    w = world(prolog=PROLOG)
    job_id = configuring(w)
    done(w, status=256)
    w.clean(job_id)
    job = w.job(job_id)
    assert (job.state, job.restarts, job.priority > 0, job.flags) == (JobState.PENDING, 1, True, JobFlag.NONE)


def test_a_job_that_may_not_be_requeued_is_cancelled_when_its_prolog_cannot_be_run():
    w = world(prolog=PROLOG)
    job_id = configuring(w, requeue=False)
    done(w, error="cannot run /etc/before")
    assert w.state(job_id) is JobState.CANCELLED


def test_the_prolog_of_a_job_that_is_cancelled_is_killed():
    w = world(prolog=PROLOG)
    job_id = configuring(w)
    late = min(w.cluster.programs)
    w.kill(job_id)
    assert (w.state(job_id), runs(w)) == (JobState.CANCELLED, [])
    w.do(c.ProgramDone(now_s=w.now_s, id=late))
    assert (w.state(job_id), LaunchBatch(job_id) in w.effects) == (JobState.CANCELLED, False)


def test_a_node_that_registers_does_not_lose_a_job_that_it_has_not_been_told_of_yet():
    w = world(prolog=PROLOG)
    job_id = configuring(w)
    w.now_s += 1000
    w.register("n1", since_s=w.now_s)
    assert w.state(job_id) is JobState.RUNNING


def test_a_job_is_completing_until_the_epilog_is_done_though_its_nodes_are_free():
    w = world(epilog=EPILOG)
    job_id = w.start()
    w.end(job_id)
    assert (w.state(job_id), w.job(job_id).completing, w.node("n1").jobs) == (JobState.COMPLETED, 0, ())
    assert w.job(job_id).flags & JobFlag.COMPLETING
    done(w, status=256)
    assert (w.job(job_id).flags, job_id in w.cluster.ended) == (JobFlag.NONE, True)


@pytest.mark.parametrize("first", ["epilog", "nodes"])
def test_a_job_is_over_when_both_the_epilog_and_its_nodes_are(first):
    w = world(epilog=EPILOG)
    job_id = w.start()
    w.do(c.BatchEnded(now_s=w.now_s, job_id=job_id, node="n1", exit_status=0))
    steps = [lambda: done(w), lambda: w.clean(job_id)]
    for step in steps if first == "epilog" else steps[::-1]:
        assert w.job(job_id).flags & JobFlag.COMPLETING
        step()
    assert w.job(job_id).flags is JobFlag.NONE


def test_a_requeued_job_waits_for_the_epilog_before_it_starts_again():
    w = world(epilog=EPILOG)
    job_id = w.start()
    w.requeue(job_id)
    w.clean(job_id)
    assert w.schedule() == []
    assert w.cluster.programs[1].job.restarts == 1
    done(w)
    assert w.schedule() == [job_id]


def test_a_dependent_job_starts_after_the_epilog():
    w = world(epilog=EPILOG)
    first = w.start()
    second = w.submit(dependency=f"afterok:{first}")
    w.end(first)
    done(w)
    assert w.schedule() == [second]


def test_what_was_decided_and_not_done_is_still_there_after_a_replay_and_in_a_snapshot():
    w = world(prolog=PROLOG, epilog=EPILOG)
    job_id = w.submit()
    w.schedule()
    done(w)
    w.do(c.LaunchDone(now_s=w.now_s, job_id=job_id, restarts=0))
    w.end(job_id)
    configuring(w)
    assert [kind for kind, _ in runs(w)] == ["epilog", "prolog"]
    replayed = Cluster()
    for command in w.log:
        replayed = apply(replayed, c.decode(c.encode(command))).cluster
    assert dump(replayed) == dump(w.cluster)
    assert load(dump(w.cluster)).programs == w.cluster.programs


def test_without_programs_nothing_is_decided():
    w = world()
    w.end(w.start())
    assert (w.cluster.next_program, runs(w)) == (1, [])
