"""JSON in the shape of Slurm's v0.0.38."""

from __future__ import annotations


def jobs_document(jobs):
    raise NotImplementedError


def print_document(document):
    raise NotImplementedError
