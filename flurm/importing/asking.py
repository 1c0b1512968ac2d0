"""Asking a slurmctld for all that matters, as any client with the rights of root or SlurmUser may.

It is asked in the newest version of the protocol that both sides know: newer ones tell more. Jobs change while one
asks: they are asked for last, again until every script is there, and the next job id after them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from actors.net import rpc
from flurm.bridge.importing.answers import Answers
from flurm.bridge.importing.jobs import job_id_of
from flurm.client.errors import Refused
from flurm.importing import spool
from protocol import messages as wire
from protocol.auth import FrameSigner
from protocol.constants import NO_VAL, MessageType, ShowFlag, ShutdownOp
from protocol.errno import Errno, errno_text
from protocol.errors import ProtocolError
from protocol.schema import Record
from protocol.versions import Version

__all__ = ["Asking", "CannotImport"]

_R = TypeVar("_R", bound=Record)
_ALL = int(ShowFlag.ALL | ShowFlag.DETAIL)
_ROUNDS = 5
_LIMIT = (1 << 32) - 1


class CannotImport(Exception):
    """Nothing was taken over; the text says why, and what to do."""


class Asking:
    """A slurmctld that is asked. Every method raises CannotImport."""

    def __init__(
        self, address: tuple[str, int], signer: FrameSigner, *, timeout_s: float = 60.0,
        now_s: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.address, self.signer, self.timeout_s, self._now_s = address, signer, timeout_s, now_s
        self.where = f"{address[0]}:{address[1]}"
        self._scripts: dict[int, bytes] = {}
        self._environments: dict[int, tuple[bytes, ...]] = {}
        self._refused: set[int] = set()
        self.version = self._find_version()

    def all(self, state_save_location: Path | None) -> Answers:
        """All that there is, environments from `state_save_location` where that is given."""
        nodes = self._fetch(wire.NodeInfoResponse, MessageType.REQUEST_NODE_INFO, wire.NodeInfoRequest(0, _ALL))
        partitions = self._fetch(
            wire.PartitionInfoResponse, MessageType.REQUEST_PARTITION_INFO, wire.PartitionInfoRequest(0, _ALL)
        )
        reservations = self._fetch(
            wire.ReservationInfoResponse, MessageType.REQUEST_RESERVATION_INFO, wire.ReservationInfoRequest()
        )
        steps = self._steps()
        jobs = self._jobs()
        for _ in range(_ROUNDS):
            if not self._ask_for_scripts(jobs):
                break
            self._read_environments(state_save_location)
            jobs = self._jobs()
        build = self._fetch(wire.BuildInfoResponse, MessageType.REQUEST_BUILD_INFO, wire.LastUpdate())
        return Answers(
            version=self.version,
            asked_s=int(self._now_s()),
            cluster_name=build.cluster_name or "",
            release=build.version or "",
            next_job_id=build.next_job_id,
            jobs=tuple(jobs),
            nodes=tuple(node for node in nodes.node_array if node is not None and node.name),
            partitions=tuple(partitions.partition_array),
            steps=tuple(steps),
            reservations=tuple(each.name or "" for each in reservations.reservation_array),
            scripts=dict(self._scripts),
            environments=dict(self._environments),
        )

    def shut_down(self, patience_s: float = 60.0) -> None:
        """End slurmctld, and nothing else (`scontrol shutdown slurmctld`), and wait until it is gone."""
        self._ask(MessageType.REQUEST_SHUTDOWN, wire.ShutdownRequest(int(ShutdownOp.CTLD)))
        give_up_s = time.monotonic() + patience_s
        while time.monotonic() < give_up_s:
            try:
                rpc.call(self.address, MessageType.REQUEST_PING, None, version=self.version, signer=self.signer)
            except (rpc.Unreachable, ProtocolError):
                return
            time.sleep(0.1)
        raise CannotImport(f"slurmctld at {self.where} still answers {patience_s:.0f} s after it was told to end")

    def _find_version(self) -> int:
        reached = False
        problem = ""
        for version in sorted(Version, reverse=True):
            try:
                answer = rpc.call(
                    self.address, MessageType.REQUEST_PING, None, version=version, signer=self.signer,
                    timeout_s=self.timeout_s,
                )  # fmt: skip
            except rpc.NoAnswer:
                reached = True
                continue
            except rpc.Unreachable as error:
                problem = str(error)
                break
            except ProtocolError:
                reached = True
                continue
            reached = True
            if answer.frame.version == version and _return_code(answer) == 0:
                return int(version)
        if reached:
            raise CannotImport(
                f"{self.where} understands no request: it is no slurmctld of 22.05 or later, or its munge key is "
                "another one than this machine's"
            )
        raise CannotImport(f"no slurmctld answers: {problem}")

    def _jobs(self) -> list[wire.JobInfo]:
        request = wire.JobInfoRequest(show_flags=_ALL)
        return self._fetch(wire.JobInfoResponse, MessageType.REQUEST_JOB_INFO, request).jobs

    def _steps(self) -> list[wire.StepId]:
        everything = wire.StepId(job_id=NO_VAL, step_id=NO_VAL, step_het_comp=NO_VAL)
        request = wire.StepInfoRequest(step_id=everything, show_flags=int(ShowFlag.ALL))
        found = self._fetch(wire.StepInfoResponse, MessageType.REQUEST_JOB_STEP_INFO, request)
        return [step.step_id for step in found.job_steps]

    def _ask_for_scripts(self, jobs: list[wire.JobInfo]) -> bool:
        """Get the scripts that are not there yet, an array's once; False where there were none to get."""
        owners: dict[int, int] = {}
        for job in jobs:
            if job.batch_flag and not _is_over(job):
                owners.setdefault(job.array_job_id or job_id_of(job), job_id_of(job))
        lacking = {owner: job_id for owner, job_id in owners.items() if owner not in self._scripts}
        for owner, job_id in lacking.items():
            if owner in self._refused:
                continue
            request = wire.JobIdRequest(job_id=job_id, step_id=wire.StepId(NO_VAL, job_id, NO_VAL, NO_VAL))
            try:
                body = self._ask(MessageType.REQUEST_BATCH_SCRIPT, request)
            except Refused as error:
                if error.number == Errno.ESLURM_ACCESS_DENIED:
                    raise CannotImport(
                        f"{self.where} gives scripts to their owners only: run this as root or SlurmUser"
                    ) from error
                self._refused.add(owner)
                continue
            if isinstance(body, wire.BatchScript) and body.data:
                self._scripts[owner] = body.data.encode("utf-8", "surrogateescape")
            else:
                self._refused.add(owner)
        return bool(set(lacking) - self._refused)

    def _read_environments(self, state_save_location: Path | None) -> None:
        """Those of the jobs whose scripts are there."""
        if state_save_location is None:
            return
        for job_id in self._scripts.keys() - self._environments.keys():
            found = spool.environment(state_save_location, job_id, self._scripts[job_id])
            if found is not None:
                self._environments[job_id] = found

    def _fetch(self, expected: type[_R], msg_type: MessageType, record: Record | None) -> _R:
        try:
            body = self._ask(msg_type, record)
        except Refused as error:
            raise CannotImport(f"{self.where} refuses {msg_type.name}: {errno_text(error.number)}") from error
        if not isinstance(body, expected):
            raise CannotImport(f"{self.where} gives an answer to {msg_type.name} that cannot be read")
        return body

    def _ask(self, msg_type: MessageType, record: Record | None) -> Any:
        try:
            answer = rpc.call(
                self.address, msg_type, record, version=self.version, signer=self.signer, timeout_s=self.timeout_s,
                limit=_LIMIT,
            )  # fmt: skip
        except (rpc.Unreachable, ProtocolError) as error:
            raise CannotImport(f"{self.where} does not answer {msg_type.name}: {error}") from error
        if code := _return_code(answer):
            raise Refused(code)
        return answer.body


def _return_code(answer: rpc.Answer) -> int:
    body = answer.body
    return body.return_code if isinstance(body, wire.ReturnCode | wire.ReturnCodeText) else 0


def _is_over(job: wire.JobInfo) -> bool:
    """Whether a job has ended for good, so that nobody needs its script."""
    return (job.job_state & 0xFF) > _SUSPENDED


_SUSPENDED = 2
