"""How a frame becomes an answer: authenticate, decode, route, encode.

One `Service` is shared by all connection handlers; it holds no state of a request. Reads are answered here, from the
published cluster. Writes become a call to the manager that owns them, and the handler's thread waits for the commit.

Writes come in through the door (door.py); when too many stand there, or a manager has too many messages waiting, the
client is told to come again.

What a peer does wrong ends in `Refusal`, with the reply that Slurm's daemons give where they give one: a credential
that does not hold gets an authentication error, everything else a closed connection.
"""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import structlog

from actors import backlog
from actors import messages as m
from actors.net.door import Door
from flurm.bridge import queries, replies, requests, tokens
from flurm.bridge.show_nodes import Load
from flurm.bridge.users import user_name
from flurm.core.effects import Done, Rejected
from flurm.otp import NoProcess, OtpError, Overloaded, Pid, SystemPort
from flurm.raft.effects import RejectReason
from flurm.storage.errors import StorageError, StorageFull
from protocol.auth import Authority, CredentialError, Identity
from protocol.codec import encode_body, message_name
from protocol.constants import HeaderFlag, MessageType
from protocol.errno import Errno
from protocol.frame import Frame, decode_frame, frame_parts
from protocol.messages import NodeRegistration, ReturnCode, TokenRequest
from protocol.schema import Record
from protocol.versions import NEWEST, Version, is_supported

CALL_TIMEOUT_S = 30.0
POOL = "flurm_acceptor_pool"
RESTART_TIMEOUT_S = 5.0
RESTART_POLL_S = 0.01
KEPT_FREE = 8
"""So many handlers never wait for managers: they answer reads, and tell the others that the controller is busy."""
SUBMISSIONS = frozenset({MessageType.REQUEST_SUBMIT_BATCH_JOB, MessageType.REQUEST_SUBMIT_BATCH_HET_JOB})
"""These are turned away before their scripts are stored."""
NODE_REPORTS = frozenset({MessageType.REQUEST_COMPLETE_BATCH_SCRIPT, MessageType.MESSAGE_EPILOG_COMPLETE})
"""A node daemon of 22.05 takes any error number as the end of the matter, and a connection that closes as a failure to
be tried again. Of the second it expects no answer; a completion that it missed is asked for at the next heartbeat."""

log = structlog.get_logger(__name__)


Reply = tuple[bytes, bytes]
"""A reply frame: everything before its body, and the body."""


