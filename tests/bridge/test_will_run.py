"""A will-run test tells when and where the job would start, and starts nothing."""

import pytest

from flurm.bridge import queries
from flurm.core.apply import apply
from flurm.core.commands import RegisterNode
from flurm.core.node_records import NodeFacts
from protocol.codec import encode_body
from protocol.constants import MessageType
from protocol.messages import JobDescription
from protocol.versions import Version
from tests.bridge.sent import NOW_S, cluster, context, description


def ready():
    state = cluster()
    facts = NodeFacts(cpus=4, real_memory_mib=4000, tmp_disk_mib=1000)
    for name in state.node_order:
        state = apply(state, RegisterNode(now_s=NOW_S, name=name, facts=facts)).cluster
    return state


def asked(record: JobDescription, version: int = Version.V22_05):
    ctx = context(state=ready())
    msg_type, answer = queries.answer(MessageType.REQUEST_JOB_WILL_RUN, record, ctx)
    encode_body(msg_type, answer, version)
    return msg_type, answer


@pytest.mark.parametrize("version", list(Version))
def test_a_job_that_fits_would_start_now(version):
    msg_type, answer = asked(description(min_nodes=3, max_nodes=3, num_tasks=3, min_cpus=3), version)
    assert msg_type == MessageType.RESPONSE_JOB_WILL_RUN
    assert (answer.node_list, answer.part_name, answer.proc_cnt) == ("n[1-3]", "debug", 3)
    assert answer.start_time == NOW_S
    assert answer.job_id == 1


def test_a_job_that_never_fits_is_refused():
    msg_type, answer = asked(description(min_nodes=9, min_cpus=9))
    assert (msg_type, answer.return_code) == (MessageType.RESPONSE_SLURM_RC, 2014)


def test_a_partition_that_is_none_is_named():
    msg_type, answer = asked(description(partition="nope"))
    assert msg_type == MessageType.RESPONSE_SLURM_RC_MSG
    assert (answer.return_code, answer.err_msg) == (2000, "invalid partition specified: nope")
