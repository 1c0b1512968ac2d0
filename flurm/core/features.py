"""Feature expressions of `--constraint` (sbatch(1)): ``fast&(rack1|rack2)``, ``[rack1|rack2]``, ``big*2&fast*1``.

`parse` gives a tree. `&` and `,` mean both, `|` means either and binds less tightly, parentheses group. A count,
`big*2`, wants that many nodes with the feature and says nothing of the others. Brackets hold alternatives one of which
all nodes must share, or counts that are to be met together. So a request comes down to a few `Variant`s, tried in
order: what every node must match, and how many nodes with what are needed beside that.
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

import msgspec

from flurm.core.enums import Refusal

MOST_DEPTH = 20
_TOKEN = re.compile(r"\s*(?:([&,|()\[\]])|([^\s&,|()\[\]*]+)(?:\*([0-9]{1,6}))?)")


class BadExpression(ValueError):
    """The text is no feature expression."""


class Feature(msgspec.Struct, frozen=True, tag=True):
    """One feature, with the number of nodes that must have it where one is given."""

    name: str
    count: int | None = None


class All(msgspec.Struct, frozen=True, tag=True):
    """Every part holds."""

    parts: "tuple[Expression, ...]"


class Any(msgspec.Struct, frozen=True, tag=True):
    """At least one part holds, perhaps another one on each node."""

    parts: "tuple[Expression, ...]"


class Same(msgspec.Struct, frozen=True, tag=True):
    """One part holds, the same on all nodes."""

    parts: "tuple[Expression, ...]"


Expression = Feature | All | Any | Same


class Variant(msgspec.Struct, frozen=True):
    """One way to satisfy a request: `every` node matches, and `counts` (feature, nodes) are met."""

    every: Expression | None = None
    counts: tuple[tuple[str, int], ...] = ()


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The tree of an expression. Raises BadExpression with the place that is wrong."""
    parser = _Parser(text)
    tree = parser.either()
    if parser.kind is not None:
        raise BadExpression(f"unexpected {parser.token!r} in feature expression {text!r}")
    return tree


def check(text: str | None, known_features: Collection[str]) -> Refusal | None:
    """Whether a submission may ask for this: it parses, and some node could have each feature it names."""
    if not text:
        return None
    try:
        names = names_in(parse(text))
    except BadExpression:
        return Refusal.INVALID_FEATURE
    return None if all(name in known_features for name in names) else Refusal.INVALID_FEATURE


def names_in(expression: Expression) -> set[str]:
    """All features that an expression names."""
    if isinstance(expression, Feature):
        return {expression.name}
    return set().union(*(names_in(part) for part in expression.parts))


def matches(expression: "Expression | str | None", node_features: Collection[str]) -> bool:
    """Whether a node with these features matches; counts are ignored, brackets are as `|` here."""
    match expression:
        case None | "":
            return True
        case str():
            return matches(parse(expression), node_features)
        case Feature(name=name):
            return name in node_features
        case All(parts=parts):
            return all(matches(part, node_features) for part in parts)
        case Any(parts=parts) | Same(parts=parts):
            return any(matches(part, node_features) for part in parts)
    raise TypeError(f"no feature expression: {expression!r}")


@lru_cache(maxsize=4096)
def variants(text: str | None) -> tuple[Variant, ...]:
    """The ways to satisfy an expression, in the order to try them; one empty way where there is none."""
    if not text:
        return (Variant(),)
    return tuple(_variant(tree) for tree in _choices(parse(text)))


def _choices(tree: Expression) -> list[Expression]:
    """The tree with each bracket replaced by one of its parts, in every combination."""
    match tree:
        case Same(parts=parts):
            return [choice for part in parts for choice in _choices(part)]
        case All(parts=parts):
            combinations: list[tuple[Expression, ...]] = [()]
            for part in parts:
                combinations = [(*done, choice) for done in combinations for choice in _choices(part)][:64]
            return [All(parts) for parts in combinations]
        case _:
            return [tree]


def _variant(tree: Expression) -> Variant:
    every, counts = [], []
    for part in _flat(tree):
        if isinstance(part, Feature) and part.count is not None:
            counts.append((part.name, part.count))
        else:
            every.append(part)
    return Variant(every=_joined(every), counts=tuple(counts))


def _flat(tree: Expression) -> Iterable[Expression]:
    if isinstance(tree, All):
        for part in tree.parts:
            yield from _flat(part)
    else:
        yield tree


def _joined(parts: list[Expression]) -> Expression | None:
    return None if not parts else parts[0] if len(parts) == 1 else All(tuple(parts))


class _Parser:
    """Recursive descent over the tokens; `kind` is an operator, "name", or None at the end."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.position = 0
        self.depth = 0
        self.advance()

    def advance(self) -> None:
        self.kind: str | None = None
        self.token, self.count = "", ""
        if self.position >= len(self.text):
            return
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise BadExpression(f"unexpected {self.text[self.position :]!r} in feature expression {self.text!r}")
        self.position = match.end()
        operator, name, self.count = match.groups()
        self.kind, self.token = (operator, operator) if operator else ("name", name)

    def either(self, kind: type[Any] | type[Same] = Any) -> Expression:
        parts = [self.both()]
        while self.kind == "|":
            self.advance()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def both(self) -> Expression:
        parts = [self.one()]
        while self.kind in ("&", ","):
            self.advance()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def one(self) -> Expression:
        if self.kind == "name":
            feature = Feature(self.token, int(self.count) if self.count else None)
            self.advance()
            return feature
        if self.kind not in ("(", "["):
            raise BadExpression(f"a feature is missing in {self.text!r}")
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise BadExpression(f"feature expression {self.text[:40]!r} is nested too deeply")
        closing, kind = (")", Any) if self.kind == "(" else ("]", Same)
        self.advance()
        inner = self.either(kind)
        if self.kind != closing:
            raise BadExpression(f"{closing!r} is missing in feature expression {self.text!r}")
        self.advance()
        self.depth -= 1
        return inner
