"""`flurm remote_console`: a Python prompt inside the running controller, with completion and history."""

from __future__ import annotations

import code
import contextlib
import os
import uuid
from pathlib import Path
from typing import Any

import click

from flurm.cli.common import NotRunning, ask, evaluate, read_config
from flurm.cli.main import config_option
from flurm.config import Config

PROMPT, MORE = "flurm> ", "  ...> "
ENDS = ("exit", "exit()", "quit", "quit()", "q().")
HISTORY_LINES = 2000


@click.command(name="remote_console")
@config_option
@click.option("--timeout", "timeout_s", default=30.0, show_default=True, help="Seconds after which a line is stopped.")
def command(config_path: Path | None, timeout_s: float) -> None:
    """Open a Python prompt in the running controller.

    help() lists what can be called, Tab completes names, `_` is the last value; exit, or Ctrl-D, leaves. The
    controller goes on whatever is typed: every line has a time limit, and only its own user can connect.
    """
    config = read_config(config_path)
    session = uuid.uuid4().hex
    banner = evaluate(config, "status()", session=session)
    click.echo(banner["text"] or banner["error"] or "")
    click.echo("help() lists what can be called; exit leaves.")
    with _line_editing(config, session):
        _converse(config, session, timeout_s)


def _converse(config: Config, session: str, timeout_s: float) -> None:
    lines: list[str] = []
    while True:
        try:
            lines.append(input(MORE if lines else PROMPT))
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo()
            lines.clear()
            continue
        typed = "\n".join(lines)
        if typed.strip() in ENDS:
            return
        if not typed.strip():
            lines.clear()
            continue
        if _goes_on(typed):
            continue
        lines.clear()
        _show(evaluate(config, typed, session=session, timeout_s=timeout_s))


def _goes_on(typed: str) -> bool:
    """Whether Python would ask for another line; a wrong one is the controller's to tell."""
    try:
        return code.compile_command(typed) is None
    except (SyntaxError, ValueError, OverflowError):
        return False


def _show(answer: dict[str, Any]) -> None:
    click.echo(answer.get("printed", ""), nl=False)
    if answer["error"]:
        click.echo(answer["error"], err=True)
    elif answer["text"]:
        click.echo(answer["text"])


@contextlib.contextmanager
def _line_editing(config: Config, session: str) -> Any:
    """Completion and history where there is a readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    found: list[str] = []

    def complete(text: str, state: int) -> str | None:
        nonlocal found
        if state == 0:
            with contextlib.suppress(NotRunning):
                body = {"source": text, "session": session}
                found = ask(config, "/control/complete", method="POST", body=body)
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n()[]{},:=+-*/<>\"'")
    readline.parse_and_bind("tab: complete")
    history = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "flurm" / "console_history"
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        readline.set_history_length(HISTORY_LINES)
        with contextlib.suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            readline.write_history_file(history)
