"""Node daemons of the simulation: they keep to the rules of actors.node_daemon.steps, and run nothing.

A job runs for a while that chance decides, then its end is reported, again and again until a controller has
acknowledged it. A launch that comes twice runs once. A daemon may crash (its jobs run on) and a machine may lose power
(its jobs are gone, their ends are found when it comes back). What a disk would keep is kept: see ``Job``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from actors.net import rpc
from flurm.simulation.tree.network import Exchange
from protocol.codec import decode_body, encode_body
from protocol.constants import AUTH_PLUGIN_NONE, NO_VAL, MessageType
from protocol.errno import Errno
from protocol.frame import AuthSection, Frame, decode_frame, encode_frame
from protocol.messages import BatchComplete, EpilogComplete, NodeRegistration, ReturnCode
from protocol.messages.common import StepId
from protocol.versions import Version

VERSION = Version.V24_11
Key = tuple[int, int]
"""A job and how often it was put back before."""
RUNS_S = (0.2, 20.0)
ENDS_WITHIN_S = (0.05, 2.0)
TIMEOUT_S = 10.0
SETTLED = (
    0, Errno.ESLURM_INVALID_JOB_ID, Errno.ESLURM_ALREADY_DONE, Errno.ESLURM_JOB_FINISHED, Errno.ESLURM_JOB_PENDING,
)  # fmt: skip
KILLED = 15
LOST = 9


class Silent(Exception):
    """A controller took a message and closed without a word."""


class Unreachable(Exception):
    """No controller took the message, or none is in charge."""


class Job(msgspec.Struct):
    """What the spool knows of one job."""

    running: dict[Key, int] = {}
    """CPUs of each run."""
    unacknowledged: dict[Key, int] = {}
    acknowledged: set[Key] = set()
    ending: bool = False


def request(msg_type: int, record: Any, uid: int) -> bytes:
    """A frame as a program of that user sends it."""
    auth = AuthSection(AUTH_PLUGIN_NONE, uid=uid, gid=uid)
    return encode_frame(Frame(msg_type, VERSION, 0, encode_body(msg_type, record, VERSION), auth))


def answer_of(data: bytes) -> tuple[int, Any]:
    """Type and record of a reply."""
    frame = decode_frame(data[4:])
    return frame.msg_type, decode_body(frame.msg_type, frame.body, frame.version, trailing=True)


class SimNode:
    """One node."""

    def __init__(self, name: str, cpus: int, world: Any) -> None:
        self.name, self.cpus, self.world = name, cpus, world
        self.network = world.network
        self.scheduler = world.scheduler
        self.jobs: dict[int, Job] = {}
        self.is_up = False
        self.boots = 0
        self._order = list(world.controllers)
        self._reset()

    def _reset(self) -> None:
        """What only a daemon's memory holds."""
        self._over: set[Key] = set()
        self._revoked: dict[int, int] = {}
        self._lines: dict[int, deque[tuple[str, int, Any, Callable[[], None]]]] = {}
        self._registered = False
        self._registering = False
        self._again = False

    @property
    def busy_cpus(self) -> int:
        """CPUs that jobs hold at this moment."""
        return sum(cpus for job in self.jobs.values() for cpus in job.running.values())

    def start(self) -> None:
        """The daemon begins and takes up what the spool holds."""
        if self.is_up:
            return
        self.is_up = True
        self.boots += 1
        for job_id, job in self.jobs.items():
            self._report_all(job_id, job)
        self._register()

    def stop_daemon(self) -> None:
        """The daemon dies; its jobs run on."""
        if self.is_up:
            self.is_up = False
            self.scheduler.end(self)
            self._reset()

    def lose_power(self) -> None:
        """All that ran is gone."""
        self.stop_daemon()
        for job in self.jobs.values():
            for key in list(job.running):
                del job.running[key]
                job.unacknowledged[key] = LOST

    def take(self, msg_type: int, record: Any, exchange: Exchange) -> bool:
        """A controller asks for something; False where no daemon is here."""
        if not self.is_up:
            return False
        match msg_type:
            case MessageType.REQUEST_BATCH_JOB_LAUNCH:
                self._reply(exchange, self._launch(record))
            case MessageType.REQUEST_TERMINATE_JOB | MessageType.REQUEST_KILL_TIMELIMIT | MessageType.REQUEST_ABORT_JOB:
                self._reply(exchange, self._terminate(record))
            case MessageType.REQUEST_NODE_REGISTRATION_STATUS:
                self._register()
                self._reply(exchange, 0)
            case _:
                self._reply(exchange, 0)
        return True

    def _reply(self, exchange: Exchange, code: int) -> None:
        body = ReturnCode(return_code=int(code))
        exchange.reply(rpc.Answer(Frame(MessageType.RESPONSE_SLURM_RC, VERSION), MessageType.RESPONSE_SLURM_RC, body))

    def _launch(self, record: Any) -> int:
        key = (record.job_id, record.restart_cnt)
        if key in self._over:
            return 0
        if record.cred.credential.ctime <= self._revoked.get(record.job_id, 0):
            return Errno.ESLURMD_CREDENTIAL_REVOKED
        job = self.jobs.setdefault(record.job_id, Job({}, {}, set()))
        if key in job.running or key in job.unacknowledged or key in job.acknowledged:
            return 0
        cpus = record.cpus_per_node[0]  # the first node of a job runs its script
        job.running[key], job.ending = cpus, False
        self.world.watch.job_started(self, key)
        due_s = self.scheduler.now_s + self.scheduler.random.uniform(*RUNS_S)
        self.scheduler.alarm(due_s, lambda: self._ended(key, 0))
        return 0

    def _terminate(self, record: Any) -> int:
        job_id = record.step_id.job_id
        self._revoked[job_id] = record.time
        job = self.jobs.get(job_id)
        if job is None:
            return Errno.ESLURMD_KILL_JOB_ALREADY_COMPLETE
        if not job.running and not job.unacknowledged:
            self._forget(job_id)
            return Errno.ESLURMD_KILL_JOB_ALREADY_COMPLETE
        job.ending = True
        for key in list(job.running):
            due_s = self.scheduler.now_s + self.scheduler.random.uniform(*ENDS_WITHIN_S)
            self.scheduler.alarm(due_s, lambda key=key: self._ended(key, KILLED))
        if not job.running:
            self._report_epilog(job_id)
        return 0

    def _ended(self, key: Key, status: int) -> None:
        job = self.jobs.get(key[0])
        if job is None or job.running.pop(key, None) is None:
            return
        job.unacknowledged[key] = status
        if self.is_up:
            self._report_all(key[0], job)

    def _report_all(self, job_id: int, job: Job) -> None:
        for key, status in job.unacknowledged.items():
            record = BatchComplete(job_id=job_id, job_rc=status, node_name=self.name)
            done = lambda key=key: self._acknowledged(key)  # noqa: E731
            self._report(job_id, f"end {key[1]}", MessageType.REQUEST_COMPLETE_BATCH_SCRIPT, record, done)
        if job.ending and not job.running:
            self._report_epilog(job_id)

    def _report_epilog(self, job_id: int) -> None:
        record = EpilogComplete(job_id=job_id, node_name=self.name)
        self._report(job_id, "epilog", MessageType.MESSAGE_EPILOG_COMPLETE, record, lambda: self._forget(job_id))

    def _acknowledged(self, key: Key) -> None:
        job = self.jobs.get(key[0])
        if job is not None and job.unacknowledged.pop(key, None) is not None:
            job.acknowledged.add(key)

    def _forget(self, job_id: int) -> None:
        job = self.jobs.get(job_id)
        if job is None or job.running or job.unacknowledged:
            return
        del self.jobs[job_id]
        self._over |= job.acknowledged

    def _report(self, job_id: int, name: str, msg_type: int, record: Any, done: Callable[[], None]) -> None:
        line = self._lines.setdefault(job_id, deque())
        if all(name != other for other, *_ in line):
            line.append((name, msg_type, record, done))
            if len(line) == 1:
                self.scheduler.spawn(lambda: self._deliver(job_id), owner=self)

    def _deliver(self, job_id: int) -> None:
        line = self._lines[job_id]
        while line:
            _, msg_type, record, done = line[0]
            retry_s = 0.2
            while not self._delivered(msg_type, record):
                self._sleep(retry_s)
                retry_s = min(2 * retry_s, 15.0)
            line.popleft()
            done()
        del self._lines[job_id]

    def _delivered(self, msg_type: int, record: Any) -> bool:
        try:
            _, answer = self._call(msg_type, record)
        except Silent:
            return msg_type == MessageType.MESSAGE_EPILOG_COMPLETE
        except Unreachable:
            return False
        return isinstance(answer, ReturnCode) and answer.return_code in SETTLED

    def _call(self, msg_type: int, record: Any) -> tuple[int, Any]:
        """Ask the controllers in turn. Raises Unreachable, Silent."""
        data = request(msg_type, record, uid=0)
        for name in list(self._order):
            controller = self.world.controllers[name]
            exchange = Exchange(self.network, self.name, name)
            if exchange.ask(partial(controller.request, data), TIMEOUT_S):
                reply = answer_of(exchange.answer)
                code = getattr(reply[1], "return_code", 0)
                if code in (Errno.ESLURM_IN_STANDBY_MODE, Errno.ESLURM_IN_STANDBY_USE_BACKUP):
                    continue
                self._prefer(name)
                return reply
            if exchange.reached:
                self._prefer(name)
                raise Silent
        raise Unreachable

    def _prefer(self, name: str) -> None:
        self._order.remove(name)
        self._order.insert(0, name)

    def _register(self) -> None:
        if self._registering:
            self._again = True
            return
        self._registering = True
        self.scheduler.spawn(self._register_until_done, owner=self)

    def _register_until_done(self) -> None:
        retry_s = 0.2
        while True:
            self._again = False
            try:
                _, answer = self._call(MessageType.MESSAGE_NODE_REGISTRATION_STATUS, self._registration())
                settled = not getattr(answer, "return_code", 0)
            except (Unreachable, Silent):
                settled = False
            if settled and not self._again:
                break
            self._sleep(retry_s)
            retry_s = 0.2 if settled else min(2 * retry_s, 10.0)
        self._registered, self._registering = True, False

    def _registration(self) -> NodeRegistration:
        known = [job_id for job_id, job in self.jobs.items() if job.running or job.unacknowledged]
        gres = int(VERSION).to_bytes(2, "big") + b"\0\0"
        return NodeRegistration(
            timestamp=int(1_700_000_000 + self.scheduler.now_s),
            slurmd_start_time=1_700_000_000 + self.boots,
            hostname=self.name,
            node_name=self.name,
            cpus=self.cpus,
            boards=1,
            sockets=1,
            cores=self.cpus,
            threads=1,
            real_memory=4000,
            up_time=int(self.scheduler.now_s) + 100,
            step_id=[StepId(job_id=job_id, step_id=0xFFFFFFFB, step_het_comp=NO_VAL) for job_id in sorted(known)],
            flags=0 if self._registered else 2,
            gres_info_size=len(gres),
            gres_info=gres,
        )

    def _sleep(self, seconds: float) -> None:
        self.scheduler.wait_for(lambda: False, seconds, [])
