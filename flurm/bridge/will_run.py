"""Will-run tests (`sbatch --test-only`): when and where a job would start, were it submitted now."""

from __future__ import annotations

from flurm.bridge import replies
from flurm.bridge.context import Context
from flurm.bridge.resources import node_list
from flurm.bridge.submit import spec_of
from flurm.core.effects import Rejected
from flurm.core.enums import Refusal
from flurm.core.submission import with_defaults
from flurm.sched.forecast import will_run
from protocol import messages as wire
from protocol.constants import NO_VAL, MessageType

__all__ = ["answer"]


def answer(record: wire.JobDescription, context: Context) -> replies.Answer:
    """The answer to REQUEST_JOB_WILL_RUN. No job comes of it; the id that it names is the one that is next."""
    found = _forecast(record, context)
    if isinstance(found, Rejected):
        return replies.to_wire(MessageType.REQUEST_JOB_WILL_RUN, found, context)
    return MessageType.RESPONSE_JOB_WILL_RUN, found


def _forecast(record: wire.JobDescription, context: Context) -> wire.WillRunResponse | Rejected:
    cluster = context.cluster
    spec = spec_of(record, context)
    if isinstance(spec, Rejected):
        return spec
    for name in spec.partitions:
        if name not in cluster.partitions:
            return Rejected(Refusal.INVALID_PARTITION_NAME, f"invalid partition specified: {name}")
    spec = with_defaults(cluster, spec)
    if not spec.partitions:
        return Rejected(Refusal.DEFAULT_PARTITION_NOT_SET)
    found = will_run(cluster, spec, context.now_s)
    if isinstance(found, Refusal):
        return Rejected(found)
    job_id = cluster.next_job_id
    return wire.WillRunResponse(
        job_id=job_id,
        step_id=wire.StepId(job_id=job_id, step_id=NO_VAL, step_het_comp=NO_VAL),
        node_list=node_list(cluster, found.nodes),
        part_name=found.partition,
        proc_cnt=found.cpus,
        start_time=found.start_s,
    )
