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
from pathlib import Path
from typing import Any

import msgspec
import structlog

from flurm.otp import debug
from flurm.otp.code import CodeError, Load, Loader
from flurm.otp.errors import CallError, CallTimeout, NoProcess, ProcessDown
from flurm.otp.gen_server import Behaviour, GenServer
from flurm.otp.gen_statem import GenStatem
from flurm.otp.messages import RuntimeEvent
from flurm.otp.release import ADD, LOAD, REMOVE, UPDATE, Instruction, Release, difference, read, read_relup
from flurm.otp.runtime.debugging import Down
from flurm.otp.runtime.sender import ANSWERED, DOWN
from flurm.otp.supervisor import SupervisorServer

__all__ = ["Down", "Generation", "UpgradeFailed", "Upgrader"]

KEPT_GENERATIONS = 2
PATIENCE = 2
"""How many times the time that a process has to stand still may go by until all do."""
RESUME_S = 0.1

_log = structlog.get_logger(__name__)


class UpgradeFailed(Exception):
    """The upgrade was not made; everything is as it was. The text says which part failed and why."""


class _Outdated(UpgradeFailed):
    """A process that was started meanwhile has imported a module of the release from where it lay before."""


class Generation(msgspec.Struct, frozen=True):
    """A release that runs or ran in this process. The first one is what was installed: it has no directory."""

    version: str
    directory: Path | None
    since_s: float
    sources: dict[str, tuple[Path, str]] = {}
    """Module name -> where its source lies, and the source: what an older generation is brought back from."""


class _Held(msgspec.Struct):
    """A process that was told to stand still; from when it does, what it was. `module` is None until then."""

    process: Any
    step: Instruction
    module: Any = None
    state: Any = None
    vsn: Any = None

    def stands_still(self) -> None:
        """It does now. The version is noted, because a class that has subclasses is changed in place."""
        self.module, self.state = self.process.module, self.process.state
        self.vsn = self.module.code_class().vsn

    def put_back(self) -> None:
        """Be what it was."""
        if self.module is not None and not self.process.exited:
            self.process.module, self.process.state = self.module, self.state


