"""Programs that the controller runs around jobs, with Debian's clients and slurmd: prologs, epilogs, mail, triggers,
reboots. The environments and subjects are those that slurmctld was seen to give, 22.05 and, for three variables, 24.11.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.slurm.flurm_cluster import Flurm, spawn, start_flurm
from tests.slurm.real_slurmd import await_job, await_node, await_text, kill_slurmd, start_real_slurmd, submit
from tests.slurm.sandbox import CLUSTER_DIR, Sandbox
from tests.slurm.slurm_conf import slurm_conf
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm

OUT = f"{CLUSTER_DIR}/out"
PROGRAM = """\
#!/bin/bash
kind=$(basename $0 .sh)
{{ for word in "$@"; do echo "arg=$word"; done; env; }} > {out}/new.$$
mv {out}/new.$$ {out}/$kind.${{SLURM_JOB_ID:-none}}.$(date +%s%N)
while [ -e {out}/hold-$kind ]; do echo $$ > {out}/held-$kind; sleep 0.05; done
[ ! -e {out}/fail-$kind ]
"""
CONF = slurm_conf().replace(
    "MailProg=/bin/true",
    "".join(
        f"{line}\n"
        for line in (
            f"MailProg={CLUSTER_DIR}/mail.sh",
            "MailDomain=example.org",
            f"PrologSlurmctld={CLUSTER_DIR}/prolog.sh",
            f"EpilogSlurmctld={CLUSTER_DIR}/epilog.sh",
            f"RebootProgram={CLUSTER_DIR}/reboot.sh",
        )
    ),
)
OF_JOB = {
    "SLURM_CLUSTER_NAME": "testc", "SLURM_JOB_ACCOUNT": "acc", "SLURM_JOB_COMMENT": "a comment",
    "SLURM_JOB_CONSTRAINTS": "fast", "SLURM_JOB_CPUS_PER_NODE": "2", "SLURM_JOB_GID": "1001",
    "SLURM_JOB_GROUP": "alice", "SLURM_JOB_NAME": "hello", "SLURM_JOB_NODELIST": "n1", "SLURM_JOB_NUM_NODES": "1",
    "SLURM_JOB_OVERSUBSCRIBE": "OK", "SLURM_JOB_PARTITION": "debug", "SLURM_JOB_RESTART_COUNT": "0",
    "SLURM_JOB_STDIN": "/dev/null", "SLURM_JOB_UID": "1001", "SLURM_JOB_USER": "alice",
    "SLURM_JOB_WORK_DIR": "/mnt/alice",
}  # fmt: skip
OF_END = {"SLURM_JOB_DERIVED_EC": "0", "SLURM_JOB_EXIT_CODE": "768", "SLURM_JOB_EXIT_CODE2": "3:0"}
HELLO = "-J hello --comment='a comment' -C fast -A acc -n2"


@pytest.fixture(scope="module")
def flurm() -> Iterator[tuple[Sandbox, Flurm]]:
    """A FLURM controller with its own nodes n1 and n2, and real slurmd as n3."""
    if reason := why_not("22.05") or (None if shutil.which("slurmd") else "slurmd is not installed"):
        pytest.skip(reason)
    with Sandbox() as made:
        made.run(f"mkdir -m 777 {OUT}")
        for name in ("mail", "prolog", "epilog", "reboot", "trigger"):
            made.write(f"{CLUSTER_DIR}/{name}.sh", PROGRAM.format(out=OUT), mode=0o755)
        daemons = start_flurm(made, CONF, nodes=("n1", "n2"))
        start_real_slurmd(made, "n3", CONF)
        for node in ("n1", "n2", "n3"):
            await_node(made, node)
        yield made, daemons


@pytest.fixture
def sandbox(flurm: tuple[Sandbox, Flurm]) -> Iterator[Sandbox]:
    yield flurm[0]
    flurm[0].run(f"rm -f {OUT}/*")


def calls(sandbox: Sandbox, kind: str, count: int = 1) -> list[tuple[list[str], dict[str, str]]]:
    """Arguments and SLURM_ variables of each call of a program so far, of which there must come to be `count`."""
    give_up = time.monotonic() + 20
    while len(names := sandbox.run(f"cd {OUT}; ls | grep '^{kind}\\.'").stdout.split()) < count:
        assert time.monotonic() < give_up, (kind, names, sandbox.run(f"ls {OUT}").stdout)
        time.sleep(0.05)
    found = []
    for name in sorted(names, key=lambda name: name.rpartition(".")[2]):
        pairs = [line.partition("=") for line in sandbox.read(f"{OUT}/{name}").splitlines()]
        words = [value for key, _, value in pairs if key == "arg"]
        variables = {key: value for key, _, value in pairs if key.startswith("SLURM_")}
        if "SLURM_JOB_ID" in variables:
            start_s, end_s = (int(variables.pop(f"SLURM_JOB_{which}_TIME")) for which in ("START", "END"))
            assert start_s <= end_s
        found.append((words, variables))
    return found


def test_a_job_is_configuring_while_its_prolog_runs_and_completing_while_its_epilog_does(sandbox: Sandbox) -> None:
    sandbox.run(f"touch {OUT}/hold-prolog {OUT}/hold-epilog")
    job = submit(sandbox, HELLO, "exit 3")
    await_job(sandbox, job, "CONFIGURING")
    ids = {"SLURM_JOB_ID": job, "SLURM_JOBID": job}
    (prolog,) = calls(sandbox, "prolog")
    assert prolog == ([], {**OF_JOB, **ids, "SLURM_SCRIPT_CONTEXT": "prolog_slurmctld"})
    sandbox.run(f"rm {OUT}/hold-prolog")
    await_job(sandbox, job, "COMPLETING")
    await_node(sandbox, "n1")
    (epilog,) = calls(sandbox, "epilog")
    assert epilog == ([], {**OF_JOB, **ids, **OF_END, "SLURM_SCRIPT_CONTEXT": "epilog_slurmctld"})
    sandbox.run(f"rm {OUT}/hold-epilog")
    await_job(sandbox, job, "FAILED")


def test_a_job_whose_prolog_fails_is_put_back_and_one_that_may_not_be_is_cancelled(sandbox: Sandbox) -> None:
    sandbox.run(f"touch {OUT}/fail-prolog")
    job = submit(sandbox, "-w n3", "true")
    final = submit(sandbox, "--no-requeue", "true")
    await_job(sandbox, final, "CANCELLED")
    give_up = time.monotonic() + 20
    while "Reason=BeginTime" not in (shown := sandbox.run(f"scontrol show job {job}").stdout):
        assert time.monotonic() < give_up, shown
        time.sleep(0.05)
    assert "Restarts=1" in shown
    assert sandbox.run(f"scancel {job}").exit == 0


def test_a_job_that_is_cancelled_takes_its_prolog_along(sandbox: Sandbox) -> None:
    sandbox.run(f"touch {OUT}/hold-prolog")
    job = submit(sandbox, "-w n3", "true")
    pid = await_text(sandbox, f"{OUT}/held-prolog", "\n").strip()
    assert sandbox.run(f"scancel {job}", "alice").exit == 0
    await_job(sandbox, job, "CANCELLED")
    give_up = time.monotonic() + 10
    while sandbox.run(f"kill -0 {pid}").exit == 0:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    await_node(sandbox, "n3")


def test_mail_says_what_slurms_says(sandbox: Sandbox) -> None:
    job = submit(sandbox, f"{HELLO} --mail-type=ALL", "exit 3")
    await_job(sandbox, job, "FAILED")
    (began, of_begin), (failed, of_end) = calls(sandbox, "mail", 2)
    ids = {"SLURM_JOB_ID": job, "SLURM_JOBID": job}
    queued = of_begin["SLURM_JOB_QUEUED_TIME"]
    assert began == ["-s", f"Slurm Job_id={job} Name=hello Began, Queued time {queued}", "alice@example.org"]
    told = {"SLURM_JOB_MAIL_TYPE": "Began", "SLURM_JOB_STATE": "RUNNING", "SLURM_JOB_QUEUED_TIME": queued}
    assert of_begin == {**OF_JOB, **ids, **told}
    run = of_end["SLURM_JOB_RUN_TIME"]
    assert failed[1] == f"Slurm Job_id={job} Name=hello Failed, Run time {run}, FAILED, ExitCode 3"
    told = {"SLURM_JOB_MAIL_TYPE": "Failed", "SLURM_JOB_STATE": "FAILED", "SLURM_JOB_RUN_TIME": run}
    assert of_end == {**OF_JOB, **ids, **OF_END, **told, "SLURM_JOB_EXIT_CODE_MAX": "3"}
    assert (
        "MailUser=alice@example.org MailType=INVALID_DEPEND,BEGIN,END" in sandbox.run(f"scontrol show job {job}").stdout
    )


def test_an_array_is_mailed_about_once_and_its_tasks_know_who_they_are(sandbox: Sandbox) -> None:
    array = submit(sandbox, "-J arr -a 1-2 --mail-type=END,FAIL --mail-user=bob@x.org", "exit 1")
    await_job(sandbox, array, "FAILED\nFAILED")
    ((words, _),) = calls(sandbox, "mail")
    subject = f"Slurm Array Summary Job_id={array}_* ({array}) Name=arr Failed, FAILED, ExitCode [1-1]"
    assert words == ["-s", subject, "bob@x.org"]
    tasks = sorted(variables["SLURM_ARRAY_TASK_ID"] for _, variables in calls(sandbox, "prolog", 2))
    assert tasks == ["1", "2"]


def strigger(sandbox: Sandbox, options: str, user: str = "root") -> str:
    done = sandbox.run(f"strigger {options}", user)
    return done.stdout + done.stderr


def test_triggers_are_set_shown_cleared_and_set_off(sandbox: Sandbox) -> None:
    program = f"--set --program='{CLUSTER_DIR}/trigger.sh an argument'"
    assert strigger(sandbox, f"{program} --node --down", "alice") == "slurm_set_trigger: Access/permission denied\n"
    assert strigger(sandbox, f"{program} --node=nope --down") == "slurm_set_trigger: Invalid node name specified\n"
    assert strigger(sandbox, f"{program} --jobid=9 --fini") == "slurm_set_trigger: Invalid job id specified\n"
    assert strigger(sandbox, f"{program} --node=n1,n2 --down") == ""
    assert strigger(sandbox, f"{program} --node=n1,n2 --down") == "slurm_set_trigger: Duplicate event trigger\n"
    assert strigger(sandbox, f"{program} --node --idle --offset=3600 --flags=PERM") == ""
    header, first, second = strigger(sandbox, "--get").splitlines()
    assert header.split()[0] == "TRIG_ID"
    shown = ["node", "n1,n2", "down", "0", "root", f"{CLUSTER_DIR}/trigger.sh", "an", "argument"]
    assert first.split()[1:] == shown
    assert second.split()[1:7] == ["node", "*", "idle", "3600", "root", "PERM"]
    number = second.split()[0]
    assert strigger(sandbox, f"--clear --id={number}", "alice") == "slurm_clear_trigger: Access/permission denied\n"
    assert strigger(sandbox, f"--clear --id={number}") == ""
    assert strigger(sandbox, f"--clear --id={number}") == "slurm_clear_trigger: No such process\n"
    for node in ("n3", "n1", "n2"):
        sandbox.run(f"scontrol update nodename={node} state=down reason=x")
    ((words, _),) = calls(sandbox, "trigger")
    assert words == ["an", "argument", "n[1-2]"]
    assert strigger(sandbox, "--get") == ""
    sandbox.run("scontrol update nodename=n[1-3] state=resume")
    for node in ("n1", "n2", "n3"):
        await_node(sandbox, node)


def test_a_node_is_rebooted_when_its_job_is_over_and_comes_back(sandbox: Sandbox) -> None:
    job = submit(sandbox, "-w n3", f"touch {OUT}/runs; while [ -e {OUT}/runs ]; do sleep 0.05; done")
    await_job(sandbox, job, "RUNNING")
    refused = sandbox.run("scontrol reboot n3", "alice")
    assert (refused.exit, refused.stderr) == (1, "scontrol_reboot_nodes error: Permission denied\n")
    assert sandbox.run("scontrol reboot asap nextstate=resume reason='new kernel' n3").exit == 0
    shown = sandbox.run("sinfo -h -n n3 -p debug -o '%T %t %E'; scontrol show node n3").stdout
    assert shown.startswith("draining@ drng@ new kernel\n")
    assert "State=MIXED+DRAIN+REBOOT_REQUESTED" in shown
    assert "NextState=RESUME" in shown
    give_up = time.monotonic() + 20
    while sandbox.run(f"rm {OUT}/runs").exit:
        assert time.monotonic() < give_up
    await_node(sandbox, "n3", "reboot^")
    calls(sandbox, "reboot")
    assert "State=DOWN+DRAIN+REBOOT_ISSUED" in sandbox.run("scontrol show node n3").stdout
    refused = sandbox.run("scontrol cancel_reboot n3")
    assert (refused.exit, refused.stderr) == (1, "slurm_update error: Invalid node state specified\n")
    kill_slurmd(sandbox, "n3")
    issued_s = int(time.time())
    while int(time.time()) == issued_s:  # boot times are whole seconds
        time.sleep(0.05)
    sandbox.spawn(["slurmd", "-D", "-b", "-N", "n3"], f"{CLUSTER_DIR}/real-n3.out.log")
    await_node(sandbox, "n3")
    assert "Reason=" not in sandbox.run("scontrol show node n3").stdout


def test_a_prolog_dies_with_its_controller_and_runs_again_under_the_next(flurm: tuple[Sandbox, Flurm]) -> None:
    sandbox, daemons = flurm
    sandbox.run(f"rm -f {OUT}/*; touch {OUT}/hold-prolog")
    job = submit(sandbox, "-w n1", "true")
    pid = await_text(sandbox, f"{OUT}/held-prolog", "\n").strip()
    controller = re.search(r"^\d+", sandbox.run("pgrep -f 'flurm foreground'").stdout)
    assert controller is not None
    assert sandbox.run(f"kill -KILL {controller[0]}").exit == 0
    daemons.controller.wait(10)
    give_up = time.monotonic() + 10
    while sandbox.run(f"kill -0 {pid}").exit == 0:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    sandbox.run(f"rm {OUT}/hold-prolog")
    daemons.controller = spawn(sandbox, "flurm")
    await_job(sandbox, job, "COMPLETED", deadline_s=40)
    assert [variables["SLURM_JOB_ID"] for _, variables in calls(sandbox, "prolog", 2)] == [job, job]
