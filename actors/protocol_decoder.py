"""Protocol decoder: owns the codecs that turn bodies into records.

Casts    Crashed(msg_type, version, traceback): a codec raised something that is no DecodeError
Calls    "status" -> dict
Effects  publishes the term "decoder", with which connection handlers decode in their own threads

A codec that crashes is quarantined after three times: its message is refused, everything else goes on.
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from flurm.otp import GenServer, NoReply, Ok, Reply, Sender
from protocol import compiler
from protocol.codec import body_class, decode_body, message_name
from protocol.constants import MessageType
from protocol.errors import DecodeError
from protocol.schema import Record
from protocol.versions import Version

CRASHES_UNTIL_QUARANTINE = 3
FIRST_NEEDED = (
    MessageType.REQUEST_SUBMIT_BATCH_JOB,
    MessageType.REQUEST_JOB_INFO,
    MessageType.MESSAGE_NODE_REGISTRATION_STATUS,
    MessageType.REQUEST_COMPLETE_BATCH_SCRIPT,
)

log = structlog.get_logger(__name__)


class Crashed(msgspec.Struct, frozen=True):
    """A codec raised something else than DecodeError: a bug in it."""

    msg_type: int
    version: int
    error: str


class Decoder:
    """What handlers decode with. Safe for many threads: it only reads."""

    def __init__(self, report: Any, quarantined: frozenset[tuple[int, int]] = frozenset()) -> None:
        self._report = report
        self.quarantined = quarantined

    def decode(self, msg_type: int, body: bytes, version: int) -> Record | None:
        """The record of a request's body. Raises DecodeError, also for a message in quarantine."""
        if (msg_type, version) in self.quarantined:
            raise DecodeError(message_name(msg_type), "", 0, "its codec is in quarantine")
        try:
            return decode_body(msg_type, body, version, trailing=True)
        except DecodeError:
            raise
        except Exception as error:
            self._report(Crashed(msg_type, version, repr(error)))
            raise DecodeError(message_name(msg_type), "", 0, f"its codec failed: {error!r}") from error


class State(msgspec.Struct):
    """Crashes by message and version."""

    crashes: dict[tuple[int, int], int] = msgspec.field(default_factory=dict)
    quarantined: frozenset[tuple[int, int]] = frozenset()


class ProtocolDecoder(GenServer):
    """Compiles what is needed first, counts crashes, quarantines."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        self._publish(frozenset())
        return Ok(State(), continue_="compile")

    def handle_continue(self, what: Any, state: State) -> NoReply:
        for msg_type in FIRST_NEEDED:
            body = body_class(msg_type)
            if body is not None:
                compiler.compiled(body, Version.V22_05)
        return NoReply(state)

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply:
        return Reply(self.format_status(state), state)

    def handle_cast(self, message: Any, state: State) -> NoReply:
        if not isinstance(message, Crashed):
            raise NotImplementedError(repr(message))
        where = (message.msg_type, message.version)
        state.crashes[where] = state.crashes.get(where, 0) + 1
        log.error("codec crashed", message=message_name(message.msg_type), version=message.version, error=message.error)
        if state.crashes[where] >= CRASHES_UNTIL_QUARANTINE and where not in state.quarantined:
            state.quarantined |= {where}
            self._publish(state.quarantined)
        return NoReply(state)

    def _publish(self, quarantined: frozenset[tuple[int, int]]) -> None:
        system, name = self.system, self.name
        assert name is not None
        self.system.terms["decoder"] = Decoder(lambda report: system.cast(name, report), quarantined)

    def format_status(self, state: State) -> Any:
        return {
            "crashes": {message_name(t): n for (t, _), n in state.crashes.items()},
            "quarantined": [message_name(t) for t, _ in state.quarantined],
        }
