"""Controller to srun and salloc, triggers, containers, and the key-value exchange of PMI-1."""

from __future__ import annotations

import msgspec

from protocol.constants import ContainerStatus, MessageType, ShowFlag, Signal, TriggerFlag, TriggerResource, TriggerType
from protocol.messages.common import ConfigKeyPair, StepId
from protocol.schema import Field, Record, array, boolean, epoch, list_of, message, string, u16, u32

__all__ = [
    "ContainerDelete",
    "ContainerExec",
    "ContainerIdRequest",
    "ContainerIdResponse",
    "ContainerSignal",
    "ContainerStarted",
    "ContainerState",
    "KvsData",
    "KvsGet",
    "KvsHostRec",
    "KvsPair",
    "KvsRecord",
    "NetForward",
    "SrunNodeFail",
    "SrunStepMissing",
    "SrunTimeout",
    "SrunUserMessage",
    "Trigger",
    "TriggerMessage",
]


@message(MessageType.SRUN_NET_FORWARD)
class NetForward(Record):
    """Body of SRUN_NET_FORWARD."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    flags: int = 0
    port: int = 0
    target: str | None = None

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("flags", u32),
        Field("port", u16),
        Field("target", string),
    )


@message(MessageType.SRUN_NODE_FAIL)
class SrunNodeFail(Record):
    """Body of SRUN_NODE_FAIL."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    nodelist: str | None = None

    WIRE = (
        Field("step_id", StepId),
        Field("nodelist", string),
    )


@message(MessageType.SRUN_STEP_MISSING)
class SrunStepMissing(Record):
    """Body of SRUN_STEP_MISSING."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    nodelist: str | None = None

    WIRE = (
        Field("step_id", StepId),
        Field("nodelist", string),
    )


@message(MessageType.SRUN_TIMEOUT)
class SrunTimeout(Record):
    """Body of SRUN_TIMEOUT."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    timeout: int = 0

    WIRE = (
        Field("step_id", StepId),
        Field("timeout", epoch),
    )


