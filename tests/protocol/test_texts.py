"""Kept forms of text: what is looked up is what packing it would give."""

from hypothesis import given
from hypothesis import strategies as st

from protocol.texts import TEXT, TextRun, text_form

TEXTS = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=20), st.just("\udcff"))


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_run_of_texts_is_its_texts_one_after_the_other(texts):
    run = TextRun()
    for _ in range(2):
        assert run[tuple(texts)] == b"".join(map(text_form, texts))


def test_however_many_texts_come_by_few_are_kept():
    run = TextRun()
    for number in range(10_000):
        assert run[f"job-{number}", None] == text_form(f"job-{number}") + b"\0\0\0\0"
    assert len(run) < 1000 and len(TEXT) < 5000


def test_a_long_text_is_not_kept():
    run, script = TextRun(), "echo\n" * 1000
    assert TEXT[script] == text_form(script)
    assert run[script, script] == text_form(script) * 2
    assert script not in TEXT and not run
