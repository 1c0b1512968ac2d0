"""What a slurmctld tells of its jobs, nodes and partitions as a cluster, and what is said of what is left behind."""

from __future__ import annotations

import pytest

from flurm.bridge import node_reports
from flurm.bridge.context import Context
from flurm.bridge.importing.cluster import login_environment
from flurm.bridge.show_jobs import job_info
from flurm.bridge.show_nodes import Load, node_info
from flurm.core import commands as c
from flurm.core import snapshot
from flurm.core.apply import apply
from flurm.core.deadlines import due
from flurm.core.effects import LaunchBatch, Rejected, TerminateJob
from flurm.core.enums import JobState, NodeFlag, PartitionState, Reason, Refusal
from flurm.core.job_records import HIGHEST_PRIORITY
from flurm.core.node_records import NodeFacts
from flurm.core.recovery import outstanding
from protocol.constants import NICE_OFFSET, NO_VAL, JobReason
from protocol.constants import JobFlag as BitFlag
from protocol.messages import AllocationComplete, NodeInfo
from tests.bridge import importing, recorded
from tests.bridge.importing import NOW_S, running, step, taken, waiting
from tests.bridge.test_show_jobs import CASES, NOT_KEPT_IN_STATE


@pytest.mark.parametrize(("release", "version", "moment"), CASES)
def test_every_job_is_shown_as_slurmctld_showed_it(release, version, moment):
    jobs = recorded.reply(release, moment, "jobs2", version).record.jobs
    imported = taken(jobs, **importing.of_recording(release, moment, version))
    wrong = {}
    for seen in jobs:
        shown = job_info(imported.cluster, imported.cluster.jobs[seen.job_id], version, 2, {1001: "alice"}.get)
        but = NOT_KEPT_IN_STATE.get(seen.name, set()) | {"job_resrcs"}
        if found := recorded.differences(recorded.as_sent(shown, version), seen, *but):
            wrong[seen.job_id, seen.name] = found
    assert not wrong, wrong
    assert imported.left == ()


@pytest.mark.parametrize(("release", "version", "moment"), CASES)
def test_every_node_is_shown_as_slurmctld_showed_it(release, version, moment):
    told = importing.of_recording(release, moment, version)
    jobs = recorded.reply(release, moment, "jobs2", version).record.jobs
    imported = taken(jobs, **told)
    wrong = {}
    for seen in told["nodes"]:
        shown = node_info(imported.cluster.nodes[seen.name], Load(seen.cpu_load, seen.free_mem))
        seen.node_state &= ~NodeFlag.PLANNED
        if found := recorded.differences(recorded.as_sent(shown, version), seen, "ext_sensors", "last_busy"):
            wrong[seen.name] = found
    assert not wrong, wrong
    assert all("partition" not in each for each in imported.taken)


def test_ids_and_priorities_go_on_where_they_were():
    cluster = taken([waiting(70000, priority=HIGHEST_PRIORITY - 7), waiting(70001, priority=5)]).cluster
    assert (cluster.next_job_id, cluster.next_priority) == (70100, HIGHEST_PRIORITY - 8)
    spec = cluster.jobs[70000].spec
    cluster = apply(cluster, c.SubmitJob(now_s=NOW_S, spec=spec)).cluster
    assert cluster.jobs[70100].priority == HIGHEST_PRIORITY - 8
    assert taken([waiting(70000)], next_job_id=0).cluster.next_job_id == 70001


def test_the_state_survives_a_snapshot():
    cluster = taken([waiting(70000), running(70001)], **importing.of_recording("22.05", "mixed", 0x2600)).cluster
    assert snapshot.load(snapshot.dump(cluster)) == cluster


def test_a_running_job_holds_what_it_held_and_is_not_launched_again():
    cluster = taken([running(70000)]).cluster
    node = cluster.nodes["n1"]
    assert (node.used_cores, node.used_cpus, node.used_memory_mib, node.jobs) == (1, 1, 100, (70000,))
    assert outstanding(cluster) == ()


def test_a_job_whose_node_was_being_made_ready_is_launched():
    cluster = taken([running(70000, job_state=0x4001)]).cluster
    assert outstanding(cluster) == (LaunchBatch(70000),)


