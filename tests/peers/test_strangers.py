"""Whoever is not a controller of this cluster gets nothing but a closed connection, and holds nobody up."""

from __future__ import annotations

import os
import socket
import time

import pytest
import structlog

from actors.net.peers import frames, wire
from actors.net.peers.complaints import Complaints
from actors.net.peers.door import MOST_STRANGERS
from actors.net.peers.frames import Hello, Lane
from flurm import tls
from flurm.tls import CertificateError, making
from tests.peers.world import World, greet, heartbeat, says_nothing, until


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as made:
        yield made


@pytest.fixture
def told(monkeypatch):
    """Reasons in the log."""
    reasons = []
    monkeypatch.setattr(Complaints, "tell", lambda self, event, *key, **fields: reasons.append((event, fields)))
    return lambda words: any(words in str(fields.get("reason")) for _, fields in reasons)


def hello(**changes):
    values = {"oldest": 1, "newest": 1, "cluster": "test", "sender": "a", "receiver": "b", "lane": Lane.RAFT}
    return Hello(**(values | changes))


def lonely(world, name="b"):
    """A controller that knows a member `a` which is not there."""
    member = world.member(name)
    world.acquaint(member, also={"a": "127.0.0.1:1"})
    return member


def test_a_certificate_of_another_authority_is_refused_on_both_sides(world, told, tmp_path):
    b = world.member("b")
    with World(tmp_path / "other") as other:
        a = other.member("a")
        addresses = {each.name: "{}:{}".format(*each.address) for each in (a, b)}
        for each in (a, b):
            each.peers.set_members(addresses)
            each.peers.start()
        until(lambda: told("CERTIFICATE_VERIFY_FAILED") and told("ALERT"), "both have told")
    assert (a.got, b.got) == ([], [])


def test_an_expired_certificate_is_refused(world, told):
    b = lonely(world)
    old = world.files("a", now_s=time.time() - 10 * making.DAY_S, days=5)
    assert says_nothing(world.call_in(b.address, old))
    until(lambda: told("certificate has expired"), "it was told")


def test_no_certificate_is_refused(world, told):
    b = lonely(world)
    assert says_nothing(world.call_in(b.address, None))
    until(lambda: told("peer did not return a certificate"), "it was told")


def test_another_clusters_certificate_is_refused_even_of_the_same_authority(world, told, monkeypatch):
    b = lonely(world)
    monkeypatch.setattr(making, "controller_uri", lambda cluster, name: f"flurm://other/controller/{name}")
    connection = world.call_in(b.address, world.files("a"))
    assert says_nothing(connection)
    until(lambda: told("of cluster 'other', expected 'test'"), "it was told")


def test_a_certificate_that_is_not_a_controllers_is_refused(world, told, monkeypatch):
    b = lonely(world)
    monkeypatch.setattr(making, "controller_uri", lambda cluster, name: f"flurm://test/node/{name}")
    assert says_nothing(world.call_in(b.address, world.files("a")))
    until(lambda: told("not a controller's"), "it was told")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (hello(cluster="other"), "it is of cluster 'other'"),
        (hello(sender="c"), "calls itself 'c', its certificate is of 'a'"),
        (hello(receiver="c"), "it wants 'c', this is 'b'"),
        (hello(oldest=7, newest=9), "it speaks 7 to 9, this 1 to 1"),
        (frames.Alive(), "expected Hello"),
        (frames.Call(1, "x", b"x" * 5000), "no more than 4096"),
    ],
)
def test_a_member_that_says_something_wrong_gets_no_answer(world, told, said, reason):
    b = lonely(world)
    connection = world.call_in(b.address, world.files("a"))
    greet(connection, said)
    assert says_nothing(connection)
    until(lambda: told(reason), "it was told")


def test_a_controller_that_is_no_member_is_refused(world, told):
    b = lonely(world)
    connection = world.call_in(b.address, world.files("c"))
    greet(connection, hello(sender="c"))
    assert says_nothing(connection)
    until(lambda: told("'c' is not a member"), "it was told")


def test_a_member_is_not_called_by_another_name(world, told):
    a, c = world.member("a"), world.member("c")
    world.acquaint(a, c, also={"b": "{}:{}".format(*c.address)})
    until(lambda: told("its certificate is of 'c', expected 'b'"), "it was told")
    assert not a.is_connected_to("b")


def test_a_message_in_anothers_name_ends_the_connection(world, told):
    a, b = world.pair()
    a.peers.send("b", heartbeat("c", 1))
    until(lambda: told("a message of 'c' came from 'a'"), "it was told")

    def arrives():
        a.peers.send("b", heartbeat("a", 2))
        return b.got

    until(arrives, "it is heard again")
    assert set(b.numbers()) == {2}


