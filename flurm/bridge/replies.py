"""Answers to requests that change something: a core reply becomes the message that slurmctld sends in its place."""

from __future__ import annotations

import errno as system

from flurm.bridge.context import Context
from flurm.core.effects import Done, Rejected, Reply, Result, Results, Submitted
from flurm.core.enums import Refusal
from flurm.core.records import Cluster
from protocol import messages as wire
from protocol.constants import BATCH_STEP, NO_VAL, MessageType
from protocol.errno import Errno
from protocol.schema import Record
from protocol.versions import Version

__all__ = ["code_of", "to_wire"]

Answer = tuple[MessageType, Record | None]

_TEXT_ALWAYS = frozenset({MessageType.REQUEST_UPDATE_JOB})
"""Requests that controllers from 23.02 on answer with a text, even an empty one."""


_ONE_CODE = frozenset({MessageType.REQUEST_KILL_JOB, MessageType.REQUEST_CANCEL_JOB_STEP})
"""Requests that get one number even for an array: success where any task took it."""


def to_wire(request_msg_type: int, reply: Reply, context: Context) -> Answer:
    """The message type and record of the answer to a request of this type."""
    match reply:
        case Submitted(job_id, message):
            return MessageType.RESPONSE_SUBMIT_BATCH_JOB, _submitted(job_id, message)
        case Rejected(code, text):
            return _code(request_msg_type, code_of(code), text, context)
        case Results(results) if request_msg_type == MessageType.REQUEST_KILL_JOBS:
            return MessageType.RESPONSE_KILL_JOBS, _killed(results)
        case Results(results) if request_msg_type in _ONE_CODE:
            return _code(request_msg_type, _common_code(results), None, context)
        case Results(results):
            return MessageType.RESPONSE_JOB_ARRAY_ERRORS, _array_errors(results)
        case Done() if request_msg_type == MessageType.MESSAGE_NODE_REGISTRATION_STATUS:
            return MessageType.RESPONSE_NODE_REGISTRATION, _registered(context)
    return _code(request_msg_type, 0, None, context)


def code_of(refusal: Refusal) -> int:
    """The number of a refusal: Slurm's where the name is one of Slurm's, else the system's."""
    known = Errno.__members__.get(refusal.value)
    return int(known) & 0xFFFFFFFF if known is not None else int(getattr(system, refusal.value))


def _code(request_msg_type: int, code: int, text: str | None, context: Context) -> Answer:
    if text or (request_msg_type in _TEXT_ALWAYS and context.version >= Version.V23_02):
        return MessageType.RESPONSE_SLURM_RC_MSG, wire.ReturnCodeText(return_code=code, err_msg=text)
    return MessageType.RESPONSE_SLURM_RC, wire.ReturnCode(return_code=code)


def _common_code(results: tuple[Result, ...]) -> int:
    codes = [code_of(each.code) if each.code else 0 for each in results]
    return 0 if 0 in codes else codes[0]


def _submitted(job_id: int, message: str | None) -> wire.SubmitResponse:
    step = wire.StepId(job_id=job_id, step_id=BATCH_STEP, step_het_comp=NO_VAL)
    return wire.SubmitResponse(job_id=job_id, step=step, job_submit_user_msg=message)


def _array_errors(results: tuple[Result, ...]) -> wire.JobArrayErrors:
    errors = [
        wire.JobArrayError(error_code=code_of(each.code) if each.code else 0, job_array_id=each.target)
        for each in results
    ]
    return wire.JobArrayErrors(job_array=errors)


def _killed(results: tuple[Result, ...]) -> wire.KillJobsResponse:
    """Only what went wrong is told; clients print nothing of the rest."""
    jobs = []
    for each in results:
        if each.code is None:
            continue
        number, _, task = each.target.partition("_")
        job_id = int(number) if number.isdecimal() else 0
        chosen = wire.SelectedStep(
            step_id=wire.StepId(job_id=job_id, step_id=NO_VAL, step_het_comp=NO_VAL),
            array_task_id=int(task) if task.isdecimal() else NO_VAL,
            het_job_offset=NO_VAL,
        )
        jobs.append(wire.KillJobResult(error_code=code_of(each.code), id=chosen, real_job_id=job_id))
    return wire.KillJobsResponse(jobs=jobs)


def _registered(context: Context) -> wire.NodeRegistrationResponse:
    """What node daemons are told at their start: which resources are tracked, by Slurm's fixed numbers."""
    return wire.NodeRegistrationResponse(tres_list=_tracked(context.cluster))


def _tracked(cluster: Cluster) -> list[wire.DbTresNoalloc]:
    nodes = cluster.nodes.values()
    cpus = sum(node.cpus for node in nodes)
    rows = (
        (1, "cpu", None, cpus),
        (2, "mem", None, sum(node.real_memory_mib for node in nodes)),
        (3, "energy", None, 0),
        (4, "node", None, len(cluster.nodes)),
        (5, "billing", None, cpus),
        (6, "fs", "disk", 0),
        (7, "vmem", None, 0),
        (8, "pages", None, 0),
    )
    return [wire.DbTresNoalloc(id=number, type=kind, name=name, count=count) for number, kind, name, count in rows]
