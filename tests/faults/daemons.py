"""A controller and its node daemon as real processes, and a client that speaks the wire without libslurm.

`Daemons` owns a directory, a configuration with free loopback ports, and whatever was started from it. Everything that
waits has a deadline, and says what it waited for when that has passed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.net import rpc
from protocol.auth import MungeKey, Signer
from protocol.constants import JobState, MessageType
from protocol.messages import JobDescription, JobInfo, JobInfoRequest, ReturnCode, SubmitResponse
from protocol.schema import Record
from protocol.versions import Version

PATIENCE_S = 30.0
ENDED = frozenset(range(JobState.COMPLETE, JobState.OOM + 1))
BASE_STATE = 0xFF


class Refused(Exception):
    """The controller answered with an error number instead."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self.code = code


class Client:
    """Asks a controller on behalf of a user."""

    def __init__(self, address: tuple[str, int], signer: Signer, version: int = Version.V24_11) -> None:
        self.address = address
        self.signer = signer
        self.version = version

    def ask(self, msg_type: int, record: Record | None = None, timeout_s: float = PATIENCE_S) -> Any:
        """The body of the answer. Raises rpc.Unreachable, Refused for an error number."""
        answer = rpc.call(self.address, msg_type, record, version=self.version, signer=self.signer, timeout_s=timeout_s)
        if isinstance(answer.body, ReturnCode) and answer.body.return_code:
            raise Refused(answer.body.return_code)
        return answer.body

    def ping(self, timeout_s: float = PATIENCE_S) -> None:
        """Have the controller answer."""
        self.ask(MessageType.REQUEST_PING, timeout_s=timeout_s)

    def submit(self, script: str, timeout_s: float = PATIENCE_S, **fields: Any) -> int:
        """Submit a shell script; returns the id once the job is acknowledged."""
        body = self.ask(MessageType.REQUEST_SUBMIT_BATCH_JOB, description(script, **fields), timeout_s)
        assert isinstance(body, SubmitResponse), body
        return body.job_id

    def jobs(self) -> dict[int, JobInfo]:
        """All jobs that the controller knows, by id."""
        body = self.ask(MessageType.REQUEST_JOB_INFO, JobInfoRequest())
        return {job.job_id: job for job in body.jobs}


def description(script: str, **fields: Any) -> JobDescription:
    """A job of one task that runs `script` in the shell and keeps no output."""
    given: dict[str, Any] = {
        "name": "fault",
        "script": "#!/bin/sh\n" + script + "\n",
        "environment": ["PATH=/usr/local/bin:/usr/bin:/bin"],
        "work_dir": "/tmp",
        "std_in": "/dev/null",
        "std_out": "/dev/null",
        "std_err": "/dev/null",
        "user_id": os.getuid(),
        "group_id": os.getgid(),
        "num_tasks": 1,
        "min_cpus": 1,
        "min_nodes": 1,
        "time_limit": 10,
    }
    return JobDescription(**(given | fields))


