"""Queries: what clients read. A table from message type to a small function over an immutable cluster.

`answer` takes a decoded request and a `Context` (the cluster of that moment, who asks, in which release) and returns
the answer's type with its record, or with ready bytes where kept forms are joined. It reads only; nothing here waits
but `read_blob`, which fetches a job's script. A type that is no query gives None, and the caller answers EINVAL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flurm.bridge import (
    config_files,
    rights,
    show_config,
    show_licenses,
    show_nodes,
    show_partitions,
    show_stats,
    show_steps,
    show_topology,
    triggers,
    will_run,
)
from flurm.bridge.context import Context
from flurm.bridge.show_jobs import in_listing_order, is_hidden
from flurm.core.arrays import records_of
from flurm.core.enums import JobState
from flurm.core.job_records import Job
from flurm.core.outcome import is_operator
from flurm.core.records import Cluster
from protocol import messages as wire
from protocol.constants import (
    ARRAY_NO_TASK,
    BATCH_STEP,
    NO_VAL,
    ConfigRequestFlag,
    MessageType,
    PrivateData,
    ShowFlag,
)
from protocol.errno import Errno
from protocol.hostlist import HostlistError, expand
from protocol.schema import Record

__all__ = ["Answer", "Context", "answer", "is_query", "served"]

Answer = tuple[MessageType, Record | bytes | None]


Query = Callable[[Context, Any], Answer]


def is_query(msg_type: int) -> bool:
    """Whether this module answers messages of this type."""
    return msg_type in _QUERIES


def served() -> tuple[int, ...]:
    """The types of all queries."""
    return tuple(_QUERIES)


def answer(msg_type: int, record: Record | None, ctx: Context) -> Answer | None:
    """The answer to a query, None where the message is none."""
    query = _QUERIES.get(msg_type)
    if query is None:
        return None
    refusal = rights.refusal(msg_type, ctx)
    return _code(refusal) if refusal else query(ctx, record)


def _code(number: int) -> Answer:
    return MessageType.RESPONSE_SLURM_RC, wire.ReturnCode(int(number) & 0xFFFFFFFF)


_NO_SUCH_JOB = _code(Errno.ESLURM_INVALID_JOB_ID)
_NO_CHANGE = _code(Errno.SLURM_NO_CHANGE_IN_DATA)


def _is_unchanged(last_update_s: int, changed_s: int) -> bool:
    """Whether a client that was told everything at `last_update_s` would learn nothing new."""
    return last_update_s > changed_s


def _job_info(ctx: Context, request: wire.JobInfoRequest) -> Answer:
    if _is_unchanged(request.last_update, ctx.cluster.jobs_changed_s):
        return _NO_CHANGE
    if request.job_ids:
        jobs = [job for job_id in request.job_ids for job in _seen(ctx, job_id)]
        return _jobs(ctx, jobs, _shown(ctx, request.show_flags))
    show_flags = _shown(ctx, request.show_flags)
    if rights.hides(ctx, PrivateData.JOBS) or _has_closed_partitions(ctx, show_flags):
        return _jobs(ctx, _listed(ctx, _all_jobs(ctx), show_flags), show_flags)
    body = ctx.kept.all_jobs(
        ctx.cluster, ctx.version, show_flags, ctx.now_s, ctx.counters.backfill.last_s, ctx.names.user
    )
    return MessageType.RESPONSE_JOB_INFO, body


def _job_info_single(ctx: Context, request: wire.JobIdRequest) -> Answer:
    show_flags = _shown(ctx, request.show_flags)
    jobs = _listed(ctx, _seen(ctx, _job_id(request)), show_flags)
    return _jobs(ctx, jobs, show_flags) if jobs else _NO_SUCH_JOB


def _job_user_info(ctx: Context, request: wire.UserJobsRequest) -> Answer:
    show_flags = _shown(ctx, request.show_flags)
    jobs = [job for job in _all_jobs(ctx) if job.spec.user_id == request.user_id]
    return _jobs(ctx, _listed(ctx, jobs, show_flags), show_flags)


def _jobs(ctx: Context, jobs: list[Job], show_flags: int) -> Answer:
    backfill_s = ctx.counters.backfill.last_s
    body = ctx.kept.some_jobs(ctx.cluster, jobs, ctx.version, show_flags, ctx.now_s, backfill_s, ctx.names.user)
    return MessageType.RESPONSE_JOB_INFO, body


def _job_state(ctx: Context, request: wire.JobStateRequest) -> Answer:
    if not request.items:
        return MessageType.RESPONSE_JOB_STATE, show_steps.job_states(_all_jobs(ctx))
    found: dict[int, Job] = {}
    for item in request.items:
        for job in _seen(ctx, item.job_ids_step_id_job_id):
            task_id = item.job_ids_array_task_id
            if task_id == ARRAY_NO_TASK or (job.array is not None and _has_task(job, task_id)):
                found[job.id] = job
    return MessageType.RESPONSE_JOB_STATE, show_steps.job_states(found.values())


def _has_task(job: Job, task_id: int) -> bool:
    assert job.array is not None
    return job.array.task_id == task_id or bool(job.array.waiting >> task_id & 1)


def _job_id(request: wire.JobIdRequest | wire.AllocationInfoRequest) -> int:
    """The job id, which moved into a step id in 25.11."""
    return request.job_id or request.step_id.job_id


def _records(cluster: Cluster, job_id: int) -> list[Job]:
    """The job of this id; of an array, the record that has the id first and the others from the last one back."""
    job = cluster.jobs.get(job_id)
    if job_id not in cluster.arrays:
        return [job] if job else []
    others = [other for other in records_of(cluster, job_id) if other.id != job_id]
    return ([job] if job else []) + others[::-1]


def _shown(ctx: Context, show_flags: int) -> int:
    """A request's show flags; operators are shown what is hidden even where they do not ask for it."""
    return show_flags | ShowFlag.ALL if is_operator(ctx.cluster, ctx.uid) else show_flags


