"""Requests that change something: a table from message type to a small function that says what is to be done.

`to_call` takes a decoded request and gives a `Call` (a command and the manager that owns it), a `Control` (something
for the application), a `Rejected` or `Done` (answered at once), or None where Slurm's controller serves no such
message. Nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from flurm.bridge import administration as admin
from flurm.bridge import job_control, node_reports, power_saving, submit, triggers
from flurm.bridge.calls import Call, Control, Mapped
from flurm.bridge.context import Context
from flurm.bridge.submit import spec_of
from flurm.core.effects import Rejected
from flurm.core.enums import Refusal
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.schema import Record

__all__ = ["Call", "Control", "errno_of_unavailable", "served", "spec_of", "to_call", "unsupported"]


def to_call(msg_type: int, record: Record | None, context: Context) -> Mapped | None:
    """What a request asks for; None where the message is not served."""
    function = _TABLE.get(msg_type)
    if function is None:
        return None
    if record is not None:
        _make_writable(record)
    return function(record, context)


def served() -> tuple[int, ...]:
    """The types of all requests that can be carried out."""
    return tuple(number for number, function in _TABLE.items() if function is not _not_supported)


def unsupported() -> tuple[int, ...]:
    """The types of those that are known and always refused."""
    return tuple(number for number, function in _TABLE.items() if function is _not_supported)


_KEPT_AS_BYTES = frozenset({"script", "environment"})


def _make_writable(record: Record) -> None:
    """Replace bytes that are no UTF-8 in a request's texts: the log, like every client, holds Unicode only."""
    for name in _texts_of(type(record)):
        value = getattr(record, name)
        if isinstance(value, str):
            if not value.isascii():
                setattr(record, name, _unicode(value))
        elif value and isinstance(value, list) and isinstance(value[0], str):
            setattr(record, name, [_unicode(item) if isinstance(item, str) else item for item in value])


@cache
def _texts_of(kind: type[Record]) -> tuple[str, ...]:
    """The names of a record's fields that hold text or lists of it."""
    fields = msgspec.structs.fields(kind)
    return tuple(field.name for field in fields if field.name not in _KEPT_AS_BYTES and "str" in repr(field.type))


def _unicode(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def errno_of_unavailable(reason_name: str) -> int:
    """The error number for a command that could not be written down (`flurm.raft.effects.RejectReason`)."""
    return _UNAVAILABLE.get(reason_name, int(Errno.ESLURM_IN_STANDBY_MODE))


_UNAVAILABLE = {
    "STORAGE_FULL": 28,
    "BUSY": 11,
    "NOT_LEADER": int(Errno.ESLURM_IN_STANDBY_MODE),
    "STORAGE_FAILED": int(Errno.ESLURM_WRITING_TO_FILE),
    "TOO_LARGE": int(Errno.ESLURM_PATHNAME_TOO_LONG),
}


def _not_supported(record: Record | None, context: Context) -> Mapped:
    return Rejected(Refusal.NOT_SUPPORTED)


Function = Callable[[Any, Context], Mapped]

_TABLE: dict[int, Function] = {
    MessageType.REQUEST_SUBMIT_BATCH_JOB: submit.submit,
    MessageType.REQUEST_SUBMIT_BATCH_HET_JOB: submit.submit_het_job,
    MessageType.REQUEST_RESOURCE_ALLOCATION: _not_supported,
    MessageType.REQUEST_HET_JOB_ALLOCATION: _not_supported,
    MessageType.REQUEST_JOB_STEP_CREATE: _not_supported,
    MessageType.REQUEST_UPDATE_JOB: job_control.update,
    MessageType.REQUEST_KILL_JOB: job_control.kill,
    MessageType.REQUEST_KILL_JOBS: job_control.kill_many,
    MessageType.REQUEST_CANCEL_JOB_STEP: job_control.cancel_step,
    MessageType.REQUEST_JOB_REQUEUE: job_control.requeue,
    MessageType.REQUEST_TOP_JOB: job_control.top,
    MessageType.REQUEST_SUSPEND: job_control.suspend,
    MessageType.REQUEST_JOB_NOTIFY: job_control.notify,
    MessageType.REQUEST_UPDATE_NODE: admin.update_node,
    MessageType.REQUEST_REBOOT_NODES: admin.reboot_nodes,
    MessageType.REQUEST_CREATE_NODE: admin.create_nodes,
    MessageType.REQUEST_DELETE_NODE: admin.delete_nodes,
    MessageType.REQUEST_CREATE_PARTITION: admin.create_partition,
    MessageType.REQUEST_UPDATE_PARTITION: admin.update_partition,
    MessageType.REQUEST_DELETE_PARTITION: admin.delete_partition,
    MessageType.REQUEST_TRIGGER_SET: triggers.set_trigger,
    MessageType.REQUEST_TRIGGER_CLEAR: triggers.clear_triggers,
    MessageType.REQUEST_TRIGGER_PULL: triggers.pull_trigger,
    MessageType.REQUEST_RECONFIGURE: admin.reconfigure,
    MessageType.REQUEST_SHUTDOWN: admin.shutdown,
    MessageType.REQUEST_CONTROL: admin.take_control,
    MessageType.REQUEST_TAKEOVER: admin.takeover,
    MessageType.REQUEST_SET_DEBUG_LEVEL: admin.set_debug_level,
    MessageType.REQUEST_SET_DEBUG_FLAGS: admin.set_debug_flags,
    MessageType.REQUEST_SET_FS_DAMPENING_FACTOR: admin.set_dampening_factor,
    MessageType.REQUEST_SET_SUSPEND_EXC_NODES: power_saving.exclude_nodes,
    MessageType.REQUEST_SET_SUSPEND_EXC_PARTS: power_saving.exclude_partitions,
    MessageType.REQUEST_SET_SUSPEND_EXC_STATES: power_saving.exclude_states,
    MessageType.REQUEST_SET_SCHEDLOG_LEVEL: admin.set_schedlog_level,
    MessageType.MESSAGE_NODE_REGISTRATION_STATUS: node_reports.register,
    MessageType.REQUEST_COMPLETE_JOB_ALLOCATION: node_reports.allocation_complete,
    MessageType.REQUEST_COMPLETE_BATCH_SCRIPT: node_reports.batch_complete,
    MessageType.REQUEST_COMPLETE_PROLOG: node_reports.prolog_complete,
    MessageType.MESSAGE_EPILOG_COMPLETE: node_reports.epilog_complete,
    MessageType.REQUEST_STEP_COMPLETE: node_reports.step_complete,
}
