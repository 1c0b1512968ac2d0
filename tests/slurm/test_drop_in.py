"""slurmctld and slurmd under FLURM among scripts that know only Slurm's ways, and Slurm's own commands.

The scripts see programs named slurmctld and slurmd in PATH, /etc/slurm/slurm.conf, pid files, signals, exit statuses,
pidof and scontrol, and nothing of FLURM. FLURM_THOROUGH=1 starts and stops the controller 50 times instead of 3.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flurm
from tests.slurm.flurm_cluster import PROGRAMS
from tests.slurm.sandbox import CLUSTER_DIR, MUNGE_KEY, Outcome, Sandbox
from tests.slurm.test_clients import why_not

ROUNDS = 50 if os.environ.get("FLURM_THOROUGH") else 3
SBIN = f"{CLUSTER_DIR}/sbin"
PATH = f"export PATH={SBIN}:$PATH; "
CONF = """\
ClusterName=c
SlurmctldHost=ctl(127.0.0.1)
SlurmUser={user}
StateSaveLocation=/mnt/cluster/a/new/state
SlurmdSpoolDir=/mnt/cluster/spool.%n
SlurmctldPidFile=/mnt/cluster/slurmctld.pid
SlurmdPidFile=/mnt/cluster/slurmd.%n.pid
SlurmctldLogFile=/mnt/cluster/slurmctld.log
SlurmdLogFile=/mnt/cluster/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=n1 NodeHostname=ctl NodeAddr=127.0.0.1 Port=17001 CPUs=1
PartitionName=p Nodes=n1 Default=YES
"""
START_AND_STOP = """
set -e
for round in $(seq {rounds}); do
    if [ $((round % 2)) = 0 ]; then slurmctld -c -i; else slurmctld; fi
    test "$(pidof slurmctld)" = "$(cat /mnt/cluster/slurmctld.pid)"
    scontrol ping | grep -q UP
    sbatch -H --wrap true
    scontrol shutdown
    for i in $(seq 600); do pidof slurmctld >/dev/null || break; sleep 0.1; done
    ! pidof slurmctld
    ! scontrol ping >/dev/null
    test ! -e /mnt/cluster/slurmctld.pid
done
"""
SYSTEMD = """
import os, socket, subprocess, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
    told.bind("/mnt/cluster/notify." + os.path.basename(sys.argv[1]))
    told.settimeout(30)
    null = subprocess.DEVNULL
    environment = os.environ | {"NOTIFY_SOCKET": told.getsockname()}
    subprocess.Popen(sys.argv[1:], env=environment, stdin=null, stdout=null, stderr=null, start_new_session=True)
    print(told.recv(100).decode())
