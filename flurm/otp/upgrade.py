"""Carrying a release into a running system: all of it, or nothing.

    1. the new code is compared with the old and compiled (`flurm.otp.code`)
    2. the processes of updated modules are suspended, each within its time
    3. what changed is executed
    4. `code_change` turns their states over, and they take their new classes
    5. they go on, with every message that came meanwhile

Whatever fails on the way puts the code, the states and the classes back and lets everything go on as it was. So a
`code_change` must return a new state and leave the old one alone. Going back to the release before is an upgrade like
any other, except that the newer code's `code_change` makes the older state: its `old_vsn` is then a `Down`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import structlog

from flurm.otp import debug
from flurm.otp.code import CodeError, Load, Loader
from flurm.otp.errors import CallError, CallTimeout, OtpError
from flurm.otp.gen_server import Behaviour, GenServer
from flurm.otp.gen_statem import GenStatem
from flurm.otp.messages import RuntimeEvent
from flurm.otp.release import ADD, REMOVE, UPDATE, Instruction, Release, difference, read, read_relup
from flurm.otp.supervisor import SupervisorServer

__all__ = ["Down", "Generation", "UpgradeFailed", "Upgrader"]

KEPT_GENERATIONS = 2
SUSPENDERS = 16
RESUME_S = 0.1

_log = structlog.get_logger(__name__)


class UpgradeFailed(Exception):
    """The upgrade was not made; everything is as it was. The text says which part failed and why."""


class Down(msgspec.Struct, frozen=True):
    """`old_vsn` of a `code_change` that goes back: the version that the state is to be made for."""

    vsn: Any


class Generation(msgspec.Struct, frozen=True):
    """A release that runs or ran in this process. The first one is what was installed: it has no directory."""

    version: str
    directory: Path | None
    since_s: float
    sources: dict[str, tuple[Path, str]] = {}
    """Module name -> where its source lies, and the source: what an older generation is brought back from."""


class _Held(msgspec.Struct):
    """A suspended process and how it was."""

    process: Any
    step: Instruction
    module: Any
    state: Any


class Upgrader:
    """Knows which releases run. One upgrade at a time; a second one is refused at once."""

    def __init__(self, system: Any, loader: Loader, version: str, now_s: Callable[[], float] = time.time) -> None:
        self._system, self._loader, self._now_s = system, loader, now_s
        self._busy = threading.Lock()
        loader.remember()
        system.observers.append(self._observe)
        self.generations = [Generation(version, None, now_s())]
        """Newest first; the first is the one that runs."""

    def _observe(self, event: RuntimeEvent) -> None:
        """A process that starts may have imported its module: its source is read before somebody edits the file."""
        if event.kind == "started":
            self._loader.remember()

    @property
    def current(self) -> Generation:
        """The release that runs."""
        return self.generations[0]

    def plan(self, release: Release) -> tuple[Instruction, ...]:
        """What upgrading to a release would do: its own instructions, or those that follow from what runs."""
        relup = read_relup(release, self.current.version)
        if relup is not None:
            return relup.instructions
        old, new = {}, {}
        for module in release.modules:
            new[module] = release.path(module).read_text()
            source = self._loader.source(module)
            if source is not None or module in self._loader.modules():
                old[module] = source or ""
        return difference(old, new, self._modules_with_processes())

    def upgrade(self, directory: Path) -> Generation:
        """Go to the release in a directory. Raises UpgradeFailed; then nothing has changed."""
        with self._alone():
            try:
                release = read(directory)
                steps = self.plan(release)
                sources = {
                    step.module: (path := release.path(step.module), path.read_text())
                    for step in steps
                    if step.do != REMOVE
                }
            except (CodeError, OSError) as error:
                raise UpgradeFailed(str(error)) from error
            if release.version == self.current.version:
                raise UpgradeFailed(f"release {release.version} runs already")
            before = self._running(sources)
            self._carry_out(steps, sources, down=False)
            _prefer(release)
            self.generations[0] = msgspec.structs.replace(self.current, sources=before)
            self.generations.insert(0, Generation(release.version, directory, self._now_s()))
            del self.generations[KEPT_GENERATIONS:]
            _log.info("upgraded", version=release.version, steps=len(steps))
            return self.current

    def rollback(self) -> Generation:
        """Go back to the release before. Raises UpgradeFailed; then nothing has changed."""
        with self._alone():
            if len(self.generations) < 2:
                raise UpgradeFailed(f"there is no release before {self.current.version} to go back to")
            former = self.generations[1]
            held = self._modules_with_processes()
            steps = tuple(Instruction(UPDATE if module in held else "load", module) for module in former.sources)
            self._carry_out(steps, former.sources, down=True)
            _prefer_no_longer(self.current)
            self.generations = [
                msgspec.structs.replace(former, since_s=self._now_s(), sources={}),
                *self.generations[2:],
            ]
            _log.info("rolled back", version=former.version, steps=len(steps))
            return self.current

    def reload(self, module: str) -> str:
        """Load one module anew from its file. Raises UpgradeFailed; then nothing has changed."""
        with self._alone():
            found = self._loader.modules().get(module)
            path = getattr(found, "__file__", None)
            if path is None:
                raise UpgradeFailed(f"{module} is no loaded module of {', '.join(self._loader.packages)}")
            try:
                source = Path(path).read_text()
            except OSError as error:
                raise UpgradeFailed(f"{path}: {error.strerror}") from error
            if source == self._loader.source(module):
                return f"{module} has not changed"
            held = module in self._modules_with_processes()
            self._carry_out(
                (Instruction(UPDATE if held else "load", module),), {module: (Path(path), source)}, down=False
            )
            return f"{module} was loaded from {path}"

    def _alone(self) -> _Alone:
        return _Alone(self._busy)

    def _running(self, sources: Iterable[str]) -> dict[str, tuple[Path, str]]:
        """The sources that run now, of those modules that are about to change."""
        found = {}
        for module in sources:
            source, loaded = self._loader.source(module), self._loader.modules().get(module)
            if source is not None and loaded is not None and loaded.__file__:
                found[module] = (Path(loaded.__file__), source)
        return found

    def _modules_with_processes(self) -> set[str]:
        """Modules that define the class of some process (or a base of it)."""
        return {module for process in self._system.processes() for module in _modules_of(process)}

    def _carry_out(self, steps: tuple[Instruction, ...], sources: dict[str, tuple[Path, str]], *, down: bool) -> None:
        sources = {step.module: sources[step.module] for step in steps if step.do not in (ADD, REMOVE)}
        held: list[_Held] = []
        load: Load | None = None
        try:
            prepared = self._loader.prepare(sources)
            held = self._suspend(steps)
            load = self._loader.carry_out(prepared)
            for each in held:
                self._turn_over(each, load, down)
        except Exception as error:
            if load is not None:
                load.undo()
            for each in held:
                each.process.module, each.process.state = each.module, each.state
                if load is not None and _is_specified_in(each.process, load.changed):
                    each.module.system_code_change(None, each.state, None)
            raise UpgradeFailed(str(error)) from error
        finally:
            for each in held:
                self._resume(each.process)

    def _suspend(self, steps: Iterable[Instruction]) -> list[_Held]:
        """Hold all processes of updated modules; let them all go again where one does not stand still in time."""
        wanted = [(process, step) for step in steps if step.do == UPDATE for process in self._processes_of(step.module)]

        def hold(each: tuple[Any, Instruction]) -> Exception | None:
            try:
                debug.suspend(self._system, each[0].pid, each[1].timeout_s)
            except (OtpError, CallError) as error:
                return error
            return None

        with ThreadPoolExecutor(SUSPENDERS, thread_name_prefix="flurm-upgrade") as pool:
            outcomes = list(pool.map(hold, wanted))
        held = [
            _Held(process, step, process.module, process.state)
            for (process, step), failed in zip(wanted, outcomes, strict=True)
            if failed is None
        ]
        for (process, step), failed in zip(wanted, outcomes, strict=True):
            if failed is not None and not process.exited:
                for other, _ in wanted:
                    self._resume(other)
                why = (
                    f"did not stand still within {step.timeout_s:g} s"
                    if isinstance(failed, CallTimeout)
                    else str(failed)
                )
                raise UpgradeFailed(f"{process.name or process.pid} {why}")
        return held

    def _processes_of(self, module: str) -> Iterator[Any]:
        for process in self._system.processes():
            if module in _modules_of(process):
                yield process

    def _turn_over(self, held: _Held, load: Load, down: bool) -> None:
        """Have the newer class make the state of the older one, or the other way round."""
        process, old = held.process, held.module.code_class()
        new = load.swapped.get(old)
        if process.exited or (new is None and not _modules_of(process) & load.changed.keys()):
            return
        name = process.name or process.pid
        try:
            if down and not isinstance(held.module, SupervisorServer):
                _go_down(process, new or old, held.step.extra)
            else:
                debug.change_code(self._system, process.pid, new, old.vsn, held.step.extra, held.step.timeout_s)
        except CallTimeout as error:
            self._system.kill(process.pid)
            raise UpgradeFailed(f"code_change of {name} did not end; the process is started anew") from error
        except Exception as error:
            raise UpgradeFailed(f"code_change of {name} failed: {error}") from error

    def _resume(self, process: Any) -> None:
        """Let a process go on; one that is busy finds this after the request to stand still, and goes on, too."""
        try:
            debug.resume(self._system, process.pid, RESUME_S)
        except CallTimeout:
            return
        except (OtpError, CallError) as error:
            if not process.exited:
                _log.error("process does not go on", process=process.name, reason=str(error))


class _Alone:
    """Holds the lock of upgrades, or says that somebody else does."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise UpgradeFailed("another upgrade is under way; try again when it is done")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _modules_of(process: Any) -> set[str]:
    """The modules whose code a process runs: of its class and bases, of its state, of a supervisor's specification."""
    modules = {cls.__module__ for cls in process.module.code_class().__mro__ if issubclass(cls, Behaviour)}
    if isinstance(process.module, SupervisorServer) and isinstance(process.module.start, str):
        modules.add(process.module.start.partition(":")[0])
    modules.update(process.module.runs_code_of(process.state))
    return modules - {GenServer.__module__, GenStatem.__module__}


def _is_specified_in(process: Any, changed: Iterable[str]) -> bool:
    """Whether this is a supervisor whose specification stands in one of these modules."""
    module = process.module
    return isinstance(module, SupervisorServer) and str(module.start).partition(":")[0] in changed


def _go_down(process: Any, older: type[Behaviour], extra: Any) -> None:
    """The newer class's code_change, which alone knows its state, run when the older records are back in its module."""
    state = process.module.system_code_change(Down(older.vsn), process.state, extra)
    process.module, process.state = process.module.system_new_module(older), state


def _prefer(release: Release) -> None:
    """Modules that are imported from now on come from the release."""
    for name in release.modules:
        package = sys.modules.get(name)
        path = release.path(name)
        if package is not None and path.name == "__init__.py" and hasattr(package, "__path__"):
            package.__path__ = [str(path.parent), *(each for each in package.__path__ if each != str(path.parent))]


def _prefer_no_longer(generation: Generation) -> None:
    if generation.directory is None:
        return
    for module in list(sys.modules.values()):
        path = getattr(module, "__path__", None)
        if path is not None and any(Path(each).is_relative_to(generation.directory) for each in path):
            module.__path__ = [each for each in path if not Path(each).is_relative_to(generation.directory)]
