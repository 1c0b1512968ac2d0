"""The runtime of production: a pykka actor and a thread per process, real time.

pykka gives the actor and its three seams (`_create_actor_inbox`, `_create_future`, `_start_actor_loop`); the inbox is a
`SimpleQueue`, the loop is OTP's (process.py). No exception reaches pykka, whose answer to some is to stop all actors.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pykka

from flurm.otp.gen_server import GenServer
from flurm.otp.messages import Pid
from flurm.otp.runtime.process import CAST, Process
from flurm.otp.runtime.sender import Outcome, Sender
from flurm.otp.runtime.system import SystemCore
from flurm.otp.runtime.timers import Timers


class _Local(threading.local):
    """What a thread knows. The default saves threads outside of processes an exception per message."""

    process: Process | None = None


_local = _Local()


def current() -> Process | None:
    """The process whose thread this is, or None in any other thread."""
    return _local.process


class ThreadProcess(Process, pykka.ThreadingActor):
    """A process with a thread of its own."""

    use_daemon_thread = True

    def __init__(self, *args: Any) -> None:
        pykka.ThreadingActor.__init__(self)
        Process.__init__(self, *args)

    @staticmethod
    def _create_actor_inbox() -> Any:
        return queue.SimpleQueue()

    def _start_actor_loop(self) -> None:
        name = self.name or f"{type(self.module).__name__} {self.pid}"
        threading.Thread(target=self._actor_loop, name=name, daemon=True).start()

    def run(self) -> None:
        """Start the thread."""
        self._start_actor_loop()

    def _actor_loop(self) -> None:
        _local.process = self
        try:
            self._live()
        finally:
            _local.process = None
            self._forget_messages()


class System(SystemCore):
    """Runs processes on threads. Everything may be called from any thread, of a process or not."""

    def __init__(self, env: dict[str, Any] | None = None) -> None:
        sys.setswitchinterval(0.002)
        super().__init__(env, threading.RLock())
        self._timers = Timers(self.info)

    current = staticmethod(current)
    new_outcome = staticmethod(Outcome)
    new_event = staticmethod(threading.Event)
    new_sender = staticmethod(Sender)
    now_s = staticmethod(time.time)
    monotonic_s = staticmethod(time.monotonic)

    def cast(self, target: str | Pid, message: Any) -> None:
        """See SystemCore; written out for speed, as nothing else here is."""
        process = self._processes.get(target) if type(target) is Pid else self._names.get(target)  # type: ignore[arg-type]
        sender = _local.process
        if process is None or process.coalesced or self.tap is not None or (sender is not None and sender.exited):
            self._send(target, CAST, message)
        else:
            process.put((CAST, message, None))

    def new_process(
        self, module: GenServer, args: dict[str, Any], pid: Pid, name: str | None, parent: Process | None
    ) -> Process:
        """See SystemCore."""
        return ThreadProcess(self, module, args, pid, name, parent)

    def beside(self, function: Callable[[], Any]) -> None:
        """Run `function` in a thread."""
        threading.Thread(target=function, name="flurm-beside", daemon=True).start()
