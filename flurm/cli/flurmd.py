"""`flurmd`: the node daemon's command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from actors.node_daemon.application import NodeDaemon
from flurm.cli import logs
from flurm.cli.join import BadToken, JoinFailed, claims_of, ensure_key
from flurm.config import Config, ConfigError, find_file, load
from flurm.node.daemon import SpoolHeldError
from flurm.otp import OtpError

FAILED, HELD = 1, 2
_LEVELS = ("debug", "info", "warning", "error")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-f", "--config", "config_path", type=click.Path(dir_okay=False), help="Configuration file (flurm.toml).")
@click.option("-D", "--foreground", is_flag=True, help="Stay in the foreground and log to standard error.")
@click.option("-N", "--node-name", help="Name of this node (default: the host's).")
@click.option("--controller", "controllers", multiple=True, metavar="HOST:PORT", help="A controller; may be repeated.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (default: 6818).")
@click.option("--bind", default="", metavar="ADDRESS", help="Address to listen on (default: all).")
@click.option("--spool-dir", type=click.Path(file_okay=False), help="Where this node keeps its jobs.")
@click.option("--munge-key", type=click.Path(dir_okay=False), help="The cluster's MUNGE key.")
@click.option("--cpus", type=click.IntRange(1), help="CPUs to register instead of this machine's.")
@click.option("--memory", type=click.IntRange(1), metavar="MIB", help="Memory to register, in MiB.")
@click.option("--log-file", type=click.Path(dir_okay=False), help="Log to this file.")
@click.option("--log-level", type=click.Choice(_LEVELS), help="What to log (default: info).")
@click.option("-Z", "--dynamic", is_flag=True, help="Join as a node that no configuration names.")
@click.option(
    "--token", metavar="TOKEN|FILE", help="Join with a token: it gets the key, names controllers, implies -Z."
)
@click.option("--conf", default="", metavar="LINE", help="What a dynamic node is, e.g. 'Feature=x Weight=7'.")
@click.option("--replace", is_flag=True, help="Stop a flurmd that serves the same spool and take over its jobs.")
def main(
    config_path: str | None, foreground: bool, bind: str, log_file: str | None, log_level: str | None, replace: bool,
    dynamic: bool, conf: str, token: str | None,
    **given: Any,
) -> None:  # fmt: skip
    """Serve this host as a node of a FLURM or Slurm cluster.

    SIGTERM stops the daemon and leaves its jobs running; the next flurmd with the same spool takes them up again.
    SIGHUP has it read its configuration again.
    """
    dynamic = dynamic or token is not None
    if conf and not dynamic:
        raise click.UsageError("--conf says what a dynamic node is: it needs -Z or --token")
    path = config_path or find_file()
    overrides = _overrides(given)

    def read_config() -> Config:
        return load(path, overrides=overrides)

    try:
        if token is not None:
            _join(token, path, overrides)
        config = read_config()
        if not foreground:
            log_file = log_file or str(Path(config.log_dir) / "flurmd.log")
            _leave_terminal()
        if log_file is not None:
            _log_to(Path(log_file))
        logs.configure(log_level or config.log_level)
        daemon = NodeDaemon(
            read_config, bind=bind, log_file=log_file, replace=replace, joins_with=conf if dynamic else None
        )
        _run(daemon)
    except SpoolHeldError as held:
        click.echo(f"flurmd: {held}", err=True)
        sys.exit(HELD)
    except (ConfigError, OSError, OtpError, BadToken, JoinFailed) as error:
        click.echo(f"flurmd: {error}", err=True)
        sys.exit(FAILED)


def _join(token: str, path: str | Path | None, overrides: dict[str, object]) -> None:
    """Have the cluster's key, and use it and the controllers of the token where nothing else is said. Raises BadToken,
    JoinFailed, ConfigError, OSError."""
    claims, text = claims_of(token)
    overrides.setdefault("slurmd.controllers", list(claims.controllers))
    config = load(path, overrides=overrides)
    key = overrides.setdefault("munge_key", config.munge_key or f"{config.state_dir}/munge.key")
    if ensure_key(claims, text, Path(str(key)), config.slurmd.node_name):
        click.echo(f"flurmd: joined cluster {claims.cluster}; its key is in {key}", err=True)


def _run(daemon: NodeDaemon) -> None:
    _on_signal(signal.SIGTERM, daemon.request_stop)
    _on_signal(signal.SIGINT, daemon.request_stop)
    _on_signal(signal.SIGHUP, daemon.reconfigure)
    try:
        daemon.start()
        daemon.wait()
    finally:
        daemon.stop()


def _on_signal(signum: int, act: Callable[[], None]) -> None:
    """Act in a thread: the main one may hold the very lock that the action needs."""
    signal.signal(signum, lambda signum, frame: threading.Thread(target=act, daemon=True).start())


def _overrides(given: dict[str, Any]) -> dict[str, object]:
    """The command line as keys of the configuration."""
    keys = {
        "node_name": "slurmd.node_name",
        "port": "slurmd.slurmd_port",
        "spool_dir": "slurmd.spool_dir",
        "munge_key": "munge_key",
        "cpus": "slurmd.cpus",
        "memory": "slurmd.memory",
    }
    overrides: dict[str, object] = {key: given[name] for name, key in keys.items() if given[name] is not None}
    if given["controllers"]:
        overrides["slurmd.controllers"] = list(given["controllers"])
    return overrides


def _leave_terminal() -> None:
    """Go on in a process of a session of its own; the caller's process ends here."""
    if os.fork():
        os._exit(0)
    os.setsid()
    with open(os.devnull) as null:
        os.dup2(null.fileno(), 0)


def _log_to(path: Path) -> None:
    """Have whatever this process prints appended to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as log:
        for target in (1, 2):
            os.dup2(log.fileno(), target)


if __name__ == "__main__":
    main()
