"""The tables of docs/slurm-conf.md, made from those here: `python -m flurm.config.slurmconf.docs FILE`."""

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from flurm.config import show_fields as shown
from flurm.config.slurmconf import SLURM_CONF
from flurm.config.slurmconf.companions import COMPANIONS
from flurm.config.slurmconf.keys import Key, State

BEGIN, END = "<!-- made by flurm.config.slurmconf.docs: begin -->", "<!-- end -->"

_TITLES = {
    State.ACTS: "acts on it",
    State.DIFFERS: "takes it, does not act on it",
    State.ACCEPTED: "takes it, it has no meaning here",
}


def tables() -> str:
    """Return the tables as Markdown."""
    parts = ["## Keys of slurm.conf\n", *_table(SLURM_CONF.keys)]
    for record in SLURM_CONF.records.values():
        parts += [f"## Keys of {record.name} lines\n", *_table(record.keys)]
    for grammar in COMPANIONS:
        every = [*grammar.keys, *(key for record in grammar.records.values() for key in record.keys)]
        parts += [f"## Keys of {grammar.file}\n", *_table(tuple({key.name: key for key in every}.values()))]
    return "\n".join(parts)


def replaced(text: str) -> str:
    """Return the page with its tables made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def _table(keys: Iterable[Key]) -> list[str]:
    rows = ["| key | value | default | releases | FLURM |", "|---|---|---|---|---|"]
    order = list(_TITLES)
    ordered = sorted(keys, key=lambda each: (order.index(each.state), each.note, each.name))
    for _, group in groupby(ordered, lambda each: (each.state, each.note)):
        for key in sorted(group, key=lambda each: each.name.lower()):
            what = _TITLES[key.state] + (f": {key.note}" if key.note else "")
            rows.append(f"| {key.name} | {key.kind.name} | {_default(key.name)} | {_releases(key)} | {what} |")
    return [*rows, ""]


def _releases(key: Key) -> str:
    if key.since:
        return f"after 22.05, by {key.since}"
    return f"before 24.11, until {key.until}" if key.until else ""


def _default(name: str) -> str:
    for table in (shown.TEXT_DEFAULTS, shown.NUMBER_FIELDS):
        for key, default in table.values():
            if key == name:
                return _text(default)
    for key, seconds, _ in shown.SPAN_FIELDS.values():
        if key == name:
            return "unlimited" if seconds == shown.INFINITE else f"{seconds} s"
    return ""


def _text(default: object) -> str:
    if isinstance(default, shown.Since):
        return f"{_text(default.before)}, from {default.release} on {_text(default.after) or 'none'}"
    return "unset" if default == shown.NO_VAL16 else "" if default in (None, "") else f"`{default}`"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(replaced(page.read_text()))
