"""The table: both figures, their ratio, the budget and whether it is met."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

REAL, OURS = "slurmctld", "flurm"


@dataclass(frozen=True)
class Budget:
    """What FLURM promises of a figure: the words of it, the test of (flurm, slurmctld), and whether that needs both."""

    text: str
    holds: Callable[[float, float | None], bool]
    relative: bool = True


def at_most(limit: float, unit: str) -> Budget:
    """An absolute limit."""
    return Budget(f"< {limit:g} {unit}", lambda ours, real: ours < limit, relative=False)


AHEAD = Budget("ahead", lambda ours, real: real is not None and ours > real)
HALF = Budget("half", lambda ours, real: real is not None and ours <= real / 2)
NO_MORE = Budget("no more", lambda ours, real: real is not None and ours <= real)


@dataclass(frozen=True)
class Row:
    """A measured quantity of both sides; None where a side was not measured."""

    what: str
    unit: str
    real: float | None
    ours: float | None
    budget: Budget | None = None

    @property
    def ratio(self) -> float | None:
        """FLURM's figure by slurmctld's."""
        return self.ours / self.real if self.ours is not None and self.real else None

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no budget or no figure to hold against it."""
        if self.budget is None or self.ours is None or (self.real is None and self.budget.relative):
            return ""
        return "met" if self.budget.holds(self.ours, self.real) else "missed"


@dataclass
class Report:
    """All rows of a run, with what it ran on and what could not be measured."""

    host: str
    versions: list[str] = field(default_factory=list)
    syncs_per_second: list[float] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    sides: tuple[str, str] = (REAL, OURS)

    def table(self) -> str:
        """The report as text for people."""
        syncs = " to ".join(f"{rate:.0f}" for rate in (min(self.syncs_per_second), max(self.syncs_per_second)))
        head = [" / ".join(self.versions), self.host, f"this disk alone, meanwhile: {syncs} fdatasync/s"]
        failures = [f"not measured: {failure}" for failure in self.failures]
        return "\n".join([*head, "", *rows_table(self.rows, *self.sides), *([""] if failures else []), *failures])

    def json(self) -> str:
        """The report for programs."""
        return json.dumps(asdict(self) | {"rows": rows_data(self.rows, *self.sides)}, indent=2)


def rows_table(rows: list[Row], real: str = REAL, ours: str = OURS) -> list[str]:
    """The lines of a table, under the names of the two sides."""
    heads = ("", real, ours, "ratio", "budget", "")
    lines = [heads, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return [_align(line, widths) for line in lines]


def rows_data(rows: list[Row], real: str = REAL, ours: str = OURS) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "what": row.what,
            "unit": row.unit,
            real: row.real,
            ours: row.ours,
            "ratio": row.ratio,
            "budget": row.budget.text if row.budget else None,
            "verdict": row.verdict or None,
        }
        for row in rows
    ]


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    budget = row.budget.text if row.budget else ""
    return (row.what, _figure(row.real, row.unit), _figure(row.ours, row.unit), ratio, budget, row.verdict)


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _align(cells: tuple[str, ...], widths: list[int]) -> str:
    left = (0, 4, 5)
    aligned = [
        cell.ljust(width) if column in left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(aligned).rstrip()
