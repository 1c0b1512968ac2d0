"""Requests of administrators and owners that change no job and no node: notices, lists that are shown, tokens."""

import dataclasses

import msgspec
import pytest

from flurm.bridge import tokens
from flurm.bridge.requests import Call, Control, to_call
from flurm.core.effects import Rejected
from flurm.core.enums import JobState, Refusal
from flurm.core.tables import put
from protocol import messages as wire
from protocol.auth import Authority, Identity, NoneSigner
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.field_constants import UpdateMode
from protocol.versions import Version
from tests.bridge.sent import ALICE, BOB, CONFIG, ROOT, cluster, context, with_job
from tests.bridge.test_requests import mapped


def notice(state: JobState, uid: int) -> object:
    known, job_id = with_job(cluster())
    known = put(known, known.jobs[job_id].with_(state=state))
    message = wire.JobNotify(wire.StepId(job_id=job_id), "hello")
    return mapped("REQUEST_JOB_NOTIFY", message, uid, state=known)


@pytest.mark.parametrize("uid", [ALICE, ROOT])
def test_a_running_job_hears_its_owner_and_operators(uid):
    told = notice(JobState.RUNNING, uid)
    assert isinstance(told, Control)
    assert (told.action, told.arguments["text"]) == ("notify", "hello")


@pytest.mark.parametrize(
    ("state", "uid", "refusal"),
    [
        (JobState.RUNNING, BOB, Refusal.USER_ID_MISSING),
        (JobState.PENDING, ALICE, Refusal.DISABLED),
        (JobState.COMPLETED, ALICE, Refusal.ALREADY_DONE),
    ],
)
def test_others_and_jobs_that_do_not_run_are_refused(state, uid, refusal):
    assert notice(state, uid) == Rejected(refusal)


def test_a_job_that_is_none_cannot_hear():
    message = wire.JobNotify(wire.StepId(job_id=4711), "hello")
    assert mapped("REQUEST_JOB_NOTIFY", message, ROOT) == Rejected(Refusal.INVALID_JOB_ID)


@pytest.mark.parametrize(
    ("mode", "text", "then"),
    [
        (UpdateMode.SET, "n3", "n3"),
        (UpdateMode.ADD, "n2,n3", "n1,n2,n3"),
        (UpdateMode.REMOVE, "n1", "n2"),
        (UpdateMode.SET, None, ""),
    ],
)
def test_what_is_not_powered_down_is_shown_as_updated(mode, text, then):
    config = msgspec.structs.replace(CONFIG, slurm={"SuspendExcNodes": "n1,n2"})
    record = wire.SuspendExcUpdate(text, int(mode))
    asker = dataclasses.replace(context(ROOT), config=config)
    shown = to_call(MessageType.REQUEST_SET_SUSPEND_EXC_NODES, record, asker)
    assert shown == Control("show", ROOT, {"key": "SuspendExcNodes", "text": then})
    assert mapped("REQUEST_SET_SUSPEND_EXC_NODES", record, ALICE) == Rejected(Refusal.PERMISSION)


def test_the_dampening_factor_is_for_administrators():
    record = wire.SetFsDampeningFactor(3)
    shown = mapped("REQUEST_SET_FS_DAMPENING_FACTOR", record, ROOT)
    assert shown == Control("show", ROOT, {"key": "FairShareDampeningFactor", "text": "3"})
    assert mapped("REQUEST_SET_FS_DAMPENING_FACTOR", record, ALICE) == Rejected(Refusal.PERMISSION)


@pytest.mark.parametrize(
    ("features", "active", "taken"),
    [
        ("f1,b", None, True),
        ("b", None, False),
        (None, "z", False),
        (None, "f1", True),
        ("c", "c", True),
    ],
)
def test_active_features_are_among_the_available_ones(features, active, taken):
    state = cluster()
    node = state.nodes["n1"].with_(features=("f1",), active_features=None)
    state = state.with_(nodes=state.nodes.set("n1", node))
    found = mapped(
        "REQUEST_UPDATE_NODE", wire.NodeUpdate(node_names="n1", features=features, features_act=active), ROOT,
        state=state,
    )  # fmt: skip
    assert isinstance(found, Call) if taken else found == Rejected(Refusal.ACTIVE_FEATURE_NOT_SUBSET)


def test_without_a_key_each_release_is_told_in_its_own_way_that_there_are_no_tokens():
    asked, root = wire.TokenRequest(lifespan=60), Identity(uid=ROOT, gid=0)
    old = tokens.answer(asked, root, "root", Authority(NoneSigner(uid=ROOT, gid=0, host="ctl")), 0.0, Version.V22_05)
    new = tokens.answer(asked, root, "root", Authority(NoneSigner(uid=ROOT, gid=0, host="ctl")), 0.0, Version.V24_11)
    assert old == (MessageType.RESPONSE_AUTH_TOKEN, wire.TokenResponse(token=None))
    assert new == (MessageType.RESPONSE_SLURM_RC, wire.ReturnCode(int(Errno.ESLURM_PLUGIN_NOT_LOADED)))
