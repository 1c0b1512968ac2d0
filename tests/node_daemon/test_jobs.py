"""What a controller experiences with the node daemon."""

import signal
import time

from protocol.constants import JobState, KillFlag, MessageType
from protocol.errno import Errno
from protocol.messages.job_control import JobNotify
from protocol.messages.launch import SignalTasks, SuspendStep
from protocol.messages.nodes import PingResponse
from tests.node_daemon.controller import BATCH_STEP, PATIENCE_S, kill, whole

WAITING = "trap 'echo got USR1; exit 7' USR1; echo ready > up; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; echo ready > up; while :; do sleep 0.05; done"


def begun(cluster, job_id, script, **changes):
    """Launch a script that writes to the pipe `up`, and wait until it has."""
    pipe = cluster.fifo("up")
    assert cluster.launch(job_id, script, **changes) == 0
    pipe.read_text()


def test_a_node_registers_with_its_configured_size(cluster):
    registration = cluster.controller.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS).record
    assert (registration.node_name, registration.cpus, registration.real_memory) == ("n1", 2, 512)


def test_a_ping_is_answered_in_its_version_and_with_a_credential(cluster):
    answer = cluster.node.ask(MessageType.REQUEST_PING, version=0x2700)
    assert answer.frame.version == 0x2700
    assert answer.frame.auth is not None
    assert isinstance(answer.body, PingResponse)


def test_a_node_that_is_asked_registers_again_and_tells_what_runs(cluster):
    begun(cluster, 7, WAITING)
    cluster.controller.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS)
    answer = cluster.node.ask(MessageType.REQUEST_NODE_REGISTRATION_STATUS)
    assert isinstance(answer.body, PingResponse)
    registration = cluster.controller.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS).record
    assert [(step.job_id, step.step_id) for step in registration.step_id] == [(7, BATCH_STEP)]


def test_a_batch_job_runs_and_its_exit_code_is_reported(cluster):
    assert cluster.launch(7, "echo hello; exit 3") == 0
    ended = cluster.ended(7)
    assert (ended.job_rc, ended.slurm_rc, ended.node_name) == (3 << 8, 0, "n1")
    assert cluster.output(7) == "hello\n"


def test_a_launch_that_arrives_twice_runs_once(cluster):
    begun(cluster, 7, "echo ran >> count; echo ready > up; exit 4")
    assert cluster.launch(7, "echo ran >> count") == 0
    assert cluster.ended(7).job_rc == 4 << 8
    assert cluster.launch(7, "echo ran >> count") == 0
    assert cluster.node.code(MessageType.REQUEST_TERMINATE_JOB, kill(7)) in (0, 4002)
    assert cluster.launch(7, "echo ran >> count") == 0
    assert cluster.launch(8, "true") == 0
    cluster.ended(8)
    assert (cluster.work / "count").read_text() == "ran\n"


def test_a_requeued_job_runs_again(cluster):
    cluster.launch(7, "exit 1")
    assert cluster.ended(7).job_rc == 1 << 8
    cluster.node.code(MessageType.REQUEST_TERMINATE_JOB, kill(7, ago_s=1))
    assert cluster.launch(7, "exit 2", restarts=1) == 0
    assert cluster.ended(7).job_rc == 2 << 8


def test_a_launch_that_is_not_younger_than_the_end_of_the_job_is_refused(cluster):
    cluster.node.code(MessageType.REQUEST_TERMINATE_JOB, kill(7, ago_s=-60))
    assert cluster.launch(7, "echo ran > proof") == Errno.ESLURMD_CREDENTIAL_REVOKED
    assert not (cluster.work / "proof").exists()


def test_a_job_that_is_over_is_said_to_be_gone(cluster):
    cluster.launch(7, "true")
    cluster.ended(7)
    give_up_s = time.monotonic() + PATIENCE_S
    while (told := cluster.node.code(MessageType.REQUEST_TERMINATE_JOB, kill(7))) == 0:
        assert time.monotonic() < give_up_s  # the end is not acknowledged yet
    assert told == Errno.ESLURMD_KILL_JOB_ALREADY_COMPLETE


def test_a_signal_reaches_the_batch_script(cluster):
    begun(cluster, 7, WAITING)
    request = SignalTasks(whole(7, BATCH_STEP), KillFlag.JOB_BATCH, signal.SIGUSR1)
    assert cluster.node.code(MessageType.REQUEST_SIGNAL_TASKS, request) == 0
    assert cluster.ended(7).job_rc == 7 << 8
    assert cluster.output(7) == "got USR1\n"


