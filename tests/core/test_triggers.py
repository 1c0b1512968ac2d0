"""Triggers: who may set them, what sets them off, and what is left of them afterwards."""

from __future__ import annotations

import pytest

from flurm.core import commands as c
from flurm.core import triggers
from flurm.core.effects import Done
from flurm.core.enums import Refusal
from flurm.core.records import Settings
from flurm.core.snapshot import dump, load
from flurm.core.trigger_records import Trigger
from flurm.core.trigger_records import TriggerKind as K
from flurm.core.trigger_records import TriggerResource as R
from tests.core.world import ALICE, BOB, ROOT, World, code


def trigger(kind, resource=R.NODE, resource_id="*", **about):
    return Trigger(
        id=0, resource=resource, kind=int(kind), program="/bin/tell", user_id=0, resource_id=resource_id, **about
    )


def setting(w, new, user=ROOT):
    return w.do(c.SetTrigger(now_s=w.now_s, user_id=user, trigger=new))


def told(w, seconds=30):
    """What programs are told over the next seconds, as the controller's clock sees to it."""
    found = []
    for _ in range(seconds):
        w.now_s += 1
        if triggers.due(w.cluster, w.now_s):
            w.do(c.RunTriggers(now_s=w.now_s))
        for number in sorted(w.cluster.programs):
            run = w.cluster.programs[number]
            found.append((run.programs[0], run.user_id, run.arguments))
            w.do(c.ProgramDone(now_s=w.now_s, id=number))
    return [arguments[0] for program, user, arguments in found if (program, user) == ("/bin/tell", ROOT)]


def node(w, names, state, reason="x"):
    w.do(c.UpdateNode(now_s=w.now_s, user_id=ROOT, names=names, state=state, reason=reason))


def test_nodes_that_go_down_together_are_told_together_and_once():
    w = World(nodes=4)
    setting(w, trigger(K.DOWN))
    node(w, "n2", "down")
    w.now_s += 1
    node(w, "n4", "down")
    assert told(w) == ["n[2,4]"]
    assert not w.cluster.triggers
    node(w, "n1", "down")
    assert told(w) == []


def test_a_permanent_trigger_stays():
    w = World(nodes=2)
    setting(w, trigger(K.DOWN, permanent=True))
    node(w, "n1", "down")
    assert told(w) == ["n1"]
    node(w, "n2", "down")
    assert told(w) == ["n2"]


@pytest.mark.parametrize(
    ("kind", "orders"),
    [
        (K.UP, ["down", "resume"]),
        (K.DRAINED, ["drain"]),
        (K.FAIL, ["fail"]),
        (K.RESUME, ["drain", "resume"]),
    ],
)
def test_each_change_of_a_node_is_told_to_those_who_wait_for_it(kind, orders):
    w = World(nodes=2)
    for order in orders[:-1]:
        node(w, "n2", order)
    setting(w, trigger(kind))
    node(w, "n2", orders[-1])
    assert told(w) == ["n2"]


def test_a_node_is_drained_when_its_last_job_is_over():
    w = World(nodes=1)
    job_id = w.start()
    setting(w, trigger(K.DRAINED))
    node(w, "n1", "drain")
    assert told(w) == []
    w.end(job_id)
    assert told(w) == ["n1"]


def test_only_the_named_nodes_count():
    w = World(nodes=3)
    setting(w, trigger(K.DOWN, resource_id="n[1-2]"))
    node(w, "n3", "down")
    assert told(w) == []
    node(w, "n2", "down")
    assert told(w) == ["n2"]


def test_nodes_that_stay_idle_are_told_after_the_offset():
    w = World(nodes=2)
    w.start()
    setting(w, trigger(K.IDLE, offset_s=20))
    assert told(w, seconds=14) == []
    assert told(w, seconds=10) == ["n2"]


