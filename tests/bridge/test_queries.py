"""Queries: for everything that clients read, the answer of real slurmctld to the same request."""

from __future__ import annotations

import threading

import pytest

from flurm.bridge.kept import KeptForms
from flurm.bridge.queries import Context, answer, is_query
from flurm.bridge.show_stats import Counters
from flurm.config.records import Config, PartitionConfig
from flurm.core.enums import Reason
from flurm.core.job_records import Job
from protocol.codec import body_class, decode_body, encode_body
from protocol.constants import MESSAGE_BOUNDS, NO_VAL, MessageType
from protocol.messages import JobIdRequest, JobInfoRequest, ReturnCode, StatsRequest, StepInfoRequest
from protocol.versions import Version
from tests.bridge import recorded, twin
from tests.bridge.record import ALWAYS, ONCE

CASES = [(release, version) for release in recorded.RELEASES for version in recorded.VERSIONS[release]]
CONFIG = Config(partitions=tuple(PartitionConfig(name=name) for name in ("debug", "long", "down", "drained")))
SCRIPT = b"#!/bin/sh\n# This script was created by sbatch --wrap.\n\nsleep 300\n"
OWN_TESTS = {"node", "stats", "build", "single", "user", "some_jobs"}
"""Compared record by record elsewhere, or full of numbers that are no rule."""
SAME = [name for name in ONCE if name not in OWN_TESTS and not name.endswith("_array")] + ["steps"]


class Names:
    """The users of the recorded cluster."""

    def user(self, uid):
        return {1001: "alice", 1002: "bob"}.get(uid)

    def group(self, gid):
        return {1001: "alice", 1002: "bob"}.get(gid)


def context(release="22.05", version=0x2600, moment="pending", uid=0, **more):
    seen = recorded.reply(release, moment, "jobs2", version)
    return Context(
        twin.cluster(release, moment, version), version, uid, uid, seen.record.last_update, CONFIG, Names(),
        read_blob={"d": SCRIPT}.__getitem__, **more,
    )  # fmt: skip


def encoded(reply, version):
    msg_type, body = reply
    return body if isinstance(body, bytes) else encode_body(msg_type, body, version)


RECORDED = [
    (release, version, name)
    for release, version in CASES
    for name in SAME
    if name in recorded.queries(release, "pending", version)
]


@pytest.mark.parametrize(("release", "version", "name"), RECORDED)
def test_the_answer_says_what_slurmctld_says(release, version, name):
    seen = recorded.reply(release, "pending", name, version)
    msg_type, request = (ALWAYS | ONCE)[name]
    ctx = context(release, version, started_s=getattr(seen.record, "control_time", 0))
    reply = answer(msg_type, request, ctx)
    assert reply[0] == seen.msg_type
    record = decode_body(reply[0], encoded(reply, version), version)
    apart = _steps_apart(record, seen.record) if "steps" in name else recorded.differences(record, seen.record, *_TIMES)
    assert not apart


_TIMES = ("last_update", "last_backfill")


def _steps_apart(ours, theirs):
    """How long a step has run is counted to the second of the answer."""
    if isinstance(theirs, ReturnCode):
        return recorded.differences(ours, theirs)
    pairs = zip(ours.job_steps, theirs.job_steps, strict=True)
    return [found for a, b in pairs if (found := recorded.differences(a, b, "run_time"))]


@pytest.mark.parametrize(("release", "version"), CASES)
@pytest.mark.parametrize("name", ["single", "single_array", "user", "user_without", "some_jobs", "jobs0", "jobs2"])
def test_the_jobs_of_an_answer_are_those_of_slurmctld_in_its_order(release, version, name):
    seen = recorded.reply(release, "pending", name, version).record
    msg_type, request = (ALWAYS | ONCE)[name]
    reply = answer(msg_type, request, context(release, version))
    ours = decode_body(reply[0], encoded(reply, version), version)
    assert [job.job_id for job in ours.jobs] == [job.job_id for job in seen.jobs]
    assert ours.record_count == seen.record_count


@pytest.mark.parametrize(("release", "version"), CASES)
def test_another_user_reads_allocations_but_no_scripts(release, version):
    for name in ("script", "allocation", "end", "crontab"):
        seen = recorded.reply(release, "bob", name, version)
        msg_type, request = ONCE[name]
        reply = answer(msg_type, request, context(release, version, uid=1002))
        assert (reply[0], encoded(reply, version)) == (seen.msg_type, seen.body)


