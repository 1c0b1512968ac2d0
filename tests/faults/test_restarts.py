"""What clients notice of a restart inside the controller: as little as can be."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading

import pytest

from actors.net import rpc
from actors.net.serving import Service
from flurm.otp import GenServer, Ok, System
from protocol.auth import Authority, MungeKey, Signer
from tests.faults.daemons import Daemons, Refused


def kill(cluster: Daemons, name: str) -> None:
    assert cluster.ask_http(f"/control/kill/{name}", "POST")["killed"] == name


@pytest.fixture(scope="module")
def cluster():
    with Daemons() as cluster:
        cluster.await_node()
        yield cluster


def test_a_request_waits_for_a_manager_that_is_being_restarted(cluster):
    for _ in range(5):
        kill(cluster, "flurm_job_manager")
        assert cluster.client.submit("true", priority=0)


def test_who_reads_never_sees_an_older_state_while_the_state_is_restarted():
    with Daemons() as cluster:
        seen = {cluster.client.submit("true", priority=0) for _ in range(200)}
        shrunk: list[set[int]] = []
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                with contextlib.suppress(rpc.Unreachable):
                    missing = seen - cluster.client.jobs().keys()
                    if missing:
                        shrunk.append(missing)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            for victim in ("flurm_state_manager", "flurm_consensus", "flurm_core_sup", "flurm_state_manager"):
                kill(cluster, victim)
                cluster.await_that("submissions go on", lambda: submits(cluster))
        finally:
            stop.set()
            for reader in readers:
                reader.join(30)
        assert shrunk == []


def submits(cluster: Daemons) -> bool:
    try:
        cluster.client.submit("true", priority=0)
    except Refused:
        return False
    return True


def test_processes_are_killed_on_the_control_socket_only(cluster):
    kill(cluster, "flurm_tracer")
    assert "no process" in cluster.fetch("/control/kill/nobody", "POST")
    status, text = over_tcp(cluster, "/control/kill/flurm_sup")
    assert (status, text) == (403, '{"error":"only on the control socket"}')
    cluster.client.ping()


def over_tcp(cluster: Daemons, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", cluster.http_port, timeout=5)
    connection.request("POST", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_garbage_does_not_disturb_the_node_daemon(cluster):
    address = ("127.0.0.1", cluster.node_port)
    for garbage in (b"\xff" * 100, b"\0\0\0\x20" + os.urandom(32), b"\0"):
        with contextlib.closing(socket.create_connection(address)) as connection:
            connection.sendall(garbage)
    job_id = cluster.client.submit("exit 5")
    assert cluster.await_end({job_id})[job_id].exit_code == 5 << 8


class Handler(GenServer):
    def init(self, args):
        return Ok(None)


def test_a_spare_handler_counts_until_it_is_gone_however_it_went():
    signer = Signer(MungeKey(os.urandom(64)), 0, 0)
    service = Service({"authority": Authority(signer)}, {}, handlers=1, handlers_max=3)
    system = System()
    try:
        pids = [system.spawn(Handler) for _ in range(2)]
        for pid in pids:
            assert service.pool.grow(system)
            service.pool.starting -= 1
            service.pool.spare_began(pid)
        assert not service.pool.grow(system)
        system.kill(pids[0])
        assert service.pool.grow(system)
    finally:
        system.stop()


def test_a_single_controller_that_is_called_otherwise_after_a_restart_goes_on():
    with Daemons(controller_name="before", raft_snapshot_interval=10) as cluster:
        jobs = {cluster.client.submit("true", priority=0) for _ in range(15)}
        cluster.await_that("there is a snapshot", lambda: list((cluster.state_dir / "snapshots").glob("*.snap")))
        cluster.kill_controller()
        cluster.config.write_text(cluster.config.read_text().replace("before", "after"))
        cluster.start()
        assert cluster.client.jobs().keys() == jobs
        assert cluster.client.submit("true", priority=0) not in jobs
