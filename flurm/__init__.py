"""FLURM: a workload manager that Slurm's own programs take for Slurm."""

__version__ = "0.1.0"
