"""How long clients wait while the controller's code is replaced. Run: python -m bench.upgrade

Eight clients submit held jobs one after the other, twenty jobs run. The waits of submissions that a `flurm upgrade` (or
its rollback) overlaps stand beside those of the quiet seconds before, in the same run.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path

from tests.faults.daemons import Daemons
from tests.faults.test_upgrade import CHANGES, release

CLIENTS = 8
RUNNING = 20
QUIET_S = 8.0
AFTER_S = 2.0

Wait = tuple[float, float]
"""When a submission began and when it was acknowledged, in seconds."""


class Clients:
    """Threads that submit until they are stopped, and note how long each submission took."""

    def __init__(self, cluster: Daemons) -> None:
        self._cluster = cluster
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._submit) for _ in range(CLIENTS)]
        self.waits: list[Wait] = []
        self.failures: list[str] = []

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _submit(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                self._cluster.client.submit("true", priority=0)
            except Exception as error:
                self.failures.append(str(error))
            self.waits.append((began_s, time.monotonic()))


def main() -> int:
    """Measure and print; 1 where a submission failed."""
    with tempfile.TemporaryDirectory() as directory, Daemons(max_job_count=1_000_000) as cluster:
        cluster.await_node()
        newer = release(Path(directory) / "newer", cluster, "9.0", CHANGES)
        for _ in range(RUNNING):
            cluster.client.submit("sleep 120", time_limit=5)
        with Clients(cluster) as clients:
            quiet = _window(QUIET_S, lambda: None)
            upgrade = _window(AFTER_S, lambda: _done(cluster, f"releases.upgrade({str(newer)!r})"))
            rollback = _window(AFTER_S, lambda: _done(cluster, "releases.rollback()"))
    print(f"{'':24}{'submissions':>12}{'median':>10}{'p99':>10}{'longest':>10}")
    for name, window in (("quiet", quiet), ("during the upgrade", upgrade), ("during the rollback", rollback)):
        waits = [end - begin for begin, end in clients.waits if end > window[0] and begin < window[1]]
        print(f"{name:24}{len(waits):>12}" + "".join(f"{ms:>7.1f} ms" for ms in _figures(waits)))
    print(f"failed submissions: {len(clients.failures)}")
    return 1 if clients.failures else 0


def _window(after_s: float, action: object) -> Wait:
    """Run the action; from its begin until a moment after its end."""
    began_s = time.monotonic()
    assert callable(action)
    action()
    time.sleep(after_s)
    return began_s, time.monotonic()


def _done(cluster: Daemons, expression: str) -> None:
    print(cluster.evaluate(expression), flush=True)


def _figures(waits: list[float]) -> tuple[float, float, float]:
    ranked = sorted(each * 1000 for each in waits)
    return statistics.median(ranked), ranked[int(0.99 * (len(ranked) - 1))], ranked[-1]


if __name__ == "__main__":
    raise SystemExit(main())