def test_a_signal_for_the_steps_of_a_job_does_not_reach_its_script(cluster):
    begun(cluster, 7, WAITING)
    assert cluster.node.code(MessageType.REQUEST_SIGNAL_TASKS, SignalTasks(whole(7), 0, signal.SIGKILL)) == 0
    full = SignalTasks(whole(7), KillFlag.FULL_JOB, signal.SIGUSR1)
    assert cluster.node.code(MessageType.REQUEST_SIGNAL_TASKS, full) == 0
    assert cluster.ended(7).job_rc == 7 << 8


def test_a_signal_to_a_job_that_is_not_here_is_refused(cluster):
    request = SignalTasks(whole(99, BATCH_STEP), KillFlag.JOB_BATCH, signal.SIGUSR1)
    assert cluster.node.code(MessageType.REQUEST_SIGNAL_TASKS, request) == Errno.ESLURM_INVALID_JOB_ID


def test_a_terminated_job_ends_and_the_epilog_follows_its_exit_status(cluster):
    begun(cluster, 7, "echo ready > up; sleep 600")
    assert cluster.node.code(MessageType.REQUEST_TERMINATE_JOB, kill(7)) == 0
    assert cluster.ended(7).job_rc == signal.SIGTERM
    assert cluster.controller.wait_for(MessageType.MESSAGE_EPILOG_COMPLETE, 7).record.node_name == "n1"
    assert "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 20" in cluster.output(7)


def test_a_job_over_its_time_limit_is_killed_after_the_grace_and_told_why(cluster):
    begun(cluster, 7, STUBBORN)
    assert cluster.node.code(MessageType.REQUEST_KILL_TIMELIMIT, kill(7)) == 0
    assert cluster.ended(7).job_rc == signal.SIGKILL
    assert cluster.output(7).endswith(" DUE TO TIME LIMIT ***\n")


def test_an_aborted_job_is_killed_at_once(cluster):
    begun(cluster, 7, STUBBORN)
    assert cluster.node.code(MessageType.REQUEST_ABORT_JOB, kill(7)) == 0
    assert cluster.ended(7).job_rc == signal.SIGKILL


def test_a_job_that_is_requeued_is_told_so(cluster):
    begun(cluster, 7, "echo ready > up; sleep 600")
    assert cluster.node.code(MessageType.REQUEST_TERMINATE_JOB, kill(7, JobState.PENDING)) == 0
    cluster.ended(7)
    assert cluster.output(7).endswith(" DUE TO JOB REQUEUE ***\n")


def test_a_message_to_a_job_appears_in_its_output(cluster):
    begun(cluster, 7, WAITING)
    request = JobNotify(step_id=whole(7), message="hello there")
    assert cluster.node.code(MessageType.REQUEST_JOB_NOTIFY, request) == 0
    cluster.node.code(MessageType.REQUEST_ABORT_JOB, kill(7))
    cluster.ended(7)
    assert cluster.output(7).startswith("slurmstepd: error: hello there\n")


def test_a_suspended_job_goes_on_when_it_is_resumed(cluster):
    begun(cluster, 7, WAITING)
    assert cluster.node.code(MessageType.REQUEST_SUSPEND_INT, SuspendStep(job_id=7, op=0)) == 0
    assert cluster.node.code(MessageType.REQUEST_SUSPEND_INT, SuspendStep(job_id=7, op=1)) == 0
    usr1 = SignalTasks(whole(7, BATCH_STEP), KillFlag.JOB_BATCH, signal.SIGUSR1)
    cluster.node.code(MessageType.REQUEST_SIGNAL_TASKS, usr1)
    assert cluster.ended(7).job_rc == 7 << 8


def test_a_job_for_another_node_is_refused(cluster):
    assert cluster.launch(7, "true", nodes="n2") == Errno.ESLURMD_INVALID_JOB_CREDENTIAL


def test_the_usage_of_a_running_job_can_be_asked_for(cluster):
    begun(cluster, 7, WAITING)
    stat = cluster.node.ask(MessageType.REQUEST_JOB_STEP_STAT, whole(7, BATCH_STEP)).body
    assert (stat.num_tasks, stat.step_pids.node_name) == (1, "n1")
    assert stat.jobacct.tres_usage_in_max[1] > 0
    assert stat.step_pids.pid


def test_the_usage_of_a_job_that_is_not_here_is_refused(cluster):
    assert cluster.node.code(MessageType.REQUEST_JOB_STEP_STAT, whole(99, BATCH_STEP)) == Errno.ESLURM_INVALID_JOB_ID