@pytest.mark.parametrize("data", [b"GET / HTTP/1.0\r\n\r\n", os.urandom(5000), b"\x16\x03\x01\xff\xff" + bytes(70000)])
def test_garbage_is_closed(world, data):
    b = lonely(world)
    connection = world.open.enter_context(socket.create_connection(b.address))
    try:
        connection.sendall(data)
    except OSError:
        pass  # it did not wait for all of it
    connection.settimeout(20)
    answer = b""
    try:
        while part := connection.recv(100):
            answer += part
    except ConnectionError:
        pass
    assert len(answer) < 10  # no more than a TLS alert


def test_garbage_after_the_handshake_ends_the_connection(world, told):
    b = lonely(world)
    connection = world.call_in(b.address, world.files("a"))
    greet(connection, hello())
    assert wire.read_frame(connection, time.monotonic() + 20) == frames.Welcome(1, "b")
    connection.sendall(b"\xff" * 100)
    until(lambda: told("a frame of 4294967295 bytes"), "it was told")
    assert b.got == []


def test_silent_strangers_keep_no_member_out(world):
    b = world.member("b")
    a = world.member("a")
    b.peers.set_members({"a": "{}:{}".format(*a.address)})
    b.peers.start()
    for _ in range(3 * MOST_STRANGERS):
        world.open.enter_context(socket.create_connection(b.address))
    a.peers.set_members({"b": "{}:{}".format(*b.address)})
    a.peers.start()
    until(lambda: a.is_connected_to("b"), "it was let in")


def test_a_stranger_who_says_nothing_is_hung_up_on_in_time(world, told, monkeypatch):
    monkeypatch.setattr(wire, "HANDSHAKE_S", 0.2)
    b = lonely(world)
    connection = world.open.enter_context(socket.create_connection(b.address))
    assert says_nothing(connection)
    until(lambda: told("timed out"), "it was told")


def test_a_renewed_certificate_holds_for_the_next_connection(world):
    a, b = world.pair()
    before_s = a.peers.status()["b"].certificate_until_s
    world.files("b", days=95)
    b.peers.set_members({})
    b.peers.set_members({"a": "{}:{}".format(*a.address)})
    until(lambda: a.peers.status()["b"].certificate_until_s > before_s, "the new one was shown")


def test_half_a_renewal_is_not_taken(world):
    a, b = world.pair()
    old = (world.place / "b" / "key.pem").read_bytes()
    world.files("b")
    (world.place / "b" / "key.pem").write_bytes(old)
    b.peers.set_members({})
    b.peers.set_members({"a": "{}:{}".format(*a.address)})
    until(lambda: a.is_connected_to("b"), "it is let in with the one from before")


def test_an_authority_is_changed_without_a_gap(world, tmp_path):
    a, b = world.member("a"), world.member("b")
    world.acquaint(a, b)
    with World(tmp_path / "new") as new:
        both = tls.Bundle({"ca.pem": new.authority.pem + world.authority.pem})
        for name in ("a", "b"):
            tls.write(world.place / name, both, force=True)
        world.files("a", authority=new.authority)
        tls.write(world.place / "a", both, force=True)
    for each in (a, b):
        each.peers.set_members({})
    addresses = {each.name: "{}:{}".format(*each.address) for each in (a, b)}
    for each in (a, b):
        each.peers.set_members(addresses)
    until(lambda: a.is_connected_to("b") and b.is_connected_to("a"), "both are let in, each with its own authority")


def test_a_certificate_of_somebody_else_is_refused_at_the_start(world, tmp_path):
    with pytest.raises(CertificateError, match="is the certificate of controller a of cluster test, expected controll"):
        world.member("b", world.files("a"))
    with World(tmp_path / "other") as other:
        (world.place / "b").mkdir()
        files = world.files("b")
        tls.write(world.place / "b", tls.Bundle({"ca.pem": other.authority.pem}), force=True)
        with pytest.raises(CertificateError, match=r"was not issued by .*ca\.pem"):
            world.member("b", files)


def test_what_keeps_happening_is_told_once_a_minute():
    now_s = [0.0]
    complaints = Complaints(lambda: now_s[0])
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            complaints.tell("peer refused", "10.0.0.9", reason="no certificate")
        complaints.tell("peer refused", "10.0.0.8", reason="no certificate")
        now_s[0] = 61.0
        complaints.tell("peer refused", "10.0.0.9", reason="no certificate")
    assert [line.get("repeated", 0) for line in lines] == [0, 0, 4]
