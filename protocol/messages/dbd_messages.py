"""Accounting messages about records of other files: usage, modifications, and the few words of a connection itself.

A modification is a filter and a record in which only what is to change is set (NO_VAL and None: leave it as it is).
"""

from __future__ import annotations

import msgspec

from protocol.constants import DbdMessageType
from protocol.messages.accounting import DbAssocMembers, DbCluster, DbFederation, DbUser, DbWckey
from protocol.messages.accounting_qos import DbQos, DbRes
from protocol.messages.dbd_cond import (
    DbAccountCond,
    DbAddAssocCond,
    DbAssocCond,
    DbClusterCond,
    DbFederationCond,
    DbQosCond,
    DbResCond,
    DbUserCond,
)
from protocol.messages.dbd_cond_history import DbJobCond
from protocol.messages.dbd_jobs import DbJob
from protocol.messages.dbd_records import DbAccount
from protocol.schema import Field, Record, array, epoch, message, string, u16

__all__ = [
    "DbdAccountCoords",
    "DbdAddAccounts",
    "DbdAddUsers",
    "DbdAssocUsage",
    "DbdClusterUsage",
    "DbdFini",
    "DbdGetConfig",
    "DbdModifyAccounts",
    "DbdModifyAssocs",
    "DbdModifyClusters",
    "DbdModifyFederations",
    "DbdModifyJob",
    "DbdModifyQos",
    "DbdModifyResources",
    "DbdModifyUsers",
    "DbdRollUsage",
    "DbdWckeyUsage",
]


@message(DbdMessageType.DBD_FINI)
class DbdFini(Record):
    """End of a piece of work: commit it, roll it back, or close the connection (see `protocol.persist`)."""

    close_conn: int = 0
    commit: int = 0

    WIRE = (
        Field("close_conn", u16),
        Field("commit", u16),
    )


@message(DbdMessageType.DBD_ROLL_USAGE)
class DbdRollUsage(Record):
    """Make usage records for a time."""

    archive_data: int = 0
    end: int = 0
    start: int = 0

    WIRE = (
        Field("archive_data", u16),
        Field("end", epoch),
        Field("start", epoch),
    )


@message(DbdMessageType.DBD_GET_CONFIG)
class DbdGetConfig(Record):
    """Which configuration file is asked for."""

    config_name: str | None = None

    WIRE = (Field("config_name", string, until="25.11"),)


@message(DbdMessageType.DBD_ADD_ACCOUNT_COORDS, DbdMessageType.DBD_REMOVE_ACCOUNT_COORDS)
class DbdAccountCoords(Record):
    """Make users coordinators of accounts, or no longer."""

    acct_list: list[str | None] = []
    cond: DbUserCond = msgspec.field(default_factory=DbUserCond)

    WIRE = (
        Field("acct_list", array(string)),
        Field("cond", DbUserCond),
    )


@message(DbdMessageType.DBD_GET_ASSOC_USAGE, DbdMessageType.DBD_GOT_ASSOC_USAGE)
class DbdAssocUsage(Record):
    """Usage of an association in a time; the answer has it in the record."""

    rec: DbAssocMembers = msgspec.field(default_factory=DbAssocMembers)
    start: int = 0
    end: int = 0

    WIRE = (
        Field("rec", DbAssocMembers),
        Field("start", epoch),
        Field("end", epoch),
    )


@message(DbdMessageType.DBD_GET_CLUSTER_USAGE, DbdMessageType.DBD_GOT_CLUSTER_USAGE)
class DbdClusterUsage(Record):
    """Usage of a cluster in a time; the answer has it in the record."""

    rec: DbCluster = msgspec.field(default_factory=DbCluster)
    start: int = 0
    end: int = 0

    WIRE = (
        Field("rec", DbCluster),
        Field("start", epoch),
        Field("end", epoch),
    )


@message(DbdMessageType.DBD_GET_WCKEY_USAGE, DbdMessageType.DBD_GOT_WCKEY_USAGE)
class DbdWckeyUsage(Record):
    """Usage of a workload characterization key in a time; the answer has it in the record."""

    rec: DbWckey = msgspec.field(default_factory=DbWckey)
    start: int = 0
    end: int = 0

    WIRE = (
        Field("rec", DbWckey),
        Field("start", epoch),
        Field("end", epoch),
    )


