"""From a plan to a running script: identity, files, limits, exec. Runs in the step manager and its child.

The user's files are opened by the manager under the user's effective identity, so that the user's rights decide and the
manager still has the error output to write to; the child then takes the identity on for good. Errors before the script
runs come back through a pipe that a successful exec closes. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from flurm.node import task_programs
from flurm.node.cgroups import StepGroup

IO_SETUP_FAILED = 4021
ESLURMD_FORK_FAILED = 4019
_PR_SET_CHILD_SUBREAPER = 36
_LOGIN_PATIENCE_S = 10.0
_FALLBACK_DIR = "/tmp"
_libc = ctypes.CDLL(None, use_errno=True)


class SetupError(Exception):
    """A step could not be prepared; carries what its completion must report."""

    def __init__(self, stage: str, message: str, wait_status: int = 0, slurm_rc: int = 0) -> None:
        super().__init__(message)
        self.stage = stage
        self.wait_status = wait_status
        self.slurm_rc = slurm_rc


class Files(NamedTuple):
    """Open handles of a step."""

    stdin: int
    stdout: int
    stderr: int
    work_dir: int

    def close_all_but_stderr(self) -> None:
        """Leaves the manager with the one handle that it writes to."""
        for handle in {self.stdin, self.stdout, self.work_dir} - {self.stderr}:
            os.close(handle)


class Started(NamedTuple):
    """A child process: its number, and what kept it from executing the script."""

    pid: int
    stage: str | None = None
    error: str | None = None


def become_subreaper() -> None:
    """Makes orphans of this process's descendants its own children."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_oom_score(score: int) -> None:
    """Tells the kernel whom to spare when memory runs out; needs privileges to go down."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as stream:
        stream.write(str(score))


def open_files(plan: dict[str, Any]) -> Files:
    """Opens working directory, input and output as the user; raises SetupError."""
    with _effective_identity(plan):
        umask = os.umask(plan["umask"])
        try:
            files = _open_files(plan)
        finally:
            os.umask(umask)
        _make_tmpdir(plan["environment"], files.stderr)
        return files


def _open_files(plan: dict[str, Any]) -> Files:
    complaint = ""
    try:
        work_dir = _open_directory(plan["work_dir"])
    except OSError as error:
        complaint = f"couldn't chdir to `{plan['work_dir']}': {error.strerror}: going to {_FALLBACK_DIR} instead"
        work_dir = _open_directory(_FALLBACK_DIR)
    output_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (0 if plan["append"] else os.O_TRUNC)
    stdin = _open_file("stdin", plan["stdin"], os.O_RDONLY | os.O_CLOEXEC, work_dir)
    stdout = _open_file("stdout", plan["stdout"], output_flags, work_dir)
    same = plan["stderr"] in (None, plan["stdout"])
    stderr = stdout if same else _open_file("stderr", plan["stderr"], output_flags, work_dir)
    if complaint:
        for _ in ("the step manager", "the task"):
            _complain(stderr, complaint)
    return Files(stdin, stdout, stderr, work_dir)


def _make_tmpdir(environment: dict[str, str], stderr: int) -> None:
    """Makes the job's TMPDIR where it is missing; /tmp where it cannot be made."""
    path = environment["TMPDIR"]
    try:
        Path(path).mkdir(0o700)
    except FileExistsError:
        return
    except OSError as error:
        _complain(stderr, f"Unable to create TMPDIR [{path}]: {error.strerror}")
        _complain(stderr, f"Setting TMPDIR to {_FALLBACK_DIR}")
        environment["TMPDIR"] = _FALLBACK_DIR


