"""Console code runs beside the cluster, for a limited time."""

from __future__ import annotations

import threading

from flurm.console.evaluate import MAX_LEFT_BEHIND, MAX_SESSIONS, Evaluator


class Part:
    """Something with a method."""

    def method(self) -> int:
        return 1


def evaluator() -> Evaluator:
    return Evaluator(lambda: {"answer": 42, "part": Part(), "gate": GATE})


GATE = threading.Event()


def test_a_value_an_error_and_what_was_printed_come_back():
    console = evaluator()
    outcome = console.evaluate("print('hello', 1)\nanswer")
    assert (outcome.value, outcome.printed, outcome.error) == (42, "hello 1\n", None)
    assert console.evaluate("1 / 0").error == "ZeroDivisionError: division by zero"
    assert "syntax error" in (console.evaluate("1 +").error or "")
    assert console.evaluate("raise SystemExit(3)").error == "SystemExit: 3"


def test_a_session_keeps_its_variables_and_the_last_value():
    console = evaluator()
    console.evaluate("x = answer + 1", "mine")
    assert console.evaluate("x", "mine").value == 43
    assert console.evaluate("_ + 1", "mine").value == 44
    assert "NameError" in (console.evaluate("x", "another").error or "")
    assert "NameError" in (console.evaluate("x").error or "")


def test_an_expression_that_never_ends_is_stopped():
    console = evaluator()
    outcome = console.evaluate("print('begun')\nwhile True: pass", timeout_s=0.2)
    assert outcome.error == "no result in 0.2 s; it was stopped"
    assert outcome.printed == "begun\n"
    assert not [thread for thread in threading.enumerate() if thread.name == "flurm-console"]
    outcome = console.evaluate("while True:\n  try:\n    answer\n  except Exception: pass", timeout_s=0.2)
    assert "it was stopped" in (outcome.error or "")


def test_expressions_that_cannot_be_stopped_do_not_pile_up():
    console = evaluator()
    GATE.clear()
    for _ in range(MAX_LEFT_BEHIND):
        assert "still runs" in (console.evaluate("gate.wait(60)", timeout_s=0.1).error or "")
    assert "nothing more is begun" in (console.evaluate("answer").error or "")
    GATE.set()
    for thread in threading.enumerate():
        if thread.name == "flurm-console":
            thread.join(5)
    assert console.evaluate("answer").value == 42


def test_there_is_a_bounded_number_of_sessions():
    console = evaluator()
    console.evaluate("x = 1", "first")
    for number in range(MAX_SESSIONS):
        console.evaluate("x = 2", str(number))
    assert "NameError" in (console.evaluate("x", "first").error or "")


def test_names_are_completed_without_calling_anything():
    console = evaluator()
    assert console.complete("ans") == ["answer"]
    assert console.complete("print(part.me") == ["part.method"]
    assert console.complete("nothing.at") == []
