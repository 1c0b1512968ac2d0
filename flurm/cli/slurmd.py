"""`flurm slurmd`: the node daemon, started, told and ended as slurmd is.

It reads slurm.conf where slurmd does, or has a controller send it (`--conf-server`), finds its node in it by the name
of this host or by -N, and returns to the caller when it serves. See docs/migrating.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flurm.cli.slurm_options import SLURMD, BadUsage, SlurmdOptions, asked_to_print, bad_usage, number, parse

__all__ = ["main"]

LETTERS = "bcCd:Df:hL:Mn:N:svVZ"
"""As getopt(3) has them."""
USAGE = """\
Usage: slurmd [OPTIONS]
  -b                        Taken, and without effect: whether the node was rebooted is seen from its boot time.
  -c, -M                    Taken, and without effect: there is no shared memory to clean or lock.
  -C                        Print this machine as a line of slurm.conf and exit.
  --conf LINE               With -Z: what the node is, e.g. 'Feature=x Weight=7'.
  --conf-server HOST[:PORT] Get the configuration files from a controller, or from the next after a comma.
  -d PROGRAM                Taken, and without effect: step managers are part of this program.
  -D                        Stay in the foreground and log to standard error as well.
  -f FILE                   Read this slurm.conf instead of $SLURM_CONF or /etc/slurm/slurm.conf.
  -h                        Print this and exit.
  -L FILE                   Log to this file instead of SlurmdLogFile.
  -n VALUE                  Run at this nice value.
  -N NODE                   Be this node of slurm.conf.
  -s                        Work in SlurmdSpoolDir instead of the log's directory.
  --systemd                 Stay in the foreground as a service of Type=notify; there is no pid file.
  -v                        Log more; may be repeated.
  -V                        Print the version and exit.
  -Z                        Join as a node that slurm.conf does not name.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the node daemon; returns its exit status: 0 ended as asked, or printed what was asked for, else 1."""
    try:
        given = parse(sys.argv[1:] if argv is None else argv, LETTERS, ("conf=", "conf-server=", "systemd"))
        options = _options(given)
    except BadUsage as error:
        return bad_usage(SLURMD, USAGE, error)
    if asked_to_print(given, USAGE):
        return 0
    if ("-C", "") in given:
        _print_machine()
        return 0
    from flurm.cli.node_daemon import run

    return run(options)


def _options(given: list[tuple[str, str]]) -> SlurmdOptions:
    words, values = [word for word, _ in given], dict(given)
    if "--conf" in values and "-Z" not in values:
        raise BadUsage("--conf says what a dynamic node is: it needs -Z")
    return SlurmdOptions(
        slurm_conf=values.get("-f"),
        conf_server=values.get("--conf-server"),
        node_name=values.get("-N"),
        foreground="-D" in values or "--systemd" in values,
        log_file=Path(values["-L"]).absolute() if "-L" in values else None,
        nice=number("-n", values.get("-n", "0")),
        louder=words.count("-v"),
        in_spool_dir="-s" in values,
        joins="-Z" in values,
        joins_with=values.get("--conf", ""),
        systemd="--systemd" in values,
    )


def _print_machine() -> None:
    """`slurmd -C`: what an administrator copies into slurm.conf, and how long the machine has been up."""
    from flurm.node import inventory

    machine, up_s = inventory.hardware(), inventory.vitals().up_time_s
    print(
        f"NodeName={machine.hostname} CPUs={machine.cpus} Boards={machine.boards}"
        f" SocketsPerBoard={machine.sockets // machine.boards} CoresPerSocket={machine.cores_per_socket}"
        f" ThreadsPerCore={machine.threads_per_core} RealMemory={machine.real_memory_mib}"
    )
    hours, rest_s = divmod(up_s, 3600)
    print(f"UpTime={hours // 24}-{hours % 24:02}:{rest_s // 60:02}:{rest_s % 60:02}")


if __name__ == "__main__":
    sys.exit(main())
