"""The node daemon among a site's scripts: what surrounds `actors.node_daemon` under `flurm slurmd`.

In this order: configuration, log, the way into the background, pid file (ending the daemon of before, whose jobs run
on), the daemon. Until it serves it still has its caller's standard error, to say why it does not.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from actors.node_daemon.application import NodeDaemon
from flurm.cli import logs
from flurm.cli.configless import fetch
from flurm.cli.daemon import DaemonError, PidFile, detach, on_signals, prepare, set_process_name, stay, told_to_systemd
from flurm.cli.slurm_options import SLURMD, SlurmdOptions, fatal, wait_for_file
from flurm.config import Config, ConfigError
from flurm.config.drop_in import load_drop_in, log_path, pid_path, slurm_conf_path
from flurm.node.daemon import SpoolHeldError
from flurm.otp import OtpError

__all__ = ["node_name_of", "run"]

CONFIGLESS_DIR = Path("/run/slurm/conf")
"""Where Slurm's commands on the node look for what slurmd was sent."""
USUAL_SPOOL_DIR = "/var/spool/slurmd"

log = structlog.get_logger(__name__)


def run(options: SlurmdOptions) -> int:
    """Run the node daemon until it is told to end; returns its exit status, having said why it did not start."""
    try:
        return _run(options)
    except (ConfigError, DaemonError, SpoolHeldError, OSError, OtpError) as error:
        return fatal(SLURMD, error)


def node_name_of(config: Config, hostname: str, wanted: str | None, *, joins: bool = False) -> str:
    """The node that this host is: the one wanted, or the one whose NodeHostname it has. Raises DaemonError."""
    if joins:
        return wanted or hostname
    if wanted is not None:
        if config.node(wanted) is None:
            raise DaemonError(f"-N {wanted}: slurm.conf has no such node")
        return wanted
    here = [each.name for each in config.nodes if hostname in (each.hostname, each.name)]
    if len(here) == 1:
        return here[0]
    if here:
        raise DaemonError(f"slurm.conf has several nodes on {hostname}: say with -N which one, {', '.join(here)}")
    raise DaemonError(f"slurm.conf has no node whose NodeHostname is {hostname}; say with -N which one this is")


def _run(options: SlurmdOptions) -> int:
    """From the configuration to the end of the daemon."""
    if os.geteuid() != 0:
        print(f"{SLURMD}: not run by root: jobs of other users cannot be started", file=sys.stderr)
    read_config = _reader(options)
    config = read_config()
    name, hostname = config.slurmd.node_name, _hostname()
    set_process_name(SLURMD)
    prepare(options.nice)
    log_file = _log_to(options, config)
    spool_dir = Path(config.spool_dir_of(name, hostname))
    os.chdir(_made(spool_dir) if options.in_spool_dir else log_file.path.parent if log_file is not None else "/")
    served = told_to_systemd() if options.systemd else stay if options.foreground else detach()
    pid_file = PidFile(pid_path(config, "SlurmdPidFile", name, hostname))
    if not options.systemd:
        pid_file.take(lambda text: print(f"{SLURMD}: {text}", file=sys.stderr))
    daemon = NodeDaemon(
        read_config,
        log_file=str(log_file.path) if log_file is not None else None,
        replace=True,
        joins_with=options.joins_with if options.joins else None,
    )
    try:
        _serve(daemon, log_file, served)
    finally:
        daemon.stop()
        pid_file.remove()
    return 0


def _reader(options: SlurmdOptions) -> Callable[[], Config]:
    """How the configuration is read, now and at every SIGHUP; a controller that serves it is asked again."""

    def read_config() -> Config:
        if options.conf_server is not None:
            slurm_conf = fetch(options.conf_server, CONFIGLESS_DIR)
        else:
            slurm_conf = slurm_conf_path(options.slurm_conf)
            wait_for_file(SLURMD, slurm_conf)
        config = load_drop_in(slurm_conf, "SlurmdDebug", louder=options.louder)
        overrides = {"slurmd.node_name": node_name_of(config, _hostname(), options.node_name, joins=options.joins)}
        if "SlurmdSpoolDir" not in config.slurm:
            overrides["slurmd.spool_dir"] = USUAL_SPOOL_DIR
        return load_drop_in(slurm_conf, "SlurmdDebug", louder=options.louder, overrides=overrides)

    return read_config


def _serve(daemon: NodeDaemon, log_file: logs.LogFile | None, served: Callable[[], None]) -> None:
    """Start the daemon, say so to the caller, and wait for its end."""
    daemon.start()
    on_signals(
        {
            signal.SIGTERM: daemon.request_stop,
            signal.SIGINT: daemon.request_stop,
            signal.SIGHUP: daemon.reconfigure,
            signal.SIGUSR2: lambda: logs.reopen(log_file),
        }
    )
    served()
    daemon.wait()


def _log_to(options: SlurmdOptions, config: Config) -> logs.LogFile | None:
    """Begin to log; returns the file, None where it is syslog."""
    path = options.log_file or log_path(config, "SlurmdLogFile", config.slurmd.node_name, _hostname())
    log_file = logs.LogFile(_made(path.parent) / path.name) if path is not None else None
    sink: logs.Sink = log_file or logs.Syslog(SLURMD)
    logs.configure(config.log_level, logs.Both(sys.stderr, sink) if options.foreground else sink)
    return log_file


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    return directory


def _hostname() -> str:
    return socket.gethostname().partition(".")[0]
