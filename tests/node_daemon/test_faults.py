"""The node daemon when it, its controllers or its peers fail."""

import os
import signal
import subprocess

import pytest

from actors.net import rpc
from protocol.auth import Signer
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.messages.config import ShutdownRequest
from protocol.messages.nodes import SlurmdStatus
from protocol.messages.replies import ReturnCode
from protocol.versions import Version
from tests.node_daemon.conftest import Cluster
from tests.node_daemon.controller import PATIENCE_S, FakeController, Node, kill


def test_a_job_survives_the_daemon_and_the_next_one_reports_its_real_exit_status(cluster):
    up, go = cluster.fifo("up"), cluster.fifo("go")
    cluster.launch(7, "echo ready > up; cat go; exit 9")
    up.read_text()
    cluster.stop(signal.SIGKILL)
    cluster.start()
    go.write_text("on\n")
    assert cluster.ended(7).job_rc == 9 << 8
    assert cluster.output(7) == "on\n"


def test_a_job_that_ended_while_the_daemon_was_away_is_reported_before_its_epilog(cluster):
    up, go, over = (cluster.fifo(name) for name in ("up", "go", "over"))
    cluster.launch(7, "echo ready > up; cat go; echo bye > over; exit 9")
    up.read_text()
    cluster.stop(signal.SIGKILL)
    go.write_text("on\n")
    over.read_text()
    cluster.start()
    assert cluster.node.code(MessageType.REQUEST_TERMINATE_JOB, kill(7)) in (0, Errno.ESLURMD_KILL_JOB_ALREADY_COMPLETE)
    assert cluster.ended(7).job_rc == 9 << 8


def test_what_was_not_acknowledged_is_sent_again_after_a_restart(cluster):
    deaf = [True]

    def answer(heard):
        if deaf and heard.msg_type == MessageType.REQUEST_COMPLETE_BATCH_SCRIPT:
            return MessageType.RESPONSE_SLURM_RC, ReturnCode(return_code=Errno.SLURM_COMMUNICATIONS_SEND_ERROR)
        return MessageType.RESPONSE_SLURM_RC, ReturnCode()

    cluster.controller.answers = answer
    cluster.launch(7, "exit 5")
    assert cluster.ended(7).job_rc == 5 << 8
    cluster.stop(signal.SIGKILL)
    cluster.controller.drain(MessageType.REQUEST_COMPLETE_BATCH_SCRIPT)
    deaf.clear()
    cluster.start()
    assert cluster.ended(7).job_rc == 5 << 8


def test_a_report_is_repeated_until_the_controller_takes_it(cluster):
    refusals = [1, 2, 3]

    def answer(heard):
        if heard.msg_type == MessageType.REQUEST_COMPLETE_BATCH_SCRIPT and refusals:
            refusals.pop()
            return None
        return MessageType.RESPONSE_SLURM_RC, ReturnCode()

    cluster.controller.answers = answer
    cluster.launch(7, "exit 5")
    assert [cluster.ended(7).job_rc for _ in range(4)] == [5 << 8] * 4


def test_another_controller_is_asked_when_the_first_is_gone():
    cluster = Cluster()
    second = FakeController(cluster.signer)
    cluster.controllers.append(second.address)
    cluster.controller.close()
    cluster.start()
    try:
        second.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS)
        cluster.launch(7, "exit 2")
        assert second.wait_for(MessageType.REQUEST_COMPLETE_BATCH_SCRIPT, 7).record.job_rc == 2 << 8
    finally:
        cluster.close()
        second.close()


def test_an_old_controller_is_spoken_to_in_its_own_version():
    cluster = Cluster(newest=Version.V22_05)
    cluster.start()
    try:
        heard = cluster.controller.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS)
        assert (heard.version, heard.record.version) == (Version.V22_05, "22.05.0")
        cluster.launch(7, "true")
        ended = cluster.controller.wait_for(MessageType.REQUEST_COMPLETE_BATCH_SCRIPT, 7)
        assert ended.version == Version.V22_05
    finally:
        cluster.close()


def test_somebody_else_may_ping_but_not_launch(cluster):
    stranger = Node(cluster.node.address, Signer(cluster.signer.key, 4711, 4711))
    stranger.ask(MessageType.REQUEST_PING)
    assert stranger.code(MessageType.REQUEST_TERMINATE_JOB, kill(7)) == Errno.ESLURM_USER_ID_MISSING


def test_an_unknown_request_gets_the_number_that_slurmd_gives(cluster):
    assert cluster.node.code(MessageType.REQUEST_CONTROL) == Errno.ESLURM_PROTOCOL_INCOMPLETE_PACKET


def test_the_daemon_shows_its_status(cluster):
    status = cluster.node.ask(MessageType.REQUEST_DAEMON_STATUS).body
    assert isinstance(status, SlurmdStatus)
    assert (status.hostname, status.actual_cpus, status.pid) == ("n1", 2, cluster.process.pid)


def test_a_second_daemon_on_the_same_spool_says_who_has_it(cluster):
    done = subprocess.run(cluster.command(), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert f"served by another flurmd (process {cluster.process.pid})" in done.stderr


def test_a_daemon_that_replaces_another_takes_over_its_jobs(cluster):
    up, go = cluster.fifo("up"), cluster.fifo("go")
    cluster.launch(7, "echo ready > up; cat go; exit 9")
    up.read_text()
    first = cluster.process
    cluster.controller.drain(MessageType.MESSAGE_NODE_REGISTRATION_STATUS)
    cluster.start("--replace")
    assert first.wait(PATIENCE_S) == 0
    registration = cluster.controller.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS).record
    assert [step.job_id for step in registration.step_id] == [7]
    go.write_text("on\n")
    assert cluster.ended(7).job_rc == 9 << 8


def test_a_shutdown_request_ends_the_daemon(cluster):
    with pytest.raises(rpc.NoAnswer):
        cluster.node.ask(MessageType.REQUEST_SHUTDOWN, ShutdownRequest())
    assert cluster.process.wait(PATIENCE_S) == 0


def test_the_help_explains_what_a_stop_does_to_jobs(stopped_cluster):
    done = subprocess.run([*stopped_cluster.command()[:3], "-h"], capture_output=True, text=True, check=True)
    assert "leaves its jobs running" in done.stdout


def test_a_pid_file_names_the_process(cluster):
    assert int((cluster.place / "spool" / "flurmd.pid").read_text()) == cluster.process.pid
    os.kill(cluster.process.pid, 0)
