"""Nodes, partitions, the configuration, and that a log always replays to the same cluster."""

from __future__ import annotations

from flurm.core import commands as c
from flurm.core import snapshot
from flurm.core.apply import RULES, apply
from flurm.core.deadlines import due
from flurm.core.effects import AskAgain, Done, LaunchBatch, PingNodes, Rejected, RuleFailed, TerminateJob
from flurm.core.enums import JobState, NodeFlag, NodeState, PartitionState, Reason, Refusal
from flurm.core.node_records import Node, Partition
from flurm.core.records import Cluster
from flurm.core.recovery import outstanding
from tests.core.world import ALICE, ROOT, World, code


def update(world: World, names: str, state: str, reason: str | None = None, user: int = ROOT):
    return world.do(c.UpdateNode(now_s=world.now_s, user_id=user, names=names, state=state, reason=reason))


def test_a_drained_node_takes_no_job_and_keeps_those_it_has():
    world = World(nodes=1)
    running = world.start()
    assert update(world, "n1", "drain", "bad fan") == Done()
    world.submit()
    assert world.schedule() == []
    assert world.state(running) is JobState.RUNNING
    update(world, "n1", "resume")
    assert len(world.schedule()) == 1
    assert world.node("n1").reason is None


def test_a_node_that_goes_down_loses_its_jobs():
    world = World()
    again, never = world.start(), world.start(requeue=False)
    update(world, "n1", "down", "burnt")
    assert (world.state(again), world.state(never)) == (JobState.PENDING, JobState.NODE_FAIL)
    assert world.job(never).reason is Reason.NODE_DOWN
    assert (world.node("n1").used_cpus, world.node("n1").jobs) == (0, ())
    assert world.schedule() == [again]
    assert world.job(again).node_names == ("n2",)


def test_a_silent_node_is_marked_first_and_down_when_it_lasts():
    world = World()
    job_id = world.start()
    world.do(c.NodesMissing(now_s=1030, names=("n1",)))
    assert world.node("n1").flags & NodeFlag.NO_RESPOND
    assert world.state(job_id) is JobState.RUNNING
    world.do(c.NodesMissing(now_s=1090, names=("n1",), down=True))
    assert (world.node("n1").state, world.node("n1").reason) == (NodeState.DOWN, "Not responding")
    assert world.state(job_id) is JobState.PENDING
    world.register("n1")
    assert world.up("n1")


def test_nothing_starts_on_a_node_that_is_back_until_a_launch_of_before_can_no_longer_arrive_there():
    world = World(nodes=1)
    job_id = world.start()
    world.do(c.NodesMissing(now_s=1090, names=("n1",), down=True))
    world.register("n1")
    assert world.up("n1") and TerminateJob(job_id, ("n1",)) in world.effects
    assert world.schedule() == []
    world.do(c.EpilogDone(now_s=1091, job_id=job_id, node="n1"))
    assert world.schedule() == [job_id]


def test_a_node_that_comes_back_with_a_job_it_lost_stays_down_until_it_is_clean_of_it():
    world = World(nodes=1)
    job_id = world.start()
    world.do(c.NodesMissing(now_s=1090, names=("n1",), down=True))
    world.register("n1", jobs=(job_id,))
    assert TerminateJob(job_id, ("n1",)) in world.effects
    assert not world.up("n1")
    assert not world.node("n1").flags & NodeFlag.NO_RESPOND
    assert world.schedule() == []
    world.do(c.EpilogDone(now_s=1091, job_id=job_id, node="n1"))
    assert PingNodes(("n1",)) in world.effects
    world.register("n1")
    assert world.up("n1")
    assert world.schedule() == [job_id]


def test_a_node_whose_prolog_or_epilog_fails_gets_no_further_job():
    world = World(nodes=2)
    job_id = world.start(required_nodes="n1")
    facts = world.node("n1").facts
    command = c.RegisterNode(now_s=1010, name="n1", facts=facts, jobs=(job_id,), drain_reason="Prolog error")
    world.do(command)
    assert (world.node("n1").reason, world.node("n1").is_schedulable) == ("Prolog error", False)
    world.kill(job_id)
    world.do(c.EpilogDone(now_s=1011, job_id=job_id, node="n1", return_code=256))
    assert world.node("n1").reason == "Prolog error"
    other = world.start(required_nodes="n2")
    world.kill(other)
    world.do(c.EpilogDone(now_s=1012, job_id=other, node="n2", return_code=256))
    assert (world.node("n2").reason, world.node("n2").jobs) == ("Epilog error", ())


