"""Every conformance test runs on both runtimes, and on the simulator with several seeds."""

import pytest
from structlog.testing import capture_logs

from tests.otp.conformance.worlds import SimWorld, ThreadWorld

SEEDS = (1, 2, 3)


@pytest.fixture(params=["threads", *(f"sim{seed}" for seed in SEEDS)])
def world(request):
    world = ThreadWorld() if request.param == "threads" else SimWorld(int(request.param[3:]))
    with capture_logs() as world.logs:
        yield world
        world.close()
