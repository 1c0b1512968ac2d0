"""Requests that are handed on to further nodes."""

import time

import pytest

from actors.net import rpc
from actors.node_daemon.forward import FanOut
from actors.node_daemon.settings import Settings
from protocol.constants import MessageType
from protocol.errors import DecodeError
from protocol.exchange import make_request
from protocol.frame import Forward, Frame
from tests.node_daemon.conftest import Cluster, free_port


@pytest.fixture
def cluster_pair():
    first, second = Cluster(), Cluster()
    second.share_key(first)
    second.name = "n2"
    ports = {"n1": first.port, "n2": second.port, "n3": free_port(), "n4": free_port()}
    for cluster in (first, second):
        declare(cluster, ports)
        cluster.start()
    yield first, second
    first.close()
    second.close()


def declare(cluster, ports):
    tables = "".join(f'[[flurm.nodes]]\nname = "{name}"\naddress = "127.0.0.1"\nport = {port}\ncpus = 2\nmemory = 512\n'
                     for name, port in ports.items())  # fmt: skip
    cluster.config.write_text(cluster.config.read_text() + tables)


def ask_all(cluster, others):
    forward = Forward(nodes=others, timeout_ms=5000, tree_width=2, count=others.count(",") + 1)
    request = make_request(MessageType.REQUEST_PING, None, 0x2A00, cluster.signer, time.time(), forward=forward)
    answer = rpc.send(cluster.node.address, request)
    return answer, {item.node_name: item.msg_type for item in answer.frame.ret_list}


def test_the_answers_of_further_nodes_come_back_with_ours(cluster_pair):
    first, _ = cluster_pair
    answer, others = ask_all(first, "n2")
    assert answer.msg_type == MessageType.RESPONSE_PING_SLURMD
    assert others == {"n2": MessageType.RESPONSE_PING_SLURMD}


def test_a_node_that_is_not_there_is_named_and_those_behind_it_are_asked(cluster_pair):
    first, _ = cluster_pair
    _, others = ask_all(first, "n3,n4,n2")
    assert others == {
        "n2": MessageType.RESPONSE_PING_SLURMD,
        "n3": MessageType.RESPONSE_FORWARD_FAILED,
        "n4": MessageType.RESPONSE_FORWARD_FAILED,
    }


@pytest.mark.parametrize("nodes", ("n[1-", "n[0-65535],x"))
def test_a_list_that_is_none_or_too_long_is_refused_before_anybody_is_asked(nodes):
    settings = Settings(node_name="m", hostname="m", spool_dir="", controllers=())
    frame = Frame(MessageType.REQUEST_PING, forward=Forward(nodes, count=1))
    with pytest.raises(DecodeError, match=r"forward\.nodes"):
        FanOut(frame, ("127.0.0.1", 1), settings)
