"""Licenses: what a text means, which requests are taken, who holds what."""

import pytest

from flurm.core import commands, licenses, snapshot
from flurm.core.apply import apply
from flurm.core.commands import Configure
from flurm.core.enums import JobFlag, JobState
from flurm.core.job_records import Job, JobSpec
from flurm.core.node_records import Switch
from flurm.core.records import Cluster, Settings
from flurm.core.tables import put


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (None, {}),
        ("", {}),
        ("matlab", {"matlab": 1}),
        ("matlab:2,ansys", {"matlab": 2, "ansys": 1}),
        ("matlab=2", {"matlab": 2}),
        ("matlab:2,matlab:3", {"matlab": 5}),
        ("matlab@flex:4", {"matlab@flex": 4}),
    ],
)
def test_a_text_is_names_with_counts(text, meant):
    assert licenses.parse(text) == meant


@pytest.mark.parametrize("text", ["matlab:x", "matlab*2", "matlab:-1", "a|b", ":3", "a b"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="NAME:COUNT"):
        licenses.parse(text)


def test_a_request_is_for_what_there_is():
    assert licenses.are_valid("matlab:4", "matlab:4,ansys:2")
    assert licenses.are_valid("matlab:0", "matlab:4")
    assert not licenses.are_valid("matlab:5", "matlab:4")
    assert not licenses.are_valid("nope", "matlab:4")
    assert not licenses.are_valid("matlab:x", "matlab:4")
    assert not licenses.are_valid("matlab", None)


def test_running_and_suspended_jobs_hold_them_completing_and_waiting_ones_do_not():
    cluster = Cluster(settings=Settings(licenses="matlab:9"))
    states = (JobState.RUNNING, JobState.SUSPENDED, JobState.PENDING, JobState.COMPLETED)
    for job_id, state in enumerate(states, 1):
        flags = JobFlag.COMPLETING if state is JobState.COMPLETED else JobFlag.NONE
        cluster = put(cluster, Job(job_id, JobSpec(licenses="matlab:2"), state=state, flags=flags))
    assert licenses.used(cluster) == {"matlab": 4}
    assert licenses.free(cluster) == {"matlab": 5}


def test_a_job_that_is_left_with_a_text_nobody_can_read_waits_for_a_license_that_nobody_has():
    assert licenses.wanted("matlab:x") == {"matlab:x": 1}


def test_licenses_and_switches_survive_the_log_and_a_snapshot():
    settings = Settings(licenses="matlab:4", switches=(Switch("s1", 0, "n1"), Switch("top", 1, "n1", "s1", 9)))
    written = commands.decode(commands.encode(Configure(now_s=1, settings=settings, nodes=(), partitions=())))
    cluster = apply(Cluster(), written).cluster
    assert snapshot.load(snapshot.dump(cluster)) == cluster
    assert cluster.settings == settings
