"""What a node daemon does with each request: one function per message, found in `SERVED`.

A function gets the exchange and the daemon's environment and returns a `Response`, or None where Slurm closes the
connection without a word. Whoever asks must be root, SlurmUser or the user that the daemon runs as, except for
requests in `OPEN`, and for those in `OWNERS`, which a job's owner may make as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import structlog

from actors.node_daemon import messages as m
from actors.node_daemon import registration, reports, usage
from actors.node_daemon.registrar import REGISTER
from actors.node_daemon.settings import VERSIONS, Settings
from flurm.node import from_wire, inventory
from flurm.node.programs import JobFacts, epilog_environment, prolog_environment
from flurm.node.spec import SignalTarget
from flurm.otp import SystemPort
from protocol.auth import CredentialError, Identity, MalformedCredential, TokenKey
from protocol.constants import JOB_STATE_BASE, NO_VAL, JobState, KillFlag, MessageType
from protocol.credential import open_launch_credential
from protocol.errno import Errno
from protocol.frame import Frame
from protocol.hostlist import expand
from protocol.messages.credentials import CredentialBody, LaunchCredential
from protocol.messages.job_control import JobNotify
from protocol.messages.launch import BatchLaunch, KillJob, PrologLaunch, SignalTasks, SuspendStep
from protocol.messages.nodes import RebootRequest
from protocol.messages.replies import ReturnCode
from protocol.messages.steps import StepPids, StepStat
from protocol.schema import Record

CALL_TIMEOUT_S = 10.0
BATCH_STEP = 0xFFFFFFFB
RESUME = 1
REASONS: dict[int, str] = {
    MessageType.REQUEST_KILL_TIMELIMIT: "DUE TO TIME LIMIT",
    MessageType.REQUEST_KILL_PREEMPTED: "DUE TO PREEMPTION",
}
STATE_REASONS: dict[int, str] = {
    JobState.PENDING: "DUE TO JOB REQUEUE",
    JobState.TIMEOUT: "DUE TO TIME LIMIT",
    JobState.NODE_FAIL: "DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS",
    JobState.PREEMPTED: "DUE TO PREEMPTION",
}
"""What a job's output says about its end, by the state that the controller has given it."""

log = structlog.get_logger(__name__)


class Exchange(msgspec.Struct):
    """An authentic, decoded request."""

    frame: Frame
    identity: Identity
    record: Any


class Response(NamedTuple):
    """What to answer."""

    msg_type: int
    body: Record


def code(number: int) -> Response:
    """RESPONSE_SLURM_RC."""
    return Response(MessageType.RESPONSE_SLURM_RC, ReturnCode(return_code=int(number)))


def answer(exchange: Exchange, system: SystemPort) -> Response | None:
    """Serve a request. Raises OtpError where the process that would do it is not there."""
    msg_type = exchange.frame.msg_type
    serve = SERVED.get(msg_type)
    if serve is None:
        return code(Errno.ESLURM_PROTOCOL_INCOMPLETE_PACKET)
    settings: Settings = system.env["settings"]
    if exchange.identity.uid in settings.trusted_uids:
        if msg_type not in OPEN:
            system.env["controllers"].heard()
    elif msg_type not in OPEN and not (msg_type in OWNERS and _is_owner(exchange, system)):
        log.warning("request refused", message=msg_type, uid=exchange.identity.uid)
        return code(Errno.ESLURM_USER_ID_MISSING)
    return serve(exchange, system)


def _is_owner(exchange: Exchange, system: SystemPort) -> bool:
    owner = system.call(m.STEPS, m.OwnerOf(exchange.record.step_id.job_id), CALL_TIMEOUT_S)
    return owner is not None and owner == exchange.identity.uid


def _ping(exchange: Exchange, system: SystemPort) -> Response:
    return Response(MessageType.RESPONSE_PING_SLURMD, registration.ping(system.env["settings"]))


def _register(exchange: Exchange, system: SystemPort) -> Response:
    """The controller wants to know: tell it in a message of its own, after this answer."""
    system.cast(m.REGISTRAR, REGISTER)
    return _ping(exchange, system)


def _nothing_to_do(exchange: Exchange, system: SystemPort) -> Response:
    return code(0)


def _launch_prolog(exchange: Exchange, system: SystemPort) -> Response:
    record: PrologLaunch = exchange.record
    settings: Settings = system.env["settings"]
    credential = _proven(record.slurm_cred, exchange, exchange.frame.version, system)
    if credential is None:
        return code(Errno.ESLURMD_INVALID_JOB_CREDENTIAL)
    job_id = record.job_id or credential.step_id.job_id
    if not settings.programs.prolog:
        system.cast(m.REPORTER, reports.prolog_complete(job_id, settings.node_name))
        return code(0)
    facts = from_wire.job_facts(credential, work_dir=record.work_dir)
    allocated_s = credential.ctime or int(time.time())
    request = m.Prepare(job_id, facts.restart_count, facts.uid, _prolog(facts, settings), allocated_s)
    return code(system.call(m.STEPS, request, CALL_TIMEOUT_S))


