"""Steps of the node: owns the launcher and knows of every job here whether it runs, has ended, or is being ended.

Calls    Launch, Prepare -> Errno | 0, Terminate -> Fate, Signal, Suspend, Notify -> bool, OwnerOf -> uid | None,
         ListSteps -> tuple[StepKey]
Casts    Resend, Acknowledged(key), EpilogDelivered(job_id)
Infos    the launcher's StepStarted, StepEnded, StepFailedToStart; PrologRan, EpilogRan
Effects  starts, signals and ends steps, runs prologs and epilogs (see around.py); hands reports to the reporter

An ended step stays in the spool until a controller has acknowledged its end and has then ended the job, so that a
launch that arrives twice runs once. A file `reported` beside it says that the first of the two has happened.
"""

from __future__ import annotations

import signal
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import msgspec
import structlog

from actors.node_daemon import messages as m
from actors.node_daemon import reports
from actors.node_daemon.around import Around, EpilogRan, PrologRan
from actors.node_daemon.jobs import Job
from actors.node_daemon.registrar import PROLOG_FAILED
from actors.node_daemon.settings import Settings
from flurm.node import spool
from flurm.node.launcher import Launcher
from flurm.node.plan import LaunchRefusedError, StepPrograms
from flurm.node.programs import Programs
from flurm.node.spec import FinishedStep, StepEnded, StepFailedToStart, StepKey, StepStarted, WaitingStep
from flurm.otp import GenServer, NoReply, Ok, Reply, Sender
from protocol.errno import Errno

REPORTED = "reported"
REMEMBERED = 10_000
SWEEP_S = 600.0
FORGET_AFTER_S = 3600.0

log = structlog.get_logger(__name__)