def _seen(ctx: Context, job_id: int) -> list[Job]:
    """`_records` that PrivateData does not keep from whoever asks."""
    return [job for job in _records(ctx.cluster, job_id) if rights.may_see_job(ctx, job)]


def _job_seen(ctx: Context, job_id: int) -> Job | None:
    job = ctx.cluster.jobs.get(job_id)
    return job if job is not None and rights.may_see_job(ctx, job) else None


def _all_jobs(ctx: Context) -> list[Job]:
    """All jobs that PrivateData does not keep from whoever asks."""
    jobs = (ctx.cluster.jobs[job_id] for job_id in in_listing_order(ctx.cluster))
    if not rights.hides(ctx, PrivateData.JOBS):
        return list(jobs)
    return [job for job in jobs if job.spec.user_id == ctx.uid]


def _has_closed_partitions(ctx: Context, show_flags: int) -> bool:
    """Whether a listing without all partitions leaves some out for the groups of whoever asks."""
    return not show_flags & ShowFlag.ALL and bool(rights.closed_partitions(ctx))


def _listed(ctx: Context, jobs: list[Job], show_flags: int) -> list[Job]:
    """Those jobs that a listing has: not those of which all partitions are hidden, or closed to whoever asks."""
    closed = rights.closed_partitions(ctx)
    return [job for job in jobs if not is_hidden(ctx.cluster, job, show_flags, closed)]


def _job_ready(ctx: Context, request: wire.JobIdRequest) -> Answer:
    job = _job_seen(ctx, _job_id(request))
    if job is None:
        return _NO_SUCH_JOB
    return MessageType.RESPONSE_JOB_READY, wire.ReturnCode(show_steps.ready_bits(job))


def _job_end_time(ctx: Context, request: wire.AllocationInfoRequest) -> Answer:
    job = _job_seen(ctx, _job_id(request))
    if job is None:
        return _NO_SUCH_JOB
    return MessageType.SRUN_TIMEOUT, show_steps.end_time(job)