def _prolog(facts: JobFacts, settings: Settings) -> dict[str, str]:
    return prolog_environment(facts, settings.node_name, settings.cluster_name, settings.programs.slurm_conf)


def _launch_batch(exchange: Exchange, system: SystemPort) -> Response:
    record: BatchLaunch = exchange.record
    settings: Settings = system.env["settings"]
    credential = _proven(record.cred, exchange, record.cred_version or exchange.frame.version, system)
    if credential is None:
        return code(Errno.ESLURMD_INVALID_JOB_CREDENTIAL)
    record.cred = LaunchCredential(credential=credential)
    job_id = record.job_id or credential.step_id.job_id
    hosts = expand(record.nodes or credential.job_hostlist or settings.node_name)
    if job_id != credential.step_id.job_id or settings.node_name not in hosts:
        log.error("launch credential is not for this job and node", job=job_id, nodes=record.nodes)
        return code(Errno.ESLURMD_INVALID_JOB_CREDENTIAL)
    spec = from_wire.launch_spec(
        record,
        cluster_name=settings.cluster_name,
        node_index=hosts.index(settings.node_name),
        core_cpus=system.env["core_cpus"],
    )
    allocated_s = credential.ctime or int(time.time())
    facts = from_wire.job_facts(credential, work_dir=record.work_dir)
    return code(system.call(m.STEPS, m.Launch(spec, allocated_s, _prolog(facts, settings)), CALL_TIMEOUT_S))


def _proven(
    credential: LaunchCredential, exchange: Exchange, version: int, system: SystemPort
) -> CredentialBody | None:
    """What a launch credential says; None where it is signed by nobody who may. Only tokens are always signed: others
    travel from the controller itself, and who sent them has been checked."""
    key = system.env["authority"].launch_key
    if credential.token is None and not isinstance(key, TokenKey) and not (credential.signature and key):
        return credential.credential
    try:
        if key is None:
            raise MalformedCredential("a token, but nobody signs launch credentials here")
        return open_launch_credential(credential, version, key, time.time())
    except CredentialError as error:
        log.error("launch credential is not genuine", message=exchange.frame.msg_type, reason=str(error))
        return None


def _signal_tasks(exchange: Exchange, system: SystemPort) -> Response:
    record: SignalTasks = exchange.record
    reached = False
    if record.flags & KillFlag.JOB_BATCH or record.step_id.step_id in (NO_VAL, BATCH_STEP):
        request = m.Signal(record.step_id.job_id, record.signal, signal_target(record))
        reached = system.call(m.STEPS, request, CALL_TIMEOUT_S)
    return code(0 if reached else Errno.ESLURM_INVALID_JOB_ID)


def signal_target(record: SignalTasks) -> SignalTarget | None:
    """Whom a signal to a job or its batch step is for. One to the job as such is for its other steps, none of which
    run here: seen with slurmd, neither the batch script nor its children get it."""
    if record.flags & KillFlag.JOB_BATCH:
        return SignalTarget.SCRIPT
    if record.flags & KillFlag.FULL_JOB or record.step_id.step_id == BATCH_STEP:
        return SignalTarget.ALL
    return None


def _terminate(exchange: Exchange, system: SystemPort) -> Response:
    record: KillJob = exchange.record
    msg_type = exchange.frame.msg_type
    settings: Settings = system.env["settings"]
    grace_s = 0 if msg_type == MessageType.REQUEST_ABORT_JOB else settings.kill_wait_s
    reason = REASONS.get(msg_type) or STATE_REASONS.get(record.job_state & JOB_STATE_BASE, "")
    request = _with_epilog(m.Terminate(record.step_id.job_id, grace_s, reason, record.time), exchange, system)
    fate = system.call(m.STEPS, request, CALL_TIMEOUT_S)
    return code(Errno.ESLURMD_KILL_JOB_ALREADY_COMPLETE if fate is m.Fate.GONE else 0)


def _with_epilog(request: m.Terminate, exchange: Exchange, system: SystemPort) -> m.Terminate:
    """What the epilog is told comes with the order to end the job, in its credential; an order without is all that an
    unknown job gets."""
    record: KillJob = exchange.record
    settings: Settings = system.env["settings"]
    if not record.has_slurm_cred or not settings.programs.epilog:
        return request
    credential = _proven(record.slurm_cred, exchange, exchange.frame.version, system)
    if credential is None:
        return request
    facts = from_wire.job_facts(credential, work_dir=record.work_dir)
    environment = epilog_environment(
        facts, settings.node_name, settings.cluster_name, settings.programs.slurm_conf,
        exit_status=record.exit_code, derived_status=record.derived_ec,
    )  # fmt: skip
    return msgspec.structs.replace(
        request,
        epilog=environment,
        started_s=record.start_time,
        restart_count=facts.restart_count,
        uid=facts.uid,
    )


