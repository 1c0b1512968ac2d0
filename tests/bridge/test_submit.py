"""A submission becomes the job that was asked for, or is refused with Slurm's number."""

import socket

import pytest

from flurm.bridge import requests
from flurm.bridge.users import host_of
from flurm.core.apply import apply
from flurm.core.commands import SubmitJob, decode, encode
from flurm.core.effects import Rejected, Submitted
from flurm.core.enums import Refusal
from flurm.core.record import UNLIMITED
from protocol.constants import MEM_PER_CPU, NICE_OFFSET, NO_VAL64, MessageType
from tests.bridge.sent import ALICE, BOB, NOW_S, RELEASES, ROOT, SLURM, Blobs, context, description, sent

SUBMIT = MessageType.REQUEST_SUBMIT_BATCH_JOB


def submitted(record, **kwargs) -> SubmitJob:
    call = requests.to_call(SUBMIT, record, context(**kwargs))
    assert isinstance(call, requests.Call), call
    assert call.manager == "flurm_job_manager"
    assert isinstance(call.command, SubmitJob)
    return call.command


def refusal(record, **kwargs) -> Refusal:
    answer = requests.to_call(SUBMIT, record, context(**kwargs))
    assert isinstance(answer, Rejected), answer
    return answer.code


@pytest.mark.parametrize("release", RELEASES)
def test_a_plain_submission_leaves_open_what_was_not_asked_for(release):
    spec = submitted(sent(release, "sbatch-plain", "REQUEST_SUBMIT_BATCH_JOB"), release=release).spec
    assert (spec.name, spec.user_id, spec.group_id, spec.time_limit_min) == ("hello", ALICE, ALICE, 5)
    assert (spec.min_nodes, spec.max_nodes, spec.min_cpus, spec.num_tasks) == (1, None, 1, None)
    assert (spec.memory_per_cpu_mib, spec.memory_per_node_mib, spec.cpus_per_task) == (None, None, None)
    assert spec.partitions == ()
    assert (spec.exclusive, spec.nice, spec.dependency, spec.requested_priority) == (None, 0, None, None)
    assert spec.argv == ("/home/alice/job.sh",)
    assert spec.submit_line == "sbatch job.sh"
    assert (spec.work_dir, spec.std_in, spec.std_out) == ("/home/alice", "/dev/null", None)
    assert spec.requeue is True


@pytest.mark.parametrize("release", RELEASES)
def test_every_option_of_a_submission_arrives(release):
    spec = submitted(sent(release, "sbatch-many-options", "REQUEST_SUBMIT_BATCH_JOB"), release=release).spec
    assert (spec.name, spec.account, spec.qos, spec.wckey) == ("manyopts", "proj1", "normal", "wk1")
    assert (spec.partitions, spec.comment, spec.licenses) == (("debug",), "a comment", "matlab:2")
    assert (spec.num_tasks, spec.min_nodes, spec.max_nodes, spec.min_cpus) == (4, 1, 2, 4)
    assert (spec.cpus_per_task, spec.ntasks_per_node, spec.min_cpus_per_node) == (1, 2, 1)
    assert (spec.memory_per_node_mib, spec.memory_per_cpu_mib, spec.tmp_disk_mib) == (100, None, 10)
    assert (spec.features, spec.required_nodes, spec.excluded_nodes) == ("f1&f2", "n1", "n4")
    assert (spec.std_out, spec.std_err, spec.work_dir) == ("/tmp/o.%j", "/tmp/e.%j", "/tmp")
    assert (spec.mail_type, spec.mail_user) == (6, "alice@example.org")
    assert (spec.open_mode, spec.nice, spec.requeue, spec.time_min_min) == (1, 10, False, 30)
    assert (spec.warn_signal, spec.warn_time_s, spec.warn_flags) == (10, 20, 1)
    assert (spec.req_switch, spec.wait_for_switch_s, spec.threads_per_core) == (1, 300, 1)
    assert spec.deadline_s > spec.begin_s > 0


@pytest.mark.parametrize("release", RELEASES)
def test_an_accepted_submission_survives_the_log_and_gets_an_id(release):
    command = submitted(sent(release, "sbatch-wrap", "REQUEST_SUBMIT_BATCH_JOB"), release=release)
    outcome = apply(context().cluster, decode(encode(command)))
    assert outcome.reply == Submitted(1)
    assert outcome.cluster.jobs[1].spec.num_tasks == 2


def test_script_and_environment_are_stored_before_the_command_is_made():
    blobs = Blobs()
    record = description(script="#!/bin/sh\necho \udcff\n", environment=["A=1", "B=x\ny", "C=\udce4"])
    spec = submitted(record, blobs=blobs).spec
    assert blobs.get(spec.script_digest) == b"#!/bin/sh\necho \xff\n"
    assert blobs.get(spec.environment_digest) == b"A=1\0B=x\ny\0C=\xe4"
    assert spec.script_size == len(b"#!/bin/sh\necho \xff\n")


def test_a_name_that_is_no_text_does_not_keep_the_command_out_of_the_log():
    command = submitted(description(name="b\udce4d", argv=["a", "\udcff"], comment="gr\u00fcn", work_dir="/\udcff"))
    spec = decode(encode(command)).spec
    assert (spec.name, spec.argv, spec.comment) == ("b\ufffdd", ("a", "\ufffd"), "gr\u00fcn")


def test_an_array_and_its_throttle_are_the_commands_business():
    command = submitted(sent("22.05", "sbatch-array", "REQUEST_SUBMIT_BATCH_JOB"))
    assert command.array == "0-3%2"
    assert command.spec.partitions == ("long",)


