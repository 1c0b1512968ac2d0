"""Slurm's own clients on a machine without munged: they get their credentials from the socket that FLURM serves."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

import flurm
from tests.slurm import roots
from tests.slurm.flurm_cluster import PROGRAMS
from tests.slurm.sandbox import CLUSTER_DIR, Outcome, Sandbox
from tests.slurm.test_clients import why_not

FLURM = str(PROGRAMS / "flurm")
JOB_TIMEOUT_S = 20.0
READ_METRICS = "import urllib.request as r; print(r.urlopen('http://localhost:9090/metrics').read().decode())"
RELEASES = ["22.05"]
if os.environ.get("FLURM_THOROUGH"):
    RELEASES.append(pytest.param("24.11", marks=pytest.mark.trixie))
pytestmark = pytest.mark.slurm


def bare_machine(release: str) -> Sandbox:
    if reason := why_not(release):
        pytest.skip(reason)
    return Sandbox(roots.ensure() if release != "22.05" else None, munged=False)


def succeeded(outcome: Outcome) -> str:
    assert outcome.exit == 0, outcome.stderr
    return outcome.stdout


def await_output(machine: Sandbox, path: str) -> str:
    give_up = time.monotonic() + JOB_TIMEOUT_S
    while not (text := machine.read(path)) and time.monotonic() < give_up:
        time.sleep(0.05)
    return text


@pytest.mark.parametrize("release", RELEASES)
def test_an_ordinary_user_starts_flurm_and_works_with_slurms_clients(release):
    with bare_machine(release) as machine:
        machine.open_to_others(Path(FLURM), Path(os.__file__), Path(flurm.__file__), Path(sys.executable).resolve())
        assert machine.run("ls /run/munge /etc/munge/munge.key").stdout == ""
        succeeded(machine.run([FLURM, "start"], user="alice"))
        machine.write("/mnt/alice/slurm.conf", succeeded(machine.run([FLURM, "client-config"], user="alice")), "alice")

        def client(command: str) -> str:
            return succeeded(
                machine.run(f"export SLURM_CONF=~/slurm.conf; {command}", "alice", foreign=release != "22.05")
            )

        assert "Submitted batch job 1" in client("sbatch -o out --wrap 'id -un'")
        assert await_output(machine, "/mnt/alice/out") == "alice\n"
        client("sbatch --wait --wrap true")
        assert client("squeue -h -t all -o '%i %u %T'").splitlines() == ["1 alice COMPLETED", "2 alice COMPLETED"]
        assert machine.run([FLURM, "stop"], user="alice").exit == 0


def test_what_root_serves_tells_who_asks():
    with bare_machine("22.05") as machine:
        machine.write(f"{CLUSTER_DIR}/flurm.toml", f'[flurm]\nstate_dir = "{CLUSTER_DIR}/flurm"\n')
        succeeded(machine.run([FLURM, "start", "--config", f"{CLUSTER_DIR}/flurm.toml"]))
        conf = succeeded(machine.run([FLURM, "client-config", "--config", f"{CLUSTER_DIR}/flurm.toml"]))
        assert f"AuthInfo=socket={CLUSTER_DIR}/flurm/munge.socket.2\n" in conf
        machine.write("/etc/slurm/slurm.conf", conf)

        assert "Submitted batch job 1" in succeeded(machine.run("sbatch -o out --wrap 'id -un'", "bob"))
        assert await_output(machine, "/mnt/bob/out") == "bob\n"
        succeeded(machine.run("sbatch --begin now+1hour --wrap true", "bob"))
        assert "Access/permission denied" in machine.run("scancel 2", "alice").stderr
        succeeded(machine.run("scancel 2", "bob"))
        metrics = succeeded(machine.run([str(PROGRAMS / "python"), "-c", READ_METRICS]))
        assert "flurm_munge_served 1.0" in metrics
        assert 'flurm_munge_requests_total{result="success",type="encode"}' in metrics
        succeeded(machine.run([FLURM, "stop", "--config", f"{CLUSTER_DIR}/flurm.toml"]))
        assert "munge.socket.2" not in machine.run(f"ls {CLUSTER_DIR}/flurm").stdout
