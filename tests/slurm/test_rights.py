"""What FLURM lets users do and see is what slurmctld 22.05 was recorded to (tests/slurm/rights_story.py)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.bridge.test_rights import OBSERVED
from tests.slurm.flurm_cluster import start_flurm
from tests.slurm.rights_story import LISTS, OPEN, ORDERS, PRIVATE, RECORDED, SUBMITS, await_up, tell
from tests.slurm.sandbox import MUNGE_KEY, USERS, Sandbox
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm

OPEN_STEPS = (*SUBMITS, *LISTS, *ORDERS)
PRIVATE_STEPS = (*SUBMITS, *LISTS)


@pytest.mark.parametrize("name,conf,steps", [("open", OPEN, OPEN_STEPS), ("private", PRIVATE, PRIVATE_STEPS)])
def test_users_may_do_and_see_what_slurm_lets_them(name, conf, steps):
    if reason := why_not("22.05"):
        pytest.skip(reason)
    with Sandbox() as sandbox:
        start_flurm(sandbox, conf, nodes=())
        await_up(sandbox)
        found = tell(sandbox, steps)
        if name == "open":
            assert asked_as_alice(sandbox) == OBSERVED
    assert found == [[*who, ours(said)] for *who, said in json.loads((RECORDED / f"{name}.json").read_text())]


def asked_as_alice(sandbox: Sandbox) -> dict[str, int | str]:
    """What the controller says to each request that slurmctld was seen to answer an ordinary user."""
    command = [sys.executable, "-m", "tests.slurm.ask_as", MUNGE_KEY, str(USERS["alice"]), *OBSERVED]
    asked = sandbox.run(command, env={"PYTHONPATH": str(Path(__file__).parents[2])})
    return json.loads(asked.stdout)


def ours(said: str) -> str:
    """A partition that is closed to a job's user is taken from its list, where Slurm keeps it and passes it over."""
    return said.replace("alice grp,debug", "alice debug")
