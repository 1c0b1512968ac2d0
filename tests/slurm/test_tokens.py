"""Slurm's own programs with tokens instead of MUNGE: auth/slurm and `SLURM_JWT` of 24.11, `SLURM_JWT` of 22.05."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.slurm import roots
from tests.slurm.flurm_cluster import start_flurm
from tests.slurm.real_slurmd import await_job
from tests.slurm.sandbox import Sandbox
from tests.slurm.slurm_conf import slurm_conf
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm

JWT = "AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=/etc/slurm/jwt.key\n"
PLUGINS = "usr/lib/*/slurm-wlm"


def cluster(release: str, auth: str) -> Iterator[Sandbox]:
    """A FLURM controller and its node n1, with what `auth` says in slurm.conf and both keys."""
    foreign = release != "22.05"
    root = roots.directory() if foreign else None
    needed = ("auth_jwt.so", "auth_slurm.so") if foreign else ("auth_jwt.so",)
    if reason := why_not(release):
        pytest.skip(reason)
    for plugin in needed:
        if not any((root or roots.Path("/")).glob(f"{PLUGINS}/{plugin}")):
            pytest.skip(f"no {plugin} of Slurm {release} (slurm-wlm-jwt-plugin)")
    with Sandbox(root) as made:
        for name in ("slurm", "jwt"):
            made.write(f"/etc/slurm/{name}.key", name * 16, mode=0o600)
        start_flurm(made, slurm_conf().replace("AuthType=auth/munge\n", auth), nodes=("n1",))
        yield made


def await_idle(sandbox: Sandbox, node: str, foreign: bool) -> None:
    """Wait until a node has registered."""
    give_up = time.monotonic() + 30
    while "idle" not in sandbox.run(f"sinfo -h -n {node} -o %T", foreign=foreign).stdout:
        assert time.monotonic() < give_up, sandbox.run("tail -n 20 /mnt/cluster/*.out.log").stdout
        time.sleep(0.1)


@pytest.fixture(scope="module")
def tokens() -> Iterator[Sandbox]:
    """auth/slurm with launch tokens. Clients, root's too, have their tokens signed through a socket that slurmd, here
    n3, or sackd serves."""
    for made in cluster("24.11", f"AuthType=auth/slurm\nCredType=auth/slurm\n{JWT}"):
        made.write("/etc/slurm/cgroup.conf", "CgroupPlugin=disabled\n")
        made.run("mkdir -p /mnt/cluster/spool.n3")
        made.spawn(["slurmd", "-D", "-N", "n3"], "/mnt/cluster/n3.out.log", foreign=True)
        for node in ("n1", "n3"):
            await_idle(made, node, foreign=True)
        yield made


@pytest.fixture(scope="module")
def old() -> Iterator[Sandbox]:
    """MUNGE with tokens of users beside it, for 22.05."""
    for made in cluster("22.05", f"AuthType=auth/munge\n{JWT}"):
        await_idle(made, "n1", foreign=False)
        yield made


@pytest.mark.trixie
@pytest.mark.parametrize("node", ["n1", "n3"])
def test_a_user_submits_with_a_token_and_the_job_runs_on_either_node_daemon(tokens: Sandbox, node: str) -> None:
    sent = tokens.run(f"sbatch --parsable -w {node} --wrap 'id -un'", "alice", foreign=True)
    assert (sent.exit, sent.stderr) == (0, ""), tokens.read("/mnt/cluster/flurm.out.log")
    await_job_of(tokens, int(sent.stdout))
    assert tokens.read(f"/mnt/alice/slurm-{int(sent.stdout)}.out") == "alice\n"


def await_job_of(sandbox: Sandbox, job: int) -> None:
    give_up = time.monotonic() + 20
    while "JobState=COMPLETED" not in sandbox.run(f"scontrol show job {job}", foreign=True).stdout:
        assert time.monotonic() < give_up, sandbox.read("/mnt/cluster/n3.out.log")[-2000:]
        time.sleep(0.1)


def speaks_for_users(sandbox: Sandbox, submitter: str, foreign: bool) -> None:
    """`scontrol token` gives root a token of alice, with which anybody is alice. (22.05 also says in a submission who
    runs sbatch, which must then be the same user.)"""
    token = sandbox.run("scontrol token username=alice lifespan=60", foreign=foreign)
    assert token.exit == 0 and token.stdout.startswith("SLURM_JWT=ey"), token.stderr
    jwt = {"SLURM_JWT": token.stdout.strip().partition("=")[2]}
    sent = sandbox.run("sbatch --parsable --hold --chdir /tmp --wrap true", submitter, env=jwt, foreign=foreign)
    assert sent.exit == 0, sent.stderr
    seen = sandbox.run("squeue -h -o '%i %u'", "bob", env=jwt, foreign=foreign)
    assert f"{int(sent.stdout)} alice" in seen.stdout
    altered = {"SLURM_JWT": jwt["SLURM_JWT"][:-6] + "AAAAAA"}
    refused = sandbox.run("squeue", "bob", env=altered, foreign=foreign)
    assert refused.exit == 1 and "Protocol authentication error" in refused.stderr
    other = sandbox.run("scontrol token username=root", "bob", env=jwt, foreign=foreign)
    assert other.exit == 1 and "Invalid user id" in other.stderr


@pytest.mark.trixie
def test_a_24_11_client_speaks_for_the_user_of_its_token(tokens: Sandbox) -> None:
    speaks_for_users(tokens, "bob", foreign=True)


def test_a_22_05_client_speaks_for_the_user_of_its_token(old: Sandbox) -> None:
    speaks_for_users(old, "alice", foreign=False)
    sent = old.run("sbatch --parsable -w n1 --wrap 'id -un'", "alice")
    await_job(old, int(sent.stdout), "COMPLETED")
