"""What node agents do: one task, one node, one RPC, in a thread of the node manager's pool.

`tasks_of` breaks an effect into tasks, `is_wanted` asks the state whether a task still makes sense, `carry_out` does it
and says what came of it as commands. Node daemons take every task twice without harm.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import structlog

from actors.net import rpc
from flurm.bridge import config_files, launch
from flurm.core import commands as c
from flurm.core.effects import Effect, LaunchBatch, NotifyJob, PingNodes, RebootNode, SignalJob, TerminateJob
from flurm.core.enums import JobState, NodeFlag, NodeState
from flurm.core.job_records import Job
from flurm.core.node_records import Node
from flurm.core.reboots import must_be_told
from flurm.core.records import Cluster
from flurm.storage.errors import StorageError
from protocol.constants import MessageType
from protocol.errors import ProtocolError
from protocol.messages import ShutdownRequest
from protocol.versions import OLDEST, Version

AGENTS = 16
SHUTDOWN_THREADS = 16
TERMINATE_AGAIN_S = 30.0
_UNKNOWN = (OLDEST, Version.V23_02, Version.V24_11)
"""A daemon hangs up on versions that it does not know; each release from 22.05 on knows one of these."""

log = structlog.get_logger(__name__)


class Kind(enum.Enum):
    """What a task is about."""

    PROLOG = "prolog"
    LAUNCH = "launch"
    TERMINATE = "terminate"
    SIGNAL = "signal"
    NOTIFY = "notify"
    PING = "ping"
    REGISTER = "register"
    RECONFIGURE = "reconfigure"
    REBOOT = "reboot"
    HEALTH = "health"


class Task(msgspec.Struct, frozen=True):
    """Something to tell one node; equal tasks are the same task."""

    kind: Kind
    node: str
    job_id: int = 0
    restarts: int = 0
    signal: SignalJob | None = None
    text: str = ""


class Sent(msgspec.Struct, frozen=True):
    """What came of a task."""

    task: Task
    attempt: int
    reached: bool
    done: bool
    commands: tuple[c.AnyCommand, ...] = ()
    error: str = ""
    retry_after_s: float | None = None
    duration_us: int = 0


def tasks_of(effect: Effect, cluster: Cluster, *, prologs: bool = False) -> list[Task]:
    """The tasks of an effect, one for each node that it concerns; `prologs`: a launch begins with one on each node."""
    match effect:
        case LaunchBatch(job_id):
            job = cluster.jobs.get(job_id)
            if job is None or not job.batch_host:
                return []
            before = [Task(Kind.PROLOG, name, job_id, job.restarts) for name in job.node_names] if prologs else []
            return [*before, Task(Kind.LAUNCH, job.batch_host, job_id, job.restarts)]
        case TerminateJob(job_id, nodes):
            job = cluster.jobs.get(job_id)
            restarts = job.restarts if job else 0
            return [Task(Kind.TERMINATE, name, job_id, restarts) for name in nodes]
        case SignalJob(job_id, nodes):
            return [Task(Kind.SIGNAL, name, job_id, signal=effect) for name in nodes]
        case NotifyJob(job_id, text):
            job = cluster.jobs.get(job_id)
            return [Task(Kind.NOTIFY, job.batch_host, job_id, text=text)] if job and job.batch_host else []
        case PingNodes(nodes):
            return [Task(Kind.PING, name) for name in nodes]
        case RebootNode(name):
            return [Task(Kind.REBOOT, name)]
    return []


def is_wanted(task: Task, cluster: Cluster, *, again: bool = False) -> bool:
    """Whether the state still asks for this, or asks `again` after a first attempt."""
    node = cluster.nodes.get(task.node)
    if node is None:
        return False
    job = cluster.jobs.get(task.job_id)
    match task.kind:
        case Kind.PROLOG:
            return job is not None and job.state is JobState.RUNNING and job.restarts == task.restarts
        case Kind.LAUNCH:
            if job is None or (job.restarts, job.batch_host) != (task.restarts, task.node):
                return False  # a launch that failed and waits to be tried again, of a run that is no more
            return job.state is JobState.RUNNING and job.launch == "wanted"
        case Kind.TERMINATE:
            if job is None or job.completing >> node.index & 1:
                return True
            return job.id not in node.jobs and (not again or node.state is NodeState.DOWN or job.id in node.lost)
        case Kind.NOTIFY:
            return job is not None and job.state is JobState.RUNNING
        case Kind.SIGNAL:
            return job is not None and job.state in (JobState.RUNNING, JobState.SUSPENDED)
        case Kind.REBOOT:
            return must_be_told(node)
    return True


class Agents:
    """Threads that carry tasks out; what a simulation puts in their place has the same two methods."""

    def __init__(self, env: dict[str, Any]) -> None:
        self._env = env
        self._pool = ThreadPoolExecutor(AGENTS, thread_name_prefix="flurm-node-agent")

    def start(self, task: Task, attempt: int, cluster: Cluster, tell: Callable[[Sent], None]) -> None:
        """Have a task carried out, and `tell` called with what came of it."""
        self._pool.submit(carry_out, task, attempt, cluster, self._env, tell)

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def carry_out(task: Task, attempt: int, cluster: Cluster, env: dict[str, Any], tell: Callable[[Sent], None]) -> None:
    """Do a task and tell the node manager what came of it; runs in an agent's thread and never raises.

    `env` may have a `clock` in the place of the module `time`, and a `call_node` in the place of `rpc.call`.
    """
    clock = env.get("clock", time)
    began_s = clock.monotonic()
    sent = _attempt(task, attempt, cluster, env)
    tell(msgspec.structs.replace(sent, duration_us=int((clock.monotonic() - began_s) * 1e6)))


def _now_s(env: dict[str, Any]) -> int:
    return int(env.get("clock", time).time())


def _attempt(task: Task, attempt: int, cluster: Cluster, env: dict[str, Any]) -> Sent:
    try:
        return _DO[task.kind](task, attempt, cluster, cluster.nodes[task.node], env)
    except rpc.Unreachable as error:
        return Sent(task, attempt, reached=False, done=False, error=str(error))
    except (ProtocolError, StorageError) as error:
        log.error("node task failed", task=task.kind.value, node=task.node, job=task.job_id, reason=str(error))
        return Sent(task, attempt, reached=True, done=False, error=str(error))
    except Exception as error:
        log.exception("node agent crashed", task=task.kind.value, node=task.node, job=task.job_id)
        return Sent(task, attempt, reached=True, done=False, error=repr(error), retry_after_s=10.0)


def _version(node: Node) -> int:
    """A node is spoken to in the version it registered with."""
    return node.facts.protocol_version if node.facts and node.facts.protocol_version else OLDEST


def _call(node: Node, msg_type: int, record: Any, env: dict[str, Any], version: int | None = None) -> rpc.Answer:
    config = env["config"]
    address = (node.address or node.hostname or node.name, node.port)
    call: Callable[..., rpc.Answer] = env.get("call_node", rpc.call)
    return call(
        address, msg_type, record, version=version or _version(node), signer=env["signer"],
        timeout_s=config.message_timeout,
    )  # fmt: skip


def _prolog(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    """Have a job's prolog run. The daemon's launch waits for it; it runs once however often it is asked for."""
    version = _version(node)
    record = launch.prolog_launch(
        cluster.jobs[task.job_id], cluster, version=version, signer=env["launch_signer"], now_s=_now_s(env)
    )
    answer = _call(node, MessageType.REQUEST_LAUNCH_PROLOG, record, env)
    verdict = launch.verdict_of(answer.msg_type, answer.body)
    if verdict.error is not None:
        log.warning("prolog not launched", job=task.job_id, node=node.name, reason=verdict.error)
    return Sent(task, attempt, reached=True, done=not verdict.retry, error=verdict.error or "")


def _launch(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    job = cluster.jobs[task.job_id]
    record = launch.batch_launch(
        job, cluster, version=_version(node), blobs=env["store"].blobs, config=env["config"],
        signer=env["launch_signer"], now_s=_now_s(env),
    )  # fmt: skip
    answer = _call(node, MessageType.REQUEST_BATCH_JOB_LAUNCH, record, env)
    verdict = launch.verdict_of(answer.msg_type, answer.body)
    now_s = _now_s(env)
    if verdict.retry:
        return Sent(task, attempt, reached=True, done=False, error=verdict.error or "busy")
    done = c.LaunchDone(now_s=now_s, job_id=job.id, restarts=job.restarts, error=verdict.error)
    if verdict.error is not None:
        log.error("launch refused", job=job.id, node=node.name, reason=verdict.error)
    return Sent(task, attempt, reached=True, done=True, commands=(done,))


def _terminate(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    job: Job | None = cluster.jobs.get(task.job_id)
    if job is None and node.state is NodeState.DOWN and node.flags & NodeFlag.NO_RESPOND:
        return Sent(task, attempt, reached=True, done=True)
    msg_type, record = launch.termination(
        task.job_id,
        job,
        node,
        version=_version(node),
        now_s=_now_s(env),
        cluster=cluster,
        signer=env["launch_signer"],
    )
    answer = _call(node, msg_type, record, env)
    if launch.is_already_gone(answer.msg_type, answer.body):
        command = c.EpilogDone(now_s=_now_s(env), job_id=task.job_id, node=node.name)
        return Sent(task, attempt, reached=True, done=True, commands=(command,))
    return Sent(task, attempt, reached=True, done=job is None, retry_after_s=TERMINATE_AGAIN_S)


def _signal(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    assert task.signal is not None
    record = launch.signal(cluster.jobs[task.job_id], task.signal, version=_version(node))
    _call(node, MessageType.REQUEST_SIGNAL_TASKS, record, env)
    return Sent(task, attempt, reached=True, done=True)


def _notify(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    """Pass a user's words on to the job; what does not arrive now is not said later."""
    try:
        _call(node, MessageType.REQUEST_JOB_NOTIFY, launch.notice(task.job_id, task.text), env)
    except rpc.Unreachable as error:
        return Sent(task, attempt, reached=False, done=True, error=str(error))
    return Sent(task, attempt, reached=True, done=True)


