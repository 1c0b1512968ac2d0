"""Recorded requests become the commands that they are meant to be; what may not be done is refused."""

import msgspec
import pytest

from flurm.bridge import requests
from flurm.core import commands as c
from flurm.core.apply import apply
from flurm.core.effects import Done, Rejected, Result, Results
from flurm.core.enums import NodeFlag, NodeState, PartitionState, Refusal
from flurm.core.node_records import Partition
from flurm.core.record import UNLIMITED
from protocol import messages as wire
from protocol.constants import BATCH_STEP, NICE_OFFSET, NO_VAL, JobStateFlag, KillFlag, MessageType
from tests.bridge.sent import ALICE, BOB, CONFIG, NOW_S, ROOT, SLURM, cluster, context, releases_of, sent, with_job


def mapped(message, record, uid=ALICE, **kwargs):
    return requests.to_call(MessageType[message], record, context(uid, **kwargs))


def command(message, record, uid=ALICE, **kwargs):
    call = mapped(message, record, uid, **kwargs)
    assert isinstance(call, requests.Call), call
    again = c.decode(c.encode(call.command))
    assert type(again) is type(call.command)
    return call.command


def recorded(step, message, release="22.05", uid=ALICE):
    return command(message, sent(release, step, message), uid, release=release)


def every(step, message):
    return pytest.mark.parametrize("release", releases_of(step, message))


def test_what_no_controller_serves_is_nothing_of_ours():
    assert requests.to_call(MessageType.RESPONSE_SLURM_RC, None, context()) is None
    assert requests.to_call(12345, None, context()) is None


@every("scontrol-update-job", "REQUEST_UPDATE_JOB")
def test_update_changes_what_was_named_and_nothing_else(release):
    update = recorded("scontrol-update-job", "REQUEST_UPDATE_JOB", release)
    assert update.spec_changes == {"time_limit_min": 3, "name": "later2", "nice": 5, "comment": "hey"}
    assert (update.user_id, update.priority, update.array_limit) == (ALICE, None, None)


@pytest.mark.parametrize("release", releases_of("scontrol-hold", "REQUEST_UPDATE_JOB"))
@pytest.mark.parametrize(
    ("step", "priority", "kind"),
    [("scontrol-hold", 0, None), ("scontrol-uhold", 0, "user"), ("scontrol-release", UNLIMITED, None)],
)
def test_hold_and_release_are_priorities(release, step, priority, kind):
    update = recorded(step, "REQUEST_UPDATE_JOB", release)
    assert (update.priority, update.hold_kind, update.spec_changes) == (priority, kind, {})


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"partition": "long,debug"}, {"partitions": ("long", "debug")}),
        ({"comment": ""}, {"comment": None}),
        ({"features": "f1"}, {"features": "f1"}),
        ({"min_nodes": 2, "max_nodes": 2}, {"min_nodes": 2, "max_nodes": 2}),
        ({"begin_time": NOW_S}, {"begin_s": NOW_S}),
        ({"dependency": ""}, {"dependency": None}),
        ({"requeue": 0}, {"requeue": False}),
        ({"nice": NICE_OFFSET - 5}, {"nice": -5}),
        ({"work_dir": "/srv"}, {"work_dir": "/srv"}),
        ({"std_out": "/x"}, {"std_out": "/x"}),
        ({"pn_min_memory": 7}, {"memory_per_node_mib": 7, "memory_per_cpu_mib": None}),
        ({"mail_user": "a@b"}, {"mail_user": "a@b"}),
    ],
)
def test_an_update_names_fields_as_a_submission_does(fields, changes):
    record = wire.JobDescription(job_id_str="5", **fields)
    assert command("REQUEST_UPDATE_JOB", record).spec_changes == changes


def test_an_updated_job_is_changed():
    state, job_id = with_job(cluster())
    record = wire.JobDescription(job_id_str=str(job_id), partition="long", time_limit=9, num_tasks=2, features="f1")
    outcome = apply(state, c.decode(c.encode(command("REQUEST_UPDATE_JOB", record, state=state))))
    assert outcome.reply == Done()
    spec = outcome.cluster.jobs[job_id].spec
    assert (spec.partitions, spec.time_limit_min, spec.num_tasks, spec.features) == (("long",), 9, 2, "f1")


