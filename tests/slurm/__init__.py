"""Unmodified Slurm programs against FLURM, compared with what real Slurm answers.

`scenarios/*.story` tell what is typed, `golden/<release>/` holds what real Slurm of that release printed (written by
`python -m tests.slurm.record`), and `test_clients.py` types the same at FLURM and compares.
"""
