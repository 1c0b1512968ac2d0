"""What a slurmctld's file `job_state` adds: one that 24.11 wrote of a plain, an array and a dependent job."""

from __future__ import annotations

import pytest

from flurm.bridge.importing import saved
from tests.bridge.importing import running, taken, waiting
from tests.bridge.recorded import DATA

FILE = (DATA / "job_state-24.11").read_bytes()
JOBS = saved.read(FILE)
SUBMITTED_S = JOBS[70000].job_details.details_submit_time
SCRIPT = b"#!/bin/sh\n./run $1\n"


def told(job_id, **fields):
    usual = {"command": "/mnt/alice/w.sh", "submit_time": SUBMITTED_S, "eligible_time": 0}
    return waiting(job_id, **(usual | fields))


def test_arguments_are_known_where_the_file_is_of_the_same_jobs():
    jobs = [told(70000), told(70002), told(70003), told(70004, submit_time=SUBMITTED_S + 1)]
    known = {**JOBS, 70004: JOBS[70000]}
    imported = taken(jobs, version=0x2A00, saved=known, scripts=dict.fromkeys(range(70000, 70005), SCRIPT))
    found = {job.id: (job.spec.argv, job.hold) for job in imported.cluster.jobs.values()}
    assert found == {
        70000: (("/mnt/alice/w.sh", "a", "b c"), None),
        70002: (("/mnt/alice/w.sh", "", "z"), None),
        70003: (("/mnt/alice/w.sh",), "admin"),
        70004: (("/mnt/alice/w.sh",), "admin"),
    }
    assert imported.told_in_part == 2


def test_what_clients_are_not_told_is_known():
    array = {"array_job_id": 70001, "array_max_tasks": 1}
    jobs = [told(70001, array_task_str="0x20", **array), running(70009, array_task_id=3, **array)]
    imported = taken(jobs, version=0x2A00, saved=JOBS, scripts={70001: SCRIPT}, environments={70001: ()})
    job = imported.cluster.jobs[70001]
    spec = job.spec
    assert (spec.open_mode, spec.overcommit, spec.warn_signal, spec.warn_time_s, spec.warn_flags) == (
        1,
        True,
        10,
        60,
        1,
    )
    assert (job.array.count, job.array.lowest, job.array.highest, job.array.step) == (3, 1, 5, 2)


@pytest.mark.parametrize("data", [b"", FILE[:40], FILE[:-1], FILE.replace(b"\x2a\x00", b"\x26\x00", 1), b"x" + FILE])
def test_a_file_that_is_cut_short_or_of_another_kind_tells_nothing(data):
    assert saved.read(data) == {}