def test_the_throttle_of_an_array_travels_as_an_array_without_tasks():
    assert command("REQUEST_UPDATE_JOB", wire.JobDescription(job_id_str="5", array_inx="%3")).array_limit == 3


def test_only_operators_write_the_administrators_comment():
    record = wire.JobDescription(job_id_str="5", admin_comment="x")
    assert mapped("REQUEST_UPDATE_JOB", record) == Rejected(Refusal.ACCESS_DENIED)
    assert command("REQUEST_UPDATE_JOB", record, ROOT).spec_changes == {"admin_comment": "x"}


def test_a_request_without_a_job_is_refused():
    for message, record in (
        ("REQUEST_UPDATE_JOB", wire.JobDescription()),
        ("REQUEST_KILL_JOB", wire.KillStep(step_id=wire.StepId(job_id=NO_VAL))),
        ("REQUEST_JOB_REQUEUE", wire.RequeueJob(job_id=NO_VAL)),
        ("REQUEST_TOP_JOB", wire.TopJob()),
    ):
        assert mapped(message, record) == Rejected(Refusal.INVALID_JOB_ID)


@every("scancel-array-task", "REQUEST_KILL_JOB")
def test_scancel_kills_the_task_that_it_names(release):
    kill = recorded("scancel-array-task", "REQUEST_KILL_JOB", release)
    assert kill.target.endswith("_1")
    assert (kill.signal, kill.batch_only, kill.whole_job, kill.steps_only) == (9, False, False, False)


def test_scancel_sends_signals_to_steps_to_the_script_or_to_all():
    plain = recorded("scancel-signal", "REQUEST_KILL_JOB")
    batch = recorded("scancel-batch-signal", "REQUEST_KILL_JOB")
    full = command("REQUEST_KILL_JOB", wire.KillStep(sjob_id="3", signal=10, flags=8))
    assert (plain.signal, plain.batch_only, plain.whole_job) == (18, False, False)
    assert (batch.signal, batch.batch_only, batch.whole_job) == (18, True, False)
    assert (full.signal, full.batch_only, full.whole_job) == (10, False, True)


def running(uid=ALICE):
    state, job_id = with_job(cluster())
    job = state.jobs[job_id]
    started = job.with_(state=job.state.RUNNING, spec=job.spec.with_(user_id=uid))
    return state.with_(jobs=state.jobs.set(job_id, started)), job_id


def step(job_id, step_id, signal=9):
    return wire.KillStep(step_id=wire.StepId(job_id=job_id, step_id=step_id, step_het_comp=NO_VAL), signal=signal)


def test_the_batch_step_can_be_signalled_and_another_is_not_there():
    state, job_id = running()
    kill = command("REQUEST_CANCEL_JOB_STEP", step(job_id, BATCH_STEP, 10), state=state)
    assert (kill.target, kill.signal, kill.batch_only) == (str(job_id), 10, True)
    assert mapped("REQUEST_CANCEL_JOB_STEP", step(job_id, 0), state=state) == Rejected(Refusal.INVALID_JOB_ID)
    assert mapped("REQUEST_CANCEL_JOB_STEP", step(job_id, 0), BOB, state=state) == Rejected(Refusal.ACCESS_DENIED)
    assert mapped("REQUEST_CANCEL_JOB_STEP", step(99, 0), state=state) == Rejected(Refusal.INVALID_JOB_ID)


def names_of(kill, state):
    return [state.jobs[int(target)].spec.name for target in kill.targets]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"job_name": "a"}, ["a"]),
        ({"partition": "long"}, ["b"]),
        ({"state": 1}, []),
        ({"state": 0}, ["a", "b", "c"]),
        ({}, ["a", "b", "c"]),
        ({"user_name": str(ALICE)}, ["a", "b", "c"]),
        ({"user_name": str(BOB)}, []),
        ({"nodelist": "n1"}, []),
    ],
)
def test_the_controller_picks_the_jobs_that_scancel_means(fields, names):
    state = cluster()
    for name, partition in (("a", None), ("b", "long"), ("c", "debug")):
        state, _ = with_job(state, name=name, partition=partition)
    record = wire.KillJobs(**{"state": 12, "signal": 9, **fields})
    assert names_of(command("REQUEST_KILL_JOBS", record, state=state), state) == names


