"""The keeper: a small single-threaded process that runs programs for the controller, and ends with it.

A daemon with threads had better not fork, and a program must not outlive the controller that reports on it. This
process does nothing but fork, wait and kill. It reads one JSON object a line:

    {"run": 7, "argv": [...], "env": {...}, "names": {"VAR": ["user" | "group", number]},
     "uid": null | number, "login": false, "limit_s": 0}        begin a program
    {"end": 7}                                                 kill it; nothing is said of it any more

and writes one for each program that has ended by itself, or could not begin:

    {"run": 7, "status": 256, "error": null, "output": "the first of what it printed"}

`names` are variables that hold the name of a user or group; looking it up may take long where there is a directory
server, which holds up nobody but programs. `login` gives the program its user's HOME, USER, LOGNAME and SHELL and a
PATH. A keeper that is not root runs what is not `login` as itself, whatever `uid` says. A program is the leader of a
session of its own, has nothing open but /dev/null and a pipe for what it prints, and is killed with its group when
its time is up, when it is told so, and when the controller is gone: when the input ends.
Standard library only; started without site packages.
"""

from __future__ import annotations

import ctypes
import grp
import json
import os
import pwd
import selectors
import signal
import subprocess
import sys
import time
from typing import Any

MOST_OUTPUT = 2000
MOST_READS = 16
LOGIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Running:
    """A program that has begun."""

    def __init__(self, number: int, process: subprocess.Popen[bytes], pidfd: int, until_s: float) -> None:
        self.number = number
        self.process = process
        self.pidfd = pidfd
        self.until_s = until_s
        self.output = b""
        self.error: str | None = None

    def kill(self) -> None:
        """End the program and whatever it has begun in its process group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            self.process.kill()  # it has left the group, or is over


class Keeper:
    """All programs that run."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, Running] = {}
        self._input = b""
        self._selector.register(0, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Run what is asked for until the input ends; then nothing is left."""
        try:
            while True:
                for key, _ in self._selector.select(self._patience_s()):
                    if key.data is None:
                        if not self._read_orders():
                            return
                    else:
                        self._look_at(key.data, key.fd)
                self._kill_late_ones()
        finally:
            for running in list(self._running.values()):
                running.kill()

    def _look_at(self, running: Running, fd: int) -> None:
        if self._running.get(running.number) is not running:
            return  # it was dropped for another event of the same moment
        if fd == running.pidfd:
            self._over(running)
        else:
            self._read_output(running, fd)

    def _patience_s(self) -> float | None:
        soonest_s = min((each.until_s for each in self._running.values()), default=float("inf"))
        return None if soonest_s == float("inf") else max(0.0, soonest_s - time.monotonic())

    def _kill_late_ones(self) -> None:
        now_s = time.monotonic()
        for running in self._running.values():
            if running.until_s <= now_s:
                running.error, running.until_s = "its time was up, it was killed", float("inf")
                running.kill()

    def _read_orders(self) -> bool:
        data = os.read(0, 1 << 16)
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "end" in order:
                self._end(order["end"])
            else:
                self._begin(order)
        return bool(data)

    def _begin(self, order: dict[str, Any]) -> None:
        number = order["run"]
        try:
            process = _started(order)
        except (OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
            _say(number, 0, f"cannot run {order['argv'][0]}: {error}", b"")
            return
        until_s = time.monotonic() + order["limit_s"] if order["limit_s"] else float("inf")
        running = Running(number, process, os.pidfd_open(process.pid), until_s)
        self._running[number] = running
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(running.pidfd, selectors.EVENT_READ, running)
        self._selector.register(process.stdout.fileno(), selectors.EVENT_READ, running)

    def _end(self, number: int) -> None:
        running = self._running.get(number)
        if running is not None:
            running.kill()
            running.process.wait()
            self._drop(running)

    def _read_output(self, running: Running, fd: int) -> bool:
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return False
        running.output = (running.output + data)[:MOST_OUTPUT]
        if not data:
            self._selector.unregister(fd)
        return bool(data)

    def _over(self, running: Running) -> None:
        stdout = running.process.stdout
        assert stdout is not None
        for _ in range(MOST_READS):  # not for ever: what it began may go on printing
            if stdout.fileno() not in self._selector.get_map() or not self._read_output(running, stdout.fileno()):
                break
        code = running.process.wait()
        self._drop(running)
        status = -code if code < 0 else code << 8
        _say(running.number, status, running.error, running.output)

    def _drop(self, running: Running) -> None:
        del self._running[running.number]
        assert running.process.stdout is not None
        for fd in (running.pidfd, running.process.stdout.fileno()):
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        os.close(running.pidfd)
        running.process.stdout.close()


def _started(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    environment = dict(order["env"])
    for variable, (kind, number) in order["names"].items():
        environment[variable] = _name(kind, number)
    become: dict[str, Any] = {}
    uid = order["uid"]
    if order["login"]:
        entry = pwd.getpwuid(os.geteuid() if uid is None else uid)
        environment |= {
            "HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name, "SHELL": entry.pw_shell,
            "PATH": LOGIN_PATH,
        }  # fmt: skip
    if uid is not None and uid != os.geteuid() and (os.geteuid() == 0 or order["login"]):
        entry = pwd.getpwuid(uid)
        groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
        become = {"user": uid, "group": entry.pw_gid, "extra_groups": groups}
    return subprocess.Popen(
        order["argv"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, umask=0o022, preexec_fn=_die_with_me, **become,
    )  # fmt: skip


def _die_with_me() -> None:
    """Where even the keeper is killed, the kernel kills its programs; one thread here, so this may run after fork."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _name(kind: str, number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name if kind == "user" else grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _say(number: int, status: int, error: str | None, output: bytes) -> None:
    told = {"run": number, "status": status, "error": error, "output": output.decode(errors="replace")}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(each, lambda *_: None)  # a handler, which programs do not inherit
    Keeper().serve()
