"""What node daemons are told of jobs: launch, signal and terminate, and what their answers mean.

A batch launch carries everything that the node needs: script, environment, CPUs and memory, and a credential. The
credentials in launches and terminations travel from the controller itself and are not signed.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from flurm.bridge import users
from flurm.bridge.resources import cpu_groups
from flurm.config.records import Config
from flurm.core.effects import SignalJob
from flurm.core.enums import JobState
from flurm.core.job_records import Job, JobSpec
from flurm.core.node_records import Node
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from protocol import messages as wire
from protocol.constants import (
    BATCH_STEP,
    EXTERN_STEP,
    MEM_PER_CPU,
    NO_VAL,
    NO_VAL16,
    SELECT_CONS_TRES,
    JobStateFlag,
    KillFlag,
    MessageType,
)
from protocol.credential import NodeCores, credential_body, unsigned_or_token
from protocol.errno import Errno
from protocol.hostlist import fold
from protocol.schema import Record
from protocol.versions import Version

__all__ = [
    "Verdict",
    "batch_launch",
    "is_already_gone",
    "notice",
    "prolog_launch",
    "reboot",
    "signal",
    "termination",
    "verdict_of",
]

_ALL_STEPS_22_05 = 40001
"""22.05 names all steps of a job by the step after the last possible one (MaxStepCount is 40000)."""

_A_YEAR_S = 365 * 24 * 3600


class Blobs(Protocol):
    """Where scripts and environments are kept."""

    def get(self, digest: str) -> bytes:
        """The content of a blob."""


class Verdict(NamedTuple):
    """What a node daemon made of a launch: accepted (no error), refused, or to be asked again."""

    error: str | None
    retry: bool = False


def batch_launch(
    job: Job, cluster: Cluster, *, version: int, blobs: Blobs, config: Config, signer: object, now_s: int
) -> wire.BatchLaunch:
    """The record of REQUEST_BATCH_JOB_LAUNCH for a job that has been started."""
    spec = job.spec
    assert job.allocation is not None
    assert spec.script_digest is not None
    environment = _environment(job, blobs)
    groups, repetitions = cpu_groups(job)
    memory = _requested_memory(spec)
    array = job.array
    credential = _credential(job, cluster, now_s, version=version, step_id=BATCH_STEP, step_nodes=job.batch_host or "")
    return wire.BatchLaunch(
        job_id=job.id,
        uid=spec.user_id,
        gid=spec.group_id,
        partition=job.partition,
        ntasks=spec.num_tasks or 0,
        pn_min_memory=memory,
        job_mem=memory,
        open_mode=spec.open_mode,
        overcommit=int(spec.overcommit),
        array_job_id=array.job_id if array else 0,
        array_task_id=array.task_id if array and array.task_id is not None else NO_VAL,
        acctg_freq=spec.acctg_freq,
        container=spec.container,
        cpu_bind=spec.cpu_bind,
        cpu_bind_type=_or(spec.cpu_bind_type, 0),
        cpus_per_task=spec.cpus_per_task or 1,
        restart_cnt=job.restarts,
        num_cpu_groups=len(groups),
        cpus_per_node=groups,
        cpu_count_reps=repetitions,
        nodes=fold(job.node_names),
        script=_text(blobs.get(spec.script_digest)),
        work_dir=spec.work_dir,
        std_in=spec.std_in,
        std_out=spec.std_out,
        std_err=spec.std_err,
        argc=len(spec.argv),
        argv=list(spec.argv),
        spank_job_env=list(spec.spank_environment),
        envc=len(environment),
        environment=list(environment),
        cred_version=version,
        cred=unsigned_or_token(credential, version, signer, now_s),
        select_jobinfo=SELECT_CONS_TRES,
        account=spec.account,
        qos=spec.qos,
        resv_name=spec.reservation,
        profile=spec.profile or 0,
        tres_bind=spec.tres_bind,
        tres_freq=spec.tres_freq,
        tres_per_task=spec.tres_per_task,
        cpu_freq_min=_or(spec.cpu_freq_min, NO_VAL),
        cpu_freq_max=_or(spec.cpu_freq_max, NO_VAL),
        cpu_freq_gov=_or(spec.cpu_freq_governor, NO_VAL),
    )


def prolog_launch(job: Job, cluster: Cluster, *, version: int, signer: object, now_s: int) -> wire.PrologLaunch:
    """The record of REQUEST_LAUNCH_PROLOG: run the job's prolog now, before anything of it is launched."""
    spec, nodes = job.spec, fold(job.node_names)
    body = _credential(job, cluster, now_s, version=version, step_id=EXTERN_STEP, step_nodes=nodes)
    return wire.PrologLaunch(
        job_id=job.id,
        uid=spec.user_id,
        gid=spec.group_id,
        nodes=nodes,
        std_out=spec.std_out,
        std_err=spec.std_err,
        work_dir=spec.work_dir,
        user_name=users.identity_of(spec.user_id, spec.group_id).pw_name,
        spank_job_env=list(spec.spank_environment),
        slurm_cred=unsigned_or_token(body, version, signer, now_s),
    )