def test_tasks_that_a_newer_client_has_not_counted_are_counted():
    assert submitted(description(ntasks_per_node=2, min_nodes=3)).spec.num_tasks == 6
    assert submitted(description(ntasks_per_node=2, min_nodes=3, num_tasks=5)).spec.num_tasks == 5


def test_what_can_never_run_is_refused_to_clients_whose_own_controllers_do_so():
    assert not submitted(description(), release="22.05").strict
    assert submitted(description(), release="24.11").strict


def test_priority_zero_holds():
    command = submitted(sent("22.05", "sbatch-hold", "REQUEST_SUBMIT_BATCH_JOB"))
    assert command.hold
    assert command.spec.requested_priority is None


def test_the_submitting_host_is_the_one_that_the_request_came_from():
    spec = submitted(description(alloc_node="liar")).spec
    assert spec.submit_host not in (None, "liar", "127.0.0.1")


def test_a_host_without_a_name_for_its_loopback_address_submits_under_its_own(monkeypatch):
    def no_name(address):
        raise OSError(address)

    monkeypatch.setattr(socket, "gethostbyaddr", no_name)
    assert host_of("127.77.0.1") == socket.gethostname().partition(".")[0]
    assert host_of("192.0.2.77") == "192.0.2.77"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"pn_min_memory": MEM_PER_CPU | 150}, {"memory_per_cpu_mib": 150, "memory_per_node_mib": None}),
        ({"pn_min_memory": 0}, {"memory_per_cpu_mib": None, "memory_per_node_mib": 0}),
        ({"pn_min_memory": NO_VAL64}, {"memory_per_cpu_mib": None, "memory_per_node_mib": None}),
        ({"shared": 0}, {"exclusive": 0}),
        ({"shared": 2}, {"exclusive": 2}),
        ({"overcommit": 1}, {"overcommit": True}),
        ({"contiguous": 1}, {"contiguous": True}),
        ({"time_limit": 0xFFFFFFFF}, {"time_limit_min": UNLIMITED}),
        ({"nice": NICE_OFFSET + 100}, {"nice": 100}),
        ({"partition": "debug,long"}, {"partitions": ("debug", "long")}),
        ({"dependency": "afterok:1"}, {"dependency": "afterok:1"}),
        ({"begin_time": NOW_S + 60}, {"begin_s": NOW_S + 60}),
        ({"requeue": 0}, {"requeue": False}),
        ({"exc_nodes": "n1,n2,n3"}, {"excluded_nodes": "n[1-3]"}),
        ({"req_nodes": "n2,n2"}, {"required_nodes": "n2"}),
        ({"bitflags": 1}, {"kill_invalid_dependency": True}),
        ({"bitflags": 2}, {"kill_invalid_dependency": False}),
        ({"bitflags": 0x1000000}, {"kill_invalid_dependency": None}),
        ({"max_nodes": 0}, {"max_nodes": None}),
        ({"priority": 7}, {"requested_priority": 7}),
        ({"kill_on_node_fail": 0}, {"kill_on_node_fail": False}),
        ({"tres_per_task": "cpu=1"}, {"tres_per_task": "cpu=1"}),
        ({"argv": ["a", None, "b c"]}, {"argv": ("a", "b c")}),
    ],
)
def test_a_field_means_what_it_means_to_slurm(fields, expected):
    spec = submitted(description(**fields)).spec
    assert {name: getattr(spec, name) for name in expected} == expected


def test_a_user_submits_as_himself_only():
    assert refusal(description(user_id=BOB)) is Refusal.USER_ID_MISSING
    assert submitted(description(user_id=BOB), uid=ROOT).spec.user_id == BOB
    assert submitted(description(user_id=BOB), uid=SLURM).spec.user_id == BOB


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"script": None}, Refusal.JOB_SCRIPT_MISSING),
        ({"script": ""}, Refusal.JOB_SCRIPT_MISSING),
        ({"environment": []}, Refusal.ENVIRONMENT_MISSING),
        ({"script": "#!/bin/sh\n" + "x" * (4 << 20)}, Refusal.PATHNAME_TOO_LONG),
        ({"nice": NICE_OFFSET - 1}, Refusal.INVALID_NICE),
        ({"req_nodes": "n[1-2]", "exc_nodes": "n2"}, Refusal.INVALID_NODE_NAME),
        ({"req_nodes": "n[1-"}, Refusal.INVALID_NODE_NAME),
        ({"reservation": "maintenance"}, Refusal.RESERVATION_INVALID),
        ({"array_inx": "1" * 5000}, Refusal.INVALID_ARRAY),
        ({"dependency": "afterok:" + "1" * 5000}, Refusal.DEPENDENCY),
        ({"features": "f1*" + "1" * 5000}, Refusal.INVALID_FEATURE),
        ({"licenses": "ansys:1"}, Refusal.INVALID_LICENSES),
        ({"licenses": "matlab:1,ansys"}, Refusal.INVALID_LICENSES),
    ],
)
def test_what_a_description_cannot_have_is_refused(fields, code):
    blobs = Blobs()
    assert refusal(description(**fields), blobs=blobs) is code
    assert blobs.contents == {}


def test_a_script_just_below_the_limit_is_taken():
    script = "#!/bin/sh\n" + "x" * 4_160_031
    assert submitted(description(script=script)).spec.script_size == 4_160_041


def test_root_may_be_less_than_nice():
    assert submitted(description(nice=NICE_OFFSET - 50), uid=ROOT).spec.nice == -50


def test_heterogeneous_jobs_are_not_to_be_had():
    record = sent("22.05", "sbatch-het", "REQUEST_SUBMIT_BATCH_HET_JOB")
    answer = requests.to_call(MessageType.REQUEST_SUBMIT_BATCH_HET_JOB, record, context())
    assert answer == Rejected(Refusal.NOT_SUPPORTED)