def _ping(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    if node.facts is None or node.state is not NodeState.IDLE:
        return _register(task, attempt, cluster, node, env)
    _call(node, MessageType.REQUEST_PING, None, env)
    return Sent(task, attempt, reached=True, done=True)


def _register(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    """Ask a daemon to register; one that never did is asked in one version after the other until it answers."""
    versions = [_version(node)] if node.facts else list(_UNKNOWN)
    while True:
        try:
            _call(node, MessageType.REQUEST_NODE_REGISTRATION_STATUS, None, env, versions.pop(0))
            return Sent(task, attempt, reached=True, done=True)
        except rpc.NoAnswer:
            if not versions:
                raise


def _reconfigure(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    """Tell a daemon that there is a new configuration; it registers anew and gives no answer. One that is away reads it
    when it comes back."""
    msg_type, record = config_files.tidings(env.get("config_files"), _version(node))
    try:
        _call(node, msg_type, record, env)
    except rpc.NoAnswer:
        log.debug("node reconfigures", node=node.name)
    except rpc.Unreachable as error:
        log.info("node not told of the new configuration", node=node.name, reason=str(error))
        return Sent(task, attempt, reached=False, done=True, error=str(error))
    return Sent(task, attempt, reached=True, done=True)


def tell_sackds(env: dict[str, Any]) -> None:
    """Give the auth daemons that have asked for them the new files; those that do not answer are left alone."""
    files = env.get("config_files")
    if files is None:
        return
    call: Callable[..., rpc.Answer] = env.get("call_node", rpc.call)
    for address, version in env["sackds"].known():
        msg_type, record = config_files.tidings_for_sackd(files, version)
        try:
            timeout_s = env["config"].message_timeout
            call(address, msg_type, record, version=version, signer=env["signer"], timeout_s=timeout_s)
        except rpc.NoAnswer:
            log.debug("sackd reconfigures", host=address[0])
        except (rpc.Unreachable, ProtocolError) as error:
            log.info("sackd not told of the new configuration", host=address[0], reason=str(error))


def _reboot(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    """Tell a daemon to reboot its node; it gives no answer. One that cannot be reached is told when it can."""
    assert node.reboot is not None
    try:
        _call(node, MessageType.REQUEST_REBOOT_NODES, launch.reboot(node), env)
    except rpc.NoAnswer:
        log.debug("node reboots", node=node.name)
    told = c.RebootTold(now_s=_now_s(env), name=node.name, issued_s=node.reboot.issued_s)
    return Sent(task, attempt, reached=True, done=True, commands=(told,))


def _health(task: Task, attempt: int, cluster: Cluster, node: Node, env: dict[str, Any]) -> Sent:
    """Have a node checked; one that is away has its turn again later."""
    try:
        _call(node, MessageType.REQUEST_HEALTH_CHECK, None, env)
    except rpc.Unreachable as error:
        return Sent(task, attempt, reached=False, done=True, error=str(error))
    return Sent(task, attempt, reached=True, done=True)


def shut_down(cluster: Cluster, env: dict[str, Any]) -> None:
    """Tell every node daemon to end; those that do not answer are left alone."""

    def tell(node: Node) -> None:
        try:
            _call(node, MessageType.REQUEST_SHUTDOWN, ShutdownRequest(), env)
        except rpc.NoAnswer:
            log.debug("node shuts down", node=node.name)
        except (rpc.Unreachable, ProtocolError) as error:
            log.info("node not told to shut down", node=node.name, reason=str(error))

    with ThreadPoolExecutor(SHUTDOWN_THREADS, thread_name_prefix="flurm-shutdown") as pool:
        list(pool.map(tell, (node for node in cluster.nodes.values() if node.is_up)))


_DO = {
    Kind.PROLOG: _prolog,
    Kind.LAUNCH: _launch,
    Kind.TERMINATE: _terminate,
    Kind.SIGNAL: _signal,
    Kind.NOTIFY: _notify,
    Kind.PING: _ping,
    Kind.REGISTER: _register,
    Kind.RECONFIGURE: _reconfigure,
    Kind.REBOOT: _reboot,
    Kind.HEALTH: _health,
}