_APPEND = 1


def _environment(job: Job, blobs: Blobs) -> list[str]:
    """What was submitted, and what only the controller knows or newer clients leave out; the node adds the rest."""
    digest = job.spec.environment_digest
    data = blobs.get(digest) if digest else b""
    items = [_text(item) for item in data.split(b"\0") if item]
    if job.array is not None:
        items += [
            f"SLURM_ARRAY_TASK_COUNT={job.array.count}",
            f"SLURM_ARRAY_TASK_MIN={job.array.lowest}",
            f"SLURM_ARRAY_TASK_MAX={job.array.highest}",
            f"SLURM_ARRAY_TASK_STEP={job.array.step}",
        ]
    given = {item.partition("=")[0] for item in items}
    if "SLURM_JOB_NAME" not in given:
        items.append(f"SLURM_JOB_NAME={job.spec.name}")
    if job.spec.open_mode and "SLURM_OPEN_MODE" not in given:
        items.append(f"SLURM_OPEN_MODE={'a' if job.spec.open_mode == _APPEND else 't'}")
    if job.spec.ntasks_per_node and job.spec.num_tasks and "SLURM_NTASKS" not in given:
        items += [f"SLURM_NTASKS={job.spec.num_tasks}", f"SLURM_NPROCS={job.spec.num_tasks}"]
    return items


def _requested_memory(spec: JobSpec) -> int:
    if spec.memory_per_cpu_mib is not None:
        return spec.memory_per_cpu_mib | MEM_PER_CPU
    return spec.memory_per_node_mib or 0


def _credential(
    job: Job, cluster: Cluster, now_s: int, *, version: int, step_id: int = NO_VAL, step_nodes: str = ""
) -> wire.CredentialBody:
    """The body of a job's credential: for the batch step on its host, for the extern step on all nodes, or (in a
    termination) for no step."""
    spec, allocation = job.spec, job.allocation
    assert allocation is not None
    cores = [
        NodeCores(
            sockets=_sockets(node),
            cores_per_socket=node.cores_per_socket,
            job_mask=share.cores,
            step_mask=share.cores,
            cpus=share.cpus,
            job_memory_mib=share.memory_mib,
        )
        for share, node in ((share, cluster.node_at(share.node)) for share in allocation.shares)
    ]
    body = credential_body(
        step_id=wire.StepId(sluid=_sluid(job, version), job_id=job.id, step_id=step_id, step_het_comp=NO_VAL),
        identity=users.identity_of(spec.user_id, spec.group_id),
        job_nodes=fold(job.node_names),
        step_nodes=step_nodes,
        cores=cores,
        ctime_s=now_s,
        ntasks=spec.num_tasks or 0,
        account=spec.account,
        partition=job.partition,
        start_time_s=job.start_s,
        end_time_s=min(job.end_s, job.start_s + _A_YEAR_S) if job.time_limit_min == UNLIMITED else job.end_s,
        restart_count=job.restarts,
        std_in=spec.std_in,
        std_out=spec.std_out,
        std_err=spec.std_err,
    )
    body.job_comment = spec.comment
    body.job_constraints = spec.features
    body.job_extra = spec.extra
    body.job_licenses = spec.licenses
    body.job_reservation = spec.reservation
    body.job_qos = spec.qos
    body.job_core_spec = spec.core_spec or NO_VAL16
    if version >= Version.V26_05:
        body.job_oversubscribe = 0
    memory = {BATCH_STEP: 1, EXTERN_STEP: len(body.job_mem_alloc)}.get(step_id, 0)
    body.job_mem_alloc_size = memory
    body.job_mem_alloc = body.job_mem_alloc[:memory]
    body.job_mem_alloc_rep_count = [1] * memory if step_id == BATCH_STEP else body.job_mem_alloc_rep_count[:memory]
    if not step_nodes:
        body.step_hostlist = body.step_core_bitmap = None
    return body


def _sluid(job: Job | None, version: int) -> int:
    """The unique id that the newest releases give a job beside its number; older ones leave it 0."""
    return (job.submit_s << 32) | job.id if job is not None and version >= Version.V25_11 else 0


