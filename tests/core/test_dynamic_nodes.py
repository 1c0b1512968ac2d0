"""Nodes that no configuration names: they join, change, are created, deleted and come back."""

from __future__ import annotations

from typing import Any

from flurm.core import commands as c
from flurm.core import snapshot
from flurm.core.apply import apply
from flurm.core.effects import Done, Rejected, Reply
from flurm.core.enums import JobState, NodeFlag, NodeState, Refusal
from flurm.core.job_records import Allocation, NodeShare
from flurm.core.node_records import Node, NodeFacts, Partition
from flurm.core.records import Cluster, Settings
from tests.core.world import ALICE, ROOT, World, code


def world(most: int = 5, **more: Any) -> World:
    made = World(settings=Settings(default_memory_per_cpu_mib=100, requeue_delay_s=0, max_node_count=most), **more)
    made.do(c.CreatePartition(now_s=1000, user_id=ROOT, partition=Partition(name="fast", dynamic_features=("x",))))
    return made


def join(world: World, name: str = "d1", jobs: tuple[int, ...] = (), **what: Any) -> Reply:
    what = {"cpus": 4, "cores_per_socket": 4, "real_memory_mib": 2000, "features": ("x",), "declared": "one", **what}
    facts = NodeFacts(cpus=what["cpus"], real_memory_mib=what["real_memory_mib"])
    joins = Node(name=name, index=0, flags=NodeFlag.DYNAMIC_NORM, **what)
    return world.do(c.RegisterNode(now_s=world.now_s, name=name, facts=facts, jobs=jobs, joins=joins))


def delete(world: World, names: str, user: int = ROOT) -> Reply:
    return world.do(c.DeleteNodes(now_s=world.now_s, user_id=user, names=names))


def create(world: World, *names: str, state: NodeState = NodeState.FUTURE, user: int = ROOT) -> Reply:
    nodes = tuple(Node(name=name, index=0, state=state, real_memory_mib=1000, declared="created") for name in names)
    return world.do(c.CreateNodes(now_s=world.now_s, user_id=user, nodes=nodes))


def members(world: World, partition: str) -> list[str]:
    return world.cluster.names_in(world.cluster.partitions[partition].node_mask)


def test_a_node_that_joins_is_in_the_partitions_of_all_nodes_and_of_its_feature_and_runs_jobs():
    here = world()
    assert join(here) == Done()
    assert (members(here, "debug"), members(here, "fast"), members(here, "long")) == (
        ["n1", "n2", "d1"],
        ["d1"],
        ["n2"],
    )
    job_id = here.start(partition="fast", min_cpus=4, num_tasks=4)
    assert here.job(job_id).node_names == ("d1",)


def test_no_more_nodes_join_than_may_be():
    here = world(most=3)
    assert join(here, "d1") == Done()
    assert code(join(here, "d2")) is Refusal.NO_SUCH_NODE
    assert "d2" not in here.cluster.nodes
    delete(here, "d1")
    assert join(here, "d2") == Done()


def test_without_a_limit_only_configured_nodes_may_be():
    assert code(join(world(most=0))) is Refusal.NO_SUCH_NODE


def test_a_configured_node_that_says_it_is_dynamic_stays_as_configured():
    here = world()
    assert join(here, "n1", cpus=8) == Done()
    assert (here.node("n1").cpus, here.node("n1").flags) == (2, NodeFlag.NONE)


def test_a_node_that_comes_back_with_more_cpus_gives_them_to_jobs():
    here = world()
    join(here)
    join(here, cpus=8, cores_per_socket=8)
    assert here.job(here.start(partition="fast", min_cpus=8, num_tasks=8)).allocation.cpus == 8


def test_a_node_that_comes_back_with_less_than_is_in_use_is_drained_until_that_is_free():
    here = world()
    join(here)
    job_id = here.start(partition="fast", min_cpus=3, num_tasks=3)
    join(here, cpus=2, jobs=(job_id,))
    assert (here.node("d1").cpus, here.node("d1").is_schedulable) == (4, False)
    assert (here.node("d1").reason or "").startswith("Low socket*core*thread count, Low CPUs")
    here.do(c.BatchEnded(now_s=here.now_s, job_id=job_id, node="d1", exit_status=0))
    here.do(c.EpilogDone(now_s=here.now_s, job_id=job_id, node="d1"))
    join(here, cpus=2)
    assert (here.node("d1").cpus, here.node("d1").is_schedulable, here.node("d1").reason) == (2, True, None)


def test_what_an_administrator_changed_stays_until_the_node_joins_with_another_line():
    here = world()
    join(here)
    here.do(c.UpdateNode(now_s=here.now_s, user_id=ROOT, names="d1", changes={"weight": 9, "features": ["y"]}))
    assert members(here, "fast") == []
    join(here)
    assert (here.node("d1").weight, here.node("d1").features) == (9, ("y",))
    join(here, declared="two", weight=3)
    assert (here.node("d1").weight, members(here, "fast")) == (3, ["d1"])


