"""A controller that is told to end hands over first: nobody has to notice that it is gone, and clients do not."""

import socket
import threading

import pytest

from actors.net.listener import Listener
from flurm.raft import election
from tests.application.controllers import until
from tests.application.three import NAMES, Submitters, Three

ELECTION_MS = [2500, 5000]
"""So long that whatever waits for an election timeout is seen to."""


REQUEST = b"\0\0\0\4abcd"


@pytest.fixture
def cluster(tmp_path):
    with Three(tmp_path, raft_election_timeout=ELECTION_MS) as three:
        yield three


@pytest.fixture
def listener():
    listener = Listener("127.0.0.1", 0, max_message=1000)
    listener.open()
    yield listener
    listener.close()


def test_a_rolling_restart_costs_clients_no_error_and_no_election_timeout(cluster, monkeypatch):
    waited, handed_over = [], 0
    ask = election.ask_beforehand
    monkeypatch.setattr(election, "ask_beforehand", lambda me: (waited.append(me.member), ask(me)))
    term = cluster.term("c1")
    with Submitters(cluster, NAMES) as clients:
        for name in NAMES:
            handed_over += cluster.leader(name) == name
            cluster.restart(name)
            taken = len(clients.acknowledged)
            until(lambda taken=taken: len(clients.acknowledged) > taken + 50)
    print(f"{len(clients.acknowledged)} jobs, longest gap {clients.longest_gap_ms():.0f} ms")
    assert clients.failed == []
    assert {cluster.term(name) for name in NAMES} == {term + handed_over}, "each term began with a transfer"
    assert waited == []
    assert clients.longest_gap_ms() < ELECTION_MS[0] / 2
    ids = [job_id for _, job_id in clients.acknowledged]
    assert len(ids) == len(set(ids)) and set(ids) == cluster.client("c2").jobs().keys()


def is_refused(address):
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_who_is_connected_is_answered_and_who_comes_later_is_refused(listener):
    client = socket.create_connection(listener.address, timeout=5)
    client.sendall(REQUEST[:5])
    until(lambda: listener.waiting() or listener.next(0.0))
    left = []
    leaving = threading.Thread(target=lambda: left.append(listener.leave(20.0)))
    leaving.start()
    until(lambda: is_refused(listener.address))
    client.sendall(REQUEST[5:])
    arrival = until(lambda: listener.next(0.1))
    assert (arrival.data, left) == (REQUEST[4:], []), "it is waited for until it has been answered"
    listener.served(arrival)
    leaving.join(20)
    assert left == [True]


def test_a_client_that_says_nothing_is_not_waited_for_and_one_that_never_ends_not_for_ever(listener):
    silent, endless = (socket.create_connection(listener.address, timeout=5) for _ in range(2))
    with silent, endless:
        until(lambda: listener.waiting() == 2 or listener.next(0.0))
        endless.sendall(REQUEST[:5])
        until(lambda: listener.memory.held)
        assert not listener.leave(0.3)
        endless.close()
        assert listener.leave(20.0)
        assert listener.waiting() == 1


def test_a_controller_of_several_that_is_starting_sends_clients_elsewhere():
    listener = Listener("127.0.0.1", 0, max_message=1000, waits=False)
    try:
        assert is_refused(listener.address)
        listener.open()
        assert not is_refused(listener.address)
    finally:
        listener.close()