def _allocation_info(ctx: Context, request: wire.AllocationInfoRequest) -> Answer:
    job = _job_seen(ctx, _job_id(request))
    refusal = _no_allocation(job)
    if job is None or refusal is not None:
        return refusal or _NO_SUCH_JOB
    return MessageType.RESPONSE_JOB_ALLOCATION_INFO, show_steps.allocation(job, ctx.names)


def _het_allocation_info(ctx: Context, request: wire.AllocationInfoRequest) -> Answer:
    job = _job_seen(ctx, _job_id(request))
    refusal = _no_allocation(job)
    if job is None or refusal is not None:
        return refusal or _NO_SUCH_JOB
    return MessageType.RESPONSE_HET_JOB_ALLOCATION, wire.AllocationList([show_steps.allocation(job, ctx.names)])


def _no_allocation(job: Job | None) -> Answer | None:
    if job is None:
        return _NO_SUCH_JOB
    if job.state is JobState.PENDING:
        return _code(Errno.ESLURM_JOB_PENDING)
    if job.state.is_finished or job.allocation is None:
        return _code(Errno.ESLURM_ALREADY_DONE)
    return None


def _batch_script(ctx: Context, request: wire.JobIdRequest) -> Answer:
    """Only the owner and operators read a script; its bytes reach the client whatever their encoding."""
    records = _records(ctx.cluster, _job_id(request))
    if not records:
        return _NO_SUCH_JOB
    spec = records[0].spec
    if ctx.uid != spec.user_id and not is_operator(ctx.cluster, ctx.uid):
        return _code(Errno.ESLURM_USER_ID_MISSING)
    if spec.script_digest is None:
        return _code(Errno.ESLURM_JOB_SCRIPT_MISSING)
    try:
        script = ctx.read_blob(spec.script_digest)
    except KeyError:
        return _code(Errno.ESLURM_JOB_SCRIPT_MISSING)
    return MessageType.RESPONSE_BATCH_SCRIPT, wire.BatchScript(script.rstrip(b"\0").decode("utf-8", "surrogateescape"))


def _step_info(ctx: Context, request: wire.StepInfoRequest) -> Answer:
    if _is_unchanged(request.last_update, ctx.cluster.jobs_changed_s):
        return _NO_CHANGE
    wanted, step = request.step_id.job_id, request.step_id.step_id
    jobs = _all_jobs(ctx) if wanted in (0, NO_VAL) else _jobs_of_steps(ctx, wanted, step)
    if not jobs and ctx.cluster.jobs and wanted not in (0, NO_VAL):
        return _NO_SUCH_JOB  # where there are no jobs at all, slurmctld has no steps and no complaint
    jobs = _listed(ctx, jobs, _shown(ctx, request.show_flags))
    if step not in (NO_VAL, BATCH_STEP):
        jobs = []
    return MessageType.RESPONSE_JOB_STEP_INFO, show_steps.steps_response(ctx.cluster, jobs, ctx.version, ctx.now_s)


def _jobs_of_steps(ctx: Context, job_id: int, step: int) -> list[Job]:
    """The jobs whose steps are meant: one step is one of the record with that id alone, even in an array."""
    if step != NO_VAL:
        job = _job_seen(ctx, job_id)
        return [job] if job is not None else []
    ids = {job_id, *ctx.cluster.arrays.get(job_id, ())}
    return [job for job in _all_jobs(ctx) if job.id in ids]


def _step_layout(ctx: Context, request: wire.StepId) -> Answer:
    job = _job_seen(ctx, request.job_id)
    layout = None if job is None else show_steps.step_layout(job, request.step_id, ctx.version)
    return (MessageType.RESPONSE_STEP_LAYOUT, layout) if layout else _NO_SUCH_JOB


def _node_info(ctx: Context, request: wire.NodeInfoRequest) -> Answer:
    if _is_unchanged(request.last_update, ctx.cluster.nodes_changed_s):
        return _NO_CHANGE
    shown = show_nodes.nodes_response(ctx.cluster, ctx.version, _shown(ctx, request.show_flags), ctx.now_s, ctx.loads)
    return MessageType.RESPONSE_NODE_INFO, shown


