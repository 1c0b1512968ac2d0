"""Who runs the programs of `Cluster.programs`: beside the job manager, as node agents are beside the node manager.

The table says what is to run. `follow` compares it with what runs: what is new is begun, in order and at most
`AT_ONCE` of a kind; what is no longer in it is killed. An end is told as `Ended`; the job manager proposes it, and
again until the table no longer has the program, so that a proposal that is lost loses nothing. A controller that no
longer leads kills what it runs; the next leader begins it anew.

The processes themselves belong to the keeper (`actors.programs.keeper`), which is started with the first program and
whose death is told as `KeeperGone`: what ran is begun again, by a new one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import structlog

from flurm.bridge.job_programs import order_of
from flurm.config.records import Config
from flurm.core.commands import ProgramDone
from flurm.core.job_records import ProgramRun
from flurm.core.records import Cluster

AT_ONCE = 64
AGAIN_S = 5.0
_KEEPER = Path(__file__).with_name("keeper.py")

log = structlog.get_logger(__name__)


class Ended(msgspec.Struct, frozen=True):
    """A program is over, or could not be begun."""

    run: int
    status: int = 0
    """As wait(2) gives it."""
    error: str | None = None
    output: str = ""


class KeeperGone(msgspec.Struct, frozen=True):
    """The keeper of this number has ended, and its programs with it."""

    number: int


Tell = Callable[[Ended | KeeperGone], None]


class Keeper:
    """The keeper process, and two threads that talk with it; what a simulation puts in its place has the same
    methods."""

    def __init__(self, number: int, tell: Tell) -> None:
        self._number, self._tell = number, tell
        self._orders: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_KEEPER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"LC_ALL": "C.UTF-8"}, start_new_session=True,
        )  # fmt: skip
        for work in (self._write, self._read):
            threading.Thread(target=work, name="flurm-programs", daemon=True).start()

    def begin(self, order: dict[str, Any]) -> None:
        """Run a program."""
        self._orders.put(order)

    def end(self, run: int) -> None:
        """Kill it."""
        self._orders.put({"end": run})

    def close(self) -> None:
        """Kill all of them."""
        self._orders.put(None)

    def _write(self) -> None:
        assert self._process.stdin is not None
        try:
            while (order := self._orders.get()) is not None:
                self._process.stdin.write(json.dumps(order).encode() + b"\n")
                self._process.stdin.flush()
            self._process.stdin.close()
        except OSError as error:
            log.debug("the keeper of programs hears nothing more", reason=str(error))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._tell(msgspec.json.decode(line, type=Ended))
        self._orders.put(None)
        self._process.wait()
        self._tell(KeeperGone(self._number))


class Programs:
    """What runs, of what is to run."""

    def __init__(self, env: dict[str, Any], tell: Tell) -> None:
        self._env, self._tell = env, tell
        self._make_keeper: Callable[[int, Tell], Keeper] = env.get("keeper", Keeper)
        self._keeper: Keeper | None = None
        self._keepers = 0
        self._seen = 0
        self._waiting: defaultdict[str, deque[int]] = defaultdict(deque)
        self._running: dict[int, tuple[ProgramRun, int]] = {}
        self._told: dict[int, tuple[ProgramDone, float]] = {}
        self._at_once: Counter[str] = Counter()

    def follow(self, cluster: Cluster) -> None:
        """Begin what is new in the table, kill what is gone from it."""
        wanted = cluster.programs
        for number in [number for number in self._running if number not in wanted]:
            if self._keeper is not None:
                self._keeper.end(number)
            self._is_over(number)
        for number in [number for number in self._told if number not in wanted]:
            del self._told[number]
        if self._seen < cluster.next_program:
            fresh = range(self._seen, cluster.next_program) if self._seen else sorted(wanted)
            for number in fresh:
                if number in wanted:
                    self._waiting[wanted[number].kind].append(number)
            self._seen = cluster.next_program
        self._begin_waiting(cluster)

    def _begin_waiting(self, cluster: Cluster) -> None:
        if not any(self._waiting.values()) or not self._has_keeper():
            return
        for kind, waiting in self._waiting.items():
            while waiting and self._at_once[kind] < AT_ONCE:
                run = cluster.programs.get(waiting.popleft())
                if run is not None:
                    self._at_once[kind] += 1
                    self._begin(run, 0, cluster)

    def _begin(self, run: ProgramRun, place: int, cluster: Cluster) -> None:
        self._running[run.id] = (run, place)
        config: Config = self._env["config"]
        assert self._keeper is not None
        self._keeper.begin(order_of(run, place, cluster, config))

    def ended(self, ended: Ended, cluster: Cluster, now_s: float) -> ProgramDone | None:
        """What is to be proposed now that a program has ended; None where more of its kind follow, or nobody waits."""
        known = self._running.get(ended.run)
        if known is None:
            return None
        run, place = known
        failed = bool(ended.status) or ended.error is not None
        _log_end(run, place, ended)
        if not failed and place + 1 < len(run.programs) and run.id in cluster.programs:
            self._begin(run, place + 1, cluster)
            return None
        self._is_over(run.id)
        done = ProgramDone(now_s=int(now_s), id=run.id, status=ended.status, error=ended.error)
        if run.id in cluster.programs:
            self._told[run.id] = (done, now_s)
        self._begin_waiting(cluster)
        return done

    def _is_over(self, number: int) -> None:
        run, _ = self._running.pop(number)
        self._at_once[run.kind] -= 1

    def untaken(self, now_s: float) -> list[ProgramDone]:
        """Ends that were told and are not written down: to be told again."""
        late = [done for done, told_s in self._told.values() if now_s - told_s >= AGAIN_S]
        for done in late:
            self._told[done.id] = (done, now_s)
        return late

    def keeper_gone(self, gone: KeeperGone) -> None:
        """A keeper has ended without being told to: what ran in it waits to begin again, in a new one."""
        if self._keeper is None or gone.number != self._keepers:
            return
        log.error("the keeper of programs has ended; what ran begins again", programs=len(self._running))
        self._keeper = None
        for number in sorted(self._running, reverse=True):
            self._waiting[self._running[number][0].kind].appendleft(number)
            self._is_over(number)

    def stop(self) -> None:
        """Kill everything: another controller leads, or this one ends."""
        if self._keeper is not None:
            self._keeper.close()
        self._keeper = None
        self._seen = 0
        for kept in (self._waiting, self._running, self._told, self._at_once):
            kept.clear()

    def _has_keeper(self) -> bool:
        """Whether there is a keeper; one that cannot be started is tried again when the table is looked at again."""
        if self._keeper is None:
            self._keepers += 1
            try:
                self._keeper = self._make_keeper(self._keepers, self._tell)
            except OSError as error:
                log.error("programs cannot be run: no process for their keeper", reason=str(error))
        return self._keeper is not None


def _log_end(run: ProgramRun, place: int, ended: Ended) -> None:
    about = {
        "program": run.programs[place], "kind": run.kind, "job": run.job.id if run.job is not None else None,
        "status": ended.status,
    }  # fmt: skip
    if ended.status or ended.error is not None:
        log.error("program failed", reason=ended.error, printed=ended.output, **about)
    else:
        log.debug("program ended", **about)
