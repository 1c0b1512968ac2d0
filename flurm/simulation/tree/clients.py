"""Users of the simulation: they submit, hold, release, cancel and list, and write down what they were told and when."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from flurm.simulation.tree.network import Exchange
from flurm.simulation.tree.nodes import answer_of, request
from protocol.constants import ALLOC_SID_USER_HOLD, INFINITE, MessageType
from protocol.errno import Errno
from protocol.messages import (
    JobDescription,
    KillStep,
    NodeInfoRequest,
    NodeInfoResponse,
    ReturnCode,
    ReturnCodeText,
    SubmitResponse,
)
from protocol.messages.common import StepId
from protocol.messages.job_info import JobInfoRequest, JobInfoResponse

ALICE = 1001
TIMEOUT_S = 12.0
STANDBY = (Errno.ESLURM_IN_STANDBY_MODE, Errno.ESLURM_IN_STANDBY_USE_BACKUP)


class Op(msgspec.Struct, eq=False):
    """One request. ``code`` is Slurm's number, 0 for success; None while (or because) nobody answered."""

    client: str
    kind: str
    name: str
    """Of the job, as its submitter calls it."""
    invoked_s: float
    job_id: int = 0
    returned_s: float | None = None
    code: int | None = None
    held: bool = False
    seen: dict[int, str] | None = None
    """For a listing: job ids and names."""
    controller: str = ""
    maybe: bool = False
    """A controller that stands by may have passed it on before it gave up."""


LOOKS_EVERY_S = 0.5


class Client:
    """One user at one terminal."""

    def __init__(self, name: str, world: Any) -> None:
        self.name, self.world = name, world
        self.scheduler = world.scheduler
        self.jobs: list[tuple[int, str]] = []
        self.submitted = 0

    def run(self, until_s: float) -> None:
        """Work until then."""
        random = self.scheduler.random
        while self.scheduler.now_s < until_s:
            self._one(random)
            self.scheduler.wait_for(lambda: False, random.expovariate(1 / self.world.pause_s), [])

    def _one(self, random: Any) -> None:
        kind = random.choices(("submit", "hold", "release", "cancel", "list"), (5, 2, 2, 2, 1))[0]
        if kind == "submit" or not self.jobs:
            self.submitted += 1
            self._submit(f"{self.name}-{self.submitted}", random.random() < 0.5, random.choice((1, 1, 1, 2, 4)))
        elif kind == "list":
            self._list()
        else:
            pool = self.world.known_jobs if random.random() < 0.5 else self.jobs
            self._change(kind, *random.choice(pool[-12:]))

    def _submit(self, name: str, held: bool, cpus: int) -> None:
        record = JobDescription(
            user_id=ALICE, group_id=ALICE, name=name, script=f"#!/bin/sh\n# {name}\n", environment=["A=b"],
            work_dir="/tmp", min_cpus=cpus, num_tasks=cpus, time_limit=10,
        )  # fmt: skip
        if held:
            record.priority = 0
        op = self._begin("submit", name)
        op.held = held
        answer = self._ask(op, MessageType.REQUEST_SUBMIT_BATCH_JOB, record)
        if isinstance(answer, SubmitResponse):
            op.job_id, op.code = answer.job_id, answer.error_code
            self.jobs.append((op.job_id, name))
            self.world.known_jobs.append((op.job_id, name))
        self._end(op, answer)

    def _change(self, kind: str, job_id: int, name: str) -> None:
        op = self._begin(kind, name)
        op.job_id = job_id
        if kind == "cancel":
            record: Any = KillStep(step_id=StepId(job_id=job_id), sjob_id=str(job_id), signal=9)
            answer = self._ask(op, MessageType.REQUEST_KILL_JOB, record)
        else:
            record = JobDescription(job_id=job_id, job_id_str=str(job_id), user_id=ALICE)
            record.priority, record.alloc_sid = (0, ALLOC_SID_USER_HOLD) if kind == "hold" else (INFINITE, 0)
            answer = self._ask(op, MessageType.REQUEST_UPDATE_JOB, record)
        self._end(op, answer)

    def _list(self) -> None:
        op = self._begin("list", "")
        answer = self._ask(op, MessageType.REQUEST_JOB_INFO, JobInfoRequest())
        if isinstance(answer, JobInfoResponse):
            op.seen, op.code = {job.job_id: job.name or "" for job in answer.jobs}, 0
        self._end(op, answer)

    def look(self, until_s: float) -> None:
        """Look at the nodes again and again: what is said of them must be current (`controller.WatchedService`)."""
        while self.scheduler.now_s < until_s:
            op = self._begin("look", "")
            answer = self._ask(op, MessageType.REQUEST_NODE_INFO, NodeInfoRequest())
            op.code = 0 if isinstance(answer, NodeInfoResponse) else None
            self._end(op, answer)
            self.scheduler.wait_for(lambda: False, self.scheduler.random.expovariate(1 / LOOKS_EVERY_S), [])

    def _begin(self, kind: str, name: str) -> Op:
        op = Op(self.name, kind, name, self.scheduler.now_s)
        self.world.history.append(op)
        return op

    def _end(self, op: Op, answer: Any) -> None:
        if isinstance(answer, ReturnCode | ReturnCodeText):
            op.code = answer.return_code
        if op.code is not None:
            op.returned_s = self.scheduler.now_s
            self.world.watch.answered(op)

    def _ask(self, op: Op, msg_type: int, record: Any) -> Any:
        """As Slurm's library: the next controller where there is none or it stands by, never again once it was sent."""
        names = list(self.world.controllers)
        start = self.scheduler.random.randrange(len(names))
        data = request(msg_type, record, ALICE)
        for name in (*names[start:], *names[:start]):
            controller = self.world.controllers[name]
            exchange = Exchange(self.world.network, self.name, name)
            op.controller = name
            if exchange.ask(partial(controller.request, data), TIMEOUT_S):
                answer = answer_of(exchange.answer)[1]
                if getattr(answer, "return_code", 0) not in STANDBY:
                    return answer
                op.maybe = True
            elif exchange.reached:
                return None
        return None
