"""A site's programs around a job, on FLURM's node daemon beside Debian's slurmd under one controller."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.slurm.flurm_cluster import start_flurm
from tests.slurm.real_slurmd import await_job, await_node, await_text, field, start_real_slurmd, submit
from tests.slurm.sandbox import CLUSTER_DIR, Sandbox
from tests.slurm.slurm_conf import slurm_conf
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm

OURS, THEIRS = "n1", "n3"
KEYS = f"""\
Prolog={CLUSTER_DIR}/prolog.d/*
Epilog={CLUSTER_DIR}/epilog
TaskProlog={CLUSTER_DIR}/task_prolog
TaskEpilog={CLUSTER_DIR}/task_epilog
HealthCheckProgram={CLUSTER_DIR}/health
HealthCheckInterval=2
PrologFlags=Alloc
PrologEpilogTimeout=20
"""
SEEN = "/mnt/seen"
TELL = f"""#!/bin/bash
( id -u; pwd; tr '\\0' '\\n' < /proc/$$/environ ) > {SEEN}/$(basename $0).$SLURMD_NODENAME
"""
PROGRAMS = {
    "prolog.d/1-fails": f"#!/bin/bash\n[ ! -e {SEEN}/prolog-fails ]\n",
    "prolog.d/2-trace": f"#!/bin/bash\necho $SLURMD_NODENAME >> {SEEN}/prologs.$SLURM_JOB_ID\n",
    "prolog.d/prolog": TELL,
    "epilog": f"{TELL}[ ! -e {SEEN}/epilog-fails ]\n",
    "task_prolog": f"{TELL}echo export FROM_PROLOG=seen; echo print from the prolog\n",
    "task_epilog": TELL,
    "health": f"#!/bin/bash\necho checked >> {SEEN}/health.$SLURMD_NODENAME\n",
}
SET_BY_SHELL = {"PWD", "SHLVL", "_"}
OURS_ALONE = {
    "prolog": {
        "SLURM_JOB_END_TIME",  # 22.05 does not tell; newer releases do
        "SLURM_JOB_START_TIME",
        "SLURM_JOB_NODELIST",  # 22.05 has SLURM_NODELIST alone
    },
    "task_prolog": {
        "SLURM_JOB_END_TIME",
        "SLURM_JOB_START_TIME",
        "TMPDIR",  # slurmd sets it for the script alone
    },
    "task_epilog": {
        "SLURM_JOB_END_TIME",
        "SLURM_JOB_START_TIME",
        "TMPDIR",
        "SLURM_CPUS_ON_NODE",  # slurmd's TaskEpilog has the job's variables, but not the task's own
        "SLURM_GTIDS",
        "SLURM_JOB_GID",
    },
}
OURS_ALONE["epilog"] = OURS_ALONE["prolog"]
THEIRS_ALONE: dict[str, set[str]] = {
    "prolog": set(),
    "epilog": set(),
    "task_prolog": {"SLURM_WORKING_CLUSTER"},  # FLURM's node does not know it either for a batch script
    "task_epilog": {"SLURM_WORKING_CLUSTER"},
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A FLURM controller, one of its own nodes and one real slurmd, with programs that say what they are told."""
    if reason := why_not("22.05") or (None if shutil.which("slurmd") else "slurmd is not installed"):
        pytest.skip(reason)
    with Sandbox() as made:
        conf = slurm_conf() + KEYS
        made.run(f"mkdir -m 1777 {SEEN}")
        for name, text in PROGRAMS.items():
            made.write(f"{CLUSTER_DIR}/{name}", text, mode=0o755)
        start_flurm(made, conf, nodes=(OURS,))
        start_real_slurmd(made, THEIRS, conf)
        for node in (OURS, THEIRS):
            await_node(made, node)
        yield made


@pytest.fixture(scope="module")
def ran(sandbox: Sandbox) -> Sandbox:
    """One job has run on each node."""
    for node in (OURS, THEIRS):
        job = submit(sandbox, f"-w {node} -o {node}.txt", "echo script $FROM_PROLOG; exit 3")
        await_job(sandbox, job, "FAILED")
        await_node(sandbox, node)
    return sandbox


@pytest.mark.parametrize("program", ["prolog", "epilog", "task_prolog", "task_epilog"])
def test_a_program_is_told_what_real_slurmd_tells_it(ran: Sandbox, program: str) -> None:
    ours, theirs = told(ran, program, OURS), told(ran, program, THEIRS)
    assert set(ours) - set(theirs) == OURS_ALONE[program]
    assert set(theirs) - set(ours) - {n for n in theirs if n.startswith("SLURM_RLIMIT_")} == THEIRS_ALONE[program]
    of_the_run = {"SLURMD_NODENAME", "HOSTNAME", "SLURM_TOPOLOGY_ADDR", "SLURM_TASK_PID"}
    shared = {name for name in set(ours) & set(theirs) if ours[name] != theirs[name]} - of_the_run
    assert shared <= {"SLURM_JOBID", "SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURM_JOB_STDOUT", "SLURM_NODELIST"}


@pytest.mark.parametrize(("program", "uid"), [("prolog", "0"), ("epilog", "0"), ("task_prolog", "1001")])
def test_a_program_runs_as_the_same_user_in_the_same_directory(ran: Sandbox, program: str, uid: str) -> None:
    ours, theirs = (ran.read(f"{SEEN}/{program}.{node}").splitlines()[:2] for node in (OURS, THEIRS))
    assert ours == theirs
    assert ours[0] == uid


@pytest.mark.parametrize("node", [OURS, THEIRS])
def test_a_task_prolog_sets_variables_and_prints(ran: Sandbox, node: str) -> None:
    assert ran.read(f"/mnt/alice/{node}.txt") == "from the prolog\nscript seen\n"


def test_with_alloc_the_prolog_runs_on_every_node_of_the_job(sandbox: Sandbox) -> None:
    job = submit(sandbox, f"-N2 -w {OURS},{THEIRS}", "true")
    await_job(sandbox, job, "COMPLETED")
    assert sorted(sandbox.read(f"{SEEN}/prologs.{job}").split()) == [OURS, THEIRS]


@pytest.mark.parametrize("node", [OURS, THEIRS])
def test_a_prolog_that_fails_drains_the_node_and_holds_the_job(sandbox: Sandbox, node: str) -> None:
    sandbox.write(f"{SEEN}/prolog-fails", "")
    job = submit(sandbox, f"-w {node}", "true")
    await_node(sandbox, node, "drained")
    sandbox.run(["rm", f"{SEEN}/prolog-fails"])
    await_job(sandbox, job, "PENDING")
    assert field(sandbox, job, "Reason") == "launch_failed_requeued_held"
    assert sandbox.run(f"sinfo -h -n {node} -p debug -o %E").stdout == "Prolog error\n"
    assert sandbox.run(f"scancel {job}; scontrol update nodename={node} state=resume").exit == 0
    await_node(sandbox, node)


@pytest.mark.parametrize("node", [OURS, THEIRS])
def test_a_job_that_may_not_be_requeued_is_cancelled_when_its_prolog_fails(sandbox: Sandbox, node: str) -> None:
    sandbox.write(f"{SEEN}/prolog-fails", "")
    job = submit(sandbox, f"--no-requeue -w {node}", "true")
    await_job(sandbox, job, "CANCELLED")
    sandbox.run(["rm", f"{SEEN}/prolog-fails"])
    await_node(sandbox, node, "drained")
    assert sandbox.run(f"scontrol update nodename={node} state=resume").exit == 0
    await_node(sandbox, node)


@pytest.mark.parametrize("node", [OURS, THEIRS])
def test_an_epilog_that_fails_drains_the_node(sandbox: Sandbox, node: str) -> None:
    sandbox.write(f"{SEEN}/epilog-fails", "")
    job = submit(sandbox, f"-w {node}", "true")
    await_job(sandbox, job, "COMPLETED")
    await_node(sandbox, node, "drained")
    sandbox.run(["rm", f"{SEEN}/epilog-fails"])
    assert sandbox.run(f"sinfo -h -n {node} -p debug -o %E").stdout == "Epilog error\n"
    assert sandbox.run(f"scontrol update nodename={node} state=resume").exit == 0
    await_node(sandbox, node)


@pytest.mark.parametrize("node", [OURS, THEIRS])
def test_health_is_checked_again_and_again(sandbox: Sandbox, node: str) -> None:
    await_text(sandbox, f"{SEEN}/health.{node}", "checked\n" * 3)


def told(sandbox: Sandbox, program: str, node: str) -> dict[str, str]:
    """The environment that a program was run with on a node."""
    lines = sandbox.read(f"{SEEN}/{program}.{node}").splitlines()[2:]
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    return {name: value for name, value in variables.items() if name not in SET_BY_SHELL}
