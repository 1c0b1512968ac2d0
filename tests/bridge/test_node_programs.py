"""When node daemons are told to run a prolog or a health check."""

import pytest

from flurm.bridge.node_programs import health_checks, launches_prologs
from flurm.config import Config
from flurm.core.enums import NodeFlag, NodeState
from flurm.core.node_records import Node, NodeFacts
from flurm.core.records import Cluster

EVERY = {"HealthCheckProgram": "/check", "HealthCheckInterval": "10"}


def nodes(**states: Node) -> Cluster:
    cluster = Cluster(node_order=tuple(states))
    for name, node in states.items():
        cluster = cluster.with_(nodes=cluster.nodes.set(name, node))
    return cluster


def node(name: str, index: int = 0, **changes: object) -> Node:
    facts = NodeFacts(version="22.05.8", cpus=2)
    return Node(name=name, index=index, cpus=2, facts=facts, **{"state": NodeState.IDLE, **changes})


STATES = nodes(
    idle=node("idle", 0),
    full=node("full", 1, jobs=(1,), used_cpus=2),
    half=node("half", 2, jobs=(2,), used_cpus=1),
    drained=node("drained", 3, flags=NodeFlag.DRAIN),
    down=node("down", 4, state=NodeState.DOWN),
    silent=node("silent", 5, flags=NodeFlag.NO_RESPOND),
)


@pytest.mark.parametrize(
    ("states", "checked"),
    [
        (None, "idle full half drained down"),
        ("ANY", "idle full half drained down"),
        ("IDLE", "idle drained"),
        ("NONDRAINED_IDLE", "idle"),
        ("alloc,mixed", "full half"),
        ("START_ONLY", ""),
    ],
)
def test_nodes_in_the_states_asked_for_are_checked(states, checked):
    keys = EVERY | ({"HealthCheckNodeState": states} if states else {})
    checks = health_checks(Config(slurm=keys))
    assert (checks.due(STATES, "") if checks.interval_s else []) == checked.split()


def test_a_cycle_reaches_every_node_once_in_an_interval():
    checks = health_checks(Config(slurm=EVERY | {"HealthCheckNodeState": "CYCLE,IDLE", "HealthCheckInterval": "3"}))
    cluster = nodes(**{name: node(name, index) for index, name in enumerate("abcde")})
    rounds, after = [], ""
    for _ in range(3):
        rounds.append(checks.due(cluster, after))
        after = checks.last(cluster, after)
    assert (checks.tick_s, rounds) == (1.0, [["a", "b"], ["c", "d"], ["e", "a"]])


@pytest.mark.parametrize("keys", [{}, {"HealthCheckProgram": "/check"}, {"HealthCheckInterval": "10"}])
def test_without_a_program_or_an_interval_nothing_is_checked(keys):
    assert health_checks(Config(slurm=keys)).interval_s == 0


@pytest.mark.parametrize(
    ("flags", "asked"), [("", False), ("Serial", False), ("Alloc", True), ("contain", True), ("Serial,X11", True)]
)
def test_prologs_are_asked_for_where_a_real_slurmd_waits_for_it(flags, asked):
    assert launches_prologs(Config(slurm={"PrologFlags": flags})) is asked
