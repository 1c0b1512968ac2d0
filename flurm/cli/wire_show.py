"""`flurm wire show`: what a message consists of in a version."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec

import protocol.messages  # noqa: F401  (registers every body)
from flurm.client.wire_show import Row, Subject, UnknownSubject, find_subject, rows, sources
from protocol import versions
from protocol.meaning import value_names
from protocol.schema import Field, Record


@click.command(name="show")
@click.argument("message")
@click.option("--version", "release", default=versions.name(versions.NEWEST), show_default=True,
              help="Release, e.g. 24.11, or `all`.")  # fmt: skip
@click.option("--source", is_flag=True, help="Print the code that reads and writes it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(message: str, release: str, source: bool, as_json: bool) -> None:
    """Show the fields of MESSAGE in the order of their bytes.

    MESSAGE is a name (REQUEST_JOB_INFO), a number (2003) or a nested structure (JobInfo). A field that has bounds
    stands in this place from the first to the last release named.
    """
    version = _version(release)
    try:
        subject = find_subject(message)
    except UnknownSubject as error:
        raise click.ClickException(str(error)) from error
    first, last = subject.bounds
    if version is not None and not first <= version <= last:
        where = f"{versions.name(first)} to {versions.name(last)}"
        raise click.ClickException(f"{subject.name} does not exist in {release}, but from {where}")
    if as_json:
        click.echo(json.dumps(_plain(subject, version, source), indent=2))
        return
    click.echo(_title(subject, release))
    if subject.record is not None:
        _print_rows(rows(subject.record, version))
        _print_values(subject.record, version)
        if source:
            _print_sources(subject.record, version or versions.NEWEST)


def _version(release: str) -> int | None:
    if release == "all":
        return None
    try:
        return versions.by_name(release)
    except KeyError as error:
        names = ", ".join(versions.name(one) for one in versions.Version)
        raise click.UsageError(f"no release {release!r}; there are {names} and all") from error


def _title(subject: Subject, release: str) -> str:
    name = subject.name if subject.number is None else f"{subject.name} ({subject.number})"
    if not subject.known:
        return f"{name}: no layout here"
    if subject.record is None:
        return f"{name}: empty body"
    where = "all releases" if release == "all" else release
    about = click.wrap_text(subject.record.__doc__ or "", width=110, initial_indent="  ", subsequent_indent="  ")
    return f"{name} in {where}: {subject.record.__name__}\n{about}\n"


def _print_rows(found: list[Row]) -> None:
    if not found:
        click.echo("  nothing in this version")
        return
    cells = [("  " * row.depth + row.name, row.type, row.bounds, row.means, row.unit) for row in found]
    named = [cell for cell, row in zip(cells, found, strict=True) if row.type]
    widths = [max((len(cell[column]) for cell in named), default=0) for column in range(5)]
    for cell in (("field", "type", "releases", "meaning", "unit"), *cells):
        click.echo("  " + "  ".join(text.ljust(width) for text, width in zip(cell, widths, strict=True)).rstrip())


def _print_values(record: type[Record], version: int | None) -> None:
    """Of each enum that the table names, its values."""
    wanted = {row.means for row in rows(record, version) if row.means}
    for enum in sorted(_enums(record.WIRE), key=lambda one: one.__name__):
        if enum.__name__ in wanted:
            click.echo(f"\n  {enum.__name__}: {', '.join(value_names(enum))}")


def _enums(entries: tuple) -> set:
    found = set()
    for entry in entries:
        if isinstance(entry, Field):
            found |= {entry.means} if entry.means else set()
            continue
        blocks = [then for _, then in entry.cases] if hasattr(entry, "cases") else [entry.then, entry.otherwise]
        for block in blocks:
            found |= _enums(block)
    return found


def _print_sources(record: type[Record], version: int) -> None:
    for text in sources(record, version).values():
        click.echo(f"\n{text}".rstrip())


def _plain(subject: Subject, version: int | None, source: bool) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": subject.name,
        "number": subject.number,
        "layout": subject.known,
        "record": None,
        "fields": [],
    }
    if subject.record is not None:
        out["record"] = subject.record.__name__
        out["fields"] = [msgspec.to_builtins(row) for row in rows(subject.record, version)]
        if source:
            out["source"] = sources(subject.record, version or versions.NEWEST)
    return out