def test_a_job_that_a_node_could_not_launch_is_held_and_says_so():
    world = World(nodes=1)
    job_id = world.start()
    world.requeue(job_id, user=ROOT, hold=True, launch_failed=True)
    world.clean(job_id)
    assert (world.state(job_id), world.job(job_id).priority) == (JobState.PENDING, 0)
    assert world.job(job_id).reason_text == "launch failed requeued held"
    assert world.schedule() == []


def test_a_node_with_less_than_configured_is_drained_until_it_has_it():
    world = World()
    world.register("n1", cpus=1)
    assert "Low CPUs" in (world.node("n1").reason or "")
    assert not world.node("n1").is_schedulable
    world.register("n1", cpus=2)
    assert world.node("n1").is_schedulable


def test_an_unknown_node_cannot_register():
    assert code(World().register("stranger")) is Refusal.NO_SUCH_NODE


def test_registration_takes_up_what_was_not_sent_and_ends_what_nobody_wants():
    world = World()
    wanted = world.submit()
    world.schedule()
    world.register("n1", jobs=(999,))
    assert set(world.effects) >= {LaunchBatch(wanted), TerminateJob(999, ("n1",))}


def test_a_node_that_has_forgotten_a_job_has_lost_it():
    world = World()
    job_id = world.start()
    world.register("n1", jobs=(), since_s=world.now_s)
    assert world.state(job_id) is JobState.RUNNING
    assert AskAgain("n1", 1) in world.effects
    world.register("n1", jobs=(), since_s=world.now_s + 1)
    assert world.state(job_id) is JobState.PENDING
    assert not [effect for effect in world.effects if isinstance(effect, AskAgain)]


def test_a_node_whose_clock_is_far_behind_is_asked_again_soon_enough():
    world = World()
    world.start()
    world.register("n1", jobs=(), since_s=world.now_s - 7200)
    assert AskAgain("n1", 60) in world.effects


def test_what_is_outstanding_is_read_off_the_state():
    world = World()
    launching = world.submit()
    world.schedule()
    ending = world.start()
    world.do(c.BatchEnded(now_s=1001, job_id=ending, node="n1", exit_status=0))
    assert set(outstanding(world.cluster)) == {LaunchBatch(launching), TerminateJob(ending, ("n1",))}


def test_only_operators_change_nodes_and_partitions():
    world = World()
    assert code(update(world, "n1", "drain", "x", user=ALICE)) is Refusal.USER_ID_MISSING
    refused = world.do(c.UpdatePartition(now_s=1, user_id=ALICE, name="debug", state=PartitionState.DOWN))
    assert code(refused) is Refusal.USER_ID_MISSING
    assert code(update(world, "n9", "drain", "x")) is Refusal.INVALID_NODE_NAME
    assert code(update(world, "n1", "resume")) is Refusal.INVALID_NODE_STATE


def test_partitions_come_and_go():
    world = World()
    extra = Partition(name="extra", nodes="n[1-2]", is_default=True)
    assert world.do(c.CreatePartition(now_s=1, user_id=ROOT, partition=extra)) == Done()
    assert not world.cluster.partitions["debug"].is_default
    job_id = world.submit(hold=True)
    assert world.job(job_id).partition == "extra"
    assert code(world.do(c.DeletePartition(now_s=1, user_id=ROOT, name="extra"))) is Refusal.PARTITION_IN_USE
    world.kill(job_id)
    assert world.do(c.DeletePartition(now_s=1, user_id=ROOT, name="extra")) == Done()


def test_a_new_configuration_adds_and_removes_nodes_under_running_jobs():
    world = World(nodes=2)
    stays = world.start(required_nodes="n2")
    goes = world.start(required_nodes="n1", requeue=False)
    nodes = tuple(Node(name=name, index=i, cpus=2, real_memory_mib=1000) for i, name in enumerate(["n2", "n3"]))
    partitions = (Partition(name="debug", nodes="ALL", is_default=True),)
    settings = world.cluster.settings
    world.do(c.Configure(now_s=1100, settings=settings, nodes=nodes, partitions=partitions, fingerprint="2"))
    assert world.cluster.node_order == ("n2", "n3")
    assert world.state(goes) is JobState.NODE_FAIL
    assert world.state(stays) is JobState.RUNNING
    assert world.job(stays).allocation.shares[0].node == 0
    assert world.node("n2").jobs == (stays,)
    world.end(stays)
    assert world.node("n2").used_cpus == 0


def reconfigured(world, nodes, partitions):
    """Configure the world anew with these nodes and partitions (name -> its nodes)."""
    records = tuple(Node(name=name, index=i, cpus=2, real_memory_mib=1000) for i, name in enumerate(nodes))
    first = next(iter(partitions))
    parts = tuple(Partition(name=name, nodes=text, is_default=name == first) for name, text in partitions.items())
    settings = world.cluster.settings
    world.do(c.Configure(now_s=1100, settings=settings, nodes=records, partitions=parts, fingerprint="2"))


