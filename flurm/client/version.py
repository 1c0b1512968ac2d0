"""What the programs that stand for Slurm's say when they are asked for their version."""

VERSION_TEXT = "slurm 22.05.8-flurm"
"""Programs read the numbers in it to learn how to talk to a command."""
