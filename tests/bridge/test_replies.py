"""Core replies leave as the messages that real controllers answer with."""

import pytest

from flurm.bridge import replies
from flurm.core.effects import Done, Rejected, Result, Results, Submitted
from flurm.core.enums import Refusal
from protocol.codec import encode_body
from protocol.constants import BATCH_STEP, MessageType
from tests.bridge.sent import RELEASES, VERSIONS, context, sent

UPDATE, SUBMIT = MessageType.REQUEST_UPDATE_JOB, MessageType.REQUEST_SUBMIT_BATCH_JOB
REGISTER = MessageType.MESSAGE_NODE_REGISTRATION_STATUS


def answer(request, reply, release="22.05"):
    msg_type, record = replies.to_wire(request, reply, context(release=release))
    encode_body(msg_type, record, VERSIONS[release])
    return msg_type, record


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_has_a_number(refusal):
    assert replies.code_of(refusal) > 0


@pytest.mark.parametrize("release", RELEASES)
def test_a_submitted_job_gets_its_id_and_the_message(release):
    msg_type, record = answer(SUBMIT, Submitted(7, "welcome"), release)
    assert msg_type == MessageType.RESPONSE_SUBMIT_BATCH_JOB
    assert (record.job_id, record.step_id, record.error_code) == (7, BATCH_STEP, 0)
    assert (record.step.job_id, record.job_submit_user_msg) == (7, "welcome")


def test_a_refusal_with_a_sentence_carries_it():
    refused = Rejected(Refusal.INVALID_PARTITION_NAME, "invalid partition specified: nosuch")
    msg_type, record = answer(SUBMIT, refused)
    assert msg_type == MessageType.RESPONSE_SLURM_RC_MSG
    assert (record.return_code, record.err_msg) == (2000, "invalid partition specified: nosuch")


def test_a_refusal_without_a_sentence_is_a_number():
    assert answer(SUBMIT, Rejected(Refusal.MAX_JOBS)) == answer(UPDATE, Rejected(Refusal.MAX_JOBS))
    msg_type, record = answer(SUBMIT, Rejected(Refusal.MAX_JOBS))
    assert (msg_type, record.return_code) == (MessageType.RESPONSE_SLURM_RC, 11)
    assert answer(UPDATE, Rejected(Refusal.PERMISSION))[1].return_code == 13


def test_updates_are_answered_with_a_text_since_23_02():
    assert answer(UPDATE, Done(), "22.05")[0] == MessageType.RESPONSE_SLURM_RC
    assert answer(UPDATE, Done(), "24.11")[0] == MessageType.RESPONSE_SLURM_RC_MSG
    assert answer(MessageType.REQUEST_KILL_JOB, Done(), "24.11")[0] == MessageType.RESPONSE_SLURM_RC


def test_tasks_of_an_array_have_outcomes_of_their_own():
    results = Results((Result("5_1"), Result("5_2", Refusal.ALREADY_DONE)))
    msg_type, record = answer(UPDATE, results, "24.11")
    assert msg_type == MessageType.RESPONSE_JOB_ARRAY_ERRORS
    assert [(each.job_array_id, each.error_code) for each in record.job_array] == [("5_1", 0), ("5_2", 2021)]


@pytest.mark.parametrize(
    ("codes", "number"),
    [((None, Refusal.ALREADY_DONE), 0), ((Refusal.ALREADY_DONE, Refusal.TRANSITION_STATE_NO_UPDATE), 2021)],
)
def test_scancel_gets_one_number_for_an_array(codes, number):
    results = Results(tuple(Result(f"5_{task}", code) for task, code in enumerate(codes)))
    msg_type, record = answer(MessageType.REQUEST_KILL_JOB, results)
    assert (msg_type, record.return_code) == (MessageType.RESPONSE_SLURM_RC, number)


def test_of_many_cancelled_jobs_only_the_failures_are_told():
    results = Results((Result("5"), Result("6_2", Refusal.ACCESS_DENIED)))
    msg_type, record = answer(MessageType.REQUEST_KILL_JOBS, results, "24.11")
    assert msg_type == MessageType.RESPONSE_KILL_JOBS
    assert [(job.error_code, job.id.step_id.job_id, job.id.array_task_id) for job in record.jobs] == [(2002, 6, 2)]


@pytest.mark.parametrize("release", RELEASES)
def test_a_node_learns_which_resources_are_tracked(release):
    msg_type, record = answer(REGISTER, Done(), release)
    theirs = sent(release, "startup-slurmd", "RESPONSE_NODE_REGISTRATION").tres_list
    standard = [tres for tres in theirs if tres.id < 1000]
    assert msg_type == MessageType.RESPONSE_NODE_REGISTRATION
    assert [(t.id, t.type, t.name, t.count) for t in record.tres_list] == [
        (t.id, t.type, t.name, t.count) for t in standard
    ]


def test_a_node_that_is_refused_gets_a_number():
    msg_type, record = answer(REGISTER, Rejected(Refusal.INVALID_NODE_NAME))
    assert (msg_type, record.return_code) == (MessageType.RESPONSE_SLURM_RC, 2018)
