"""Accounting messages that are a list of records and a return code: additions, and answers to questions."""

from __future__ import annotations

from protocol.constants import DbdMessageType
from protocol.errno import Errno
from protocol.messages.accounting import DbAssocMembers, DbCluster, DbFederation, DbTresNoalloc, DbUser, DbWckey
from protocol.messages.accounting_qos import DbQos, DbRes
from protocol.messages.common import ConfigKeyPair
from protocol.messages.dbd_controller import DbdIdRc, DbdJobStart
from protocol.messages.dbd_jobs import DbJob
from protocol.messages.dbd_records import DbAccount, DbEvent, DbInstance, DbReservation, DbTxn
from protocol.schema import Field, Record, list_of, mem, message, string, u32

__all__ = [
    "DbdAccounts",
    "DbdAssocs",
    "DbdClusters",
    "DbdConfigPairs",
    "DbdEvents",
    "DbdFederations",
    "DbdIdRcs",
    "DbdInstances",
    "DbdJobStarts",
    "DbdJobs",
    "DbdLines",
    "DbdMessages",
    "DbdQosList",
    "DbdReservations",
    "DbdResources",
    "DbdTres",
    "DbdTxns",
    "DbdUsers",
    "DbdWckeys",
]


@message(DbdMessageType.DBD_ADD_ACCOUNTS, DbdMessageType.DBD_GOT_ACCOUNTS)
class DbdAccounts(Record):
    """Accounts."""

    items: list[DbAccount] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbAccount)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_ADD_TRES, DbdMessageType.DBD_GOT_TRES)
class DbdTres(Record):
    """Trackable resources."""

    items: list[DbTresNoalloc] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbTresNoalloc)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_ADD_ASSOCS, DbdMessageType.DBD_GOT_ASSOCS, DbdMessageType.DBD_GOT_PROBS)
class DbdAssocs(Record):
    """Associations; as DBD_GOT_PROBS: those that something is wrong with."""

    items: list[DbAssocMembers] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbAssocMembers)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_ADD_CLUSTERS, DbdMessageType.DBD_GOT_CLUSTERS)
class DbdClusters(Record):
    """Clusters."""

    items: list[DbCluster] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbCluster)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_ADD_FEDERATIONS, DbdMessageType.DBD_GOT_FEDERATIONS)
class DbdFederations(Record):
    """Federations."""

    items: list[DbFederation] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbFederation)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_ADD_RES, DbdMessageType.DBD_GOT_RES)
class DbdResources(Record):
    """Shared resources."""

    items: list[DbRes] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbRes)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_ADD_USERS, DbdMessageType.DBD_GOT_USERS)
class DbdUsers(Record):
    """Users."""

    items: list[DbUser] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbUser)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_GOT_EVENTS)
class DbdEvents(Record):
    """Events."""

    items: list[DbEvent] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbEvent)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_GOT_JOBS, DbdMessageType.DBD_FIX_RUNAWAY_JOB)
class DbdJobs(Record):
    """Jobs."""

    items: list[DbJob] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbJob)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_GOT_LIST)
class DbdLines(Record):
    """Lines for the client to print: what was changed."""

    items: list[str | None] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(string)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_ADD_QOS, DbdMessageType.DBD_GOT_QOS)
class DbdQosList(Record):
    """QOS."""

    items: list[DbQos] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbQos)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_GOT_RESVS)
class DbdReservations(Record):
    """Reservations."""

    items: list[DbReservation] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbReservation)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_ADD_WCKEYS, DbdMessageType.DBD_GOT_WCKEYS)
class DbdWckeys(Record):
    """Workload characterization keys."""

    items: list[DbWckey] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbWckey)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_GOT_TXN)
class DbdTxns(Record):
    """Changes."""

    items: list[DbTxn] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbTxn)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_GOT_CONFIG_KEYPAIRS)
class DbdConfigPairs(Record):
    """Configuration of the accounting daemon as names and values."""

    items: list[ConfigKeyPair] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(ConfigKeyPair)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_SEND_MULT_JOB_START)
class DbdJobStarts(Record):
    """Many jobs that started, in one message."""

    items: list[DbdJobStart] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbdJobStart)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_GOT_MULT_JOB_START)
class DbdIdRcs(Record):
    """The answers for many jobs that started."""

    items: list[DbdIdRc] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbdIdRc)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_SEND_MULT_MSG, DbdMessageType.DBD_GOT_MULT_MSG)
class DbdMessages(Record):
    """Messages in a message: each element is a number and a body (`protocol.persist.unpack_messages`)."""

    items: list[bytes] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(mem)),
        Field("return_code", u32, means=Errno),
    )


@message(DbdMessageType.DBD_GOT_INSTANCES)
class DbdInstances(Record):
    """Instances."""

    items: list[DbInstance] | None = None
    return_code: int = 0

    WIRE = (
        Field("items", list_of(DbInstance)),
        Field("return_code", u32, means=Errno),
    )
