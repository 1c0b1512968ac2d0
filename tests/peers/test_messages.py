"""Raft messages between controllers: order, lanes, members that go and come back, bounds."""

from __future__ import annotations

import socket
import threading
import time

import msgspec
import pytest

from actors.net.peers import PeerGone, wire
from actors.net.peers.connection import Pace
from actors.net.peers.frames import Lane
from flurm.raft.messages import InstallSnapshot, RequestVote
from tests.peers.world import Deaf, World, heartbeat, piece, until


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as made:
        yield made


def test_what_is_sent_arrives_once_and_in_order(world):
    a, b = world.pair()
    for number in range(2000):
        a.peers.send("b", heartbeat("a", number))
    until(lambda: len(b.got) >= 2000, "all came")
    assert b.numbers() == list(range(2000))
    assert set(b.senders) == {"a"}


def test_a_message_comes_out_as_it_went_in(world):
    a, b = world.pair()
    sent = [RequestVote("a", 7, 12, 6, pre=True), piece("a", 5, size=300_000), heartbeat("a", 1)]
    for each in sent:
        a.peers.send("b", each)
    until(lambda: len(b.got) == 3, "all came")
    assert sorted(b.got, key=repr) == sorted(sent, key=repr)


def test_a_snapshot_that_is_being_read_holds_up_no_heartbeat(world):
    a, b = world.pair()
    heartbeat_came = threading.Event()
    in_time = []

    def deliver(sender, message):
        if isinstance(message, InstallSnapshot):
            in_time.append(heartbeat_came.wait(10.0))
        else:
            heartbeat_came.set()

    b.deliver = deliver
    for number in range(24):
        a.peers.send("b", piece("a", number))
    a.peers.send("b", heartbeat("a"))
    until(lambda: len(in_time) == 24, "the snapshot came")
    assert all(in_time)


def test_heartbeats_arrive_while_other_threads_compute(world):
    a, b = world.pair()
    came_s: dict[int, float] = {}
    b.deliver = lambda sender, message: came_s.setdefault(message.round, time.monotonic())
    stop = threading.Event()
    busy = [threading.Thread(target=_compute, args=(stop,)) for _ in range(2)]
    for each in busy:
        each.start()
    sent_s = []
    for number in range(20):
        sent_s.append(time.monotonic())
        a.peers.send("b", heartbeat("a", number))
        until(lambda number=number: number in came_s, "it came")
    stop.set()
    for each in busy:
        each.join()
    delays_s = sorted(came_s[number] - sent_s[number] for number in range(20))
    assert delays_s[10] < 0.3, "half of the heartbeats took longer than the longest election timeout"


def _compute(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(1000))


def test_a_member_that_comes_back_is_found_again(world):
    a, b = world.pair()
    b.peers.close()
    until(lambda: not a.is_connected_to("b"), "it is missed")
    again = world.member("b", port=b.address[1])
    world.acquaint(again, also={"a": "{}:{}".format(*a.address)})

    def arrives():
        a.peers.send("b", heartbeat("a"))
        return again.got

    until(arrives, "it hears again")
    until(lambda: a.is_connected_to("b"), "all lanes are open again")
    assert a.peers.status()["b"].lanes["raft"].connects == 2


def test_sending_to_a_member_that_is_away_neither_raises_nor_piles_up(world):
    a = world.member("a")
    world.acquaint(a, also={"b": "127.0.0.2:1"})
    for number in range(1000):
        a.peers.send("b", heartbeat("a", number))
    lane = a.peers.status()["b"].lanes["raft"]
    assert (lane.connected, lane.waiting <= 16, lane.dropped >= 900) == (False, True, True)
    a.peers.send("nobody", heartbeat("a"))


def test_a_member_that_does_not_read_costs_no_more_than_its_queue(world):
    deaf, a, c = Deaf(world, "b"), world.member("a"), world.member("c")
    world.acquaint(a, c, also={"b": deaf.address})
    until(lambda: Lane.BULK in deaf.let_in and a.is_connected_to("c"), "they are connected")
    for number in range(100):
        a.peers.send("b", piece("a", number))
    lane = a.peers.status()["b"].lanes["bulk"]
    assert lane.waiting <= 32
    assert lane.dropped >= 50
    a.peers.send("c", heartbeat("a"))
    until(lambda: c.got, "another member hears all the same")


def test_a_silent_member_is_taken_for_gone(world, monkeypatch):
    hurried = msgspec.structs.replace(wire.LIMITS[Lane.RAFT], pace=Pace(0.1, 0.4))
    monkeypatch.setitem(wire.LIMITS, Lane.RAFT, hurried)
    deaf, a = Deaf(world, "b"), world.member("a")
    world.acquaint(a, also={"b": deaf.address})
    until(lambda: deaf.let_in.count(Lane.RAFT) >= 2, "the lane was made anew")
    assert a.peers.status()["b"].heard_s_ago is None


def test_who_is_no_member_any_more_is_hung_up_on(world):
    a, b = world.pair()
    b.peers.set_members({})
    until(lambda: not a.is_connected_to("b"), "it is hung up on")
    for number in range(10):
        a.peers.send("b", heartbeat("a", number))
    assert b.got == []
    b.peers.set_members({"a": "{}:{}".format(*a.address)})

    def arrives():
        a.peers.send("b", heartbeat("a"))
        return b.got

    until(arrives, "a member again, it is heard")


def test_taking_a_member_off_the_list_waits_for_nobody(world, monkeypatch):
    monkeypatch.setattr(wire, "HANDSHAKE_S", 60.0)
    silent = world.open.enter_context(socket.create_server(("127.0.0.2", 0)))
    a = world.member("a")
    world.acquaint(a, also={"b": "{}:{}".format(*silent.getsockname())})
    world.open.enter_context(silent.accept()[0])
    began_s = time.monotonic()
    a.peers.set_members({})
    assert time.monotonic() - began_s < 30
    with pytest.raises(PeerGone):
        a.peers.call("b", "x", b"", 60)


def test_a_member_that_moved_is_called_where_it_is_now(world):
    a, b = world.pair()
    b.peers.close()
    moved = world.member("b")
    world.acquaint(moved, also={"a": "{}:{}".format(*a.address)})
    a.peers.set_members({"b": "{}:{}".format(*moved.address)})
    until(lambda: a.is_connected_to("b"), "it is found")
    a.peers.send("b", heartbeat("a", 3))
    until(lambda: moved.numbers() == [3], "it hears")


def test_an_actor_that_cannot_take_a_message_costs_no_connection(world):
    a, b = world.pair()
    kept = b.deliver

    def fails_once(sender, message):
        b.deliver = kept
        raise RuntimeError("nobody is there")

    b.deliver = fails_once
    a.peers.send("b", heartbeat("a", 1))
    a.peers.send("b", heartbeat("a", 2))
    until(lambda: b.numbers() == [2], "the next one comes")
    assert a.peers.status()["b"].lanes["raft"].connects == 1


def test_figures_tell_what_passed(world):
    a, b = world.pair()
    a.peers.send("b", heartbeat("a"))
    until(lambda: b.got, "it came")
    out, into = a.peers.status()["b"], b.peers.status()["a"]
    assert out.lanes["raft"].sent >= 1
    assert out.lanes["raft"].bytes_sent > 20
    assert into.lanes["raft"].received == 1
    assert into.heard_s_ago is not None
    assert into.certificate_until_s > time.time()
    assert a.peers.certificate_until_s > time.time()
