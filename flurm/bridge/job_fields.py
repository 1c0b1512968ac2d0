"""The fields of a job description, each with the JobSpec field that it fills and how: one table for submit and update.

A description leaves out a field by a value that stands for "not given" (NULL, NO_VAL and its kin, 0 where 0 makes no
sense). `given` returns only what was given, already in the core's terms.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from protocol.constants import MEM_PER_CPU, NICE_OFFSET, NO_VAL, NO_VAL8, NO_VAL16, NO_VAL64
from protocol.messages import JobDescription

__all__ = ["bound_wait_for_switches", "given"]

Changes = dict[str, object]
_UNSET = (NO_VAL, NO_VAL16, NO_VAL64, NO_VAL8)


def _text(value: str) -> object:
    return value or None


def _number(value: int) -> object:
    return value


def _positive(value: int) -> object:
    return value or None


def _offset(value: int) -> object:
    return value - NICE_OFFSET


_TEXTS = (
    "account", "qos", "wckey", "comment", "admin_comment", "extra", "reservation", "licenses", "mcs_label",
    "submit_line", "work_dir", "std_in", "std_out", "std_err", "container", "features", "prefer", "cluster_features",
    "batch_features", "network", "cpu_bind", "mem_bind", "tres_per_job", "tres_per_node", "tres_per_socket",
    "tres_per_task", "tres_bind", "tres_freq", "cpus_per_tres", "mem_per_tres", "burst_buffer", "acctg_freq",
    "dependency", "mail_user",
)  # fmt: skip

_NUMBERS_32 = {
    "num_tasks": "num_tasks",
    "min_nodes": "min_nodes",
    "max_nodes": "max_nodes",
    "min_cpus": "min_cpus",
    "max_cpus": "max_cpus",
    "task_dist": "task_distribution",
    "cpu_freq_min": "cpu_freq_min",
    "cpu_freq_max": "cpu_freq_max",
    "cpu_freq_gov": "cpu_freq_governor",
    "time_limit": "time_limit_min",
    "time_min": "time_min_min",
    "req_switch": "req_switch",
    "wait4switch": "wait_for_switch_s",
    "delay_boot": "delay_boot_s",
    "pn_min_tmp_disk": "tmp_disk_mib",
}

_NUMBERS_16 = {
    "cpus_per_task": "cpus_per_task",
    "ntasks_per_node": "ntasks_per_node",
    "ntasks_per_socket": "ntasks_per_socket",
    "ntasks_per_core": "ntasks_per_core",
    "ntasks_per_tres": "ntasks_per_tres",
    "sockets_per_node": "sockets_per_node",
    "cores_per_socket": "cores_per_socket",
    "threads_per_core": "threads_per_core",
    "pn_min_cpus": "min_cpus_per_node",
    "shared": "exclusive",
    "plane_size": "plane_size",
    "core_spec": "core_spec",
    "cpu_bind_type": "cpu_bind_type",
    "mem_bind_type": "mem_bind_type",
    "wait_all_nodes": "wait_all_nodes",
    "mail_type": "mail_type",
}

_FLAGS = {
    "contiguous": "contiguous",
    "requeue": "requeue",
    "reboot": "reboot",
    "kill_on_node_fail": "kill_on_node_fail",
}

_FROM_ONE = {
    "ntasks_per_board": "ntasks_per_board",
    "boards_per_node": "boards_per_node",
    "sockets_per_board": "sockets_per_board",
    "open_mode": "open_mode",
    "profile": "profile",
    "begin_time": "begin_s",
    "deadline": "deadline_s",
    "warn_signal": "warn_signal",
    "warn_time": "warn_time_s",
    "warn_flags": "warn_flags",
}

_Row = tuple[str, str, tuple[object, ...], Callable[..., object]]

_FIELDS: tuple[_Row, ...] = (
    ("name", "name", (None,), str),
    ("req_nodes", "required_nodes", (None,), _text),
    ("exc_nodes", "excluded_nodes", (None,), _text),
    *((name, name, (None,), _text) for name in _TEXTS),
    *((name, field, (NO_VAL,), _number) for name, field in _NUMBERS_32.items()),
    *((name, field, (NO_VAL16,), _number) for name, field in _NUMBERS_16.items()),
    *((name, field, (NO_VAL16,), bool) for name, field in _FLAGS.items()),
    *((name, field, (0, NO_VAL), _number) for name, field in _FROM_ONE.items()),
    ("overcommit", "overcommit", (NO_VAL8,), bool),
    ("immediate", "immediate", (0,), bool),
    ("nice", "nice", (NO_VAL,), _offset),
    ("site_factor", "site_factor", (NO_VAL,), _offset),
)


def given(record: JobDescription) -> Changes:
    """The JobSpec fields that a description gives a value for, by name."""
    found: Changes = {}
    for name, field, unset, convert in _FIELDS:
        value = getattr(record, name)
        if value not in unset:
            found[field] = convert(value)
    if record.partition is not None:
        found["partitions"] = tuple(part for part in record.partition.split(",") if part)
    if record.pn_min_memory != NO_VAL64:
        found |= _memory(record.pn_min_memory)
    if found.get("max_nodes") == 0:
        found["max_nodes"] = None
    return found


def bound_wait_for_switches(fields: Changes, scheduler_parameters: str | None) -> None:
    """A job that asks for few switches waits for them no longer than SchedulerParameters=max_switch_wait, 300 s."""
    if fields.get("req_switch") or "wait_for_switch_s" in fields:
        found = _MAX_SWITCH_WAIT.search(scheduler_parameters or "")
        longest = int(found[1]) if found else 300
        asked = fields.get("wait_for_switch_s", longest)
        fields["wait_for_switch_s"] = min(asked if isinstance(asked, int) else longest, longest)


_MAX_SWITCH_WAIT = re.compile(r"(?i)\bmax_switch_wait=(\d{1,9})")


def _memory(value: int) -> Changes:
    if value & MEM_PER_CPU:
        return {"memory_per_cpu_mib": value & ~MEM_PER_CPU, "memory_per_node_mib": None}
    return {"memory_per_node_mib": value, "memory_per_cpu_mib": None}
