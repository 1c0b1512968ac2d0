"""Requests from one controller to another, and their answers: many at a time on one connection, each with a number."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from actors.net.peers.connection import Connection
from actors.net.peers.frames import Answered, Call, FrameError, Refused, encode
from actors.net.peers.outbox import Outbox, Parcel


class PeerError(Exception):
    """A call had no answer. `sent` is False where the other side certainly has not seen the request."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason, self.sent = reason, sent


class PeerGone(PeerError):
    """There is no connection, or it ended before the answer came."""


class PeerTimeout(PeerError):
    """No answer came in time."""


class PeerRefused(PeerError):
    """The other side answers that it failed; what it did of it only its reason can tell."""


class _Pending:
    """One request under way; changed under the guard of its `Calls`."""

    __slots__ = ("answer", "ended", "error", "sent")

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.sent = False
        self.answer = b""
        self.error: PeerError | None = None


class Calls:
    """The requests to one controller that wait for an answer; outlives connections."""

    def __init__(self, to: str, outbox: Outbox, flush: Callable[[], None]) -> None:
        self._to = to
        self._outbox = outbox
        self._flush = flush
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._over = ""
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._pending)

    def call(self, kind: str, payload: bytes, timeout_s: float) -> bytes:
        """Ask and wait for the answer. Raises PeerError, FrameError where the payload is too large."""
        number, pending = next(self._numbers), _Pending()
        parcel = Parcel(encode(Call(number, kind, payload)), lambda: self._leaves(pending))
        with self._guard:
            if self._over:
                raise PeerGone(f"{self._to}: {self._over}", sent=False)
            self._pending[number] = pending
        if not self._outbox.put(parcel):
            self._end(number, error=PeerGone(f"too many requests to {self._to} wait", sent=False))
        else:
            self._flush()
        if not pending.ended.wait(timeout_s):
            self._end(number, error=PeerTimeout(f"no answer from {self._to} in {timeout_s:g} s", sent=pending.sent))
        if pending.error is not None:
            raise pending.error
        return pending.answer

    def take(self, frame: Answered | Refused) -> None:
        """An answer came; where nobody waits for it any more it is forgotten."""
        match frame:
            case Answered(number, payload):
                self._end(number, answer=payload)
            case Refused(number, reason):
                self._end(number, error=PeerRefused(f"{self._to}: {reason}", sent=True))

    def close(self, reason: str) -> None:
        """There will be no connection any more."""
        with self._guard:
            self._over = reason
        self.fail(reason)

    def fail(self, reason: str) -> None:
        """The connection is gone, or none came about: nobody will be answered."""
        with self._guard:
            numbers = list(self._pending.items())
        for number, pending in numbers:
            self._end(number, error=PeerGone(f"{self._to}: {reason}", sent=pending.sent))

    def _leaves(self, pending: _Pending) -> bool:
        """A request is about to go: not where its caller has been told otherwise already."""
        with self._guard:
            pending.sent = not pending.ended.is_set()
            return pending.sent

    def _end(self, number: int, *, answer: bytes = b"", error: PeerError | None = None) -> None:
        with self._guard:
            pending = self._pending.pop(number, None)
            if pending is None:
                return
            if error is not None:
                error.sent = error.sent or pending.sent
            pending.answer, pending.error = answer, error
            pending.ended.set()


class Answer:
    """How a request is answered: call it with the answer, or `fail` it; from any thread, and only once."""

    def __init__(self, number: int, connection: Connection) -> None:
        self._number = number
        self._connection = connection
        self._given = threading.Lock()

    def __call__(self, payload: bytes) -> None:
        """Answer. Where the caller is gone meanwhile nobody reads it; one that is too large becomes a failure."""
        try:
            data = encode(Answered(self._number, payload))
        except FrameError as error:
            self.fail(f"the answer is too large: {error}")
            return
        self._give(data)

    def fail(self, reason: str) -> None:
        """Tell the caller that it failed."""
        self._give(encode(Refused(self._number, reason[:1000])))

    def _give(self, data: bytes) -> None:
        if self._given.acquire(blocking=False):
            self._connection.post(Parcel(data))
