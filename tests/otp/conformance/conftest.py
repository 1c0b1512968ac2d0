"""Every conformance test runs on both runtimes, and on the simulator with several seeds."""

import os

import pytest
from structlog.testing import capture_logs

from tests.otp.conformance.worlds import SimWorld, ThreadWorld

SEEDS = range(1, 21) if os.environ.get("FLURM_THOROUGH") else (1,)


@pytest.fixture(params=["threads", *(f"sim{seed}" for seed in SEEDS)])
def world(request):
    world = ThreadWorld() if request.param == "threads" else SimWorld(int(request.param[3:]))
    with capture_logs() as world.logs:
        yield world
        world.close()
