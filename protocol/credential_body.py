"""The body of a launch credential: what was allocated to a job and its step, node by node.

The user's identity stands in fields of its own until 23.02 and in a nested record later; `credential_body` fills both,
so that one body serves every version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from protocol.constants import NO_VAL16
from protocol.messages.common import StepId, UserIdentity
from protocol.messages.credentials import CredentialBody
from protocol.wire import Bits

__all__ = ["NodeCores", "credential_body"]


class NodeCores(msgspec.Struct, frozen=True):
    """What a job and its step hold on one node; masks count the node's cores from 0, memory is in MiB."""

    sockets: int
    cores_per_socket: int
    job_mask: int
    step_mask: int
    cpus: int
    job_memory_mib: int = 0
    step_memory_mib: int | None = None


def credential_body(
    *,
    step_id: StepId,
    identity: UserIdentity,
    job_nodes: str,
    step_nodes: str,
    cores: Sequence[NodeCores],
    ctime_s: int,
    ntasks: int,
    account: str | None = None,
    partition: str | None = None,
    start_time_s: int = 0,
    end_time_s: int = 0,
    restart_count: int = 0,
    std_in: str | None = None,
    std_out: str | None = None,
    std_err: str | None = None,
) -> CredentialBody:
    """The body of a launch credential; `cores` has one entry per node of the job, host lists are folded text."""
    layout = _runs((node.cores_per_socket, node.sockets) for node in cores)
    cpus = _runs(node.cpus for node in cores)
    job_memory = _runs(node.job_memory_mib for node in cores)
    step_memory = _runs(node.step_memory_mib for node in cores if node.step_memory_mib is not None)
    total = sum(node.sockets * node.cores_per_socket for node in cores)
    body = CredentialBody(
        step_id=step_id,
        id=identity,
        job_core_spec=NO_VAL16,
        job_account=account,
        job_partition=partition,
        job_start_time=start_time_s,
        job_end_time=end_time_s,
        job_restart_cnt=restart_count,
        job_oversubscribe=NO_VAL16,
        job_std_in=std_in,
        job_std_out=std_out,
        job_std_err=std_err,
        step_hostlist=step_nodes,
        job_hostlist=job_nodes,
        ctime=ctime_s,
        tot_core_cnt=total,
        job_core_bitmap=Bits(total, _joined(cores, "job_mask")),
        step_core_bitmap=Bits(total, _joined(cores, "step_mask")),
        core_array_size=len(layout),
        cores_per_socket=[value[0] for value, _ in layout],
        sockets_per_node=[value[1] for value, _ in layout],
        sock_core_rep_count=[times for _, times in layout],
        cpu_array_count=len(cpus),
        cpu_array=[value for value, _ in cpus],
        cpu_array_reps=[times for _, times in cpus],
        job_nhosts=len(cores),
        job_ntasks=ntasks,
        job_mem_alloc_size=len(job_memory),
        job_mem_alloc=[value for value, _ in job_memory],
        job_mem_alloc_rep_count=[times for _, times in job_memory],
        step_mem_alloc_size=len(step_memory),
        step_mem_alloc=[value for value, _ in step_memory],
        step_mem_alloc_rep_count=[times for _, times in step_memory],
    )
    _spread_identity(body, identity)
    return body


def _spread_identity(body: CredentialBody, identity: UserIdentity) -> None:
    for name in identity.__struct_fields__:
        setattr(body, name, getattr(identity, name))


def _runs(values: Iterable) -> list[tuple]:
    """Run lengths: (value, times) of equal neighbours."""
    return [(value, len(list(same))) for value, same in groupby(values)]


def _joined(cores: Sequence[NodeCores], mask: str) -> int:
    """The masks of all nodes side by side, each as wide as its node has cores."""
    joined = offset = 0
    for node in cores:
        joined |= getattr(node, mask) << offset
        offset += node.sockets * node.cores_per_socket
    return joined
