"""Slurm's own library as the other side: it decodes what this package has encoded.

`Library(release)` is a process of `libslurm.c` around the library of 22.05 (the machine's own), 24.11 or 26.05 (Debian
roots, see `tests.slurm.roots`). A library newer than the machine's C library runs under its root's own loader; nothing
needs root. A message that kills the process, or holds it up, is that message's outcome; the next one gets a new one.
"""

from __future__ import annotations

import select
import shutil
import subprocess
from functools import cache
from pathlib import Path
from struct import Struct
from tempfile import mkdtemp
from typing import NamedTuple

from protocol import versions
from protocol.constants import DbdMessageType
from tests.slurm.roots import SID, TRIXIE

__all__ = ["LIBRARY_OF", "Library", "Outcome", "missing"]

LIBRARY_OF = {
    "22.05": "22.05",
    "23.02": "24.11",
    "23.11": "24.11",
    "24.05": "24.11",
    "24.11": "24.11",
    "25.05": "26.05",
    "25.11": "26.05",
    "26.05": "26.05",
}
"""Version of a message -> release of the library that decodes it, as the table of what is accepted was made."""

_ROOTS = {"22.05": Path("/"), "24.11": TRIXIE.directory(), "26.05": SID.directory()}
_RECORD = Struct(">BHHI")
_ANSWER = Struct(">iII")
_PATIENCE_S = 20
_CONF = """\
ClusterName=test
SlurmctldHost=localhost
AuthType=auth/none
CredType={cred}
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
NodeName=n1 NodeHostname=localhost CPUs=1 Gres=gpu:1
PluginDir={plugins}
"""


class Outcome(NamedTuple):
    """What became of one message: the library's return code, the bytes it took, or how its process ended; and the same
    message as the library itself writes it, where that was asked for."""

    code: int
    consumed: int
    death: str = ""
    again: bytes = b""


def missing(release: str) -> str | None:
    """Why the library of a release cannot be asked here; None where it can."""
    if shutil.which("gcc") is None:
        return "no gcc"
    if not _library(release):
        return f"no libslurmfull of Slurm {release} below {_ROOTS[release]}"
    return None


class Library:
    """The library of one release in a process of its own."""

    def __init__(self, release: str) -> None:
        self.release = release
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def unpack(self, number: int, body: bytes, version: int, *, again: bool = False) -> Outcome:
        """Let the library decode one body, and write it again (not for accounting messages)."""
        process = self._process or self._start()
        accounting = number in _ACCOUNTING
        data = number.to_bytes(2, "big") + body if accounting else body
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(_RECORD.pack(2 if again else accounting, number, version, len(data)) + data)
            process.stdin.flush()
        except BrokenPipeError:
            return self._died()
        if not select.select([process.stdout], [], [], _PATIENCE_S)[0]:
            self._end()
            return Outcome(-1, 0, f"no answer within {_PATIENCE_S} s")
        answer = process.stdout.read(_ANSWER.size)
        if len(answer) < _ANSWER.size:
            return self._died()
        code, consumed, length = _ANSWER.unpack(answer)
        return Outcome(code, consumed - 2 * accounting, "", process.stdout.read(length))

    def _start(self) -> subprocess.Popen[bytes]:
        root, library = _ROOTS[self.release], _library(self.release)[0]
        program = _program()
        conf = program.parent / f"slurm-{self.release}.conf"
        cred = "cred/none" if self.release == "22.05" else "auth/none"
        conf.write_text(_CONF.format(plugins=library.parent, cred=cred))
        command = [str(program), str(library), str(conf)]
        if root != Path("/"):
            loader = next(iter(sorted(root.glob("usr/lib*/ld-linux-*"))))
            command[:0] = [str(loader), "--library-path", str(library.parent.parent)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return self._process

    def _died(self) -> Outcome:
        assert self._process is not None
        status = self._process.wait(_PATIENCE_S)
        self._end()
        return Outcome(-1, 0, f"the library's process ended with {status}")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


_ACCOUNTING = frozenset(map(int, DbdMessageType))


def _library(release: str) -> list[Path]:
    return sorted(_ROOTS[release].glob("usr/lib/*/slurm-wlm/libslurmfull.so"))


@cache
def _program() -> Path:
    place = Path(mkdtemp(prefix="flurm-libslurm-"))
    program = place / "libslurm"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["gcc", "-O1", "-rdynamic", "-o", str(program), str(source)], check=True)
    return program


def library_of(version: int) -> str:
    """Release of the library that decodes messages of `version`."""
    return LIBRARY_OF[versions.name(version)]
