"""Releases: directories of code with a manifest, and what has to be done to go from one to another (OTP's relup).

    release.toml       name, version, packages, and the digest of every module
    relup.toml         optional: instructions from one version to this one, made by `difference` and edited by hand
    flurm/ actors/ ... the packages

By its manifest a release is whole or not: where a module that it names is not there, or is not what it was, the release
is refused before anything is touched.
"""

from __future__ import annotations

import ast
import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from flurm.otp.code.errors import CodeError

__all__ = [
    "Instruction",
    "Release",
    "Relup",
    "difference",
    "make",
    "process_modules",
    "read",
    "read_relup",
    "relup_text",
]

PACKAGES = ("flurm", "protocol", "actors", "supervisors")
"""What a release of FLURM consists of."""
MANIFEST, RELUP = "release.toml", "relup.toml"
LOAD, UPDATE, ADD, REMOVE = ACTIONS = ("load", "update", "add", "remove")


class Release(msgspec.Struct, frozen=True):
    """One release. `modules` maps module names to digests of their sources."""

    name: str
    version: str
    directory: Path
    packages: tuple[str, ...]
    modules: dict[str, str]

    def path(self, module: str) -> Path:
        """Where a module's source lies."""
        base = self.directory.joinpath(*module.split("."))
        return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


class Instruction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One step: `load` new code of a module, `update` its processes with it, `add` or `remove` a module."""

    do: str
    module: str
    extra: str | None = None
    """Given to `code_change`."""
    timeout_s: float = 5.0
    """How long a process may take until it stands still, and again to turn its state over."""


class Relup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Instructions from one version to another, in the order in which they are carried out."""

    from_version: str
    to_version: str
    instructions: tuple[Instruction, ...] = ()


def make(directory: Path, name: str, version: str, packages: Iterable[str]) -> Release:
    """Write the manifest of the packages in a directory. Raises CodeError where a package is not there."""
    packages = tuple(packages)
    release = Release(name, version, directory, packages, dict(_found(directory, packages)))
    lines = [
        f'name = "{name}"',
        f'version = "{version}"',
        "packages = [" + ", ".join(f'"{each}"' for each in packages) + "]",
        "",
        "[modules]",
        *(f'"{module}" = "{digest}"' for module, digest in sorted(release.modules.items())),
    ]
    (directory / MANIFEST).write_text("\n".join(lines) + "\n")
    return release


def read(directory: Path) -> Release:
    """The release in a directory, checked whole. Raises CodeError that says what is wrong with it."""
    path = directory / MANIFEST
    try:
        fields = tomllib.loads(path.read_text())
    except OSError as error:
        raise CodeError(
            f"{directory} is no release: {path.name}: {error.strerror}; `flurm release make` writes it"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise CodeError(f"{path}: {error}") from error
    try:
        release = msgspec.convert({**fields, "directory": directory}, Release, dec_hook=lambda _, value: value)
    except msgspec.ValidationError as error:
        raise CodeError(f"{path}: {error}") from error
    for module, digest in release.modules.items():
        source = release.path(module)
        if not source.is_file():
            raise CodeError(f"{path} names {module}, but {source.relative_to(directory)} is not there")
        if _digest(source) != digest:
            raise CodeError(f"{source} is not what {path.name} was made of; `flurm release make` makes it anew")
    return release


def difference(old: dict[str, str], new: dict[str, str], updated: Iterable[str] = ()) -> tuple[Instruction, ...]:
    """What to do to come from the modules of one release to those of another (module name -> digest).

    `updated` are the modules that have processes, which must be held while their code changes.
    """
    held = set(updated)
    steps = [Instruction(ADD, module) for module in sorted(new.keys() - old.keys())]
    for module in sorted(new.keys() & old.keys()):
        if new[module] != old[module]:
            steps.append(Instruction(UPDATE if module in held else LOAD, module))
    steps += [Instruction(REMOVE, module) for module in sorted(old.keys() - new.keys())]
    return tuple(steps)


def process_modules(release: Release) -> set[str]:
    """Modules of a release that define processes or supervisors, as far as their text tells."""
    found = set()
    for module in release.modules:
        tree = ast.parse(release.path(module).read_text())
        bases = {ast.unparse(base) for node in tree.body if isinstance(node, ast.ClassDef) for base in node.bases}
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        if bases & {"GenServer", "GenStatem"} or ("Supervisor" in calls and "Child" in calls):
            found.add(module)
    return found


def relup_text(relup: Relup) -> str:
    """The text of a relup.toml."""
    lines = [
        "# What is done, in this order. `update` holds the processes of a module while its code changes and has their",
        "# code_change turn the state over; `load` replaces code that no process's class is in. To be edited: order,",
        "# extra = what code_change gets, timeout_s = how long a process may take.",
        f'from = "{relup.from_version}"',
        f'to = "{relup.to_version}"',
    ]
    for step in relup.instructions:
        lines += ["", "[[instruction]]", f'do = "{step.do}"', f'module = "{step.module}"']
        if step.extra is not None:
            lines.append(f'extra = "{step.extra}"')
        if step.timeout_s != Instruction("", "").timeout_s:
            lines.append(f"timeout_s = {step.timeout_s}")
    return "\n".join(lines) + "\n"


def read_relup(release: Release, from_version: str) -> Relup | None:
    """The release's own instructions, None where it has none. Raises CodeError for bad ones."""
    path = release.directory / RELUP
    if not path.exists():
        return None
    try:
        fields = tomllib.loads(path.read_text())
        steps = msgspec.convert(fields.pop("instruction", []), tuple[Instruction, ...])
        relup = Relup(fields.pop("from"), fields.pop("to"), steps)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CodeError(f"{path}: {error}") from error
    except KeyError as error:
        raise CodeError(f"{path}: {error} is missing") from error
    if fields:
        raise CodeError(f"{path}: unknown: {', '.join(fields)}; expected from, to, instruction")
    if (relup.from_version, relup.to_version) != (from_version, release.version):
        raise CodeError(
            f"{path} goes from {relup.from_version} to {relup.to_version}, not from {from_version} to {release.version}"
        )
    for step in relup.instructions:
        if step.do not in ACTIONS:
            raise CodeError(f"{path}: do = {step.do!r}, expected one of {', '.join(ACTIONS)}")
        if step.do != REMOVE and step.module not in release.modules:
            raise CodeError(f"{path} names {step.module}, which is not in release {release.version}")
    return relup


def _found(directory: Path, packages: Iterable[str]) -> Iterator[tuple[str, str]]:
    for package in packages:
        base = directory / package
        if not base.is_dir():
            raise CodeError(f"there is no package {package} in {directory}")
        for path in sorted(base.rglob("*.py")):
            parts = path.relative_to(directory).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), _digest(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
