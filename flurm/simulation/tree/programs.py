"""Programs around jobs in the simulation: they take a while, and now and then one fails."""

from __future__ import annotations

from typing import Any

from actors.programs.runner import Ended, Tell

TAKES_S = (0.01, 4.0)
FAILS = 0.05
PROGRAMS = {"PrologSlurmctld": "/before", "EpilogSlurmctld": "/after", "PrologEpilogTimeout": "60"}
"""What the configuration says of them."""


class SimKeeper:
    """Stands where `actors.programs.runner.Keeper` has a process; it goes with the power of its controller."""

    def __init__(self, controller: Any, number: int, tell: Tell) -> None:
        self._controller, self._tell = controller, tell
        self._system = controller.system
        self._running: set[int] = set()

    def begin(self, order: dict[str, Any]) -> None:
        """Run a program."""
        run: int = order["run"]
        self._running.add(run)
        if self._system is not None:
            self._system.beside(lambda: self._work(run))

    def _work(self, run: int) -> None:
        scheduler = self._controller.scheduler
        self._system.env["clock"].sleep(scheduler.random.uniform(*TAKES_S))
        failed = scheduler.random.random() < FAILS and scheduler.now_s < self._controller.world.plan.seconds
        if run in self._running and self._controller.system is self._system:
            self._running.discard(run)
            self._tell(Ended(run, 256 if failed else 0))

    def end(self, run: int) -> None:
        """Kill it."""
        self._running.discard(run)

    def close(self) -> None:
        """Kill all of them."""
        self._running.clear()
