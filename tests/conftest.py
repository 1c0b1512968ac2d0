"""What holds for all tests: hypothesis gives no example a time limit, because machines are noisy."""

from hypothesis import settings

settings.register_profile("flurm", deadline=None)
settings.load_profile("flurm")
