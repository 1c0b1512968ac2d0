"""Jobs: every field of every kind of job is what real slurmctld sent for the same job."""

from __future__ import annotations

import pytest

from flurm.bridge.show_jobs import in_listing_order, is_hidden, job_info, time_limit_min
from flurm.core.job_records import ArrayTask, Job
from flurm.core.node_records import Partition
from flurm.core.record import UNLIMITED
from protocol.codec import pack, unpack
from protocol.constants import MEM_PER_CPU, NO_VAL
from protocol.messages import JobInfo
from protocol.versions import Version
from tests.bridge import recorded, twin

CASES = [
    (release, version, moment)
    for release in recorded.RELEASES
    for version in recorded.VERSIONS[release]
    for moment in ("running", "pending", "mixed")
]
NOT_KEPT_IN_STATE = {
    "array": {"accrue_time"},
    "long": {"accrue_time", "tres_alloc_str", "bitflags"},
    "two": {"max_nodes"},
}
"""slurmctld counts the age of array tasks apart from their eligibility, and leaves traces of an allocation that a job
has lost with its node; the core keeps neither."""


@pytest.mark.parametrize(("release", "version", "moment"), CASES)
@pytest.mark.parametrize("query", ["jobs0", "jobs2"])
def test_every_field_of_every_job_is_what_slurmctld_sends(release, version, moment, query):
    cluster = twin.cluster(release, moment, version)
    wrong = {}
    for seen in recorded.reply(release, moment, query, version).record.jobs:
        shown = job_info(cluster, cluster.jobs[seen.job_id], version, int(query[-1]), {1001: "alice"}.get)
        sent = recorded.as_sent(shown, version)
        if found := recorded.differences(sent, seen, *NOT_KEPT_IN_STATE.get(seen.name, ())):
            wrong[seen.job_id, seen.name] = found
    assert not wrong


@pytest.mark.parametrize(("release", "version", "moment"), CASES)
def test_jobs_are_listed_in_the_order_of_slurmctld(release, version, moment):
    cluster = twin.cluster(release, moment, version)
    seen = [job.job_id for job in recorded.reply(release, moment, "jobs2", version).record.jobs]
    assert in_listing_order(cluster) == seen


@pytest.mark.parametrize("version", Version)
def test_every_release_can_read_every_job(version):
    cluster = twin.cluster("22.05", "mixed", 0x2600)
    for job in cluster.jobs.values():
        shown = job_info(cluster, job, version, 2, {1001: "alice"}.get)
        read = unpack(JobInfo, pack(shown, version), version)
        assert (read.name, read.job_state, read.nodes) == (job.spec.name, int(job.state), shown.nodes)
        assert (read.step_id.job_id or read.job_id) == job.id


def shown_job(version: int = Version.V22_05, **asked: object) -> JobInfo:
    cluster = twin.nodes_and_partitions("22.05", "idle", 0x2600)
    job = Job(7, twin.SPEC.with_(**asked), partition="debug")
    return job_info(cluster, job, version, 0, lambda uid: None)


def test_memory_per_cpu_is_told_from_memory_per_node():
    assert shown_job(memory_per_cpu_mib=100).pn_min_memory == MEM_PER_CPU | 100
    assert shown_job(memory_per_cpu_mib=None, memory_per_node_mib=100).pn_min_memory == 100


def test_a_script_shows_its_arguments_to_22_05_only():
    assert shown_job(argv=("/a/s.sh", "x", "y")).command == "/a/s.sh x y"
    assert shown_job(Version.V24_11, argv=("/a/s.sh", "x", "y")).command == "/a/s.sh"


def test_a_node_list_with_a_name_that_is_gone_is_shown_without_a_bitmap():
    shown = shown_job(required_nodes="n[1-2],gone")
    assert (shown.req_nodes, shown.req_node_inx) == ("n[1-2],gone", None)


def test_the_time_limit_comes_from_the_job_then_the_partition():
    job = Job(1, twin.SPEC, partition="p")
    assert time_limit_min(job.with_(spec=twin.SPEC.with_(time_limit_min=3)), Partition("p", default_time_min=9)) == 3
    assert time_limit_min(job, Partition("p", default_time_min=9)) == 9
    assert time_limit_min(job, Partition("p", max_time_min=60)) == 60
    assert time_limit_min(job, None) == UNLIMITED


def test_waiting_tasks_of_an_array_travel_as_a_bitmap():
    cluster = twin.nodes_and_partitions("22.05", "idle", 0x2600)
    array = ArrayTask(7, waiting=0b1010, max_running=2, count=10, highest=9)
    shown = job_info(cluster, Job(7, twin.SPEC, partition="debug", array=array), 0x2600, 0, lambda uid: None)
    assert (shown.array_task_str, shown.array_task_id, shown.array_max_tasks) == ("0x00A", NO_VAL, 2)


def test_a_job_of_hidden_partitions_alone_is_hidden_unless_all_are_wanted():
    cluster = twin.nodes_and_partitions("22.05", "idle", 0x2600)
    hidden = Partition("secret", "n1", 1, hidden=True)
    cluster = cluster.with_(partitions=cluster.partitions.set("secret", hidden))
    only = Job(1, twin.SPEC.with_(partitions=("secret",)), partition="secret")
    both = Job(2, twin.SPEC.with_(partitions=("secret", "debug")), partition="secret")
    assert is_hidden(cluster, only, 0)
    assert not is_hidden(cluster, only, 1)
    assert not is_hidden(cluster, both, 0)