def test_scancel_by_the_controller_spares_the_jobs_of_others_unless_named():
    state, job_id = with_job(cluster())
    everything = wire.KillJobs(state=12, signal=9)
    assert command("REQUEST_KILL_JOBS", everything, BOB, state=state).targets == ()
    named = command("REQUEST_KILL_JOBS", wire.KillJobs(state=12, signal=9, jobs_array=[str(job_id)]), BOB, state=state)
    outcome = apply(state, c.decode(c.encode(named)))
    assert outcome.reply == Results((Result(str(job_id), Refusal.ACCESS_DENIED),))


def test_several_jobs_are_cancelled_at_once():
    state, first = with_job(cluster())
    state, second = with_job(state)
    kill = command("REQUEST_KILL_JOBS", wire.KillJobs(state=12, signal=9), state=state)
    outcome = apply(state, kill)
    assert outcome.reply == Results((Result(str(first)), Result(str(second))))
    assert not outcome.cluster.pending


@every("scontrol-requeue", "REQUEST_JOB_REQUEUE")
def test_requeue_may_hold(release):
    plain = recorded("scontrol-requeue", "REQUEST_JOB_REQUEUE", release)
    held = recorded("scontrol-requeuehold", "REQUEST_JOB_REQUEUE", release, ROOT)
    assert (plain.hold, plain.special_exit, plain.user_id) == (False, False, ALICE)
    assert (held.hold, held.special_exit, held.user_id) == (True, False, ROOT)


@every("scontrol-top", "REQUEST_TOP_JOB")
def test_top_names_jobs(release):
    assert len(recorded("scontrol-top", "REQUEST_TOP_JOB", release).targets) == 1
    assert command("REQUEST_TOP_JOB", wire.TopJob(job_id_str="3,4,5")).targets == ("3", "4", "5")


def test_what_is_not_offered_says_so():
    assert mapped("REQUEST_SUSPEND", wire.SuspendJob(job_id_str="5"), ROOT) == Rejected(Refusal.NOT_SUPPORTED)
    assert mapped("REQUEST_SUSPEND", wire.SuspendJob(job_id_str="5")) == Rejected(Refusal.ACCESS_DENIED)
    for message in ("REQUEST_RESOURCE_ALLOCATION", "REQUEST_JOB_STEP_CREATE"):
        assert mapped(message, None) == Rejected(Refusal.NOT_SUPPORTED)


@every("scontrol-update-node", "REQUEST_UPDATE_NODE")
def test_a_node_is_drained_with_its_reason(release):
    update = recorded("scontrol-update-node", "REQUEST_UPDATE_NODE", release, ROOT)
    assert (update.names, update.state, update.reason, update.changes) == ("n4", "drain", "bad fan", {})
    node = apply(cluster(), update).cluster.nodes["n4"]
    assert (bool(node.flags & NodeFlag.DRAIN), node.reason, node.reason_uid) == (True, "bad fan", ROOT)


def test_a_node_comes_back_with_other_fields():
    update = recorded("scontrol-update-node-resume", "REQUEST_UPDATE_NODE", uid=ROOT)
    assert (update.state, update.changes) == ("resume", {"comment": "c1", "weight": 5})


@pytest.mark.parametrize(
    ("number", "order"),
    [(1, "down"), (2, "idle"), (0x200, "drain"), (0x100, "resume"), (64, "undrain"), (0x2000, "fail")],
)
def test_every_order_to_a_node_has_its_word(number, order):
    record = wire.NodeUpdate(node_names="n1", node_state=number, reason="x")
    assert command("REQUEST_UPDATE_NODE", record, ROOT).state == order


def test_an_unknown_order_to_a_node_is_refused():
    record = wire.NodeUpdate(node_names="n1", node_state=0x40000)
    assert mapped("REQUEST_UPDATE_NODE", record, ROOT) == Rejected(Refusal.INVALID_NODE_STATE)


