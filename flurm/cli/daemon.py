"""How a daemon lives among a site's scripts, as Slurm's own daemons do: detached, named, one for each pid file.

Detaching forks twice, so that the daemon is in a session of its own and can never get a terminal. The caller's process
waits until the daemon says that it serves (exit status 0) or ends without having said so (1): what went wrong stands
on the caller's standard error by then, the one of its streams that the daemon keeps until it serves.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pwd
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

__all__ = [
    "DaemonError",
    "PidFile",
    "User",
    "detach",
    "on_signals",
    "prepare",
    "set_process_name",
    "stay",
    "told_to_systemd",
]

OLD_DAEMON_S = 60.0
_POLL_S = 0.02


class DaemonError(Exception):
    """The daemon cannot live here; the text says why and what to do."""


class User:
    """Whom a daemon becomes: SlurmUser, or SlurmdUser. Raises DaemonError for one that does not exist."""

    def __init__(self, name: str, key: str) -> None:
        self.name, self.key = name, key
        try:
            entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
        except KeyError:
            raise DaemonError(f"{key}={name}: there is no such user on this host; create it, or name another") from None
        self.uid, self.gid = entry.pw_uid, entry.pw_gid

    @property
    def is_other(self) -> bool:
        """Whether this process is somebody else."""
        return self.uid != os.geteuid()

    def check(self, code: tuple[Path, ...] = ()) -> None:
        """Raises DaemonError where this process can never become that user, or that user may not read the code."""
        if not self.is_other:
            return
        if os.geteuid() != 0:
            who = pwd.getpwuid(os.geteuid()).pw_name
            advice = "start it as root or that user"
            raise DaemonError(f"started by {who}, who cannot become {self.key}={self.name}: {advice}")
        if os.waitstatus_to_exitcode(self._try_reading(code)):
            where = " and ".join(str(each.parent) for each in code)
            raise DaemonError(f"{self.key}={self.name} may not read {where}: install FLURM where every user may")

    def _try_reading(self, code: tuple[Path, ...]) -> int:
        child = os.fork()
        if child == 0:
            try:
                self.become()
                os._exit(0 if all(os.access(each, os.R_OK) for each in code) else 1)
            except BaseException:
                os._exit(1)
        return os.waitpid(child, 0)[1]

    def own(self, path: Path) -> None:
        """Give a file or directory to that user."""
        if self.is_other and os.geteuid() == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_directory(self, path: Path) -> None:
        """Give that user a directory with all in it, made with all above it where it is missing.

        But for files with a second name, which may lie where that user must not write: it has put the link here.
        """
        missing = [each for each in path.parents if not each.exists()]
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        if self.is_other:
            for each in (*missing, path, *path.rglob("*")):
                found = each.lstat()
                if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1:
                    self.own(each)

    def become(self) -> None:
        """Be that user from now on, all threads, with the groups that it has. There is no way back."""
        if self.is_other:
            os.initgroups(pwd.getpwuid(self.uid).pw_name, self.gid)
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)


class PidFile:
    """The pid of the daemon, locked while it lives. Whoever starts another ends the one before, as in Slurm."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = -1

    def take(self, told: Callable[[str], None]) -> None:
        """Write our pid. A daemon that holds the file, Slurm's own too, is ended first. Raises DaemonError."""
        try:
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DaemonError(f"cannot write the pid file {self.path}: {error.strerror}") from error
        deadline_s, asked = time.monotonic() + OLD_DAEMON_S, 0
        while not self._locked():
            old = self._holder()
            if old and old != asked:
                told(f"killing old daemon [{old}]")
                asked = _ask_to_end(old)
            if time.monotonic() > deadline_s:
                raise DaemonError(f"{self.path}: the daemon of before, process {old or 'unknown'}, does not end")
            time.sleep(_POLL_S)
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def give_to(self, user: User) -> None:
        """Let the user that the daemon becomes write the file."""
        user.own(self.path)

    def remove(self) -> None:
        """Remove the file; where the daemon's user may not, empty it. Nothing happens where it was never taken."""
        if self._handle < 0:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._handle, 0)
            self.path.unlink()
        os.close(self._handle)
        self._handle = -1

    def _locked(self) -> bool:
        """Whether the lock is ours. POSIX record locks, because that is what Slurm's daemons hold on theirs."""
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise DaemonError(f"cannot lock the pid file {self.path}: {error.strerror}") from error
            return False
        if self._is_current():
            return True
        os.close(self._handle)  # the one before has removed the file that we hold
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        return False

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._handle))
        except FileNotFoundError:
            return False

    def _holder(self) -> int:
        text = os.pread(self._handle, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0


def _ask_to_end(pid: int) -> int:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise DaemonError(f"process {pid} runs already, and is not ours to end") from None
    return pid


def detach() -> Callable[[], None]:
    """Go on as a daemon; in the caller's process this never returns. Call what is returned once the daemon serves."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        told = os.read(reader, 1)
        os._exit(0 if told else 1)
    os.close(reader)
    os.setsid()
    if os.fork():
        os._exit(0)
    complaints = _let_go_of_streams()
    return lambda: _let_go_of_caller(complaints, writer)


def stay() -> None:
    """What a daemon in the foreground calls once it serves: there is no caller to let go of."""


def told_to_systemd() -> Callable[[], None]:
    """What a service of Type=notify calls once it serves (sd_notify(3)); programs that it starts are not to do so.

    Raises DaemonError where systemd does not wait for it.
    """
    address = os.environ.pop("NOTIFY_SOCKET", "")
    if not address:
        raise DaemonError("--systemd: NOTIFY_SOCKET is not set; a unit that starts this has Type=notify")

    def tell() -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)

    return tell


def _let_go_of_streams() -> TextIO:
    """Keep the caller's standard error as sys.stderr, and so that no program started meanwhile has any of the three."""
    sys.stdout.flush()
    sys.stderr.flush()
    complaints = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    sys.stderr = complaints
    return complaints


def _let_go_of_caller(complaints: TextIO, writer: int) -> None:
    sys.stderr = sys.__stderr__
    with contextlib.suppress(OSError):
        complaints.close()
    with contextlib.suppress(BrokenPipeError):
        os.write(writer, b"\n")
    os.close(writer)


def set_process_name(name: str) -> None:
    """Be called that by ps, pgrep and killall, whatever program this is."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def prepare(nice: int) -> None:
    """What Slurm's daemons do to themselves: files that others may read, and a priority. Raises DaemonError."""
    os.umask(0o022)
    if nice:
        try:
            os.nice(nice)
        except OSError as error:
            raise DaemonError(f"cannot run at nice value {nice}: {error.strerror}") from error


def on_signals(actions: dict[signal.Signals, Callable[[], Any]]) -> None:
    """Act on signals in threads of their own: the main one may hold the very lock that an action needs."""

    def in_a_thread(number: int, frame: object) -> None:
        threading.Thread(target=actions[signal.Signals(number)], daemon=True).start()

    for number in actions:
        signal.signal(number, in_a_thread)
