"""Nodes that were given a token, and nothing else: who gets the cluster's key, and who does not."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from actors.net.joining import tokens
from actors.net.joining.asking import JoinFailed, fetch_key
from actors.net.joining.tokens import read
from flurm import tls
from flurm.config import munge_key_path
from flurm.console.join_tokens import JoinTokens
from flurm.console.refused import Refused
from flurm.tls.files import CA, CERTIFICATE, KEY
from protocol.auth.tokens import TokenKey
from tests.application.controllers import free_ports, running, until
from tests.application.three import KEY as SHARED_KEY
from tests.application.three import NAMES, Three


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    (port,) = free_ports(1)
    with running(tmp_path_factory.mktemp("controller"), join_port=port) as application:
        yield application


@contextlib.contextmanager
def flurmd(place, token, name):
    """A node daemon of a machine where nothing of the cluster is but this token in a file."""
    place.mkdir(exist_ok=True)
    (place / "token").write_text(token + "\n")
    (place / "flurm.toml").write_text(f'[flurm]\nstate_dir = "{place}/state"\nlog_dir = "{place}/log"\n')
    words = f"--config {place}/flurm.toml --foreground --token {place}/token --node-name {name} --bind 127.0.0.1"
    words += f" --port {free_ports(1)[0]} --spool-dir {place}/spool --cpus 2 --memory 500"
    command = [sys.executable, "-m", "flurm.cli.flurmd", *words.split()]
    with (place / "out").open("w") as out:
        daemon = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        yield daemon
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)


def is_up(controller, name):
    node = controller.system.terms["cluster"].nodes.get(name)
    return node is not None and node.is_schedulable


def test_a_node_with_a_token_joins_and_needs_it_only_once(controller, tmp_path):
    made = JoinTokens(controller.system)
    token = made.create(ttl_s=600, uses=1)
    with flurmd(tmp_path / "a", token, "guest1"):
        until(lambda: is_up(controller, "guest1"), 30)
        key = tmp_path / "a" / "state" / "munge.key"
        assert key.read_bytes() == Path(munge_key_path(controller.config)).read_bytes()
        assert key.stat().st_mode & 0o777 == 0o600
    (row,) = [each for each in made.list() if each["token"] == read(token).id]
    assert (row["uses_left"], row["joined"]) == (0, "guest1")
    with flurmd(tmp_path / "b", token, "guest2") as second:
        assert second.wait(30) == 1
    assert "this token has been used as often as it may be, by guest1" in (tmp_path / "b" / "out").read_text()
    made.revoke(read(token).id)
    with flurmd(tmp_path / "a", token, "guest1") as again:
        until(lambda: "registered" in (tmp_path / "a" / "out").read_text(), 30)
        assert again.poll() is None


def test_what_does_not_hold_is_refused_with_its_reason(controller):
    made = JoinTokens(controller.system)
    token = made.create()
    claims = read(token)
    other = tokens.seal(TokenKey(secrets.token_bytes(32)), claims, time.time())
    with pytest.raises(JoinFailed, match="not made with this cluster's key"):
        fetch_key(claims, other, "n")
    late = tokens.seal(controller.join_door.key, msgspec.structs.replace(claims, expires_s=1), time.time())
    with pytest.raises(JoinFailed, match="token expired"):
        fetch_key(claims, late, "n")
    unknown = tokens.seal(controller.join_door.key, msgspec.structs.replace(claims, id="no such"), time.time())
    with pytest.raises(JoinFailed, match="this token was revoked, or has expired"):
        fetch_key(claims, unknown, "n")
    with pytest.raises(JoinFailed, match="expected the name of a node"):
        fetch_key(claims, token, "../n")
    made.revoke(claims.id)
    with pytest.raises(JoinFailed, match="this token was revoked"):
        fetch_key(claims, token, "n")


class Impostor:
    """Listens where a controller should, with a certificate of its own making, and notes what it is told."""

    def __init__(self, place, cluster):
        authority = tls.Authority.of(tls.new_authority(cluster, now_s=time.time(), days=9))
        issued = tls.issue(authority, "c1", now_s=time.time(), days=9)
        tls.write(place, tls.Bundle.of_controller(authority, issued))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(place / CERTIFICATE, place / KEY)
        self.authorities = tokens.authorities_of(str(place / CA))
        self.told = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.door = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            plain, _ = self.socket.accept()
            with plain, self.context.wrap_socket(plain, server_side=True) as connection:
                self.told.append(connection.recv(1000))

    def close(self):
        self.thread.join(20)
        self.socket.close()


@pytest.mark.parametrize("trusted", [False, True], ids=["another authority", "another cluster of that authority"])
def test_a_token_is_shown_to_nobody_but_a_controller_of_the_cluster(controller, tmp_path, trusted):
    token = JoinTokens(controller.system).create()
    impostor = Impostor(tmp_path / "impostor", "another")
    claims = msgspec.structs.replace(read(token), doors=(impostor.door,))
    if trusted:
        claims = msgspec.structs.replace(claims, authorities=impostor.authorities)
    with pytest.raises(JoinFailed, match="certificate"):
        fetch_key(claims, token, "n", patience_s=0)
    impostor.close()
    assert impostor.told in ([], [b""])


def test_any_of_three_controllers_makes_a_token_good_and_the_leader_gives_the_key(tmp_path):
    (port,) = free_ports(1)
    with Three(tmp_path, join_port=port) as cluster:
        with pytest.raises(Refused, match="this controller does not lead: do it on c1"):
            JoinTokens(cluster.controllers["c2"].system).create()
        token = JoinTokens(cluster.controllers["c1"].system).create(uses=2)
        claims = read(token)
        assert len(claims.doors) == 3 and fetch_key(claims, token, "n1") == SHARED_KEY
        terms = [cluster.controllers[name].system.terms for name in NAMES]
        until(lambda: len({each["cluster_index"] for each in terms}) == 1)  # who lacks an entry is not elected
        cluster.controllers["c3"].system.env["members"].take_over()
        until(lambda: {cluster.leader(name) for name in NAMES} == {"c3"})
        assert fetch_key(claims, token, "n2") == SHARED_KEY, "c1 and c2 send it on"
        with pytest.raises(JoinFailed, match="as often as it may be, by n1, n2"):
            fetch_key(claims, token, "n3")


def test_without_join_port_nobody_joins_with_a_token(tmp_path):
    with running(tmp_path) as application, pytest.raises(Refused, match="set join_port on every controller"):
        JoinTokens(application.system).create()
