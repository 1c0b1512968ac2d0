"""A site with a backup controller migrates: docs/migrating.md, what it says of several SlurmctldHost lines."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator

import pytest

from tests.slurm import migration
from tests.slurm.migration import SBIN, Site
from tests.slurm.sandbox import CLUSTER_DIR, Outcome, Sandbox
from tests.slurm.test_clients import why_not

ADDRESSES = {"c1": "10.78.0.1", "c2": "10.78.0.2", "c3": "10.78.0.3"}
NODES_ADDRESS = "10.78.0.254"
OWN = "/run/slurmctld"
"""Each host's own file system: its pid file, its log, and FLURM's state."""
FLURM_TOML = f"""\
[flurm]
state_dir = "{OWN}/flurm"
http_port = 0
"""
CONF = (
    migration.CONF.replace(
        "SlurmctldHost=ctl(127.0.0.1)\n",
        "".join(f"SlurmctldHost={name}({address})\n" for name, address in ADDRESSES.items()),
    )
    .replace("NodeAddr=127.0.0.1", f"NodeAddr={NODES_ADDRESS}")
    .replace(f"{CLUSTER_DIR}/slurmctld.pid", f"{OWN}/slurmctld.pid")
    .replace(f"{CLUSTER_DIR}/slurmctld.log", f"{OWN}/slurmctld.log")
)

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(why_not("22.05") is not None, reason=str(why_not("22.05")))]


class Host:
    """A controller's machine: a name and an address of its own, and a place that no other one sees."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox, self.name = sandbox, name
        holder = f"{CLUSTER_DIR}/{name}.holder"
        make = f"hostname {name} && mount -t tmpfs tmpfs {OWN} && echo $$ >{holder}.new && mv {holder}.new {holder}"
        words = ["unshare", "--uts", "--mount", "--net", "bash", "-c", f"{make} && exec sleep infinity"]
        self.sandbox.spawn(words, f"{CLUSTER_DIR}/{name}.holder.log")
        wire = (
            f"ip link add {name} master bridge type veth peer name eth0 netns $(cat {holder}) && ip link set {name} up"
        )
        wired = self.sandbox.run(f"until [ -s {holder} ]; do sleep 0.02; done; {wire}")
        assert wired.exit == 0, wired
        self._enter = f"nsenter --target $(cat {holder}) --uts --mount --net env FLURM_CONF={OWN}/flurm.toml"
        self.run(f"ip address add {ADDRESSES[name]}/24 dev eth0 && ip link set eth0 up && ip link set lo up")
        self.write(f"{OWN}/flurm.toml", FLURM_TOML)

    def try_to(self, command: str) -> Outcome:
        """Run a command here, as root."""
        return self.sandbox.run(f"{self._enter} bash -c {shlex.quote(command)}", timeout_s=100)

    def run(self, command: str) -> str:
        """A command that succeeds; what it printed."""
        outcome = self.try_to(command)
        assert outcome.exit == 0, (
            f"{command} on {self.name}: {outcome}\n{self.try_to(f'tail -n 30 {OWN}/*.log').stdout}"
        )
        return outcome.stdout

    def write(self, path: str, text: str) -> None:
        """Make a file that is here alone."""
        self.run(f"printf %s {shlex.quote(text)} >{path}")


@pytest.fixture
def site() -> Iterator[Site]:
    with Sandbox() as sandbox:
        made = Site(sandbox)
        sandbox.write("/etc/slurm/slurm.conf", CONF)
        made.run(f"mkdir -p {OWN}")
        made.run(
            f"ip link add bridge type bridge && ip address add {NODES_ADDRESS}/24 dev bridge && ip link set bridge up"
        )
        yield made


def test_a_site_with_backup_controllers_goes_over_and_loses_nothing(site):
    c1, c2, c3 = (Host(site.sandbox, name) for name in ADDRESSES)
    for host in (c1, c2):
        host.run("slurmctld")
    site.until("scontrol ping", "Slurmctld(backup1) at c2 is UP")
    for node in ("n1", "n2"):
        site.start_node(node)
    site.until("sinfo -h -n n[1-2] -p debug -o %D%T", "2idle\n")
    running, waiting = site.waiting("-w n1", 3), site.waiting("-H", 4)
    site.until(f"squeue -h -j {running} -o %T", "RUNNING")

    flurm = f"{migration.PROGRAMS}/flurm"
    refused = c1.try_to(f"{flurm} import --from c1 --shutdown")
    assert refused.exit == 1 and "flurm cert bootstrap --cluster site DIR c1 c2 c3" in refused.stderr, refused
    site.until("scontrol ping", "Slurmctld(primary) at c1 is UP")
    c1.run(f"{flurm} cert bootstrap --cluster site {CLUSTER_DIR}/tls c1 c2 c3")
    for host in (c1, c2, c3):
        host.run(f"mkdir -p {OWN}/flurm/tls && cp {CLUSTER_DIR}/tls/{host.name}/*.pem {OWN}/flurm/tls")
    c2.run(f"kill $(cat {OWN}/slurmctld.pid)")
    c1.run(f"{flurm} import --from c1 --shutdown")
    c1.run(f"{SBIN}/slurmctld")
    assert "Slurmctld(primary) at c1 is UP" in site.run("scontrol ping")
    assert site.run("squeue -h -o %i/%T | sort").split() == [f"{running}/RUNNING", f"{waiting}/PENDING"]

    for host in (c2, c3):
        host.write(f"{OWN}/flurm.toml", FLURM_TOML + "raft_bootstrap = false\n")
        host.run(f"{SBIN}/slurmctld")
    time.sleep(1.0)  # several times what an election takes
    for host in (c2, c3):
        assert json.loads(host.run(f"{flurm} cluster status --json"))["leader"] in (None, "none")
    for host in (c2, c3):
        c1.run(f"{flurm} cluster add {host.name} {ADDRESSES[host.name]}:6816")
    site.until("scontrol ping | grep -c UP", "3")
    assert len(json.loads(c3.run(f"{flurm} cluster status --json"))["members"]) == 3
    assert "c2      voter   10.78.0.2:6816" in c1.run(f"{flurm} cluster status")
    assert "n1    MIXED" in c1.run(f"{flurm} nodes list")

    c1.run(f"kill -9 $(cat {OWN}/slurmctld.pid)")
    site.run(f"scontrol release {waiting}", "alice")
    site.let_go(running)
    assert site.ended(running) == ("FAILED", "3:0")
    site.let_go(waiting)
    assert site.ended(waiting) == ("FAILED", "4:0")
