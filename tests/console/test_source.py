"""What is typed on the console becomes code, or is refused with its place."""

from __future__ import annotations

import pytest

from flurm.console.source import GUARDS, BadExpression, parse, to_python


def value_of(typed: str) -> object:
    statements, value = parse(typed)
    names: dict[str, object] = dict(GUARDS)
    if statements is not None:
        exec(statements, names)
    return eval(value, names) if value is not None else None


@pytest.mark.parametrize(
    ("documented", "python"),
    [
        ("flurm:status().", "status()"),
        ("flurm_scheduler:debug_job(12345).", "scheduler.debug_job(12345)"),
        ('flurm_node_manager:register_test("node001").', 'node_manager.register_test("node001")'),
        ("logger:set_module_level(flurm_protocol, debug).", "log.set_module_level('flurm_protocol', 'debug')"),
        ("recon:proc_count(memory, 10).", "recon.proc_count('memory', 10)"),
        ("flurm_x:f(true, undefined)", "x.f(True, None)"),
        ("status()", "status()"),
        ("{1: 2}[1]", "{1: 2}[1]"),
    ],
)
def test_the_documented_spelling_is_read_as_python(documented, python):
    assert to_python(documented) == python


def test_statements_run_and_the_last_expression_is_the_value():
    assert value_of("x = 20\nx += 1\nx *= 2\nx") == 42


@pytest.mark.parametrize("typed", ["9**9**9", "x = 1 << 10**9", "'x' * 10**12", "[0] * 10**9", "sum(range(10**12))",
                                   "pow(9, 10**9)"])  # fmt: skip
def test_an_operation_that_would_hold_the_interpreter_is_refused(typed):
    with pytest.raises(OverflowError, match="would have more than"):
        value_of(typed)


ORDINARY = {
    "2**10": 1024,
    "'ab' * 3": "ababab",
    "3 * 'a'": "aaa",
    "1 << 4": 16,
    "2.5 * 2": 5.0,
    "sum(range(1, 4))": 6,
    "pow(2, 5, 7)": 4,
}


@pytest.mark.parametrize(("typed", "value"), ORDINARY.items())
def test_ordinary_arithmetic_is_what_python_makes_of_it(typed, value):
    assert value_of(typed) == value


def test_a_syntax_error_names_its_place():
    with pytest.raises(BadExpression, match=r"line 1, column"):
        parse("status(")


def test_what_is_nested_too_deeply_or_too_long_is_refused():
    for typed in ("(" * 500 + ")" * 500, "x" * 200_000, "a\0b"):
        with pytest.raises(BadExpression):
            parse(typed)