def test_a_partition_is_changed_where_it_is_said():
    update = recorded("scontrol-update-partition", "REQUEST_UPDATE_PARTITION", uid=ROOT)
    assert (update.name, update.state) == ("long", PartitionState.DRAIN)
    assert update.changes == {"allow_groups": "alice", "max_time_min": 30, "priority_job_factor": 10}


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"flags": 1}, {"is_default": True}),
        ({"flags": 0x100 | 2}, {"is_default": False, "hidden": True}),
        ({"max_share": 0}, {"over_subscribe": "EXCLUSIVE", "max_share": 0}),
        ({"max_share": 1}, {"over_subscribe": "NO", "max_share": 1}),
        ({"max_share": 4}, {"over_subscribe": "YES", "max_share": 4}),
        ({"max_share": 0x8004}, {"over_subscribe": "FORCE", "max_share": 4}),
        ({"def_mem_per_cpu": 1 << 63 | 9}, {"default_memory_per_cpu_mib": 9, "default_memory_per_node_mib": None}),
        ({"max_mem_per_cpu": 9}, {"max_memory_per_node_mib": 9, "max_memory_per_cpu_mib": None}),
        ({"allow_groups": "ALL"}, {"allow_groups": None}),
        ({"nodes": "n[1-2]"}, {"nodes": "n[1-2]"}),
        ({"max_time": 0xFFFFFFFF}, {"max_time_min": UNLIMITED}),
    ],
)
def test_a_partition_field_means_what_it_means_to_slurm(fields, changes):
    record = wire.PartitionUpdate(name="long", **fields)
    assert command("REQUEST_UPDATE_PARTITION", record, ROOT).changes == changes


def test_partitions_come_and_go():
    record = wire.PartitionUpdate(name="new", nodes="n[1-2]", max_time=5)
    create = command("REQUEST_CREATE_PARTITION", record, ROOT)
    assert create.partition == Partition(name="new", nodes="n[1-2]", max_time_min=5)
    delete = recorded("scontrol-delete-partition", "REQUEST_DELETE_PARTITION", uid=ROOT)
    assert delete.name == "newpart"


ADMINISTRATORS_ONLY = [
    ("REQUEST_UPDATE_NODE", wire.NodeUpdate(node_names="n1"), Refusal.USER_ID_MISSING),
    ("REQUEST_CREATE_PARTITION", wire.PartitionUpdate(name="x"), Refusal.USER_ID_MISSING),
    ("REQUEST_UPDATE_PARTITION", wire.PartitionUpdate(name="x"), Refusal.USER_ID_MISSING),
    ("REQUEST_DELETE_PARTITION", wire.PartitionDelete(name="x"), Refusal.USER_ID_MISSING),
    ("REQUEST_RECONFIGURE", None, Refusal.USER_ID_MISSING),
    ("REQUEST_SHUTDOWN", wire.ShutdownRequest(), Refusal.USER_ID_MISSING),
    ("REQUEST_TAKEOVER", None, Refusal.USER_ID_MISSING),
    ("REQUEST_CONTROL", None, Refusal.USER_ID_MISSING),
    ("REQUEST_SET_DEBUG_LEVEL", wire.SetDebugLevel(debug_level=5), Refusal.PERMISSION),
    ("REQUEST_SET_DEBUG_FLAGS", wire.SetDebugFlags(), Refusal.PERMISSION),
    ("REQUEST_SET_SCHEDLOG_LEVEL", wire.SetDebugLevel(), Refusal.PERMISSION),
    ("MESSAGE_NODE_REGISTRATION_STATUS", wire.NodeRegistration(node_name="n1"), Refusal.USER_ID_MISSING),
    ("REQUEST_COMPLETE_BATCH_SCRIPT", wire.BatchComplete(job_id=1), Refusal.USER_ID_MISSING),
    ("MESSAGE_EPILOG_COMPLETE", wire.EpilogComplete(job_id=1), Refusal.USER_ID_MISSING),
    ("REQUEST_COMPLETE_PROLOG", wire.PrologComplete(job_id=1), Refusal.USER_ID_MISSING),
    ("REQUEST_STEP_COMPLETE", wire.StepComplete(), Refusal.USER_ID_MISSING),
]


@pytest.mark.parametrize(
    ("message", "record", "code"), ADMINISTRATORS_ONLY, ids=[row[0] for row in ADMINISTRATORS_ONLY]
)
def test_a_user_is_no_administrator_and_no_node(message, record, code):
    assert mapped(message, record, ALICE) == Rejected(code)
    for uid in (ROOT, SLURM):
        assert mapped(message, record, uid) != Rejected(code)


