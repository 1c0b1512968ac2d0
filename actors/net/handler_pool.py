"""How many connection handlers there are: more of them while (nearly) all wait for somebody else.

Handlers that merely compute are no reason for more: one interpreter runs one of them at a time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import structlog

from flurm.otp import OtpError, Pid, SystemPort

POOL = "flurm_acceptor_pool"

log = structlog.get_logger(__name__)


class HandlerPool:
    """`usual` handlers are always there, spare ones come and go; for many threads."""

    def __init__(self, usual: int, most: int) -> None:
        self.usual = usual
        self.most = most
        self.blocked = 0
        """Handlers that wait for somebody; changed under the interpreter's lock only."""
        self.spares: set[Pid] = set()
        self.starting = 0
        self._growing = threading.Lock()

    @contextlib.contextmanager
    def waiting(self, system: SystemPort | None = None) -> Iterator[None]:
        """What is done inside waits for a manager, a disk or a slow client, and leaves the processor to others.

        Given a system, a spare handler is started where none would be left for a new connection.
        """
        self.blocked += 1
        try:
            if system is not None and self._is_short() and self.grow(system):
                self._start_spare(system)
            yield
        finally:
            self.blocked -= 1

    def _is_short(self) -> bool:
        return self.blocked >= self.usual + len(self.spares) - 1

    def grow(self, system: SystemPort) -> bool:
        """Whether one more handler may be started; the caller then starts it."""
        with self._growing:
            self.spares = {pid for pid in self.spares if system.is_alive(pid)}
            if len(self.spares) + self.starting >= self.most - self.usual:
                return False
            self.starting += 1
            return True

    def spare_began(self, pid: Pid) -> None:
        """A spare handler is there; it counts until it is not, however it ends."""
        with self._growing:
            self.spares.add(pid)

    def _start_spare(self, system: SystemPort) -> None:
        """From a thread of its own: the caller has a request to serve."""
        threading.Thread(target=self._start, args=(system,), daemon=True).start()

    def _start(self, system: SystemPort) -> None:
        try:
            system.start_child(POOL, {"spare": True})
        except OtpError as error:
            log.warning("no further connection handler", reason=str(error))
        finally:
            with self._growing:
                self.starting -= 1