class Upgrader:
    """Knows which releases run. One upgrade at a time; a second one is refused at once."""

    def __init__(
        self,
        system: Any,
        loader: Loader,
        version: str,
        now_s: Callable[[], float] = time.time,
        accept: Callable[[], None] = lambda: None,
    ) -> None:
        """`accept` is asked while the new code is in place and all stand still; what it raises undoes everything."""
        self._system, self._loader, self._now_s, self._accept = system, loader, now_s, accept
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
        done: Generation = self._by_itself(lambda: self._upgrade(directory))
        return done

    def rollback(self) -> Generation:
        """Go back to the release before. Raises UpgradeFailed; then nothing has changed."""
        done: Generation = self._by_itself(self._rollback)
        return done

    def reload(self, module: str) -> str:
        """Load one module anew from its file. Raises UpgradeFailed; then nothing has changed."""
        told: str = self._by_itself(lambda: self._reload(module))
        return told

    def _upgrade(self, directory: Path) -> Generation:
        try:
            release = read(directory)
            loaded = self._loader.modules()
            steps = tuple(
                msgspec.structs.replace(step, do=UPDATE) if step.do == ADD and step.module in loaded else step
                for step in self.plan(release)
            )
            sources = {
                step.module: (path := release.path(step.module), path.read_text())
                for step in steps
                if step.do != REMOVE
            }
        except (CodeError, OSError, UnicodeDecodeError) as error:
            raise UpgradeFailed(str(error)) from error
        if release.version == self.current.version:
            raise UpgradeFailed(f"release {release.version} runs already")
        before = self._running(sources)
        try:
            self._carry_out(steps, sources, down=False, move=lambda: _prefer(release))
        except _Outdated:
            return self._upgrade(directory)
        self.generations[0] = msgspec.structs.replace(self.current, sources=before)
        self.generations.insert(0, Generation(release.version, directory, self._now_s()))
        del self.generations[KEPT_GENERATIONS:]
        _log.info("upgraded", version=release.version, steps=len(steps))
        return self.current

    def _rollback(self) -> Generation:
        if len(self.generations) < 2:
            raise UpgradeFailed(f"there is no release before {self.current.version} to go back to")
        former = self.generations[1]
        held = self._modules_with_processes()
        sources = {**self._imported_since(), **former.sources}
        steps = tuple(Instruction(UPDATE if module in held else LOAD, module) for module in sources)
        self._carry_out(steps, sources, down=True, move=lambda: _prefer_no_longer(self.current))
        self.generations = [
            msgspec.structs.replace(former, since_s=self._now_s(), sources={}),
            *self.generations[2:],
        ]
        _log.info("rolled back", version=former.version, steps=len(steps))
        return self.current

    def _reload(self, module: str) -> str:
        found = self._loader.modules().get(module)
        path = getattr(found, "__file__", None)
        if path is None:
            raise UpgradeFailed(f"{module} is no loaded module of {', '.join(self._loader.packages)}")
        try:
            source = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise UpgradeFailed(f"{path}: {error}") from error
        if source == self._loader.source(module):
            return f"{module} has not changed"
        held = module in self._modules_with_processes()
        self._carry_out((Instruction(UPDATE if held else LOAD, module),), {module: (Path(path), source)}, down=False)
        return f"{module} was loaded from {path}"

    def _by_itself(self, work: Callable[[], Any]) -> Any:
        """Do it beside the caller, who may give up waiting without leaving it half done. One at a time."""
        outcome = self._system.new_outcome()

        def run() -> None:
            result: tuple[int, Any] = DOWN, UpgradeFailed("another upgrade is under way; try again when it is done")
            if self._busy.acquire(blocking=False):
                try:
                    result = ANSWERED, work()
                except BaseException as error:
                    result = DOWN, error
                finally:
                    self._busy.release()
            outcome.settle(*result)

        self._system.beside(run)
        kind, value = outcome.wait(float("inf"))
        if kind == DOWN:
            raise value
        return value

    def _running(self, sources: Iterable[str]) -> dict[str, tuple[Path, str]]:
        """The sources that run now, of those modules that are about to change."""
        found = {}
        for module in sources:
            source, loaded = self._loader.source(module), self._loader.modules().get(module)
            if source is not None and loaded is not None and loaded.__file__:
                found[module] = (Path(loaded.__file__), source)
        return found

    def _imported_since(self) -> dict[str, tuple[Path, str]]:
        """What the release before has in the place of modules that were first imported from the present one."""
        found = {}
        for name, module in self._loader.modules().items():
            package = sys.modules.get(name.rpartition(".")[0])
            if package is None or not _is_from(module.__file__, self.current.directory):
                continue
            for each in package.__path__:
                path = Path(each) / f"{name.rpartition('.')[2]}.py"
                if not _is_from(each, self.current.directory) and path.is_file():
                    found[name] = (path, path.read_text())
                    break
        return found

    def _modules_with_processes(self) -> set[str]:
        """Modules that define the class of some process (or a base of it)."""
        return {module for process in self._system.processes() for module in _modules_of(process)}

    def _carry_out(
        self,
        steps: tuple[Instruction, ...],
        sources: dict[str, tuple[Path, str]],
        *,
        down: bool,
        move: Callable[[], None] = lambda: None,
    ) -> None:
        """All steps or none; `move` has imports look in another place from when the code changes."""
        sources = {step.module: sources[step.module] for step in steps if step.do not in (ADD, REMOVE)}
        held: list[_Held] = []
        load: Load | None = None
        paths = {module: list(module.__path__) for module in self._loader.modules().values() if _is_package(module)}
        try:
            prepared = self._loader.prepare(sources)
            self._hold(steps, held)
            if any(step.do == ADD and step.module in self._loader.modules() for step in steps):
                raise _Outdated("a module was imported in the meantime")
            move()
            load = self._loader.carry_out(prepared)
            for each in held:
                self._turn_over(each, load, down)
            self._accept()
        except BaseException as error:
            for package, path in paths.items():
                package.__path__ = path
            if load is not None:
                load.undo()
                for each in held:
                    each.put_back()
            if isinstance(error, UpgradeFailed):
                raise
            raise UpgradeFailed(str(error)) from error
        finally:
            self._system.allow_births()
            self._resume(held)

    def _hold(self, steps: Iterable[Instruction], held: list[_Held]) -> None:
        """Have all processes of updated modules stand still, and nobody born until the code is whole again.

        Births are held last, when all stand still: a supervisor that is to stand still may have to start a child first.
        A module that no process ran when the plan was made may have one by now, born a moment before births were held.
        """
        updates = [step for step in steps if step.do in (UPDATE, LOAD)]
        last_s = self._system.monotonic_s() + PATIENCE * max((step.timeout_s for step in updates), default=0.0)
        while True:
            known = {each.process for each in held}
            wanted = [
                _Held(process, step)
                for step in updates
                for process in self._processes_of(step.module)
                if process not in known
            ]
            if not wanted and self._system.births_held:
                return
            if not wanted:
                self._system.hold_births()
                continue
            self._system.allow_births()
            if self._system.monotonic_s() > last_s:
                raise UpgradeFailed(f"processes of {wanted[0].step.module} are started faster than they stand still")
            held += wanted
            self._suspend(wanted)

    def _suspend(self, wanted: list[_Held]) -> None:
        """Have processes stand still, each within its time, counted from now for all of them."""
        began_s = self._system.monotonic_s()
        for each, asked in self._ask(wanted, "suspend"):
            process, timeout_s = each.process, each.step.timeout_s
            try:
                left_s = max(began_s + timeout_s - self._system.monotonic_s(), 0)
                self._system.sys_answer(asked, process.pid, left_s)
            except CallTimeout as error:
                name = process.name or process.pid
                raise UpgradeFailed(f"{name} did not stand still within {timeout_s:g} s") from error
            except ProcessDown:
                continue
            each.stands_still()

    def _ask(self, held: Iterable[_Held], kind: str) -> list[tuple[_Held, Any]]:
        """A request to each process that still lives."""
        asked = []
        for each in held:
            try:
                asked.append((each, self._system.sys_post(each.process.pid, kind)))
            except NoProcess:
                continue
        return asked

    def _processes_of(self, module: str) -> Iterator[Any]:
        for process in self._system.processes():
            if module in _modules_of(process):
                yield process

    def _turn_over(self, held: _Held, load: Load, down: bool) -> None:
        """Have the newer class make the state of the older one, or the other way round.

        A process that ends in the meantime is none of ours: whoever starts it anew starts the new code.
        """
        process = held.process
        if process.exited or held.module is None:
            return
        old: type[Behaviour] = held.module.code_class()
        new = load.swapped.get(old)
        if new is None and not _modules_of(process) & load.changed.keys():
            return
        older: Any = new or old
        vsn = Down(older.vsn) if down else held.vsn
        name = process.name or process.pid
        try:
            debug.change_code(self._system, process.pid, new, vsn, held.step.extra, held.step.timeout_s)
        except ProcessDown:
            return
        except CallTimeout as error:
            self._system.kill(process.pid)
            raise UpgradeFailed(f"code_change of {name} did not end; the process is started anew") from error
        except Exception as error:
            raise UpgradeFailed(f"code_change of {name} failed: {error}") from error

    def _resume(self, held: Iterable[_Held]) -> None:
        """Let all go on; one that is busy finds this after the request to stand still, and goes on, too."""
        for each, asked in self._ask(held, "resume"):
            if each.module is not None:
                try:
                    self._system.sys_answer(asked, each.process.pid, RESUME_S)
                except CallError:
                    continue


def _modules_of(process: Any) -> set[str]:
    """The modules whose code a process runs: of its class and bases, of its state, of a supervisor's specification."""
    modules = {cls.__module__ for cls in process.module.code_class().__mro__ if issubclass(cls, Behaviour)}
    if isinstance(process.module, SupervisorServer) and isinstance(process.module.start, str):
        modules.add(process.module.start.partition(":")[0])
    state = process.state
    if state is not None:  # it has none before its init, and after its end
        modules.update(process.module.runs_code_of(state))
    return modules - {GenServer.__module__, GenStatem.__module__}


def _is_package(module: Any) -> bool:
    return hasattr(module, "__path__")


def _is_from(path: str | None, directory: Path | None) -> bool:
    return path is not None and directory is not None and Path(path).is_relative_to(directory)


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