@pytest.mark.parametrize("version", Version)
def test_every_query_of_every_release_gets_an_answer_that_can_be_sent(version):
    ctx = context()
    ctx = Context(ctx.cluster, version, 0, 0, ctx.now_s, CONFIG, Names())
    for msg_type in MessageType:
        first, last = MESSAGE_BOUNDS.get(msg_type, (0, 0xFFFF))
        if is_query(msg_type) and first <= version <= last:
            cls = body_class(msg_type)
            reply = answer(msg_type, cls() if cls else None, ctx)
            assert encoded(reply, version) is not None


def test_what_is_no_query_is_left_to_others():
    assert answer(MessageType.REQUEST_SUBMIT_BATCH_JOB, None, context()) is None


def test_a_script_of_any_bytes_travels_unchanged():
    ctx = context()
    ctx = Context(ctx.cluster, 0x2600, 0, 0, 0, read_blob=lambda digest: b"#!/bin/sh\n\xff\xfe\n")
    reply = answer(MessageType.REQUEST_BATCH_SCRIPT, JobIdRequest(job_id=70000), ctx)
    assert b"#!/bin/sh\n\xff\xfe\n\0" in encoded(reply, 0x2600)


def test_steps_are_told_while_a_batch_script_runs_only():
    reply = answer(MessageType.REQUEST_JOB_STEP_INFO, ALWAYS["steps"][1], context(moment="mixed"))
    running = [step.step_id.job_id for step in reply[1].job_steps]
    assert running == [
        step.step_id.job_id for step in recorded.reply("22.05", "mixed", "steps", 0x2600).record.job_steps
    ]


def test_the_configuration_names_the_cluster_for_every_release():
    for version in Version:
        ctx = Context(context().cluster, version, 0, 0, 9, Config(cluster_name="testc"), started_s=5)
        msg_type, record = answer(MessageType.REQUEST_BUILD_INFO, body_class(MessageType.REQUEST_BUILD_INFO)(), ctx)
        read = decode_body(msg_type, encode_body(msg_type, record, version), version)
        assert (read.cluster_name, read.boot_time) == ("testc", 5)


def test_counters_come_out_as_sdiag_prints_them_and_go_back_to_nothing():
    counters = Counters(since_s=1)
    counters.count_request(MessageType.REQUEST_PING, 1001, 300)
    counters.count_request(MessageType.REQUEST_PING, 0, 100)
    counters.scheduler.add(50, depth=3, queue_length=4)
    counters.backfill.add(70, 5, 4, 6, 7, now_s=99)
    counters.backfill.started_jobs = 2
    ctx = context(counters=counters)
    stats = answer(MessageType.REQUEST_STATS_INFO, StatsRequest(command_id=1), ctx)[1]
    assert (stats.rpc_type_id, stats.rpc_type_cnt, stats.rpc_type_time) == ([1008], [2], [400])
    assert (stats.rpc_user_id, stats.rpc_user_cnt) == ([1001, 0], [1, 1])
    assert (stats.schedule_cycle_last, stats.bf_last_depth, stats.bf_when_last_cycle) == (50, 5, 99)
    assert (stats.jobs_pending, stats.jobs_running) == (len(ctx.cluster.pending), 0)
    counters.reset(now_s=7)
    assert (counters.since_s, counters.by_type, counters.backfill.started_jobs) == (7, {}, 2)


def test_only_operators_set_the_counters_back():
    counters = Counters(since_s=1, jobs_submitted=5)
    refused = answer(MessageType.REQUEST_STATS_INFO, StatsRequest(), context(uid=1002, counters=counters))
    assert (refused[1], counters.jobs_submitted) == (ReturnCode(2002), 5)
    done = answer(MessageType.REQUEST_STATS_INFO, StatsRequest(), context(counters=counters))
    assert (done[1].parts_packed, counters.jobs_submitted) == (0, 0)


def test_a_kept_form_is_the_very_bytes_of_a_fresh_one_and_is_used_again():
    cluster, kept = context().cluster, KeptForms()
    name = {1001: "alice"}.get
    first = kept.all_jobs(cluster, 0x2600, 0, 5, 0, name)
    form = kept.job(cluster, cluster.jobs[70000], 0x2600, 0, name)
    assert kept.job(cluster, cluster.jobs[70000], 0x2600, 0, name) is form
    assert kept.all_jobs(cluster, 0x2600, 0, 5, 0, name) == first
    assert KeptForms().all_jobs(cluster, 0x2600, 0, 5, 0, name) == first


