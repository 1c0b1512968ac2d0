"""What slurmctld keeps in its StateSaveLocation that no request gives: environments of batch jobs, and `job_state`.

Below StateSaveLocation each batch job has a directory, an array one for all of its tasks, named by its id and sorted by
the last digit of that: `hash.7/job.1027/`. Its file `script` is what was submitted; `environment` is a count (32 bits,
in the byte order of the machine) and as many `NAME=value`, each ended by a zero byte.
"""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["directory_of", "environment", "is_spool", "job_state", "parse"]

_COUNT = struct.Struct("=I")


def is_spool(state_save_location: Path) -> bool:
    """Whether a slurmctld keeps, or kept, its state there."""
    try:
        return any(state_save_location.glob("hash.[0-9]"))
    except OSError:
        return False


def directory_of(state_save_location: Path, job_id: int) -> Path:
    """Where the files of a job are; of an array's tasks, those of the array."""
    return state_save_location / f"hash.{job_id % 10}" / f"job.{job_id}"


def job_state(state_save_location: Path) -> bytes:
    """The file of all jobs, written every few seconds and when slurmctld ends; empty where it cannot be read."""
    try:
        return (state_save_location / "job_state").read_bytes()
    except OSError:
        return b""


def environment(state_save_location: Path, job_id: int, script: bytes) -> tuple[bytes, ...] | None:
    """The environment that a job was submitted with; None where it is not there, cannot be read, or the script beside
    it is not the `script` that slurmctld has, so that it is another cluster's or an earlier job's."""
    directory = directory_of(state_save_location, job_id)
    try:
        if (directory / "script").read_bytes().rstrip(b"\0") != script.rstrip(b"\0"):
            return None
        return parse((directory / "environment").read_bytes())
    except OSError:
        return None


def parse(data: bytes) -> tuple[bytes, ...] | None:
    """The variables in an environment file; None where it is not one."""
    if len(data) < _COUNT.size:
        return None
    (count,) = _COUNT.unpack_from(data)
    body = data[_COUNT.size :]
    items = body.removesuffix(b"\0").split(b"\0") if body else []
    if len(items) < count or (body and not body.endswith(b"\0")):
        return None
    return tuple(item for item in items[:count] if item)
