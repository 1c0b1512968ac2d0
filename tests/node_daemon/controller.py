"""A controller for tests: takes requests of a node daemon, keeps them, answers; and calls the daemon."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from actors.net import rpc
from protocol.auth import Signer, authenticate
from protocol.codec import decode_body
from protocol.constants import NO_VAL, JobState, MessageType
from protocol.credential import NodeCores, credential_body, unsigned
from protocol.exchange import make_reply
from protocol.frame import FrameReader, decode_frame
from protocol.messages.common import StepId, UserIdentity
from protocol.messages.launch import BatchLaunch, KillJob
from protocol.messages.nodes import NodeRegistrationResponse
from protocol.messages.replies import ReturnCode
from protocol.schema import Record
from protocol.versions import Version

PATIENCE_S = 20.0
BATCH_STEP = 0xFFFFFFFB


class Heard(NamedTuple):
    """A request of the daemon."""

    msg_type: int
    version: int
    record: Any


Answering = Callable[[Heard], tuple[int, Record] | None]


class FakeController:
    """Listens on a port of its own; `answers` may be replaced, and is asked before the ordinary answer is given."""

    def __init__(self, signer: Signer, host: str = "127.0.0.1", newest: int = Version.V26_05) -> None:
        self.signer = signer
        self.newest = newest
        self.heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self.seen: list[Heard] = []
        self.answers: Answering | None = None
        self._listener = socket.create_server((host, 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Be gone."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def wait_for(self, msg_type: int, job_id: int | None = None, patience_s: float = PATIENCE_S) -> Heard:
        """The next request of a type (about a job); what came before it stays for others."""
        deadline_s = time.monotonic() + patience_s
        while True:
            for heard in self.seen:
                if heard.msg_type == msg_type and job_id in (None, getattr(heard.record, "job_id", None)):
                    self.seen.remove(heard)
                    return heard
            self.seen.append(self.heard.get(timeout=max(deadline_s - time.monotonic(), 0.001)))

    def drain(self, msg_type: int) -> list[Heard]:
        """All requests of a type that have come so far."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.seen.append(self.heard.get_nowait())
        found = [heard for heard in self.seen if heard.msg_type == msg_type]
        self.seen = [heard for heard in self.seen if heard.msg_type != msg_type]
        return found

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            reader = FrameReader()
            while (data := reader.next_frame()) is None:
                received = connection.recv(65536)
                if not received:
                    return
                reader.feed(received)
            frame = decode_frame(data)
            if frame.version > self.newest:
                return
            authenticate(frame, self.signer.key, time.time())
            heard = Heard(frame.msg_type, frame.version, decode_body(frame.msg_type, frame.body, frame.version))
            reply = self._answer(heard)
            if reply is not None:
                connection.sendall(make_reply(frame, *reply, signer=self.signer, now_s=time.time()))
            self.heard.put(heard)

    def _answer(self, heard: Heard) -> tuple[int, Record] | None:
        if self.answers is not None:
            return self.answers(heard)
        if heard.msg_type == MessageType.MESSAGE_EPILOG_COMPLETE:
            return None
        if heard.msg_type == MessageType.MESSAGE_NODE_REGISTRATION_STATUS and heard.record.flags & 2:
            return MessageType.RESPONSE_NODE_REGISTRATION, NodeRegistrationResponse(tres_list=[])
        return MessageType.RESPONSE_SLURM_RC, ReturnCode()


class Node:
    """The daemon as a controller sees it."""

    def __init__(self, address: tuple[str, int], signer: Signer, version: int = Version.V24_11) -> None:
        self.address = address
        self.signer = signer
        self.version = version

    def ask(self, msg_type: int, record: Record | None = None, version: int | None = None) -> rpc.Answer:
        """A request and its answer."""
        return rpc.call(self.address, msg_type, record, version=version or self.version, signer=self.signer)

    def code(self, msg_type: int, record: Record | None = None) -> int:
        """A request and the number that it is answered with."""
        body = self.ask(msg_type, record).body
        assert isinstance(body, ReturnCode)
        return body.return_code


def launch(
    job_id: int, script: str, work_dir: str, uid: int, gid: int, restarts: int = 0, **changes: Any
) -> BatchLaunch:
    """A batch launch as a controller makes it, for node n1."""
    identity = UserIdentity(uid=uid, gid=gid, pw_name=None, pw_dir="/", pw_shell="/bin/sh", gids=[gid])
    body = credential_body(
        step_id=StepId(job_id=job_id, step_id=BATCH_STEP, step_het_comp=NO_VAL),
        identity=identity,
        job_nodes="n1",
        step_nodes="n1",
        cores=[NodeCores(sockets=1, cores_per_socket=1, job_mask=1, step_mask=1, cpus=1)],
        ctime_s=int(time.time()),
        ntasks=1,
        restart_count=restarts,
    )
    environment = ["PATH=/usr/local/bin:/usr/bin:/bin", "SLURM_JOB_NAME=test"]
    given: dict[str, Any] = {
        "job_id": job_id,
        "uid": uid,
        "gid": gid,
        "gids": [gid],
        "array_task_id": NO_VAL,
        "het_job_id": 0,
        "restart_cnt": restarts,
        "num_cpu_groups": 1,
        "cpus_per_node": [1],
        "cpu_count_reps": [1],
        "nodes": "n1",
        "script": "#!/bin/sh\n" + script,
        "work_dir": work_dir,
        "std_in": "/dev/null",
        "argc": 0,
        "envc": len(environment),
        "environment": environment,
        "cred_version": Version.V24_11,
        "cred": unsigned(body, Version.V24_11),
    }
    return BatchLaunch(**(given | changes))


def kill(job_id: int, state: int = JobState.CANCELLED, ago_s: int = 0) -> KillJob:
    """A termination as a controller makes it, decided so long ago."""
    return KillJob(step_id=whole(job_id), time=int(time.time()) - ago_s, nodes="n1", job_state=state)


def whole(job_id: int, step_id: int = NO_VAL) -> StepId:
    """A job, or one of its steps."""
    return StepId(job_id=job_id, step_id=step_id, step_het_comp=NO_VAL)
