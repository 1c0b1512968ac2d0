"""What a daemon says of a node that nobody configured, and what administrators write to create and delete nodes."""

import pytest

from flurm.bridge import requests
from flurm.core import commands as c
from flurm.core.effects import Rejected
from flurm.core.enums import NodeFlag, NodeState, Refusal
from protocol import messages as wire
from protocol.constants import DynamicNode, MessageType
from tests.bridge.sent import ALICE, ROOT, context

LINE = "NodeName=d1 CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 RealMemory=500 Feature=x,y Weight=7 Gres=gpu:2"


def mapped(message, record, uid=ROOT):
    return requests.to_call(MessageType[message], record, context(uid))


def joins(line=LINE, kind=DynamicNode.NORM):
    record = wire.NodeRegistration(
        node_name="d1", hostname="host", cpus=4, boards=1, sockets=1, cores=4, threads=1, real_memory=9000,
        dynamic_type=kind, dynamic_conf=line,
    )  # fmt: skip
    return mapped("MESSAGE_NODE_REGISTRATION_STATUS", record).command.joins


def created(line, uid=ROOT):
    return mapped("REQUEST_CREATE_NODE", wire.NodeUpdate(extra=line), uid)


def test_a_dynamic_node_is_its_line_on_the_hardware_that_it_registers():
    node = joins()
    assert (node.name, node.hostname, node.cpus, node.cores_per_socket) == ("d1", "host", 4, 4)
    assert (node.real_memory_mib, node.features, node.weight, node.gres) == (500, ("x", "y"), 7, "gpu:2")
    assert (node.state, node.flags, node.declared) == (NodeState.UNKNOWN, NodeFlag.DYNAMIC_NORM, LINE)
    assert joins("NodeName=d1 Port=17009").real_memory_mib == 9000
    assert joins("NodeName=d1 Port=17009").port == 17009


def test_a_node_that_does_not_say_so_is_not_dynamic():
    assert joins(kind=DynamicNode.NONE) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "Include /etc/passwd",
        "NodeName=d1 Bogus=3",
        "NodeName=d1 Weight=x",
        "NodeName=d1\nSlurmUser=bob",
    ],
)
def test_of_a_line_that_makes_no_sense_nothing_is_taken(line):
    node = joins(line)
    assert (node.name, node.cpus, node.real_memory_mib, node.features, node.weight) == ("d1", 4, 9000, (), 1)


def test_the_name_in_the_line_does_not_count():
    assert joins("NodeName=n1 Feature=x").name == "d1"


def test_nodes_are_created_as_a_line_of_slurm_conf_has_them():
    call = created("nodename=c[1-2] cpus=4 realmemory=800 feature=x state=cloud")
    assert isinstance(call.command, c.CreateNodes)
    assert [(node.name, node.cpus, node.real_memory_mib) for node in call.command.nodes] == [
        ("c1", 4, 800),
        ("c2", 4, 800),
    ]
    assert call.command.nodes[0].flags == NodeFlag.CLOUD | NodeFlag.POWERED_DOWN
    assert created("nodename=f1 state=future").command.nodes[0].state is NodeState.FUTURE
    assert c.decode(c.encode(call.command)) == call.command


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nodename=c1 cpus=4", Refusal.INVALID_NODE_STATE),
        ("nodename=c1 state=idle", Refusal.INVALID_NODE_STATE),
        ("nodename=c1 state=bogus", Refusal.INVALID_NODE_STATE),
        ("nodename=c1 state=future bogus=1", Refusal.UNSPECIFIED),
        ("nodename=DEFAULT state=future", Refusal.UNSPECIFIED),
        ("nodename=c[1- state=future", Refusal.UNSPECIFIED),
        ("state=future nodename=c1", Refusal.UNSPECIFIED),
        ("include /etc/passwd", Refusal.UNSPECIFIED),
        ("", Refusal.UNSPECIFIED),
    ],
)
def test_a_line_that_creates_no_node_is_refused(line, code):
    refused = created(line)
    assert isinstance(refused, Rejected) and refused.code is code


def test_users_create_and_delete_no_nodes():
    assert created("nodename=f1 state=future", ALICE) == Rejected(Refusal.USER_ID_MISSING)
    record = wire.NodeUpdate(node_names="n1")
    assert mapped("REQUEST_DELETE_NODE", record, ALICE) == Rejected(Refusal.USER_ID_MISSING)
    assert mapped("REQUEST_DELETE_NODE", record).command.names == "n1"
