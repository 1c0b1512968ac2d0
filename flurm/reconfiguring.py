"""Reading the configuration again in a running controller: all of it is taken, or nothing.

`Reconfiguring.reconfigure` is what `scontrol reconfigure` and SIGHUP ask for. The controller in charge reads its files,
makes them a command and, once that is committed, goes by them; one that is not in charge has the one that is do it.
`follow` is what the others do when they see that command: they read their own files and go by those that say the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog

from actors import messages as m
from actors.leadership import is_in_charge
from actors.net import agent
from actors.net.configurations import is_stale
from flurm.bridge import configure
from flurm.bridge.configure import Reading
from flurm.config import Config, in_force, validate_for_reconfigure
from flurm.console.log_levels import LEVELS
from flurm.core.effects import Rejected, Reply
from flurm.core.enums import Refusal
from flurm.otp import System

log = structlog.get_logger(__name__)


class Reconfiguring:
    """`load` reads the files, `apply` makes a configuration the cluster's and `check` refuses one; all
    raise with a text for people."""

    def __init__(
        self,
        system: System,
        load: Callable[[], Config],
        apply: Callable[[Reading], Reply],
        check: Callable[[Config], Any],
    ) -> None:
        self._system = system
        self._load = load
        self._apply = apply
        self._check = check
        self._running = threading.RLock()

    def reconfigure(self) -> Reply:
        """Read the configuration again and apply it live; on any fault nothing changes. Raises nothing."""
        if not is_in_charge(self._system.terms):
            reply: Reply = self._system.env["configurations"].reconfigure_cluster()
            if isinstance(reply, Rejected):
                log.error("reconfigure refused", reason=reply.text)
            return reply
        with self._running:
            try:
                reading = self._read()
                reply = self._apply(reading)
            except Exception as error:
                log.error("reconfigure refused", reason=str(error))
                return Rejected(Refusal.INTERNAL, str(error))
            self._adopt(reading)
            self._system.beside(self._tell_nodes)
            return reply

    def _tell_nodes(self) -> None:
        """From a thread of its own: who asked was a connection handler, and those do not talk to the node manager."""
        self._system.cast("flurm_node_manager", m.Reconfigured())
        agent.tell_sackds(self._system.env)

    def follow(self) -> None:
        """The cluster was configured by another controller: read our own files, and go by them if they say the same."""
        with self._running:
            cluster = self._system.terms["cluster"]
            try:
                reading = self._read()
            except Exception as error:
                log.error("configuration of the cluster not followed: own files are refused", reason=str(error))
                return
            source = reading.config.slurm_conf or reading.config.source or "defaults"
            if is_stale(reading, cluster):
                log.error(
                    "configuration of the cluster not followed: own files say something else; make them what the "
                    "others have, then reconfigure again",
                    source=source,
                )
                return
            if configure.is_same(reading.fingerprint, cluster.fingerprint) is False:
                log.warning("own files are newer than the configuration of the cluster: reconfigure", source=source)
                return
            self._adopt(reading)

    def _read(self) -> Reading:
        config = self._load()
        self._check(config)
        return configure.read_from(config)

    def _adopt(self, reading: Reading) -> None:
        """Go by these files from now on, but for what takes a restart; that is told."""
        env = self._system.env
        before: Config = env["config"]
        for change in validate_for_reconfigure(before, reading.config):
            if change.needs_restart:
                log.warning("takes a restart of this controller", key=change.key, now=change.old, then=change.new)
        if reading.config.log_level != env["reading"].config.log_level or env.get("log_level_set"):
            LEVELS.set(reading.config.log_level)
        env["log_level_set"] = False
        env["config"], env["config_files"] = in_force(before, reading.config), reading.files
        env["reading"] = reading
        for warning in reading.config.warnings:
            log.warning("configuration", oddity=warning)
        log.info("reconfigured", source=reading.config.slurm_conf or reading.config.source or "defaults")