def test_a_running_job_ends_with_its_exit_status_and_frees_its_node():
    cluster = taken([running(70000)]).cluster
    ended = apply(cluster, c.BatchEnded(now_s=NOW_S, job_id=70000, node="n1", exit_status=3 << 8)).cluster
    assert (ended.jobs[70000].state, ended.jobs[70000].exit_status) == (JobState.FAILED, 3 << 8)
    clean = apply(ended, c.EpilogDone(now_s=NOW_S, job_id=70000, node="n1")).cluster
    assert clean.nodes["n1"].used_cpus == 0


def test_time_limits_go_on_from_when_the_job_started():
    cluster = taken([running(70000, time_limit=1, end_time=NOW_S + 20)]).cluster
    assert due(cluster, NOW_S + 19).timed_out == ()
    assert due(cluster, NOW_S + 20).timed_out == (70000,)


def test_a_job_that_the_node_has_forgotten_is_put_back_or_fails_as_it_was_submitted():
    cluster = taken([running(70000, requeue=0), running(70001)]).cluster
    registers = c.RegisterNode(
        now_s=NOW_S + 60, name="n1", facts=NodeFacts(cpus=2, real_memory_mib=1000), since_s=NOW_S, startup=True
    )
    cluster = apply(cluster, registers).cluster
    assert cluster.jobs[70000].state is JobState.NODE_FAIL
    assert (cluster.jobs[70001].state, cluster.jobs[70001].restarts) == (JobState.PENDING, 1)


def test_an_allocation_without_a_script_is_no_batch_job_that_a_node_could_forget():
    imported = taken([running(70000, batch_flag=0)])
    assert [note.about for note in imported.differs] == ["job 70000"]
    registers = c.RegisterNode(
        now_s=NOW_S + 60, name="n1", facts=NodeFacts(cpus=2, real_memory_mib=1000), since_s=NOW_S, startup=True
    )
    assert apply(imported.cluster, registers).cluster.jobs[70000].state is JobState.RUNNING


def test_one_that_waits_has_to_be_given_again():
    imported = taken([waiting(70000, batch_flag=0)])
    assert (len(imported.cluster.jobs), [note.about for note in imported.left]) == (0, ["job 70000"])


def test_an_array_goes_on_with_the_tasks_that_it_was_submitted_with():
    script = b"#!/bin/sh\n#SBATCH -J x --array=1-9:2%2\n"
    jobs = [
        waiting(70000, array_job_id=70000, array_task_str="0x2A0", array_max_tasks=2),
        running(70001, array_job_id=70000, array_task_id=3),
    ]
    rest, task = taken(jobs, scripts={70000: script}).cluster.jobs.values()
    assert (rest.array.waiting, rest.array.count, rest.array.lowest, rest.array.highest) == (0x2A0, 5, 1, 9)
    assert (task.array.task_id, task.array.count, task.array.step) == (3, 5, 2)
    (rest, _) = taken(jobs).cluster.jobs.values()
    assert (rest.array.count, rest.array.lowest, rest.array.highest) == (4, 3, 9)


@pytest.mark.parametrize(
    ("reason", "kind"), [(JobReason.HELD, "admin"), (JobReason.HELD_USER, "user"), (JobReason.NO_REASON, "user")]
)
def test_a_hold_stays_whose_it_was(reason, kind):
    assert taken([waiting(70000, priority=0, state_reason=int(reason))]).cluster.jobs[70000].hold == kind


def test_a_begin_time_stays():
    later = NOW_S + 3600
    cluster = taken([waiting(70000, eligible_time=later, start_time=later)]).cluster
    assert cluster.jobs[70000].spec.begin_s == later
    assert cluster.jobs[70000].reason is Reason.BEGIN_TIME


def test_dependencies_are_tested_on():
    jobs = [running(70000), waiting(70001, dependency="afterok:70000(unfulfilled)", nice=NICE_OFFSET + 3)]
    cluster = taken(jobs).cluster
    assert (cluster.jobs[70001].reason, cluster.jobs[70001].spec.nice) == (Reason.DEPENDENCY, 3)
    for command in (
        c.BatchEnded(now_s=NOW_S, job_id=70000, node="n1", exit_status=0),
        c.EpilogDone(now_s=NOW_S, job_id=70000, node="n1"),
    ):
        cluster = apply(cluster, command).cluster
    assert cluster.jobs[70001].dependencies == ()


