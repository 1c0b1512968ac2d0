import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from actors.net import rpc
from protocol.auth import MungeKey, Signer
from protocol.constants import MessageType
from tests.node_daemon.controller import PATIENCE_S, FakeController, Node, kill, launch

USER = pwd.getpwnam("daemon") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


class Cluster:
    """A fake controller, one flurmd on a spool of its own, and a directory that jobs may write to."""

    def __init__(self, newest: int | None = None) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="flurmd-"))
        self.place.chmod(0o755)
        self.work = self.place / "work"
        self.work.mkdir()
        os.chown(self.work, USER.pw_uid, USER.pw_gid)
        self.key = self.place / "munge.key"
        secret = secrets.token_bytes(64)
        self.key.write_bytes(secret)
        self.key.chmod(0o600)
        self.signer = Signer(MungeKey(secret), os.getuid(), os.getgid())
        self.name = "n1"
        self.controller = FakeController(self.signer, **({} if newest is None else {"newest": newest}))
        self.controllers = [self.controller.address]
        self.config = self.place / "flurm.toml"
        self.config.write_text(f'[flurm]\nstate_dir = "{self.place}/state"\nkill_wait = 1\n')
        self.port = free_port()
        self.node = Node(("127.0.0.1", self.port), self.signer)
        self.log = self.place / "flurmd.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.jobs: set[int] = set()

    def command(self, *more: str) -> list[str]:
        controllers = [word for host, port in self.controllers for word in ("--controller", f"{host}:{port}")]
        argv = [sys.executable, "-m", "flurm.cli.flurmd", "-D", "--config", str(self.config), "-N", self.name]
        argv += controllers
        argv += ["--port", str(self.port), "--bind", "127.0.0.1", "--spool-dir", str(self.place / "spool")]
        return [*argv, "--munge-key", str(self.key), "--cpus", "2", "--memory", "512", "--log-level", "debug", *more]

    def share_key(self, other: "Cluster") -> None:
        """Belong to the same cluster as another."""
        self.key.write_bytes(other.key.read_bytes())
        self.signer = self.controller.signer = self.node.signer = other.signer

    def start(self, *more: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(*more), stdout=log, stderr=log)
        self.await_ready()

    def await_ready(self) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.node.ask(MessageType.REQUEST_PING)
                return
            except rpc.Unreachable:
                assert self.process is not None and self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline_s, self.log.read_text()
                time.sleep(0.02)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(signum)
        return self.process.wait(PATIENCE_S)

    def launch(self, job_id: int, script: str, **changes: object) -> int:
        self.jobs.add(job_id)
        record = launch(job_id, script, str(self.work), USER.pw_uid, USER.pw_gid, **changes)
        return self.node.code(MessageType.REQUEST_BATCH_JOB_LAUNCH, record)

    def ended(self, job_id: int) -> object:
        """How the daemon reports that a job ended."""
        return self.controller.wait_for(MessageType.REQUEST_COMPLETE_BATCH_SCRIPT, job_id).record

    def output(self, job_id: int) -> str:
        return (self.work / f"slurm-{job_id}.out").read_text()

    def fifo(self, name: str) -> Path:
        """A named pipe: whoever reads waits for whoever writes."""
        path = self.work / name
        os.mkfifo(path)
        path.chmod(0o666)
        return path

    def close(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.start()
        for job_id in self.jobs:
            self.node.ask(MessageType.REQUEST_ABORT_JOB, kill(job_id))
        self.stop()
        self.controller.close()
        shutil.rmtree(self.place)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def cluster():
    cluster = Cluster()
    cluster.start()
    yield cluster
    cluster.close()


@pytest.fixture
def stopped_cluster():
    cluster = Cluster()
    yield cluster
    cluster.close()
