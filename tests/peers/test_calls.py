"""Requests from controller to controller, and everything that may become of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from actors.net.peers import FrameError, PeerGone, PeerRefused, PeerTimeout
from tests.peers.world import World, until


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as made:
        yield made


def test_a_request_is_answered(world):
    a, b = world.pair()
    asked = []
    b.serve = lambda sender, kind, payload, answer: (asked.append((sender, kind, payload)), answer(b"yes"))
    assert a.peers.call("b", "submit", b"job", 10) == b"yes"
    assert asked == [("a", "submit", b"job")]


def test_answers_may_come_in_any_order_and_from_any_thread(world):
    a, b = world.pair()
    waiting = []
    b.serve = lambda sender, kind, payload, answer: waiting.append((payload, answer))
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(a.peers.call, "b", "echo", bytes([number]), 10) for number in range(5)]
        until(lambda: len(waiting) == 5, "all have asked")
        for payload, answer in reversed(waiting):
            answer(payload * 2)
        assert [each.result(10) for each in answers] == [bytes([number] * 2) for number in range(5)]


def test_many_threads_call_over_one_connection(world):
    a, _ = world.pair()

    def ask(number: int) -> bool:
        word = f"word {number}".encode()
        return a.peers.call("b", "turn", word, 20) == word[::-1]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))
    assert a.peers.status()["b"].lanes["call"].connects == 1


def test_large_requests_and_answers_pass(world):
    a, _ = world.pair()
    payload = bytes(range(256)) * 40_000
    assert a.peers.call("b", "turn", payload, 20) == payload[::-1]
    with pytest.raises(FrameError):
        a.peers.call("b", "turn", b"x" * (21 << 20), 20)


def test_an_answer_that_is_too_large_becomes_a_failure(world):
    a, b = world.pair()
    b.serve = lambda sender, kind, payload, answer: answer(b"x" * (21 << 20))
    with pytest.raises(PeerRefused, match="too large"):
        a.peers.call("b", "list", b"", 20)


def test_a_failure_is_told_with_its_reason(world):
    a, b = world.pair()
    b.serve = lambda sender, kind, payload, answer: answer.fail("not the leader")
    with pytest.raises(PeerRefused, match="b: not the leader"):
        a.peers.call("b", "submit", b"", 10)


def test_a_crash_while_serving_is_an_answer_and_no_end(world):
    a, b = world.pair()

    def crash(sender, kind, payload, answer):
        raise RuntimeError("a bug")

    b.serve, kept = crash, b.serve
    with pytest.raises(PeerRefused, match="a bug"):
        a.peers.call("b", "submit", b"", 10)
    b.serve = kept
    assert a.peers.call("b", "turn", b"ab", 10) == b"ba"


def test_a_second_answer_changes_nothing(world):
    a, b = world.pair()

    def twice(sender, kind, payload, answer):
        answer(b"first")
        answer(b"second")

    b.serve = twice
    assert [a.peers.call("b", "x", b"", 10) for _ in range(3)] == [b"first"] * 3


def test_no_answer_in_time_says_that_the_request_has_gone(world):
    a, b = world.pair()
    held = []
    b.serve = lambda sender, kind, payload, answer: held.append(answer)
    with pytest.raises(PeerTimeout) as late:
        a.peers.call("b", "x", b"", 0.2)
    assert late.value.sent
    until(lambda: held, "it came")
    held[0](b"too late")
    b.serve = lambda sender, kind, payload, answer: answer(b"next")
    assert a.peers.call("b", "x", b"", 10) == b"next"


def test_a_member_that_dies_midway_may_have_seen_the_request(world):
    a, b = world.pair()
    held = []
    b.serve = lambda sender, kind, payload, answer: held.append(answer)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(a.peers.call, "b", "submit", b"", 20)
        until(lambda: held, "it came")
        b.peers.close()
        with pytest.raises(PeerGone) as gone:
            asking.result(20)
    assert gone.value.sent


def test_a_member_that_is_not_there_has_certainly_not_seen_it(world):
    a = world.member("a")
    world.acquaint(a, also={"b": "127.0.0.2:1"})
    for to in ("b", "b", "nobody"):
        with pytest.raises(PeerGone) as gone:
            a.peers.call(to, "submit", b"", 20)
        assert not gone.value.sent


def test_a_call_ends_with_the_membership(world):
    a, b = world.pair()
    asked = threading.Event()
    b.serve = lambda sender, kind, payload, answer: asked.set()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(a.peers.call, "b", "submit", b"", 20)
        assert asked.wait(20)
        a.peers.set_members({})
        with pytest.raises(PeerGone):
            asking.result(20)
