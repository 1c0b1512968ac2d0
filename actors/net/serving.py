"""How a frame becomes an answer: authenticate, decode, route, encode.

One `Service` is shared by all connection handlers; it holds no state of a request. Reads are answered here, from the
published cluster. Writes become a call to the manager that owns them, and the handler's thread waits for the commit.

Writes come in through the door (door.py); when too many stand there, or a manager has too many messages waiting, the
client is told to come again.

What a peer does wrong ends in `Refusal`, with the reply that Slurm's daemons give where they give one: a credential
that does not hold gets an authentication error, everything else a closed connection.
"""

from __future__ import annotations

import errno
import time
from typing import Any

import msgspec
import structlog

from actors import backlog
from actors import messages as m
from actors.leadership import is_in_charge
from actors.net import routing
from actors.net.door import Door
from actors.net.forwarding import Answer, Forwarded, Forwarder, NobodyInCharge, RequestIds
from actors.net.handler_pool import HandlerPool
from actors.net.job_submit import Chain
from flurm.bridge import absent, queries, replies, requests, tokens
from flurm.bridge.hooks import Verdict
from flurm.bridge.job_control import job_to_change
from flurm.bridge.show_nodes import Load
from flurm.bridge.users import user_name
from flurm.core.effects import Done, Rejected, Submitted
from flurm.otp import NoProcess, Overloaded, SystemPort
from flurm.raft.effects import Reject, RejectReason
from flurm.storage.errors import StorageError, StorageFull
from protocol.auth import Authority, CredentialError, Identity
from protocol.codec import encode_body, message_name
from protocol.constants import HeaderFlag, MessageType
from protocol.errno import Errno
from protocol.frame import Frame, decode_frame, frame_parts
from protocol.messages import (
    JobDescription,
    NodeRegistration,
    ReturnCode,
    ReturnCodeText,
    TokenRequest,
    WillRunResponse,
)
from protocol.schema import Record
from protocol.versions import NEWEST, Version, is_supported

CALL_TIMEOUT_S = 30.0
RESTART_TIMEOUT_S = 5.0
RESTART_POLL_S = 0.01
APPLIED_POLL_S = 0.001
CONFIRMS = "flurm_job_manager"
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


class NotInCharge(Exception):
    """Another controller has to answer this; this one has `begun`, and it may have been carried out."""

    def __init__(self, begun: bool = False) -> None:
        super().__init__()
        self.begun = begun


class LeadershipLost(Exception):
    """The command may have been committed or not: another controller leads now, or soon."""

    def __init__(self, unavailable: m.Unavailable) -> None:
        super().__init__(unavailable.reason.value)
        self.unavailable = unavailable


class Exchange(msgspec.Struct):
    """One request on its way."""

    frame: Frame
    identity: Identity
    record: Record | None
    peer: tuple[str, int]
    data: bytes = b""
    """The frame's bytes, to be forwarded."""
    request_id: str = ""
    """Names the request where it may come twice: with several controllers (forwarding.py)."""
    is_forwarded: bool = False
    may_pass_on: bool = True
    verdict: Verdict | None = None
    """What job submit plugins said of it; they are asked once."""
    """Whether it may be given to another controller."""

    @property
    def name(self) -> str:
        """The request's name in Slurm's words."""
        return message_name(self.frame.msg_type)