def _complain(stderr: int, text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(stderr, f"slurmstepd: error: {text}\n".encode(errors="surrogateescape"))


def _open_directory(path: str) -> int:
    handle = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if not os.access(".", os.X_OK, dir_fd=handle, effective_ids=True):
        os.close(handle)
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    return handle


def _open_file(role: str, path: str, flags: int, work_dir: int) -> int:
    try:
        return os.open(path, flags, 0o666, dir_fd=work_dir)
    except OSError as error:
        message = f"Could not open {role} file {path}: {error.strerror}"
        raise SetupError("io", message, wait_status=IO_SETUP_FAILED) from error


@contextlib.contextmanager
def _effective_identity(plan: dict[str, Any]) -> Iterator[None]:
    if os.getuid() != 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    try:
        os.setgroups(plan["gids"])
        os.setegid(plan["gid"])
        os.seteuid(plan["uid"])
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def spawn(plan: dict[str, Any], script: Path, files: Files, cgroup: StepGroup | None) -> Started:
    """Starts the script in a child of its own process group and waits until it is executed or has failed."""
    environment = dict(plan["environment"])
    if plan["login"]:
        environment = login_environment(plan) | environment
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _be_the_script(plan, script, files, cgroup, environment, writer)
    os.close(writer)
    with open(reader, "rb") as stream:
        report = stream.read()
    if not report:
        return Started(pid)
    failure = json.loads(report)
    return Started(pid, failure["stage"], failure["error"])


def _be_the_script(
    plan: dict[str, Any], script: Path, files: Files, cgroup: StepGroup | None, environment: dict[str, str], report: int
) -> NoReturn:
    stage, status = "setup", 1
    try:
        os.setpgid(0, 0)
        _reset_signals()
        set_oom_score(0)
        if cgroup:
            cgroup.enter()
        _bind_cpus(plan["cpu_ids"])
        _limit(plan["limits"], plan["memory_mib"])
        stage = "identity"
        _take_identity(plan)
        stage = "io"
        os.fchdir(files.work_dir)
        for target, source in enumerate((files.stdin, files.stdout, files.stderr)):
            os.dup2(source, target, inheritable=True)
        os.umask(plan["umask"])
        stage = "exec"
        environment["SLURM_TASK_PID"] = str(os.getpid())
        programs = plan.get("programs", {})
        if programs.get("task_prolog"):
            os.close(report)  # the manager must not wait for it: its end may be asked for meanwhile
            environment = _prepared(programs, environment, f"slurmstepd-{plan['node']}")
        os.execve(script, [str(script), *plan["arguments"]], environment)
    except OSError as error:
        status = (error.errno or 1) & 0xFF
        message = _describe(stage, script, error)
        _complain(files.stderr, message)
        with contextlib.suppress(OSError):
            os.write(report, json.dumps({"stage": stage, "error": message}).encode())
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(report, json.dumps({"stage": stage, "error": repr(error)}).encode())
    finally:
        os._exit(status)


def _prepared(programs: dict[str, Any], environment: dict[str, str], complainer: str) -> dict[str, str]:
    """Runs the site's TaskProlog and returns the environment that it leaves; where it fails the task ends as it did."""
    path = programs["task_prolog"]
    try:
        status, printed = task_programs.run_task_prolog(path, environment, programs["slurm_conf"])
    except OSError as error:
        os.write(2, f"{complainer}: error: TaskProlog {path} cannot be executed: {error.strerror}\n".encode())
        os._exit(1)
    orders = task_programs.orders_of(printed, environment)
    if orders.lines:
        os.write(1, "".join(f"{line}\n" for line in orders.lines).encode(errors="surrogateescape"))
    if status:
        os.write(2, f"{complainer}: error: TaskProlog failed status={status}\n".encode())
        os._exit(status)
    return orders.environment


def spawn_epilog(plan: dict[str, Any], stderr: int, cgroup: StepGroup | None) -> int:
    """Starts the site's TaskEpilog in a child with the job's identity; returns its process number."""
    programs = plan["programs"]
    pid = os.fork()
    if pid == 0:
        try:
            _reset_signals()
            set_oom_score(0)
            if cgroup:
                cgroup.enter()
            _take_identity(plan)
            os.chdir(_FALLBACK_DIR)
            with contextlib.suppress(OSError):
                os.chdir(plan["work_dir"])
            if stderr >= 0:
                os.dup2(stderr, 2)
            os.umask(plan["umask"])
            task_programs.run_task_epilog(programs["task_epilog"], plan["environment"], programs["slurm_conf"])
        except OSError as error:
            _complain(stderr, f"TaskEpilog {programs['task_epilog']} cannot be executed: {error.strerror}")
        finally:
            os._exit(0)
    return pid


def spawn_detached(program: str, plan: dict[str, Any]) -> None:
    """Starts the site's UnkillableStepProgram as this process's user; nobody waits for it."""
    environment = {"SLURM_JOB_ID": str(plan["job_id"]), "SLURM_STEP_ID": plan["step"]}
    try:
        subprocess.Popen(
            [program],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        print(f"flurm stepd: UnkillableStepProgram {program}: {error.strerror}", file=sys.stderr, flush=True)


def _describe(stage: str, script: Path, error: OSError) -> str:
    if stage != "exec":
        return f"{stage}: {error.strerror}"
    if error.errno == errno.ENOENT:
        with contextlib.suppress(OSError), open(script, "rb") as stream:
            first = stream.readline(4096).decode(errors="replace")
            words = first[2:].split() if first.startswith("#!") else []
            if words:
                return f"execve(): bad interpreter({words[0]}): {error.strerror}"
    return f"execve(): {script}: {error.strerror}"


def _reset_signals() -> None:
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _bind_cpus(cpu_ids: list[int]) -> None:
    usable = set(cpu_ids) & os.sched_getaffinity(0)
    if usable:
        os.sched_setaffinity(0, usable)


def _limit(limits: dict[str, int], memory_mib: int) -> None:
    """Sets the submitter's soft limits, as far as this process's hard limits allow, and what Slurm says about memory.

    RLIMIT_RSS binds nothing in Linux, but programs read it. The limits that do bind (AS, DATA) count reserved address
    space and break programs that reserve much and use little; the memory itself is held by cgroup or by the manager.
    """
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        soft = resource.RLIM_INFINITY if value >= (1 << 63) else value
        if hard != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or soft > hard):
            soft = hard
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (soft, hard))
    if memory_mib:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_RSS, (memory_mib << 20, memory_mib << 20))


def _take_identity(plan: dict[str, Any]) -> None:
    if os.getuid() == 0:
        os.setgroups(plan["gids"])
        os.setgid(plan["gid"])
        os.setuid(plan["uid"])


def login_environment(plan: dict[str, Any]) -> dict[str, str]:
    """What the user's login shell exports; empty where it cannot be had in time."""
    marker = f"flurm-environment-{os.getpid()}"
    dump = f"echo; printf %s {marker}; env -0"
    if os.getuid() == 0:
        argv = ["su", "-", plan["user"], "-c", dump]
    else:
        argv = [plan["shell"] or "/bin/sh", "-l", "-c", dump]
    base = {"HOME": plan["home"], "USER": plan["user"], "LOGNAME": plan["user"], "SHELL": plan["shell"]}
    base["PATH"] = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    try:
        done = subprocess.run(
            argv,
            env=base,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LOGIN_PATIENCE_S,
            check=False,
            restore_signals=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        print(f"flurm stepd: no login environment of {plan['user']}: {error}", file=sys.stderr, flush=True)
        return {}
    _, _, listing = done.stdout.partition(marker.encode())
    pairs = (os.fsdecode(item).partition("=") for item in listing.split(b"\0"))
    return {name: value for name, equals, value in pairs if equals and name != "_"}