@pytest.mark.parametrize("text", ["afterok:6(failed)", "afterok:6(unfulfilled)", "expand:6(unfulfilled)"])
def test_a_dependency_on_what_is_not_known_is_no_reason_to_start(text):
    imported = taken([waiting(70000, dependency=text)])
    job = imported.cluster.jobs[70000]
    assert (job.priority, job.hold, job.reason) == (0, "admin", Reason.HELD_ADMIN)
    assert "held" in imported.differs[0].text


def test_a_job_for_a_reservation_is_held_and_the_reservation_noted():
    imported = taken([waiting(70000, resv_name="maint")], reservations=("maint",))
    assert imported.cluster.jobs[70000].hold == "admin"
    assert [note.about for note in imported.left] == ["reservation maint"]


@pytest.mark.parametrize(
    "fields",
    [
        {"het_job_id": 70000},
        {"partition": "nowhere"},
        {"job_state": 0x80000},
        {"job_state": 1, "nodes": "n9", "batch_host": "n9"},
    ],
)
def test_what_cannot_be_taken_is_noted_job_by_job(fields):
    imported = taken([waiting(70000, **fields)])
    assert (len(imported.cluster.jobs), [note.about for note in imported.left]) == (0, ["job 70000"])


def test_a_script_that_is_not_to_be_had_ends_only_what_needs_it():
    imported = taken([waiting(70000), running(70001)], scripts={})
    assert [note.about for note in imported.left] == ["job 70000"]
    assert not imported.cluster.jobs[70001].spec.requeue


def test_an_unknown_environment_is_the_users_at_login_and_is_noted():
    imported = taken([waiting(70000)], environments={})
    job = imported.cluster.jobs[70000]
    assert b"\0".join(login_environment(job)) == imported.blobs[job.spec.environment_digest]
    assert b"SLURM_GET_USER_ENV=1" in login_environment(job)
    assert "environment" in imported.differs[0].text


def test_steps_generic_resources_and_repetitions_that_end_are_noted():
    jobs = [running(70000, gres_total="gpu:1", bitflags=int(BitFlag.CRON_JOB)), running(70001, job_state=2)]
    texts = [str(note) for note in taken(jobs, steps=(step(70000, 0), step(70000, 0xFFFFFFFB))).differs]
    assert len(texts) == 4, texts
    assert [word for word in ("gpu:1", "scrontab", "suspended", "step 0") if not any(word in t for t in texts)] == []


def test_drained_nodes_stay_drained_and_fresh_reasons_are_told():
    node = NodeInfo(name="n2", node_state=2 | 0x200 | 0x8000, reason="bad disk", reason_uid=7, reason_time=5, weight=1,
                    features="fast,new", features_act="fast")  # fmt: skip
    imported = taken(nodes=(node,))
    there = imported.cluster.nodes["n2"]
    assert (there.flags, there.reason, there.reason_uid, there.reason_s) == (NodeFlag.DRAIN, "bad disk", 7, 5)
    assert (there.features, there.active_features) == (("fast", "new"), ("fast",))
    assert "bad disk" in imported.taken[0]
    assert ("node n2", "MAINT: does not go on") in imported.differs


def test_a_node_that_joined_by_itself_stays_known():
    node = NodeInfo(name="d1", node_state=2 | 0x4000000, cpus=4, boards=1, sockets=1, cores=4, threads=1, port=17009,
                    real_memory=500, node_addr="10.0.0.9", weight=1)  # fmt: skip
    cluster = taken([running(70000, "d1")], nodes=(node,)).cluster
    assert cluster.nodes["d1"].jobs == (70000,)
    again = apply(cluster, importing.configured(importing.site())).cluster
    assert (again.nodes["d1"].address, again.jobs[70000].state) == ("10.0.0.9", JobState.RUNNING)


