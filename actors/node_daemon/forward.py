"""Fan-out: a request that names further nodes in its header is handed on, and their answers go back with ours.

The list is cut into at most as many parts as the request's tree is wide; the first node of each part gets the frame as
it came, credential and all, with the rest of its part to forward. Parts are served at the same time, by threads that
end when their node has answered or its time is up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import msgspec
import structlog

from actors.net import rpc
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.errors import ProtocolError
from protocol.frame import Frame, RetItem, encode_frame
from protocol.hostlist import expand, fold

DEFAULT_TIMEOUT_S = 10.0
DEFAULT_WIDTH = 16

log = structlog.get_logger(__name__)


class FanOut:
    """One request on its way to further nodes. `collect` waits for what they say."""

    def __init__(self, frame: Frame, addresses: Mapping[str, tuple[str, int]], own_port: int) -> None:
        self._frame = frame
        self._addresses = addresses
        self._own_port = own_port
        self._items: list[RetItem] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        forward = frame.forward
        if forward is not None and forward.nodes:
            self._timeout_s = (forward.timeout_ms or DEFAULT_TIMEOUT_S * 1000) / 1000
            self._start(expand(forward.nodes), forward.tree_width or DEFAULT_WIDTH)

    def collect(self) -> list[RetItem]:
        """The answers of all further nodes; one that did not answer has an error."""
        for thread in self._threads:
            thread.join()
        return self._items

    def _start(self, nodes: list[str], width: int) -> None:
        size = -(-len(nodes) // min(width, len(nodes)))
        for first in range(0, len(nodes), size):
            thread = threading.Thread(target=self._serve, args=(nodes[first : first + size],), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, nodes: list[str]) -> None:
        """Hand the request to the first node that takes it, with the others behind it."""
        deadline_s = time.monotonic() + self._timeout_s
        while nodes:
            head, *rest = nodes
            try:
                items = self._ask(head, rest, max(deadline_s - time.monotonic(), 0.1))
            except (rpc.Unreachable, ProtocolError) as error:
                log.warning("node not reached", node=head, reason=str(error))
                failed = RetItem(head, MessageType.RESPONSE_FORWARD_FAILED, Errno.SLURM_COMMUNICATIONS_CONNECTION_ERROR)
                items, nodes = [failed], rest
            else:
                nodes = []
            with self._lock:
                self._items += items

    def _ask(self, node: str, behind: list[str], timeout_s: float) -> list[RetItem]:
        answer = rpc.send(self._address(node), encode_frame(self._onward(behind)), timeout_s=timeout_s)
        return [RetItem(node, answer.msg_type, 0, answer.body), *answer.frame.ret_list]

    def _onward(self, behind: list[str]) -> Frame:
        forward = self._frame.forward
        assert forward is not None
        onward = msgspec.structs.replace(forward, nodes=fold(behind), count=len(behind)) if behind else None
        return msgspec.structs.replace(self._frame, forward=onward, ret_list=[])

    def _address(self, node: str) -> tuple[str, int]:
        return self._addresses.get(node, (node, self._own_port))
