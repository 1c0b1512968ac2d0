"""Prologs and epilogs of the node's jobs: each is run in a thread of its own, once for each run of a job.

The steps process owns this, asks, and is told by `PrologRan` and `EpilogRan`. What is asked for twice is told twice and
run once. A run of a job is its number and restart count. Nothing here is durable: after a restart of the daemon a
prolog or epilog that was not seen to end is run again, as slurmd does.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec
import structlog

from flurm.node.programs import Programs
from flurm.node.run_program import run_all

REMEMBERED = 10_000
LONG_S = 5.0

Run = tuple[int, int]

log = structlog.get_logger(__name__)


class PrologRan(msgspec.Struct, frozen=True):
    """A job's prolog is over; `failure` says what was wrong, None where nothing was."""

    job_id: int
    restart_count: int
    failure: str | None
    reported: bool = False
    """Whether the controller has asked for it by itself, and is to be told."""


class EpilogRan(msgspec.Struct, frozen=True):
    """A job's epilog is over."""

    job_id: int
    failure: str | None


class Around:
    """`programs` gives what is configured now, `tell` takes what has happened; all methods are for one thread."""

    def __init__(self, programs: Callable[[], Programs], tell: Callable[[object], None]) -> None:
        self._programs = programs
        self._tell = tell
        self._one_at_a_time = threading.Lock()
        self._prologs: OrderedDict[Run, PrologRan | None] = OrderedDict()
        self._epilogs: set[int] = set()
        self._concluded: OrderedDict[tuple[int, ...], None] = OrderedDict()

    def prepare(self, run: Run, environment: dict[str, str], *, reported: bool = False) -> None:
        """Run a job's prolog, unless it has been; `PrologRan` comes when it is over."""
        if run in self._prologs:
            ran = self._prologs[run]
            if ran is not None:
                self._tell(msgspec.structs.replace(ran, reported=reported))
            return
        _remember(self._prologs, run, None)
        programs = self._programs()

        def work() -> None:
            failure = self._run("prolog", run[0], programs.prolog, environment, programs.prolog_timeout_s)
            self._tell(PrologRan(*run, failure, reported))

        threading.Thread(target=work, name=f"prolog-{run[0]}", daemon=True).start()

    def prepared(self, ran: PrologRan) -> None:
        """Take note that a prolog is over."""
        _remember(self._prologs, (ran.job_id, ran.restart_count), ran)

    def is_preparing(self, job_id: int) -> bool:
        """Whether a prolog of a job runs."""
        return any(run[0] == job_id and ran is None for run, ran in self._prologs.items())

    def conclude(self, job_id: int, environment: dict[str, str]) -> None:
        """Run a job's epilog, unless it runs; `EpilogRan` comes when it is over."""
        if job_id in self._epilogs:
            return
        self._epilogs.add(job_id)
        programs = self._programs()

        def work() -> None:
            failure = self._run("epilog", job_id, programs.epilog, environment, programs.epilog_timeout_s)
            self._tell(EpilogRan(job_id, failure))

        threading.Thread(target=work, name=f"epilog-{job_id}", daemon=True).start()

    def concluded(self, ran: EpilogRan) -> None:
        """Take note that an epilog is over."""
        self._epilogs.discard(ran.job_id)

    def forget(self, end: tuple[int, ...]) -> None:
        """A controller knows of this end of a job: it needs no further epilog."""
        _remember(self._concluded, end, None)

    def is_concluded(self, end: tuple[int, ...]) -> bool:
        """Whether a controller knows of this end of a job already."""
        return end in self._concluded

    def _run(
        self, what: str, job_id: int, patterns: tuple[str, ...], environment: dict[str, str], timeout_s: float | None
    ) -> str | None:
        began_s = time.monotonic()
        try:
            if self._programs().serial:
                with self._one_at_a_time:
                    failure = run_all(patterns, environment, timeout_s)
            else:
                failure = run_all(patterns, environment, timeout_s)
        except Exception as error:
            log.exception("program crashed here", program=what, job=job_id)
            failure = repr(error)
        took_s = time.monotonic() - began_s
        if failure is not None:
            log.error(f"{what} failed", job=job_id, reason=failure)
        elif took_s > LONG_S:
            log.info(f"{what} took long", job=job_id, seconds=round(took_s, 1))
        return failure


def _remember(table: OrderedDict, key: object, value: object) -> None:
    table[key] = value
    while len(table) > REMEMBERED:
        table.popitem(last=False)
