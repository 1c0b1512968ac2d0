"""Starts, follows, signals and recovers the steps of one node.

`launch` writes the step into the spool and asks the zygote for a manager; from then on the step belongs to its manager
(see `stepd`), to which this process holds one connection. Each connection tells when the script runs and that it has
ended; an end of file without that means that the manager died. One thread listens to all of them and calls `on_event`.

A step may have to wait for its job's prolog: `launch` then only enters it, and `begin` or `refuse` decides.

Whatever is started is started at most once per `StepKey`, whoever crashes when: the spool remembers. A step stays in
the spool until `forget`, so that a daemon which restarts before its controller knew can report it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from flurm.node import cgroups, processes, spool
from flurm.node.plan import NO_PROGRAMS, StepPrograms, make_plan
from flurm.node.spec import (
    ESLURMD_FORK_FAILED,
    Event,
    FinishedStep,
    LaunchSpec,
    RunningStep,
    SignalTarget,
    StepEnded,
    StepFailedToStart,
    StepKey,
    StepStarted,
    Usage,
    WaitingStep,
)

log = structlog.get_logger(__name__)

KILL_WAIT_S = 30
_CONNECT_PATIENCE_S = 5.0
_ZYGOTE_STOP_S = 5.0
_MAX_ATTEMPTS = 3


class _Step:
    """A step that is not known to have ended: its connection, and what was heard over it."""

    def __init__(self, key: StepKey, channel: socket.socket, attempts: int) -> None:
        self.key = key
        self.channel = channel
        self.received = b""
        self.script_pid = 0
        self.announced = False
        self.status: dict[str, Any] | None = None
        self.attempts = attempts


class Launcher:
    """The node's steps. All methods may be called from any thread; `on_event` is called from one thread of its own."""

    def __init__(
        self,
        spool_dir: str | Path,
        node_name: str,
        on_event: Callable[[Event], object],
        *,
        working_cluster: str = "",
        use_cgroups: bool = True,
    ) -> None:
        self.spool_dir = Path(spool_dir)
        self.node_name = node_name
        self.working_cluster = working_cluster
        self.zygote_module = "flurm.node.zygote"
        self._on_event = on_event
        self._host = socket.gethostname().partition(".")[0]
        root = cgroups.delegated_root() if use_cgroups else None
        self._cgroup_root = str(root) if root else ""
        self._steps: dict[StepKey, _Step] = {}
        self._lock = threading.RLock()
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._waker = socket.socketpair()
        self._joining: queue.SimpleQueue[_Step] = queue.SimpleQueue()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    def start(self) -> None:
        """Makes the spool, starts the zygote and the listening thread."""
        spool.prepare(self.spool_dir)
        self._wakeup.setblocking(False)
        self._selector.register(self._wakeup, selectors.EVENT_READ, None)
        with self._lock:
            self._start_zygote()
        self._thread = threading.Thread(target=self._listen, name=f"flurm-node-{self.node_name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Lets go of everything; steps run on under their managers, for the next `recover`."""
        self._stopping = True
        self._wake()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()
        with self._lock:
            self._stop_zygote()
            for step in self._steps.values():
                step.channel.close()
            self._steps.clear()

    def launch(
        self, spec: LaunchSpec, programs: StepPrograms = NO_PROGRAMS, *, prolog: dict[str, str] | None = None
    ) -> bool:
        """Takes a step on; False where this very step was taken before. Durable against a crash of this process.

        With `prolog`, the environment of the job's prolog, it does not begin before `begin`.

        Raises `LaunchRefusedError` for a user whose jobs this daemon cannot run, OSError where the spool is full.
        """
        key = spec.key
        plan = make_plan(spec, self.node_name, self._host, self.working_cluster, self._cgroup_root, programs)
        with self._lock:
            if not spool.create(self.spool_dir, key.name, plan, spec.script, spec.uid, spec.gid, prolog):
                return False
            if prolog is None:
                self._request_manager(key)
        return True

    def begin(self, key: StepKey) -> None:
        """Starts a step that has waited for its prolog."""
        with self._lock:
            if key in self._steps:
                return
            (self.spool_dir / key.name / spool.WAITS).unlink(missing_ok=True)
            self._request_manager(key)

    def refuse(self, key: StepKey, error: str, *, wait_status: int, slurm_rc: int = 0) -> StepFailedToStart:
        """Ends a step that has waited, without starting it; durable. Returns its story, which nobody announces."""
        status = {"stage": "prolog", "error": error, "wait_status": wait_status, "slurm_rc": slurm_rc}
        _write_down(self.spool_dir / key.name, status)
        return StepFailedToStart(key, "prolog", error, wait_status, slurm_rc)

    def signal(self, job_id: int, signum: int, target: SignalTarget = SignalTarget.ALL) -> bool:
        """Sends a signal to a job's processes here; False where nothing of it runs."""
        return self._command(job_id, {"do": "signal", "signum": int(signum), "target": target.value})

    def terminate(self, job_id: int, grace_s: float = KILL_WAIT_S, reason: str = "") -> bool:
        """Ends a job: SIGCONT and SIGTERM now, SIGKILL after the grace. `reason` goes into the notice in its output."""
        return self._command(job_id, {"do": "terminate", "grace_s": grace_s, "reason": reason})

    def suspend(self, job_id: int) -> bool:
        """Stops a job's processes: SIGTSTP, SIGSTOP two seconds later."""
        return self._command(job_id, {"do": "suspend"})

    def resume(self, job_id: int) -> bool:
        """Lets a suspended job go on."""
        return self._command(job_id, {"do": "resume"})

    def notify(self, job_id: int, text: str) -> bool:
        """Says something in a job's error output, as a step manager of Slurm does with `scontrol notify`."""
        return self._command(job_id, {"do": "notify", "text": text})

    @property
    def zygote_pid(self) -> int:
        """The process that forks step managers; 0 while there is none."""
        return self._zygote.pid if self._zygote else 0

    def running(self) -> list[StepKey]:
        """The steps that have not ended."""
        with self._lock:
            return sorted(self._steps)

    def forget(self, job_id: int, restart_count: int | None = None) -> None:
        """Removes a job's ended steps from the spool, once the controller knows how they ended."""
        for key in self._entries():
            if key.job_id == job_id and restart_count in (None, key.restart_count):
                with self._lock:
                    if key not in self._steps:
                        spool.remove(self.spool_dir, key.name)

    def recover(self) -> list[RunningStep | FinishedStep | WaitingStep]:
        """Finds what an earlier daemon left: follows what runs, starts what was accepted but never begun.

        What waits for a prolog goes on waiting: the caller runs that again, then begins. Finished steps are returned,
        not announced: the caller reports them and then forgets them.
        """
        found: list[RunningStep | FinishedStep | WaitingStep] = []
        for key in self._entries():
            with self._lock:
                if key in self._steps:
                    continue
                directory = self.spool_dir / key.name
                prolog = spool.read_record(directory, spool.WAITS)
                if prolog is not None and not (directory / spool.STATUS).exists():
                    found.append(WaitingStep(key, prolog))
                elif spool.read_record(directory, spool.STATUS) is None and self._take_up(key, directory):
                    record = spool.read_record(directory, spool.STARTED) or {}
                    found.append(RunningStep(key, record.get("manager_pid", 0), record.get("script_pid", 0)))
                else:
                    status = spool.read_record(directory, spool.STATUS)
                    found.append(FinishedStep(key, self._story(key, status)))
        return found

    def _entries(self) -> list[StepKey]:
        keys = (StepKey.parse(entry.name) for entry in self.spool_dir.iterdir())
        return sorted(key for key in keys if key is not None)

    def _take_up(self, key: StepKey, directory: Path) -> bool:
        """Joins a step that is not over; False where it is."""
        if not (directory / spool.STARTED).exists():
            self._request_manager(key)
            return True
        deadline = time.monotonic() + _CONNECT_PATIENCE_S
        while spool.has_manager(directory):
            channel = _connect(directory)
            if channel is not None:
                self._follow(key, channel)
                return True
            if time.monotonic() > deadline:
                raise RuntimeError(f"the manager of {key.name} does not answer on {directory / spool.CONTROL}")
            time.sleep(0.01)
        return False

    def _start_zygote(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        package_root = Path(__file__).resolve().parents[2]
        with theirs:
            self._zygote = subprocess.Popen(
                [sys.executable, "-P", "-m", self.zygote_module, str(self.spool_dir.resolve()), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(package_root)},
            )
        self._requests = ours
        log.debug("zygote started", pid=self._zygote.pid)

    def _stop_zygote(self) -> None:
        if self._requests is not None:
            self._requests.close()
        if self._zygote is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._zygote.wait(_ZYGOTE_STOP_S)
        self._requests = self._zygote = None

    def _request_manager(self, key: StepKey, attempts: int = 1) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._send_request(key, theirs)
            except OSError as error:
                log.warning("zygote lost, starting another", error=str(error))
                self._stop_zygote()
                self._start_zygote()
                self._send_request(key, theirs)
        self._follow(key, ours, attempts)

    def _send_request(self, key: StepKey, channel: socket.socket) -> None:
        if self._requests is None:
            raise OSError("no zygote")
        socket.send_fds(self._requests, [key.name.encode()], [channel.fileno()], socket.MSG_NOSIGNAL)

    def _follow(self, key: StepKey, channel: socket.socket, attempts: int = 1) -> None:
        step = _Step(key, channel, attempts)
        self._steps[key] = step
        self._joining.put(step)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _command(self, job_id: int, command: dict[str, Any]) -> bool:
        line = json.dumps(command).encode() + b"\n"
        with self._lock:
            channels = [step.channel for step in self._steps.values() if step.key.job_id == job_id]
            reached = False
            for channel in channels:
                with contextlib.suppress(OSError):
                    channel.sendall(line, socket.MSG_NOSIGNAL)
                    reached = True
            return reached

    def _listen(self) -> None:
        while not self._stopping:
            for ready, _ in self._selector.select():
                if ready.data is None:
                    self._admit()
                    continue
                try:
                    self._hear(ready.data)
                except Exception:
                    log.exception("lost sight of a step, the next recover finds it", step=ready.data.key.name)
                    self._drop(ready.data)

    def _drop(self, step: _Step) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(step.channel)
        step.channel.close()
        with self._lock:
            if self._steps.get(step.key) is step:
                del self._steps[step.key]

    def _admit(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakeup.recv(4096)
        with contextlib.suppress(queue.Empty):
            while True:
                step = self._joining.get_nowait()
                self._selector.register(step.channel, selectors.EVENT_READ, step)

    def _hear(self, step: _Step) -> None:
        try:
            data = step.channel.recv(65536)
        except OSError:
            data = b""
        *lines, step.received = (step.received + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event["event"] == "started" and not step.announced:
                step.script_pid, step.announced = event["pid"], True
                self._announce(StepStarted(step.key, event["pid"]))
            elif event["event"] == "ended":
                step.status = event["status"]
        if not data or step.status:
            self._lose(step)

    def _lose(self, step: _Step) -> None:
        """The step has ended, was never begun, or has lost its manager."""
        directory = self.spool_dir / step.key.name
        self._selector.unregister(step.channel)
        with self._lock:
            step.channel.close()
            if self._stopping or self._steps.get(step.key) is not step:
                return
            status = step.status or spool.read_record(directory, spool.STATUS)
            if status is None and not (directory / spool.STARTED).exists():
                if step.attempts < _MAX_ATTEMPTS:
                    log.warning("step was never begun, asking again", step=step.key.name, attempts=step.attempts)
                    self._request_manager(step.key, step.attempts + 1)
                    return
                status = _give_up(directory)
        story = self._story(step.key, status)
        if isinstance(story, StepEnded) and not step.announced and not story.lost:
            record = spool.read_record(directory, spool.STARTED) or {}
            self._announce(StepStarted(step.key, record.get("script_pid", 0)))
        with self._lock:
            del self._steps[step.key]
        self._announce(story)

    def _announce(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:
            log.exception("event handler failed", event_record=event)

    def _story(self, key: StepKey, status: dict[str, Any] | None) -> StepEnded | StepFailedToStart:
        """How a step that has no manager any more ended, by what its manager wrote down or said."""
        if status is None:
            _kill_orphans(spool.read_record(self.spool_dir / key.name, spool.STARTED) or {})
            log.error("step lost its manager", step=key.name)
            return StepEnded(key, int(signal.SIGKILL), Usage(), lost=True)
        if status["error"] is not None:
            return StepFailedToStart(key, status["stage"], status["error"], status["wait_status"], status["slurm_rc"])
        usage = Usage(
            user_s=status["user_s"],
            system_s=status["system_s"],
            max_rss_kib=status["max_rss_kib"],
            started_s=status["started_s"],
            ended_s=status["ended_s"],
        )
        unkillable = status.get("unkillable", False)
        return StepEnded(key, status["wait_status"], usage, status["slurm_rc"], unkillable=unkillable)


def _connect(directory: Path) -> socket.socket | None:
    """Connects to a manager's socket, however long the spool's path is."""
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.connect(f"/proc/self/fd/{handle}/{spool.CONTROL}")
    except OSError:
        channel.close()
        return None
    finally:
        os.close(handle)
    return channel


def _give_up(directory: Path) -> dict[str, Any]:
    """Writes down, where that is possible, that no manager could be had for a step, so that none begins it later."""
    status = {
        "stage": "manager",
        "error": "no step manager could be started",
        "wait_status": 256,
        "slurm_rc": ESLURMD_FORK_FAILED,
    }
    _write_down(directory, status)
    return status


def _write_down(directory: Path, status: dict[str, Any]) -> None:
    try:
        spool.write_record(directory, spool.STARTED, {})
        spool.write_record(directory, spool.STATUS, status, durable=True)
    except OSError as error:
        log.error("cannot write down that a step failed", directory=str(directory), error=str(error))


def _kill_orphans(started: dict[str, Any]) -> None:
    """Kills what a dead manager left behind: its session, if it is of this boot and the script is still the script."""
    if started.get("boot") != spool.boot_id() or not started.get("session"):
        return
    members = processes.session_members(started["session"])
    script = started.get("script_pid")
    if script and processes.start_time(script) == started.get("script_start"):
        members.append(script)
        members.extend(processes.descendants(script))
    reached = processes.signal_all(dict.fromkeys(members), signal.SIGKILL)
    log.warning("killed what a lost step left behind", processes=reached)
