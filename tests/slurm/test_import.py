"""A site goes from slurmctld to FLURM under eight real slurmd: `flurm import`, stop, start, and everything goes on.

What is compared is what Debian's clients print before and after. One switch is made for all tests; those that change
something of it have jobs of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.slurm import roots
from tests.slurm.migration import CONF, Site
from tests.slurm.sandbox import CLUSTER_DIR, Outcome, Sandbox
from tests.slurm.test_clients import why_not

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(300)]

QUEUE = "squeue -h -a -r -t PD,R -o '%i|%u|%T|%P|%Q|%r|%l|%N|%k|%y|%V|%E|%D|%C|%m|%Z'"
RUNNING = "squeue -h -a -r -t R -o '%i|%S|%e'"
NODES = "sinfo -h -N -a -o '%N|%P|%a|%T|%E|%u|%H|%f|%w' | sort"
PARTITIONS = "sinfo -h -a -o '%P|%a|%l|%D|%N' | sort -u"
NEXT_ID = "scontrol show config | sed -n 's/^NEXT_JOB_ID *= //p'"


@dataclass
class Switch:
    """A site that has been switched, its jobs by what they are about, and what clients printed."""

    site: Site
    jobs: dict[str, int]
    said: dict[str, Outcome] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)


def printed(site: Site, jobs: dict[str, int]) -> dict[str, list[str]]:
    """What the clients print of what must not change: not of the two jobs that end meanwhile, nor of their nodes."""
    gone = {str(jobs["meanwhile"]), str(jobs["forgotten"])}
    queue = site.run(QUEUE).replace("|Priority|", "|Resources|").splitlines()
    kept = [id for name, id in jobs.items() if str(id) not in gone and name != "array"]
    records = [site.run(f"scontrol -o show job {job_id}") for job_id in kept]
    return {
        "queue": [line for line in queue if line.split("|")[0] not in gone],
        "times": [line for line in site.run(RUNNING).splitlines() if line.split("|")[0] not in gone],
        "nodes": [line for line in site.run(NODES).splitlines() if not re.match("n[58]", line)],
        "partitions": site.run(PARTITIONS).splitlines(),
        "next id": [site.run(NEXT_ID)],
        "records": [
            re.sub(r"(RunTime|LastSchedEval|Scheduler|Reason|StartTime|EndTime|SchedNodeList)=\S+ ", "", each)
            for each in records
        ],
    }


def submitted(site: Site) -> dict[str, int]:
    """Jobs of every kind: those that run, and those that wait for one thing or another."""
    jobs = {
        "failing": site.waiting("-w n1", 3, "one two"),
        "good": site.waiting("-w n2", 0),
        "cancelled": site.waiting("-w n3"),
        "wide": site.waiting("-w n[3-4] -N2 -n5", 9),
        "meanwhile": site.waiting("-w n5", 5),
        "forgotten": site.waiting("-w n8 --no-requeue"),
        "alone": site.waiting("-w n7 --exclusive", 4),
    }
    jobs |= {
        "blocked": site.waiting("-w n7 --exclusive", 6),
        "held": site.waiting("-H --comment=mine -J quiet", 8),
        "begin": site.waiting("--begin=now+1hour"),
        "after": site.waiting(f"-d afterok:{jobs['good']} --nice=7 -n2 -c2 --mem-per-cpu=150", 2),
        "array": site.waiting("--array=1-5%2 -w n2", 1),
    }
    site.run(f"scontrol hold {jobs['begin']}")
    site.run("scontrol update nodename=n6 state=drain reason='bad disk'")
    site.run("scontrol update partition=long state=drain maxtime=3:00:00")
    running = "squeue -h -r -t R -o %i | wc -l"
    site.until(running, "9\n")
    return jobs


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    if reason := why_not("22.05"):
        pytest.skip(reason)
    with Sandbox() as sandbox:
        site = Site(sandbox)
        site.start_slurm()
        made = Switch(site, submitted(site))
        made.before = printed(site, made.jobs)
        made.said["dry run"] = site.flurm("import --from ctl --dry-run --json")
        made.said["import"] = site.flurm("import --from 127.0.0.1:6817")
        site.run("scontrol shutdown slurmctld")
        site.until("pidof slurmctld || echo gone", "gone")
        site.let_go(made.jobs["meanwhile"])
        forget(site, made.jobs["forgotten"])
        site.start_flurm()
        made.after = printed(site, made.jobs)
        yield made


def forget(site: Site, job_id: int) -> None:
    """Have n8 lose its job: daemon and job are killed, and the daemon comes back."""
    site.run(f"kill -KILL $(cat {CLUSTER_DIR}/slurmd.n8.pid) $(pgrep -f 'slurmstepd: [[]{job_id}')")
    site.start_node("n8")


@pytest.mark.parametrize("what", ["queue", "times", "nodes", "partitions", "next id", "records"])
def test_clients_print_afterwards_what_they_printed_before(switch, what):
    assert switch.after[what] == switch.before[what]


def test_the_import_tells_what_it_took_and_nothing_that_it_did_not(switch):
    outcome = switch.said["import"]
    assert outcome.exit == 0, outcome
    for line in ("9 running", "node n6: idle+drain, reason 'bad disk'", "partition long: max_time_min, state"):
        assert line in outcome.stdout
    assert "not as it was" not in outcome.stdout
    assert "Does not come along" not in outcome.stdout
    told = json.loads(switch.said["dry run"].stdout)
    assert (told["jobs"], told["state_dir"]) == ({"pending": 5, "running": 9}, None)


def test_a_state_that_is_there_is_not_overwritten(switch):
    outcome = switch.site.flurm("import --from 127.0.0.1:6817")
    assert outcome.exit == 1
    assert "/mnt/cluster/state/flurm is in use" in outcome.stderr or "already holds" in outcome.stderr


def test_a_job_that_ended_while_there_was_no_controller_has_its_exit_code(switch):
    assert switch.site.ended(switch.jobs["meanwhile"]) == ("FAILED", "5:0")


def test_a_job_that_its_node_has_forgotten_fails_with_the_node(switch):
    assert switch.site.ended(switch.jobs["forgotten"])[0] == "NODE_FAIL"


def test_running_jobs_end_with_their_exit_codes(switch):
    site, jobs = switch.site, switch.jobs
    site.let_go(jobs["failing"], jobs["wide"], jobs["alone"])
    assert site.ended(jobs["failing"]) == ("FAILED", "3:0")
    assert site.ended(jobs["wide"]) == ("FAILED", "9:0")
    assert site.ended(jobs["alone"]) == ("FAILED", "4:0")
    assert site.run(f"cat slurm-{jobs['failing']}.out", "alice") == f"hello {jobs['failing']} one two\n"
    site.let_go(jobs["blocked"])
    assert site.ended(jobs["blocked"]) == ("FAILED", "6:0")


def test_their_user_may_cancel_them(switch):
    switch.site.run(f"scancel {switch.jobs['cancelled']}", "alice")
    assert switch.site.ended(switch.jobs["cancelled"]) == ("CANCELLED", "0:15")


def test_what_waited_starts_in_its_time_with_its_environment(switch):
    site, jobs = switch.site, switch.jobs
    site.let_go(jobs["good"])
    site.let_go(jobs["after"])
    assert site.ended(jobs["after"]) == ("FAILED", "2:0")
    assert site.run(f"cat slurm-{jobs['after']}.out", "alice").startswith("hello ")
    site.run(f"scontrol release {jobs['held']}", "alice")
    site.let_go(jobs["held"])
    assert site.ended(jobs["held"]) == ("FAILED", "8:0")


def test_an_array_goes_on_two_at_a_time(switch):
    site, array = switch.site, switch.jobs["array"]
    assert site.run(f"squeue -h -r -t R -j {array} -o %K | sort").split() == ["1", "2"]
    for task in range(1, 6):
        site.let_go(f"{array}_{task}")
        assert site.ended(f"{array}_{task}") == ("FAILED", "1:0")


def test_the_next_job_gets_the_next_id(switch):
    (expected,) = switch.before["next id"]
    given = switch.site.run(f"sbatch --parsable -H -o /dev/null --wrap true; {NEXT_ID}").split()
    assert int(given[0]) >= int(expected)
    assert int(given[1]) == int(given[0]) + 1


def test_a_new_configuration_disturbs_none_of_fifty_running_jobs(switch):
    site = switch.site
    jobs = [site.waiting("-N1", number) for number in range(1, 51)]
    site.until("squeue -h -t R -j " + ",".join(map(str, jobs)) + " -o x | wc -l", "50\n")
    changed = CONF.replace("[1-8]", "[1-9]").replace("700[1-8]", "700[1-9]").replace("[17001-17008]", "[17001-17009]")
    changed = changed.replace("PartitionName=long Nodes=n[3-4] MaxTime=INFINITE\n", "").replace("=1:00:00", "=2:00:00")
    site.sandbox.write("/etc/slurm/slurm.conf", changed)
    site.run("scontrol reconfigure")
    site.start_node("n9")
    site.until("sinfo -h -n n9 -o '%P %l %T'", "debug* 2:00:00 idle\n")
    assert site.run("sinfo -h -a -o %P | sort -u") == "debug*\n"
    assert site.run("squeue -h -t R -j " + ",".join(map(str, jobs)) + " -o x | wc -l") == "50\n"
    site.let_go(*jobs)
    assert [site.ended(job) for job in jobs] == [("FAILED", f"{number}:0") for number in range(1, 51)]


@pytest.mark.skipif(not roots.ready(), reason="no root with Slurm 24.11: python -m tests.slurm.roots makes it")
def test_a_newer_slurmctld_is_asked_in_its_own_version_and_ended():
    with Sandbox(roots.ensure()) as sandbox:
        site = Site(sandbox, links=False)
        slurmctld = sandbox.spawn(["slurmctld", "-D"], f"{CLUSTER_DIR}/ctld.out.log", foreign=True)
        sandbox.write("/mnt/alice/args.sh", "#!/bin/sh\necho $1\n", "alice", 0o755)
        submit = "until scontrol ping | grep -q UP; do sleep 0.05; done; sbatch -H -w n1 --array=1-4 args.sh one"
        assert sandbox.run(submit, "alice", foreign=True).exit == 0
        told = json.loads(site.flurm("import --from ctl --shutdown --json").stdout)
        assert slurmctld.wait(30) == 0
    assert (told["release"][:5], told["jobs"], told["left"]) == ("24.11", {"pending": 1}, [])
    assert (told["differs"], told["told_in_part"]) == ([], 0)
