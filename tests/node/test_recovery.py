"""Steps outlive whoever started them: daemon, zygote or both killed, and the real exit code still arrives."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import flurm
from flurm.node import processes, spool
from flurm.node.plan import make_plan
from flurm.node.spec import FinishedStep, RunningStep, StepEnded, StepFailedToStart, StepKey, StepStarted, WaitingStep
from tests.node.node import PATIENCE_S, Node, batch, make_workplace

ROOT = Path(flurm.__file__).parent.parent


class Daemon:
    """A node daemon in a process of its own, which a test can kill."""

    def __init__(self, place: Path, *wrapper: str) -> None:
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "tests.node.daemon", str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def launch(self, job_id: int, script: str | None) -> None:
        self.process.stdin.write(json.dumps([job_id, script]) + "\n")
        self.process.stdin.flush()

    def await_lines(self, *wanted: str) -> None:
        missing = set(wanted)
        while missing:
            line = self.process.stdout.readline()
            assert line, f"the daemon ended before it said {missing}"
            missing.discard(line.strip())

    def zygotes(self) -> list[int]:
        return processes.descendants(self.process.pid)[:1]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def place():
    place = make_workplace()
    yield place
    if (place / "spool").exists():
        node = Node(place)
        node.launcher.recover()
        node.close()
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def daemon(place):
    daemon = Daemon(place)
    yield daemon
    daemon.kill()


def exit_code(event: StepEnded) -> int:
    return os.waitstatus_to_exitcode(event.wait_status)


@pytest.mark.parametrize("victims", ["daemon", "zygote then daemon"])
def test_jobs_run_on_when_their_daemon_is_killed_and_report_to_the_next_one(place, daemon, victims):
    gates = {}
    for job_id in (1, 2, 3):
        gates[job_id] = place / "work" / f"gate{job_id}"
        os.mkfifo(gates[job_id])
        gates[job_id].chmod(0o666)
        daemon.launch(job_id, f"read word < {gates[job_id]}; exit $word")
    daemon.await_lines(*(f"StepStarted {job_id}" for job_id in gates))
    if victims != "daemon":
        for pid in daemon.zygotes():
            os.kill(pid, signal.SIGKILL)
    daemon.kill()
    gates[1].write_text("41\n")

    node = Node(place)
    try:
        found = {step.key.job_id: step for step in node.launcher.recover()}
        assert all(isinstance(found[job_id], RunningStep) for job_id in (2, 3))
        gates[2].write_text("42\n")
        assert exit_code(node.wait_for(StepEnded, 2)) == 42
        node.launcher.terminate(3, 5)
        assert exit_code(node.wait_for(StepEnded, 3)) == -signal.SIGTERM
        first = found[1].event if isinstance(found[1], FinishedStep) else node.wait_for(StepEnded, 1)
        assert exit_code(first) == 41
    finally:
        node.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system of its own")
def test_a_job_that_fills_the_spool_still_gets_its_exit_code_through(place):
    (place / "spool").mkdir()
    mount = f'mount -t tmpfs -o size=256k none "{place}/spool" && exec "$@"'
    daemon = Daemon(place, "unshare", "-m", "sh", "-c", mount, "sh")
    try:
        daemon.launch(1, 'cat /dev/zero >> "$0" 2>/dev/null; exit 5')
        daemon.await_lines("StepStarted 1", "StepEnded 1 1280")
        daemon.launch(1, None)
        daemon.await_lines("forgotten 1")
        daemon.launch(2, "exit 6")
        daemon.await_lines("StepEnded 2 1536")
    finally:
        daemon.kill()


def test_a_job_that_ended_while_no_daemon_ran_is_found_until_it_is_forgotten(place, daemon):
    gate = place / "work" / "gate"
    os.mkfifo(gate)
    gate.chmod(0o666)
    daemon.launch(1, f"read word < {gate}; exit 7")
    daemon.await_lines("StepStarted 1")
    started = spool.read_record(place / "spool/job00001.0.batch", spool.STARTED)
    manager = os.pidfd_open(started["manager_pid"])
    daemon.kill()
    gate.write_text("go\n")
    assert ended_in_time(manager)

    node = Node(place)
    try:
        for _ in range(2):
            [found] = node.launcher.recover()
            assert isinstance(found, FinishedStep)
            assert exit_code(found.event) == 7
        node.launcher.forget(1)
        assert node.launcher.recover() == []
    finally:
        node.close()


def test_a_step_that_was_accepted_but_never_begun_is_begun_by_the_next_daemon(place):
    node = Node(place)
    try:
        spec = batch(5, "exit 6", node.work)
        plan = make_plan(spec, "n1", "host")
        assert spool.create(node.spool, spec.key.name, plan, spec.script, spec.uid, spec.gid)
        assert [type(step) for step in node.launcher.recover()] == [RunningStep]
        assert exit_code(node.wait_for(StepEnded, 5)) == 6
    finally:
        node.close()


def test_a_killed_zygote_is_replaced_and_nothing_is_lost(node):
    gate = node.fifo("gate")
    node.launcher.launch(batch(1, f"read word < {gate}; exit 5", node.work))
    node.wait_for(StepStarted, 1)
    os.kill(node.launcher.zygote_pid, signal.SIGKILL)
    assert exit_code(node.run(2, "exit 9")) == 9
    gate.write_text("go\n")
    assert exit_code(node.wait_for(StepEnded, 1)) == 5


def test_launches_that_wait_in_a_killed_zygote_are_asked_for_again(node):
    os.kill(node.launcher.zygote_pid, signal.SIGSTOP)
    for job_id in (1, 2, 3):
        node.launcher.launch(batch(job_id, "echo ran >> ran; exit 2", node.work))
    os.kill(node.launcher.zygote_pid, signal.SIGKILL)
    assert [exit_code(node.wait_for(StepEnded, job_id)) for job_id in (1, 2, 3)] == [2, 2, 2]
    assert (node.work / "ran").read_text() == "ran\n" * 3


def test_a_step_whose_manager_is_killed_is_reported_lost_and_leaves_no_processes(node):
    gate = node.fifo("gate")
    node.launcher.launch(batch(1, f"sleep 1000 & echo $! > child; echo > {gate}; wait", node.work))
    script = node.wait_for(StepStarted, 1).pid
    gate.read_text()
    child = int((node.work / "child").read_text())
    handles = [os.pidfd_open(pid) for pid in (script, child)]
    started = spool.read_record(node.spool / "job00001.0.batch", spool.STARTED)
    os.kill(started["manager_pid"], signal.SIGKILL)
    ended = node.wait_for(StepEnded, 1)
    assert (ended.lost, exit_code(ended)) == (True, -signal.SIGKILL)
    assert all(ended_in_time(handle) for handle in handles)


def test_a_step_of_an_earlier_boot_is_lost_and_nobody_is_killed_for_it(node):
    bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        spec = batch(1, "exit 0", node.work)
        spool.create(node.spool, spec.key.name, make_plan(spec, "n1", "h"), spec.script, spec.uid, spec.gid)
        record = {"boot": "another", "session": bystander.pid, "script_pid": bystander.pid}
        spool.write_record(node.spool / spec.key.name, spool.STARTED, record)
        [found] = node.launcher.recover()
        assert isinstance(found, FinishedStep)
        assert found.event.lost
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_process_number_that_belongs_to_somebody_else_by_now_is_left_alone(node):
    bystander = subprocess.Popen(["sleep", "1000"])
    try:
        spec = batch(1, "exit 0", node.work)
        spool.create(node.spool, spec.key.name, make_plan(spec, "n1", "h"), spec.script, spec.uid, spec.gid)
        record = {
            "boot": spool.boot_id(),
            "session": 2**22 - 1,
            "script_pid": bystander.pid,
            "script_start": processes.start_time(bystander.pid) - 1,
        }
        spool.write_record(node.spool / spec.key.name, spool.STARTED, record)
        [found] = node.launcher.recover()
        assert found.event.lost
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_step_for_which_no_manager_can_be_had_fails_after_a_few_attempts(node):
    node.launcher.zygote_module = "flurm.node.no_such_module"
    os.kill(node.launcher.zygote_pid, signal.SIGKILL)
    node.launcher.launch(batch(1, "exit 0", node.work))
    failed = node.wait_for(StepFailedToStart, 1)
    assert (failed.stage, failed.slurm_rc) == ("manager", 4019)


def test_a_half_written_entry_is_swept_away_and_never_run(place):
    (place / "spool" / ".new-job00001.0.batch-1").mkdir(parents=True)
    node = Node(place)
    try:
        assert node.launcher.recover() == []
        assert list(node.spool.iterdir()) == []
    finally:
        node.close()


def test_a_spool_with_a_very_long_path_works_too(place):
    deep = place / ("x" * 200)
    (deep / "work").mkdir(parents=True)
    (deep / "work").chmod(0o777)
    first = Node(deep)
    gate = first.fifo("gate")
    first.launcher.launch(batch(1, f"read word < {gate}; exit 3", first.work))
    first.wait_for(StepStarted, 1)
    first.launcher.stop()
    second = Node(deep)
    try:
        assert [type(step) for step in second.launcher.recover()] == [RunningStep]
        gate.write_text("go\n")
        assert exit_code(second.wait_for(StepEnded, 1)) == 3
    finally:
        second.close()


@pytest.mark.parametrize("name", ["job00042.1.batch", "job1234567.0.batch", "job00007.0.3"])
def test_a_spool_entry_is_named_after_its_step(name):
    assert StepKey.parse(name).name == name


@pytest.mark.parametrize(
    "name", ["job1", "lost+found", "job1.x.batch", "job1.0.interactive", ".new-job00001.0.batch-1"]
)
def test_other_entries_of_the_spool_are_none_of_ours(name):
    assert StepKey.parse(name) is None


def ended_in_time(pidfd: int) -> bool:
    try:
        return bool(select.select([pidfd], [], [], PATIENCE_S)[0])
    finally:
        os.close(pidfd)


def test_a_daemon_whose_socket_is_gone_does_not_hold_a_step_up(node):
    """A step ends although nobody listens any more: what it says is lost, what it wrote is not."""
    gate = node.fifo("gate")
    node.launcher.launch(batch(1, f"read word < {gate}; exit 4", node.work))
    node.wait_for(StepStarted, 1)
    started = spool.read_record(node.spool / "job00001.0.batch", spool.STARTED)
    manager = os.pidfd_open(started["manager_pid"])
    node.launcher.stop()
    gate.write_text("go\n")
    assert ended_in_time(manager)
    status = spool.read_record(node.spool / "job00001.0.batch", spool.STATUS)
    assert os.waitstatus_to_exitcode(status["wait_status"]) == 4


def test_a_step_waits_for_its_prolog_across_a_restart_of_the_daemon(node):
    spec = batch(9, "echo ran", node.work)
    assert node.launcher.launch(spec, prolog={"SLURM_JOB_ID": "9"})
    assert not node.launcher.launch(spec, prolog={"SLURM_JOB_ID": "9"})
    assert node.launcher.recover() == [WaitingStep(spec.key, {"SLURM_JOB_ID": "9"})]
    node.launcher.begin(spec.key)
    node.wait_for(StepEnded, 9)
    assert node.output(9) == "ran\n"


def test_a_step_whose_prolog_failed_has_ended_and_never_runs(node):
    spec = batch(9, "echo ran", node.work)
    node.launcher.launch(spec, prolog={})
    story = node.launcher.refuse(spec.key, "the prolog ended with 3", wait_status=256, slurm_rc=4022)
    assert node.launcher.recover() == [FinishedStep(spec.key, story)]
    assert not (node.work / "slurm-9.out").exists()