@message(MessageType.SRUN_USER_MSG)
class SrunUserMessage(Record):
    """Body of SRUN_USER_MSG."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    msg: str | None = None

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("msg", string),
    )


class KvsHostRec(Record):
    """Part of KvsData."""

    task_id: int = 0
    port: int = 0
    hostname: str | None = None
    tls_cert: str | None = None

    WIRE = (
        Field("task_id", u32),
        Field("port", u16),
        Field("hostname", string),
        Field("tls_cert", string, since="25.11"),
    )


class KvsPair(Record):
    """One element of `kvs` in KvsRecord."""

    kvs_keys: str | None = None
    kvs_values: str | None = None

    WIRE = (
        Field("kvs_keys", string),
        Field("kvs_values", string),
    )


class KvsRecord(Record):
    """Part of KvsData."""

    kvs_name: str | None = None
    kvs: list[KvsPair] = []

    WIRE = (
        Field("kvs_name", string),
        Field("kvs", array(KvsPair)),
    )


@message(MessageType.PMI_KVS_PUT_REQ, MessageType.PMI_KVS_GET_RESP)
class KvsData(Record):
    """Body of PMI_KVS_PUT_REQ, PMI_KVS_GET_RESP."""

    kvs_host: list[KvsHostRec] = []
    kvs_comm: list[KvsRecord] = []

    WIRE = (
        Field("kvs_host", array(KvsHostRec, u16)),
        Field("kvs_comm", array(KvsRecord, u16)),
    )


@message(MessageType.PMI_KVS_GET_REQ)
class KvsGet(Record):
    """Body of PMI_KVS_GET_REQ."""

    task_id: int = 0
    size: int = 0
    port: int = 0
    hostname: str | None = None
    tls_cert: str | None = None

    WIRE = (
        Field("task_id", u32),
        Field("size", u32),
        Field("port", u16),
        Field("hostname", string),
        Field("tls_cert", string, since="25.11"),
    )


class Trigger(Record):
    """One element of `triggers` in TriggerMessage."""

    trigger_array_flags: int = 0
    trigger_array_trig_id: int = 0
    trigger_array_res_type: int = 0
    trigger_array_res_id: str | None = None
    trigger_array_trig_type: int = 0
    trigger_array_control_inx: int = 0
    trigger_array_offset: int = 0
    trigger_array_user_id: int = 0
    trigger_array_program: str | None = None

    WIRE = (
        Field("trigger_array_flags", u16, means=TriggerFlag),
        Field("trigger_array_trig_id", u32),
        Field("trigger_array_res_type", u16, means=TriggerResource),
        Field("trigger_array_res_id", string),
        Field("trigger_array_trig_type", u32, means=TriggerType),
        Field("trigger_array_control_inx", u32),
        Field("trigger_array_offset", u16),
        Field("trigger_array_user_id", u32),
        Field("trigger_array_program", string),
    )


@message(
    MessageType.REQUEST_TRIGGER_SET,
    MessageType.REQUEST_TRIGGER_GET,
    MessageType.REQUEST_TRIGGER_CLEAR,
    MessageType.RESPONSE_TRIGGER_GET,
    MessageType.REQUEST_TRIGGER_PULL,
)
class TriggerMessage(Record):
    """Body of REQUEST_TRIGGER_GET, RESPONSE_TRIGGER_GET, REQUEST_TRIGGER_SET, REQUEST_TRIGGER_CLEAR,
    REQUEST_TRIGGER_PULL."""

    triggers: list[Trigger] = []

    WIRE = (Field("triggers", array(Trigger)),)


@message(MessageType.REQUEST_STEP_BY_CONTAINER_ID)
class ContainerIdRequest(Record):
    """Body of REQUEST_STEP_BY_CONTAINER_ID."""

    show_flags: int = 0
    container_id: str | None = None
    uid: int = 0

    WIRE = (
        Field("show_flags", u16, means=ShowFlag),
        Field("container_id", string),
        Field("uid", u32),
    )


@message(MessageType.RESPONSE_STEP_BY_CONTAINER_ID)
class ContainerIdResponse(Record):
    """Body of RESPONSE_STEP_BY_CONTAINER_ID."""

    steps: list[StepId] | None = None

    WIRE = (Field("steps", list_of(StepId)),)


@message(MessageType.RESPONSE_CONTAINER_STATE)
class ContainerState(Record):
    """Body of RESPONSE_CONTAINER_STATE."""

    oci_version: str | None = None
    id: str | None = None
    status: int = 0
    pid: int = 0
    bundle: str | None = None
    annotations: list[ConfigKeyPair] | None = None

    WIRE = (
        Field("oci_version", string),
        Field("id", string),
        Field("status", u32, means=ContainerStatus),
        Field("pid", u32),
        Field("bundle", string),
        Field("annotations", list_of(ConfigKeyPair)),
    )


@message(MessageType.REQUEST_CONTAINER_KILL)
class ContainerSignal(Record):
    """Body of REQUEST_CONTAINER_KILL."""

    signal: int = 0

    WIRE = (Field("signal", u32, means=Signal),)


@message(MessageType.REQUEST_CONTAINER_DELETE)
class ContainerDelete(Record):
    """Body of REQUEST_CONTAINER_DELETE."""

    force: bool = False

    WIRE = (Field("force", boolean),)


@message(MessageType.RESPONSE_CONTAINER_START)
class ContainerStarted(Record):
    """Body of RESPONSE_CONTAINER_START."""

    rc: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)

    WIRE = (
        Field("rc", u32),
        Field("step_id", StepId),
    )


@message(MessageType.REQUEST_CONTAINER_EXEC)
class ContainerExec(Record):
    """Body of REQUEST_CONTAINER_EXEC."""

    args: str | None = None
    env: str | None = None

    WIRE = (
        Field("args", string),
        Field("env", string),
    )