class Service:
    """Everything that serving a frame needs and that outlives a handler. `clock` has what it uses of `time`."""

    def __init__(
        self,
        env: dict[str, Any],
        terms: dict[str, Any],
        *,
        handlers: int = 8,
        handlers_max: int = 64,
        clock: Any = time,
    ) -> None:
        self.env = env
        self._clock = clock
        self.terms = terms
        self.pool = HandlerPool(handlers, handlers_max)
        self.refused: dict[str, int] = {}
        self._loads: dict[str, Load] = terms.setdefault("loads", {})
        self.door = Door(max(handlers_max - KEPT_FREE, 1))
        self._authority: Authority = env["authority"]
        self._request_ids: RequestIds | None = env.get("request_ids")
        self._forwarder: Forwarder | None = env.get("forwarder")
        self._hooks = Chain()

    def open(self, data: bytes, peer: tuple[str, int], forwarded: Forwarded | None = None) -> Exchange:
        """Authenticate and decode a frame; one that another controller forwards is authentic. Raises Refusal,
        DecodeError."""
        frame = decode_frame(data)
        if not is_supported(frame.version):
            raise Refusal(
                "version", f"protocol version {frame.version:#x} is not spoken here", self._bad_version(frame)
            )
        if forwarded is not None:
            identity = Identity(forwarded.uid, forwarded.gid)
        else:
            identity = self._identify(frame, peer)
        record = self.terms["decoder"].decode(frame.msg_type, frame.body, frame.version)
        exchange = Exchange(frame, identity, record, peer, data)
        if forwarded is not None:
            exchange.request_id, exchange.is_forwarded = forwarded.request_id, True
            exchange.may_pass_on = forwarded.may_pass_on
        elif self._request_ids is not None:
            exchange.request_id = self._request_ids.next()
        return exchange

    def _identify(self, frame: Frame, peer: tuple[str, int]) -> Identity:
        try:
            return self._authority.identify(frame, self._clock.time(), peer[0])
        except CredentialError as error:
            reply = self._return_code(frame, Errno.SLURM_PROTOCOL_AUTHENTICATION_ERROR)
            raise Refusal(type(error).__name__, str(error), reply) from error

    def answer(self, exchange: Exchange, system: SystemPort) -> Reply | None:
        """The reply to an authentic request; None to close without one.

        Raises OtpError when a manager is gone, StorageError when a script cannot be read, NotInCharge where
        another controller has forwarded the request and this one does not lead either.
        """
        deadline_s = self._clock.monotonic() + self.env["config"].message_timeout
        begun = False
        while True:
            if not self._is_mine(exchange):
                if self._forwarder is None or not exchange.may_pass_on:
                    raise NotInCharge(begun)
                answer = self._forward(exchange, self._forwarder, system, begun)
                if answer is not None:
                    return answer.parts
            try:
                return self._answer_here(exchange, system)
            except LeadershipLost as lost:  # whoever leads next knows by the request's id what has become of it
                begun = begun or lost.unavailable.reason is RejectReason.LEADERSHIP_LOST
                if self._clock.monotonic() > deadline_s:
                    return None if begun else self._return_code(exchange.frame, _errno_of(lost.unavailable))
                self._clock.sleep(RESTART_POLL_S)

    def _is_mine(self, exchange: Exchange) -> bool:
        """Whether this controller answers: the one in charge answers everything, the others what they know as well."""
        if self._forwarder is None or is_in_charge(self.terms):
            return True
        return routing.is_known_here(exchange.frame.msg_type, self.terms["cluster"])

    def _forward(self, exchange: Exchange, forwarder: Forwarder, system: SystemPort, begun: bool) -> Answer | None:
        """The answer of the controller in charge; None where this one has come to be it.

        Where nobody is, a client is told to ask the next controller only if nothing can have come of its request yet:
        the next one would carry it out again.
        """
        identity = exchange.identity
        request = Forwarded(exchange.request_id, exchange.data, identity.uid, identity.gid, exchange.peer)
        with self.pool.waiting(system):
            try:
                return forwarder.ask(request, through_others=not exchange.is_forwarded)
            except NobodyInCharge as error:
                log.warning("nobody is in charge", message=exchange.name, uid=identity.uid)
                if (begun or error.begun) and not queries.is_query(exchange.frame.msg_type):
                    return Answer(True)
                return Answer(True, self._return_code(exchange.frame, Errno.ESLURM_IN_STANDBY_MODE))

    def _confirm(self, exchange: Exchange, system: SystemPort) -> None:
        """Before a read that must be current: make sure that this controller still leads, and has applied all that was
        committed when it was asked. Raises LeadershipLost, Overloaded, OtpError."""
        if self._forwarder is None or exchange.frame.msg_type not in routing.KNOWN_IN_CHARGE:
            return
        with self.pool.waiting(system):
            sure = _ask(CONFIRMS, m.Confirm(), system, self._clock)
            if isinstance(sure, Reject) and sure.reason is RejectReason.BUSY:
                raise Overloaded(CONFIRMS, len(self.door))
            if isinstance(sure, Reject):
                raise LeadershipLost(m.Unavailable(RejectReason.NOT_LEADER, sure.detail))
            deadline_s = self._clock.monotonic() + CALL_TIMEOUT_S
            while self.terms.get("cluster_index", 0) < sure.index and self._clock.monotonic() < deadline_s:
                self._clock.sleep(APPLIED_POLL_S)

    def _answer_here(self, exchange: Exchange, system: SystemPort) -> Reply | None:
        self._confirm(exchange, system)
        context = self._context(exchange)
        context = self._context(exchange)
        frame = exchange.frame
        if isinstance(exchange.record, TokenRequest):
            name = user_name(exchange.identity.uid)
            given = tokens.answer(
                exchange.record, exchange.identity, name, self._authority, self._clock.time(), frame.version
            )
            return self._reply(frame, *given)
        verdict = self._asked_hooks(exchange, context, system)
        if verdict.code:
            text = ReturnCodeText(return_code=verdict.code & 0xFFFFFFFF, err_msg=verdict.message)
            return self._reply(frame, MessageType.RESPONSE_SLURM_RC_MSG, text)
        found = queries.answer(frame.msg_type, exchange.record, context)
        if found is not None:
            if isinstance(found[1], WillRunResponse):
                found[1].job_submit_user_msg = verdict.message
            return self._reply(frame, *found)
        if frame.msg_type in SUBMISSIONS:
            self.door.check("jobs")
        call = requests.to_call(frame.msg_type, exchange.record, context)
        if call is None:
            self.count_refusal("not_served")
            log.warning("request not served", message=exchange.name, uid=exchange.identity.uid)
            return self._reply(frame, *absent.answer(frame.msg_type, context))
        if isinstance(call, Rejected | Done):
            return self._reply(frame, *replies.to_wire(frame.msg_type, call, context))
        if isinstance(exchange.record, NodeRegistration):
            self._loads[exchange.record.node_name or ""] = Load(exchange.record.cpu_load, exchange.record.free_mem)
        if isinstance(call, requests.Control):
            outcome = self.env["control"].carry_out(call)
            return self._reply(frame, *replies.to_wire(frame.msg_type, outcome, context))
        command = call.command
        if exchange.request_id:
            command = msgspec.structs.replace(command, request_id=exchange.request_id)
        if call.no_reply_needed:
            _await_process(call.manager, system, self._clock)
            backlog.check(system, call.manager)
            system.cast(call.manager, m.Request(command))
            return None
        with self.pool.waiting(system), self.door.admitted(call.manager):
            reply = _ask(call.manager, m.Request(command), system, self._clock)
        if isinstance(reply, m.Unavailable):
            if self._forwarder is not None and reply.reason in routing.LEADERSHIP:
                raise LeadershipLost(reply)
            if reply.reason is RejectReason.BUSY:
                raise Overloaded(call.manager, len(self.door))
            return self._return_code(frame, _errno_of(reply))
        if isinstance(reply, Submitted) and verdict.message:
            reply = Submitted(reply.job_id, verdict.message)
        return self._reply(frame, *replies.to_wire(frame.msg_type, reply, context))

    def _asked_hooks(self, exchange: Exchange, context: queries.Context, system: SystemPort) -> Verdict:
        """What job submit plugins say of a submission, of a test of one, or of a change of a job."""
        record = exchange.record
        if not context.config.job_submit_plugins or not isinstance(record, JobDescription):
            return Verdict()
        if exchange.verdict is None:
            job = None
            if exchange.frame.msg_type == MessageType.REQUEST_UPDATE_JOB:
                job = job_to_change(record, context)
                if job is None:
                    return Verdict()
            with self.pool.waiting(system):
                exchange.verdict = self._hooks.look(record, job, context)
        return exchange.verdict

    def failure(self, exchange: Exchange, error: Exception) -> Reply | None:
        """What a client is told when a manager did not answer, or a script cannot be read; None for a silent
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

    def _context(self, exchange: Exchange) -> queries.Context:
        store = self.env["store"]
        return queries.Context(
            cluster=self.terms["cluster"],
            version=exchange.frame.version,
            uid=exchange.identity.uid,
            gid=exchange.identity.gid,
            now_s=int(self._clock.time()),
            config=self.env["config"],
            config_files=self.env.get("config_files"),
            sackds=self.env["sackds"],
            loads=self._loads.get,
            read_blob=store.blobs.get,
            introduce_blobs=store.blobs.introduce,
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
            reply.auth = signer.auth_section(msg_type, data, self._clock.time(), version=request.version)
        return frame_parts(reply)

    def _return_code(self, request: Frame, code: int) -> Reply:
        return self._reply(request, MessageType.RESPONSE_SLURM_RC, ReturnCode(return_code=code))

    def _bad_version(self, request: Frame) -> Reply | None:
        """A peer that is too new may read an answer in our newest version; one that is too old cannot."""
        if request.version < NEWEST:
            return None
        answer = Frame(request.msg_type, NEWEST, 0)
        return self._return_code(answer, Errno.SLURM_PROTOCOL_VERSION_ERROR)


def _ask(manager: str, request: m.Request | m.Confirm, system: SystemPort, clock: Any) -> Any:
    """Call a manager, one that is just being restarted too: what nobody has taken was certainly not carried out.

    Raises OtpError; of a manager that dies while it has the request nobody knows how far it came.
    """
    deadline_s = clock.monotonic() + RESTART_TIMEOUT_S
    while True:
        _await_process(manager, system, clock)
        try:
            return system.call(manager, request, CALL_TIMEOUT_S)
        except NoProcess:
            if clock.monotonic() > deadline_s:
                raise


def _come_again(version: int) -> int:
    """What has Slurm's commands try again: libslurm itself from 23.02 on, of older ones sbatch, salloc and srun."""
    return int(Errno.SLURMCTLD_COMMUNICATIONS_BACKOFF) if version >= Version.V23_02 else errno.EAGAIN


def _await_process(name: str, system: SystemPort, clock: Any) -> None:
    """Give the supervisors a moment to bring back a process that is not there."""
    deadline_s = clock.monotonic() + RESTART_TIMEOUT_S
    while system.whereis(name) is None and clock.monotonic() < deadline_s:
        clock.sleep(RESTART_POLL_S)


def _errno_of(unavailable: m.Unavailable) -> int:
    return requests.errno_of_unavailable(unavailable.reason.name)
