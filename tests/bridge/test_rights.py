"""Who may ask for what: the table against what slurmctld 22.05 was seen to tell an ordinary user."""

from __future__ import annotations

import pytest

from flurm.bridge import absent, queries, requests
from flurm.bridge.queries import Context
from flurm.bridge.replies import code_of
from flurm.bridge.rights import RIGHTS, Who, refusal
from flurm.config.records import Config
from flurm.core.effects import Rejected
from flurm.core.node_records import Partition
from flurm.core.records import Cluster, Settings
from protocol import messages as wire
from protocol.codec import body_class
from protocol.constants import MessageType

ALICE, SLURM, ROOT = 1001, 64030, 0

OBSERVED = {
    "REQUEST_RECONFIGURE": 2010, "REQUEST_SHUTDOWN": 2010, "REQUEST_TAKEOVER": 2010, "REQUEST_SET_DEBUG_LEVEL": 13,
    "REQUEST_SET_SCHEDLOG_LEVEL": 13, "REQUEST_SET_DEBUG_FLAGS": 13, "REQUEST_REBOOT_NODES": 13,
    "REQUEST_SET_FS_DAMPENING_FACTOR": 13, "REQUEST_TRIGGER_SET": 2002, "REQUEST_TRIGGER_CLEAR": 3,
    "REQUEST_TRIGGER_PULL": 2010, "REQUEST_UPDATE_CRONTAB": -1, "REQUEST_UPDATE_NODE": 2010,
    "REQUEST_CREATE_PARTITION": 2010, "REQUEST_DELETE_PARTITION": 2010, "REQUEST_UPDATE_PARTITION": 2010,
    "REQUEST_CREATE_RESERVATION": 2010, "REQUEST_DELETE_RESERVATION": 2010, "REQUEST_UPDATE_RESERVATION": 2010,
    "REQUEST_UPDATE_FRONT_END": 2010, "REQUEST_DELETE_NODE": 2010, "REQUEST_CREATE_NODE": 2010,
    "REQUEST_JOB_SBCAST_CRED": 2017, "REQUEST_CTLD_MULT_MSG": 2002, "REQUEST_SIB_JOB_LOCK": 2002,
    "REQUEST_SIB_JOB_UNLOCK": 2002, "REQUEST_UPDATE_JOB_STEP": 2017, "REQUEST_COMPLETE_JOB_ALLOCATION": 2017,
    "ACCOUNTING_UPDATE_MSG": 13,
}  # fmt: skip
"""What Debian's slurmctld 22.05 under SlurmUser=slurm answered uid 1001, each request empty (tests/slurm/ask_as.py)."""

TO_SLURM_USER = {"REQUEST_TRIGGER_CLEAR": 3, "REQUEST_TRIGGER_PULL": 3, "REQUEST_UPDATE_FRONT_END": 2018}


def context(uid: int, private: str = "") -> Context:
    cluster = Cluster(settings=Settings(slurm_user_id=SLURM))
    config = Config(slurm={"PrivateData": private} if private else {})
    return Context(cluster=cluster, version=0x2600, uid=uid, gid=uid, now_s=1_800_000_000, config=config)


def number_for(uid: int, name: str) -> int:
    """The number that a request gets in its emptiest form."""
    number = MessageType[name]
    kind = body_class(number)
    called = requests.to_call(number, kind() if kind else None, context(uid))
    if called is None:
        code = absent.answer(number, context(uid))[1].return_code
    else:
        assert isinstance(called, Rejected), called
        code = code_of(called.code)
    return code - (1 << 32) if code >= 1 << 31 else code


@pytest.mark.parametrize("name", OBSERVED)
def test_an_ordinary_user_is_told_what_slurmctld_tells_him(name):
    assert number_for(ALICE, name) == OBSERVED[name]


@pytest.mark.parametrize("name", TO_SLURM_USER)
def test_slurm_user_is_told_what_slurmctld_tells_it(name):
    assert number_for(SLURM, name) == TO_SLURM_USER[name]


@pytest.mark.parametrize("number", [each for each, right in RIGHTS.items() if right.who is Who.OPERATORS])
def test_no_right_of_operators_is_kept_from_root_and_slurm_user_nor_given_to_others(number):
    assert refusal(number, context(ALICE)) != 0
    assert (refusal(number, context(ROOT)), refusal(number, context(SLURM))) == (0, 0)


@pytest.mark.parametrize("words,name,code", [
    ("nodes", "REQUEST_NODE_INFO", 2002), ("jobs,Partitions", "REQUEST_PARTITION_INFO", 2002),
])  # fmt: skip
def test_private_data_is_for_operators(words, name, code):
    kind, shown = queries.answer(MessageType[name], body_class(MessageType[name])(), context(ALICE, words))
    assert (kind, shown.return_code) == (MessageType.RESPONSE_SLURM_RC, code)
    assert queries.answer(MessageType[name], body_class(MessageType[name])(), context(ROOT, words))[0] != kind
    assert queries.answer(MessageType[name], body_class(MessageType[name])(), context(ALICE, "users"))[0] != kind


def test_partitions_of_other_groups_are_left_out_unless_all_are_asked_for():
    closed = Partition(name="theirs", allow_groups="no-such-group")
    seen = context(ALICE)
    cluster = seen.cluster.with_(partitions=seen.cluster.partitions.set("theirs", closed))

    def names(uid: int, flags: int) -> list[str]:
        asked = Context(cluster=cluster, version=0x2600, uid=uid, gid=uid, now_s=1_800_000_000)
        request = wire.PartitionInfoRequest(last_update=0, show_flags=flags)
        shown = queries.answer(MessageType.REQUEST_PARTITION_INFO, request, asked)[1]
        return [each.name for each in shown.partition_array]

    assert (names(ALICE, 0), names(ALICE, 1), names(ROOT, 0)) == ([], ["theirs"], ["theirs"])
