"""A cluster that is backed up while it runs and begins anew from the backup somewhere else, with real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.constants import JobState
from tests.faults.daemons import BASE_STATE, Daemons


@pytest.fixture(scope="module")
def cluster():
    with Daemons() as cluster:
        cluster.await_node()
        yield cluster


def test_a_cluster_goes_on_elsewhere_from_a_backup_that_was_taken_while_it_ran(cluster, tmp_path):
    file, proof = tmp_path / "b.tar.gz", tmp_path / "ran"
    ended = cluster.client.submit("exit 3")
    cluster.await_end({ended})
    held = cluster.client.submit(f"echo it ran > {proof}", priority=0)
    refused = cluster.run("backup", "create", "/nonexistent/b.tar.gz")
    assert (refused.returncode, "No such file" in refused.stderr) == (1, True)
    told = json.loads(cluster.run("backup", "create", "--json", str(file)).stdout)
    assert (told["cluster"], told["jobs"], told["missing"]) == ("faults", 2, [])
    later = cluster.client.submit("true", priority=0)
    assert cluster.run("backup", "restore", "--force", str(file)).returncode == 1
    cluster.client.ping()
    with Daemons() as elsewhere:
        started_on_its_own = elsewhere.client.submit("true", priority=0)
        assert started_on_its_own == ended
        stop(elsewhere)
        refused = elsewhere.run("backup", "restore", str(file))
        assert (refused.returncode, "--force" in refused.stderr) == (1, True)
        restored = elsewhere.run("backup", "restore", "--force", str(file))
        assert (restored.returncode, "2 jobs" in restored.stdout) == (0, True), restored.stderr
        elsewhere.start()
        elsewhere.await_node()
        assert elsewhere.client.jobs().keys() == {ended, held}
        assert elsewhere.client.submit("true", priority=0) == later
        assert elsewhere.run("scontrol", "release", str(held)).returncode == 0
        done = elsewhere.await_end({held})[held]
        assert done.job_state & BASE_STATE == JobState.COMPLETE
        assert proof.read_text() == "it ran\n"


def test_the_documented_script_makes_a_backup_and_takes_jobs_again_after_it(cluster, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    script = page.split("```bash\n#!/bin/bash\n", 1)[1].split("```", 1)[0]
    flurm = tmp_path / "flurm"
    flurm.write_text(f'#!/bin/sh\nFLURM_CONF={cluster.config} exec {sys.executable} -m flurm.cli.main "$@"\n')
    flurm.chmod(0o755)
    run = script.replace("/backup/flurm", str(tmp_path / "kept")).replace("/opt/flurm/bin/flurm", str(flurm))
    done = subprocess.run(["bash", "-euc", run], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = (tmp_path / "kept").glob("flurm-*.tar.gz")
    assert cluster.run("backup", "check", str(made)).returncode == 0
    cluster.client.submit("true", priority=0)


def stop(cluster: Daemons) -> None:
    """End the controller as an administrator would; its node daemon stays."""
    assert cluster.controller is not None
    cluster.controller.terminate()
    cluster.controller.wait(30)
