"""Reporter: delivers what controllers must learn, until one of them has acknowledged it.

Casts    Report: deliver this; one that is waiting already is dropped
Infos    Delivered(job_id, done), from the sending threads; ("retry", job_id)
Effects  calls to the controllers, in a few threads: reports of different jobs overtake each other, those of one job
         keep their order; tells the steps process what was acknowledged

Durable is what the steps process finds in the spool: after a crash here it hands everything over again.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import structlog

from actors.net import rpc
from actors.node_daemon import messages as m
from actors.node_daemon.controllers import Controllers, return_code
from flurm.otp import GenServer, NoReply, Ok
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.errors import ProtocolError

SENDERS = 4
FIRST_RETRY_S = 0.2
LAST_RETRY_S = 15.0
WANTS_NO_ANSWER = frozenset({MessageType.MESSAGE_EPILOG_COMPLETE})
SETTLED = frozenset(
    {
        0,
        Errno.ESLURM_INVALID_JOB_ID,
        Errno.ESLURM_ALREADY_DONE,
        Errno.ESLURM_JOB_FINISHED,
        Errno.ESLURM_JOB_PENDING,
        Errno.ESLURM_TRANSITION_STATE_NO_UPDATE,
    }
)
"""Answers after which asking again would change nothing: done, or no longer true."""

REFUSED = frozenset({Errno.ESLURM_DISABLED, Errno.ESLURM_BATCH_ONLY})
"""Answers to what a controller does not do with this job."""

log = structlog.get_logger(__name__)


class Delivered(msgspec.Struct, frozen=True):
    """What came of an attempt to deliver the first report of a job."""

    job_id: int
    done: bool
    reason: str = ""
    refused: bool = False


class State(msgspec.Struct):
    """The reports of each job in order; the first is being delivered. Attempts that failed, per job."""

    controllers: Controllers
    senders: ThreadPoolExecutor
    waiting: dict[int, deque[m.Report]] = msgspec.field(default_factory=dict)
    failed: dict[int, int] = msgspec.field(default_factory=dict)


class Reporter(GenServer):
    """Delivers reports; loses none that the spool knows of."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="flurmd-report")
        return Ok(State(self.system.env["controllers"], senders), continue_="ask")

    def handle_continue(self, what: Any, state: State) -> NoReply:
        self.cast(m.STEPS, m.Resend())
        return NoReply(state)

    def handle_cast(self, message: Any, state: State) -> NoReply:
        match message:
            case m.Report(job_id, name):
                line = state.waiting.setdefault(job_id, deque())
                if all(report.name != name for report in line):
                    line.append(message)
                    if len(line) == 1:
                        self._send(job_id, state)
        return NoReply(state)

    def handle_info(self, message: Any, state: State) -> NoReply:
        match message:
            case Delivered(job_id, _, reason, True) if state.waiting[job_id][0].otherwise is not None:
                self._do_otherwise(job_id, reason, state)
            case Delivered(job_id, True):
                self._settled(job_id, state)
            case Delivered(job_id, _, reason):
                self._retry_later(job_id, reason, state)
            case ("retry", int(job_id)):
                self._send(job_id, state)
        return NoReply(state)

    def terminate(self, reason: Any, state: State) -> None:
        state.senders.shutdown(wait=False, cancel_futures=True)

    def format_status(self, state: State) -> Any:
        return {"waiting": {job_id: [report.name for report in line] for job_id, line in state.waiting.items()}}

    def _send(self, job_id: int, state: State) -> None:
        report, pid, system = state.waiting[job_id][0], self.pid, self.system
        state.senders.submit(lambda: system.info(pid, deliver(report, state.controllers)))

    def _settled(self, job_id: int, state: State) -> None:
        line = state.waiting[job_id]
        report = line.popleft()
        state.failed.pop(job_id, None)
        log.debug("reported", job=job_id, report=report.name)
        if report.done is not None:
            self.cast(m.STEPS, report.done)
        if line:
            self._send(job_id, state)
        else:
            del state.waiting[job_id]

    def _do_otherwise(self, job_id: int, reason: str, state: State) -> None:
        line = state.waiting[job_id]
        refused = line.popleft()
        assert refused.otherwise is not None
        log.info("report refused, another takes its place", job=job_id, report=refused.name, reason=reason)
        line.appendleft(refused.otherwise)
        self._send(job_id, state)

    def _retry_later(self, job_id: int, reason: str, state: State) -> None:
        attempts = state.failed[job_id] = state.failed.get(job_id, 0) + 1
        delay_s = min(FIRST_RETRY_S * 2 ** (attempts - 1), LAST_RETRY_S)
        log.warning("report not delivered", job=job_id, reason=reason, retry_s=delay_s)
        self.send_after(delay_s, ("retry", job_id))


def deliver(report: m.Report, controllers: Controllers) -> Delivered:
    """Try once; runs in a thread of the reporter."""
    try:
        answer = controllers.call(report.msg_type, report.record)
    except rpc.NoAnswer as error:
        return Delivered(report.job_id, report.msg_type in WANTS_NO_ANSWER, str(error))
    except (rpc.Unreachable, ProtocolError) as error:
        return Delivered(report.job_id, False, str(error))
    except Exception as error:
        log.exception("report crashed", job=report.job_id, report=report.name)
        return Delivered(report.job_id, False, repr(error))
    code = return_code(answer)
    reason = f"the controller answered {code}"
    return Delivered(report.job_id, code in SETTLED, reason, refused=code in REFUSED)