def test_a_list_that_no_job_changed_is_given_again_with_the_time_from_which_it_is_true():
    cluster, kept = context().cluster, KeptForms()
    then_s = cluster.jobs_changed_s + 1
    first = kept.all_jobs(cluster, 0x2600, 0, then_s, 7, Names().user)
    assert kept.all_jobs(cluster, 0x2600, 0, then_s + 60, 7, Names().user) is first
    later = decode_body(MessageType.RESPONSE_JOB_INFO, kept.all_jobs(cluster, 0x2600, 0, then_s + 60, 8, str), 0x2600)
    assert (later.last_update, later.last_backfill) == (then_s + 60, 8), "a backfill cycle makes it a new one"
    assert later.jobs == decode_body(MessageType.RESPONSE_JOB_INFO, first, 0x2600).jobs


def test_a_list_given_within_the_second_of_a_change_does_not_stay_at_that_second():
    cluster, kept = context().cluster, KeptForms()
    changed_s = cluster.jobs_changed_s
    kept.all_jobs(cluster, 0x2600, 0, changed_s, 0, Names().user)
    body = kept.all_jobs(cluster, 0x2600, 0, changed_s + 9, 0, Names().user)
    assert decode_body(MessageType.RESPONSE_JOB_INFO, body, 0x2600).last_update == changed_s + 9
    rewritten = cluster.with_(jobs_changed_s=changed_s + 20)
    body = kept.all_jobs(rewritten, 0x2600, 0, changed_s + 30, 0, Names().user)
    assert decode_body(MessageType.RESPONSE_JOB_INFO, body, 0x2600).last_update == changed_s + 30


def test_a_changed_job_is_packed_again_and_a_job_that_is_gone_is_forgotten():
    cluster, kept = context().cluster, KeptForms()
    kept.all_jobs(cluster, 0x2600, 0, 5, 0, Names().user)
    size = kept.size
    changed = cluster.jobs[70007].with_(reason=Reason.HELD_ADMIN)
    cluster = cluster.with_(jobs=cluster.jobs.set(70007, changed).delete(70009))
    body = kept.all_jobs(cluster, 0x2600, 0, 5, 0, Names().user)
    shown = {job.job_id: job for job in decode_body(MessageType.RESPONSE_JOB_INFO, body, 0x2600).jobs}
    assert shown[70007].state_reason == 8
    assert 70009 not in shown
    assert kept.size == size - 1


def test_forms_do_not_outlive_a_change_of_the_partitions():
    cluster, kept = context().cluster, KeptForms()
    before = kept.job(cluster, cluster.jobs[70007], 0x2600, 0, Names().user)
    shorter = cluster.partitions["debug"].with_(default_time_min=3)
    cluster = cluster.with_(partitions=cluster.partitions.set("debug", shorter))
    assert kept.job(cluster, cluster.jobs[70007], 0x2600, 0, Names().user) != before


def test_only_so_many_kinds_of_forms_are_kept():
    cluster, kept = context().cluster, KeptForms()
    for flags in range(40):
        kept.all_jobs(cluster, 0x2600, flags, 5, 0, Names().user)
    assert kept.size <= 8 * len(cluster.jobs)


def test_many_threads_may_read_while_jobs_change():
    cluster, kept, failures = context().cluster, KeptForms(), []

    def read():
        mine = cluster
        try:
            for round_ in range(30):
                job: Job = mine.jobs[70007].with_(priority=round_)
                mine = mine.with_(jobs=mine.jobs.set(70007, job))
                body = kept.all_jobs(mine, 0x2600 + 0x100 * (round_ % 5), round_ % 3, 5, 0, Names().user)
                assert int.from_bytes(body[:4], "big") == len(mine.jobs)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_client_that_has_the_newest_jobs_is_told_that_nothing_changed():
    ctx = context()
    unchanged = answer(MessageType.REQUEST_JOB_INFO, JobInfoRequest(last_update=ctx.cluster.jobs_changed_s + 1), ctx)
    assert unchanged == (MessageType.RESPONSE_SLURM_RC, ReturnCode(1900))
    again = answer(MessageType.REQUEST_JOB_INFO, JobInfoRequest(last_update=ctx.cluster.jobs_changed_s), ctx)
    assert again[0] == MessageType.RESPONSE_JOB_INFO


def test_a_step_that_is_not_there_is_no_step():
    request = StepInfoRequest()
    request.step_id.job_id, request.step_id.step_id = 9, NO_VAL
    reply = answer(MessageType.REQUEST_JOB_STEP_INFO, request, context())
    assert reply[1] == ReturnCode(2017)
