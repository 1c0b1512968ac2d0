"""What a site has done to the node itself: HealthCheckProgram and RebootProgram. Each runs in a thread of its own."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable

import structlog

from actors.node_daemon.settings import Settings
from flurm.node.programs import health_environment
from flurm.node.run_program import run_one

log = structlog.get_logger(__name__)


class Upkeep:
    """`settings` gives what is configured now; all methods may be called from any thread."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._checking = threading.Lock()

    def check_health(self) -> None:
        """Run the HealthCheckProgram, unless it runs, and return at once."""
        if self._settings().programs.health_check:
            threading.Thread(target=self.check_health_now, name="health-check", daemon=True).start()

    def check_health_now(self) -> None:
        """Run the HealthCheckProgram to its end, unless there is none or it runs. What it finds it must act upon
        itself; that it failed is only logged."""
        settings = self._settings()
        programs = settings.programs
        if not programs.health_check or not self._checking.acquire(blocking=False):
            return
        try:
            environment = health_environment(settings.node_name)
            failure = run_one([programs.health_check], environment, programs.health_check_timeout_s)
        finally:
            self._checking.release()
        if failure is not None:
            log.error("health check failed", reason=failure)

    def reboot(self, features: str) -> None:
        """Start the RebootProgram, with the daemon's own environment and the features wanted afterwards, if any."""
        programs = self._settings().programs
        if not programs.reboot:
            log.error("reboot asked for, but there is no RebootProgram")
            return
        log.info("reboot asked for", program=programs.reboot, features=features)
        threading.Thread(target=_reboot, args=(programs.reboot, features, programs.slurm_conf), daemon=True).start()


def _reboot(program: str, features: str, slurm_conf: str) -> None:
    environment = os.environ | ({"SLURM_CONF": slurm_conf} if slurm_conf else {})
    try:
        done = subprocess.run(
            [program, features] if features else [program],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
            start_new_session=True,
        )
    except OSError as error:
        log.error("RebootProgram cannot be executed", program=program, reason=error.strerror)
        return
    if done.returncode:
        log.error("RebootProgram failed", program=program, status=done.returncode)
