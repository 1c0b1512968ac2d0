"""Controllers' networks in this process: certificates of their own, loopback addresses, and what has come to each."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.net.peers import Answer, Peers, wire
from actors.net.peers.frames import Frame, Hello, Lane, Welcome
from flurm import tls
from flurm.config import TlsFiles
from flurm.raft.messages import AppendEntries, InstallSnapshot, Message
from flurm.raft.records import Configuration

PATIENCE_S = 20.0
HOSTS = {"a": "127.0.0.1", "b": "127.0.0.2", "c": "127.0.0.3"}


def until(holds: Callable[[], Any], what: str = "it happened") -> Any:
    """Wait until `holds` gives something true, and return it."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < deadline_s, f"waited {PATIENCE_S:g} s until {what}"
        time.sleep(0.005)
    return found


def heartbeat(sender: str, number: int = 0) -> AppendEntries:
    return AppendEntries(sender, 1, 0, 0, round=number)


def piece(sender: str, number: int = 0, size: int = 1 << 20) -> InstallSnapshot:
    return InstallSnapshot(sender, 1, 1, 1, Configuration(), number, b"x" * size, False)


class Member:
    """One controller's network; requests are answered backwards unless `serve` says otherwise."""

    def __init__(self, name: str, cluster: str, files: TlsFiles, host: str, port: int = 0) -> None:
        self.name = name
        self.got: list[Message] = []
        self.senders: list[str] = []
        self.deliver: Callable[[str, Message], None] = self._keep
        self.serve: Callable[[str, str, bytes, Answer], None] = lambda sender, kind, payload, answer: answer(
            payload[::-1]
        )
        self.peers = Peers(
            name, cluster, files, host, port,
            deliver=lambda sender, message: self.deliver(sender, message),
            serve=lambda *request: self.serve(*request),
        )  # fmt: skip
        self.address = self.peers.address

    def _keep(self, sender: str, message: Message) -> None:
        self.senders.append(sender)
        self.got.append(message)

    def numbers(self) -> list[int]:
        """The numbers of the heartbeats that came."""
        return [each.round for each in self.got if isinstance(each, AppendEntries)]

    def is_connected_to(self, name: str) -> bool:
        """Whether all lanes to the other one are open."""
        return all(lane.connected for lane in self.peers.status()[name].lanes.values())


class World:
    """`with World(tmp_path) as world`: whatever was made in it is closed at its end."""

    def __init__(self, place: Path, cluster: str = "test") -> None:
        self.place, self.cluster = place, cluster
        self.authority = self._new_authority(place / "ca", cluster)
        self.open: contextlib.ExitStack = contextlib.ExitStack()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.open.close()

    def _new_authority(self, place: Path, cluster: str) -> tls.Authority:
        tls.write(place, tls.Bundle.of_authority(tls.new_authority(cluster, now_s=time.time(), days=100)))
        return tls.read_authority(place)

    def files(self, name: str, *, authority: tls.Authority | None = None, now_s: float = 0, days: int = 90) -> TlsFiles:
        """The certificate of a controller; an existing one is made anew."""
        authority = authority or self.authority
        issued = tls.issue(authority, name, now_s=now_s or time.time(), days=days)
        place = self.place / name
        tls.write(place, tls.Bundle.of_controller(authority, issued), force=True)
        return TlsFiles(*(str(place / each) for each in ("ca.pem", "cert.pem", "key.pem")))

    def member(self, name: str, files: TlsFiles | None = None, port: int = 0, cluster: str | None = None) -> Member:
        """A controller that listens, and knows nobody yet."""
        member = Member(name, cluster or self.cluster, files or self.files(name), HOSTS[name], port)
        self.open.callback(member.peers.close)
        return member

    def acquaint(self, *members: Member, also: dict[str, str] | None = None) -> None:
        """Tell each where the others are, and start them."""
        addresses = {each.name: "{}:{}".format(*each.address) for each in members} | (also or {})
        for each in members:
            each.peers.set_members(addresses)
            each.peers.start()

    def pair(self) -> tuple[Member, Member]:
        """Two that are connected."""
        a, b = self.member("a"), self.member("b")
        self.acquaint(a, b)
        until(lambda: a.is_connected_to("b") and b.is_connected_to("a"), "they are connected")
        return a, b

    def call_in(self, to: tuple[str, int], files: TlsFiles | None) -> ssl.SSLSocket:
        """A TLS connection made by hand, with that certificate or none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if files is not None:
            context.load_cert_chain(files.certificate, files.key)
        plain = self.open.enter_context(socket.create_connection(to, timeout=PATIENCE_S))
        return self.open.enter_context(context.wrap_socket(plain))


def says_nothing(connection: socket.socket) -> bool:
    """Whether the other side closes without a byte."""
    connection.settimeout(PATIENCE_S)
    try:
        return connection.recv(1) == b""
    except OSError as error:
        return not isinstance(error, TimeoutError)


def greet(connection: ssl.SSLSocket, hello: Frame) -> None:
    wire.write_frame(connection, hello, time.monotonic() + PATIENCE_S)


class Deaf:
    """A controller that lets others in and then reads nothing."""

    def __init__(self, world: World, name: str) -> None:
        files = world.files(name)
        self._name = name
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files.certificate, files.key)
        self._context.load_verify_locations(files.ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._door = world.open.enter_context(socket.create_server((HOSTS[name], 0)))
        self.address = "{}:{}".format(*self._door.getsockname())
        self.let_in: list[Lane] = []
        self._held: list[ssl.SSLSocket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._door.accept()
                deadline_s = time.monotonic() + PATIENCE_S
                connection = self._context.wrap_socket(plain, server_side=True)
                hello = wire.read_frame(connection, deadline_s)
                assert isinstance(hello, Hello)
                wire.write_frame(connection, Welcome(1, self._name), deadline_s)
                self._held.append(connection)
                self.let_in.append(hello.lane)
