"""Changing functions and classes in place, and back again.

Whoever holds a function (a table, an `import from`, a closure) goes on holding the same object and finds the new code
in it. The same for plain classes: their instances live on with the new methods. Each change returns how to undo it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

from flurm.otp.code.errors import NotReplaceable

__all__ = ["Undo", "patch_class", "patch_function"]

Undo = Callable[[], None]
_FUNCTION_PARTS = ("__code__", "__defaults__", "__kwdefaults__", "__doc__", "__annotations__", "__dict__")
_CLASS_OWN = frozenset({"__dict__", "__weakref__", "__module__", "__qualname__", "__slots__", "_abc_impl"})


def patch_function(old: FunctionType, new: FunctionType) -> Undo:
    """Give `old` the code, defaults and documentation of `new`. Raises NotReplaceable for other closures."""
    if old.__code__.co_freevars != new.__code__.co_freevars:
        raise NotReplaceable(f"{old.__module__}.{old.__qualname__} closes over other variables than before")
    before = {part: getattr(old, part) for part in _FUNCTION_PARTS}
    for part in _FUNCTION_PARTS:
        setattr(old, part, getattr(new, part))

    def undo() -> None:
        for part, value in before.items():
            setattr(old, part, value)

    return undo


def patch_class(old: type, new: type) -> Undo:
    """Give `old` what `new` defines; its instances stay. Raises NotReplaceable where their layout changes."""
    name = f"{old.__module__}.{old.__qualname__}"
    if old.__bases__ != new.__bases__:
        raise NotReplaceable(f"{name} has other base classes than before")
    if getattr(old, "__slots__", None) != getattr(new, "__slots__", None):
        raise NotReplaceable(f"{name} has other slots than before")
    slots = {key for key, value in vars(old).items() if inspect.ismemberdescriptor(value)}
    before = {key: value for key, value in vars(old).items() if key not in _CLASS_OWN | slots}
    after = {key: value for key, value in vars(new).items() if key not in _CLASS_OWN | slots}
    _put(old, before, after)
    for value in after.values():
        _point_super_at(value, new, old)

    def undo() -> None:
        _put(old, after, before)

    return undo


def _put(target: type, before: dict[str, Any], after: dict[str, Any]) -> None:
    for key in before.keys() - after.keys():
        delattr(target, key)
    for key, value in after.items():
        if before.get(key) is not value:
            setattr(target, key, value)


def _point_super_at(value: Any, new: type, old: type) -> None:
    """A method that says `super()` has its class in a cell; it shall be the one that instances have."""
    functions = [value] if isinstance(value, FunctionType) else []
    if isinstance(value, classmethod | staticmethod) and isinstance(value.__func__, FunctionType):
        functions.append(value.__func__)
    elif isinstance(value, property):
        functions += [each for each in (value.fget, value.fset, value.fdel) if isinstance(each, FunctionType)]
    for function in functions:
        for cell in function.__closure__ or ():
            if isinstance(cell, CellType) and _content(cell) is new:
                cell.cell_contents = old


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None
