"""Registrar: tells the controllers that this node is here, at start, when asked, and when none has been heard of.

Casts    "register", "prolog failed": register, and say that the node is not fit to run jobs
Infos    "register" (retry), "heartbeat"
Effects  registrations to the controller in charge; before the first of them the site's health check
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
import structlog

from actors.net import rpc
from actors.node_daemon import messages as m
from actors.node_daemon.controllers import Controllers, return_code
from actors.node_daemon.registration import registration, shape
from actors.node_daemon.settings import Settings
from flurm.node import inventory
from flurm.node.inventory import Hardware
from flurm.otp import GenServer, NoReply, Ok, OtpError, TimerRef
from protocol.errno import Errno
from protocol.errors import ProtocolError

REGISTER, HEARTBEAT = "register", "heartbeat"
PROLOG_FAILED = "prolog failed"
FIRST_RETRY_S = 0.2
LAST_RETRY_S = 10.0

log = structlog.get_logger(__name__)


class State(msgspec.Struct):
    """Whether this node is registered, since when not, and the timer of the next attempt."""

    settings: Settings
    controllers: Controllers
    hardware: Hardware
    registered: bool = False
    joins: bool = True
    """Whether a dynamic node is still to say what it is: at its start and when asked, but never by itself once it has
    joined, or a node that was deleted would be back with its next heartbeat."""
    status: int = 0
    """What the next registration says of the last job here."""
    failures: int = 0
    retry: TimerRef | None = None
    last_s: float = 0.0


class Registrar(GenServer):
    """Keeps the node registered."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        env = self.system.env
        state = State(env["settings"], env["controllers"], shape(env["settings"], inventory.hardware()))
        self.send_after(state.settings.heartbeat_s, HEARTBEAT)
        return Ok(state, continue_=REGISTER)

    def handle_continue(self, what: Any, state: State) -> NoReply:
        self.system.env["upkeep"].check_health_now()
        self._register(state)
        return NoReply(state)

    def handle_cast(self, message: Any, state: State) -> NoReply:
        if message == PROLOG_FAILED:
            state.status = Errno.ESLURMD_PROLOG_FAILED
            self._register(state)
        if message == REGISTER:
            state.settings = self.system.env["settings"]
            state.hardware = shape(state.settings, inventory.hardware())
            state.joins = True
            self._register(state)
        return NoReply(state)

    def handle_info(self, message: Any, state: State) -> NoReply:
        match message:
            case "register":
                state.retry = None
                self._register(state)
            case "heartbeat":
                silent_s = time.time() - max(state.controllers.heard_s, state.last_s)
                if silent_s >= state.settings.heartbeat_s * 0.9 and state.retry is None:
                    self._register(state)
                self.send_after(state.settings.heartbeat_s, HEARTBEAT)
        return NoReply(state)

    def _register(self, state: State) -> None:
        if state.retry is not None:
            self.cancel_timer(state.retry)
            state.retry = None
        try:
            steps = self.call(m.STEPS, m.ListSteps())
            answer = state.controllers.register(
                lambda version: registration(
                    state.settings,
                    state.hardware,
                    steps,
                    version,
                    started_s=self.system.env["started_s"],
                    now_s=int(time.time()),
                    first=not state.registered,
                    joins=state.joins,
                    status=int(state.status),
                )
            )
        except (rpc.Unreachable, ProtocolError, OtpError) as error:
            self._retry_later(str(error), state)
            return
        code = return_code(answer)
        if code:
            self._retry_later(f"the controller answered {code}", state)
            return
        if not state.registered or state.failures:
            address = state.controllers.addresses[0]
            version = state.controllers.version_of(address)
            log.info("registered", controller=f"{address[0]}:{address[1]}", version=hex(version), jobs=len(steps))
        state.joins, state.status = False, 0
        state.registered, state.failures, state.last_s = True, 0, time.time()

    def _retry_later(self, reason: str, state: State) -> None:
        state.failures += 1
        delay_s = min(FIRST_RETRY_S * 2 ** (state.failures - 1), LAST_RETRY_S)
        log.warning("not registered", reason=reason, retry_s=round(delay_s, 1))
        state.retry = self.send_after(delay_s, REGISTER)

    def format_status(self, state: State) -> Any:
        return {"registered": state.registered, "failures": state.failures}
