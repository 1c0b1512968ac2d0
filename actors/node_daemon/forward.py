"""Hands a request on to the further nodes that its header names, and collects what they answer.

What to send to whom, and what a failure means, is decided in `protocol.forward`; here are the connections and the
clock. Each request under way has a thread of its own, which ends when its node has answered or its time is up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog

from actors.net import rpc
from actors.node_daemon.settings import Settings
from protocol import forward
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.errors import DecodeError, ProtocolError
from protocol.frame import Frame, RetItem, encode_frame
from protocol.hostlist import HostlistError, expand
from protocol.wire import Address

log = structlog.get_logger(__name__)


class FanOut:
    """One request on its way to further nodes. `collect` waits for what they say.

    Raises DecodeError where the header's list is none or too long.
    """

    def __init__(self, frame: Frame, caller: tuple[str, int], settings: Settings) -> None:
        assert frame.forward is not None
        self._frame = frame
        self._caller = Address(*caller)
        self._settings = settings
        self._changed = threading.Condition()
        try:
            names = expand(frame.forward.nodes)
            self._machine = forward.FanOut(frame.forward, names, frame.version, itself=settings.node_name)
        except (HostlistError, ValueError) as error:
            raise DecodeError("frame", "forward.nodes", None, str(error)) from error
        with self._changed:
            self._carry_out(self._machine.start(time.monotonic()))

    def collect(self) -> list[RetItem]:
        """The answers of all further nodes; one that did not answer has an error."""
        machine = self._machine
        with self._changed:
            while not machine.is_done and (left_s := machine.deadline_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
            machine.expired()
            return machine.answers

    def _carry_out(self, sends: Sequence[forward.Send]) -> None:
        for send in sends:
            threading.Thread(target=self._ask, args=(send,), daemon=True).start()

    def _ask(self, send: forward.Send) -> None:
        """Send a request, wait for its reply, tell the machine."""
        node = send.node
        address = self._settings.node_addresses.get(node, (node, self._settings.port))
        answer = None
        try:
            request = encode_frame(forward.onward(self._frame, send, self._caller))
            answer = rpc.send(address, request, timeout_s=send.timeout_ms / 1000)
        except (rpc.Unreachable, ProtocolError) as error:
            log.warning("node not reached", node=node, reason=str(error))
        with self._changed:
            if answer is None:
                sends = self._machine.failed(node, time.monotonic())
            else:
                sends = self._machine.answered(node, _item(answer), answer.frame.ret_list, time.monotonic())
            self._carry_out(sends)
            self._changed.notify_all()


def _item(answer: rpc.Answer) -> RetItem:
    """A reply as it stands in ours; what could not be read can not be passed on."""
    if answer.body is None and answer.frame.body:
        return RetItem(None, MessageType.RESPONSE_FORWARD_FAILED, Errno.ESLURM_PROTOCOL_INCOMPLETE_PACKET)
    return RetItem(None, answer.msg_type, 0, answer.body)
