"""Connection handler: one connection at a time, from its complete frame to its close.

Infos    SERVE, to itself: take the next connection from the listener and serve it
Effects  reads are answered from the published state in this thread; writes are calls to the manager that owns them
Errors   what the peer does wrong is answered or closed, counted and logged; a bug crashes this handler and costs this
         one connection

Handlers are a bounded pool: there are more of them while all wait for commits, and these go again when they are idle.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
import structlog

from actors.net.forwarding import ForwardedConnection
from actors.net.listener import Arrival, Listener, send_all
from actors.net.serving import Exchange, NotInCharge, Refusal, Reply, Service
from actors.tracer import TRACER, Span, Spans
from flurm.otp import GenServer, NoReply, Ok, OtpError, Overloaded, Stop
from flurm.storage.errors import StorageError
from protocol.errors import DecodeError

SERVE = "serve"
WAIT_S = 0.5
SPANS_AT_ONCE = 64
IN_A_ROW = 100
IN_A_ROW_S = 0.5
"""Connections served before a look at the mailbox: so many, or those of so long a time."""
SPARE_IDLE_S = 10.0

log = structlog.get_logger(__name__)


class State(msgspec.Struct):
    """What this handler has done, and whether it is one of the spare ones."""

    listener: Listener
    service: Service
    spare: bool
    served: int = 0
    idle_since_s: float = 0.0
    spans: list[Span] = msgspec.field(default_factory=list)
    """Requests served that the tracer has not been told of."""


class ConnectionHandler(GenServer):
    """Serves connections until it is told to stop."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        state = State(
            listener=self.system.env["listener"],
            service=self.system.env["service"],
            spare=bool(args.get("spare")),
            idle_since_s=self.monotonic_s(),
        )
        if state.spare:
            state.service.pool.spare_began(self.pid)
        self.info(self.pid, SERVE)
        return Ok(state)

    def handle_info(self, message: Any, state: State) -> NoReply | Stop:
        if message != SERVE:
            return NoReply(state)
        look_s = self.monotonic_s() + IN_A_ROW_S
        for _ in range(IN_A_ROW):
            arrival = self._next(state)
            if arrival is None:
                self._tell_tracer(state)
                break
            self._serve(arrival, state)
            state.idle_since_s = self.monotonic_s()
            if state.idle_since_s > look_s:
                break
        if state.spare and self.monotonic_s() - state.idle_since_s > SPARE_IDLE_S:
            return Stop("normal", state)
        self.info(self.pid, SERVE)
        return NoReply(state)

    def _next(self, state: State) -> Arrival | None:
        """Wait for a connection; None when none came, or when this handler is to end."""
        if self.told_to_exit():
            return None
        arrival = state.listener.next(WAIT_S)
        if arrival is not None and not self.system.is_alive(self.pid):
            state.listener.give_back(arrival)  # killed while it waited: a ghost may not serve it, another handler can
            return None
        return arrival

    def _serve(self, arrival: Arrival, state: State) -> None:
        began_s = time.monotonic()
        connection = arrival.connection
        try:
            exchange = state.service.open(arrival.data, arrival.peer, arrival.forwarded)
            reply = self._answer(exchange, state)
            self.ensure_alive()
            if reply is not None:
                with state.service.pool.waiting():
                    self._send(connection, reply)
            self._count(exchange, time.monotonic() - began_s, state)
        except DecodeError as error:
            state.service.count_refusal("undecodable")
            log.warning("request undecodable", peer=arrival.peer[0], reason=str(error))
        except Refusal as refusal:
            state.service.count_refusal(refusal.kind)
            log.warning("request refused", peer=arrival.peer[0], kind=refusal.kind, reason=refusal.detail)
            if refusal.reply is not None:
                self._send_quietly(connection, refusal.reply)
        except NotInCharge as not_here:
            if isinstance(connection, ForwardedConnection):
                connection.refuse(not_here.begun)
        except OSError as error:
            log.debug("client gone", peer=arrival.peer[0], reason=str(error))
        finally:
            state.served += 1
            state.listener.served(arrival)
            connection.close()

    def _count(self, exchange: Exchange, duration_s: float, state: State) -> None:
        state.service.count(exchange, duration_s)
        attributes: dict[str, str | int] = {"uid": exchange.identity.uid, "peer": exchange.peer[0]}
        state.spans.append(Span(exchange.name, time.time() - duration_s, int(duration_s * 1e6), attributes))
        if len(state.spans) >= SPANS_AT_ONCE:
            self._tell_tracer(state)

    def _tell_tracer(self, state: State) -> None:
        if state.spans:
            self.cast(TRACER, Spans(tuple(state.spans)))
            state.spans.clear()

    def _answer(self, exchange: Exchange, state: State) -> Reply | None:
        """The reply's bytes; a manager that died or a full disk is an error to the client, not to this handler."""
        try:
            return state.service.answer(exchange, self.system)
        except Overloaded as error:
            state.service.count_refusal("overloaded")
            log.warning("request refused", peer=exchange.peer[0], kind="overloaded", reason=str(error))
            return state.service.failure(exchange, error)
        except (OtpError, StorageError) as error:
            log.error("request failed", message=exchange.name, reason=str(error))
            return state.service.failure(exchange, error)

    def _send(self, connection: Any, reply: Reply) -> None:
        """To the client, or to the controller that has forwarded its request. Raises OSError."""
        if isinstance(connection, ForwardedConnection):
            connection.send(reply)
        else:
            send_all(connection, reply, self._patience_s())

    def _send_quietly(self, connection: Any, data: Reply) -> None:
        try:
            self._send(connection, data)
        except OSError as error:
            log.debug("client gone", reason=str(error))

    def _patience_s(self) -> float:
        """How long a client may take to read its reply (MessageTimeout)."""
        return float(self.system.env["config"].message_timeout)

    def format_status(self, state: State) -> Any:
        return {"served": state.served, "spare": state.spare}
