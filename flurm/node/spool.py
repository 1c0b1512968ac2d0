"""The spool: one directory per step, which tells after any crash what was asked, what runs and how it ended.

    job00042.0.batch/     job 42, first run, batch step; only the daemon's user may look in
        plan              what to execute, as JSON (written before the directory gets its name)
        slurm_script      the script, owned by the user, mode 0700
        waits             there while the job's prolog runs: what that needs to run again after a crash
    lock              locked (flock) by the step's manager for as long as it lives
        control           unix socket of the manager, for a daemon that comes back
        started           manager's and script's process, their start times, the boot they belong to
        status            how it ended; durable before anybody is told

A directory gets its final name by one rename when its content is complete, so what has a name was accepted. No
`started` means: may be handed to a manager. `started`, no `status` and no lock means: the manager died or the machine
was restarted. Standard library only: the step manager is forked from a small process.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PLAN, SCRIPT, LOCK, CONTROL, STARTED, STATUS = "plan", "slurm_script", "lock", "control", "started", "status"
WAITS = "waits"
_UNFINISHED = ".new-"


def prepare(spool: Path) -> None:
    """Makes the spool directory: others may pass through to their own script, and see nothing else."""
    spool.mkdir(parents=True, exist_ok=True)
    spool.chmod(0o711)
    for entry in spool.iterdir():
        if entry.name.startswith(_UNFINISHED):
            shutil.rmtree(entry, ignore_errors=True)


def create(
    spool: Path, name: str, plan: Mapping[str, Any], script: bytes, uid: int, gid: int, waits: object = None
) -> bool:
    """Enters a step; False where it was entered before. What is there afterwards is complete. `waits`: what must be
    done before it may begin, None where it may at once."""
    final = spool / name
    if final.exists():
        return False
    fresh = spool / f"{_UNFINISHED}{name}-{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(mode=0o711)
        fresh.chmod(0o711)
        _write(fresh / PLAN, json.dumps(plan).encode(), 0o600)
        _write(fresh / SCRIPT, script, 0o700)
        if waits is not None:
            _write(fresh / WAITS, json.dumps(waits).encode(), 0o600)
        if os.geteuid() == 0:
            os.chown(fresh / SCRIPT, uid, gid, follow_symlinks=False)
        fresh.rename(final)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return True


def remove(spool: Path, name: str) -> None:
    """Forgets a step."""
    shutil.rmtree(spool / name, ignore_errors=True)


def write_record(directory: Path, name: str, record: Mapping[str, Any], durable: bool = False) -> None:
    """Writes one record of a step in one piece; with `durable` it survives a power cut once this returns."""
    fresh = directory / f".{name}"
    _write(fresh, json.dumps(record).encode(), 0o600, durable)
    fresh.rename(directory / name)
    if durable:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_record(directory: Path, name: str) -> dict[str, Any] | None:
    """One record of a step; None where it was not written."""
    try:
        return json.loads((directory / name).read_bytes())
    except FileNotFoundError:
        return None


def take_lock(directory: Path) -> int | None:
    """Locks a step for its manager: the open lock, or None where a manager lives."""
    handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def has_manager(directory: Path) -> bool:
    """Whether a step's manager lives."""
    handle = take_lock(directory)
    if handle is None:
        return True
    os.close(handle)
    return False


def boot_id() -> str:
    """Names this boot of the machine: process numbers of another boot mean nothing."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _write(path: Path, content: bytes, mode: int, durable: bool = False) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with open(handle, "wb") as stream:
        os.fchmod(handle, mode)
        stream.write(content)
        if durable:
            stream.flush()
            os.fsync(handle)
