"""`flurm foreground`: the controller in this terminal, until a signal ends it."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from flurm.cli import logs
from flurm.cli.common import read_config
from flurm.cli.main import config_option
from flurm.config import ConfigError, find_file
from flurm.storage.errors import StorageError

log = structlog.get_logger(__name__)


@click.command(name="foreground")
@config_option
@click.option("--log-level", default=None, help="Overrides log_level of the configuration.")
def command(config_path: Path | None, log_level: str | None) -> None:
    """Run the controller in this terminal.

    SIGTERM and SIGINT end it, SIGHUP reads the configuration again. Running jobs go on when it ends.
    """
    from flurm.application import Application, StartFailed
    from flurm.otp import StartError

    config = read_config(config_path)
    logs.configure(log_level or config.log_level)
    application = Application(config, config_path or find_file())
    try:
        application.start()
    except (StorageError, StartFailed, ConfigError, StartError) as error:
        raise click.ClickException(str(error)) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda which, _: _apart(application.request_stop, signal.Signals(which).name))
    signal.signal(signal.SIGHUP, lambda *_: _apart(application.reconfigure))
    host, port = application.listener.address
    log.info("serving", cluster=config.cluster_name, address=f"{host}:{port}", state_dir=config.state_dir)
    with contextlib.suppress(OSError):  # a full disk under the log is no reason to end
        click.echo(f"FLURM serves cluster {config.cluster_name} on {host}:{port}", err=True)
    reason = application.wait()
    log.info("stopping", reason=reason)
    application.stop()
    if application.failure is not None:
        raise click.ClickException(application.failure)
    if reason.startswith("the root supervisor"):
        sys.exit(1)


def _apart(action: Callable[..., object], *arguments: object) -> None:
    """Act in a thread: the main thread, which a signal interrupts anywhere, may hold a lock that the action needs."""
    threading.Thread(target=action, args=arguments, daemon=True).start()