def test_an_offset_puts_the_program_off():
    w = World(nodes=2)
    setting(w, trigger(K.DOWN, offset_s=60))
    node(w, "n1", "down")
    assert told(w, seconds=50) == []
    assert told(w, seconds=30) == ["n1"]


def test_the_end_of_a_job_and_its_time_limit_are_told():
    w = World()
    job_id = w.start(time_limit_min=1)
    setting(w, trigger(K.TIME, R.JOB, str(job_id), offset_s=-30))
    setting(w, trigger(K.FINI, R.JOB, str(job_id)))
    assert told(w, seconds=29) == []
    assert told(w, seconds=5) == [str(job_id)]
    w.end(job_id)
    assert told(w) == [str(job_id)]
    assert not w.cluster.triggers


def test_a_trigger_for_the_nodes_of_a_job_goes_with_the_job():
    w = World(nodes=2)
    job_id = w.start(min_nodes=1)
    setting(w, trigger(K.DOWN, R.JOB, str(job_id)))
    setting(w, trigger(K.UP, R.JOB, str(job_id)))
    node(w, "n2", "down")
    assert told(w) == []
    w.end(job_id)
    assert (told(w), len(w.cluster.triggers)) == ([], 0)


def test_a_change_of_leader_and_a_reconfiguration_are_told_by_name():
    w = World()
    setting(w, trigger(K.PRI_CTLD_FAIL, R.SLURMCTLD))
    setting(w, trigger(K.RECONFIG))
    w.do(c.ControllerEvent(now_s=w.now_s, kinds=int(K.PRI_CTLD_FAIL | K.BU_CTLD_AS_CTRL)))
    assert told(w) == ["primary_slurmctld_failure"]
    node(w, "n1", "drain")
    assert told(w) == ["reconfig"]


def test_only_slurm_user_sets_triggers_unless_the_site_lets_others():
    w = World()
    assert code(setting(w, trigger(K.DOWN), user=ALICE)) is Refusal.ACCESS_DENIED
    w = World(settings=Settings(user_triggers=True))
    assert setting(w, trigger(K.DOWN), user=ALICE) == Done()
    assert w.cluster.triggers[1].user_id == ALICE


def test_a_trigger_that_can_never_be_set_off_is_refused():
    w = World()
    job_id = w.start()
    assert code(setting(w, trigger(K.DOWN, resource_id="nope"))) is Refusal.INVALID_NODE_NAME
    assert code(setting(w, trigger(K.FINI, R.JOB, "999"))) is Refusal.INVALID_JOB_ID
    w.end(job_id)
    assert code(setting(w, trigger(K.TIME, R.JOB, str(job_id)))) is Refusal.ALREADY_DONE
    setting(w, trigger(K.DOWN))
    assert code(setting(w, trigger(K.DOWN))) is Refusal.TRIGGER_DUPLICATE


def test_triggers_are_cleared_by_number_job_and_owner_by_those_who_may():
    w = World(settings=Settings(user_triggers=True, default_memory_per_cpu_mib=100))
    job_id = w.start()
    setting(w, trigger(K.DOWN), user=ALICE)
    setting(w, trigger(K.FINI, R.JOB, str(job_id)), user=ALICE)
    setting(w, trigger(K.UP), user=BOB)

    def clear(user, **which):
        return w.do(c.ClearTriggers(now_s=w.now_s, user_id=user, **which))

    assert code(clear(BOB, id=1)) is Refusal.ACCESS_DENIED
    assert code(clear(ROOT, id=99)) is Refusal.NO_SUCH_PROCESS
    assert (clear(ROOT, job_id=job_id), sorted(w.cluster.triggers)) == (Done(), [1, 3])
    assert (clear(ALICE, owner=ALICE), sorted(w.cluster.triggers)) == (Done(), [3])


def test_triggers_and_what_has_happened_survive_a_snapshot():
    w = World(nodes=2)
    setting(w, trigger(K.DOWN))
    node(w, "n1", "down")
    w.cluster = load(dump(w.cluster))
    assert told(w) == ["n1"]
