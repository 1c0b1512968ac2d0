"""Requests that no sensible program sends: no rule fails over one, and what was taken can be shown to everybody."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from flurm.bridge import queries, requests
from flurm.core import submission
from flurm.core.apply import apply
from flurm.core.commands import CreatePartition, SubmitJob, UpdatePartition, decode, encode
from flurm.core.effects import RuleFailed
from flurm.core.partitions import resolve_nodes
from flurm.core.records import Cluster
from flurm.sched.plan import plan
from flurm.sched.queue import queue_order
from protocol import messages as wire
from protocol.codec import encode_body
from protocol.constants import MessageType as M
from tests.bridge.sent import ALICE, NOW_S, ROOT, cluster, context, description

TEXTS = (
    "", "x", "1", "1_1", "1_*", "1_[0-3]", "1_[", "1_[0-99999]", "9" * 30, "(" * 2000, "[", "n[1-4]", "n[1-65536]",
    "n[1-" + "9" * 20 + "]", "n1," * 3000, "ALL", "n1", "n99", "(null)", "f1&f2", "f1|", "[f1*2&f2*3]", "f1&" * 2000,
    "(" * 900 + "f1" + ")" * 900, "afterok:1", "afterok:" + "9" * 30, "after:1+" + "9" * 30, "singleton?singleton",
    "0-3", "0-999999", "1%0", "%2", "1%" + "9" * 20, "x" * 70000, "b\udcff", "debug", "long,debug", "gpu:1",
)  # fmt: skip
EDGES = tuple((1 << bits) - less for bits in (8, 16, 32, 64) for less in (1, 2, 3))
NUMBERS = (0, 1, 2, 3, 5, 8, 64, 228, 4096, 10**6, 1 << 31, 1 << 63, 1 << 63 | 5, *EDGES)
RECORDS = {
    M.REQUEST_SUBMIT_BATCH_JOB: description,
    M.REQUEST_UPDATE_JOB: lambda: wire.JobDescription(job_id_str="1"),
    M.REQUEST_KILL_JOB: lambda: wire.KillStep(sjob_id="1"),
    M.REQUEST_JOB_REQUEUE: lambda: wire.RequeueJob(job_id_str="1"),
    M.REQUEST_TOP_JOB: lambda: wire.TopJob(job_id_str="1"),
    M.REQUEST_UPDATE_NODE: lambda: wire.NodeUpdate(node_names="n1"),
    M.REQUEST_CREATE_PARTITION: lambda: wire.PartitionUpdate(name="made"),
    M.REQUEST_UPDATE_PARTITION: lambda: wire.PartitionUpdate(name="debug"),
}
LISTINGS = (
    (M.REQUEST_JOB_INFO, wire.JobInfoRequest(show_flags=2)),
    (M.REQUEST_NODE_INFO, wire.NodeInfoRequest()),
    (M.REQUEST_PARTITION_INFO, wire.PartitionInfoRequest()),
)


def distort(record: Any, chance: random.Random) -> Any:
    """Some fields of a record set to something absurd that the wire can carry."""
    for name in chance.sample(record.__struct_fields__, chance.randint(1, min(6, len(record.__struct_fields__)))):
        value = getattr(record, name)
        if isinstance(value, int):
            setattr(record, name, chance.choice(NUMBERS))
        elif value is None or isinstance(value, str):
            setattr(record, name, chance.choice(TEXTS))
    return record


def travels(msg_type: int, record: Any) -> bool:
    """Whether the record can be sent at all."""
    try:
        encode_body(msg_type, record, 0x2A00)
    except Exception:
        return False
    return True


def carried_out(state: Cluster, msg_type: int, record: Any, uid: int) -> Cluster:
    """What the managers do with a request."""
    call = requests.to_call(msg_type, record, dataclasses.replace(context(), cluster=state, uid=uid))
    if not isinstance(call, requests.Call):
        return state
    command = call.command
    if isinstance(command, SubmitJob) and submission.check(state, command) is not None:
        return state
    if isinstance(command, CreatePartition | UpdatePartition):
        resolve_nodes(state, str(getattr(command, "changes", {}).get("nodes", "")))
    assert decode(encode(command)) is not None
    outcome = apply(state, command)
    failures = [effect.traceback for effect in outcome.effects if isinstance(effect, RuleFailed)]
    assert not failures, failures[0]
    return outcome.cluster


@pytest.mark.parametrize("seed", range(100))
def test_whatever_is_asked_for_no_rule_fails_and_everything_can_still_be_shown(seed):
    chance, state = random.Random(seed), cluster()
    for _ in range(30):
        msg_type = chance.choice([*RECORDS, M.REQUEST_SUBMIT_BATCH_JOB])
        record = distort(RECORDS[msg_type](), chance)
        if msg_type == M.REQUEST_SUBMIT_BATCH_JOB and chance.random() < 0.5:
            record.priority = 0
        if travels(msg_type, record):
            state = carried_out(state, msg_type, record, chance.choice((ALICE, ROOT)))
    plan(state, queue_order(state, NOW_S), NOW_S)
    for version in (0x2600, 0x2A00):
        asking = dataclasses.replace(context(), cluster=state, version=version)
        for query, listing in LISTINGS:
            msg_type, body = queries.answer(query, listing, asking)
            assert isinstance(body, bytes) or encode_body(msg_type, body, version)
