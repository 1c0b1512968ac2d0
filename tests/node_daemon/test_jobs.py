"""What a controller experiences with the node daemon."""

from protocol.constants import MessageType
from protocol.messages.nodes import PingResponse
from tests.node_daemon.controller import kill


def test_a_node_registers_with_its_configured_size(cluster):
    registration = cluster.controller.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS).record
    assert (registration.node_name, registration.cpus, registration.real_memory) == ("n1", 2, 512)


def test_a_ping_is_answered_in_its_version_and_with_a_credential(cluster):
    answer = cluster.node.ask(MessageType.REQUEST_PING, version=0x2700)
    assert answer.frame.version == 0x2700
    assert answer.frame.auth is not None
    assert isinstance(answer.body, PingResponse)


def test_a_batch_job_runs_and_its_exit_code_is_reported(cluster):
    assert cluster.launch(7, "echo hello; exit 3") == 0
    ended = cluster.ended(7)
    assert (ended.job_rc, ended.slurm_rc, ended.node_name) == (3 << 8, 0, "n1")
    assert cluster.output(7) == "hello\n"


def test_a_job_that_is_over_is_said_to_be_gone(cluster):
    cluster.launch(7, "true")
    cluster.ended(7)
    assert cluster.node.code(MessageType.REQUEST_TERMINATE_JOB, kill(7)) == 4002
