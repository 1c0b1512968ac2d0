"""The step manager: one small process per step, which owns the step's processes from the first to the last.

It locks the step's directory, opens the user's files with the user's identity, starts the script (`task`), waits, does
what the daemon asks of it, kills what the script left behind, writes down durably how it ended, tells the daemon and is
gone. It depends on nobody: daemon and zygote may die at any time, and a daemon that comes back connects to `control`
in the step's directory. Talk on every connection is one JSON object a line.

    from the daemon   {"do": "signal", "signum": 10, "target": "script"|"children"|"all"}
                      {"do": "terminate", "grace_s": 30, "reason": "DUE TO TIME LIMIT"}   CONT, TERM, later KILL
                      {"do": "suspend"}   {"do": "resume"}   {"do": "notify", "text": "said in the job's error output"}
    to the daemon     {"event": "started", "pid": 4711}    {"event": "ended", "status": {what `status` holds}}

Single-threaded; standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from flurm.node import cgroups, processes, spool, task

MEMORY_CHECK_S = 1.0
CLEANUP_PATIENCE_S = 60.0
SUSPEND_NOTICE_S = 2.0
WRITE_AGAIN_MS = 1000
OUT_OF_MEMORY = 253
"""Wait status that stands for 'killed for its memory' in Slurm (printed as 0:125)."""


def run(directory: Path, channel: socket.socket | None) -> None:
    """Manages one step from start to end; returns at once where the step was started before."""
    _become_manager()
    os.chdir(directory)
    lock = os.open(spool.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if Path(spool.STARTED).exists():
        return
    plan = spool.read_record(Path(), spool.PLAN)
    if plan is None:
        raise RuntimeError(f"{directory} holds no plan")
    StepManager(plan, directory, channel).run()


class StepManager:
    """One step: its plan, its processes, its connections."""

    def __init__(self, plan: dict[str, Any], directory: Path, channel: socket.socket | None) -> None:
        self.plan = plan
        self.directory = directory
        self.connections: dict[int, socket.socket] = {}
        self.received: dict[int, bytes] = {}
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.wakeup, self.waker = socket.socketpair()
        self.poll = select.poll()
        self.script_pid = self.epilog_pid = 0
        self.wait_status: int | None = None
        self.stderr_fd = -1
        self.kill_at_s: float | None = None
        self.stop_at_s: float | None = None
        self.cgroup = cgroups.step_group(plan)
        self.watches_memory = bool(plan["memory_mib"]) and not (self.cgroup and self.cgroup.limits_memory)
        self.memory_check_s = time.monotonic() + MEMORY_CHECK_S
        self.out_of_memory = False
        self.announced = self.unkillable = False
        self.started_s = time.time()
        if channel is not None:
            self._add_connection(channel)

    def run(self) -> None:
        """The step's whole life."""
        self._listen()
        self._record_started()
        failure = self._start()
        if failure is None:
            with contextlib.suppress(OSError):
                self._record_started()
            self._tell({"event": "started", "pid": self.script_pid})
        while self.script_pid and self.wait_status is None:
            self._serve(self._next_deadline_ms())
            self._keep_time()
        if failure is None:
            self._run_epilog()
        self._clean_up()
        self._finish(failure)

    def _listen(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(spool.CONTROL)  # noqa: PTH108
        self.listener.bind(spool.CONTROL)
        self.listener.listen(8)
        for end in (self.wakeup, self.waker, self.listener):
            end.setblocking(False)
        signal.set_wakeup_fd(self.waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        self.poll.register(self.wakeup, select.POLLIN)
        self.poll.register(self.listener, select.POLLIN)

    def _record_started(self) -> None:
        pid = os.getpid()
        record = {
            "boot": spool.boot_id(),
            "manager_pid": pid,
            "manager_start": processes.start_time(pid),
            "session": os.getsid(0),
            "script_pid": self.script_pid,
            "script_start": processes.start_time(self.script_pid) if self.script_pid else None,
            "started_s": self.started_s,
        }
        spool.write_record(Path(), spool.STARTED, record)

    def _start(self) -> dict[str, Any] | None:
        """Opens the files and starts the script; what failed, or None."""
        try:
            files = task.open_files(self.plan)
        except task.SetupError as error:
            return _failure(error.stage, str(error), error.wait_status, error.slurm_rc)
        self.stderr_fd = files.stderr
        try:
            started = task.spawn(self.plan, self.directory / spool.SCRIPT, files, self.cgroup)
        except OSError as error:
            return _failure("fork", str(error), 256, task.ESLURMD_FORK_FAILED)
        finally:
            files.close_all_but_stderr()
        self.script_pid = started.pid
        if started.error is None:
            return None
        _, status = os.waitpid(started.pid, 0)
        self.script_pid, self.wait_status = 0, status
        return _failure(started.stage, started.error, status)

    def _serve(self, timeout_ms: int | None) -> None:
        for handle, events in self.poll.poll(timeout_ms):
            if handle == self.wakeup.fileno():
                with contextlib.suppress(BlockingIOError):
                    self.wakeup.recv(4096)
                self._reap()
            elif handle == self.listener.fileno():
                with contextlib.suppress(OSError):
                    self._add_connection(self.listener.accept()[0])
            else:
                self._receive(handle, events)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.script_pid:
                    self.wait_status = status
                elif pid == self.epilog_pid:
                    self.epilog_pid = 0

    def _add_connection(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connections[connection.fileno()] = connection
        self.received[connection.fileno()] = b""
        self.poll.register(connection, select.POLLIN)
        if self.script_pid:
            self._send(connection, {"event": "started", "pid": self.script_pid})

    def _receive(self, handle: int, events: int) -> None:
        connection = self.connections.get(handle)
        if connection is None:
            return
        try:
            data = connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(handle)
            return
        *lines, rest = (self.received[handle] + data).split(b"\n")
        self.received[handle] = rest
        for line in lines:
            self._obey(json.loads(line))

    def _drop(self, handle: int) -> None:
        self.poll.unregister(handle)
        del self.received[handle]
        self.connections.pop(handle).close()

    def _obey(self, command: dict[str, Any]) -> None:
        match command:
            case {"do": "signal", "signum": int(signum), "target": str(target)}:
                if signum in (signal.SIGTERM, signal.SIGKILL):
                    self._announce_the_end()
                processes.signal_all(self._targets(target), signum)
            case {"do": "terminate", "grace_s": grace_s, "reason": str(reason)}:
                self._terminate(float(grace_s), reason)
            case {"do": "suspend"}:
                processes.signal_all(self._targets("all"), signal.SIGTSTP)
                self.stop_at_s = time.monotonic() + SUSPEND_NOTICE_S
            case {"do": "resume"}:
                self.stop_at_s = None
                processes.signal_all(self._targets("all"), signal.SIGCONT)
            case {"do": "notify", "text": str(text)}:
                self._log(text)
            case _:
                self._log(f"unknown command {command!r}")

    def _targets(self, target: str) -> list[int]:
        if target == "script":
            return [self.script_pid] if self.wait_status is None and self.script_pid else []
        everything = processes.descendants(os.getpid())
        return [pid for pid in everything if target == "all" or pid != self.script_pid]

    def _terminate(self, grace_s: float, reason: str) -> None:
        deadline = time.monotonic() + grace_s
        if self.kill_at_s is None:
            self._announce_the_end(reason)
            everything = self._targets("all")
            processes.signal_all(everything, signal.SIGCONT)
            if grace_s > 0:
                processes.signal_all(everything, signal.SIGTERM)
            self.stop_at_s = None
        self.kill_at_s = deadline if self.kill_at_s is None else min(deadline, self.kill_at_s)

    def _announce_the_end(self, reason: str = "") -> None:
        """Say in the job's output that it is cancelled; once, however many signals follow."""
        if self.announced:
            return
        self.announced = True
        when = time.strftime("%Y-%m-%dT%H:%M:%S")
        who = f"JOB {self.plan['job_id']} ON {self.plan['node']}"
        self._log(f"*** {who} CANCELLED AT {when}{reason and ' '}{reason} ***")

    def _next_deadline_ms(self) -> int | None:
        memory_s = self.memory_check_s if self.watches_memory else None
        deadlines = [at_s for at_s in (self.kill_at_s, self.stop_at_s, memory_s) if at_s is not None]
        return max(0, int((min(deadlines) - time.monotonic()) * 1000) + 1) if deadlines else None

    def _keep_time(self) -> None:
        now_s = time.monotonic()
        if self.kill_at_s is not None and now_s >= self.kill_at_s:
            self._kill_all()
            self.kill_at_s = now_s + 1.0
        if self.stop_at_s is not None and now_s >= self.stop_at_s:
            processes.signal_all(self._targets("all"), signal.SIGSTOP)
            self.stop_at_s = None
        if self.watches_memory and now_s >= self.memory_check_s:
            self._check_memory()
            self.memory_check_s = now_s + MEMORY_CHECK_S

    def _check_memory(self) -> None:
        if processes.resident_mib(self._targets("all")) > self.plan["memory_mib"]:
            self.out_of_memory = True
            self._kill_all()

    def _kill_all(self) -> None:
        if self.cgroup:
            self.cgroup.kill()
        processes.signal_all(self._targets("all"), signal.SIGKILL)

    def _run_epilog(self) -> None:
        """Runs the site's TaskEpilog, as the job's user, before what the script left behind is killed."""
        if not self.plan.get("programs", {}).get("task_epilog"):
            return
        try:
            self.epilog_pid = task.spawn_epilog(self.plan, self.stderr_fd, self.cgroup)
        except OSError as error:
            self._log(f"TaskEpilog: {error.strerror}")
        while self.epilog_pid:
            self._serve(self._next_deadline_ms())
            self._keep_time()

    def _clean_up(self) -> None:
        """Kills and reaps whatever is left. What cannot be killed within UnkillableStepTimeout is left to the system
        and to the site's UnkillableStepProgram."""
        programs = self.plan.get("programs", {})
        give_up_s = time.monotonic() + programs.get("unkillable_s", CLEANUP_PATIENCE_S)
        while self._has_children() and time.monotonic() < give_up_s:
            self._kill_all()
            self._serve(200)
        if self._has_children():
            self.unkillable = True
            if programs.get("unkillable"):
                task.spawn_detached(programs["unkillable"], self.plan)
        if self.cgroup:
            self.out_of_memory |= self.cgroup.saw_oom_kill()
            self.cgroup.remove()

    def _has_children(self) -> bool:
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self.script_pid:
                    self.wait_status = status
        except ChildProcessError:
            return False

    def _finish(self, failure: dict[str, Any] | None) -> None:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        if self.out_of_memory:
            self._log(f"Detected 1 oom-kill event in StepId={self.plan['job_id']}.{self.plan['step']}.")
            self.wait_status = OUT_OF_MEMORY
        status = {
            "wait_status": self.wait_status or 0,
            "slurm_rc": 0,
            "stage": None,
            "error": None,
            "user_s": usage.ru_utime,
            "system_s": usage.ru_stime,
            "max_rss_kib": usage.ru_maxrss,
            "started_s": self.started_s,
            "ended_s": time.time(),
            "unkillable": self.unkillable,
        }
        self._report(status | (failure or {}))

    def _report(self, status: dict[str, Any]) -> None:
        """Writes down how the step ended and tells it; with a full disk tells it first and keeps trying to write."""
        while True:
            try:
                spool.write_record(Path(), spool.STATUS, status, durable=True)
            except FileNotFoundError:
                return
            except OSError as error:
                name = self.plan["name"]
                print(f"flurm stepd: {name}: cannot write its status: {error}", file=sys.stderr, flush=True)
                self._tell({"event": "ended", "status": status})
                self._serve(WRITE_AGAIN_MS)
            else:
                self._tell({"event": "ended", "status": status})
                return

    def _tell(self, event: dict[str, Any]) -> None:
        for connection in self.connections.values():
            self._send(connection, event)

    @staticmethod
    def _send(connection: socket.socket, event: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            connection.send(json.dumps(event).encode() + b"\n", socket.MSG_NOSIGNAL)

    def _log(self, text: str) -> None:
        """Says something in the job's own error output, under the name that people look for."""
        if self.stderr_fd >= 0:
            with contextlib.suppress(OSError):
                os.write(self.stderr_fd, f"slurmstepd: error: {text}\n".encode())


def _failure(stage: str | None, error: str, wait_status: int, slurm_rc: int = 0) -> dict[str, Any]:
    return {"stage": stage, "error": error, "wait_status": wait_status, "slurm_rc": slurm_rc}


def _become_manager() -> None:
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP):
        signal.signal(signum, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.umask(0o077)
    task.become_subreaper()
    task.set_oom_score(-1000)
