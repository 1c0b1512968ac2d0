"""What holds for all tests: hypothesis gives no example a time limit, because machines are noisy; and what a test does
to the log, of which there is one for each process, ends with it.

CI repeats itself, so that what it says is about the change; everywhere else properties look at new examples.
"""

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from flurm.console.log_levels import LEVELS

settings.register_profile("flurm", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("flurm")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    config, level = structlog.get_config(), LEVELS.level
    yield
    LEVELS.level = level
    LEVELS.modules.clear()
    structlog.configure(**config)
