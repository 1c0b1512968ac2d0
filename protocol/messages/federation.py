"""Controllers among themselves: sibling jobs, dependencies across clusters, relayed messages."""

from __future__ import annotations

import msgspec

from protocol.constants import DbdMessageType, JobState, MessageType
from protocol.errno import Errno
from protocol.messages.accounting_usage import DbUpdateObject
from protocol.messages.common import DependencyList, StepId
from protocol.schema import Body, Field, If, Record, array, boolean, epoch, mem, message, rest, string, u16, u32, u64
from protocol.versions import Version

__all__ = [
    "AccountingUpdate",
    "BufList",
    "BufferItem",
    "DbdRelay",
    "DependencyMessage",
    "DependencyUpdate",
    "SiblingMessage",
]


@message(MessageType.REQUEST_SIB_MSG, MessageType.REQUEST_SIB_JOB_LOCK, MessageType.REQUEST_SIB_JOB_UNLOCK)
class SiblingMessage(Record):
    """Body of REQUEST_SIB_JOB_LOCK, REQUEST_SIB_JOB_UNLOCK, REQUEST_SIB_MSG."""

    cluster_id: int = 0
    data_type: int = 0
    data_version: int = 0
    fed_siblings: int = 0
    group_id: int = 0
    job_id: int = 0
    job_state: int = 0
    return_code: int = 0
    start_time: int = 0
    resp_host: str | None = None
    req_uid: int = 0
    sib_msg_type: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    submit_host: str | None = None
    submit_proto_ver: int = 0
    user_id: int = 0
    has_data: int = 0
    data: Record | None = None

    WIRE = (
        Field("cluster_id", u32),
        Field("data_type", u16, means=MessageType),
        Field("data_version", u16),
        Field("fed_siblings", u64),
        Field("group_id", u32, since="23.02"),
        Field("job_id", u32, until="25.05"),
        Field("job_state", u32, means=JobState),
        Field("return_code", u32, means=Errno),
        Field("start_time", epoch),
        Field("resp_host", string),
        Field("req_uid", u32),
        Field("sib_msg_type", u16),
        Field("step_id", StepId, since="25.11"),
        Field("submit_host", string),
        Field("submit_proto_ver", u16, since="23.11", means=Version),
        Field("user_id", u32, since="23.02"),
        Field("has_data", u16),
        If(
            "has_data",
            (Field("data", Body("data_type", "data_version")),),
        ),
    )


@message(MessageType.REQUEST_SEND_DEP)
class DependencyMessage(Record):
    """Body of REQUEST_SEND_DEP."""

    array_job_id: int = 0
    array_task_id: int = 0
    dependency: str | None = None
    is_array: bool = False
    job_id: int = 0
    job_name: str | None = None
    step_id: StepId = msgspec.field(default_factory=StepId)
    user_id: int = 0

    WIRE = (
        Field("array_job_id", u32),
        Field("array_task_id", u32),
        Field("dependency", string),
        Field("is_array", boolean),
        Field("job_id", u32, until="25.05"),
        Field("job_name", string),
        Field("step_id", StepId, since="25.11"),
        Field("user_id", u32),
    )


@message(MessageType.REQUEST_UPDATE_ORIGIN_DEP)
class DependencyUpdate(Record):
    """Body of REQUEST_UPDATE_ORIGIN_DEP."""

    depend_list: DependencyList = msgspec.field(default_factory=DependencyList)
    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)

    WIRE = (
        Field("depend_list", DependencyList),
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
    )


@message(MessageType.ACCOUNTING_UPDATE_MSG)
class AccountingUpdate(Record):
    """Body of ACCOUNTING_UPDATE_MSG."""

    update_list: list[DbUpdateObject] = []

    WIRE = (Field("update_list", array(DbUpdateObject)),)


class BufferItem(Record):
    """One element of `list` in BufList."""

    buf_size: int = 0
    data: bytes = b""

    WIRE = (
        Field("buf_size", u32, unit="bytes"),
        Field("data", mem),
    )


@message(MessageType.REQUEST_CTLD_MULT_MSG, MessageType.RESPONSE_CTLD_MULT_MSG)
class BufList(Record):
    """Body of REQUEST_CTLD_MULT_MSG, RESPONSE_CTLD_MULT_MSG."""

    list: list[BufferItem] = []

    WIRE = (Field("list", array(BufferItem)),)


@message(MessageType.REQUEST_DBD_RELAY)
class DbdRelay(Record):
    """Body of REQUEST_DBD_RELAY."""

    msg_type: int = 0
    data: bytes = b""

    WIRE = (
        Field("msg_type", u16, means=DbdMessageType),
        Field("data", rest),
    )
