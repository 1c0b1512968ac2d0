"""What a slurmctld keeps of its jobs on disk beyond what it tells clients: the file `job_state`, 24.05 and later.

A text that names the kind of file, the protocol version, when it was written, the last job id; then, behind a few bytes
that differ between releases, one record after the other to the end: the records that step managers are given. Earlier
releases have another layout, which is not read.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from flurm.core.job_records import ArrayTask, JobSpec
from protocol.codec import unpack_at
from protocol.constants import NO_VAL, NO_VAL16
from protocol.errors import DecodeError
from protocol.messages import JobInfo
from protocol.messages.stepmgr import JobRecord
from protocol.versions import Version

__all__ = ["Saved", "find", "read", "with_saved", "with_totals"]

Saved = Mapping[int, JobRecord]
"""By job id."""

_KIND = b"PROTOCOL_VERSION\0"
_LENGTH, _HEADER = struct.Struct(">I"), struct.Struct(">HQI")
_GAPS = (8, 0, 4, 12, 16)
_DISTRIBUTION_UNKNOWN = 0x2000


def read(data: bytes) -> dict[int, JobRecord]:
    """The records in a file; none where it is not one that can be read to its end."""
    start = _LENGTH.size + len(_KIND)
    if data[:start] != _LENGTH.pack(len(_KIND)) + _KIND or len(data) < start + _HEADER.size:
        return {}
    version, _, _ = _HEADER.unpack_from(data, start)
    if version < Version.V24_05:
        return {}
    for gap in _GAPS:
        try:
            records = _records(data, start + _HEADER.size + gap, version)
        except DecodeError:
            continue
        return {_job_id(record): record for record in records}
    return {}


def _records(data: bytes, offset: int, version: int) -> list[JobRecord]:
    records = []
    while offset < len(data):
        record, offset = unpack_at(JobRecord, data, offset, version)
        records.append(record)
    return records


def _job_id(record: JobRecord) -> int:
    return record.job_id or record.common.job_id or record.common.step_id.job_id


def find(saved: Saved, job_id: int, info: JobInfo) -> JobRecord | None:
    """The record of a job; None where there is none, or that of another one which had this id."""
    record = saved.get(job_id)
    if record is None or record.job_details.details_submit_time != info.submit_time:
        return None
    return record if info.user_id in (record.user_id, record.common.user_id) else None


def with_saved(spec: JobSpec, record: JobRecord) -> JobSpec:
    """What a job asks for, with what clients are not told of it."""
    details = record.job_details
    return spec.with_(
        argv=tuple(word or "" for word in details.details_argv) or spec.argv,
        submit_line=details.details_submit_line or spec.submit_line,
        open_mode=details.details_open_mode,
        overcommit=bool(details.details_overcommit),
        acctg_freq=details.details_acctg_freq,
        cpu_bind=details.details_cpu_bind,
        cpu_bind_type=_given(details.details_cpu_bind_type, NO_VAL16),
        mem_bind=details.details_mem_bind,
        mem_bind_type=_given(details.details_mem_bind_type, NO_VAL16),
        task_distribution=_given(details.details_task_dist, NO_VAL, _DISTRIBUTION_UNKNOWN),
        kill_on_node_fail=bool(record.kill_on_node_fail),
        wait_all_nodes=_given(record.wait_all_nodes, NO_VAL16),
        warn_flags=record.warn_flags,
        warn_signal=record.warn_signal,
        warn_time_s=record.warn_time,
        spank_environment=tuple(each for each in record.spank_job_env if each),
    )


def _given(value: int, *unset: int) -> int | None:
    return None if value == 0 or value in unset else value


def with_totals(array: ArrayTask, record: JobRecord) -> ArrayTask:
    """An array with the number of its tasks, the first, the last and the step, as they were when it was submitted."""
    told = dict(each.split("=", 1) for each in record.job_details.details_env_sup if each and "=" in each)
    changes = {
        field: int(told[f"SLURM_ARRAY_TASK_{name}"])
        for name, field in (("COUNT", "count"), ("MIN", "lowest"), ("MAX", "highest"), ("STEP", "step"))
        if told.get(f"SLURM_ARRAY_TASK_{name}", "").isdecimal()
    }
    return array.with_(**changes)