@message(DbdMessageType.DBD_MODIFY_ACCOUNTS)
class DbdModifyAccounts(Record):
    """Change accounts."""

    cond: DbAccountCond = msgspec.field(default_factory=DbAccountCond)
    rec: DbAccount = msgspec.field(default_factory=DbAccount)

    WIRE = (
        Field("cond", DbAccountCond),
        Field("rec", DbAccount),
    )


@message(DbdMessageType.DBD_MODIFY_ASSOCS)
class DbdModifyAssocs(Record):
    """Change associations."""

    cond: DbAssocCond = msgspec.field(default_factory=DbAssocCond)
    rec: DbAssocMembers = msgspec.field(default_factory=DbAssocMembers)

    WIRE = (
        Field("cond", DbAssocCond),
        Field("rec", DbAssocMembers),
    )


@message(DbdMessageType.DBD_MODIFY_CLUSTERS)
class DbdModifyClusters(Record):
    """Change clusters."""

    cond: DbClusterCond = msgspec.field(default_factory=DbClusterCond)
    rec: DbCluster = msgspec.field(default_factory=DbCluster)

    WIRE = (
        Field("cond", DbClusterCond),
        Field("rec", DbCluster),
    )


@message(DbdMessageType.DBD_MODIFY_FEDERATIONS)
class DbdModifyFederations(Record):
    """Change federations."""

    cond: DbFederationCond = msgspec.field(default_factory=DbFederationCond)
    rec: DbFederation = msgspec.field(default_factory=DbFederation)

    WIRE = (
        Field("cond", DbFederationCond),
        Field("rec", DbFederation),
    )


@message(DbdMessageType.DBD_MODIFY_JOB)
class DbdModifyJob(Record):
    """Change jobs that ended."""

    cond: DbJobCond = msgspec.field(default_factory=DbJobCond)
    rec: DbJob = msgspec.field(default_factory=DbJob)

    WIRE = (
        Field("cond", DbJobCond),
        Field("rec", DbJob),
    )


@message(DbdMessageType.DBD_MODIFY_QOS)
class DbdModifyQos(Record):
    """Change QOS."""

    cond: DbQosCond = msgspec.field(default_factory=DbQosCond)
    rec: DbQos = msgspec.field(default_factory=DbQos)

    WIRE = (
        Field("cond", DbQosCond),
        Field("rec", DbQos),
    )


@message(DbdMessageType.DBD_MODIFY_RES)
class DbdModifyResources(Record):
    """Change shared resources."""

    cond: DbResCond = msgspec.field(default_factory=DbResCond)
    rec: DbRes = msgspec.field(default_factory=DbRes)

    WIRE = (
        Field("cond", DbResCond),
        Field("rec", DbRes),
    )


@message(DbdMessageType.DBD_MODIFY_USERS)
class DbdModifyUsers(Record):
    """Change users."""

    cond: DbUserCond = msgspec.field(default_factory=DbUserCond)
    rec: DbUser = msgspec.field(default_factory=DbUser)

    WIRE = (
        Field("cond", DbUserCond),
        Field("rec", DbUser),
    )


@message(DbdMessageType.DBD_ADD_ACCOUNTS_COND)
class DbdAddAccounts(Record):
    """Add accounts with associations."""

    cond: DbAddAssocCond = msgspec.field(default_factory=DbAddAssocCond)
    rec: DbAccount = msgspec.field(default_factory=DbAccount)

    WIRE = (
        Field("cond", DbAddAssocCond),
        Field("rec", DbAccount),
    )


@message(DbdMessageType.DBD_ADD_USERS_COND)
class DbdAddUsers(Record):
    """Add users with associations."""

    cond: DbAddAssocCond = msgspec.field(default_factory=DbAddAssocCond)
    rec: DbUser = msgspec.field(default_factory=DbUser)

    WIRE = (
        Field("cond", DbAddAssocCond),
        Field("rec", DbUser),
    )