def test_a_busy_node_is_not_deleted_and_the_idle_ones_beside_it_are():
    here = world()
    join(here, "d1")
    join(here, "d2", features=())
    job_id = here.start(partition="fast")
    reply = delete(here, "d[1-2],nope")
    assert reply == Rejected(Refusal.NODES_BUSY, "failed to delete nodes d1,nope")
    assert here.cluster.node_order == ("n1", "n2", "d1")
    assert here.state(job_id) is JobState.RUNNING


def test_jobs_keep_their_nodes_when_one_before_them_is_deleted():
    here = world()
    join(here, "d1", features=())
    join(here, "d2")
    job_id = here.start(partition="fast")
    assert delete(here, "d1") == Done()
    assert here.cluster.names_in(here.job(job_id).allocation.node_mask) == ["d2"]
    assert members(here, "fast") == ["d2"]
    here.do(c.BatchEnded(now_s=here.now_s, job_id=job_id, node="d2", exit_status=0))
    here.do(c.EpilogDone(now_s=here.now_s, job_id=job_id, node="d2"))
    assert (here.node("d2").used_cpus, here.state(job_id)) == (0, JobState.COMPLETED)


def test_a_plan_made_before_a_node_was_deleted_starts_nothing_on_its_successor():
    here = world()
    job_id = here.submit()
    stale = here.cluster.shape_version
    start = c.Start(job_id, Allocation((NodeShare(0, 1, 1, 100),)), "debug")
    delete(here, "n1")
    here.do(c.ApplyPlan(now_s=here.now_s, starts=(start,), shape_version=stale))
    assert here.state(job_id) is JobState.PENDING
    assert here.schedule() == [job_id]


def test_a_deleted_node_whose_daemon_goes_on_is_unknown_until_it_joins_again():
    here = world()
    join(here)
    assert delete(here, "d1") == Done()
    assert code(here.register("d1")) is Refusal.NO_SUCH_NODE
    assert join(here) == Done()
    assert here.up("d1")


def test_a_job_that_asks_for_a_deleted_node_waits_for_it():
    here = world()
    join(here)
    delete(here, "n2")
    waiting = here.submit(required_nodes="d1", hold=False)
    delete(here, "d1")
    assert here.schedule() == []
    join(here)
    assert here.schedule() == [waiting]


def test_only_operators_create_and_delete_nodes():
    here = world()
    assert code(delete(here, "n1", ALICE)) is code(create(here, "f1", user=ALICE)) is Refusal.USER_ID_MISSING


def test_a_created_node_waits_for_its_daemon():
    here = world()
    assert create(here, "f1") == Done()
    assert here.submit(required_nodes="f1") and here.schedule() == []
    join(here, "f1")
    assert here.up("f1") and len(here.schedule()) == 1


def test_all_nodes_of_a_line_are_created_or_none():
    here = world(most=4)
    assert code(create(here, "f1", "f2", "f3")) is Refusal.INVALID_NODE_COUNT
    assert code(create(here, "f1", "n1")) is Refusal.INVALID_NODE_NAME
    assert here.cluster.node_order == ("n1", "n2")


def test_nodes_that_joined_survive_a_snapshot_and_a_new_configuration():
    here = world()
    join(here)
    job_id = here.start(partition="fast")
    again = snapshot.load(snapshot.dump(here.cluster))
    assert (again.nodes, again.partitions) == (here.cluster.nodes, here.cluster.partitions)
    configured = c.Configure(
        now_s=1001, settings=here.cluster.settings, fingerprint="2",
        nodes=(Node(name="n2", index=0, cpus=2, real_memory_mib=1000),),
        partitions=(Partition(name="debug", nodes="ALL"), Partition(name="fast", dynamic_features=("x",))),
    )  # fmt: skip
    after = apply(again, configured).cluster
    assert after.node_order == ("n2", "d1")
    assert after.names_in(after.partitions["fast"].node_mask) == ["d1"]
    assert after.names_in(after.jobs[job_id].allocation.node_mask) == ["d1"]


def test_a_node_that_joined_and_is_then_configured_is_an_ordinary_one():
    here = world()
    join(here)
    node = Node(name="d1", index=0, cpus=2, real_memory_mib=500, weight=4)
    command = c.Configure(now_s=1001, settings=here.cluster.settings, fingerprint="2", nodes=(node,), partitions=())
    found = apply(here.cluster, command).cluster.nodes["d1"]
    assert (found.cpus, found.weight, found.flags, found.state) == (2, 4, NodeFlag.NONE, NodeState.IDLE)


def test_a_log_with_dynamic_nodes_replays_to_the_same_cluster():
    here = world()
    join(here)
    create(here, "f1")
    here.start(partition="fast")
    delete(here, "n1")
    cluster = Cluster()
    for command in here.log:
        cluster = apply(cluster, c.decode(c.encode(command))).cluster
    assert snapshot.dump(cluster) == snapshot.dump(here.cluster)
