"""What the simulation has found, told small."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from actors.messages import Carry, Committed, Recovered
from actors.net import agent
from actors.net.forwarding import Forwarded, Forwarder, NobodyInCharge
from actors.net.peers import PeerGone
from actors.node_manager import NodeManager
from actors.state_manager import StateManager
from flurm.core.commands import NodesMissing, NodesResponded, Wake, encode
from flurm.core.effects import LaunchBatch
from flurm.core.snapshot import dump
from flurm.otp import GenServer, NoReply, Ok, Reply
from flurm.otp.runtime.sim import Simulation
from flurm.raft.effects import TakeSnapshot
from flurm.raft.records import Configuration, Entry, EntryKind
from flurm.storage.errors import BlobsLost
from tests.core.world import World


class Time:
    now_s = 0.0

    def monotonic(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


def forwarder(sent):
    """One whose leader dies at the first request, after it was sent or before, and has no successor."""
    terms = {"in_charge": False, "leader": "c2", "members": Configuration(voters=("c1", "c2"))}

    def call(*_):
        terms["leader"] = None
        raise PeerGone("c2 is gone", sent=sent)

    return Forwarder("c1", SimpleNamespace(call=call), terms, 10.0, Time())


@pytest.mark.parametrize("sent", [True, False])
def test_it_is_known_whether_a_request_may_have_been_carried_out_by_a_leader_that_died(sent):
    request = Forwarded("c1/1", b"", 0, 0, ("", 0))
    with pytest.raises(NobodyInCharge) as caught:
        forwarder(sent).ask(request, through_others=False)
    assert caught.value.begun is sent


class Silent(GenServer):
    """Stands for consensus: keeps what it is told."""

    def init(self, args):
        return Ok([])

    def handle_cast(self, message, told):
        return NoReply([*told, message])

    def handle_call(self, request, sender, told):
        return Reply(told, told)


class Answering:
    """Agents whose nodes answer everything."""

    def start(self, task, attempt, cluster, tell):
        tell(agent.Sent(task, attempt, reached=True, done=True))

    def close(self):
        pass


def test_a_node_that_was_silent_under_the_last_controller_in_charge_is_usable_as_soon_as_it_answers_the_next():
    core = World(nodes=1)
    core.do(NodesMissing(now_s=1030, names=("n1",)))
    config = SimpleNamespace(heartbeat_interval=10_000, node_down_threshold=3, slurm={})
    system = Simulation({"config": config, "agents": lambda env: Answering()})
    system.terms.update(in_charge=True, cluster=core.cluster)
    for name in ("flurm_consensus", "flurm_tracer"):
        system.spawn(Silent, name=name)
    system.spawn(NodeManager, name="flurm_node_manager")
    system.settle()
    commands = [message.token.command for message in system.call("flurm_consensus", "told")]
    assert [(type(command), command.names) for command in commands] == [(NodesResponded, ("n1",))]


def test_a_launch_that_waits_to_be_tried_again_does_not_take_the_next_run_of_its_job_to_the_host_of_the_last():
    core = World(nodes=2)
    job_id = core.submit()
    core.schedule()
    lost = core.job(job_id).batch_host
    waiting = agent.Task(agent.Kind.LAUNCH, lost, job_id)
    assert agent.is_wanted(waiting, core.cluster, again=True)
    core.do(NodesMissing(now_s=1090, names=(lost,), down=True))
    assert core.schedule() == [job_id] and core.job(job_id).batch_host != lost
    assert not agent.is_wanted(waiting, core.cluster, again=True)
    (again,) = agent.tasks_of(LaunchBatch(job_id), core.cluster)
    assert agent.is_wanted(again, core.cluster)


class Noting(Answering):
    """Agents that keep what they were asked to do, and when."""

    def __init__(self):
        self.kinds = []

    def start(self, task, attempt, cluster, tell):
        self.kinds.append(task.kind)
        super().start(task, attempt, cluster, tell)


def test_a_node_that_registers_too_soon_to_tell_what_it_lost_is_asked_again_when_it_can_tell():
    core = World(nodes=1)
    core.start()
    core.register("n1", jobs=(), since_s=core.now_s - 6)
    config = SimpleNamespace(heartbeat_interval=1_000_000, node_down_threshold=3, slurm={})
    agents = Noting()
    system = Simulation({"config": config, "agents": lambda env: agents})
    system.terms.update(in_charge=True, cluster=core.cluster)
    for name in ("flurm_consensus", "flurm_tracer"):
        system.spawn(Silent, name=name)
    system.spawn(NodeManager, name="flurm_node_manager")
    for _ in range(3):
        system.cast("flurm_node_manager", Carry(core.effects))
    system.sleep(6.9)
    assert agent.Kind.REGISTER not in agents.kinds
    system.sleep(0.2)
    assert agents.kinds.count(agent.Kind.REGISTER) == 1


class Beginning(Silent):
    """Consensus that began before the snapshot of its state manager's predecessor was on disk, and commits all anew."""

    def handle_call(self, request, sender, told):
        return Reply(Recovered(dump(World(nodes=1).cluster), 3), told)


def test_what_the_snapshot_holds_is_not_applied_again_where_consensus_did_not_know_of_it():
    system = Simulation({"config": SimpleNamespace(raft_snapshot_interval=1000, member_name="c1")})
    system.terms["members"] = Configuration(voters=("c1",))
    system.spawn(Beginning, name="flurm_consensus")
    for name in ("flurm_node_manager", "flurm_job_manager", "flurm_scheduler_engine"):
        system.spawn(Silent, name=name)
    manager = system.spawn(StateManager, name="flurm_state_manager")
    before = system.terms["cluster"]
    entries = [Entry(index, 1, EntryKind.COMMAND, encode(Wake(now_s=2000))) for index in range(1, 6)]
    system.cast(manager, Committed(entries, [None] * 5))
    system.settle()
    assert system.terms["cluster_index"] == 5
    assert system.terms["cluster"].version == before.version + 2
    system.cast(manager, Committed(entries[4:], [None]))
    system.settle()
    assert system.find("flurm_state_manager") is None, "a repeated entry is a bug"


class Losing:
    """A store whose disk dropped scripts that it failed to sync."""

    def take_snapshot(self, *_):
        raise BlobsLost(Path("packs"), 2)


def test_a_state_manager_that_is_told_of_lost_scripts_begins_anew_so_that_the_log_brings_them():
    system = Simulation({"config": SimpleNamespace(), "store": Losing()})
    system.terms["members"] = Configuration(voters=("c1",))
    system.terms["log_writer"] = None
    system.spawn(Beginning, name="flurm_consensus")
    manager = system.spawn(StateManager, name="flurm_state_manager")
    system.cast(manager, TakeSnapshot(3))
    system.settle()
    assert system.find("flurm_state_manager") is None
