"""The `flurm` and `flurmd` programs."""