"""
GONE = "for i in $(seq 300); do pidof {name} >/dev/null || exit 0; sleep 0.1; done; exit 1"
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(2400 if os.environ.get("FLURM_THOROUGH") else 180)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Sandbox]:
    if reason := why_not("22.05"):
        pytest.skip(reason)
    with Sandbox() as machine:
        machine.run(f"mkdir -p /etc/munge && mount -t tmpfs tmpfs /etc/munge && cp {MUNGE_KEY} /etc/munge/munge.key")
        assert machine.run([str(PROGRAMS / "flurm"), "install-links", SBIN], timeout_s=100).exit == 0
        yield machine


@pytest.fixture
def site(machine: Sandbox) -> Iterator[Sandbox]:
    """The machine with the slurm.conf of a site; whatever daemons a test leaves behind end with it."""
    machine.write("/etc/slurm/slurm.conf", CONF.format(user="root"))
    yield machine
    machine.run("kill $(pidof slurmctld slurmd) 2>/dev/null; " + GONE.format(name="slurmctld"), timeout_s=60)


def sh(machine: Sandbox, script: str, timeout_s: int = 100) -> Outcome:
    return machine.run(f"{PATH}{script}", timeout_s=timeout_s)


def succeeded(outcome: Outcome) -> str:
    assert outcome.exit == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def test_a_script_that_knows_only_slurms_ways_starts_and_stops_the_controller(site):
    said = succeeded(sh(site, START_AND_STOP.format(rounds=ROUNDS), timeout_s=40 * ROUNDS))
    ids = [int(line.split()[-1]) for line in said.splitlines() if line.startswith("Submitted")]
    assert ids == list(range(ids[0], ids[0] + ROUNDS))


def test_a_daemon_serves_when_its_command_returns_and_is_what_its_name_says(site):
    succeeded(sh(site, "slurmctld && slurmd && scontrol ping"))
    for name, pid_file in (("slurmctld", "slurmctld.pid"), ("slurmd", "slurmd.n1.pid")):
        pid = succeeded(sh(site, f"pidof {name}")).strip()
        assert site.read(f"{CLUSTER_DIR}/{pid_file}") == f"{pid}\n"
        assert Path(succeeded(sh(site, f"readlink /proc/{pid}/exe")).strip()).name == name
        assert site.read(f"/proc/{pid}/comm") == f"{name}\n"
        assert succeeded(sh(site, f"readlink /proc/{pid}/fd/{{0,1,2}}")).split() == ["/dev/null"] * 3
        assert succeeded(sh(site, f"ps -o ppid=,sid= -p {pid}")).split()[0] == "1"
    assert succeeded(sh(site, "stat -c %a /mnt/cluster/slurmctld.log /mnt/cluster/slurmctld.pid")) == "600\n644\n"
    await_idle = "for i in $(seq 100); do sinfo -h -o %T | grep -q idle && exit 0; sleep 0.1; done; exit 1"
    succeeded(sh(site, f"({await_idle}) && sbatch -W -o /dev/null --wrap true"))
    succeeded(sh(site, "scontrol shutdown slurmctld && " + GONE.format(name="slurmctld")))
    succeeded(sh(site, "pidof slurmd"))
    succeeded(sh(site, f"slurmctld && ({await_idle}) && scontrol shutdown"))
    succeeded(sh(site, f"({GONE.format(name='slurmctld')}) && ({GONE.format(name='slurmd')})"))


def test_systemd_is_told_when_a_service_of_type_notify_serves(site):
    site.write("/mnt/cluster/systemd.py", SYSTEMD)
    for name in ("slurmctld", "slurmd"):
        assert succeeded(sh(site, f"{sys.executable} /mnt/cluster/systemd.py {SBIN}/{name} --systemd")) == "READY=1\n"
        succeeded(sh(site, f"pidof {name}"))
    succeeded(sh(site, "scontrol ping; ! ls /mnt/cluster/*.pid 2>/dev/null"))
    outcome = sh(site, "slurmctld --systemd")
    assert outcome.exit == 1
    assert "slurmctld: fatal: --systemd: NOTIFY_SOCKET is not set" in outcome.stderr


def test_another_slurmctld_takes_the_place_of_the_one_that_runs_slurms_own_too(site):
    succeeded(site.run("mkdir -p /mnt/cluster/a/new/state && /usr/sbin/slurmctld"))
    await_pid = "until [ -s /mnt/cluster/slurmctld.pid ]; do sleep 0.05; done; cat /mnt/cluster/slurmctld.pid"
    theirs = succeeded(sh(site, await_pid)).strip()
    outcome = sh(site, "slurmctld")
    assert outcome.exit == 0, outcome.stderr
    assert f"killing old daemon [{theirs}]" in outcome.stderr
    assert succeeded(sh(site, "pidof slurmctld")).strip() == site.read(f"{CLUSTER_DIR}/slurmctld.pid").strip() != theirs


def test_signals_do_what_they_do_to_slurmctld(site):
    succeeded(sh(site, "slurmctld"))
    more = CONF.format(user="root").replace("CPUs=1", "CPUs=1\nNodeName=n2 NodeAddr=127.0.0.1 Port=17002")
    site.write("/etc/slurm/slurm.conf", more)
    n2 = "for i in $(seq 100); do scontrol show node n2 | grep -q Port=17002 && exit 0; sleep 0.1; done; exit 1"
    succeeded(sh(site, f"kill -HUP $(pidof slurmctld); {n2}"))
    site.write("/etc/slurm/slurm.conf", more.replace("NodeName=n2", "Typo=1\nNodeName=n3"))
    refused = (
        "for i in $(seq 100); do grep -q 'reconfigure refused' /mnt/cluster/slurmctld.log && exit 0; sleep 0.1; done"
    )
    succeeded(sh(site, f"kill -HUP $(pidof slurmctld); ({refused}; exit 1)"))
    site.write("/etc/slurm/slurm.conf", more)
    assert succeeded(sh(site, "scontrol show -o nodes | cut -d' ' -f1")) == "NodeName=n1\nNodeName=n2\n"
    moved = "mv slurmctld.log old.log; kill -USR2 $(pidof slurmctld); until [ -s slurmctld.log ]; do sleep 0.05; done"
    succeeded(sh(site, f"cd {CLUSTER_DIR}; {moved}"))
    succeeded(sh(site, f"kill -INT $(pidof slurmctld); {GONE.format(name='slurmctld')}"))
    assert not site.read(f"{CLUSTER_DIR}/slurmctld.pid")


def test_a_controller_that_cannot_start_says_why_and_leaves_nothing_behind(site):
    site.write("/mnt/cluster/hold.py", "import socket, time\ns = socket.create_server(('127.0.0.1', 6817))\n"
               "open('/mnt/cluster/held', 'w').close()\ntime.sleep(60)\n")  # fmt: skip
    hold = f"{sys.executable} /mnt/cluster/hold.py & until [ -e /mnt/cluster/held ]; do sleep 0.05; done; "
    outcome = sh(site, f"{hold} slurmctld; status=$?; kill %1; exit $status")
    assert outcome.exit == 1
    assert "slurmctld: fatal: cannot listen on 127.0.0.1:6817: Address already in use" in outcome.stderr
    assert sh(site, "pidof slurmctld").exit == 1
    assert not site.read(f"{CLUSTER_DIR}/slurmctld.pid")


def test_debug_levels_and_flags_are_shown_once_they_are_set(site):
    succeeded(sh(site, "slurmctld && scontrol setdebug debug2 && scontrol setdebugflags +backfill,gres"))
    succeeded(sh(site, "scontrol setdebugflags -gres"))
    shown = succeeded(sh(site, "scontrol show config | grep -E '^(DebugFlags|SlurmctldDebug) '"))
    assert [line.split()[-1] for line in shown.splitlines()] == ["Backfill", "debug2"]
    refused = sh(site, "scontrol schedloglevel 1")
    assert (refused.exit, refused.stderr) == (
        1, "slurm_set_schedlog_level error: Requested operation is presently disabled\n",
    )  # fmt: skip


def test_it_becomes_slurm_user_once_it_has_the_key(site):
    site.open_to_others(Path(os.__file__), Path(flurm.__file__), Path(sys.executable).resolve())
    site.write("/etc/slurm/slurm.conf", CONF.format(user="alice"))
    succeeded(sh(site, "slurmctld && scontrol ping && sbatch -H --wrap true"))
    pid = succeeded(sh(site, "pidof slurmctld")).strip()
    status = dict(line.split(":\t", 1) for line in site.read(f"/proc/{pid}/status").splitlines())
    assert status["Uid"].split() == status["Gid"].split() == ["1001"] * 4
    assert succeeded(sh(site, "stat -c %U /mnt/cluster/slurmctld.log /mnt/cluster/a/new/state/flurm/raft")) == (
        "alice\nalice\n"
    )
    assert "may not read" not in site.read(f"{CLUSTER_DIR}/slurmctld.log")


def test_slurmd_gets_its_files_from_a_controller_that_serves_them(site):
    site.write("/etc/slurm/slurm.conf", CONF.format(user="root") + "SlurmctldParameters=enable_configless\n")
    succeeded(site.run("mkdir -p /mnt/cluster/a/new/state && /usr/sbin/slurmctld -c"))
    succeeded(sh(site, "until scontrol ping; do sleep 0.1; done; mv /etc/slurm/slurm.conf /mnt/cluster/hidden.conf"))
    succeeded(sh(site, "slurmd --conf-server 127.0.0.1 -N n1"))
    assert "enable_configless" in site.read("/run/slurm/conf/slurm.conf")
    up = "for i in $(seq 100); do sinfo -h -o %T | grep -q idle && exit 0; sleep 0.1; done; exit 1"
    succeeded(sh(site, f"export SLURM_CONF=/mnt/cluster/hidden.conf; {up}"))
