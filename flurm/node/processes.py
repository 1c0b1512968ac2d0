"""Processes of a step, found through /proc. Standard library only.

A step's manager is a child subreaper: whatever its script starts stays below it, daemons included, so the processes of
a step are the descendants of its manager. A process is named by its number and its start time, for numbers come back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since the boot; None where there is no such process (a zombie is none)."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def session_of(pid: int) -> int | None:
    """The session that a process belongs to."""
    fields = _stat(pid)
    return None if fields is None else int(fields[3])


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, parents before children."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def session_members(session: int) -> list[int]:
    """All processes of a session: what is left of a step whose manager was killed."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if session_of(pid) == session]


def signal_all(pids: Iterable[int], signum: int) -> int:
    """Sends a signal to each process that is still there and may be signalled; how many it reached."""
    reached = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)
            reached += 1
    return reached


def resident_mib(pids: Iterable[int]) -> int:
    """Memory that the processes hold by themselves (anonymous and shared memory, without mapped files), in MiB."""
    total_kib = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_bytes().splitlines():
                if line.startswith((b"RssAnon:", b"RssShmem:")):
                    total_kib += int(line.split()[1])
    return total_kib // 1024


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (a plain list of names is what is wanted)
    except OSError:
        return found
    for thread in threads:
        with contextlib.suppress(OSError):
            found.extend(int(word) for word in Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    return found
