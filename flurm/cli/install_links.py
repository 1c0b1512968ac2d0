"""`flurm install-links DIR`: programs named slurmctld and slurmd, for scripts that look for daemons by name.

pidof, pgrep, killall and init scripts know a daemon by its process name, by the first word of its command line and by
the file that it runs (`/proc/PID/exe`). A Python script has that of the interpreter in all three. So each daemon gets
an interpreter of its own name:

    DIR/slurmctld                    a shell script of two lines; it becomes the next one
    LIBEXEC/bin/slurmctld            the Python interpreter, copied
    LIBEXEC/pyvenv.cfg, lib/...      what tells that one where Python and FLURM are

LIBEXEC is a virtual environment in all but its size; whatever the daemons start in turn runs under the ordinary
interpreter again, so that `pidof slurmd` names the daemon and not its step managers.
"""

from __future__ import annotations

import os
import shlex
import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import click

from flurm.cli.main import DAEMON_COMMANDS

CHECK_TIMEOUT_S = 60.0


@click.command("install-links")
@click.option(
    "--libexec", type=click.Path(path_type=Path), help="Where the programs' own files go; default DIR/../libexec/flurm."
)
@click.option("--force", is_flag=True, help="Replace programs of these names that are not ours, such as Slurm's.")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def command(libexec: Path | None, force: bool, directory: Path) -> None:
    """Put slurmctld and slurmd into DIR, such as /usr/local/sbin. Done again after an update of Python or FLURM."""
    directory = directory.absolute()
    libexec = (libexec or directory.parent / "libexec" / "flurm").absolute()
    for name in DAEMON_COMMANDS:
        if not force and _is_foreign(directory / name):
            raise click.ClickException(f"{directory / name} is not ours; take another DIR, or --force to replace it")
    try:
        _make_environment(libexec)
        for name, module in DAEMON_COMMANDS.items():
            program = _copy_interpreter(libexec, name)
            _write(directory / name, _launcher(program, module))
            click.echo(f"{directory / name}")
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename}: {error.strerror}") from error
    _check(libexec)


def _is_foreign(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as file:
        return b"flurm.cli." not in file.read(4096)


def _launcher(program: Path, module: str) -> str:
    return f'#!/bin/sh\nexec {shlex.quote(str(program))} -P -m {module} "$@"\n'


def _make_environment(libexec: Path) -> None:
    """An environment whose Python is the one below ours, and that finds what ours finds."""
    home = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable))).parent
    _write(libexec / "pyvenv.cfg", f"home = {home}\ninclude-system-site-packages = false\n", mode=0o644)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(libexec)}))
    lines = [f"import sys; sys.executable = {sys.executable!r}"]
    lines += [f"import site; site.addsitedir({path!r})" for path in _site_directories()]
    _write(packages / "flurm-links.pth", "\n".join(lines) + "\n", mode=0o644)


def _site_directories() -> list[str]:
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [path for path in dict.fromkeys([*site.getsitepackages(), *user]) if Path(path).is_dir()]


def _copy_interpreter(libexec: Path, name: str) -> Path:
    """The base interpreter under another name, replaced as a whole: one that runs keeps its own."""
    target = libexec / "bin" / name
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = target.with_name(f".{name}.{os.getpid()}")
    shutil.copyfile(os.path.realpath(sys.executable), draft)
    draft.chmod(0o755)
    draft.rename(target)
    return target


def _write(path: Path, text: str, mode: int = 0o755) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.chmod(mode)
    draft.rename(path)


def _check(libexec: Path) -> None:
    """Have each copy import FLURM. Raises ClickException where it cannot: some Pythons run in their own place only."""
    for name, module in DAEMON_COMMANDS.items():
        argv = [str(libexec / "bin" / name), "-P", "-c", f"import {module}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=CHECK_TIMEOUT_S, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise click.ClickException(f"{argv[0]}, a copy of {sys.executable}, does not run: {reason}")
