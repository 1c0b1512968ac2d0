"""scontrol reboot: nodes wait for their jobs, are told, and come back or do not."""

from __future__ import annotations

import pytest

from flurm.core import commands as c
from flurm.core import reboots
from flurm.core.effects import Done, RebootNode
from flurm.core.enums import NodeFlag, NodeState, Refusal
from flurm.core.node_records import NodeFacts
from flurm.core.records import Settings
from flurm.core.recovery import outstanding
from flurm.core.snapshot import dump, load
from tests.core.world import ALICE, ROOT, World, code

DRAIN, REQUESTED, ISSUED = NodeFlag.DRAIN, NodeFlag.REBOOT_REQUESTED, NodeFlag.REBOOT_ISSUED


def reboot(w, names="n1", user=ROOT, **how):
    return w.do(c.RebootNodes(now_s=w.now_s, user_id=user, names=names, **how))


def look(w):
    """The clock ticks; what nodes are told."""
    w.now_s += 1
    if not reboots.due(w.cluster, w.now_s):
        return []
    w.do(c.LookAtReboots(now_s=w.now_s))
    return [effect.name for effect in w.effects if isinstance(effect, RebootNode)]


def register(w, name="n1", booted_s=0):
    facts = NodeFacts(cpus=2, real_memory_mib=1000, boot_s=booted_s)
    w.do(c.RegisterNode(now_s=w.now_s, name=name, facts=facts))


def shown(w, name="n1"):
    node = w.node(name)
    return node.state, node.flags, node.reason


def cancel(w, name="n1"):
    return w.do(c.UpdateNode(now_s=w.now_s, user_id=ROOT, names=name, state="cancel_reboot"))


def test_an_idle_node_is_told_and_comes_back_as_it_was():
    w = World()
    reboot(w)
    assert shown(w) == (NodeState.IDLE, REQUESTED, "reboot requested")
    assert look(w) == ["n1"]
    assert shown(w) == (NodeState.DOWN, ISSUED, "reboot requested : reboot issued")
    register(w, booted_s=500)
    assert shown(w) == (NodeState.DOWN, ISSUED, "reboot requested : reboot issued")  # it has not gone down yet
    w.now_s += 30
    register(w, booted_s=w.now_s)
    assert shown(w) == (NodeState.IDLE, NodeFlag.NONE, None)


def test_a_busy_node_waits_for_its_jobs_and_may_get_more():
    w = World(nodes=1)
    first = w.start()
    reboot(w)
    assert look(w) == []
    second = w.start()
    w.end(first)
    assert look(w) == []
    w.end(second)
    assert look(w) == ["n1"]


def test_asap_drains_the_node_and_undrains_it_afterwards():
    w = World(nodes=1)
    job_id = w.start()
    reboot(w, asap=True)
    assert shown(w) == (NodeState.IDLE, DRAIN | REQUESTED, "Reboot ASAP")
    waiting = w.submit()
    assert w.schedule() == []
    w.end(job_id)
    assert look(w) == ["n1"]
    w.now_s += 5
    register(w, booted_s=w.now_s)
    assert shown(w) == (NodeState.IDLE, NodeFlag.NONE, None)
    assert w.schedule() == [waiting]


def test_a_node_that_was_drained_before_stays_so_unless_it_is_to_resume():
    for next_state, flags in ((None, DRAIN), ("resume", NodeFlag.NONE)):
        w = World()
        w.do(c.UpdateNode(now_s=w.now_s, user_id=ROOT, names="n1", state="drain", reason="fan"))
        reboot(w, asap=True, next_state=next_state)
        look(w)
        w.now_s += 5
        register(w, booted_s=w.now_s)
        assert w.node("n1").flags == flags


def test_a_node_may_be_left_down_after_its_reboot():
    w = World()
    reboot(w, next_state="down", reason="new kernel")
    look(w)
    w.now_s += 5
    register(w, booted_s=w.now_s)
    assert shown(w) == (NodeState.DOWN, NodeFlag.NONE, "new kernel : reboot issued : reboot complete")


def test_a_node_that_does_not_come_back_in_time_is_down():
    w = World(settings=Settings(resume_timeout_s=20))
    reboot(w, asap=True, reason="new kernel")
    look(w)
    w.now_s += 20
    look(w)
    assert shown(w) == (NodeState.DOWN, NodeFlag.NONE, "new kernel : reboot issued : reboot timed out")


def test_a_reboot_can_be_cancelled_until_the_node_is_told():
    w = World(nodes=1)
    job_id = w.start()
    reboot(w, asap=True, reason="new kernel")
    assert (cancel(w), shown(w)) == (Done(), (NodeState.IDLE, NodeFlag.NONE, None))
    assert code(cancel(w)) is Refusal.INVALID_NODE_STATE
    w.end(job_id)
    reboot(w)
    look(w)
    assert code(cancel(w)) is Refusal.INVALID_NODE_STATE


def test_a_node_that_has_heard_of_it_is_not_told_again():
    w = World()
    reboot(w)
    look(w)
    assert RebootNode("n1") in outstanding(load(dump(w.cluster)))
    w.do(c.RebootTold(now_s=w.now_s, name="n1", issued_s=w.node("n1").reboot.issued_s))
    assert RebootNode("n1") not in outstanding(w.cluster)


def test_the_controller_runs_the_program_where_the_site_wants_that():
    w = World(nodes=3, settings=Settings(reboot_program="/sbin/reboot-them"))
    reboot(w, "n[1,3]")
    assert look(w) == []
    (run,) = w.cluster.programs.values()
    assert (run.kind, run.programs, run.arguments) == ("reboot", ("/sbin/reboot-them",), ("n1,n3",))
    assert not outstanding(w.cluster)


@pytest.mark.parametrize(
    ("names", "user", "refusal"), [("n1", ALICE, Refusal.PERMISSION), ("nope", ROOT, Refusal.INVALID_NODE_NAME)]
)
def test_others_than_administrators_and_unknown_nodes_are_refused(names, user, refusal):
    assert code(reboot(World(), names, user)) is refusal


def test_all_nodes_are_meant_by_all():
    w = World(nodes=3)
    reboot(w, "all")
    assert look(w) == ["n1", "n2", "n3"]
