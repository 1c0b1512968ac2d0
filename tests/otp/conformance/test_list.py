"""docs/otp-conformance.md and the tests say the same."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = (HERE.parents[2] / "docs" / "otp-conformance.md").read_text()
LISTS = re.findall(r"[Ii]n `(test_\w+\.py)`:\n((?:`\w+`\s?)+)", PAGE)


def test_the_page_lists_four_suites():
    assert len(LISTS) == 5 and sum(len(cases.split()) for _, cases in LISTS) > 150


@pytest.mark.parametrize(("file", "cases"), LISTS, ids=[file for file, _ in LISTS])
def test_every_case_on_the_page_has_its_test(file, cases):
    tests = set(re.findall(r"^def test_(\w+)\(", (HERE / file).read_text(), re.MULTILINE))
    assert {case.strip("`") for case in cases.split()} - tests == set()
