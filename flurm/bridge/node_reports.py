"""What node daemons report: who they are, that a batch script is over, that nothing of a job is left.

Only root and SlurmUser may say such things; anybody else is refused before his message is looked at.
"""

from __future__ import annotations

from flurm.bridge import node_gres
from flurm.bridge.calls import JOB_MANAGER, Call, Mapped, for_jobs, only_operators
from flurm.bridge.configure import node_of
from flurm.bridge.context import Context
from flurm.config import ConfigError
from flurm.config.from_slurm import node_line
from flurm.core.commands import BatchEnded, EpilogDone, RegisterNode, UpdateNode
from flurm.core.control import may_touch
from flurm.core.effects import Done, Rejected
from flurm.core.enums import NodeFlag, NodeState, Refusal
from flurm.core.node_records import Node, NodeFacts
from protocol import messages as wire
from protocol.constants import DynamicNode, RegistrationFlag
from protocol.errno import Errno

__all__ = ["allocation_complete", "batch_complete", "epilog_complete", "prolog_complete", "register", "step_complete"]

_SAME_BOOT_S = 5
"""A boot time is reckoned from the uptime; so much it may differ from one report to the next."""

_NODE_FAULTS = frozenset(
    {
        Errno.ESLURMD_PROLOG_FAILED,
        Errno.ESLURMD_SETUP_ENVIRONMENT_ERROR,
        Errno.ESLURMD_CREATE_BATCH_DIR_ERROR,
        Errno.ESLURMD_MODIFY_BATCH_DIR_ERROR,
        Errno.ESLURMD_CREATE_BATCH_SCRIPT_ERROR,
        Errno.ESLURMD_MODIFY_BATCH_SCRIPT_ERROR,
        Errno.ESLURMD_FORK_FAILED,
        Errno.ESLURMD_CREDENTIAL_REVOKED,
        Errno.ESLURMD_INVALID_JOB_CREDENTIAL,
    }
)
"""Reasons that lie with the node, so that the job is put back; all others are the job's own failure."""


_PROLOG_ERROR = "Prolog error"
_PROLOG_FAULTS = (Errno.ESLURMD_PROLOG_FAILED, Errno.ESLURMD_SETUP_ENVIRONMENT_ERROR)
"""What a registration tells of the last job: a real daemon registers anew when its prolog failed."""

_NO_FAULT_OF_ITS_OWN = frozenset({Errno.ESLURMD_CREDENTIAL_REVOKED, Errno.ESLURMD_INVALID_JOB_CREDENTIAL})


def register(record: wire.NodeRegistration, context: Context) -> Mapped:
    """MESSAGE_NODE_REGISTRATION_STATUS."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    name = record.node_name or record.hostname or ""
    jobs = tuple(sorted({step.job_id for step in record.step_id}))
    said_s = min(record.timestamp or context.now_s, context.now_s)
    return for_jobs(
        RegisterNode(
            now_s=context.now_s,
            name=name,
            facts=_facts(name, record, context),
            jobs=jobs,
            since_s=said_s - context.config.batch_start_timeout,
            startup=bool(record.flags & RegistrationFlag.RESP),
            joins=_joins(name, record, context),
            drain_reason=_fault_of(name, record, context),
        )
    )


def _fault_of(name: str, record: wire.NodeRegistration, context: Context) -> str | None:
    if record.status in _PROLOG_FAULTS:
        return _PROLOG_ERROR
    node = context.cluster.nodes.get(name)
    return None if node is None else node_gres.shortage(node.gres, record.gres_info, context.version)


def _joins(name: str, record: wire.NodeRegistration, context: Context) -> Node | None:
    """The node that a daemon wants to be (`slurmd -Z`): what its line says, on the hardware that it registers.

    It is reached where it came from. Of a line that makes no sense nothing is taken: the node is its hardware.
    """
    if record.dynamic_type != DynamicNode.NORM:
        return None
    line = record.dynamic_conf or f"NodeName={name}"
    memory = {"real_memory_mib": record.real_memory}
    try:
        found = node_line(line, context.config.slurmd_port, **memory)
    except (ConfigError, ValueError):
        found = node_line("NodeName=unnamed", context.config.slurmd_port, **memory)
    return node_of(found[0], 0, context.now_s).with_(
        name=name,
        declared=line,
        state=NodeState.UNKNOWN,
        flags=NodeFlag.DYNAMIC_NORM,
        hostname=record.hostname or name,
        address=context.peer[0] or record.hostname or name,
        cpus=record.cpus,
        boards=record.boards,
        sockets=record.sockets,
        cores_per_socket=record.cores,
        threads_per_core=record.threads,
    )


def _facts(name: str, record: wire.NodeRegistration, context: Context) -> NodeFacts:
    boot_s = context.now_s - record.up_time
    known = context.cluster.nodes.get(name)
    if known is not None and known.facts is not None and abs(known.facts.boot_s - boot_s) <= _SAME_BOOT_S:
        boot_s = known.facts.boot_s
    return NodeFacts(
        version=record.version or "",
        protocol_version=context.version,
        arch=record.arch,
        os=record.os,
        cpus=record.cpus,
        boards=record.boards,
        sockets=record.sockets,
        cores_per_socket=record.cores,
        threads_per_core=record.threads,
        real_memory_mib=record.real_memory,
        tmp_disk_mib=record.tmp_disk,
        boot_s=boot_s,
        daemon_start_s=record.slurmd_start_time,
    )


def batch_complete(record: wire.BatchComplete, context: Context) -> Mapped:
    """REQUEST_COMPLETE_BATCH_SCRIPT."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    if record.slurm_rc == Errno.ESLURM_DUPLICATE_JOB_ID:
        return Rejected(Refusal.ALREADY_DONE)
    command = BatchEnded(
        now_s=context.now_s,
        job_id=record.job_id or record.step_id.job_id,
        node=record.node_name or "",
        exit_status=_status(record),
        slurm_rc=record.slurm_rc if record.slurm_rc in _NODE_FAULTS else 0,
        drain_reason=_drain_reason(record.slurm_rc),
    )
    return for_jobs(command)