def failed(world, job_id):
    return (world.state(job_id), world.job(job_id).reason, world.job(job_id).restarts) == (
        JobState.NODE_FAIL, Reason.NODE_DOWN, 0,
    )  # fmt: skip


def test_jobs_of_a_node_that_is_removed_fail_and_are_not_requeued():
    world = World(nodes=2)
    runs = world.start(required_nodes="n1", requeue=True)
    waits = world.submit(required_nodes="n1", begin_s=9000)
    other = world.submit(required_nodes="n2", begin_s=9000)
    reconfigured(world, ["n2"], {"debug": "ALL", "long": "n2"})
    assert failed(world, runs) and failed(world, waits)
    assert world.state(other) is JobState.PENDING


def test_jobs_of_a_partition_that_is_removed_fail_whether_they_run_or_wait():
    world = World(nodes=2)
    runs = world.start(partition="long", requeue=True)
    waits = world.submit(partition="long", begin_s=9000)
    elsewhere = world.start(partition="debug", required_nodes="n1")
    reconfigured(world, ["n1", "n2"], {"debug": "ALL"})
    assert failed(world, runs) and failed(world, waits)
    assert world.state(elsewhere) is JobState.RUNNING
    world.clean(runs)
    assert world.node("n2").used_cpus == 0
    fresh = world.submit(partition="debug")
    assert world.schedule() == [fresh]


def test_a_waiting_job_goes_on_with_the_partitions_that_are_left():
    world = World(nodes=2)
    job_id = world.submit(partition="long,debug", begin_s=9000)
    reconfigured(world, ["n1", "n2"], {"debug": "ALL"})
    assert world.state(job_id) is JobState.PENDING
    assert (world.job(job_id).partition, world.job(job_id).spec.partitions) == ("debug", ("debug",))


def test_a_restart_with_the_same_configuration_keeps_what_was_changed_at_run_time():
    world = World()
    update(world, "n1", "drain", "why")
    world.do(c.UpdatePartition(now_s=1, user_id=ROOT, name="debug", state=PartitionState.DOWN))
    configured = world.log[0]
    again = c.Configure(
        now_s=2000, settings=configured.settings, nodes=configured.nodes, partitions=configured.partitions,
        fingerprint="1", keep_changes=True,
    )  # fmt: skip
    world.do(again)
    assert world.node("n1").flags & NodeFlag.DRAIN
    assert world.cluster.partitions["debug"].state is PartitionState.DOWN


def test_the_clock_alone_makes_jobs_due():
    world = World()
    limited = world.start(time_limit_min=1)
    later = world.submit(begin_s=5000)
    found = due(world.cluster, world.job(limited).end_s)
    assert (found.timed_out, found.wake) == ((limited,), False)
    assert due(world.cluster, 5000).wake
    world.end(limited)
    assert due(world.cluster, world.now_s + world.cluster.settings.min_job_age_s).purgeable == (limited,)
    assert later in world.cluster.pending


def busy_world() -> World:
    world = World(nodes=3)
    array = world.submit(array="0-5%2")
    first = world.submit(min_nodes=2, num_tasks=2, min_cpus=2)
    world.submit(dependency=f"afterok:{first}", name="then")
    world.submit(hold=True)
    world.schedule()
    world.kill(f"{array}_5")
    update(world, "n3", "drain", "dust")
    for job_id in list(world.cluster.active)[:2]:
        world.end(job_id, 256)
    world.schedule()
    return world


def test_a_log_replays_to_the_same_bytes():
    world = busy_world()
    again = Cluster()
    for command in world.log:
        again = apply(again, c.decode(c.encode(command))).cluster
    assert snapshot.dump(again) == snapshot.dump(world.cluster)


def test_a_snapshot_is_the_cluster():
    world = busy_world()
    loaded = snapshot.load(snapshot.dump(world.cluster))
    assert loaded == world.cluster
    assert (loaded.pending, loaded.active, loaded.arrays) == (
        world.cluster.pending, world.cluster.active, world.cluster.arrays,
    )  # fmt: skip


def test_a_rule_that_fails_changes_nothing_and_says_so(monkeypatch):
    def broken(cluster, command):
        raise RuntimeError("bug")

    world = World()
    monkeypatch.setitem(RULES, c.Wake, broken)
    outcome = apply(world.cluster, c.Wake(now_s=1))
    assert outcome.reply == Rejected(Refusal.INTERNAL)
    assert isinstance(outcome.effects[0], RuleFailed)
    assert outcome.cluster.jobs == world.cluster.jobs
