"""The node daemon as an application: what must exist before its tree, the tree itself, and the way down.

Before the tree: the lock on the spool, the shared key, the listening socket, the MUNGE socket where one is named. They
outlive every process of the tree. Jobs outlive all of it: each has a step manager of its own, which the next daemon
finds again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from actors.net.listener import Listener
from actors.net.munge_service import MungeService
from actors.net.replays import SharedReplayCache
from actors.node_daemon import messages as m
from actors.node_daemon.controllers import Controllers
from actors.node_daemon.registrar import REGISTER
from actors.node_daemon.settings import Settings, settings_of
from actors.node_daemon.upkeep import Upkeep
from flurm.bridge.users import ids_of
from flurm.config import Config, ConfigError, authority_of
from flurm.node import inventory
from flurm.node.daemon import SpoolLock
from flurm.otp import OtpError, RuntimeEvent, System
from protocol.auth import Authority, Signer

HANDLERS = 4
POOL = "flurmd_handler_pool"

log = structlog.get_logger(__name__)


class NodeDaemon:
    """One node. `start`, then `wait`; `request_stop` from anywhere ends the waiting, `stop` the daemon."""

    def __init__(
        self,
        read_config: Callable[[], Config],
        *,
        bind: str = "",
        log_file: str | None = None,
        replace: bool = False,
        joins_with: str | None = None,
    ) -> None:
        self._read_config = read_config
        self._bind = bind
        self._log_file = log_file
        self._replace = replace
        self._joins_with = joins_with
        self._stop = threading.Event()
        self.system: System | None = None
        self.listener: Listener | None = None
        self.munge: MungeService | None = None
        self.lock: SpoolLock | None = None

    def start(self) -> None:
        """Bring everything up. Raises ConfigError, SpoolHeldError, OSError, StartError."""
        config = self._read_config()
        settings = self._settings(config)
        self.lock = SpoolLock(settings.spool_dir)
        self.lock.take(replace=self._replace)
        authority = authority_of(config, user_ids=ids_of, replay_cache=SharedReplayCache())
        self.listener = Listener(settings.bind, settings.port, max_message=settings.max_message)
        if config.munge_socket is not None and isinstance(authority.signer, Signer):
            self.munge = MungeService.of(config, authority.signer.key)
        if self.munge is not None:
            self.munge.start()
        self.system = System(self._environment(settings, authority))
        self.system.observers.append(self._observe)
        self.system.start("supervisors.flurmd_sup:SPEC", "flurmd_sup")
        self.listener.open()
        log.info("node daemon ready", node=settings.node_name, port=self.listener.address[1], pid=os.getpid())

    def wait(self) -> None:
        """Wait until somebody stops the daemon, or its tree gives up."""
        while not self._stop.wait(0.5):
            if self.system is not None and self.system.whereis("flurmd_sup") is None:
                log.error("the root supervisor gave up")
                return

    def request_stop(self) -> None:
        """Have `wait` return."""
        self._stop.set()

    def stop(self) -> None:
        """Stop the tree, then let go of everything. Running jobs go on."""
        self._stop.set()
        if self.system is not None:
            self.system.stop()
        if self.listener is not None:
            self.listener.close()
        if self.munge is not None:
            self.munge.close()
        if self.lock is not None:
            self.lock.release()
        log.info("node daemon stopped")

    def reconfigure(self) -> None:
        """Read the configuration again and use it; a faulty one changes nothing. Name, port and spool stay."""
        assert self.system is not None
        try:
            settings = self._settings(self._read_config())
        except ConfigError as error:
            log.error("reconfigure refused", reason=str(error))
            return
        self.system.env["settings"] = settings
        self.system.cast(m.REGISTRAR, REGISTER)
        log.info("reconfigured")

    def _settings(self, config: Config) -> Settings:
        return settings_of(
            config, own_uid=os.getuid(), bind=self._bind, log_file=self._log_file, joins_with=self._joins_with
        )

    def _environment(self, settings: Settings, authority: Authority) -> dict[str, Any]:
        return {
            "settings": settings,
            "authority": authority,
            "listener": self.listener,
            "controllers": Controllers(settings.controllers, authority.signer, settings.message_timeout_s),
            "core_cpus": inventory.core_cpus() if settings.bind_cpus else (),
            "started_s": int(time.time()),
            "shutdown": self.request_stop,
            "upkeep": Upkeep(lambda: self.system.env["settings"] if self.system is not None else settings),
            "reconfigure": self.reconfigure,
        }

    def _observe(self, event: RuntimeEvent) -> None:
        """Fill the pool of handlers whenever it starts: its children are not declared, so a restart begins empty."""
        if event.kind == "started" and event.name == POOL:
            threading.Thread(target=self._fill_pool, daemon=True).start()

    def _fill_pool(self) -> None:
        assert self.system is not None
        try:
            for _ in range(HANDLERS):
                self.system.start_child(POOL, {})
        except OtpError as error:
            log.warning("no request handler", reason=str(error))
