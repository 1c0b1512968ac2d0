"""Slurm's own accounting clients read what we write, and we read what they write."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm import roots
from tests.slurm.sandbox import CLUSTER_DIR, MUNGE_KEY, Sandbox
from tests.slurm.slurm_conf import slurm_conf

PYTHONPATH = {"PYTHONPATH": str(Path(__file__).parent.parent.parent)}
PORT = 6819
LOG = f"{CLUSTER_DIR}/accounting.log"
ACCOUNTING = f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={PORT}
AccountingStorageEnforce=associations
"""

pytestmark = pytest.mark.slurm


def why_not(release: str) -> str | None:
    if os.geteuid() != 0:
        return "namespaces and users of their own need root"
    for program in ("sacctmgr", "sacct", "slurmctld", "munged", "unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed (slurm-client, slurmctld, munge, util-linux, iproute2)"
    if release != "22.05" and not roots.ready():
        return f"no Slurm {release} in {roots.directory()}: python -m tests.slurm.roots makes it"
    return None


class Site:
    """A sandbox with our accounting daemon in it, and clients of one release."""

    def __init__(self, release: str) -> None:
        self.release = release
        self.foreign = release != "22.05"
        self.sandbox = Sandbox(roots.directory() if self.foreign else None)
        self.sandbox.write("/etc/slurm/slurm.conf", slurm_conf() + ACCOUNTING)
        self.sandbox.spawn(self.python("accounting_daemon", MUNGE_KEY, str(PORT)), LOG, env=PYTHONPATH)
        self.hears("listening")

    @staticmethod
    def python(module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", f"tests.slurm.{module}", *arguments]

    def heard(self) -> str:
        return self.sandbox.read(LOG)

    def hears(self, text: str, deadline_s: float = 20) -> str:
        """The first line with `text` that the daemon printed or prints."""
        until = time.monotonic() + deadline_s
        while not (lines := [line for line in self.heard().splitlines() if text in line]):
            assert time.monotonic() < until, f"{text!r} did not come: {self.heard()}"
            time.sleep(0.02)
        return lines[0]

    def says(self, command: str, user: str = "root") -> list[str]:
        outcome = self.sandbox.run(command, user, foreign=self.foreign)
        assert outcome.exit == 0, (outcome, self.heard())
        return outcome.stdout.splitlines()


@pytest.fixture(scope="module", params=["22.05", pytest.param("24.11", marks=pytest.mark.trixie)])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    if reason := why_not(request.param):
        pytest.skip(reason)
    site = Site(request.param)
    yield site
    site.sandbox.close()


def test_sacctmgr_prints_users_associations_accounts_and_qos(site):
    assert site.says("sacctmgr -nP list user format=user,defaultaccount,admin") == [
        "root|root|Administrator",
        "alice|proj1|None",
    ]
    assert site.says("sacctmgr -nP list account format=account,descr,org") == ["proj1|first|lab"]
    assert "testc|proj1|alice|20|50|01:30:00" in site.says(
        "sacctmgr -nP list assoc format=cluster,account,user,share,maxjobs,maxwall"
    )
    assert site.says("sacctmgr -nP list qos format=name,priority,flags,maxwall,maxtrespu,maxjobspu,gracetime") == [
        "normal|7|DenyOnLimit,NoDecay|1-00:00:00|cpu=16|20|00:00:30"
    ]


def test_sacct_prints_a_job_and_its_step(site):
    columns = "jobid,jobname,user,account,state,exitcode,elapsed,alloccpus,timelimit,nodelist"
    assert site.says(f"sacct -nP -j 70001 -o {columns}", "alice") == [
        "70001|train|alice|proj1|FAILED|2:0|00:01:05|2|01:30:00|n1",
        "70001.0|hostname||proj1|FAILED|2:0|00:00:03|2||n1",
    ]
    assert "opened by 1001 in" in site.heard()


def test_what_a_client_changes_arrives_as_it_was_meant_and_is_committed(site):
    site.says("sacctmgr -i add account proj9 parent=root organization=lab description=ninth cluster=testc")
    site.says("sacctmgr -i modify user alice where account=proj1 set maxjobs=7")
    heard = site.heard()
    assert ("acct_list=['proj9']" if site.foreign else "name='proj9'") in heard
    assert "organization='lab'" in heard
    change = next(line for line in heard.splitlines() if line.startswith("DBD_MODIFY_ASSOCS"))
    assert "user_list=['alice']" in change and "acct_list=['proj1']" in change and "max_jobs=7," in change
    assert "max_submit_jobs=4294967294," in change
    assert "DBD_FINI DbdFini(close_conn=0, commit=1)" in heard


def test_a_real_controller_reports_its_jobs_and_takes_our_updates(site):
    if site.release == "22.05" and not os.environ.get("FLURM_THOROUGH"):
        pytest.skip("this controller keeps its jobs to itself for seconds: FLURM_THOROUGH=1 waits for it")
    site.says("mkdir -p /mnt/cluster/state")
    site.sandbox.spawn(["slurmctld", "-D"], f"{CLUSTER_DIR}/slurmctld.log", foreign=site.foreign)
    assert "port=6817" in site.hears("DBD_REGISTER_CTLD")
    assert "cluster_nodes='n[1-4]'" in site.hears("DBD_CLUSTER_TRES")
    site.says("until scontrol ping | grep -q UP; do sleep 0.05; done")
    assert site.says("sbatch --parsable --hold -A proj1 -J held --wrap true", "alice") == ["70000"]
    start = site.hears("DbdJobStart(")
    assert "job_id=70000" in start and "assoc_id=4," in start and "name='held'" in start and "uid=1001" in start
    site.says("scancel 70000", "alice")
    assert "job_state=4" in site.hears("DBD_JOB_COMPLETE")
    refused = site.sandbox.run("sbatch -A nowhere --wrap true", "alice", foreign=site.foreign)
    assert "Invalid account" in refused.stderr
    before = site.sandbox.run("sbatch --parsable --hold -A proj1 --wrap true", "bob", foreign=site.foreign)
    assert "Invalid account" in before.stderr
    pushed = site.sandbox.run(site.python("accounting_push", MUNGE_KEY, site.release), env=PYTHONPATH)
    assert (pushed.stdout, pushed.stderr) == ("0\n", "")
    assert site.says("sbatch --parsable --hold -A proj1 --wrap true", "bob") == ["70001"]