def _sockets(node: Node) -> int:
    """Sockets that have room for all cores that jobs are given out of."""
    return max(node.sockets, -(-node.cores // node.cores_per_socket))


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def verdict_of(msg_type: int, body: Record | None) -> Verdict:
    """What the answer to a batch launch says. A daemon that has the job already has accepted it."""
    code = _return_code(msg_type, body)
    if code is None:
        return Verdict(f"unexpected answer {msg_type} to a batch launch", retry=True)
    if code in (0, Errno.ESLURM_DUPLICATE_JOB_ID):
        return Verdict(None)
    if code in _AGAIN:
        return Verdict(_describe(code), retry=True)
    return Verdict(_describe(code))


_EAGAIN = 11
_AGAIN = frozenset({_EAGAIN, int(Errno.ESLURMD_TOO_MANY_RPCS), int(Errno.ESLURMD_CREDENTIAL_REVOKED)})
"""Refusals that pass: a credential is revoked that is not at least a second younger than the job's last end there."""


def reboot(node: Node) -> wire.RebootRequest:
    """The record of REQUEST_REBOOT_NODES to a node."""
    return wire.RebootRequest(next_state=NO_VAL, node_list=node.name, reason=node.reason)


def is_already_gone(msg_type: int, body: Record | None) -> bool:
    """Whether the answer to a termination says that nothing of the job is on the node."""
    return _return_code(msg_type, body) == Errno.ESLURMD_KILL_JOB_ALREADY_COMPLETE


def _return_code(msg_type: int, body: Record | None) -> int | None:
    if isinstance(body, wire.ReturnCode | wire.ReturnCodeText):
        return body.return_code
    return None


def _describe(code: int) -> str:
    text = next((known.text for known in Errno if known == code), "")
    return f"{text} ({code})" if text else f"error {code}"


def termination(
    job_id: int,
    job: Job | None,
    node: Node,
    *,
    version: int,
    now_s: int,
    cluster: Cluster | None = None,
    signer: object = None,
) -> tuple[MessageType, wire.KillJob]:
    """The message that ends all of a job on a node; a job that the cluster does not know is aborted.

    With `cluster` it carries the job's credential, from which a real slurmd makes the epilog's environment;
    `signer` is the controller's.
    """
    step_id = wire.StepId(sluid=_sluid(job, version), job_id=job_id, step_id=NO_VAL, step_het_comp=NO_VAL)
    record = wire.KillJob(step_id=step_id, nodes=node.name, time=now_s, select_jobinfo=SELECT_CONS_TRES)
    if job is None:
        return MessageType.REQUEST_ABORT_JOB, record
    record.job_uid = job.spec.user_id
    record.job_gid = job.spec.group_id
    record.job_state = _wire_state(job)
    record.start_time = job.start_s
    record.work_dir = job.spec.work_dir
    record.exit_code = job.exit_status
    record.derived_ec = job.derived_exit_status
    record.spank_job_env = list(job.spec.spank_environment)
    record.nodes = fold(job.node_names) or node.name
    if cluster is not None and job.allocation is not None:
        body = _credential(job, cluster, now_s, version=version)
        record.has_slurm_cred, record.slurm_cred = 1, unsigned_or_token(body, version, signer, now_s)
    expired = job.state is JobState.TIMEOUT and not job.exit_status
    return MessageType.REQUEST_KILL_TIMELIMIT if expired else MessageType.REQUEST_TERMINATE_JOB, record


def _wire_state(job: Job) -> int:
    """State with flags; a job that is put back in the queue is still seen as requeued until its nodes are clean."""
    state = int(job.state) | JobStateFlag.COMPLETING
    return state | JobStateFlag.REQUEUE if job.state is JobState.PENDING else state


def signal(job: Job, effect: SignalJob, *, version: int) -> wire.SignalTasks:
    """The record of REQUEST_SIGNAL_TASKS: to the batch script, to that and all steps, or to all steps."""
    step, flags = BATCH_STEP, KillFlag.STEPS_ONLY
    if effect.whole_job:
        flags = KillFlag.FULL_JOB
    elif effect.batch_only:
        flags = KillFlag.JOB_BATCH
    else:
        step = _ALL_STEPS_22_05 if version <= Version.V22_05 else NO_VAL
    step_id = wire.StepId(job_id=job.id, step_id=step, step_het_comp=NO_VAL)
    return wire.SignalTasks(step_id=step_id, flags=int(flags), signal=effect.signal)


def notice(job_id: int, text: str) -> wire.JobNotify:
    """The record of REQUEST_JOB_NOTIFY: a line for the output of the job's script."""
    return wire.JobNotify(wire.StepId(job_id=job_id, step_id=NO_VAL, step_het_comp=NO_VAL), text)
