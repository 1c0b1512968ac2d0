"""Fan-out without a network: how a list becomes a tree, and what comes back when nodes are missing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.constants import MessageType
from protocol.forward import MAX_AT_ONCE, MAX_NODES, MOST_HEADS, FanOut, Send, branches, depth, first_header, onward
from protocol.frame import Forward, Frame, RetItem, decode_frame, encode_frame
from protocol.hostlist import expand
from protocol.versions import Version
from protocol.wire import Address

OLD, NEW = Version.V22_05, Version.V24_11
FAILED = MessageType.RESPONSE_FORWARD_FAILED
PING = MessageType.RESPONSE_PING_SLURMD

LIBSLURM_22_05 = (
    (2, 3, "3"), (2, 4, "3 1"), (2, 6, "3 3"), (2, 7, "4 3"), (2, 8, "5 3"), (2, 11, "6 5"), (2, 20, "11 9"),
    (3, 5, "4 1"), (3, 11, "4 4 3"), (3, 12, "4 4 4"), (3, 13, "5 4 4"), (3, 16, "7 5 4"), (3, 20, "7 7 6"),
    (3, 25, "10 8 7"), (3, 30, "10 10 10"), (5, 7, "6 1"), (5, 17, "6 6 5"), (5, 30, "6 6 6 6 6"),
)  # fmt: skip
"""Tree width, number of nodes and the branches in which libslurm sent a request to that many listening sockets."""

LIBSLURM_24_11 = (
    (2, 4, "2 2", 2), (2, 5, "3 2", 2), (2, 7, "4 3", 3), (2, 11, "6 5", 3), (2, 20, "10 10", 4),
    (3, 4, "2 1 1", 2), (3, 5, "2 2 1", 2), (3, 11, "4 4 3", 2), (3, 20, "7 7 6", 3),
)  # fmt: skip
"""The same with the tree depth in the header."""


def names_of(number):
    return [f"n{index}" for index in range(1, number + 1)]


def sizes(number, width, version):
    return " ".join(str(len(part)) for part in branches(names_of(number), width, version))


def sender(number, width=2, version=NEW, timeout_ms=20_000):
    nodes = names_of(number)
    return FanOut(first_header(nodes, width, timeout_ms, version), nodes, version)


def relay(nodes, itself="n0", version=NEW, **header):
    return FanOut(Forward(**header), expand(nodes), version, itself=itself)


def by_node(machine):
    assert machine.is_done
    assert len(machine.answers) == len({item.node_name for item in machine.answers})
    return {item.node_name: item.msg_type for item in machine.answers}


def travel(machine, version, dead, hops, now_s=0.0):
    """Deliver what the machine sends, and what the relays send in turn; `hops` gets the node of each delivery."""
    sends = machine.start(now_s)
    while sends:
        send = sends.pop()
        assert len(sends) < MAX_AT_ONCE
        if send.node in dead:
            sends += machine.failed(send.node, now_s)
            continue
        hops.append(send.node)
        others = []
        if send.forward is not None:
            behind = FanOut(send.forward, expand(send.forward.nodes), version, itself=send.node)
            travel(behind, version, dead, hops, now_s)
            others = behind.answers
        sends += machine.answered(send.node, RetItem(None, PING), others, now_s)


@pytest.mark.parametrize(("width", "number", "parts"), LIBSLURM_22_05)
def test_a_list_is_cut_as_22_05_cuts_it(width, number, parts):
    assert sizes(number, width, OLD) == parts


@pytest.mark.parametrize(("width", "number", "parts", "levels"), LIBSLURM_24_11)
def test_a_list_is_cut_as_24_11_cuts_it(width, number, parts, levels):
    assert sizes(number, width, NEW) == parts
    assert depth(number, width) == levels


@given(st.integers(0, 3000), st.integers(1, 100), st.sampled_from((OLD, NEW)))
def test_the_branches_are_the_list_in_its_order(number, width, version):
    parts = branches(names_of(number), width, version)
    assert [name for part in parts for name in part] == names_of(number)
    assert len(parts) <= width
    assert all(parts)


def test_a_sender_of_22_05_says_what_a_recorded_controller_said():
    assert sender(3, version=OLD).start(0.0) == [
        Send("n1", Forward("n[2-3]", timeout_ms=20_000, tree_width=2, tree_depth=2, count=2), 22_000)
    ]


def test_a_sender_of_24_11_says_what_a_recorded_controller_said():
    header = {"timeout_ms": 80_000, "tree_width": 2, "tree_depth": 2, "count": 1}
    assert sender(4).start(0.0) == [
        Send("n1", Forward("n2", **header), 88_000),
        Send("n3", Forward("n4", **header), 88_000),
    ]


def test_a_tree_of_three_levels_has_more_time():
    sent = sender(11, timeout_ms=3000).start(1234.5678)
    assert [(send.forward.timeout_ms, send.forward.tree_depth) for send in sent] == [(18_000, 3)] * 2


def test_each_hop_gives_the_next_one_less_time_than_it_has():
    known = relay("n[1-6]", timeout_ms=18_000, tree_width=2, tree_depth=3).start(0.0)[0]
    assert (known.forward.timeout_ms, known.timeout_ms, known.forward.tree_depth) == (12_000, 18_000, 2)
    unknown = relay("n[1-6]", timeout_ms=20_000, tree_width=2, version=OLD).start(0.0)[0]
    assert (unknown.forward.timeout_ms, unknown.timeout_ms) == (18_000, 20_000)


def test_time_that_has_passed_is_not_given_again():
    machine = relay("n[1-6]", timeout_ms=20_000, tree_width=1, version=OLD)
    machine.start(0.0)
    assert {send.timeout_ms for send in machine.failed("n1", 15.0)} == {5000}


def test_the_answers_of_a_branch_are_those_of_its_head_and_those_behind_it():
    machine = sender(4)
    machine.start(0.0)
    assert machine.answered("n3", RetItem(None, PING), [RetItem("n4", PING)], 1.0) == []
    assert not machine.is_done
    machine.answered("n1", RetItem(None, PING), [RetItem("n2", FAILED, 1001)], 1.0)
    assert by_node(machine) == {"n1": PING, "n2": FAILED, "n3": PING, "n4": PING}
    assert machine.answers[-1] == RetItem("n2", FAILED, 1001)


def test_a_relay_makes_the_next_node_the_head_as_slurmd_does():
    machine = relay("n[1-4]", timeout_ms=20_000, tree_width=1, version=OLD)
    machine.start(0.0)
    (send,) = machine.failed("n1", 1.0)
    assert (send.node, send.forward.nodes, send.forward.count) == ("n2", "n[3-4]", 2)


def test_a_relay_that_has_lost_several_heads_asks_the_others_directly():
    machine = relay("n[1-9]", timeout_ms=20_000, tree_width=1, version=OLD)
    sends = machine.start(0.0)
    for _ in range(MOST_HEADS):
        assert len(sends) == 1
        sends = machine.failed(sends[0].node, 1.0)
    assert [(send.node, send.forward) for send in sends] == [(f"n{index}", None) for index in range(5, 10)]


def test_those_behind_a_head_that_fails_are_asked_by_a_sender_directly():
    machine = sender(8, version=OLD)
    machine.start(0.0)
    asked = machine.failed("n1", 1.0)
    assert [(send.node, send.forward) for send in asked] == [(f"n{index}", None) for index in range(2, 6)]
    for send in asked:
        machine.answered(send.node, RetItem(None, PING), [], 1.0)
    machine.failed("n6", 1.0)
    machine.failed("n7", 1.0)
    machine.answered("n8", RetItem(None, PING), [], 1.0)
    assert [name for name, kind in by_node(machine).items() if kind == FAILED] == ["n1", "n6", "n7"]


def test_whom_a_head_does_not_mention_has_failed():
    machine = sender(4)
    machine.start(0.0)
    machine.answered("n1", RetItem(None, PING), [], 1.0)
    machine.answered("n3", RetItem(None, PING), [RetItem("n4", PING)], 1.0)
    assert by_node(machine) == {"n1": PING, "n2": FAILED, "n3": PING, "n4": PING}


def test_a_head_speaks_for_its_own_branch_only_and_once_for_each_node():
    machine = sender(4)
    machine.start(0.0)
    others = [
        RetItem("n3", PING),
        RetItem("n1", FAILED),
        RetItem("n2", PING),
        RetItem("n2", FAILED),
        RetItem("m", PING),
    ]
    machine.answered("n1", RetItem("n4", PING), others, 1.0)
    machine.failed("n3", 1.0)
    machine.failed("n4", 1.0)
    assert by_node(machine) == {"n1": PING, "n2": PING, "n3": FAILED, "n4": FAILED}


def test_when_the_time_is_up_everybody_else_has_failed_and_late_answers_do_not_count():
    machine = sender(6)
    machine.start(0.0)
    machine.answered("n1", RetItem(None, PING), [RetItem("n2", PING), RetItem("n3", PING)], 1.0)
    machine.expired()
    assert machine.answered("n4", RetItem(None, PING), [], 99.0) == []
    assert [name for name, kind in by_node(machine).items() if kind == FAILED] == ["n4", "n5", "n6"]


def test_nobody_is_asked_when_a_head_fails_after_the_time_is_up():
    machine = sender(4)
    machine.start(0.0)
    assert machine.failed("n1", machine.deadline_s) == []
    assert set(by_node(machine).values()) == {FAILED}


def test_a_request_that_names_its_relay_or_a_node_twice_goes_out_once_to_each():
    machine = relay("n[0-2],n1,n0", timeout_ms=1000, tree_width=8)
    assert [send.node for send in machine.start(0.0)] == ["n1", "n2"]
    alone = relay("n0,n0")
    assert alone.start(0.0) == []
    assert alone.is_done


def test_without_width_and_time_the_usual_ones_hold():
    sent = relay("n[1-40]").start(0.0)
    assert len(sent) == 16
    assert sent[0].timeout_ms == 10_000


def test_absurd_widths_and_times_stay_within_bounds():
    wide = relay("n[1-10000]", timeout_ms=0xFFFFFFFF, tree_width=0xFFFF)
    sent = wide.start(0.0)
    assert len(sent) == MAX_AT_ONCE
    assert sent[0].timeout_ms == 600_000
    assert [send.node for send in wide.answered("n1", RetItem(None, PING), [], 1.0)] == [f"n{MAX_AT_ONCE + 1}"]
    (chain,) = relay("n[1-10000]", timeout_ms=1, tree_width=1).start(0.0)
    assert chain.forward.count == 9999
    assert chain.forward.timeout_ms == 1


def test_more_nodes_than_a_header_can_count_are_refused():
    with pytest.raises(ValueError, match="65536 nodes"):
        relay(f"n[1-{MAX_NODES + 1}]")


@given(
    st.integers(1, 60), st.integers(1, 5), st.sampled_from((OLD, NEW)), st.sets(st.integers(1, 60).map("n{}".format))
)
def test_every_living_node_gets_the_request_once_and_every_dead_one_is_named(number, width, version, dead):
    machine, hops = sender(number, width, version), []
    travel(machine, version, dead, hops)
    assert sorted(hops) == sorted(set(names_of(number)) - dead)
    assert by_node(machine) == {name: FAILED if name in dead else PING for name in names_of(number)}


@pytest.mark.parametrize("version", (OLD, NEW))
def test_ten_thousand_nodes_take_little_time(version):
    started_s = time.thread_time()
    machine, hops = sender(10_000, 16, version), []
    travel(machine, version, {"n1", "n5000"}, hops)
    assert len(hops) == 9_998
    assert time.thread_time() - started_s < 5


def test_a_frame_for_a_branch_keeps_credential_and_body_and_names_the_first_sender():
    caller, header = Address("10.0.0.1", 44806), Forward("n3", 9000, 2, count=1)
    frame = Frame(1011, OLD, body=b"body", forward=Forward("n[2-3]", 20_000, 2, count=2), ret_list=[])
    first = onward(frame, Send("n2", header, 9000), caller)
    assert (first.body, first.auth, first.forward, first.orig_addr) == (b"body", frame.auth, header, caller)
    second = onward(first, Send("n3", None, 9000), Address("10.0.0.12", 50000))
    assert (second.forward, second.orig_addr) == (None, caller)


def test_a_branch_header_survives_the_wire():
    (send, _) = sender(4, version=NEW).start(0.0)
    no_credential = 0x40
    frame = onward(Frame(1008, NEW, flags=no_credential), send, Address("10.0.0.1", 1))
    read = decode_frame(encode_frame(frame)[4:])
    assert read.forward == send.forward
    assert read.orig_addr == frame.orig_addr
