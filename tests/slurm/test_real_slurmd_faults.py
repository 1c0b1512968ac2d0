"""Real slurmd under FLURM when something goes away: a daemon, the controller, the time of a job."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.slurm import roots
from tests.slurm.flurm_cluster import Flurm, spawn, start_flurm
from tests.slurm.real_slurmd import (
    await_job,
    await_node,
    await_text,
    field,
    kill_slurmd,
    start_real_slurmd,
    submit,
)
from tests.slurm.sandbox import CLUSTER_DIR, Sandbox
from tests.slurm.slurm_conf import slurm_conf
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm

CONF = slurm_conf() + f"Epilog={CLUSTER_DIR}/epilog\nProlog={CLUSTER_DIR}/prolog\n"
PROLOG = f"""#!/bin/sh
[ ! -e {CLUSTER_DIR}/prolog-fails ]
"""
EPILOG = f"""#!/bin/sh
echo $SLURM_JOB_ID $SLURM_JOB_UID $SLURM_JOB_USER $SLURM_JOB_PARTITION >> {CLUSTER_DIR}/epilog.txt
"""
SETTINGS = "heartbeat_interval = 1000\nnode_down_threshold = 3\n"


@dataclass
class Site:
    """A sandbox with FLURM's controller and real slurmd as n3 and n4."""

    sandbox: Sandbox
    flurm: Flurm
    limited: str
    """A job of one minute that sleeps for longer, on n4 since the start."""
    limited_since: float


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if reason := why_not("22.05") or (None if shutil.which("slurmd") else "slurmd is not installed"):
        pytest.skip(reason)
    with Sandbox() as made:
        made.write(f"{CLUSTER_DIR}/prolog", PROLOG, mode=0o755)
        made.write(f"{CLUSTER_DIR}/epilog", EPILOG, mode=0o755)
        flurm = start_flurm(made, CONF, nodes=(), settings=SETTINGS)
        for node in ("n3", "n4"):
            start_real_slurmd(made, node, CONF)
        for node in ("n3", "n4"):
            await_node(made, node)
        limited = submit(made, "-w n4 -t 1", "echo ready; sleep 600")
        yield Site(made, flurm, limited, time.monotonic())


def test_the_epilog_under_real_slurmd_knows_the_job(site: Site) -> None:
    job = submit(site.sandbox, "-w n3 -p long", "sleep 60")
    await_job(site.sandbox, job, "RUNNING")
    assert site.sandbox.run(f"scancel {job}", "alice").exit == 0
    await_node(site.sandbox, "n3")
    assert f"{job} 1001 alice long\n" in site.sandbox.read(f"{CLUSTER_DIR}/epilog.txt")


def test_a_prolog_that_fails_under_real_slurmd_drains_the_node_and_holds_the_job(site: Site) -> None:
    site.sandbox.write(f"{CLUSTER_DIR}/prolog-fails", "")
    job = submit(site.sandbox, "-w n3", "true")
    await_node(site.sandbox, "n3", "drained")
    site.sandbox.run(["rm", f"{CLUSTER_DIR}/prolog-fails"])
    assert site.sandbox.run("sinfo -h -n n3 -p debug -o %E").stdout == "Prolog error\n"
    assert field(site.sandbox, job, "JobState") == "PENDING"
    assert field(site.sandbox, job, "Reason") == "launch_failed_requeued_held"
    assert site.sandbox.run("scontrol update nodename=n3 state=resume").exit == 0
    assert site.sandbox.run(f"scontrol release {job}").exit == 0
    assert site.sandbox.run(f"scontrol update jobid={job} starttime=now").exit == 0
    await_job(site.sandbox, job, "COMPLETED")


def test_the_exit_code_arrives_after_real_slurmd_was_killed_and_restarted(site: Site) -> None:
    ended, running = (submit(site.sandbox, "-w n3", c) for c in ("sleep 1; exit 7", "sleep 4; exit 8"))
    for job in (ended, running):
        await_job(site.sandbox, job, "RUNNING")
    kill_slurmd(site.sandbox, "n3")
    start_real_slurmd(site.sandbox, "n3", CONF)
    for job, code in ((ended, "7:0"), (running, "8:0")):
        await_job(site.sandbox, job, "FAILED", deadline_s=40)
        assert field(site.sandbox, job, "ExitCode") == code
    await_node(site.sandbox, "n3")


def test_the_exit_code_arrives_after_the_controller_was_killed_and_restarted(site: Site) -> None:
    ended, running = (submit(site.sandbox, "-w n3", c) for c in ("sleep 1; exit 17", "sleep 6; exit 18"))
    for job in (ended, running):
        await_job(site.sandbox, job, "RUNNING")
    kill_controller(site.sandbox, site.flurm)
    await_ended(site.sandbox, "sleep 1")
    site.flurm.controller = spawn(site.sandbox, "flurm")
    for job, code in ((ended, "17:0"), (running, "18:0")):
        await_job(site.sandbox, job, "FAILED", deadline_s=60)
        assert field(site.sandbox, job, "ExitCode") == code
    await_node(site.sandbox, "n3")