def test_partitions_stay_as_they_were_changed():
    debug, long, *_ = importing.of_recording("22.05", "idle", 0x2600)["partitions"]
    debug.max_time, debug.state_up, long.name = 5, 1, "made"
    imported = taken(partitions=(debug, long))
    debug, made = imported.cluster.partitions["debug"], imported.cluster.partitions["made"]
    assert (debug.max_time_min, debug.state, debug.default_time_min) == (5, PartitionState.DOWN, 10)
    assert (made.node_mask, made.max_time_min) == (0b1100, 0xFFFFFFFF)
    assert imported.taken == (
        "partition debug: max_time_min, state as changed at run time",
        "partition made: all of it as changed at run time",
    )
    assert "partition long" in [note.about for note in imported.differs]


def test_jobs_of_the_newest_releases_say_their_id_elsewhere():
    info = running(0, array_task_id=NO_VAL)
    info.step_id = step(70000, NO_VAL)
    assert list(taken([info], version=0x2D00).cluster.jobs) == [70000]


def test_arguments_come_from_the_command_line_where_that_is_told():
    line = "sbatch -p debug ./job.sh one 'two three'"
    job = waiting(70000, command="/mnt/alice/job.sh", submit_line=line)
    assert taken([job], version=0x2D00).cluster.jobs[70000].spec.argv == ("/mnt/alice/job.sh", "one", "two three")
    job = waiting(70000, command="/mnt/alice/job.sh one two")
    assert taken([job]).cluster.jobs[70000].spec.argv == ("/mnt/alice/job.sh", "one", "two")


def test_salloc_ends_its_allocation_and_nobody_elses():
    cluster = taken([running(70000, batch_flag=0), running(70001)]).cluster

    def done(job_id, uid):
        record = AllocationComplete(job_id=job_id, job_rc=2 << 8)
        return node_reports.allocation_complete(record, Context(cluster, 0x2600, uid, uid, NOW_S))

    assert done(70000, 1002) == Rejected(Refusal.USER_ID_MISSING)
    assert done(70001, 1001) == Rejected(Refusal.NOT_SUPPORTED)
    ended = apply(cluster, done(70000, 1001).command).cluster.jobs[70000]
    assert (ended.state, ended.exit_status) == (JobState.FAILED, 2 << 8)


@pytest.mark.parametrize(("version", "script", "held"), [
    (0x2A00, b"#!/bin/sh\n./run $1\n", True),
    (0x2A00, b"#!/bin/sh\n./run ${@}\n", True),
    (0x2A00, b"#!/bin/sh\n./run $HOME ${X1}\n", False),
    (0x2600, b"#!/bin/sh\n./run $1\n", False),
])  # fmt: skip
def test_a_script_whose_arguments_are_not_told_is_not_run_without_them(version, script, held):
    imported = taken([waiting(70000, command="/mnt/alice/job.sh")], version=version, scripts={70000: script})
    assert (imported.cluster.jobs[70000].hold == "admin") is held
    assert ("arguments" in "".join(map(str, imported.differs))) is held


@pytest.mark.parametrize(("line", "mode"), [
    (b"#SBATCH --open-mode=append", 1), (b"#SBATCH -J x --open-mode truncate", 2), (b"# --open-mode=append", 0),
])  # fmt: skip
def test_the_open_mode_is_what_the_script_says(line, mode):
    script = b"#!/bin/sh\n" + line + b"\ntrue\n"
    assert taken([waiting(70000)], scripts={70000: script}).cluster.jobs[70000].spec.open_mode == mode


def test_a_job_that_was_ending_is_ended_on_the_nodes_where_it_still_is():
    job = running(70000, "n[1-2]", job_state=0x8003, batch_host="n1", nodes="n2")
    cluster = taken([job]).cluster
    assert outstanding(cluster) == (TerminateJob(70000, ("n2",)),)
    clean = apply(cluster, c.EpilogDone(now_s=NOW_S, job_id=70000, node="n2")).cluster
    assert (clean.jobs[70000].state, clean.jobs[70000].flags) == (JobState.COMPLETED, 0)
    assert all(not node.jobs for node in clean.nodes.values())
