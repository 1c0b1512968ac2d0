"""Answers that any request may get: return codes, with or without text, and reroutes."""

from __future__ import annotations

import msgspec

from protocol.constants import MessageType
from protocol.dbd_constants import PersistFlag, PersistType
from protocol.errno import Errno
from protocol.messages.accounting import DbCluster
from protocol.schema import Field, If, Record, message, string, u8, u16, u32
from protocol.versions import Version

__all__ = [
    "PersistInit",
    "PersistReply",
    "Reroute",
    "ReturnCode",
    "ReturnCodeText",
]


@message(MessageType.REQUEST_PERSIST_INIT, MessageType.REQUEST_PERSIST_INIT_TLS)
class PersistInit(Record):
    """Opening of a persistent connection; `version` is the newest that the client speaks, whatever the header says."""

    version: int = 0
    cluster_name: str | None = None
    persist_type: int = 0
    port: int = 0

    WIRE = (
        Field("version", u16, means=Version),
        Field("cluster_name", string),
        Field("persist_type", u16, means=PersistType),
        Field("port", u16),
    )


@message(MessageType.PERSIST_RC)
class PersistReply(Record):
    """Answer to the opening of a persistent connection, and to any message on it that has no answer of its own.

    `ret_info` is the version in which both go on, or the number of the message that is answered.
    """

    comment: str | None = None
    flags: int = 0
    rc: int = 0
    ret_info: int = 0

    WIRE = (
        Field("comment", string),
        Field("flags", u16, means=PersistFlag),
        Field("rc", u32, means=Errno),
        Field("ret_info", u16),
    )


@message(
    MessageType.RESPONSE_JOB_READY,
    MessageType.RESPONSE_PROLOG_EXECUTING,
    MessageType.RESPONSE_SLURM_RC,
    MessageType.RESPONSE_CONTAINER_PTY,
    MessageType.RESPONSE_CONTAINER_EXEC,
    MessageType.RESPONSE_CONTAINER_KILL,
    MessageType.RESPONSE_CONTAINER_DELETE,
)
class ReturnCode(Record):
    """Body of RESPONSE_PROLOG_EXECUTING, RESPONSE_JOB_READY, RESPONSE_SLURM_RC, RESPONSE_CONTAINER_PTY,
    RESPONSE_CONTAINER_KILL, RESPONSE_CONTAINER_DELETE, RESPONSE_CONTAINER_EXEC."""

    return_code: int = 0

    WIRE = (Field("return_code", u32, means=Errno),)


@message(MessageType.RESPONSE_SLURM_RC_MSG)
class ReturnCodeText(Record):
    """Body of RESPONSE_SLURM_RC_MSG."""

    return_code: int = 0
    err_msg: str | None = None

    WIRE = (
        Field("return_code", u32, means=Errno),
        Field("err_msg", string),
    )


@message(MessageType.RESPONSE_SLURM_REROUTE_MSG)
class Reroute(Record):
    """Body of RESPONSE_SLURM_REROUTE_MSG."""

    has_working_cluster_rec: int = 0
    working_cluster_rec: DbCluster = msgspec.field(default_factory=DbCluster)
    stepmgr: str | None = None

    WIRE = (
        Field("has_working_cluster_rec", u8),
        If(
            "has_working_cluster_rec",
            (Field("working_cluster_rec", DbCluster),),
        ),
        Field("stepmgr", string, since="24.05"),
    )
