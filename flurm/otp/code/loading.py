"""Loading new versions of modules into the ones that run, and taking them back.

`Loader.prepare` takes the sources of all modules of a release that changed, in any order, and looks for everything that
can go wrong without touching anything. `carry_out` then executes what changed, modules before those that import them,
and renews what other modules have imported by name. `Load.undo` puts every object back where and as it was.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from flurm.otp.code.errors import CodeError, NotReplaceable
from flurm.otp.code.patching import Undo, patch_class, patch_function
from flurm.otp.code.statements import CLASS, FUNCTION, Difference, Kind, compare, imported_names, imports

__all__ = ["Load", "Loader", "Prepared"]

_MISSING = object()


class Step(NamedTuple):
    """One module's change, ready to be executed."""

    name: str
    path: Path
    source: str
    difference: Difference
    code: CodeType


class Importer(NamedTuple):
    """`module` holds as `name` what `changed` calls `theirs`."""

    module: str
    name: str
    changed: str
    theirs: str


class Prepared(NamedTuple):
    """New code that was compared and compiled, modules before those that import them."""

    steps: tuple[Step, ...]
    importers: tuple[Importer, ...]


class Load:
    """New code that has been loaded: what it changed, and the way back."""

    def __init__(self) -> None:
        self.changed: dict[str, Difference] = {}
        self.swapped: dict[type, type] = {}
        """Old class of a process -> the class that takes its place."""
        self._undo: list[Undo] = []

    def did(self, undo: Undo) -> None:
        """Remember how to take back what was just done."""
        self._undo.append(undo)

    def undo(self) -> None:
        """Put everything back, the last change first."""
        while self._undo:
            self._undo.pop()()


class Loader:
    """Knows the source that each module runs, whatever lies on disk by now.

    `is_swapped(class)` says which classes are those of processes; `packages` are the top-level names whose modules may
    be replaced.
    """

    def __init__(self, packages: Iterable[str], is_swapped: Callable[[type], bool]) -> None:
        self.packages = tuple(packages)
        self._is_swapped = is_swapped
        self._sources: dict[str, str | None] = {}
        self._seen = 0

    def remember(self) -> None:
        """Read the sources of all modules that are loaded; to be called when they are still what was loaded."""
        if len(sys.modules) == self._seen:
            return
        self._seen = len(sys.modules)
        for name, module in self.modules().items():
            if name not in self._sources:
                self._sources[name] = _source_on_disk(module)

    def modules(self) -> dict[str, ModuleType]:
        """The loaded modules that may be replaced."""
        return {name: module for name, module in list(sys.modules.items()) if self._is_ours(name)}

    def source(self, name: str) -> str | None:
        """The source that a loaded module runs; None for a module that is not loaded or has none."""
        if name not in self._sources and name in sys.modules and self._is_ours(name):
            self._sources[name] = _source_on_disk(sys.modules[name])
        return self._sources.get(name)

    def load(self, sources: Mapping[str, tuple[Path, str]]) -> Load:
        """`prepare` and `carry_out` in one."""
        return self.carry_out(self.prepare(sources))

    def prepare(self, sources: Mapping[str, tuple[Path, str]]) -> Prepared:
        """Compare and compile new sources, by module name; modules that are not loaded wait for their first import.

        This is what takes long, and nothing need be held for it. Raises CodeError for code that is wrong,
        NotReplaceable for code that needs a rolling upgrade.
        """
        differences = self._differences(sources)
        for name, difference in differences.items():
            self._check(name, difference)
        steps = []
        for name in _in_order({name: sources[name][1] for name in differences}):
            path, source = sources[name]
            code = compile(differences[name].execute, str(path), "exec", dont_inherit=True)
            steps.append(Step(name, path, source, differences[name], code))
        return Prepared(tuple(steps), tuple(self._importers(differences)))

    def carry_out(self, prepared: Prepared) -> Load:
        """Make the change. Raises CodeError, and then nothing has changed."""
        load = Load()
        try:
            for step in prepared.steps:
                self._replace(step, load)
            for importer in prepared.importers:
                _renew(importer, load)
        except BaseException as error:
            load.undo()
            if isinstance(error, CodeError) or not isinstance(error, Exception):
                raise
            raise CodeError(f"{_place(error)}: {type(error).__name__}: {error}") from error
        load.changed = {step.name: step.difference for step in prepared.steps}
        return load

    def _is_ours(self, name: str) -> bool:
        return name.partition(".")[0] in self.packages

    def _differences(self, sources: Mapping[str, tuple[Path, str]]) -> dict[str, Difference]:
        found = {}
        for name, (_, new) in sources.items():
            if not self._is_ours(name):
                raise CodeError(f"{name} is in none of the packages {', '.join(self.packages)}")
            old = self.source(name)
            if old is None:
                compare(name, "", new)  # not loaded yet: it only has to be Python
            elif difference := compare(name, old, new):
                found[name] = difference
        return found

    def _check(self, name: str, difference: Difference) -> None:
        """Refuse what would leave values of an old kind behind."""
        module = sys.modules[name]
        private = self._private_records(module)
        for each, kind in difference.changed.items():
            if kind != CLASS or each in private or not _is_data(vars(module).get(each)):
                continue
            raise NotReplaceable(
                f"{name}.{each} is a record, message or enum, and values of it exist already: "
                "this change needs a rolling upgrade"
            )

    def _private_records(self, module: ModuleType) -> set[str]:
        """Records of a process's module that no other module imports: its state, which `code_change` converts."""
        if not any(isinstance(value, type) and self._is_swapped(value) for value in _own(module).values()):
            return set()
        shared = set()
        for name in self.modules():
            source = self.source(name)
            if name == module.__name__ or source is None or not _may_import(source, module.__name__):
                continue
            if module.__name__ in imports(source):
                shared |= {each for each, _ in imported_names(source, module.__name__)}
                shared |= _attributes_used(source, module.__name__)
        return set(vars(module)) - shared

    def _replace(self, step: Step, load: Load) -> None:
        module, difference = sys.modules[step.name], step.difference
        before = dict(vars(module))
        old_source = self._sources[step.name]

        def undo() -> None:
            vars(module).clear()
            vars(module).update(before)
            self._sources[step.name] = old_source

        load.did(undo)
        linecache.checkcache(str(step.path))
        exec(step.code, vars(module))
        for each in difference.gone:
            vars(module).pop(each, None)
        for each, kind in difference.changed.items():
            self._take_over(module, each, kind, before.get(each, _MISSING), load)
        module.__file__ = str(step.path)
        module.__spec__ = importlib.util.spec_from_file_location(step.name, step.path)
        self._sources[step.name] = step.source

    def _take_over(self, module: ModuleType, name: str, kind: Kind, old: Any, load: Load) -> None:
        """What others may hold on to becomes what it shall be, or is noted as swapped."""
        new = vars(module).get(name)
        if old is _MISSING or old is new:
            return
        if isinstance(old, type) and isinstance(new, type):
            if self._is_swapped(old) and not old.__subclasses__():
                load.swapped[old] = new
            elif kind == CLASS and not _is_data(old):
                load.did(patch_class(old, new))
                setattr(module, name, old)
        elif kind == FUNCTION and isinstance(old, FunctionType) and isinstance(new, FunctionType):
            load.did(patch_function(old, new))
            setattr(module, name, old)

    def _importers(self, differences: Mapping[str, Difference]) -> Iterator[Importer]:
        """Who has imported something by name from a module that changes."""
        for name in self.modules():
            source = self.source(name)
            if source is None or not any(_may_import(source, changed) for changed in differences):
                continue
            for changed in differences.keys() & imports(source):
                for theirs, ours in imported_names(source, changed):
                    yield Importer(name, ours, changed, theirs)


