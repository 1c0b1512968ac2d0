"""The reports that a node owes its controller, as messages for the reporter."""

from __future__ import annotations

from actors.node_daemon import messages as m
from flurm.node.spec import StepEnded, Usage
from protocol.constants import NO_VAL, JobStateFlag, MessageType, NodeStateFlag
from protocol.messages.accounting import DbTresNoalloc
from protocol.messages.common import StepId
from protocol.messages.job_control import KillStep, RequeueJob
from protocol.messages.launch import BatchComplete, EpilogComplete, PrologComplete
from protocol.messages.nodes import NodeUpdate
from protocol.messages.steps import JobAccounting

_BATCH_STEP = 0xFFFFFFFB
_SIGKILL = 9
_NO_VAL64 = 0xFFFFFFFFFFFFFFFF
_TRES_IDS = [1, 2, 3, 4, 5, 6, 7, 8]
_TRES_NAMES = (("cpu", None), ("mem", None), ("energy", None), ("node", None), ("billing", None), ("fs", "disk"),
               ("vmem", None), ("pages", None))  # fmt: skip
_CPU, _MEMORY = 0, 1


def batch_complete(ended: m.Ended, node_name: str) -> m.Report:
    """REQUEST_COMPLETE_BATCH_SCRIPT for a step that ended."""
    event = ended.event
    usage = event.usage if isinstance(event, StepEnded) else None
    record = BatchComplete(
        jobacct=accounting(usage) if usage else JobAccounting(),
        job_id=event.key.job_id,
        job_rc=event.wait_status,
        slurm_rc=event.slurm_rc,
        step_id=StepId(job_id=event.key.job_id, step_id=_BATCH_STEP, step_het_comp=NO_VAL),
        user_id=ended.uid,
        node_name=node_name,
    )
    name = f"end {event.key.restart_count} {event.key.step_id}"
    return m.Report(
        event.key.job_id, name, MessageType.REQUEST_COMPLETE_BATCH_SCRIPT, record, m.Acknowledged(event.key)
    )


def launch_failed(job_id: int, restart_count: int, *, holds: bool, done: object = None) -> m.Report:
    """REQUEST_JOB_REQUEUE for a job whose prolog failed, as slurmd sends it; REQUEST_KILL_JOB where it may not be
    put back in the queue. A real slurmctld calls a job held so "launch failed requeued held"."""
    flags = int(JobStateFlag.REQUEUE_HOLD | JobStateFlag.LAUNCH_FAILED) if holds else 0
    requeue = RequeueJob(job_id=job_id, step_id=_whole_job(job_id), flags=flags)
    kill = KillStep(step_id=_whole_job(job_id), sjob_id=str(job_id), signal=_SIGKILL)
    otherwise = m.Report(job_id, f"kill {restart_count}", MessageType.REQUEST_KILL_JOB, kill, done)
    return m.Report(
        job_id, f"requeue {restart_count}", MessageType.REQUEST_JOB_REQUEUE, requeue, done, otherwise=otherwise
    )


def kill_failed(job_id: int, node_name: str) -> m.Report:
    """REQUEST_UPDATE_NODE: processes of a job cannot be killed, so that this node shall get no further jobs."""
    record = NodeUpdate(node_names=node_name, node_state=int(NodeStateFlag.DRAIN), reason="Kill task failed")
    return m.Report(job_id, "drain", MessageType.REQUEST_UPDATE_NODE, record)


def epilog_complete(job_id: int, node_name: str, return_code: int = 0) -> m.Report:
    """MESSAGE_EPILOG_COMPLETE: nothing of the job is left on this node."""
    record = EpilogComplete(
        job_id=job_id, step_id=_whole_job(job_id), node_name=node_name, return_code=int(return_code)
    )
    return m.Report(job_id, "epilog", MessageType.MESSAGE_EPILOG_COMPLETE, record, m.EpilogDelivered(job_id))


def prolog_complete(job_id: int, node_name: str, return_code: int = 0) -> m.Report:
    """REQUEST_COMPLETE_PROLOG: the job may start here, or may not."""
    record = PrologComplete(job_id=job_id, step_id=_whole_job(job_id), node_name=node_name, prolog_rc=int(return_code))
    return m.Report(job_id, "prolog", MessageType.REQUEST_COMPLETE_PROLOG, record)


def accounting(usage: Usage, *, named: bool = False) -> JobAccounting:
    """What a step used, as Slurm gathers it: CPU time in milliseconds and memory in bytes, by TRES id. `named` adds
    what the ids mean, for programs that do not know the cluster's."""
    user_us, system_us = int(usage.user_s * 1e6), int(usage.system_s * 1e6)
    used = [_NO_VAL64] * len(_TRES_IDS)
    used[_CPU] = (user_us + system_us) // 1000
    used[_MEMORY] = usage.max_rss_kib << 10
    place = [0 if value != _NO_VAL64 else value for value in used]
    none = [_NO_VAL64] * len(_TRES_IDS)
    return JobAccounting(
        has_user_cpu_sec=1,
        user_cpu_sec=user_us // 1_000_000,
        user_cpu_usec=user_us % 1_000_000,
        sys_cpu_sec=system_us // 1_000_000,
        sys_cpu_usec=system_us % 1_000_000,
        tres_ids=_TRES_IDS,
        tres_list=[
            DbTresNoalloc(id=number, type=kind, name=name)
            for number, (kind, name) in zip(_TRES_IDS, _TRES_NAMES, strict=True)
        ]
        if named
        else None,
        tres_usage_in_max=used,
        tres_usage_in_max_nodeid=place,
        tres_usage_in_max_taskid=place,
        tres_usage_in_min=used,
        tres_usage_in_min_nodeid=place,
        tres_usage_in_min_taskid=place,
        tres_usage_in_tot=used,
        tres_usage_out_max=none,
        tres_usage_out_max_nodeid=none,
        tres_usage_out_max_taskid=none,
        tres_usage_out_min=none,
        tres_usage_out_min_nodeid=none,
        tres_usage_out_min_taskid=none,
        tres_usage_out_tot=none,
    )


def _whole_job(job_id: int) -> StepId:
    return StepId(job_id=job_id, step_id=NO_VAL, step_het_comp=NO_VAL)
