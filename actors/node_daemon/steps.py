"""Steps of the node: owns the launcher and knows of every job here whether it runs, has ended, or is being ended.

Calls    Launch -> Errno | 0, Terminate -> Fate, Signal, Suspend, Notify -> bool, OwnerOf -> uid | None,
         ListSteps -> tuple[StepKey]
Casts    Resend, Acknowledged(key), EpilogDelivered(job_id)
Infos    the launcher's StepStarted, StepEnded, StepFailedToStart
Effects  starts, signals and ends steps; hands reports to the reporter

An ended step stays in the spool until a controller has acknowledged its end and has then ended the job, so that a
launch that arrives twice runs once. A file `reported` beside it says that the first of the two has happened.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import msgspec
import structlog

from actors.node_daemon import messages as m
from actors.node_daemon import reports
from actors.node_daemon.settings import Settings
from flurm.node import spool
from flurm.node.launcher import Launcher
from flurm.node.plan import LaunchRefusedError
from flurm.node.spec import FinishedStep, StepEnded, StepFailedToStart, StepKey, StepStarted
from flurm.otp import GenServer, NoReply, Ok, Reply, Sender
from protocol.errno import Errno

REPORTED = "reported"
REMEMBERED = 10_000
SWEEP_S = 600.0
FORGET_AFTER_S = 3600.0

log = structlog.get_logger(__name__)


class Job(msgspec.Struct):
    """One job here: what runs of it, what has ended and is not yet known to a controller, and whether it must end."""

    uid: int
    running: set[StepKey] = msgspec.field(default_factory=set)
    unacknowledged: dict[StepKey, m.Ended] = msgspec.field(default_factory=dict)
    acknowledged: set[StepKey] = msgspec.field(default_factory=set)
    ending: bool = False


class State(msgspec.Struct):
    """All jobs; `over` remembers steps that the spool has forgotten, `revoked` when a job was last told to end."""

    launcher: Launcher
    settings: Settings
    jobs: dict[int, Job] = msgspec.field(default_factory=dict)
    over: OrderedDict[StepKey, None] = msgspec.field(default_factory=OrderedDict)
    revoked: OrderedDict[int, int] = msgspec.field(default_factory=OrderedDict)


class Steps(GenServer):
    """The one process that starts and ends what runs here."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        settings: Settings = self.system.env["settings"]
        pid, system = self.pid, self.system
        launcher = Launcher(
            settings.spool_dir,
            settings.node_name,
            lambda event: system.info(pid, event),
            working_cluster=self.system.env.get("working_cluster", ""),
        )
        launcher.start()
        state = State(launcher, settings)
        self._recover(state)
        self._resend(state)
        self.send_after(SWEEP_S, "sweep")
        return Ok(state)

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply:
        match request:
            case m.Launch():
                return Reply(self._launch(request, state), state)
            case m.Terminate():
                return Reply(self._terminate(request, state), state)
            case m.Signal():
                return Reply(self._signal(request, state), state)
            case m.Suspend(job_id, resume):
                return Reply((state.launcher.resume if resume else state.launcher.suspend)(job_id), state)
            case m.Notify():
                return Reply(state.launcher.notify(request.job_id, request.text), state)
            case m.OwnerOf(job_id):
                job = state.jobs.get(job_id)
                return Reply(job.uid if job else None, state)
            case m.ListSteps():
                return Reply(tuple(self._steps(state)), state)
        raise NotImplementedError(f"{request!r}")

    def handle_cast(self, message: Any, state: State) -> NoReply:
        match message:
            case m.Resend():
                self._resend(state)
            case m.Acknowledged(key):
                self._acknowledged(key, state)
            case m.EpilogDelivered(job_id):
                self._forget(job_id, state)
        return NoReply(state)

    def handle_info(self, message: Any, state: State) -> NoReply:
        match message:
            case StepStarted(key, pid):
                log.debug("step runs", job=key.job_id, pid=pid)
            case StepEnded() | StepFailedToStart():
                self._ended(message, state)
            case "sweep":
                self._sweep(state)
                self.send_after(SWEEP_S, "sweep")
        return NoReply(state)

    def terminate(self, reason: Any, state: State) -> None:
        state.launcher.stop()

    def format_status(self, state: State) -> Any:
        return {"jobs": {job_id: len(job.running) for job_id, job in state.jobs.items()}}

    def _recover(self, state: State) -> None:
        """Take up what an earlier daemon, or an earlier one of this process, left behind."""
        for found in state.launcher.recover():
            directory = Path(state.settings.spool_dir) / found.key.name
            uid = (spool.read_record(directory, spool.PLAN) or {}).get("uid", 0)
            job = state.jobs.setdefault(found.key.job_id, Job(uid))
            if not isinstance(found, FinishedStep):
                job.running.add(found.key)
            elif (directory / REPORTED).exists():
                job.acknowledged.add(found.key)
            else:
                job.unacknowledged[found.key] = m.Ended(found.event, uid)
        if state.jobs:
            log.info("recovered jobs", jobs=len(state.jobs))

    def _launch(self, request: m.Launch, state: State) -> int:
        spec = request.spec
        if spec.key in state.over:
            log.info("launch of a job that is over here", job=spec.job_id)
            return 0
        if request.allocated_s <= state.revoked.get(spec.job_id, 0):
            return Errno.ESLURMD_CREDENTIAL_REVOKED
        try:
            fresh = state.launcher.launch(spec)
        except LaunchRefusedError as error:
            log.error("launch refused", job=spec.job_id, reason=str(error))
            return error.slurm_rc
        except OSError as error:
            log.error("launch failed", job=spec.job_id, reason=str(error))
            return Errno.ESLURMD_CREATE_BATCH_DIR_ERROR
        if fresh:
            job = state.jobs.setdefault(spec.job_id, Job(spec.uid))
            job.uid, job.ending = spec.uid, False
            job.running.add(spec.key)
            log.info("job launched", job=spec.job_id, uid=spec.uid, restarts=spec.restart_count)
        else:
            log.info("launch repeated", job=spec.job_id)
        return 0

    def _signal(self, request: m.Signal, state: State) -> bool:
        if request.target is None:
            return bool(request.job_id in state.jobs and state.jobs[request.job_id].running)
        return state.launcher.signal(request.job_id, request.signum, request.target)

    def _terminate(self, request: m.Terminate, state: State) -> m.Fate:
        _remember(state.revoked, request.job_id, request.decided_s)
        job = state.jobs.get(request.job_id)
        if job is None:
            return m.Fate.GONE
        if not job.running and not job.unacknowledged:
            self._forget(request.job_id, state)
            return m.Fate.GONE
        job.ending = True
        if job.running:
            log.info("ending job", job=request.job_id, grace_s=request.grace_s, reason=request.reason)
            state.launcher.terminate(request.job_id, request.grace_s, request.reason)
        else:
            self._report_epilog(request.job_id, state)
        return m.Fate.ENDING

    def _steps(self, state: State) -> list[StepKey]:
        return sorted(key for job in state.jobs.values() for key in (*job.running, *job.unacknowledged))

    def _ended(self, event: StepEnded | StepFailedToStart, state: State) -> None:
        job = state.jobs.setdefault(event.key.job_id, Job(0))
        job.running.discard(event.key)
        ended = job.unacknowledged[event.key] = m.Ended(event, job.uid)
        log.info("job ended", job=event.key.job_id, wait_status=event.wait_status, slurm_rc=event.slurm_rc)
        self._report_end(ended, state)
        if job.ending and not job.running:
            self._report_epilog(event.key.job_id, state)

    def _report_end(self, ended: m.Ended, state: State) -> None:
        self.cast(m.REPORTER, reports.batch_complete(ended, state.settings.node_name))

    def _report_epilog(self, job_id: int, state: State) -> None:
        self.cast(m.REPORTER, reports.epilog_complete(job_id, state.settings.node_name))

    def _resend(self, state: State) -> None:
        for job_id, job in state.jobs.items():
            for ended in job.unacknowledged.values():
                self._report_end(ended, state)
            if job.ending and not job.running:
                self._report_epilog(job_id, state)

    def _acknowledged(self, key: StepKey, state: State) -> None:
        job = state.jobs.get(key.job_id)
        if job is not None and job.unacknowledged.pop(key, None) is not None:
            job.acknowledged.add(key)
            (Path(state.settings.spool_dir) / key.name / REPORTED).touch()

    def _forget(self, job_id: int, state: State) -> None:
        """Nothing of a job is left here, and a controller knows it. What a requeue has started meanwhile stays."""
        job = state.jobs.get(job_id)
        if job is None or job.running or job.unacknowledged:
            return
        del state.jobs[job_id]
        state.launcher.forget(job_id)
        for key in job.acknowledged:
            _remember(state.over, key, None)

    def _sweep(self, state: State) -> None:
        """Forget what was acknowledged long ago and never ended by a controller."""
        for job_id, job in list(state.jobs.items()):
            if not job.running and not job.unacknowledged and self._is_old(job_id, state):
                self._forget(job_id, state)

    def _is_old(self, job_id: int, state: State) -> bool:
        marks = Path(state.settings.spool_dir).glob(f"job{job_id:05d}.*/{REPORTED}")
        return all(mark.stat().st_mtime < time.time() - FORGET_AFTER_S for mark in marks)


def _remember(table: OrderedDict, key: Any, value: Any) -> None:
    table[key] = value
    while len(table) > REMEMBERED:
        table.popitem(last=False)
