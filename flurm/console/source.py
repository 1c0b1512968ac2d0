"""What was typed, as code that cannot take the interpreter away from the cluster.

Two spellings are read: Python, and the one of FLURM's documents, `flurm_scheduler:debug_job(12345).`, which becomes
`scheduler.debug_job(12345)`; bare words among its arguments are atoms there and texts here.

A thread that loops in Python can be stopped from outside; one inside a single huge operation of the interpreter
(`9**9**9`, `"x" * 10**11`, `sum(range(10**12))`) cannot, and would hold up every other thread. So what makes one by a
slip of the hand is replaced by functions that look at the size first. Whoever imports modules can still do harm: the
console is its own user's, and root's.
"""

from __future__ import annotations

import ast
import re
from types import CodeType
from typing import Any

__all__ = ["GUARDS", "BadExpression", "parse", "to_python"]

MAX_BITS = 1 << 20
MAX_ITEMS = 10_000_000
MAX_LENGTH = 100_000

_CALL = re.compile(r"^\s*([a-z]\w*):([a-z]\w*)\s*\((.*)\)\s*\.?\s*$", re.DOTALL)
_ATOM = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\b([a-z]\w*)\b(?!\s*[(:=.])""")
_WORDS = frozenset({"true", "false", "undefined"})
_MODULES = {"flurm": "", "logger": "log.", "recon": "recon.", "observer": "observer."}


class BadExpression(ValueError):
    """What was typed is no expression that can be evaluated; the text says where and why."""


def parse(typed: str) -> tuple[CodeType | None, CodeType | None]:
    """The statements of `typed` and its last expression, each None where there is none. Raises BadExpression."""
    if len(typed) > MAX_LENGTH:
        raise BadExpression(f"{len(typed)} characters are more than the limit of {MAX_LENGTH}")
    try:
        tree = ast.parse(to_python(typed), "<console>")
        tree = ast.fix_missing_locations(_Guarded().visit(tree))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        statements = compile(tree, "<console>", "exec") if tree.body else None
        value = compile(ast.Expression(last.value), "<console>", "eval") if isinstance(last, ast.Expr) else None
    except SyntaxError as error:
        where = f" (line {error.lineno}, column {error.offset})" if error.lineno else ""
        raise BadExpression(f"{error.msg}{where}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise BadExpression(str(error) or "nested too deeply") from error
    return statements, value


def to_python(typed: str) -> str:
    """The documented spelling as Python; anything else as it is."""
    match = _CALL.match(typed)
    if match is None:
        return typed.strip()
    module, function, arguments = match.groups()
    prefix = _MODULES.get(module)
    if prefix is None:
        prefix = module.removeprefix("flurm_") + "."
    return f"{prefix}{function}({_ATOM.sub(_as_text, arguments)})"


def _as_text(match: re.Match[str]) -> str:
    quoted, word = match.groups()
    if quoted is not None:
        return quoted
    return {"true": "True", "false": "False", "undefined": "None"}[word] if word in _WORDS else repr(word)


class _Guarded(ast.NodeTransformer):
    """Puts a function with a look at the size in the place of `**`, `<<` and `*`."""

    _FUNCTIONS: dict[type[ast.operator], str] = {ast.Pow: "__power", ast.LShift: "__shifted", ast.Mult: "__times"}

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        name = self._FUNCTIONS.get(type(node.op))
        if name is None:
            return node
        call = ast.Call(ast.Name(name, ast.Load()), [node.left, node.right], [])
        return ast.copy_location(call, node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        name = self._FUNCTIONS.get(type(node.op))
        if name is None:
            return node
        if not isinstance(node.target, ast.Name):
            raise BadExpression("write x[i] = x[i] * y instead of x[i] *= y here")
        call = ast.Call(ast.Name(name, ast.Load()), [ast.Name(node.target.id, ast.Load()), node.value], [])
        return ast.copy_location(ast.Assign([node.target], call), node)


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > MAX_BITS:
        raise OverflowError(f"{base} ** {exponent} would have more than {MAX_BITS} bits")
    return base**exponent


def _shifted(value: Any, by: Any) -> Any:
    if isinstance(value, int) and isinstance(by, int) and value.bit_length() + by > MAX_BITS:
        raise OverflowError(f"the result would have more than {MAX_BITS} bits")
    return value << by


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > MAX_BITS:
            raise OverflowError(f"the result would have more than {MAX_BITS} bits")
        return left * right
    for sequence, times in ((left, right), (right, left)):
        if isinstance(times, int) and hasattr(sequence, "__len__") and len(sequence) * times > MAX_ITEMS:
            raise OverflowError(f"the result would have more than {MAX_ITEMS} items")
    return left * right


def _range(*bounds: int) -> range:
    """`range`, of as many numbers as can be walked through in a moment."""
    found = range(*bounds)
    if found and (found[-1] - found[0]) // found.step >= MAX_ITEMS:
        raise OverflowError(f"the range would have more than {MAX_ITEMS} numbers")
    return found


def _pow(base: Any, exponent: Any, modulus: Any = None) -> Any:
    return pow(base, exponent, modulus) if modulus is not None else _power(base, exponent)


GUARDS = {"__power": _power, "__shifted": _shifted, "__times": _times, "range": _range, "pow": _pow}
"""What guarded code calls; belongs into the namespace that it runs in."""
