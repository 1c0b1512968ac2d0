"""Kept forms of text: what is looked up is what packing it would give."""

from hypothesis import given
from hypothesis import strategies as st

from protocol.forms import TEXT, Run, forget, text_form
from protocol.schema import bits, boolean, string, u16, u64
from protocol.wire import Bits, bits_form

TEXTS = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=20), st.just("\udcff"))


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_run_of_texts_is_its_texts_one_after_the_other(texts):
    run = Run([string] * len(texts))
    for _ in range(2):
        assert run[tuple(texts)] == b"".join(map(text_form, texts))


def test_however_many_texts_come_by_few_are_kept():
    run = Run([string, string])
    for number in range(10_000):
        assert run[f"job-{number}", None] == text_form(f"job-{number}") + b"\0\0\0\0"
    assert len(run) < 1000 and len(TEXT) < 5000


def test_a_long_text_is_not_kept():
    run, script = Run([string, string]), "echo\n" * 1000
    assert TEXT[script] == text_form(script)
    assert run[script, script] == text_form(script) * 2
    assert script not in TEXT and not run


def test_numbers_and_bitmaps_are_looked_up_with_the_texts_beside_them():
    run, values = Run([u16, string, boolean, bits, u64]), (7, "gpu", True, Bits(5, 0b10010), 1 << 40)
    packed = b"\0\7" + text_form("gpu") + b"\1" + bits_form(Bits(5, 0b10010)) + (1 << 40).to_bytes(8, "big")
    assert run[values] == run[values] == packed
    assert list(run) == [values]


def test_what_was_kept_can_be_forgotten():
    run = Run([string, u16])
    assert run["a", 1] and TEXT["a"]
    forget()
    assert not run and not TEXT
