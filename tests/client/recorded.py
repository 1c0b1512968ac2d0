"""Recorded answers of a real controller, played back: what went over the wire when Slurm's own commands were typed."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from flurm.client.connection import VERSION, Controller
from flurm.client.errors import Refused
from protocol.auth import MungeKey, Signer
from protocol.codec import decode_body
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.messages import ReturnCode
from protocol.schema import Record

DATA = Path(__file__).parent.parent / "data" / "client" / "recorded.json"
USERS = {0: "root", 1001: "alice", 1002: "bob", 64030: "slurm"}
_ANSWER = {
    MessageType.REQUEST_JOB_INFO: MessageType.RESPONSE_JOB_INFO,
    MessageType.REQUEST_JOB_INFO_SINGLE: MessageType.RESPONSE_JOB_INFO,
    MessageType.REQUEST_JOB_USER_INFO: MessageType.RESPONSE_JOB_INFO,
    MessageType.REQUEST_JOB_STEP_INFO: MessageType.RESPONSE_JOB_STEP_INFO,
    MessageType.REQUEST_NODE_INFO: MessageType.RESPONSE_NODE_INFO,
    MessageType.REQUEST_PARTITION_INFO: MessageType.RESPONSE_PARTITION_INFO,
    MessageType.REQUEST_BUILD_INFO: MessageType.RESPONSE_BUILD_INFO,
}


class Recording(msgspec.Struct):
    """One command: its words, when it was typed, what the controller answered (by number) and what it printed."""

    argv: list[str]
    now_s: int
    stdout: str
    replies: dict[str, str]

    def bodies(self) -> dict[int, bytes]:
        """The answers' bodies by message number."""
        return {int(number): zlib.decompress(base64.b64decode(text)) for number, text in self.replies.items()}


def recordings() -> list[Recording]:
    """All of them."""
    return msgspec.convert(json.loads(DATA.read_text()), list[Recording])


class PlayedBack(Controller):
    """A controller that answers from a recording; what was changed is kept in `asked`."""

    def __init__(self, bodies: Mapping[int, bytes], names: list[str]) -> None:
        signer = Signer(MungeKey(bytes(32)), 1001, 1001)
        super().__init__([(name, 6817) for name in names], signer, names=names)
        self.bodies = dict(bodies)
        self.asked: list[tuple[int, Record | None]] = []

    def ask(
        self, msg_type: MessageType, record: Record | None = None, *, address: tuple[str, int] | None = None
    ) -> Record:
        """The recorded answer; a ping is answered by the first controller alone."""
        self.asked.append((msg_type, record))
        if msg_type == MessageType.REQUEST_PING:
            if address is not None and address != self.addresses[0]:
                raise Refused(Errno.SLURMCTLD_COMMUNICATIONS_CONNECTION_ERROR)
            return ReturnCode()
        number = _ANSWER[msg_type]
        body = decode_body(number, self.bodies[number], VERSION)
        assert body is not None
        return body
