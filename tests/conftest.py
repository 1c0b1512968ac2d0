"""What holds for all tests: hypothesis gives no example a time limit, because machines are noisy.

CI repeats itself, so that what it says is about the change; everywhere else properties look at new examples.
"""

import os

from hypothesis import settings

settings.register_profile("flurm", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("flurm")
