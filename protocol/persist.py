"""Persistent connections: one credential, then many messages; to the accounting daemon and between controllers.

    opening, to the accounting daemon    u32 length | u16 6500 | ordinary frame (protocol.frame)
    opening, to a controller             u32 length | ordinary frame
    everything after, both ways          u32 length | u16 number | body

The opening frame (REQUEST_PERSIST_INIT) carries the only credential and, in its body, the newest version that the
client speaks; its header may stand in an older one, for a first contact. The server answers PERSIST_RC: return code 0
and the version in which both go on, the older of the two, or an error. (An accounting daemon has to be as new as its
clients: those of 24.11 were seen to go on in their own version whatever they were told.) From then on there is neither
header nor credential. To the accounting daemon the numbers are `DbdMessageType`, between controllers (and from the
accounting daemon to a controller) they are `MessageType`.

Each request has one answer, in order, but for the last: DBD_FINI that announces the close needs none (Slurm's daemon
may still give one; a client that closed drops it). What clients of the accounting daemon change is final only after a
DBD_FINI that commits:

    close_conn  commit
    0           1       commit
    0           0       roll back; clients send it first of all
    1           any     the connection ends here, no answer

`PersistClient` and `PersistServer` are the two ends without a socket: bytes in by `receive_data`, events out by
`next_event` until it returns None, and methods that return the bytes to send. What the peer does wrong is a
DecodeError. After one about the stream itself the connection is of no more use (FAILED); a body that cannot be read
leaves the stream intact, so that a server may still `reply` to it and go on. What we do wrong is a PersistError.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct

import msgspec

from protocol import versions
from protocol.auth.identity import Signer
from protocol.auth.munge import ANY
from protocol.codec import decode_body, encode_body, message_name
from protocol.constants import MAX_MESSAGE_SIZE, DbdMessageType, HeaderFlag, MessageType
from protocol.errors import DecodeError, ProtocolError
from protocol.exchange import make_request
from protocol.frame import Frame, FrameReader, decode_frame
from protocol.messages import DbdFini, PersistInit, PersistReply
from protocol.persist_events import (
    Answer,
    Closing,
    Event,
    Fini,
    Form,
    Opened,
    Opening,
    Refused,
    Request,
    State,
    negotiate,
)
from protocol.schema import Record
from protocol.versions import Version

__all__ = [
    "INIT_LIMIT",
    "Answer",
    "Closing",
    "Event",
    "Fini",
    "Form",
    "Opened",
    "Opening",
    "PersistClient",
    "PersistError",
    "PersistServer",
    "Refused",
    "Request",
    "State",
    "negotiate",
]

INIT_LIMIT = 1 << 16
"""Largest opening that a server takes from a peer that it does not know yet."""

_U16 = Struct(">H")
_PREFIX = Struct(">IH")
_INITS = frozenset({MessageType.REQUEST_PERSIST_INIT, MessageType.REQUEST_PERSIST_INIT_TLS})
_DBD_NUMBERS = frozenset(map(int, DbdMessageType)) | {int(MessageType.PERSIST_RC)}
_FLAGS = int(HeaderFlag.GLOBAL_AUTH_KEY)
_DBD_FLAGS = _FLAGS | int(HeaderFlag.CONNECTION)


class PersistError(ProtocolError):
    """Our own fault: the state of the connection does not allow this."""


class _Connection:
    """What both ends have in common: the stream, the state, the requests that wait for their answers."""

    def __init__(self, form: Form, version: int, limit: int, opening_limit: int) -> None:
        self.form, self.newest, self.limit = form, version, limit
        self.state = State.IDLE
        self.version: Version | None = None
        self.waiting: deque[int] = deque()
        self.left = False
        """Whether we announced the close: what arrives after that is dropped."""
        self._reader = FrameReader(opening_limit)

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take bytes from the peer. Raises DecodeError as soon as a length is above the limit."""
        if self.left:
            return
        if self.state in (State.CLOSED, State.FAILED) and data:
            raise DecodeError("persist", "", None, f"{len(data)} bytes after the end")
        with self._failing():
            self._reader.feed(data)

    def receive_eof(self) -> None:
        """The peer closed (say so once `next_event` has nothing more). Raises DecodeError inside a message."""
        missing = self._reader.missing if self._reader.pending and not self.left else 0
        self.state = State.FAILED if missing else State.CLOSED
        if missing:
            raise DecodeError("persist", "length", 0, f"the stream ends {missing} bytes too early")

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Whatever raises DecodeError inside leaves the connection FAILED."""
        try:
            yield
        except DecodeError:
            self.state = State.FAILED
            raise

    def _open(self, version: Version) -> None:
        self.state, self.version = State.OPEN, version
        self._reader.limit = self.limit

    def _need(self, *states: State) -> None:
        if self.state not in states:
            raise PersistError(f"the connection is {self.state.name}, not {' or '.join(s.name for s in states)}")

    def _next_message(self) -> tuple[int, bytes] | None:
        with self._failing():
            data = self._reader.next_frame()
            if data is None:
                return None
            if len(data) < 2:
                raise DecodeError("persist", "number", 0, "a message without a number")
            (number,) = _U16.unpack_from(data)
            if self.form is Form.ACCOUNTING and number not in _DBD_NUMBERS and self.state is State.OPEN:
                raise DecodeError("persist", "number", 0, f"{message_name(number)} is no accounting message")
            return number, data[2:]

    def _packed(self, number: int, record: Record | None, version: int) -> bytes:
        body = encode_body(number, record, version)
        return _PREFIX.pack(len(body) + 2, number) + body


class PersistClient(_Connection):
    """The end that opens the connection and asks.

    `version` is the newest that it speaks. `limit` bounds an answer (Slurm's own limit is 1 GiB).
    """

    def __init__(
        self, form: Form = Form.ACCOUNTING, version: int = versions.NEWEST, *, limit: int = MAX_MESSAGE_SIZE
    ) -> None:
        super().__init__(form, version, limit, limit)
        self._opening_version = version

    def initiate(
        self,
        init: PersistInit,
        signer: Signer,
        now_s: float,
        *,
        header_version: int | None = None,
        restrict_uid: int = ANY,
    ) -> bytes:
        """The opening. `header_version` is an older one for a peer that may not know ours; 0 in `init.version` stands
        for ours. Raises EncodeError."""
        self._need(State.IDLE)
        accounting = self.form is Form.ACCOUNTING
        init = msgspec.structs.replace(init, version=init.version or self.newest)
        self._opening_version = header_version or self.newest
        number = MessageType.REQUEST_PERSIST_INIT
        flags = _DBD_FLAGS if accounting else _FLAGS
        data = make_request(number, init, self._opening_version, signer, now_s, restrict_uid=restrict_uid, flags=flags)
        self.state = State.OPENING
        return _PREFIX.pack(len(data) - 2, number) + data[4:] if accounting else data

    def send(self, number: int, record: Record | None = None) -> bytes:
        """A request. A DBD_FINI that closes ends the connection, anything else has an answer. Raises EncodeError."""
        self._need(State.OPEN)
        assert self.version is not None
        data = self._packed(number, record, self.version)
        if isinstance(record, DbdFini) and Fini.of(record) is Fini.CLOSE:
            self.state, self.left = State.CLOSED, True
        else:
            self.waiting.append(int(number))
        return data

    def commit(self) -> bytes:
        """Ask that the changes of this connection become final."""
        return self.send(DbdMessageType.DBD_FINI, DbdFini(commit=1))

    def rollback(self) -> bytes:
        """Ask that the changes of this connection are forgotten."""
        return self.send(DbdMessageType.DBD_FINI, DbdFini())

    def close(self) -> bytes:
        """Announce the close."""
        return self.send(DbdMessageType.DBD_FINI, DbdFini(close_conn=1))

    def next_event(self) -> Opened | Refused | Answer | None:
        """What the server said next, None where nothing is complete. Raises DecodeError."""
        if self.state not in (State.OPENING, State.OPEN):
            return None
        message = self._next_message()
        if message is None:
            return None
        number, body = message
        if self.state is State.OPENING:
            return self._opened(number, body)
        if not self.waiting:
            with self._failing():
                raise DecodeError("persist", "number", 0, f"{message_name(number)} answers nothing")
        assert self.version is not None
        request = self.waiting.popleft()
        return Answer(request, number, decode_body(number, body, self.version))

    def _opened(self, number: int, body: bytes) -> Opened | Refused:
        with self._failing():
            if number != MessageType.PERSIST_RC:
                raise DecodeError("persist", "number", 0, f"{message_name(number)} instead of PERSIST_RC")
            reply = decode_body(number, body, self._opening_version)
            assert isinstance(reply, PersistReply)
            if reply.rc:
                self.state = State.CLOSED
                return Refused(reply)
            if not versions.is_supported(reply.ret_info) or reply.ret_info > self.newest:
                reason = f"version {versions.name(reply.ret_info)} was not offered"
                raise DecodeError("PERSIST_RC", "ret_info", len(body) - 2, reason)
            version = Version(reply.ret_info)
            self._open(version)
            return Opened(version, reply)


class PersistServer(_Connection):
    """The end that is asked.

    `version` is the newest that it speaks, `limit` bounds a message once the peer is known. Between `Opening` and the
    decision no further bytes are looked at: take none from the socket meanwhile.
    """

    def __init__(
        self, form: Form = Form.ACCOUNTING, version: int = versions.NEWEST, *, limit: int = MAX_MESSAGE_SIZE
    ) -> None:
        super().__init__(form, version, limit, min(limit, INIT_LIMIT))
        self._init_number = int(MessageType.REQUEST_PERSIST_INIT)

    def receive_init(self, frame: Frame) -> Opening:
        """An opening that arrived among ordinary requests and was taken apart already. Raises DecodeError."""
        self._need(State.IDLE)
        with self._failing():
            if frame.msg_type not in _INITS:
                raise DecodeError("persist", "number", 0, f"{message_name(frame.msg_type)} opens no connection")
            self._init_number = frame.msg_type
            readable = max(frame.version, versions.OLDEST)
            init = decode_body(frame.msg_type, frame.body, readable, trailing=True)
            assert isinstance(init, PersistInit)
        self.state = State.OPENING
        return Opening(frame, init, negotiate(init.version, self.newest))

    def accept(self, version: Version, *, flags: int = 0, comment: str | None = None) -> bytes:
        """Take the connection in `version`, as `Opening` says it."""
        self._need(State.OPENING)
        self._open(version)
        return self._reply(PersistReply(comment, flags, 0, version))

    def refuse(self, rc: int, comment: str | None = None, *, flags: int = 0) -> bytes:
        """Do not take the connection; also the last word after an opening that made no sense."""
        if self.version is not None:
            raise PersistError("the connection was accepted before")
        self._need(State.OPENING, State.FAILED)
        self.state = State.CLOSED
        return self._reply(PersistReply(comment, flags, rc, self._init_number))

    def answer(self, number: int, record: Record | None = None) -> bytes:
        """The answer to the oldest request without one. Raises EncodeError."""
        self._need(State.OPEN, State.CLOSED)
        if not self.waiting or self.version is None:
            raise PersistError(f"{message_name(number)} answers nothing")
        data = self._packed(number, record, self.version)
        self.waiting.popleft()
        return data

    def reply(self, rc: int = 0, comment: str | None = None, *, flags: int = 0) -> bytes:
        """PERSIST_RC as the answer to the oldest request without one."""
        self._need(State.OPEN, State.CLOSED)
        number = self.waiting[0] if self.waiting else 0
        return self.answer(MessageType.PERSIST_RC, PersistReply(comment, flags, rc, number))

    def next_event(self) -> Opening | Request | Closing | None:
        """What the client wants next, None where nothing is complete or an opening waits for its decision. Raises
        DecodeError; a request that cannot be read waits for its answer all the same."""
        if self.state is State.IDLE:
            return self._opening()
        if self.state is not State.OPEN:
            return None
        message = self._next_message()
        if message is None:
            return None
        number, body = message
        assert self.version is not None
        self.waiting.append(number)
        record = decode_body(number, body, self.version, trailing=True)
        if isinstance(record, DbdFini) and Fini.of(record) is Fini.CLOSE:
            self.waiting.pop()
            self.state = State.CLOSED
            return Closing()
        return Request(number, record)

    def _opening(self) -> Opening | None:
        if self.form is Form.CONTROLLER:
            with self._failing():
                data = self._reader.next_frame()
                return None if data is None else self.receive_init(decode_frame(data))
        message = self._next_message()
        if message is None:
            return None
        number, rest = message
        with self._failing():
            if number not in _INITS:
                raise DecodeError("persist", "number", 0, f"{message_name(number)} opens no connection")
            opening = self.receive_init(decode_frame(rest))
            if opening.frame.msg_type != number:
                raise DecodeError("persist", "number", 0, f"the frame behind it is {opening.frame.msg_type}")
            return opening

    def _reply(self, reply: PersistReply) -> bytes:
        return self._packed(MessageType.PERSIST_RC, reply, self.version or versions.OLDEST)
