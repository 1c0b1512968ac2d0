"""Licenses, switches and notices, with Slurm's own clients: what jobs get, and what scontrol prints of it.

The texts are those of slurmctld 22.05 and 24.11 on the same files, which print the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.slurm.cluster import RELEASES
from tests.slurm.flurm_cluster import FlurmCluster, start_flurm
from tests.slurm.real_slurmd import await_text
from tests.slurm.slurm_conf import slurm_conf
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm

CONF = slurm_conf() + "Licenses=matlab:4,ansys:2\nTopologyPlugin=topology/tree\n"
TOPOLOGY = """\
SwitchName=top Switches=s2,s1
SwitchName=s2 Nodes=n4,n3 LinkSpeed=7
SwitchName=s1 Nodes=n[1-2]
"""
SWITCHES = """\
SwitchName=top Level=1 LinkSpeed=1 Nodes=n[1-4] Switches=s2,s1
SwitchName=s2 Level=0 LinkSpeed=7 Nodes=n4,n3
SwitchName=s1 Level=0 LinkSpeed=1 Nodes=n[1-2]
"""
LICENSES = """\
LicenseName=ansys
    Total=2 Used=0 Free=2 Reserved=0 Remote=no
LicenseName=matlab
    Total=4 Used={used} Free={free} Reserved=0 Remote=no
"""


class Site(FlurmCluster):
    """The usual cluster with licenses and switches."""

    def start(self) -> None:
        self.sandbox.write("/etc/slurm/topology.conf", TOPOLOGY)
        self.flurm = start_flurm(self.sandbox, CONF)

    def submit(self, options: str, command: str = "sleep 60") -> str:
        done = self.client(f"sbatch --parsable {options} --wrap '{command}'", user="alice")
        assert done.exit == 0, done
        return done.stdout.strip()

    def await_line(self, job: str, line: str, fields: str = "%T %r") -> None:
        give_up = time.monotonic() + 20
        while (seen := self.client(f"squeue -h -t all -j {job} -o '{fields}'").stdout.strip()) != line:
            assert time.monotonic() < give_up, (job, seen, line)
            time.sleep(0.05)


@pytest.fixture(scope="module", params=RELEASES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    if reason := why_not(request.param):
        pytest.skip(reason)
    with Site(request.param) as made:
        yield made
        assert made.flurm.controller.poll() is None


def test_jobs_wait_for_licenses_and_scontrol_counts_them(site: Site) -> None:
    first, second = (site.submit("-o /dev/null -L matlab:3") for _ in range(2))
    site.await_line(first, "RUNNING None")
    site.await_line(second, "PENDING Licenses")
    assert site.client("scontrol show licenses").stdout == LICENSES.format(used=3, free=1)
    site.client(f"scancel {first}")
    site.await_line(second, "RUNNING None")
    site.client(f"scancel {second}")
    site.await_line(second, "CANCELLED None")
    assert site.client("scontrol show licenses").stdout == LICENSES.format(used=0, free=4)


@pytest.mark.parametrize("asked", ["matlab:5", "nope", "matlab:x"])
def test_more_than_there_is_is_refused(site: Site, asked: str) -> None:
    refused = site.client(f"sbatch -L {asked} --wrap true", user="alice")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr == "sbatch: error: Batch job submission failed: Invalid license specification\n"


def test_jobs_go_below_one_switch_and_scontrol_shows_the_tree(site: Site) -> None:
    assert site.client("scontrol show topology").stdout == SWITCHES
    assert site.client("scontrol show topology n1").stdout == "".join(SWITCHES.splitlines(keepends=True)[::2])
    wide = site.submit("-o /dev/null -N 3 --switches=1@10:00")
    pair = site.submit("-o /dev/null -N 2 --switches=1@10:00")
    site.await_line(pair, "RUNNING n[3-4]", "%T %N")
    site.await_line(wide, "PENDING Resources")
    assert "Switches=1@00:05:00" in site.client(f"scontrol show job {wide}").stdout, "max_switch_wait is 300 s"
    site.client(f"scancel {wide} {pair}")
    site.await_line(pair, "CANCELLED None")


def test_a_running_job_hears_what_its_user_has_to_say(site: Site) -> None:
    job = site.submit("-o /mnt/alice/heard")
    site.await_line(job, "RUNNING None")
    assert site.client(f"scontrol notify {job} hello big world", user="alice").exit == 0
    await_text(site.sandbox, "/mnt/alice/heard", "hello big world")
    refused = site.client(f"scontrol notify {job} hello", user="bob")
    assert (refused.exit, refused.stderr) == (1, "job notify failure: Invalid user id\n")
    site.client(f"scancel {job}")
    site.await_line(job, "CANCELLED None")
    over = site.client(f"scontrol notify {job} hello", user="alice")
    assert over.stderr == "job notify failure: Job/step already completing or completed\n"


def test_a_reconfigure_changes_both_and_a_bad_tree_nothing(site: Site) -> None:
    site.sandbox.write("/etc/slurm/slurm.conf", CONF.replace("matlab:4", "matlab:6"))
    site.sandbox.write("/etc/slurm/topology.conf", "SwitchName=all Nodes=n[1-4]\n")
    assert site.client("scontrol reconfigure").exit == 0
    assert site.client("scontrol show topology").stdout == "SwitchName=all Level=0 LinkSpeed=1 Nodes=n[1-4]\n"
    assert "Total=6 Used=0 Free=6" in site.client("scontrol show licenses").stdout
    site.sandbox.write("/etc/slurm/slurm.conf", CONF)
    site.sandbox.write("/etc/slurm/topology.conf", "SwitchName=all Switches=none\n")
    assert site.client("scontrol reconfigure").exit == 1
    assert site.client("scontrol show topology").stdout == "SwitchName=all Level=0 LinkSpeed=1 Nodes=n[1-4]\n"
    assert "Total=6 Used=0 Free=6" in site.client("scontrol show licenses").stdout