def _suspend(exchange: Exchange, system: SystemPort) -> Response:
    record: SuspendStep = exchange.record
    job_id = record.job_id or record.step_id.job_id
    reached = system.call(m.STEPS, m.Suspend(job_id, record.op == RESUME), CALL_TIMEOUT_S)
    return code(0 if reached else Errno.ESLURMD_JOB_NOTRUNNING)


def _notify(exchange: Exchange, system: SystemPort) -> Response:
    record: JobNotify = exchange.record
    reached = system.call(m.STEPS, m.Notify(record.step_id.job_id, record.message or ""), CALL_TIMEOUT_S)
    return code(0 if reached else Errno.ESLURM_INVALID_JOB_ID)


def _status(exchange: Exchange, system: SystemPort) -> Response:
    env = system.env
    hardware = registration.shape(env["settings"], inventory.hardware())
    steps = system.call(m.STEPS, m.ListSteps(), CALL_TIMEOUT_S)
    body = registration.status(
        env["settings"], hardware, steps, VERSIONS[0], started_s=env["started_s"],
        heard_s=int(env["controllers"].heard_s), pid=os.getpid(),
    )  # fmt: skip
    return Response(MessageType.RESPONSE_SLURMD_STATUS, body)


def _step_stat(exchange: Exchange, system: SystemPort) -> Response:
    settings: Settings = system.env["settings"]
    step = exchange.record
    running = system.call(m.STEPS, m.ListSteps(), CALL_TIMEOUT_S)
    key = next((key for key in running if (key.job_id, key.step_id) == (step.job_id, step.step_id)), None)
    pids = usage.step_pids(settings.spool_dir, key) if key else []
    if not pids:
        return code(Errno.ESLURM_INVALID_JOB_ID)
    where = StepPids(node_name=settings.node_name, pid=pids)
    if exchange.frame.msg_type == MessageType.REQUEST_JOB_STEP_PIDS:
        return Response(MessageType.RESPONSE_JOB_STEP_PIDS, where)
    used = reports.accounting(usage.of_processes(pids), named=True)
    return Response(MessageType.RESPONSE_JOB_STEP_STAT, StepStat(num_tasks=1, jobacct=used, step_pids=where))


def _check_health(exchange: Exchange, system: SystemPort) -> Response:
    system.env["upkeep"].check_health()
    return code(0)


def _reboot(exchange: Exchange, system: SystemPort) -> None:
    """Run the site's program; the controller waits for no answer, and the program ends this daemon by itself."""
    record: RebootRequest | None = exchange.record
    system.env["upkeep"].reboot(record.features or "" if record is not None else "")
    if system.env["settings"].shuts_down_on_reboot:
        system.env["shutdown"]()


def _reconfigure(exchange: Exchange, system: SystemPort) -> None:
    system.env["reconfigure"]()


def _shutdown(exchange: Exchange, system: SystemPort) -> None:
    log.info("shutdown requested", uid=exchange.identity.uid)
    system.env["shutdown"]()


SERVED: dict[int, Callable[[Exchange, SystemPort], Response | None]] = {
    MessageType.REQUEST_PING: _ping,
    MessageType.REQUEST_NODE_REGISTRATION_STATUS: _register,
    MessageType.REQUEST_HEALTH_CHECK: _check_health,
    MessageType.REQUEST_REBOOT_NODES: _reboot,
    MessageType.REQUEST_ACCT_GATHER_UPDATE: _nothing_to_do,
    MessageType.REQUEST_LAUNCH_PROLOG: _launch_prolog,
    MessageType.REQUEST_BATCH_JOB_LAUNCH: _launch_batch,
    MessageType.REQUEST_SIGNAL_TASKS: _signal_tasks,
    MessageType.REQUEST_TERMINATE_TASKS: _signal_tasks,
    MessageType.REQUEST_TERMINATE_JOB: _terminate,
    MessageType.REQUEST_KILL_TIMELIMIT: _terminate,
    MessageType.REQUEST_KILL_PREEMPTED: _terminate,
    MessageType.REQUEST_ABORT_JOB: _terminate,
    MessageType.REQUEST_SUSPEND_INT: _suspend,
    MessageType.REQUEST_JOB_NOTIFY: _notify,
    MessageType.REQUEST_DAEMON_STATUS: _status,
    MessageType.REQUEST_JOB_STEP_STAT: _step_stat,
    MessageType.REQUEST_JOB_STEP_PIDS: _step_stat,
    MessageType.REQUEST_RECONFIGURE: _reconfigure,
    MessageType.REQUEST_RECONFIGURE_WITH_CONFIG: _reconfigure,
    MessageType.REQUEST_SHUTDOWN: _shutdown,
}
OPEN = frozenset(
    {
        MessageType.REQUEST_PING,
        MessageType.REQUEST_DAEMON_STATUS,
        MessageType.REQUEST_JOB_STEP_STAT,
        MessageType.REQUEST_JOB_STEP_PIDS,
    }
)
OWNERS = frozenset(
    {MessageType.REQUEST_SIGNAL_TASKS, MessageType.REQUEST_TERMINATE_TASKS, MessageType.REQUEST_JOB_NOTIFY}
)
