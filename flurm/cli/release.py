"""`flurm release`: make a release of a directory of code, and compare two."""

from __future__ import annotations

from pathlib import Path

import click

from flurm.otp.code import CodeError
from flurm.otp.release import PACKAGES, Relup, difference, make, process_modules, read, relup_text

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(name="release")
def command() -> None:
    """Make and compare releases."""


@command.command("make")
@click.option("--version", "version", required=True, help="The release's version.")
@click.option("--name", default="flurm", show_default=True, help="The release's name.")
@click.option("--package", "packages", multiple=True, help="A package that belongs to it; default: FLURM's own.")
@click.argument("directory", type=DIRECTORY)
def make_release(version: str, name: str, packages: tuple[str, ...], directory: Path) -> None:
    """Write the manifest of the packages in DIRECTORY (a checkout, or `pip install --target DIRECTORY`)."""
    try:
        release = make(directory, name, version, packages or PACKAGES)
    except CodeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{directory / 'release.toml'}: {name} {version}, {len(release.modules)} modules")


@command.command("diff")
@click.argument("old", type=DIRECTORY)
@click.argument("new", type=DIRECTORY)
def diff(old: Path, new: Path) -> None:
    """Print the instructions that lead from release OLD to release NEW.

    Put them into NEW/relup.toml to change them: `flurm upgrade` then follows that file.
    """
    try:
        before, after = read(old), read(new)
    except CodeError as error:
        raise click.ClickException(str(error)) from error
    steps = difference(before.modules, after.modules, process_modules(after))
    click.echo(relup_text(Relup(before.version, after.version, steps)), nl=False)
