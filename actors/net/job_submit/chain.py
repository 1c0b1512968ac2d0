"""The plugins of JobSubmitPlugins, one after the other, in a thread of their own and within a time.

They run at the controller in charge, in front of the managers: before there is a command, so that nothing of them is
ever replicated or carried out again. A connection handler waits for its turn, no manager does. One thread carries them
out, as Slurm does it under a lock. What takes longer than `LIMIT_S` is refused; a Lua script is stopped then, a Python
hook has an exception raised in it. A thread that does not even end by that (it waits for something outside) is left
behind, and the next request has a fresh one with fresh scripts; after `MOST_LEFT_BEHIND` of these all is refused until
one of them ends.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import structlog

from actors.net.job_submit.lua_script import LuaScript
from actors.net.job_submit.plugins import AllPartitions, Case, Logging, Plugin, RequireTimeLimit
from actors.net.job_submit.python_hook import PythonHook
from actors.net.job_submit.script import Script
from flurm.bridge.context import Context
from flurm.bridge.hooks import ERROR, JobView, Verdict
from flurm.config import Config, ConfigError
from flurm.core.job_records import Job
from protocol.messages import JobDescription

__all__ = ["LIMIT_S", "Chain", "check"]

LIMIT_S = 5.0
GRACE_S = 0.5
MOST_LEFT_BEHIND = 4
_FAILED = "the site's job_submit failed; tell an administrator"
_TOO_LONG = "the site's job_submit script took too long; tell an administrator"

log = structlog.get_logger(__name__)


def check(config: Config) -> None:
    """Refuse plugins whose scripts cannot be loaded. Raises ConfigError."""
    _plugins(config)


def _plugins(config: Config) -> tuple[Plugin, ...]:
    return tuple(_plugin(name, config) for name in config.job_submit_plugins)


def _plugin(name: str, config: Config) -> Plugin:
    folder = Path(config.slurm_conf or config.source or "/etc/slurm/slurm.conf").parent
    try:
        match name:
            case "lua":
                return Script(folder / "job_submit.lua", LuaScript)
            case "python":
                return Script(folder / "job_submit.py", PythonHook)
            case "all_partitions":
                return AllPartitions()
            case "require_timelimit":
                return RequireTimeLimit()
            case "logging":
                return Logging()
    except Exception as error:
        raise ConfigError(
            f"a script that can be loaded: {error}", file=config.slurm_conf or config.source or "defaults",
            key="JobSubmitPlugins", value=name,
        ) from error  # fmt: skip
    raise AssertionError(name)


class Chain:
    """Has the configured plugins look at requests; `limit_s` bounds each."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._left_behind: list[_Worker] = []

    def look(self, record: JobDescription, job: Job | None, context: Context) -> Verdict:
        """Have all plugins look at a submission, or at a change of `job`; they may change the record."""
        try:
            worker = self._current(context.config)
        except ConfigError as error:
            log.error("job_submit: all is refused until the script can be loaded", reason=str(error))
            return Verdict(ERROR, _FAILED)
        if worker is None:
            return Verdict(ERROR, _TOO_LONG)
        case = Case(JobView(record, context), context, job)
        turn = worker.begin(case)
        if not turn.done.wait(self._limit_s * 2 + GRACE_S):
            log.error("job_submit: left behind a script that does not end", uid=context.uid)
            self._leave_behind(worker)
            return Verdict(ERROR, _TOO_LONG)
        message = "\n".join(case.messages) if case.job is None and case.messages else None
        return Verdict(turn.code, message)

    def _current(self, config: Config) -> _Worker | None:
        with self._lock:
            self._left_behind = [each for each in self._left_behind if each.is_alive]
            if len(self._left_behind) >= MOST_LEFT_BEHIND:
                return None
            worker = self._worker
            if (
                worker is None
                or not worker.is_alive
                or worker.names != config.job_submit_plugins
                or worker.source != config.slurm_conf
            ):
                if worker is not None:
                    worker.end()
                worker = self._worker = _Worker(config, self._limit_s)
            return worker

    def _leave_behind(self, worker: _Worker) -> None:
        with self._lock:
            if self._worker is worker:
                self._worker = None
                worker.end()
                self._left_behind.append(worker)


class _Turn:
    def __init__(self, case: Case) -> None:
        self.case, self.code, self.done = case, ERROR, threading.Event()


class _Worker:
    """One thread with its own plugins; a watch beside it interrupts what takes too long."""

    def __init__(self, config: Config, limit_s: float) -> None:
        self.names, self.source = config.job_submit_plugins, config.slurm_conf
        self._plugins = _plugins(config)
        self._limit_s = limit_s
        self._turns: SimpleQueue[_Turn | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="job_submit", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether its thread has not ended."""
        return self._thread.is_alive()

    def begin(self, case: Case) -> _Turn:
        """Put a request in line."""
        turn = _Turn(case)
        self._turns.put(turn)
        return turn

    def end(self) -> None:
        """Have the thread end when it has nothing to do."""
        self._turns.put(None)

    def _run(self) -> None:
        while (turn := self._turns.get()) is not None:
            watch = threading.Timer(self._limit_s, _interrupt, (self._thread,)) if self._has_python() else None
            if watch is not None:
                watch.start()
            try:
                turn.code = self._look(turn.case)
            except BaseException as error:
                log.error("job_submit failed", reason=repr(error))
                turn.case.messages.append(_TOO_LONG if isinstance(error, TimeoutError) else _FAILED)
            finally:
                if watch is not None:
                    watch.cancel()
                turn.done.set()

    def _has_python(self) -> bool:
        return "python" in self.names

    def _look(self, case: Case) -> int:
        until_s = time.monotonic() + self._limit_s
        for plugin in self._plugins:
            if isinstance(plugin, Script):
                plugin.expired = _after(until_s)
            code = plugin.look(case)
            if code:
                return code
        return 0


def _after(until_s: float) -> Callable[[], bool]:
    return lambda: time.monotonic() > until_s


def _interrupt(thread: threading.Thread) -> None:
    """Raise TimeoutError in a thread at its next Python instruction."""
    number: Any = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(TimeoutError))
