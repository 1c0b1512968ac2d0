"""Triggers on the wire: strigger's requests, and the list that it prints.

A request carries one trigger. Offsets travel with 0x8000 added, so that they may be negative; who asks is told by the
credential, never by the record.
"""

from __future__ import annotations

from flurm.bridge.calls import Mapped, for_jobs, only_operators
from flurm.bridge.context import Context
from flurm.core.commands import ClearTriggers, ControllerEvent, SetTrigger
from flurm.core.effects import Rejected
from flurm.core.enums import Refusal
from flurm.core.trigger_records import Trigger, TriggerResource
from flurm.core.triggers import may_set
from protocol import messages as wire
from protocol.constants import NO_VAL, MessageType
from protocol.field_constants import TriggerFlag

__all__ = ["clear_triggers", "pull_trigger", "set_trigger", "trigger_get"]

_ZERO_OFFSET = 0x8000


def set_trigger(record: wire.TriggerMessage, context: Context) -> Mapped:
    """REQUEST_TRIGGER_SET: strigger --set."""
    asked = _only(record)
    if not may_set(context.cluster, context.uid):
        return Rejected(Refusal.ACCESS_DENIED)
    if asked is None:
        return Rejected(Refusal.INVALID_ARGUMENT)
    trigger = Trigger(
        id=0,
        resource=asked.trigger_array_res_type,
        kind=asked.trigger_array_trig_type,
        program=asked.trigger_array_program or "",
        user_id=context.uid,
        resource_id=asked.trigger_array_res_id,
        offset_s=asked.trigger_array_offset - _ZERO_OFFSET,
        permanent=bool(asked.trigger_array_flags & TriggerFlag.PERM),
        control=asked.trigger_array_control_inx,
    )
    return for_jobs(SetTrigger(now_s=context.now_s, user_id=context.uid, trigger=trigger))


def clear_triggers(record: wire.TriggerMessage, context: Context) -> Mapped:
    """REQUEST_TRIGGER_CLEAR: strigger --clear with --id, --jobid or --user."""
    asked = _only(record)
    if asked is None:
        return Rejected(Refusal.NO_SUCH_PROCESS)
    job = asked.trigger_array_res_id if asked.trigger_array_res_type == TriggerResource.JOB else None
    return for_jobs(
        ClearTriggers(
            now_s=context.now_s,
            user_id=context.uid,
            id=asked.trigger_array_trig_id or None,
            job_id=int(job) if job and job.isdecimal() and len(job) <= 10 and int(job) else None,
            owner=None if asked.trigger_array_user_id == NO_VAL else asked.trigger_array_user_id,
        )
    )


def pull_trigger(record: wire.TriggerMessage, context: Context) -> Mapped:
    """REQUEST_TRIGGER_PULL: a daemon says that something has happened which triggers may wait for."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    asked = _only(record)
    if asked is None:
        return Rejected(Refusal.NO_SUCH_PROCESS)
    return for_jobs(ControllerEvent(now_s=context.now_s, kinds=asked.trigger_array_trig_type))


def _only(record: wire.TriggerMessage) -> wire.Trigger | None:
    return record.triggers[0] if record.triggers else None


def trigger_get(context: Context) -> tuple[MessageType, wire.TriggerMessage]:
    """REQUEST_TRIGGER_GET: every trigger; strigger itself leaves out what was not asked for."""
    triggers = context.cluster.triggers
    return MessageType.RESPONSE_TRIGGER_GET, wire.TriggerMessage(
        [_shown(triggers[number]) for number in sorted(triggers)]
    )


def _shown(trigger: Trigger) -> wire.Trigger:
    return wire.Trigger(
        trigger_array_flags=int(TriggerFlag.PERM) if trigger.permanent else 0,
        trigger_array_trig_id=trigger.id,
        trigger_array_res_type=trigger.resource,
        trigger_array_res_id=trigger.resource_id,
        trigger_array_trig_type=trigger.kind,
        trigger_array_control_inx=trigger.control,
        trigger_array_offset=(trigger.offset_s + _ZERO_OFFSET) & 0xFFFF,
        trigger_array_user_id=trigger.user_id,
        trigger_array_program=trigger.program,
    )
