"""The controller as a daemon among a site's scripts: what surrounds `flurm.application` under `flurm slurmctld`.

In this order: configuration, log, the way into the background, pid file (ending the daemon of before), state, keys and
sockets, SlurmUser, the tree. Until it serves it still has its caller's standard error, to say why it does not.
"""

from __future__ import annotations

import os
import pwd
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

import flurm
from flurm.application import Application, StartFailed
from flurm.cli import logs
from flurm.cli.daemon import (
    DaemonError,
    PidFile,
    User,
    detach,
    on_signals,
    prepare,
    set_process_name,
    stay,
    told_to_systemd,
)
from flurm.cli.slurm_options import SLURMCTLD, SlurmctldOptions, fatal, wait_for_file
from flurm.config import Config, ConfigError
from flurm.config.drop_in import is_controller_here, load_drop_in, log_path, pid_path, slurm_conf_path
from flurm.config.munge_key import SYSTEM_KEY, is_key_withheld
from flurm.otp import StartError
from flurm.storage.clear import check_alone, clear
from flurm.storage.errors import StorageError

__all__ = ["run"]

CODE = (Path(os.__file__), Path(flurm.__file__))
"""What whoever runs the daemon must be able to read: modules are loaded when they are needed."""

log = structlog.get_logger(__name__)


def run(options: SlurmctldOptions) -> int:
    """Run the controller until it is told to end; returns its exit status, having said why it did not start."""
    try:
        return _run(options, slurm_conf_path(options.slurm_conf))
    except (ConfigError, StorageError, DaemonError, OSError) as error:
        return fatal(SLURMCTLD, error)


def _run(options: SlurmctldOptions, slurm_conf: Path) -> int:
    """From the configuration to the end of the daemon."""
    wait_for_file(SLURMCTLD, slurm_conf)

    def read_config() -> Config:
        return load_drop_in(slurm_conf, "SlurmctldDebug", louder=options.louder)

    config = read_config()
    if not is_controller_here(config):
        names = ", ".join(each.name for each in config.controllers) or "nobody"
        raise DaemonError(f"this host ({config.controller_name}) is not a controller; SlurmctldHost names {names}")
    user = User(config.slurm_user, "SlurmUser")
    user.check(CODE)
    _check_key(config)
    set_process_name(SLURMCTLD)
    prepare(options.nice)
    log_file = _log_to(options, config, user)
    os.chdir(config.state_dir if options.in_state_dir else log_file.path.parent if log_file is not None else "/")
    served = told_to_systemd() if options.systemd else stay if options.foreground else detach()
    pid_file = PidFile(pid_path(config, "SlurmctldPidFile", config.controller_name, config.controller_name))
    if not options.systemd:
        pid_file.take(lambda text: print(f"{SLURMCTLD}: {text}", file=sys.stderr))
        pid_file.give_to(user)
    try:
        if options.clears:
            _clear(config)
        for directory in (config.state_dir, config.log_dir):
            user.own_directory(Path(directory))
        return _serve(config, read_config, user, log_file, served)
    finally:
        pid_file.remove()


def _check_key(config: Config) -> None:
    """Raises DaemonError where this site's credentials could not be read."""
    if is_key_withheld(config):
        who = pwd.getpwuid(os.geteuid()).pw_name
        raise DaemonError(
            f"started by {who}, who may not read munged's {SYSTEM_KEY}: start it as root (in a unit, User=root), it "
            "becomes SlurmUser then; or name a copy that SlurmUser may read as munge_key in /etc/flurm/flurm.toml"
        )


def _log_to(options: SlurmctldOptions, config: Config, user: User) -> logs.LogFile | None:
    """Begin to log; returns the file, None where it is syslog. Directories that the log and state need are made."""
    Path(config.state_dir).mkdir(mode=0o755, parents=True, exist_ok=True)
    name = config.controller_name
    path = options.log_file or log_path(config, "SlurmctldLogFile", name, name)
    log_file = None
    if path is not None:
        if not path.parent.exists():
            user.own_directory(path.parent)
        log_file = logs.LogFile(path)
        user.own(path)
    sink: logs.Sink = log_file or logs.Syslog(SLURMCTLD)
    logs.configure(config.log_level, logs.Both(sys.stderr, sink) if options.foreground else sink)
    return log_file


def _clear(config: Config) -> None:
    check_alone(len(config.all_controllers))
    aside = clear(Path(config.state_dir))
    if aside is not None:
        log.warning("state cleared", kept_in=str(aside))


def _serve(
    config: Config,
    read_config: Callable[[], Config],
    user: User,
    log_file: logs.LogFile | None,
    served: Callable[[], None],
) -> int:
    """Start the controller, say so to the caller, and wait for its end."""
    application = Application(config, read_config=read_config, user=user)
    try:
        application.start()
    except (StartFailed, StartError) as error:
        raise DaemonError(str(error)) from error
    on_signals(
        {
            signal.SIGTERM: lambda: application.request_stop("SIGTERM"),
            signal.SIGINT: lambda: application.request_stop("SIGINT"),
            signal.SIGHUP: application.reconfigure,
            signal.SIGUSR2: lambda: logs.reopen(log_file),
        }
    )
    host, port = application.listener.address
    log.info("serving", cluster=config.cluster_name, address=f"{host}:{port}", slurm_conf=config.slurm_conf)
    served()
    reason = application.wait()
    log.info("stopping", reason=reason)
    application.stop()
    return 1 if application.failure is not None or reason.startswith("the root supervisor") else 0
