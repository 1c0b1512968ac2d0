"""A node runs batch scripts: real processes, the user's identity, what is left behind."""

import os
import signal
import time

import pytest

from flurm.node import processes
from flurm.node.plan import LaunchRefusedError
from flurm.node.spec import OpenMode, SignalTarget, StepEnded, StepFailedToStart, StepStarted
from tests.node.node import USER, batch

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


def exit_code(ended: StepEnded) -> int:
    return os.waitstatus_to_exitcode(ended.wait_status)


def test_a_script_runs_in_its_directory_and_its_exit_code_is_reported(node):
    ended = node.run(1, "pwd; exit 3")
    assert (exit_code(ended), ended.slurm_rc, ended.lost) == (3, 0, False)
    assert node.output(1) == f"{node.work}\n"


def test_a_script_that_dies_by_a_signal_is_reported_with_that_signal(node):
    assert exit_code(node.run(1, "kill -SEGV $$")) == -signal.SIGSEGV


def test_arguments_reach_the_script_as_they_are(node):
    node.run(1, 'printf "%s|" "$@"', argv=("job.sh", "a", "b c", ""))
    assert node.output(1) == "a|b c||"


def test_a_script_inherits_three_open_files_and_its_own_process_group(node):
    node.run(1, "ls /proc/$$/fd; cut -d' ' -f5 /proc/$$/stat; echo $$")
    *handles, group, own = node.output(1).split()
    assert {int(handle) for handle in handles} - {10, 255} == {0, 1, 2}
    assert group == own


def test_a_script_of_several_megabytes_runs(node):
    assert exit_code(node.run(1, "#" * (4 << 20) + "\nexit 9")) == 9


def test_an_environment_that_is_not_utf8_arrives_unchanged(node):
    node.run(1, 'printf %s "$ODD"', environment=("PATH=/usr/bin:/bin", os.fsdecode(b"ODD=\xff\xfe")))
    assert (node.work / "slurm-1.out").read_bytes() == b"\xff\xfe"


def test_the_script_runs_with_the_users_identity_and_no_other(node):
    node.run(1, "id -u; id -g; id -G")
    uid, gid, groups = node.output(1).splitlines()
    assert (int(uid), int(gid)) == (USER.pw_uid, USER.pw_gid)
    assert sorted(map(int, groups.split())) == sorted(set(os.getgrouplist(USER.pw_name, USER.pw_gid)))


def test_the_output_file_belongs_to_the_user_and_follows_the_submitters_umask(node):
    node.run(1, "umask", environment=("PATH=/usr/bin:/bin", "SLURM_UMASK=0027"))
    found = (node.work / "slurm-1.out").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (USER.pw_uid, 0o640)
    assert node.output(1) == "0027\n"


def test_the_submitters_soft_limits_apply_and_their_carriers_are_gone(node):
    environment = ("PATH=/usr/bin:/bin", "SLURM_RLIMIT_NOFILE=77", "SLURM_RLIMIT_CORE=0")
    node.run(1, "ulimit -n; env | grep -c SLURM_RLIMIT", environment=environment)
    assert node.output(1) == "77\n0\n"


def test_the_script_is_bound_to_its_cpus(node):
    cpu = min(os.sched_getaffinity(0))
    node.run(1, "grep Cpus_allowed_list /proc/self/status", cpu_ids=(cpu,))
    assert node.output(1).split() == ["Cpus_allowed_list:", str(cpu)]


def test_stdin_is_empty_unless_a_file_is_named(node):
    (node.work / "in").write_text("from a file")
    node.run(1, "cat")
    node.run(2, "cat", std_in=str(node.work / "in"))
    assert (node.output(1), node.output(2)) == ("", "from a file")


def test_standard_error_goes_to_its_own_file_where_one_is_named(node):
    node.run(7, "echo out; echo err >&2", std_out="%j.out", std_err="%j.err")
    assert ((node.work / "7.out").read_text(), (node.work / "7.err").read_text()) == ("out\n", "err\n")


def test_an_existing_output_file_is_cut_off_unless_appending_is_asked_for(node):
    for job_id, mode in ((1, OpenMode.DEFAULT), (2, OpenMode.TRUNCATE), (3, OpenMode.APPEND)):
        node.run(job_id, "echo $SLURM_JOB_ID", std_out="log", open_mode=mode)
    assert (node.work / "log").read_text() == "2\n3\n"


def test_a_missing_working_directory_gives_way_to_tmp_and_says_so(node):
    node.run(1, "pwd", work_dir=str(node.work / "gone"), std_out=str(node.work / "out"))
    reason = "No such file or directory: going to /tmp instead"
    told = f"slurmstepd: error: couldn't chdir to `{node.work}/gone': {reason}"
    assert (node.work / "out").read_text().splitlines() == [told, told, "/tmp"]


