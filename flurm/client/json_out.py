"""`--json`: jobs and nodes in the shape of Slurm's v0.0.38 plugin, which 22.05's squeue and sinfo print."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flurm.client.show_cluster import partitions_of
from flurm.client.squeue_fields import share_text
from flurm.client.states import job_state, node_base_word, node_flag_words
from flurm.client.texts import group_name, nice_value, user_name
from protocol.constants import INFINITE, MEM_PER_CPU, NO_VAL, NO_VAL16, NO_VAL64, JobFlag, JobReason
from protocol.hostlist import expand
from protocol.messages import JobInfo, NodeInfo, PartitionInfo

__all__ = ["jobs_document", "nodes_document", "print_document"]

_ABSENT = {NO_VAL, NO_VAL16, INFINITE, 0xFFFF, NO_VAL64}
_RELEASE = {"version": {"major": 22, "micro": 8, "minor": 5}, "release": "22.05.8"}


def print_document(document: Mapping[str, Any]) -> None:
    """Print a document the way Slurm lays JSON out: slashes escaped, empty lists over two lines."""
    print(_laid_out(document, 0), end="")


def _laid_out(value: Any, depth: int) -> str:
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(value, Mapping):
        items = [f"{inner}{_quoted(str(key))}: {_laid_out(each, depth + 1)}" for key, each in value.items()]
        return "\n".join(["{", ",\n".join(items), outer + "}"]) if items else "{\n" + outer + "}"
    if isinstance(value, list):
        items = [inner + _laid_out(each, depth + 1) for each in value]
        return "\n".join(["[", ",\n".join(items), outer + "]"]) if items else "[\n" + outer + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("/", "\\/")


def _document(name: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    plugin = {"type": "openapi/v0.0.38", "name": "Slurm OpenAPI v0.0.38"}
    return {"meta": {"plugin": plugin, "Slurm": _RELEASE}, "errors": [], name: records}


def jobs_document(found: Sequence[JobInfo]) -> dict[str, Any]:
    """The document of squeue."""
    return _document("jobs", [_job(job) for job in found])


def nodes_document(nodes: Sequence[NodeInfo], parts: Sequence[PartitionInfo]) -> dict[str, Any]:
    """The document of sinfo."""
    member = partitions_of(parts)
    return _document("nodes", [_node(node, member.get(node.name or "", [])) for node in nodes])


def _known(value: int) -> int | None:
    return None if value in _ABSENT else value


def _text(value: str | None) -> str:
    return value or ""


_FLAGS = (
    (JobFlag.KILL_INV_DEP, "KILL_INV_DEP"),
    (JobFlag.NO_KILL_INV_DEP, "NO_KILL_INV_DEP"),
    (JobFlag.SPREAD_JOB, "SPREAD_JOB"),
    (JobFlag.USE_MIN_NODES, "USE_MIN_NODES"),
    (JobFlag.WAS_RUNNING, "JOB_WAS_RUNNING"),
    (JobFlag.CRON_JOB, "CRON_JOB"),
)
_REASONS = {int(each): each.text for each in JobReason}


def _job(job: JobInfo) -> dict[str, Any]:
    return {
        **_job_identity(job),
        **_job_sizes(job),
        **_job_times(job),
        **_job_rest(job),
    }


def _job_identity(job: JobInfo) -> dict[str, Any]:
    return {
        "account": _text(job.account),
        "accrue_time": job.accrue_time,
        "admin_comment": _text(job.admin_comment),
        "array_job_id": job.array_job_id,
        "array_task_id": _known(job.array_task_id),
        "array_max_tasks": job.array_max_tasks,
        "array_task_string": _text(job.array_task_str),
        "association_id": job.assoc_id,
        "batch_features": _text(job.batch_features),
        "batch_flag": bool(job.batch_flag),
        "batch_host": _text(job.batch_host),
        "flags": [word for flag, word in _FLAGS if job.bitflags & flag],
        "burst_buffer": _text(job.burst_buffer),
        "burst_buffer_state": _text(job.burst_buffer_state),
        "cluster": _text(job.cluster),
        "cluster_features": _text(job.cluster_features),
        "command": _text(job.command),
        "comment": _text(job.comment),
        "container": _text(job.container),
        "contiguous": bool(job.contiguous),
        "core_spec": _known(job.core_spec),
        "thread_spec": None,
    }


def _job_sizes(job: JobInfo) -> dict[str, Any]:
    multi = job.boards_per_node
    return {
        "cores_per_socket": _known(multi.cores_per_socket),
        "billable_tres": None if job.billable_tres == NO_VAL else job.billable_tres,
        "cpus_per_task": _known(job.cpus_per_task) if job.bitflags & JobFlag.CPUS_SET else None,
        "cpu_frequency_minimum": _known(job.cpu_freq_min),
        "cpu_frequency_maximum": _known(job.cpu_freq_max),
        "cpu_frequency_governor": _known(job.cpu_freq_gov),
        "cpus_per_tres": _text(job.cpus_per_tres),
        "deadline": job.deadline,
        "delay_boot": job.delay_boot,
        "dependency": _text(job.dependency),
        "derived_exit_code": job.derived_ec,
        "eligible_time": job.eligible_time,
        "end_time": job.end_time,
        "excluded_nodes": _text(job.exc_nodes),
        "exit_code": job.exit_code,
        "features": _text(job.features),
        "federation_origin": _text(job.fed_origin_str),
        "federation_siblings_active": _text(job.fed_siblings_active_str),
        "federation_siblings_viable": _text(job.fed_siblings_viable_str),
        "gres_detail": [_text(each) for each in job.gres_detail_str],
        "group_id": job.group_id,
        "group_name": group_name(job.group_id),
        "job_id": job.job_id,
        **({"job_resources": held} if (held := _resources(job)) else {}),
        "job_state": job_state(job.job_state & 0xFF),
    }


def _resources(job: JobInfo) -> dict[str, Any]:
    held = job.job_resrcs
    if held.nhosts in (0, NO_VAL):
        return {}
    nodes = []
    mask = held.core_bitmap.mask if held.core_bitmap else 0
    shapes = [
        shape
        for *shape, repeated in zip(
            held.sockets_per_node, held.cores_per_socket, held.sock_core_rep_count, strict=False
        )
        for _ in range(repeated)
    ]
    for index, name in enumerate(expand(held.nodes) if held.nodes else []):
        sockets, cores = shapes[index] if index < len(shapes) else (0, 0)
        used: dict[str, Any] = {}
        for bit in range(sockets * cores):
            if mask >> bit & 1:
                socket = used.setdefault(str(bit // cores), {"cores": {}})
                socket["cores"][str(bit % cores)] = "allocated"
        mask >>= sockets * cores
        nodes.append({"sockets": used, "nodename": name, **_amounts(job, index)})
    # 22.05 calls the count cores where cores are scheduled and cpus else.
    counted = "allocated_cores" if held.cr_type & 4 else "allocated_cpus"
    return {
        "nodes": _text(held.nodes),
        counted: held.ncpus,
        "allocated_hosts": held.nhosts,
        "allocated_nodes": nodes,
    }


def _amounts(job: JobInfo, index: int) -> dict[str, int]:
    def at(values: list[int]) -> int:
        return values[index] if index < len(values) else 0

    held = job.job_resrcs
    return {
        "cpus_used": at(held.cpus_used),
        "memory_used": at(held.memory_used),
        "memory_allocated": at(held.memory_allocated),
    }


def _job_times(job: JobInfo) -> dict[str, Any]:
    multi = job.boards_per_node
    per_cpu = bool(job.pn_min_memory & MEM_PER_CPU)
    mib = job.pn_min_memory & ~MEM_PER_CPU
    nice = nice_value(job.nice)
    return {
        "last_sched_evaluation": job.last_sched_eval,
        "licenses": _text(job.licenses),
        "max_cpus": job.max_cpus,
        "max_nodes": job.max_nodes,
        "mcs_label": _text(job.mcs_label),
        "memory_per_tres": _text(job.mem_per_tres),
        "name": _text(job.name),
        "nodes": _text(job.nodes),
        "nice": nice or None,
        "tasks_per_core": _known(multi.ntasks_per_core),
        "tasks_per_node": _known(job.ntasks_per_node),
        "tasks_per_socket": _known(multi.ntasks_per_socket),
        "tasks_per_board": _known(multi.ntasks_per_board),
        "cpus": job.num_cpus,
        "node_count": job.num_nodes,
        "tasks": job.num_tasks,
        "het_job_id": job.het_job_id,
        "het_job_id_set": _text(job.het_job_id_set),
        "het_job_offset": job.het_job_offset,
        "partition": _text(job.partition),
        "prefer": _text(job.prefer),
        "memory_per_node": None if per_cpu else _known(mib),
        "memory_per_cpu": _known(mib) if per_cpu else None,
        "minimum_cpus_per_node": job.pn_min_cpus,
        "minimum_tmp_disk_per_node": job.pn_min_tmp_disk,
        "preempt_time": job.preempt_time,
        "pre_sus_time": job.pre_sus_time,
        "priority": job.priority,
        "profile": None,
        "qos": _text(job.qos),
        "reboot": bool(job.reboot),
        "required_nodes": _text(job.req_nodes),
        "requeue": bool(job.requeue),
        "resize_time": job.resize_time,
        "restart_cnt": job.restart_cnt,
        "resv_name": _text(job.resv_name),
    }


def _job_rest(job: JobInfo) -> dict[str, Any]:
    return {
        "shared": None if job.shared == NO_VAL16 else share_text(job.shared),
        "show_flags": ["SHOW_ALL", "SHOW_DETAIL", "SHOW_LOCAL"],
        "sockets_per_board": job.boards_per_node.sockets_per_board,
        "sockets_per_node": _known(job.boards_per_node.sockets_per_node),
        "start_time": job.start_time,
        "state_description": _text(job.state_desc),
        "state_reason": _REASONS.get(job.state_reason, ""),
        "standard_error": _text(job.std_err),
        "standard_input": _text(job.std_in),
        "standard_output": _text(job.std_out),
        "submit_time": job.submit_time,
        "suspend_time": job.suspend_time,
        "system_comment": _text(job.system_comment),
        "time_limit": _known(job.time_limit),
        "time_minimum": job.time_min,
        "threads_per_core": _known(job.boards_per_node.threads_per_core),
        "tres_bind": _text(job.tres_bind),
        "tres_freq": _text(job.tres_freq),
        "tres_per_job": _text(job.tres_per_job),
        "tres_per_node": _text(job.tres_per_node),
        "tres_per_socket": _text(job.tres_per_socket),
        "tres_per_task": _text(job.tres_per_task),
        "tres_req_str": _text(job.tres_req_str),
        "tres_alloc_str": _text(job.tres_alloc_str),
        "user_id": job.user_id,
        "user_name": user_name(job.user_id),
        "wckey": _text(job.wckey),
        "current_working_directory": _text(job.work_dir),
    }


def _node(node: NodeInfo, partitions: Sequence[str]) -> dict[str, Any]:
    alloc = node.select_nodeinfo
    return {
        "architecture": _text(node.arch),
        "burstbuffer_network_address": _text(node.bcast_address),
        "boards": node.boards,
        "boot_time": node.boot_time,
        "comment": _text(node.comment),
        "cores": node.cores,
        "cpu_binding": node.cpu_bind,
        "cpu_load": _known(node.cpu_load),
        "extra": _text(node.extra),
        "free_memory": _known(node.free_mem),
        "cpus": node.cpus,
        "last_busy": node.last_busy,
        "features": _text(node.features),
        "active_features": _text(node.features_act),
        "gres": _text(node.gres),
        "gres_drained": node.gres_drain or "N/A",
        "gres_used": _text(node.gres_used),
        "mcs_label": _text(node.mcs_label),
        "name": _text(node.name),
        "next_state_after_reboot": "invalid",
        "address": _text(node.node_addr),
        "hostname": _text(node.node_hostname),
        "state": node_base_word(node.node_state).lower(),
        "state_flags": node_flag_words(node.node_state),
        "next_state_after_reboot_flags": [],
        "operating_system": _text(node.os),
        "owner": None if node.owner == NO_VAL else user_name(node.owner),
        "partitions": list(partitions),
        "port": node.port,
        "real_memory": node.real_memory,
        "reason": _text(node.reason),
        "reason_changed_at": node.reason_time,
        "reason_set_by_user": user_name(node.reason_uid) if node.reason_time else None,
        "slurmd_start_time": node.slurmd_start_time,
        "sockets": node.sockets,
        "threads": node.threads,
        "temporary_disk": node.tmp_disk,
        "weight": node.weight,
        "tres": _text(node.tres_fmt_str),
        "slurmd_version": _text(node.version),
        "alloc_memory": alloc.alloc_memory,
        "alloc_cpus": alloc.alloc_cpus,
        "idle_cpus": max(node.cpus - alloc.alloc_cpus, 0),
        "tres_used": _text(alloc.tres_alloc_fmt_str) or None,
        "tres_weighted": alloc.tres_alloc_weighted,
    }
