"""Mail about jobs: the subjects are those that slurmctld 22.05 was seen to send."""

from __future__ import annotations

from flurm.core import commands as c
from flurm.core.deadlines import due
from flurm.core.mail import MailType as M
from flurm.core.records import Settings
from tests.core.world import World

ALL = int(M.BEGIN | M.END | M.FAIL | M.REQUEUE | M.STAGE_OUT | M.INVALID_DEPEND)


def world():
    return World(settings=Settings(default_memory_per_cpu_mib=100, requeue_delay_s=0, mail_program="/bin/mail"))


def sent(w):
    """What has been mailed since the last look, subjects alone."""
    mails = [w.cluster.programs[number] for number in sorted(w.cluster.programs)]
    for mail in mails:
        assert mail.arguments[0] == "-s"
        assert mail.arguments[2] == "alice@example.org"
        w.do(c.ProgramDone(now_s=w.now_s, id=mail.id))
    return [mail.arguments[1] for mail in mails]


def start(w, mail_type=ALL, **asked):
    return w.start(name="hello", mail_type=mail_type, mail_user="alice@example.org", **asked)


def submit(w, mail_type=ALL, **asked):
    return w.submit(name="hello", mail_type=mail_type, mail_user="alice@example.org", **asked)


def test_beginning_and_end_of_a_job_are_told():
    w = world()
    job_id = submit(w)
    w.now_s += 61
    w.schedule()
    assert sent(w) == [f"Slurm Job_id={job_id} Name=hello Began, Queued time 00:01:01"]
    w.now_s += 3600
    w.end(job_id)
    assert sent(w) == [f"Slurm Job_id={job_id} Name=hello Ended, Run time 01:00:00, COMPLETED, ExitCode 0"]


def test_what_a_mail_says_is_in_its_environment_too():
    w = world()
    job_id = start(w, mail_type=int(M.FAIL))
    w.now_s += 3
    w.end(job_id, 3 << 8)
    assert dict(w.cluster.programs[1].variables) == {
        "SLURM_JOB_MAIL_TYPE": "Failed", "SLURM_JOB_STATE": "FAILED", "SLURM_JOB_DERIVED_EC": "0",
        "SLURM_JOB_EXIT_CODE": "768", "SLURM_JOB_EXIT_CODE2": "3:0", "SLURM_JOB_EXIT_CODE_MAX": "3",
        "SLURM_JOB_RUN_TIME": "00:00:03",
    }  # fmt: skip
    assert sent(w) == [f"Slurm Job_id={job_id} Name=hello Failed, Run time 00:00:03, FAILED, ExitCode 3"]


def test_a_job_that_was_killed_has_no_exit_code_in_its_mail():
    w = world()
    job_id = start(w, mail_type=int(M.FAIL))
    w.end(job_id, 9)
    assert sent(w) == [f"Slurm Job_id={job_id} Name=hello Failed, Run time 00:00:00, FAILED"]


def test_a_failure_is_told_under_fail_alone_and_a_cancellation_under_end_alone():
    w = world()
    w.end(start(w, mail_type=int(M.END)), 256)
    w.kill(start(w, mail_type=int(M.FAIL)))
    assert sent(w) == []
    job_id = start(w, mail_type=int(M.END | M.FAIL))
    w.kill(job_id)
    assert sent(w) == [f"Slurm Job_id={job_id} Name=hello Ended, Run time 00:00:00, CANCELLED, ExitCode 0"]


def test_a_job_that_is_cancelled_while_it_waits_has_ended():
    w = world()
    job_id = submit(w, hold=True)
    w.kill(job_id)
    assert sent(w) == [f"Slurm Job_id={job_id} Name=hello Ended, Run time 00:00:00, CANCELLED, ExitCode 0"]


def test_a_requeue_is_told_with_the_time_that_was_lost():
    w = world()
    job_id = start(w, mail_type=int(M.REQUEUE))
    w.now_s += 7
    w.requeue(job_id)
    assert sent(w) == [f"Slurm Job_id={job_id} Name=hello Requeued, Run time 00:00:07"]


def test_a_dependency_that_never_comes_true_is_told_once():
    w = world()
    first = w.start()
    before = submit(w, dependency=f"afterok:{first}")
    w.end(first, 256)
    after = submit(w, dependency=f"afterok:{first}")
    w.do(c.Wake(now_s=w.now_s))
    assert sent(w) == [f"Slurm Job_id={number} Name=hello Invalid dependency" for number in (before, after)]


def test_parts_of_the_time_limit_are_told_as_they_are_reached():
    w = world()
    kinds = int(M.TIME_50 | M.TIME_80 | M.TIME_90 | M.TIME_100)
    job_id = start(w, mail_type=kinds, time_limit_min=10)
    seen = []
    for _ in range(10):
        w.now_s += 60
        found = due(w.cluster, w.now_s)
        if found.reminders:
            w.do(c.RemindJobs(now_s=w.now_s, ids=found.reminders))
        if found.timed_out:
            w.do(c.ExpireJobs(now_s=w.now_s, ids=found.timed_out))
        seen += sent(w)
    begin = f"Slurm Job_id={job_id} Name=hello Reached"
    assert seen == [
        f"{begin} 50% of time limit, Run time 00:05:00", f"{begin} 80% of time limit, Run time 00:08:00",
        f"{begin} 90% of time limit, Run time 00:09:00", f"{begin} time limit, Run time 00:10:00",
    ]  # fmt: skip


def ends_of_array(statuses):
    w = world()
    array_id = submit(w, array=f"1-{len(statuses)}")
    w.schedule()
    assert sent(w) == [f"Slurm Array Summary Job_id={array_id}_* ({array_id}) Name=hello Began"]
    for job_id, status in zip(sorted(w.cluster.active), statuses, strict=True):
        w.end(job_id, status)
    (subject,) = sent(w)
    return subject.partition("Name=hello ")[2]


def test_an_array_begins_and_ends_as_a_whole():
    assert ends_of_array([0, 0]) == "Ended, COMPLETED, ExitCode [0-0]"
    assert ends_of_array([0, 256]) == "Failed, Mixed, ExitCode [0-1]"
    assert ends_of_array([256, 512, 768]) == "Failed, FAILED, ExitCode [1-3]"
    assert ends_of_array([1, 2]) == "Ended, Mixed, MaxSignal [2]"


def test_tasks_are_told_of_one_by_one_where_that_is_asked_for():
    w = world()
    array_id = submit(w, mail_type=ALL | int(M.ARRAY_TASKS), array="7,8")
    w.schedule()
    first, second = sorted(w.cluster.active, reverse=True)
    assert sorted(sent(w)) == [
        f"Slurm Array Task Job_id={array_id}_7 ({first}) Name=hello Began, Queued time 00:00:00",
        f"Slurm Array Task Job_id={array_id}_8 ({second}) Name=hello Began, Queued time 00:00:00",
    ]


def test_nobody_who_did_not_ask_gets_mail():
    w = world()
    w.end(start(w, mail_type=0), 256)
    assert sent(w) == []


def test_a_recipient_that_is_an_option_of_the_mail_program_gets_none():
    w = world()
    w.end(w.start(mail_type=ALL, mail_user="-A/etc/shadow"))
    assert not w.cluster.programs