class Daemons:
    """One cluster of one machine; `with Daemons() as cluster` starts and, whatever happened, ends it."""

    def __init__(self, place: Path | None = None, wrap: tuple[str, ...] = (), **settings: Any) -> None:
        self.place = place or Path(tempfile.mkdtemp(prefix="flurm-faults-"))
        self.state_dir = self.place / "state"
        self.spool = self.place / "spool"
        self.config = self.place / "flurm.toml"
        self.log = self.place / "controller.log"
        self.controller: subprocess.Popen[bytes] | None = None
        self.wrap = wrap
        secret = secrets.token_bytes(64)
        key = self.place / "munge.key"
        key.write_bytes(secret)
        key.chmod(0o600)
        ports = free_ports(4)
        self.address = ("127.0.0.1", ports[0])
        self.node_port = ports[1]
        self.http_port = ports[2]
        self.signer = Signer(MungeKey(secret), os.getuid(), os.getgid())
        self.client = Client(self.address, self.signer)
        lines = {
            "cluster_name": "faults",
            "slurmctld_host": "127.0.0.1",
            "slurmctld_port": ports[0],
            "slurmd_port": ports[1],
            "http_port": ports[2],
            "raft_port": ports[3],
            "state_dir": str(self.state_dir),
            "log_dir": str(self.place / "log"),
            "spool_dir": str(self.spool),
            "munge_key": str(key),
            **settings,
        }
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
        self.config.write_text(f"[flurm]\n{text}\n[flurm.slurmd]\ncpus = 20\nmemory = 2000\n")

    def __enter__(self) -> Daemons:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, *words: str, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run a `flurm` command to its end."""
        command = [sys.executable, "-m", "flurm.cli.main", *words]
        environment = {**os.environ, "FLURM_CONF": str(self.config)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)

    def start(self) -> None:
        """Start the controller (and with it the node daemon) and wait until it answers."""
        with self.log.open("ab") as log:
            program = [sys.executable, "-m", "flurm.cli.main", "foreground", "--config", str(self.config)]
            command = [*self.wrap, *program]
            self.controller = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.await_that("the controller answers", self._answers)

    def _answers(self) -> bool:
        assert self.controller is not None
        assert self.controller.poll() is None, f"the controller ended:\n{self.log.read_text()[-4000:]}"
        try:
            self.client.ping(2.0)
        except (rpc.Unreachable, Refused):
            return False
        return True

    def kill_controller(self) -> None:
        """kill -9."""
        assert self.controller is not None
        self.controller.kill()
        self.controller.wait()

    def node_pid(self) -> int | None:
        """The process number of the node daemon, None while there is none."""
        try:
            pid = int((self.spool / "slurmd" / "flurmd.pid").read_text())
            return pid if is_running(pid) else None
        except (OSError, ValueError):
            return None

    def kill_node(self) -> int:
        """kill -9 of the node daemon; returns its process number."""
        pid = self.node_pid()
        assert pid is not None, f"there is no node daemon\n{self.tail()}"
        os.kill(pid, signal.SIGKILL)
        self.await_that("the node daemon is gone", lambda: not is_running(pid))
        return pid

    def await_node(self) -> None:
        """Wait until the node daemon has registered."""
        self.await_that("a node is up", lambda: self.ask_http("/health").get("nodes", {}).get("up") == 1)

    def await_that(self, what: str, holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Wait until `holds` gives something true, and return it."""
        deadline_s = time.monotonic() + patience_s
        while not (result := holds()):
            if time.monotonic() > deadline_s:
                raise AssertionError(f"waited {patience_s:g} s for: {what}\n{self.tail()}")
            time.sleep(0.02)
        return result

    def await_end(self, job_ids: set[int], patience_s: float = PATIENCE_S) -> dict[int, JobInfo]:
        """Wait until all these jobs have ended; returns the jobs by id."""

        def all_ended() -> dict[int, JobInfo] | None:
            with contextlib.suppress(rpc.Unreachable, Refused):
                jobs = self.client.jobs()
                missing = job_ids - jobs.keys()
                assert not missing, f"lost: {sorted(missing)}"
                if all((jobs[job_id].job_state & BASE_STATE) in ENDED for job_id in job_ids):
                    return jobs
            return None

        return self.await_that("all jobs have ended", all_ended, patience_s)

    def ask_http(self, path: str, method: str = "GET") -> Any:
        """JSON from the HTTP application; on the control socket where it is `/control/...`."""
        return json.loads(self.fetch(path, method))

    def evaluate(self, expression: str) -> Any:
        """What an expression gives in the running controller."""
        answer = json.loads(self.fetch("/control/eval", "POST", json.dumps({"source": expression, "json": True})))
        assert answer["error"] is None, answer["error"]
        return answer["value"]

    def fetch(self, path: str, method: str = "GET", body: str | None = None) -> str:
        """The text that the HTTP application answers with."""
        connection: http.client.HTTPConnection
        if path.startswith("/control/"):
            connection = _Control(self.state_dir / "flurm.sock")
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            return connection.getresponse().read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """A figure of /metrics; 0 where it has not been counted yet."""
        shown = ",".join(f'{key}="{value}"' for key, value in labels.items())
        prefix = f"{name}{{{shown}}} " if shown else f"{name} "
        lines = self.fetch("/metrics").splitlines()
        return next((float(line.removeprefix(prefix)) for line in lines if line.startswith(prefix)), 0.0)

    def tail(self, size: int = 6000) -> str:
        """The end of the logs, for the message of a failure."""
        logs = [self.log, self.place / "log" / "flurmd.log"]
        return "\n".join(f"--- {path.name}\n{path.read_text()[-size:]}" for path in logs if path.exists())

    def close(self) -> None:
        """End both daemons and the jobs that are left, and remove the directory."""
        if self.controller is not None and self.controller.poll() is None:
            self.controller.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.controller.wait(10)
            self.controller.kill()
            self.controller.wait()
        node = self.node_pid()
        if node is not None:
            os.kill(node, signal.SIGTERM)
            with contextlib.suppress(AssertionError):
                self.await_that("the node daemon ends", lambda: not is_running(node), 10)
        for pid in self._left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.place, ignore_errors=True)

    def _left(self) -> list[int]:
        """Processes of jobs of this cluster: their command lines name its directory."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(self.place).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found


class _Control(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self._path))


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody uses."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def is_running(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
