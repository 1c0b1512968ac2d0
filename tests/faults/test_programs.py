"""The leader is killed while a prolog runs: it dies with the leader, and the next one runs it from its beginning; and
administrators who wait for the loss of a controller hear of it.
"""

from __future__ import annotations

import pytest

from tests.faults.controllers import Controllers, why_not
from tests.slurm.sandbox import CLUSTER_DIR

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

PROLOG, HOLD, RUNS, TELL, TOLD = (f"{CLUSTER_DIR}/{name}" for name in ("prolog.sh", "hold", "runs", "tell.sh", "told"))
TEXT = f"#!/bin/sh\necho $$ $SLURM_JOB_ID >> {RUNS}\nwhile [ -e {HOLD} ]; do sleep 0.05; done\n"


def test_the_next_leader_runs_the_prolog_that_the_last_one_did_not_finish():
    with Controllers(**{"slurm.PrologSlurmctld": PROLOG}) as cluster:
        cluster.sandbox.write(PROLOG, TEXT, mode=0o755)
        cluster.sandbox.write(TELL, f"#!/bin/sh\necho $1 >> {TOLD}\n", mode=0o755)
        cluster.sandbox.write(HOLD, "")
        for event in ("primary_slurmctld_failure", "backup_slurmctld_failure"):
            assert cluster.sandbox.run(f"strigger --set --{event} --program={TELL}").exit == 0
        job = cluster.command("sbatch --parsable -o /dev/null --wrap true")
        (first,) = cluster.await_that("the prolog runs", lambda: cluster.sandbox.read(RUNS).splitlines())
        leader = cluster.await_leader()
        cluster.kill(leader)
        cluster.await_that("it is gone", lambda: cluster.sandbox.run(f"kill -0 {first.split()[0]}").exit)
        cluster.await_that("another runs it", lambda: len(cluster.sandbox.read(RUNS).splitlines()) == 2)
        assert cluster.command(f"squeue -h -j {job} -o %T") == "CONFIGURING"
        cluster.sandbox.run(f"rm {HOLD}")
        cluster.await_that("it is over", lambda: cluster.command(f"squeue -h -t all -j {job} -o %T") == "COMPLETED")
        assert [line.split()[1] for line in cluster.sandbox.read(RUNS).splitlines()] == [job, job]
        lost = f"{'primary' if leader == 'c1' else 'backup'}_slurmctld_failure"
        cluster.await_that(f"{lost} is told", lambda: lost in cluster.sandbox.read(TOLD).split())