def _node_info_single(ctx: Context, request: wire.NodeInfoSingleRequest) -> Answer:
    shown = show_nodes.one_node_response(
        ctx.cluster, request.node_name, ctx.version, ctx.now_s, ctx.loads, _shown(ctx, request.show_flags)
    )
    return MessageType.RESPONSE_NODE_INFO, shown


def _partition_info(ctx: Context, request: wire.PartitionInfoRequest) -> Answer:
    if _is_unchanged(request.last_update, ctx.cluster.partitions_changed_s):
        return _NO_CHANGE
    order = (partition.name for partition in ctx.config.partitions)
    shown = show_partitions.partitions_response(
        ctx.cluster, order, _shown(ctx, request.show_flags), ctx.now_s, closed=rights.closed_partitions(ctx)
    )
    return MessageType.RESPONSE_PARTITION_INFO, shown


def _build_info(ctx: Context, request: wire.LastUpdate) -> Answer:
    if _is_unchanged(request.last_update, ctx.started_s):
        return _NO_CHANGE
    shown = show_config.build_info(
        ctx.config, ctx.version, ctx.now_s, started_s=ctx.started_s, next_job_id=ctx.cluster.next_job_id
    )
    return MessageType.RESPONSE_BUILD_INFO, shown


def _stats_info(ctx: Context, request: wire.StatsRequest) -> Answer:
    """The counters; only operators may set them back, and then the answer has none (sdiag --reset)."""
    if request.command_id != _STATS_RESET:
        return MessageType.RESPONSE_STATS_INFO, show_stats.stats_response(ctx.counters, ctx.cluster, ctx.now_s)
    if not is_operator(ctx.cluster, ctx.uid):
        return _code(Errno.ESLURM_ACCESS_DENIED)
    ctx.counters.reset(ctx.now_s)
    return MessageType.RESPONSE_STATS_INFO, wire.StatsResponse()


_STATS_RESET = 0


def _control_status(ctx: Context, request: None) -> Answer:
    return MessageType.RESPONSE_CONTROL_STATUS, wire.ControlStatus(ctx.controller_index, ctx.started_s)


def _ping(ctx: Context, request: None) -> Answer:
    return _code(Errno.SLURM_SUCCESS)


def _assoc_mgr_info(ctx: Context, request: wire.AssocMgrInfoRequest) -> Answer:
    return MessageType.RESPONSE_ASSOC_MGR_INFO, wire.AssocMgrInfoResponse(list(_STANDARD_TRES), [], [], [])


_STANDARD_TRES = ("cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages")


def _crontab(ctx: Context, request: wire.CrontabRequest) -> Answer:
    return _code(Errno.SLURM_ERROR)


def _config_files(ctx: Context, request: wire.ConfigRequest) -> Answer:
    if ctx.config_files is None:
        return _code(Errno.ESLURM_CONFIGLESS_DISABLED)
    if request.flags & ConfigRequestFlag.SACKD and ctx.peer[0]:
        ctx.sackds.note(ctx.peer[0], request, ctx.version, ctx.config.slurmd_port)
    return MessageType.RESPONSE_CONFIG, config_files.response(ctx.config_files, ctx.version, request.flags)


def _license_info(ctx: Context, request: wire.LicenseInfoRequest) -> Answer:
    return MessageType.RESPONSE_LICENSE_INFO, show_licenses.response(ctx.cluster, ctx.now_s)


def _topology_info(ctx: Context, request: wire.TopologyInfoRequest) -> Answer:
    return MessageType.RESPONSE_TOPO_INFO, show_topology.response(ctx.cluster)


def _hostlist(ctx: Context, request: wire.HostlistExpansionRequest) -> Answer:
    try:
        names = expand(request.data)
    except HostlistError:
        return _code(Errno.ESLURM_INVALID_NODE_NAME)
    return MessageType.RESPONSE_HOSTLIST_EXPANSION, wire.HostlistExpansionResponse(",".join(names))