def _drain_reason(slurm_rc: int) -> str | None:
    """What is wrong with a node that could not run a job, where the next job would fare no better."""
    if slurm_rc not in _NODE_FAULTS - _NO_FAULT_OF_ITS_OWN:
        return None
    return _PROLOG_ERROR if slurm_rc == Errno.ESLURMD_PROLOG_FAILED else "batch job complete failure"


def _status(record: wire.BatchComplete) -> int:
    """The script's status as wait(2) gives it; a daemon that has none to tell still has a failure to report."""
    status = record.job_rc & 0xFFFF
    return status or (256 if record.slurm_rc else 0)


def allocation_complete(record: wire.AllocationComplete, context: Context) -> Mapped:
    """REQUEST_COMPLETE_JOB_ALLOCATION: salloc or srun is done with an allocation that was taken over from slurmctld."""
    job = context.cluster.jobs.get(record.job_id or record.step_id.job_id)
    if job is None:
        return Rejected(Refusal.INVALID_JOB_ID)
    if not may_touch(context.cluster, job, context.uid):
        return Rejected(Refusal.USER_ID_MISSING)
    if job.spec.script_digest is not None or job.batch_host is None:
        return Rejected(Refusal.NOT_SUPPORTED)
    command = BatchEnded(now_s=context.now_s, job_id=job.id, node=job.batch_host, exit_status=record.job_rc & 0xFFFF)
    return for_jobs(command)


def epilog_complete(record: wire.EpilogComplete, context: Context) -> Mapped:
    """MESSAGE_EPILOG_COMPLETE; the daemon does not wait for an answer."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    command = EpilogDone(
        now_s=context.now_s,
        job_id=record.job_id or record.step_id.job_id,
        node=record.node_name or "",
        return_code=record.return_code,
    )
    return Call(JOB_MANAGER, command, no_reply_needed=True)


def prolog_complete(record: wire.PrologComplete, context: Context) -> Mapped:
    """REQUEST_COMPLETE_PROLOG: a launch waits for no prolog here, but a node whose prolog fails takes no more jobs."""
    refusal = only_operators(context)
    name = record.node_name or ""
    if refusal is not None or not record.prolog_rc or name not in context.cluster.nodes:
        return refusal or Done()
    command = UpdateNode(now_s=context.now_s, user_id=context.uid, names=name, state="drain", reason=_PROLOG_ERROR)
    return for_jobs(command)


def step_complete(record: wire.StepComplete, context: Context) -> Mapped:
    """REQUEST_STEP_COMPLETE: there are no steps but the batch step, which has a report of its own."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    known = record.step_id.job_id in context.cluster.jobs
    return Done() if known else Rejected(Refusal.INVALID_JOB_ID)
