"""Request handler: one request at a time, from its complete frame to its close. Several share one listener.

Infos    SERVE, to itself: take the next request and serve it
Effects  see requests.py; replies go out in this thread
Errors   what a peer does wrong is answered as slurmd does: an unsupported version is closed, what cannot be
         authenticated or decoded gets an error number; a bug crashes this handler and costs this one request
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
import structlog

from actors.net.listener import Arrival, Listener, send_all
from actors.node_daemon import messages as m
from actors.node_daemon.forward import FanOut
from actors.node_daemon.registrar import REGISTER
from actors.node_daemon.requests import Exchange, Response, answer, code
from flurm.otp import GenServer, NoReply, Ok, OtpError
from protocol.auth import Authority, CredentialError, Identity
from protocol.codec import decode_body, message_name
from protocol.errno import Errno
from protocol.errors import DecodeError
from protocol.exchange import make_reply
from protocol.frame import Frame, decode_frame
from protocol.versions import is_supported

SERVE = "serve"
WAIT_S = 0.5
SEND_TIMEOUT_S = 30.0
NOBODY = Identity(0xFFFFFFFE, 0xFFFFFFFE)

log = structlog.get_logger(__name__)


class State(msgspec.Struct):
    """What this handler works with, and how many requests it has served."""

    listener: Listener
    authority: Authority
    served: int = 0


class Handler(GenServer):
    """Serves requests until it is told to stop."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        env = self.system.env
        self.info(self.pid, SERVE)
        return Ok(State(env["listener"], env["authority"]))

    def handle_info(self, message: Any, state: State) -> NoReply:
        if message == SERVE:
            arrival = state.listener.next(WAIT_S)
            if arrival is not None:
                self._serve(arrival, state)
            self.info(self.pid, SERVE)
        return NoReply(state)

    def format_status(self, state: State) -> Any:
        return {"served": state.served}

    def _serve(self, arrival: Arrival, state: State) -> None:
        try:
            frame = decode_frame(arrival.data)
            if is_supported(frame.version):
                self._reply(arrival, frame, state)
            else:
                self._introduce(frame, arrival.peer[0], state)
        except DecodeError as error:
            log.warning("request undecodable", peer=arrival.peer[0], reason=str(error))
        except OSError as error:
            log.debug("peer gone", peer=arrival.peer[0], reason=str(error))
        finally:
            state.served += 1
            state.listener.served(arrival)
            arrival.connection.close()

    def _reply(self, arrival: Arrival, frame: Frame, state: State) -> None:
        response, identity, fan_out = self._answer(arrival, frame, state)
        others = fan_out.collect() if fan_out is not None else []
        self.ensure_alive()
        if response is not None:
            data = make_reply(
                frame,
                response.msg_type,
                response.body,
                signer=state.authority.signer_for(frame),
                now_s=time.time(),
                peer_uid=identity.uid,
                ret_list=others,
            )
            send_all(arrival.connection, (data,), SEND_TIMEOUT_S)

    def _answer(self, arrival: Arrival, frame: Frame, state: State) -> tuple[Response | None, Identity, FanOut | None]:
        """Our own answer, whom it is for, and the further nodes that are working on theirs meanwhile."""
        identity, fan_out = NOBODY, None
        name = message_name(frame.msg_type)
        try:
            identity = state.authority.identify(frame, time.time(), arrival.peer[0])
            record = decode_body(frame.msg_type, frame.body, frame.version, trailing=True)
            log.debug("request", message=name, uid=identity.uid)
            if frame.forward is not None and frame.forward.nodes:
                settings = self.system.env["settings"]
                fan_out = FanOut(frame, arrival.peer, settings)
            return answer(Exchange(frame, identity, record), self.system), identity, fan_out
        except (CredentialError, DecodeError) as error:
            log.warning("request refused", message=name, reason=str(error))
            return code(Errno.ESLURM_PROTOCOL_INCOMPLETE_PACKET), identity, fan_out
        except OtpError as error:
            log.error("request failed", message=name, reason=str(error))
            return code(Errno.SLURM_COMMUNICATIONS_SEND_ERROR), identity, fan_out

    def _introduce(self, frame: Frame, peer: str, state: State) -> None:
        """A controller that does not know us yet asks in the oldest version it has: register, then it knows."""
        log.info("request in a version that is not spoken here", version=hex(frame.version))
        try:
            state.authority.identify(frame, time.time(), peer)
        except CredentialError:
            return
        self.cast(m.REGISTRAR, REGISTER)