def test_the_controller_itself_is_steered_by_its_application():
    level = mapped("REQUEST_SET_DEBUG_LEVEL", sent("22.05", "scontrol-setdebug", "REQUEST_SET_DEBUG_LEVEL"), ROOT)
    assert level == requests.Control("set_log_level", ROOT, {"level": "debug", "number": 5})
    assert mapped("REQUEST_RECONFIGURE", None, ROOT) == requests.Control("reconfigure", ROOT, {})
    stop = mapped("REQUEST_SHUTDOWN", sent("22.05", "scontrol-shutdown", "REQUEST_SHUTDOWN"), ROOT)
    assert stop == requests.Control("shutdown", ROOT, {"nodes": True, "abort": False})


@every("startup-slurmd", "MESSAGE_NODE_REGISTRATION_STATUS")
def test_a_node_says_what_it_is(release):
    record = sent(release, "startup-slurmd", "MESSAGE_NODE_REGISTRATION_STATUS")
    register = command("MESSAGE_NODE_REGISTRATION_STATUS", record, ROOT, release=release)
    facts = register.facts
    assert register.name == record.node_name
    assert (facts.cpus, facts.sockets, facts.cores_per_socket, facts.threads_per_core) == (4, 1, 4, 1)
    assert (facts.arch, facts.real_memory_mib) == ("x86_64", record.real_memory)
    assert facts.version.startswith(release)
    assert facts.protocol_version == context(release=release).version
    assert register.startup
    assert register.jobs == ()


def test_a_node_that_registers_is_idle():
    record = sent("22.05", "startup-slurmd", "MESSAGE_NODE_REGISTRATION_STATUS")
    node = apply(cluster(), command("MESSAGE_NODE_REGISTRATION_STATUS", record, ROOT)).cluster.nodes[record.node_name]
    assert (node.state, node.facts.version) == (NodeState.IDLE, "22.05.8")


def test_a_boot_time_that_wavers_is_no_change():
    record = sent("22.05", "startup-slurmd", "MESSAGE_NODE_REGISTRATION_STATUS")
    record.flags = 0
    state = apply(cluster(), command("MESSAGE_NODE_REGISTRATION_STATUS", record, ROOT)).cluster
    record.up_time += 2
    again = command("MESSAGE_NODE_REGISTRATION_STATUS", record, ROOT, state=state)
    assert again.facts == state.nodes[record.node_name].facts


def test_a_node_lists_its_jobs_once_and_leaves_launches_time_to_arrive():
    steps = [wire.StepId(job_id=job_id, step_id=BATCH_STEP) for job_id in (7, 5, 7)]
    record = wire.NodeRegistration(node_name="n1", timestamp=NOW_S - 3, step_id=steps)
    register = command("MESSAGE_NODE_REGISTRATION_STATUS", record, ROOT)
    assert register.jobs == (5, 7)
    assert register.since_s == NOW_S - 3 - 10


@every("sbatch-plain", "REQUEST_COMPLETE_BATCH_SCRIPT")
def test_a_batch_script_ends(release):
    ended = recorded("sbatch-plain", "REQUEST_COMPLETE_BATCH_SCRIPT", release, ROOT)
    assert (ended.job_id, ended.node, ended.exit_status, ended.slurm_rc) == (1, "n1", 0, 0)


@pytest.mark.parametrize(
    ("job_rc", "slurm_rc", "status", "kept"),
    [(768, 0, 768, 0), (9, 0, 9, 0), (0, 4010, 256, 4010), (53, 4021, 53, 0), (0, 4020, 256, 0)],
)
def test_only_the_nodes_own_faults_put_a_job_back(job_rc, slurm_rc, status, kept):
    record = wire.BatchComplete(job_id=4, job_rc=job_rc, slurm_rc=slurm_rc, node_name="n1")
    ended = command("REQUEST_COMPLETE_BATCH_SCRIPT", record, ROOT)
    assert (ended.exit_status, ended.slurm_rc) == (status, kept)