def _may_import(source: str, module: str) -> bool:
    """Whether a look into the source is worth the time: it says the module's last name somewhere."""
    return module.rpartition(".")[2] in source


def _renew(importer: Importer, load: Load) -> None:
    """Constants, decorated functions and swapped classes that another module has imported by name."""
    module, fresh = sys.modules[importer.module], vars(sys.modules[importer.changed])
    old = vars(module).get(importer.name, _MISSING)
    if importer.theirs in fresh and old is not fresh[importer.theirs]:
        load.did(_restorer(module, importer.name, old))
        setattr(module, importer.name, fresh[importer.theirs])


def _restorer(module: ModuleType, name: str, value: Any) -> Undo:
    def undo() -> None:
        if value is _MISSING:
            vars(module).pop(name, None)
        else:
            setattr(module, name, value)

    return undo


def _is_data(value: Any) -> bool:
    """Whether this is a class whose instances are values that travel: records, messages, enums."""
    if not isinstance(value, type):
        return False
    return hasattr(value, "__struct_fields__") or is_dataclass(value) or issubclass(value, Enum | tuple)


def _own(module: ModuleType) -> dict[str, Any]:
    return {
        name: value for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__
    }


def _source_on_disk(module: ModuleType) -> str | None:
    path = getattr(module, "__file__", None)
    if path is None or not path.endswith(".py"):
        return None
    try:
        return Path(path).read_text()
    except OSError:
        return None


def _attributes_used(source: str, module: str) -> set[str]:
    """Names that a source takes from a module that it imports as a whole: `m.Name`."""
    tree = ast.parse(source)
    parent, _, last = module.rpartition(".")
    aliases = {module}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == parent:
            aliases.update(alias.asname or alias.name for alias in node.names if alias.name == last)
        elif isinstance(node, ast.Import):
            aliases.update(alias.asname for alias in node.names if alias.name == module and alias.asname)
    return {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) in aliases
    }


def _in_order(sources: Mapping[str, str]) -> list[str]:
    """The modules, each after those of them that it imports."""
    needs = {name: imports(source) & sources.keys() - {name} for name, source in sources.items()}
    order: list[str] = []
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name in order or name in visiting:
            return
        visiting.add(name)
        for each in sorted(needs[name]):
            visit(each)
        order.append(name)

    for name in sorted(sources):
        visit(name)
    return order


def _place(error: BaseException) -> str:
    """File and line, in the new code, at which executing it failed."""
    traceback = error.__traceback__
    place = "the new code"
    while traceback is not None:
        place = f"{traceback.tb_frame.f_code.co_filename}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
