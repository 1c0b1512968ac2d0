"""`flurm slurmctld`: the controller, started, told and ended as slurmctld is.

It reads slurm.conf where slurmctld does, becomes SlurmUser once it has the keys and its sockets, returns to the caller
when it serves, and answers to the signals that slurmctld answers to. What Slurm's -R, -r and -i choose between does not
arise here: all state is recovered, or the start is refused. See docs/migrating.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flurm.cli.slurm_options import SLURMCTLD, BadUsage, SlurmctldOptions, asked_to_print, bad_usage, number, parse

__all__ = ["main"]

LETTERS = "cDf:hiL:n:qRrsvV"
"""As getopt(3) has them."""
USAGE = """\
Usage: slurmctld [OPTIONS]
  -c          Begin without the state of before; job ids go on, and the old state is kept in `cleared` beside the new.
  -D          Stay in the foreground and log to standard error as well.
  -f FILE     Read this slurm.conf instead of $SLURM_CONF or /etc/slurm/slurm.conf.
  -h          Print this and exit.
  -i, -r, -R  Taken, and without effect: all state is always recovered.
  -L FILE     Log to this file instead of SlurmctldLogFile.
  -n VALUE    Run at this nice value.
  -q          Log less; may be repeated.
  -s          Work in StateSaveLocation instead of the log's directory.
  --systemd   Stay in the foreground as a service of Type=notify; there is no pid file.
  -v          Log more; may be repeated.
  -V          Print the version and exit.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the controller; returns its exit status: 0 ended as asked, or printed what was asked for, 1 anything else."""
    try:
        given = parse(sys.argv[1:] if argv is None else argv, LETTERS, ("systemd",))
        options = _options(given)
    except BadUsage as error:
        return bad_usage(SLURMCTLD, USAGE, error)
    if asked_to_print(given, USAGE):
        return 0
    from flurm.cli.controller_daemon import run

    return run(options)


def _options(given: list[tuple[str, str]]) -> SlurmctldOptions:
    words, values = [word for word, _ in given], dict(given)
    return SlurmctldOptions(
        slurm_conf=values.get("-f"),
        foreground="-D" in values or "--systemd" in values,
        clears="-c" in values,
        log_file=Path(values["-L"]).absolute() if "-L" in values else None,
        nice=number("-n", values.get("-n", "0")),
        louder=words.count("-v") - words.count("-q"),
        in_state_dir="-s" in values,
        systemd="--systemd" in values,
    )


if __name__ == "__main__":
    sys.exit(main())
