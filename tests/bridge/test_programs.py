"""Triggers, reboots and mail on the wire, and what a program is told of its job."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from flurm.bridge import configure, job_programs, queries, requests, show_nodes
from flurm.bridge.submit import mail_address
from flurm.config.records import Config
from flurm.core import commands as c
from flurm.core.apply import apply
from flurm.core.effects import Rejected
from flurm.core.enums import JobState, Refusal
from flurm.core.job_records import Allocation, ArrayTask, Job, JobSpec, NodeShare, ProgramRun
from flurm.core.programs import MAIL, TRIGGER
from flurm.core.records import Cluster
from flurm.core.trigger_records import Trigger
from protocol import messages as wire
from protocol.constants import NO_VAL, MessageType
from tests.bridge.sent import ALICE, CONFIG, ROOT, cluster, context

DOWN, FINI, PERM, JOB, NODE = 2, 16, 1, 1, 2


def command(message, record, uid=ROOT, **about):
    call = requests.to_call(MessageType[message], record, context(uid, **about))
    return call.command if isinstance(call, requests.Call) else call


def one(**fields):
    return wire.TriggerMessage([wire.Trigger(**{f"trigger_array_{name}": value for name, value in fields.items()})])


def test_a_trigger_is_set_for_who_asks_and_shown_as_it_was_set():
    asked = one(
        res_type=NODE, res_id="n1,n2", trig_type=DOWN, offset=0x8000 - 30, program="/bin/x a", flags=PERM, user_id=ALICE
    )
    told = command("REQUEST_TRIGGER_SET", asked)
    assert told.trigger == Trigger(
        id=0,
        resource=NODE,
        kind=DOWN,
        program="/bin/x a",
        user_id=ROOT,
        resource_id="n1,n2",
        offset_s=-30,
        permanent=True,
    )
    after = apply(cluster(), told).cluster
    _, shown = queries.answer(MessageType.REQUEST_TRIGGER_GET, None, context(ALICE, state=after))
    expected = {"flags": PERM, "trig_id": 1, "res_type": NODE, "res_id": "n1,n2", "trig_type": DOWN, "user_id": ROOT}
    assert shown == one(offset=0x8000 - 30, program="/bin/x a", **expected)


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"trig_id": 7}, {"id": 7}),
        ({"res_type": JOB, "res_id": "70000"}, {"job_id": 70000}),
        ({"user_id": ALICE}, {"owner": ALICE}),
    ],
)
def test_triggers_are_cleared_by_what_is_named(fields, meant):
    told = command("REQUEST_TRIGGER_CLEAR", one(**{"user_id": NO_VAL, **fields}))
    assert told == c.ClearTriggers(now_s=told.now_s, user_id=ROOT, **meant)


def test_events_are_told_by_daemons_alone():
    assert command("REQUEST_TRIGGER_PULL", one(trig_type=0x10000)).kinds == 0x10000
    assert command("REQUEST_TRIGGER_PULL", one(trig_type=0x10000), ALICE) == Rejected(Refusal.USER_ID_MISSING)


@pytest.mark.parametrize(
    ("message", "refusal"),
    [("SET", Refusal.INVALID_ARGUMENT), ("CLEAR", Refusal.NO_SUCH_PROCESS), ("PULL", Refusal.NO_SUCH_PROCESS)],
)
def test_a_message_without_a_trigger_is_refused(message, refusal):
    assert command(f"REQUEST_TRIGGER_{message}", wire.TriggerMessage()) == Rejected(refusal)


@pytest.mark.parametrize(("number", "word"), [(NO_VAL, None), (1, "down"), (0x100, "resume")])
def test_a_reboot_is_asked_for_and_shown_with_what_comes_after_it(number, word):
    record = wire.RebootRequest(node_list="n1", flags=1, next_state=number, reason="new kernel")
    told = command("REQUEST_REBOOT_NODES", record)
    assert (told.names, told.asap, told.next_state, told.reason) == ("n1", True, word, "new kernel")
    node = show_nodes.node_info(apply(cluster(), told).cluster.nodes["n1"], None)
    assert (node.next_state, node.node_state & 0x10200, node.reason) == (number, 0x10200, "new kernel")


def test_a_reboot_is_an_administrators_business():
    assert command("REQUEST_REBOOT_NODES", wire.RebootRequest(node_list="n1"), ALICE) == Rejected(Refusal.PERMISSION)


def test_a_cancelled_reboot_is_an_order_to_the_node():
    assert command("REQUEST_UPDATE_NODE", wire.NodeUpdate(node_names="n1", node_state=0x20000)).state == "cancel_reboot"


def settings(**keys):
    made = configure.command(msgspec.structs.replace(CONFIG, slurm=keys), now_s=5, keep_changes=False)
    return apply(Cluster(), c.decode(c.encode(made))).cluster.settings


def test_programs_and_their_limits_are_as_configured():
    found = settings(PrologSlurmctld="/a,/b", EpilogSlurmctld="/c", PrologEpilogTimeout="30", MailProg="/m")
    assert (found.prolog_slurmctld, found.epilog_slurmctld, found.mail_program) == (("/a", "/b"), ("/c",), "/m")
    assert (found.prolog_limit_s, found.epilog_limit_s) == (30, 30)
    found = settings(PrologTimeout="5", prologepilogtimeout="65534", ResumeTimeout="9", RebootProgram="/r")
    assert (found.prolog_limit_s, found.epilog_limit_s, found.resume_timeout_s) == (5, 0, 9)
    assert (found.prolog_slurmctld, found.mail_program, found.reboot_program) == ((), "/bin/mail", None)
    found = settings(SlurmctldParameters="allow_user_triggers,reboot_from_controller", RebootProgram="/r")
    assert (found.user_triggers, found.reboot_program) == (True, "/r")


def order(run, state=None):
    return job_programs.order_of(run, 0, state or cluster(), Config(slurm_conf="/etc/slurm/slurm.conf"))


def test_a_waiting_job_has_no_nodes_and_no_cpus_to_tell_of():
    job = Job(
        id=5, spec=JobSpec(name="x", user_id=ALICE, group_id=7, std_out="out.%j", work_dir="/w"), partition="debug"
    )
    found = order(ProgramRun(id=1, kind=MAIL, programs=("/m",), job=job, arguments=("-s", "x", "a"), limit_s=3))
    assert (found["argv"], found["limit_s"], found["login"]) == (["/m", "-s", "x", "a"], 3, False)
    assert found["env"]["SLURM_JOB_NODELIST"] == "(null)"
    assert found["env"]["SLURM_JOB_STDOUT"] == "/w/out.%j"
    assert not {"SLURM_JOB_CPUS_PER_NODE", "SLURM_JOB_NUM_NODES", "SLURM_ARRAY_JOB_ID", "SLURM_JOB_STDIN"} & set(
        found["env"]
    )
    assert found["names"] == {"SLURM_JOB_GROUP": ("group", 7), "SLURM_JOB_USER": ("user", ALICE)}


def test_a_task_tells_its_place_and_its_nodes():
    job = Job(
        id=9, spec=JobSpec(user_id=ALICE, user_name="alice"), state=JobState.RUNNING, node_names=("n1", "n2"),
        allocation=Allocation((NodeShare(0, 3, 2), NodeShare(1, 3, 2))),
        array=ArrayTask(job_id=8, task_id=3, count=2, lowest=1, highest=3, step=2),
    )  # fmt: skip
    found = order(ProgramRun(id=1, kind="prolog", programs=("/p",), job=job))["env"]
    assert (found["SLURM_JOB_NODELIST"], found["SLURM_JOB_CPUS_PER_NODE"]) == ("n[1-2]", "2(x2)")
    array = {name: value for name, value in found.items() if name.startswith("SLURM_ARRAY")}
    assert array == {
        "SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "2",
        "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "3", "SLURM_ARRAY_TASK_STEP": "2",
    }  # fmt: skip


def test_the_program_of_a_trigger_runs_as_its_owner_with_the_words_of_its_line():
    found = order(ProgramRun(id=1, kind=TRIGGER, programs=("/t 'a b' c",), arguments=("n1",), user_id=ALICE))
    assert (found["argv"], found["uid"], found["login"]) == (["/t", "a b", "c", "n1"], ALICE, True)
    assert found["env"] == {"SLURM_CONF": "/etc/slurm/slurm.conf"}


def test_mail_goes_to_the_sites_domain_unless_a_host_is_named():
    config = msgspec.structs.replace(CONFIG, slurm={"MailDomain": "example.org"})
    there = dataclasses.replace(context(ALICE), config=config)
    assert mail_address("bob", ALICE, there) == "bob@example.org"
    assert mail_address("bob@x", ALICE, there) == "bob@x"
    assert mail_address(None, 987654, there) == "987654@example.org"
    assert mail_address(None, 987654, context(ALICE)) == "987654"
