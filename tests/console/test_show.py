"""Values as a person reads them and as JSON holds them."""

from __future__ import annotations

from enum import Enum

import msgspec

from flurm.console.show import plain, text


class Colour(Enum):
    RED = 1


class Point(msgspec.Struct):
    x: int
    y: object


def test_equal_records_are_a_table():
    rows = [{"node": "n1", "cpus": 4}, {"node": "longer", "cpus": None}]
    assert text(rows) == "node    cpus\nn1      4\nlonger"


def test_texts_are_shown_as_they_are_and_none_is_silent():
    assert text("two\nlines") == "two\nlines"
    assert text(None) == ""
    assert text({"a": 1, "long": "x"}) == "a     1\nlong  x"
    assert text([1, 2]) == "[1, 2]"


def test_what_is_too_long_is_cut_and_says_so():
    shown = text("x" * 1_000_000)
    assert shown.endswith("more characters") and len(shown) < 300_000


def test_json_holds_records_enums_and_mappings():
    assert plain(Point(1, {"c": Colour.RED, 2: (1, {3})})) == {"x": 1, "y": {"c": "RED", "2": [1, [3]]}}
    assert plain(object).startswith("<class")


def test_what_refers_to_itself_ends():
    loop: list[object] = []
    loop.append(loop)
    assert "[" in str(plain(loop))
