"""A site's job_submit.lua does under FLURM what it was recorded to do under slurmctld 22.05 (hooks_story.py)."""

from __future__ import annotations

import json

import pytest

from tests.slurm.flurm_cluster import start_flurm
from tests.slurm.hooks_story import CONF, LUA, RECORDED, SCRIPT, tell
from tests.slurm.rights_story import await_up
from tests.slurm.sandbox import Sandbox
from tests.slurm.test_clients import why_not

pytestmark = pytest.mark.slurm


def test_a_job_submit_script_has_the_same_outcome_as_under_slurmctld():
    if reason := why_not("22.05"):
        pytest.skip(reason)
    with Sandbox() as sandbox:
        sandbox.write(SCRIPT, LUA)
        start_flurm(sandbox, CONF, nodes=("n1",))
        await_up(sandbox)
        assert tell(sandbox) == json.loads(RECORDED.read_text())