@pytest.mark.parametrize(
    ("slurm_rc", "reason"), [(0, None), (4022, "Prolog error"), (4019, "batch job complete failure"), (4008, None)]
)
def test_a_node_that_could_not_run_a_job_is_drained_where_the_next_would_fare_no_better(slurm_rc, reason):
    record = wire.BatchComplete(job_id=4, job_rc=0, slurm_rc=slurm_rc, node_name="n1")
    assert command("REQUEST_COMPLETE_BATCH_SCRIPT", record, ROOT).drain_reason == reason


@pytest.mark.parametrize(
    ("flags", "parameters", "held"),
    [
        (JobStateFlag.LAUNCH_FAILED | JobStateFlag.REQUEUE_HOLD, None, True),  # slurmd 22.05
        (JobStateFlag.LAUNCH_FAILED, None, True),  # slurmd 24.11
        (JobStateFlag.LAUNCH_FAILED, "bf_interval=1,nohold_on_prolog_fail", False),
        (0, None, False),
    ],
)
def test_a_job_that_a_daemon_could_not_launch_is_held_unless_the_site_says_otherwise(flags, parameters, held):
    config = msgspec.structs.replace(CONFIG, scheduler_parameters=parameters)
    record = wire.RequeueJob(job_id=4, flags=int(flags))
    again = command("REQUEST_JOB_REQUEUE", record, ROOT, config=config)
    assert (again.hold, again.launch_failed) == (held, bool(flags))


def test_a_daemon_may_kill_a_job_that_is_no_arrays_in_the_words_for_an_array():
    record = wire.KillStep(sjob_id="4", signal=9, flags=int(KillFlag.ARRAY_TASK))
    assert command("REQUEST_KILL_JOB", record, ROOT) == command(
        "REQUEST_KILL_JOB", wire.KillStep(sjob_id="4", signal=9), ROOT
    )


@pytest.mark.parametrize(("prolog_rc", "drained"), [(0, False), (1, True)])
def test_a_node_whose_prolog_failed_is_drained(prolog_rc, drained):
    answer = mapped("REQUEST_COMPLETE_PROLOG", wire.PrologComplete(job_id=4, node_name="n1", prolog_rc=prolog_rc), ROOT)
    assert (answer != Done()) == drained
    if drained:
        assert (answer.command.names, answer.command.state, answer.command.reason) == ("n1", "drain", "Prolog error")


def test_a_second_launch_that_was_refused_does_not_end_the_first():
    record = wire.BatchComplete(job_id=4, job_rc=1, slurm_rc=2011, node_name="n1")
    assert mapped("REQUEST_COMPLETE_BATCH_SCRIPT", record, ROOT) == Rejected(Refusal.ALREADY_DONE)


@every("sbatch-plain", "MESSAGE_EPILOG_COMPLETE")
def test_an_epilog_is_noted_and_not_answered(release):
    record = sent(release, "sbatch-plain", "MESSAGE_EPILOG_COMPLETE")
    call = mapped("MESSAGE_EPILOG_COMPLETE", record, ROOT, release=release)
    assert call.no_reply_needed
    assert (call.command.job_id, call.command.node) == (1, "n1")


def test_a_prolog_that_is_over_changes_nothing():
    assert mapped("REQUEST_COMPLETE_PROLOG", wire.PrologComplete(job_id=1), ROOT) == Done()


@pytest.mark.parametrize("target", ["1" * 5000, "\u00b2", "x", "5_", "5_[", "5_[1-" + "9" * 5000 + "]", "-1"])
@pytest.mark.parametrize("message", ["REQUEST_KILL_JOB", "REQUEST_CANCEL_JOB_STEP"])
def test_a_target_that_is_none_is_refused(message, target):
    state, _ = running()
    record = wire.KillStep(sjob_id=target, signal=9, step_id=wire.StepId(step_id=BATCH_STEP))
    answer = mapped(message, record, state=state)
    reply = answer if isinstance(answer, Rejected) else apply(state, answer.command).reply
    assert isinstance(reply, Rejected)


@pytest.mark.parametrize(("reason", "number"), [("STORAGE_FULL", 28), ("BUSY", 11), ("NOT_LEADER", 2027)])
def test_a_command_that_cannot_be_written_has_a_number(reason, number):
    assert requests.errno_of_unavailable(reason) == number


def test_every_reason_not_to_write_has_a_number():
    from flurm.raft.effects import RejectReason

    assert all(requests.errno_of_unavailable(reason.name) > 0 for reason in RejectReason)