def test_a_missing_tmpdir_is_made_for_the_job_or_replaced(node):
    mine = node.work / "mine"
    node.run(1, "echo $TMPDIR", environment=("PATH=/usr/bin:/bin", f"TMPDIR={mine}"))
    node.run(2, "echo $TMPDIR", environment=("PATH=/usr/bin:/bin", "TMPDIR=/gone/mine"))
    assert (node.output(1), mine.stat().st_mode & 0o777) == (f"{mine}\n", 0o700)
    assert node.output(2).splitlines() == [
        "slurmstepd: error: Unable to create TMPDIR [/gone/mine]: No such file or directory",
        "slurmstepd: error: Setting TMPDIR to /tmp",
        "/tmp",
    ]


def test_output_that_cannot_be_opened_fails_the_step_as_slurmd_reports_it(node):
    node.launcher.launch(batch(1, "true", node.work, std_out="gone/x"))
    failed = node.wait_for(StepFailedToStart, 1)
    assert (failed.stage, failed.wait_status, failed.slurm_rc) == ("io", 4021, 0)
    assert failed.error == "Could not open stdout file gone/x: No such file or directory"


@as_root
def test_a_file_that_only_root_may_write_is_not_written_for_a_user(node):
    (node.place / "roots").mkdir(0o755)
    node.launcher.launch(batch(1, "true", node.work, std_out=str(node.place / "roots/out")))
    assert "Permission denied" in node.wait_for(StepFailedToStart, 1).error
    assert not (node.place / "roots/out").exists()


@as_root
def test_a_script_of_one_user_cannot_read_what_the_spool_holds(node):
    node.run(1, f"ls {node.spool} || cat {node.spool}/job00001.0.batch/plan || exit 5", std_err="/dev/null")
    assert node.output(1) == ""


def test_an_interpreter_that_does_not_exist_gives_exit_code_two_and_a_message(node):
    node.launcher.launch(batch(1, "", node.work, script=b"#!/no/such/thing -x\n"))
    failed = node.wait_for(StepFailedToStart, 1)
    assert (failed.stage, failed.wait_status) == ("exec", 2 << 8)
    said = "slurmstepd: error: execve(): bad interpreter(/no/such/thing): No such file or directory\n"
    assert node.output(1) == said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may become anybody")
def test_an_ordinary_daemon_refuses_other_users_jobs_and_says_what_to_do(node):
    with pytest.raises(LaunchRefusedError, match="start flurmd as root"):
        node.launcher.launch(batch(1, "true", node.work, uid=os.geteuid() + 1))


@as_root
def test_a_user_that_the_node_does_not_know_is_refused(node):
    with pytest.raises(LaunchRefusedError, match="uid 987654 is unknown") as refused:
        node.launcher.launch(batch(1, "true", node.work, uid=987654, user_name=""))
    assert refused.value.slurm_rc == 4005


def test_the_same_step_launched_twice_runs_once(node):
    spec = batch(1, "echo ran", node.work, open_mode=OpenMode.APPEND)
    assert [node.launcher.launch(spec), node.launcher.launch(spec)] == [True, False]
    node.wait_for(StepEnded, 1)
    assert node.launcher.launch(spec) is False
    assert node.output(1) == "ran\n"


def test_a_requeued_job_runs_again(node):
    for count in (0, 1):
        ended = node.run(1, "echo ${SLURM_RESTART_COUNT:-first}", restart_count=count, open_mode=OpenMode.APPEND)
        assert ended.key.restart_count == count
    assert node.output(1) == "first\n1\n"


def test_a_forgotten_job_leaves_nothing_in_the_spool(node):
    node.run(1, "true")
    node.launcher.forget(1)
    assert list(node.spool.iterdir()) == []


def test_a_running_job_is_not_forgotten(node):
    node.launcher.launch(batch(1, "sleep 1000", node.work))
    node.wait_for(StepStarted, 1)
    node.launcher.forget(1)
    assert [entry.name for entry in node.spool.iterdir()] == ["job00001.0.batch"]


def test_processes_that_a_script_leaves_behind_are_killed_even_daemons(node):
    script = "(setsid sh -c 'echo $$ > daemon; exec sleep 1000' > /dev/null 2>&1 &)\nsleep 1000 & echo $! > child\n"
    script += "while ! [ -s daemon ]; do :; done; exit 4"
    assert exit_code(node.run(1, script)) == 4
    left = [int((node.work / name).read_text()) for name in ("daemon", "child")]
    assert [processes.start_time(pid) for pid in left] == [None, None]


def test_terminating_a_job_ends_it_politely_and_leaves_a_notice(node):
    go = node.fifo("up")
    node.launcher.launch(
        batch(1, f"trap 'echo bye; exit 6' TERM; echo > {go}; while :; do sleep 0.05; done", node.work)
    )
    go.read_text()
    assert node.launcher.terminate(1, 20, "DUE TO TIME LIMIT")
    assert exit_code(node.wait_for(StepEnded, 1)) == 6
    output = node.output(1)
    assert "slurmstepd: error: *** JOB 1 ON n1 CANCELLED AT " in output
    assert " DUE TO TIME LIMIT ***\n" in output
    assert output.endswith("bye\n")


