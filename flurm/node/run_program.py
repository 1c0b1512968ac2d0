"""Runs a site's programs one after the other, as the daemon's own user, and says what became of them.

Each is a process group of its own with /dev/null as its input. What it prints is kept for the message of a failure and
for nothing else. A program is over when its process has ended: what it leaves in the background lives on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

from flurm.node.programs import NoSuchProgram, matching

__all__ = ["run_all", "run_one"]

_TERM_GRACE_S = 1.0
_KEPT_BYTES = 2048


def run_all(patterns: tuple[str, ...], environment: Mapping[str, str], timeout_s: float | None = None) -> str | None:
    """Run all programs of a Prolog or Epilog, each for at most `timeout_s`; the first that fails ends the row.

    Returns what was wrong, None where nothing was.
    """
    try:
        paths = matching(patterns)
    except NoSuchProgram as error:
        return str(error)
    for path in paths:
        failure = run_one([path], environment, timeout_s)
        if failure is not None:
            return failure
    return None


def run_one(argv: Sequence[str], environment: Mapping[str, str], timeout_s: float | None = None) -> str | None:
    """Run one program; returns what was wrong with it, None where it ended with 0."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                argv,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            return f"{argv[0]} cannot be executed: {error.strerror}"
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"{argv[0]} was ended after {timeout_s:g} s{_printed(output)}"
        if status == 0:
            return None
        how = f"was killed by signal {-status}" if status < 0 else f"ended with {status}"
        return f"{argv[0]} {how}{_printed(output)}"


def _end(process: subprocess.Popen[bytes]) -> None:
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_GRACE_S)
            if signum == signal.SIGTERM:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            return


def _printed(output: IO[bytes]) -> str:
    output.seek(0)
    text = output.read(_KEPT_BYTES).decode(errors="replace").strip()
    return f": {text}" if text else ""
