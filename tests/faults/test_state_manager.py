"""State manager and consensus, each restarted while commands are committed."""

from __future__ import annotations

import threading
import time

import pytest

from actors import messages as m
from flurm.config import Config
from flurm.core.commands import Wake
from flurm.otp import REST_FOR_ONE, Child, Supervisor, System
from flurm.otp.errors import Crash
from flurm.storage.layout import Store

SPEC = Supervisor(
    strategy=REST_FOR_ONE,
    intensity=1000,
    children=(
        Child("flurm_consensus", "actors.consensus:Consensus"),
        Child("flurm_state_manager", "actors.state_manager:StateManager"),
    ),
)


class Core:
    """The two on a real directory, and a thread that proposes all the time."""

    def __init__(self, directory) -> None:
        self.store = Store(directory)
        config = Config(controller_name="a", raft_snapshot_interval=50)
        self.system = System({"config": config, "store": self.store})
        self.crashes: list[str] = []
        self.published: list[int] = []
        self.system.observers.append(self._observe)
        self.system.start(SPEC, "core")
        self._stop = threading.Event()
        self._proposer = threading.Thread(target=self._propose)
        self._proposer.start()

    def _observe(self, event) -> None:
        """What dies by itself; whose consensus was killed while it started is no news."""
        told = ("NoProcess", "ProcessDown")
        if event.kind == "exited" and isinstance(event.reason, Crash) and event.reason.kind not in told:
            self.crashes.append(str(event.reason))

    def _propose(self) -> None:
        while not self._stop.wait(0.0005):
            self.system.cast("flurm_consensus", m.propose(Wake(now_s=1)))
            self.published.append(self.system.terms["cluster_index"])

    def await_progress(self) -> None:
        """Wait until something more has been applied."""
        before = self.system.terms["cluster_index"]
        self.await_that(lambda: self.system.terms["cluster_index"] > before)

    def await_that(self, holds) -> None:
        deadline_s = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline_s, self.crashes
            time.sleep(0.001)

    def close(self) -> None:
        self._stop.set()
        self._proposer.join()
        self.system.stop()
        self.store.close()


@pytest.mark.parametrize("victim", ["flurm_state_manager", "flurm_consensus"])
def test_nothing_is_left_out_applied_twice_or_published_backwards(tmp_path, victim):
    core = Core(tmp_path)
    try:
        for _ in range(20):
            core.await_progress()
            core.system.kill(victim)
        core.await_progress()
        core._stop.set()
        core._proposer.join()
        core.await_that(lambda: core.system.terms["cluster_index"] == core.system.terms["consensus"].last_index)
    finally:
        core.close()
    assert core.crashes == []
    assert core.published == sorted(core.published)
