"""Feature expressions."""

import pytest

from flurm.core.enums import Refusal
from flurm.core.features import All, BadExpression, Feature, Variant, check, matches, names_in, parse, variants


@pytest.mark.parametrize(
    ("expression", "node", "expected"),
    [
        ("a", {"a"}, True),
        ("a", {"b"}, False),
        ("a&b", {"a"}, False),
        ("a,b", {"a", "b"}, True),
        ("a|b", {"b"}, True),
        ("a|b&c", {"a"}, True),
        ("(a|b)&c", {"a"}, False),
        ("(a|b)&c", {"b", "c"}, True),
        ("[a|b]", {"b"}, True),
        (" a & b ", {"a", "b"}, True),
        (None, set(), True),
        ("", set(), True),
    ],
)
def test_a_node_matches_by_its_features(expression, node, expected):
    assert matches(expression, node) is expected


def test_brackets_give_one_way_per_alternative():
    a, b, c = Feature("a"), Feature("b"), Feature("c")
    assert variants("[a|b]&c") == (Variant(All((a, c))), Variant(All((b, c))))


def test_counts_leave_the_other_nodes_free():
    assert variants("[a*1&b*2]") == (Variant(None, (("a", 1), ("b", 2))),)
    assert variants("a*2&b") == (Variant(Feature("b"), (("a", 2),)),)


@pytest.mark.parametrize(
    "text", ["&a", "a&", "a|", "[a", "a]", "(a", "a)", "*2", "a**2", "a*x", "a b", "[]", "(" * 50 + "a"]
)
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(BadExpression):
        parse(text)
    assert check(text, {"a", "b"}) is Refusal.INVALID_FEATURE


def test_every_feature_must_be_one_that_some_node_has():
    assert check("a|nope", {"a"}) is Refusal.INVALID_FEATURE
    assert check("a*2&(b|c)", {"a", "b", "c"}) is None
    assert check(None, set()) is None
    assert names_in(parse("a*2&(b|[c|d])")) == {"a", "b", "c", "d"}