def test_a_job_that_will_not_go_is_killed_when_the_grace_is_over(node):
    go = node.fifo("up")
    node.launcher.launch(batch(1, f"trap '' TERM; echo > {go}; while :; do sleep 0.05; done", node.work))
    go.read_text()
    node.launcher.terminate(1, 0.2)
    assert exit_code(node.wait_for(StepEnded, 1)) == -signal.SIGKILL


def test_a_job_can_be_terminated_before_it_has_started(node):
    node.launcher.launch(batch(1, "sleep 1000", node.work))
    assert node.launcher.terminate(1, 5)
    assert exit_code(node.wait_for(StepEnded, 1)) == -signal.SIGTERM


def test_a_signal_for_the_script_alone_spares_its_children(node):
    up, told = node.fifo("up"), node.fifo("told")
    child = f"sh -c 'trap \"echo child\" USR1; echo > {up}; while :; do sleep 0.05; done' &"
    loop = "while :; do wait; done"
    node.launcher.launch(batch(1, f"trap 'echo script; echo > {told}' USR1; {child} {loop}", node.work))
    up.read_text()
    assert node.launcher.signal(1, signal.SIGUSR1, SignalTarget.SCRIPT)
    told.read_text()
    assert node.output(1) == "script\n"


def test_a_signal_that_ends_a_job_leaves_a_notice_and_only_one(node):
    up, told = node.fifo("up"), node.fifo("told")
    script = f"trap 'echo term; echo > {told}' TERM; echo > {up}; while :; do sleep 0.05; done"
    node.launcher.launch(batch(1, script, node.work))
    up.read_text()
    node.launcher.signal(1, signal.SIGTERM, SignalTarget.SCRIPT)
    told.read_text()
    node.launcher.terminate(1, 0)
    node.wait_for(StepEnded, 1)
    notice, *rest = node.output(1).splitlines()
    assert notice.startswith("slurmstepd: error: *** JOB 1 ON n1 CANCELLED AT ")
    assert rest == ["term"]


def test_a_signal_for_all_reaches_script_and_children(node):
    up, from_child, from_script = node.fifo("up"), node.fifo("from_child"), node.fifo("from_script")
    child = f"sh -c 'trap \"echo child > {from_child}\" USR1; echo > {up}; while :; do sleep 0.05; done' &"
    script = f"trap 'echo script > {from_script}' USR1; {child} while :; do wait; done"
    node.launcher.launch(batch(1, script, node.work))
    up.read_text()
    node.launcher.signal(1, signal.SIGUSR1, SignalTarget.ALL)
    assert (from_child.read_text(), from_script.read_text()) == ("child\n", "script\n")


def test_a_job_that_is_not_here_takes_no_signal(node):
    assert node.launcher.signal(99, signal.SIGUSR1) is False


def test_a_suspended_job_stops_and_a_resumed_one_goes_on(node):
    gate = node.fifo("gate")
    node.launcher.launch(batch(1, f"read word < {gate}; exit 8", node.work))
    pid = node.wait_for(StepStarted, 1).pid
    node.launcher.suspend(1)
    wait_until(lambda: state_of(pid) == "T")
    node.launcher.resume(1)
    wait_until(lambda: state_of(pid) != "T")
    gate.write_text("go\n")
    assert exit_code(node.wait_for(StepEnded, 1)) == 8


def test_a_job_that_outgrows_its_memory_is_killed_and_reported_as_such(node):
    hog = "exec python3 -c 'x = b\"x\" * (200 << 20); input()'"
    gate = node.fifo("gate")
    node.launcher.launch(batch(1, f"exec 3<>{gate}; {hog} <&3", node.work, memory_mib=50))
    ended = node.wait_for(StepEnded, 1)
    assert ended.wait_status == 253
    assert "oom-kill" in node.output(1)


def test_usage_counts_the_processors_time_of_all_processes(node):
    ended = node.run(1, "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done & wait")
    assert ended.usage.user_s + ended.usage.system_s > 0.01
    assert ended.usage.max_rss_kib > 0
    assert ended.usage.ended_s >= ended.usage.started_s


def test_a_login_environment_is_fetched_where_the_submitter_asked_for_one(node):
    environment = ("SLURM_GET_USER_ENV=1", "SLURM_EXPORT_ENV=NONE", "MARK=kept")
    shell = {"shell": "/bin/sh", "home": str(node.work)} if os.geteuid() else {"uid": 0, "gid": 0, "user_name": "root"}
    node.run(1, 'echo "${PATH:+path} ${LOGNAME:+name} $MARK"', environment=environment, **shell)
    assert node.output(1) == "path name kept\n"


def test_a_hundred_short_jobs_all_end(node):
    for job_id in range(1, 101):
        node.launcher.launch(batch(job_id, "exit 0", node.work, std_out="/dev/null"))
    codes = [exit_code(node.wait_for(StepEnded, job_id)) for job_id in range(1, 101)]
    assert codes == [0] * 100
    assert node.launcher.running() == []


def state_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as stream:
        return stream.read().rpartition(")")[2].split()[0]


def wait_until(true, patience_s: float = 20.0) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline
        os.sched_yield()