class Refusal(Exception):
    """A request that is not served; `reply` is what the peer is told, None for a silent close."""

    def __init__(self, kind: str, detail: str, reply: Reply | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.reply = reply


class Exchange(msgspec.Struct):
    """One request on its way."""

    frame: Frame
    identity: Identity
    record: Record | None
    peer: tuple[str, int]

    @property
    def name(self) -> str:
        """The request's name in Slurm's words."""
        return message_name(self.frame.msg_type)


class Pool(msgspec.Struct):
    """How many handlers wait for somebody else; changed under the GIL only. Which are spare, how many are coming."""

    blocked: int = 0
    spares: set[Pid] = msgspec.field(default_factory=set)
    starting: int = 0


class Service:
    """Everything that serving a frame needs and that outlives a handler."""

    def __init__(
        self, env: dict[str, Any], terms: dict[str, Any], *, handlers: int = 8, handlers_max: int = 64
    ) -> None:
        self.env = env
        self.terms = terms
        self.pool = Pool()
        self.handlers = handlers
        self.refused: dict[str, int] = {}
        self._loads: dict[str, Load] = terms.setdefault("loads", {})
        self.door = Door(max(handlers_max - KEPT_FREE, 1))
        self._handlers_max = handlers_max
        self._authority: Authority = env["authority"]
        self._growing = threading.Lock()

    def open(self, data: bytes, peer: tuple[str, int]) -> Exchange:
        """Authenticate and decode a frame. Raises Refusal, DecodeError."""
        frame = decode_frame(data)
        if not is_supported(frame.version):
            raise Refusal(
                "version", f"protocol version {frame.version:#x} is not spoken here", self._bad_version(frame)
            )
        try:
            identity = self._authority.identify(frame, time.time(), peer[0])
        except CredentialError as error:
            reply = self._return_code(frame, Errno.SLURM_PROTOCOL_AUTHENTICATION_ERROR)
            raise Refusal(type(error).__name__, str(error), reply) from error
        record = self.terms["decoder"].decode(frame.msg_type, frame.body, frame.version)
        return Exchange(frame, identity, record, peer)

    def answer(self, exchange: Exchange, system: SystemPort) -> Reply | None:
        """The reply to an authentic request; None to close without one.

        Raises OtpError when a manager is gone, StorageError when a script could not be stored.
        """
        context = self._context(exchange)
        frame = exchange.frame
        if isinstance(exchange.record, TokenRequest):
            name = user_name(exchange.identity.uid)
            given = tokens.answer(exchange.record, exchange.identity, name, self._authority, time.time())
            return self._reply(frame, *given)
        found = queries.answer(frame.msg_type, exchange.record, context)
        if found is not None:
            return self._reply(frame, *found)
        if frame.msg_type in SUBMISSIONS:
            self.door.check("jobs")
        call = requests.to_call(frame.msg_type, exchange.record, context)
        if call is None:
            self.count_refusal("not_served")
            log.warning("request not served", message=exchange.name, uid=exchange.identity.uid)
            return self._return_code(frame, errno.EINVAL)
        if isinstance(call, Rejected | Done):
            return self._reply(frame, *replies.to_wire(frame.msg_type, call, context))
        if isinstance(exchange.record, NodeRegistration):
            self._loads[exchange.record.node_name or ""] = Load(exchange.record.cpu_load, exchange.record.free_mem)
        if isinstance(call, requests.Control):
            outcome = self.env["control"].carry_out(call)
            return self._reply(frame, *replies.to_wire(frame.msg_type, outcome, context))
        if call.no_reply_needed:
            _await_process(call.manager, system)
            backlog.check(system, call.manager)
            system.cast(call.manager, m.Request(call.command))
            return None
        with self.blocked():
            if self.is_short() and self.grow(system):
                self.start_spare(system, POOL)
            with self.door.admitted(call.manager):
                reply = _ask(call.manager, m.Request(call.command), system)
        if isinstance(reply, m.Unavailable):
            if reply.reason is RejectReason.BUSY:
                raise Overloaded(call.manager, len(self.door))
            return self._return_code(frame, _errno_of(reply))
        return self._reply(frame, *replies.to_wire(frame.msg_type, reply, context))

    def failure(self, exchange: Exchange, error: Exception) -> Reply | None:
        """What a client is told when a manager did not answer, or a script could not be stored; None for a silent
        close."""
        match error:
            case Overloaded() if exchange.frame.msg_type in NODE_REPORTS:
                return None
            case Overloaded():
                code: int = _come_again(exchange.frame.version)
            case StorageFull():
                code = errno.ENOSPC
            case StorageError():
                code = Errno.ESLURM_WRITING_TO_FILE
            case _:
                code = Errno.SLURM_COMMUNICATIONS_SEND_ERROR
        return self._return_code(exchange.frame, code)

    def count(self, exchange: Exchange, duration_s: float) -> None:
        """Note a served request."""
        self.env["counters"].count_request(exchange.frame.msg_type, exchange.identity.uid, int(duration_s * 1e6))

    def count_refusal(self, kind: str) -> None:
        """Note a request that was not served."""
        self.refused[kind] = self.refused.get(kind, 0) + 1

    @contextlib.contextmanager
    def blocked(self) -> Iterator[None]:
        """What is done inside waits for a manager, a disk or a slow client, and leaves the processor to others."""
        self.pool.blocked += 1
        try:
            yield
        finally:
            self.pool.blocked -= 1

    def is_short(self) -> bool:
        """Whether (nearly) all handlers wait for others, so that a new connection may find none.

        Handlers that merely compute are no reason for more: one interpreter runs one of them at a time.
        """
        return self.pool.blocked >= self.handlers + len(self.pool.spares) - 1

    def grow(self, system: SystemPort) -> bool:
        """Whether one more handler may be started; the caller then starts it."""
        with self._growing:
            self.pool.spares = {pid for pid in self.pool.spares if system.is_alive(pid)}
            if len(self.pool.spares) + self.pool.starting >= self._handlers_max - self.handlers:
                return False
            self.pool.starting += 1
            return True

    def start_spare(self, system: SystemPort, pool: str) -> None:
        """Start a handler from a thread of its own: the caller has a request to serve."""
        threading.Thread(target=self._start_spare, args=(system, pool), daemon=True).start()

    def _start_spare(self, system: SystemPort, pool: str) -> None:
        try:
            system.start_child(pool, {"spare": True})
        except OtpError as error:
            log.warning("no further connection handler", reason=str(error))
        finally:
            with self._growing:
                self.pool.starting -= 1

    def spare_began(self, pid: Pid) -> None:
        """A spare handler is there; it counts until it is not, however it ends."""
        with self._growing:
            self.pool.spares.add(pid)

    def _context(self, exchange: Exchange) -> queries.Context:
        store = self.env["store"]
        return queries.Context(
            cluster=self.terms["cluster"],
            version=exchange.frame.version,
            uid=exchange.identity.uid,
            gid=exchange.identity.gid,
            now_s=int(time.time()),
            config=self.env["config"],
            loads=self._loads.get,
            read_blob=store.blobs.get,
            store_blobs=store.blobs.put_many,
            counters=self.env["counters"],
            kept=self.terms["kept"],
            started_s=self.env["started_s"],
            peer=exchange.peer,
        )

    def _reply(self, request: Frame, msg_type: int, body: Record | bytes | None) -> Reply:
        """A reply frame in the request's version: signed until 22.05, without a credential from 23.02 on."""
        data = body if isinstance(body, bytes) else encode_body(msg_type, body, request.version)
        reply = Frame(msg_type, request.version, request.flags & ~HeaderFlag.NO_AUTH_CRED, data)
        if request.version >= Version.V23_02:
            reply.flags |= HeaderFlag.NO_AUTH_CRED
        else:
            signer = self._authority.signer_for(request)
            reply.auth = signer.auth_section(msg_type, data, time.time(), version=request.version)
        return frame_parts(reply)

    def _return_code(self, request: Frame, code: int) -> Reply:
        return self._reply(request, MessageType.RESPONSE_SLURM_RC, ReturnCode(return_code=code))

    def _bad_version(self, request: Frame) -> Reply | None:
        """A peer that is too new may read an answer in our newest version; one that is too old cannot."""
        if request.version < NEWEST:
            return None
        answer = Frame(request.msg_type, NEWEST, 0)
        return self._return_code(answer, Errno.SLURM_PROTOCOL_VERSION_ERROR)


def _ask(manager: str, request: m.Request, system: SystemPort) -> Any:
    """Call a manager, one that is just being restarted too: what nobody has taken was certainly not carried out.

    Raises OtpError; of a manager that dies while it has the request nobody knows how far it came.
    """
    deadline_s = time.monotonic() + RESTART_TIMEOUT_S
    while True:
        _await_process(manager, system)
        try:
            return system.call(manager, request, CALL_TIMEOUT_S)
        except NoProcess:
            if time.monotonic() > deadline_s:
                raise


def _come_again(version: int) -> int:
    """What has Slurm's commands try again: libslurm itself from 23.02 on, of older ones sbatch, salloc and srun."""
    return int(Errno.SLURMCTLD_COMMUNICATIONS_BACKOFF) if version >= Version.V23_02 else errno.EAGAIN


def _await_process(name: str, system: SystemPort) -> None:
    """Give the supervisors a moment to bring back a process that is not there."""
    deadline_s = time.monotonic() + RESTART_TIMEOUT_S
    while system.whereis(name) is None and time.monotonic() < deadline_s:
        time.sleep(RESTART_POLL_S)


def _errno_of(unavailable: m.Unavailable) -> int:
    return requests.errno_of_unavailable(unavailable.reason.name)
