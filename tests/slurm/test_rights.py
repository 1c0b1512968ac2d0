"""What FLURM lets users do and see is what slurmctld 22.05 was recorded to (tests/slurm/rights_story.py)."""

from __future__ import annotations

import json

import pytest

from tests.slurm.flurm_cluster import start_flurm
from tests.slurm.rights_story import LISTS, OPEN, ORDERS, PRIVATE, RECORDED, SUBMITS, await_up, tell
from tests.slurm.sandbox import Sandbox
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
    assert found == [[*who, ours(said)] for *who, said in json.loads((RECORDED / f"{name}.json").read_text())]


def ours(said: str) -> str:
    """A partition that is closed to a job's user is taken from its list, where Slurm keeps it and passes it over."""
    return said.replace("alice grp,debug", "alice debug")
