"""The daemon's own processes die, and nobody outside notices."""

import time

import pytest

from actors.net import rpc
from actors.node_daemon.application import NodeDaemon
from flurm.config import load
from protocol.constants import MessageType
from protocol.messages.nodes import PingResponse
from tests.node_daemon.conftest import Cluster
from tests.node_daemon.controller import PATIENCE_S


class InProcess(Cluster):
    """The daemon as an object of this process instead of a program."""

    def start(self, *more):
        overrides = {
            "munge_key": str(self.key),
            "slurmd.node_name": "n1",
            "slurmd.slurmd_port": self.port,
            "slurmd.spool_dir": str(self.place / "spool"),
            "slurmd.controllers": [f"{host}:{port}" for host, port in self.controllers],
        }
        self.daemon = NodeDaemon(lambda: load(self.config, overrides=overrides), bind="127.0.0.1")
        self.daemon.start()

    def ping(self):
        """Ask until somebody answers."""
        give_up_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return rpc.call(
                    self.node.address, MessageType.REQUEST_PING, None, version=0x2A00, signer=self.signer, timeout_s=1
                ).body
            except rpc.Unreachable:
                assert time.monotonic() < give_up_s

    def stop(self, signum=0):
        self.daemon.stop()
        return 0

    def close(self):
        self.process = self
        super().close()

    def poll(self):
        return None


@pytest.fixture
def cluster():
    cluster = InProcess()
    cluster.start()
    yield cluster
    cluster.close()


@pytest.mark.parametrize("name", ["flurmd_steps", "flurmd_reporter", "flurmd_registrar"])
def test_a_running_job_is_reported_whichever_process_crashes_meanwhile(cluster, name):
    up, go = cluster.fifo("up"), cluster.fifo("go")
    cluster.launch(7, "echo ready > up; cat go; exit 9")
    up.read_text()
    before = cluster.daemon.system.whereis(name)
    cluster.daemon.system.crash(name)
    give_up_s = time.monotonic() + PATIENCE_S
    while cluster.daemon.system.whereis(name) in (None, before):
        assert time.monotonic() < give_up_s
        time.sleep(0.01)
    go.write_text("on\n")
    assert cluster.ended(7).job_rc == 9 << 8


def test_requests_are_served_again_after_the_pool_of_handlers_was_killed(cluster):
    assert cluster.daemon.system.kill("flurmd_handler_pool")
    assert isinstance(cluster.ping(), PingResponse)