def test_the_exit_code_arrives_after_both_were_killed_and_restarted(site: Site) -> None:
    ended, running = (submit(site.sandbox, "-w n3", c) for c in ("sleep 1; exit 27", "sleep 7; exit 28"))
    for job in (ended, running):
        await_job(site.sandbox, job, "RUNNING")
    kill_controller(site.sandbox, site.flurm)
    kill_slurmd(site.sandbox, "n3")
    await_ended(site.sandbox, "sleep 1")
    site.flurm.controller = spawn(site.sandbox, "flurm")
    start_real_slurmd(site.sandbox, "n3", CONF)
    for job, code in ((ended, "27:0"), (running, "28:0")):
        await_job(site.sandbox, job, "FAILED", deadline_s=60)
        assert field(site.sandbox, job, "ExitCode") == code
    await_node(site.sandbox, "n3")


def test_a_job_that_was_cancelled_while_its_real_slurmd_was_gone_ends_when_that_is_back(site: Site) -> None:
    job = submit(site.sandbox, "-w n3", "echo ready; sleep 60")
    await_text(site.sandbox, f"/mnt/alice/slurm-{job}.out", "ready")
    kill_slurmd(site.sandbox, "n3")
    assert site.sandbox.run(f"scancel {job}", "alice").exit == 0
    start_real_slurmd(site.sandbox, "n3", CONF)
    await_job(site.sandbox, job, "CANCELLED", deadline_s=40)
    await_node(site.sandbox, "n3")
    await_ended(site.sandbox, "sleep 60")


def kill_controller(sandbox: Sandbox, flurm: Flurm) -> None:
    sandbox.run("kill -KILL $(pgrep -f '^[^ ]*python[^ ]* [^ ]*flurm foreground')")
    flurm.controller.wait()


def await_ended(sandbox: Sandbox, command: str, deadline_s: float = 20) -> None:
    give_up = time.monotonic() + deadline_s
    while sandbox.run(["pgrep", "-x", "-f", command]).exit == 0:
        assert time.monotonic() < give_up, f"{command} goes on"
        time.sleep(0.05)


def test_a_job_is_requeued_when_its_real_slurmd_goes_away_and_the_node_comes_back(site: Site) -> None:
    job = submit(site.sandbox, "-w n3 -o gone-%j.txt --open-mode=append", "echo run $SLURM_RESTART_COUNT; sleep 60")
    await_text(site.sandbox, f"/mnt/alice/gone-{job}.txt", "run")
    kill_slurmd(site.sandbox, "n3")
    await_node(site.sandbox, "n3", "mixed*")
    await_node(site.sandbox, "n3", "down*")
    assert await_job(site.sandbox, job, "PENDING")
    assert field(site.sandbox, job, "Restarts") == "1"
    start_real_slurmd(site.sandbox, "n3", CONF)
    await_text(site.sandbox, f"/mnt/alice/gone-{job}.txt", "run 1", deadline_s=40)
    assert field(site.sandbox, job, "JobState") == "RUNNING"
    assert site.sandbox.run(f"scancel {job}", "alice").exit == 0
    await_node(site.sandbox, "n3")


def test_a_job_under_real_slurmd_ends_when_its_time_is_up(site: Site) -> None:
    await_job(site.sandbox, site.limited, "TIMEOUT", deadline_s=site.limited_since + 75 - time.monotonic())
    await_node(site.sandbox, "n4")
    assert "DUE TO TIME LIMIT" in site.sandbox.read(f"/mnt/alice/slurm-{site.limited}.out")
    assert field(site.sandbox, site.limited, "ExitCode") == "0:15"


@pytest.mark.trixie
def test_slurmd_24_11_runs_batch_jobs_and_is_found_by_a_controller_that_has_forgotten_it() -> None:
    if reason := why_not("24.11"):
        pytest.skip(reason)
    with Sandbox(roots.ensure()) as sandbox:
        flurm = start_flurm(sandbox, slurm_conf(), nodes=("n1",), settings=SETTINGS)
        start_real_slurmd(sandbox, "n3", slurm_conf(), foreign=True)
        for node in ("n1", "n3"):
            await_node(sandbox, node)
        assert "Version=24.11" in sandbox.run("scontrol show node n3").stdout
        job = submit(sandbox, "-w n3 --mem=300", "echo $SLURMD_NODENAME $SLURM_MEM_PER_NODE; id -un; exit 3")
        await_job(sandbox, job, "FAILED")
        assert sandbox.read(f"/mnt/alice/slurm-{job}.out") == "n3 300\nalice\n"
        assert field(sandbox, job, "ExitCode") == "3:0"
        both = submit(sandbox, "-w n[1,3] -N 2", "sleep 60")
        await_job(sandbox, both, "RUNNING")
        assert sandbox.run(f"scancel {both}", "alice").exit == 0
        for node in ("n1", "n3"):
            await_node(sandbox, node)
        kill_controller(sandbox, flurm)
        sandbox.run(f"rm -r {CLUSTER_DIR}/flurm")
        spawn(sandbox, "flurm")
        await_node(sandbox, "n3")