def _always(msg_type: MessageType, make: Callable[[int], Record]) -> Query:
    """A query about something that this cluster has none of; `make` builds the empty answer of a moment."""
    return lambda ctx, request: (msg_type, make(ctx.now_s))


def _job_will_run(ctx: Context, request: wire.JobDescription) -> Answer:
    return will_run.answer(request, ctx)


_QUERIES: dict[int, Query] = {
    MessageType.REQUEST_JOB_WILL_RUN: _job_will_run,
    MessageType.REQUEST_JOB_INFO: _job_info,
    MessageType.REQUEST_JOB_INFO_SINGLE: _job_info_single,
    MessageType.REQUEST_JOB_USER_INFO: _job_user_info,
    MessageType.REQUEST_JOB_STATE: _job_state,
    MessageType.REQUEST_JOB_READY: _job_ready,
    MessageType.REQUEST_JOB_END_TIME: _job_end_time,
    MessageType.REQUEST_JOB_ALLOCATION_INFO: _allocation_info,
    MessageType.REQUEST_HET_JOB_ALLOC_INFO: _het_allocation_info,
    MessageType.REQUEST_BATCH_SCRIPT: _batch_script,
    MessageType.REQUEST_JOB_STEP_INFO: _step_info,
    MessageType.REQUEST_STEP_LAYOUT: _step_layout,
    MessageType.REQUEST_NODE_INFO: _node_info,
    MessageType.REQUEST_NODE_INFO_SINGLE: _node_info_single,
    MessageType.REQUEST_PARTITION_INFO: _partition_info,
    MessageType.REQUEST_BUILD_INFO: _build_info,
    MessageType.REQUEST_STATS_INFO: _stats_info,
    MessageType.REQUEST_CONTROL_STATUS: _control_status,
    MessageType.REQUEST_PING: _ping,
    MessageType.REQUEST_ASSOC_MGR_INFO: _assoc_mgr_info,
    MessageType.REQUEST_CRONTAB: _crontab,
    MessageType.REQUEST_CONFIG: _config_files,
    MessageType.REQUEST_HOSTLIST_EXPANSION: _hostlist,
    MessageType.REQUEST_RESERVATION_INFO: _always(
        MessageType.RESPONSE_RESERVATION_INFO, lambda now_s: wire.ReservationInfoResponse(0, now_s, [])
    ),
    MessageType.REQUEST_LICENSE_INFO: _license_info,
    MessageType.REQUEST_FRONT_END_INFO: _always(
        MessageType.RESPONSE_FRONT_END_INFO, lambda now_s: wire.FrontEndInfoResponse(0, now_s, [])
    ),
    MessageType.REQUEST_TOPO_INFO: _topology_info,
    MessageType.REQUEST_TOPO_CONFIG: _always(MessageType.RESPONSE_TOPO_CONFIG, lambda now_s: wire.TopoConfig()),
    MessageType.REQUEST_FED_INFO: _always(MessageType.RESPONSE_FED_INFO, lambda now_s: wire.DbFederation()),
    MessageType.REQUEST_BURST_BUFFER_INFO: _always(
        MessageType.RESPONSE_BURST_BUFFER_INFO, lambda now_s: wire.BurstBufferInfoResponse()
    ),
    MessageType.REQUEST_BURST_BUFFER_STATUS: _always(
        MessageType.RESPONSE_BURST_BUFFER_STATUS, lambda now_s: wire.BurstBufferStatusResponse()
    ),
    MessageType.REQUEST_PRIORITY_FACTORS: _always(
        MessageType.RESPONSE_PRIORITY_FACTORS, lambda now_s: wire.PriorityFactorsResponse([])
    ),
    MessageType.REQUEST_SHARE_INFO: _always(MessageType.RESPONSE_SHARE_INFO, lambda now_s: wire.SharesResponse()),
    MessageType.REQUEST_TRIGGER_GET: lambda ctx, _: triggers.trigger_get(ctx),
}
