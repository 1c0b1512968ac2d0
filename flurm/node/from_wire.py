"""From the wire's REQUEST_BATCH_JOB_LAUNCH to a `LaunchSpec`: the only file here that knows the wire's records.

The launch leaves some things to its credential (who the user is, which cores and how much memory were given), and the
job's name to the environment, where the submitting program put it.
"""

from __future__ import annotations

import pwd
from collections.abc import Sequence

from flurm.node.environment import expand_counts, read_submitted
from flurm.node.programs import JobFacts
from flurm.node.spec import BATCH_STEP, MEM_PER_CPU, NO_VAL, LaunchSpec, OpenMode
from protocol.messages.credentials import CredentialBody
from protocol.messages.launch import BatchLaunch

_UNSET_CPUS = (0, 0xFFFE, 0xFFFF)


def launch_spec(
    message: BatchLaunch, *, cluster_name: str = "", node_index: int = 0, core_cpus: Sequence[Sequence[int]] = ()
) -> LaunchSpec:
    """What this node shall run.

    `node_index` is this node's place in the allocation (a batch script runs on the first node). `core_cpus` gives the
    logical CPUs of each core of this machine in Slurm's order, see `inventory.core_cpus`; without it, and where the
    allocation names cores that the machine does not have, nothing is bound.
    """
    credential = message.cred.credential
    identity = credential.id
    environment = tuple(_present(message.environment))
    return LaunchSpec(
        job_id=message.job_id or credential.step_id.job_id,
        uid=message.uid or credential.uid or identity.uid,
        gid=message.gid or credential.gid or identity.gid,
        gids=tuple(message.gids or credential.gids or identity.gids),
        user_name=message.user_name or credential.pw_name or identity.pw_name or "",
        home=credential.pw_dir or identity.pw_dir or "",
        shell=credential.pw_shell or identity.pw_shell or "",
        step_id=BATCH_STEP,
        restart_count=message.restart_cnt,
        het_job_id=message.het_job_id if message.het_job_id != NO_VAL else 0,
        array_job_id=message.array_job_id,
        array_task_id=message.array_task_id,
        job_name=read_submitted(environment).variables.get("SLURM_JOB_NAME", ""),
        script=(message.script or "").encode(errors="surrogateescape"),
        argv=tuple(_present(message.argv)),
        environment=environment,
        work_dir=message.work_dir or "/tmp",
        std_in=message.std_in or "/dev/null",
        std_out=message.std_out or "",
        std_err=message.std_err or "",
        open_mode=OpenMode(message.open_mode) if message.open_mode in tuple(OpenMode) else OpenMode.DEFAULT,
        node_list=message.nodes or "",
        node_id=node_index,
        ntasks=message.ntasks,
        cpus_per_task=0 if message.cpus_per_task in _UNSET_CPUS else message.cpus_per_task,
        cpus_per_node=tuple(message.cpus_per_node) or (1,),
        cpu_count_reps=tuple(message.cpu_count_reps) or (1,),
        overcommit=bool(message.overcommit),
        cpu_ids=allocated_cpus(credential, node_index, core_cpus),
        memory_mib=_memory_mib(message, credential, node_index),
        mem_request=message.pn_min_memory,
        partition=message.partition or "",
        account=message.account or "",
        qos=message.qos or "",
        reservation=message.resv_name or "",
        cluster_name=cluster_name,
        start_s=credential.job_start_time,
        end_s=credential.job_end_time,
    )


def job_facts(credential: CredentialBody, *, work_dir: str | None = None) -> JobFacts:
    """What a prolog or an epilog is told of the job that a launch, a prolog's launch or a termination is about."""
    identity = credential.id
    uid = credential.uid or identity.uid
    counts, repetitions = tuple(credential.cpu_array), tuple(credential.cpu_array_reps)
    limits = {"start_s": credential.job_start_time, "end_s": credential.job_end_time}
    return JobFacts(
        job_id=credential.step_id.job_id,
        uid=uid,
        gid=credential.gid or identity.gid,
        user_name=credential.pw_name or identity.pw_name or _user_name(uid),
        partition=credential.job_partition or "",
        node_list=credential.job_hostlist or "",
        node_count=credential.job_nhosts or 1,
        cpus_per_node=counts,
        cpu_count_reps=repetitions,
        restart_count=credential.job_restart_cnt,
        work_dir=work_dir or "",
        account=credential.job_account or "",
        comment=credential.job_comment or "",
        constraints=credential.job_constraints or "",
        extra=credential.job_extra or "",
        licenses=credential.job_licenses or "",
        reservation=credential.job_reservation or "",
        std_in=credential.job_std_in or "",
        std_out=credential.job_std_out or "",
        std_err=credential.job_std_err or "",
        **limits,
    )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def allocated_cpus(credential: CredentialBody, node_index: int, core_cpus: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The logical CPUs behind the credential's core bitmap on one node; empty where they cannot be told."""
    if credential.job_core_bitmap is None or not core_cpus:
        return ()
    sockets = zip(credential.cores_per_socket, credential.sockets_per_node, strict=True)
    widths = expand_counts([cores * count for cores, count in sockets], credential.sock_core_rep_count)
    if node_index >= len(widths) or widths[node_index] != len(core_cpus):
        return ()
    own = credential.job_core_bitmap.mask >> sum(widths[:node_index])
    return tuple(sorted(cpu for core, cpus in enumerate(core_cpus) if own >> core & 1 for cpu in cpus))


def _memory_mib(message: BatchLaunch, credential: CredentialBody, node_index: int) -> int:
    given = expand_counts(credential.job_mem_alloc, credential.job_mem_alloc_rep_count)
    if given:
        return given[min(node_index, len(given) - 1)]
    if message.job_mem & MEM_PER_CPU:
        cpus = expand_counts(message.cpus_per_node, message.cpu_count_reps)
        return (message.job_mem & ~MEM_PER_CPU) * (cpus[node_index] if node_index < len(cpus) else 1)
    return message.job_mem


def _present(items: Sequence[str | None]) -> list[str]:
    return [item for item in items if item is not None]
