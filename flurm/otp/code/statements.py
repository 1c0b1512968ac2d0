"""Two versions of a module's source, compared: which top-level statements are new, changed, gone.

Statements are known by the names that they bind. Text that does not matter (comments, layout) does
not count as a change. Imports are always executed, statements that bind nothing when they are new.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from flurm.otp.code.errors import CodeError

__all__ = ["Difference", "Kind", "compare", "imported_names", "imports", "kind_of"]

Kind = str
FUNCTION, CLASS, VALUE, IMPORT, ACTION = "function", "class", "value", "import", "action"


class Difference(msgspec.Struct, frozen=True):
    """What a new version of a module changes. `execute` is the code that makes the change, in order."""

    execute: ast.Module
    changed: dict[str, Kind]
    """Names that are bound anew, and what kind of statement binds them."""
    gone: tuple[str, ...] = ()
    acts: bool = False
    """Whether there are new statements that bind nothing: imports, registrations, checks."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone or self.acts)


def compare(module: str, old: str, new: str) -> Difference:
    """What has to be executed to make module `old` into `new`. Raises CodeError where `new` is no Python."""
    before, after = dict(_keyed(_parse(module, old))), dict(_keyed(_parse(module, new)))
    fresh = {key for key, statement in after.items() if key not in before or _dump(before[key]) != _dump(statement)}
    _add_derived(after, fresh)
    execute = [each for key, each in after.items() if key in fresh or kind_of(each) == IMPORT]
    changed = {name: kind_of(after[key]) for key in after if key in fresh for name in _bound(after[key])}
    gone = _names(before) - _names(after)
    acts = any(not _bound(after[key]) for key in fresh)
    return Difference(ast.Module(execute, []), changed, tuple(sorted(gone)), acts)


def _add_derived(statements: dict[str, ast.stmt], fresh: set[str]) -> None:
    """A value that is made of one that changes is made anew: a table of constants, of decorated functions."""
    stale = {name for key in fresh if kind_of(statements[key]) == VALUE for name in _bound(statements[key])}
    for key, statement in statements.items():
        if key in fresh or kind_of(statement) != VALUE:
            continue
        if stale & {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}:
            fresh.add(key)
            stale.update(_bound(statement))


def kind_of(statement: ast.stmt) -> Kind:
    """What a top-level statement is."""
    match statement:
        case ast.FunctionDef(decorator_list=[]) | ast.AsyncFunctionDef(decorator_list=[]):
            return FUNCTION
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Assign() | ast.AnnAssign():
            return VALUE
        case ast.ClassDef():
            return CLASS
        case ast.Import() | ast.ImportFrom():
            return IMPORT
    return ACTION


def imports(source: str) -> set[str]:
    """Names of the modules that a source imports anywhere, `from a import b` as both `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def imported_names(source: str, module: str) -> Iterator[tuple[str, str]]:
    """(name in `module`, name here) for each `from module import name` at the top of a source."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
            for alias in node.names:
                yield alias.name, alias.asname or alias.name


def _parse(module: str, source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise CodeError(f"{module}, line {error.lineno}: {error.msg}") from error
    except ValueError as error:
        raise CodeError(f"{module}: {error}") from error


def _keyed(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Each statement under the names that it binds, others under their text; the second of a kind under a number."""
    seen: dict[str, int] = {}
    for statement in tree.body:
        key = ",".join(_bound(statement)) or _dump(statement)
        times = seen[key] = seen.get(key, 0) + 1
        yield key if times == 1 else f"{key} #{times}", statement


def _names(statements: dict[str, ast.stmt]) -> set[str]:
    return {name for statement in statements.values() for name in _bound(statement)}


def _bound(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _dump(statement: ast.stmt) -> str:
    return ast.dump(statement, annotate_fields=False)