class State(msgspec.Struct):
    """All jobs; `over` remembers steps that the spool has forgotten, `revoked` when a job was last told to end."""

    launcher: Launcher
    around: Around
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
        around = Around(self._programs, lambda event: system.info(pid, event))
        state = State(launcher, around, settings)
        self._recover(state)
        self._resend(state)
        self.send_after(SWEEP_S, "sweep")
        return Ok(state)

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply:
        match request:
            case m.Launch():
                return Reply(self._launch(request, state), state)
            case m.Prepare():
                return Reply(self._prepare(request, state), state)
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
            case PrologRan():
                self._prolog_ran(message, state)
            case EpilogRan():
                self._epilog_ran(message, state)
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
                if isinstance(found, WaitingStep):
                    self._await_prolog(found.key, found.prolog, job, state)
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
            prolog = request.prolog if self._programs().prolog else None
            fresh = state.launcher.launch(spec, self._step_programs(), prolog=prolog)
        except LaunchRefusedError as error:
            log.error("launch refused", job=spec.job_id, reason=str(error))
            return error.slurm_rc
        except OSError as error:
            log.error("launch failed", job=spec.job_id, reason=str(error))
            return Errno.ESLURMD_CREATE_BATCH_DIR_ERROR
        if fresh:
            job = state.jobs.setdefault(spec.job_id, Job(spec.uid))
            job.uid, job.end, job.epilog_rc = spec.uid, None, None
            job.running.add(spec.key)
            if prolog is not None:
                self._await_prolog(spec.key, prolog, job, state)
            log.info("job launched", job=spec.job_id, uid=spec.uid, restarts=spec.restart_count)
        else:
            log.info("launch repeated", job=spec.job_id)
        return 0

    def _signal(self, request: m.Signal, state: State) -> bool:
        if request.target is None:
            return bool(request.job_id in state.jobs and state.jobs[request.job_id].running)
        return state.launcher.signal(request.job_id, request.signum, request.target)

    def _programs(self) -> Programs:
        """What is configured now."""
        programs: Programs = self.system.env["settings"].programs
        return programs

    def _step_programs(self) -> StepPrograms:
        now = self._programs()
        return StepPrograms(
            task_prolog=now.task_prolog,
            task_epilog=now.task_epilog,
            unkillable=now.unkillable,
            unkillable_s=now.unkillable_s,
            slurm_conf=now.slurm_conf,
        )

    def _await_prolog(self, key: StepKey, prolog: dict[str, str], job: Job, state: State) -> None:
        job.waiting.add(key)
        state.around.prepare((key.job_id, key.restart_count), prolog)

    def _prepare(self, request: m.Prepare, state: State) -> int:
        if request.allocated_s < state.revoked.get(request.job_id, 0):
            return Errno.ESLURMD_CREDENTIAL_REVOKED
        state.jobs.setdefault(request.job_id, Job(request.uid))
        state.around.prepare((request.job_id, request.restart_count), request.prolog, reported=True)
        return 0

    def _prolog_ran(self, ran: PrologRan, state: State) -> None:
        """Let the steps begin that have waited for it, unless it failed or the job has been ended meanwhile."""
        state.around.prepared(ran)
        job = state.jobs.get(ran.job_id)
        if job is None:
            return
        failed = ran.failure is not None and not job.ending
        waiting = [key for key in job.waiting if key.restart_count == ran.restart_count]
        if ran.failure is not None:
            self.cast(m.REGISTRAR, PROLOG_FAILED)
            if failed and not waiting:
                self.cast(m.REPORTER, self._launch_failed(ran.job_id, ran.restart_count))
        if ran.reported:
            rc = Errno.ESLURMD_PROLOG_FAILED if ran.failure is not None else 0
            self.cast(m.REPORTER, reports.prolog_complete(ran.job_id, state.settings.node_name, rc))
        for key in waiting:
            job.waiting.discard(key)
            if ran.failure is None and not job.ending:
                state.launcher.begin(key)
            else:
                error = ran.failure or "ended before its prolog was over"
                status, rc = (256, int(Errno.ESLURMD_PROLOG_FAILED)) if failed else (int(signal.SIGTERM), 0)
                self._ended(state.launcher.refuse(key, error, wait_status=status, slurm_rc=rc), state)
        if not waiting:
            self._conclude(ran.job_id, state)

    def _terminate(self, request: m.Terminate, state: State) -> m.Fate:
        _remember(state.revoked, request.job_id, request.decided_s)
        job = state.jobs.get(request.job_id)
        if job is None:
            if not self._needs_epilog(request) or state.around.is_concluded(request.end):
                return m.Fate.GONE
            job = state.jobs[request.job_id] = Job(request.uid)
        elif self._is_over(request, job, state):
            self._forget(request.job_id, state)
            return m.Fate.GONE
        job.end = request
        if job.running:
            log.info("ending job", job=request.job_id, grace_s=request.grace_s, reason=request.reason)
            state.launcher.terminate(request.job_id, request.grace_s, request.reason)
        else:
            self._conclude(request.job_id, state)
        return m.Fate.ENDING

    def _is_over(self, request: m.Terminate, job: Job, state: State) -> bool:
        """Whether nothing of a job is left to be done here."""
        if job.running or job.unacknowledged or state.around.is_preparing(request.job_id):
            return False
        return not self._needs_epilog(request) and job.epilog_rc is None

    def _needs_epilog(self, request: m.Terminate) -> bool:
        return bool(self._programs().epilog) and request.epilog is not None

    def _conclude(self, job_id: int, state: State) -> None:
        """Where a job that is to end has ended here: run its epilog, once, then tell the controller."""
        job = state.jobs.get(job_id)
        if job is None or job.end is None or job.running or state.around.is_preparing(job_id):
            return
        if job.epilog_rc is None and self._needs_epilog(job.end):
            state.around.conclude(job_id, job.end.epilog or {})
        else:
            self._report_epilog(job_id, job.epilog_rc or 0, state)

    def _epilog_ran(self, ran: EpilogRan, state: State) -> None:
        state.around.concluded(ran)
        job = state.jobs.get(ran.job_id)
        if job is not None and job.end is not None:
            job.epilog_rc = int(Errno.ESLURMD_EPILOG_FAILED) if ran.failure is not None else 0
            self._conclude(ran.job_id, state)

    def _steps(self, state: State) -> list[StepKey]:
        return sorted(key for job in state.jobs.values() for key in (*job.running, *job.unacknowledged))

    def _ended(self, event: StepEnded | StepFailedToStart, state: State) -> None:
        job = state.jobs.setdefault(event.key.job_id, Job(0))
        job.running.discard(event.key)
        ended = job.unacknowledged[event.key] = m.Ended(event, job.uid)
        log.info("job ended", job=event.key.job_id, wait_status=event.wait_status, slurm_rc=event.slurm_rc)
        self._report_end(ended, state)
        if isinstance(event, StepEnded) and event.unkillable:
            self.cast(m.REPORTER, reports.kill_failed(event.key.job_id, state.settings.node_name))
        self._conclude(event.key.job_id, state)

    def _report_end(self, ended: m.Ended, state: State) -> None:
        key = ended.event.key
        if ended.event.slurm_rc == Errno.ESLURMD_PROLOG_FAILED:
            self.cast(m.REPORTER, self._launch_failed(key.job_id, key.restart_count, m.Acknowledged(key)))
        else:
            self.cast(m.REPORTER, reports.batch_complete(ended, state.settings.node_name))

    def _launch_failed(self, job_id: int, restart_count: int, done: object = None) -> m.Report:
        return reports.launch_failed(job_id, restart_count, holds=self._programs().holds, done=done)

    def _report_epilog(self, job_id: int, return_code: int, state: State) -> None:
        self.cast(m.REPORTER, reports.epilog_complete(job_id, state.settings.node_name, return_code))

    def _resend(self, state: State) -> None:
        for job_id, job in state.jobs.items():
            for ended in job.unacknowledged.values():
                self._report_end(ended, state)
            self._conclude(job_id, state)

    def _acknowledged(self, key: StepKey, state: State) -> None:
        job = state.jobs.get(key.job_id)
        if job is not None and job.unacknowledged.pop(key, None) is not None:
            job.acknowledged.add(key)
            (Path(state.settings.spool_dir) / key.name / REPORTED).touch()

    def _forget(self, job_id: int, state: State) -> None:
        """Nothing of a job is left here, and a controller knows it. What a requeue has started meanwhile stays."""
        job = state.jobs.get(job_id)
        if job is None or job.running or job.unacknowledged or state.around.is_preparing(job_id):
            return
        if job.end is not None:
            state.around.forget(job.end.end)
        del state.jobs[job_id]
        state.launcher.forget(job_id)
        for key in job.acknowledged:
            _remember(state.over, key, None)

    def _sweep(self, state: State) -> None:
        """Forget what was acknowledged long ago and never ended by a controller."""
        for job_id, job in list(state.jobs.items()):
            if not job.running and not job.unacknowledged and not job.ending and self._is_old(job_id, state):
                self._forget(job_id, state)

    def _is_old(self, job_id: int, state: State) -> bool:
        marks = Path(state.settings.spool_dir).glob(f"job{job_id:05d}.*/{REPORTED}")
        return all(mark.stat().st_mtime < time.time() - FORGET_AFTER_S for mark in marks)


def _remember(table: OrderedDict, key: Any, value: Any) -> None:
    table[key] = value
    while len(table) > REMEMBERED:
        table.popitem(last=False)
