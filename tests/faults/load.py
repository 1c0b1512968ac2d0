"""Clients that submit all the time, and what must be true of their jobs whatever happened to the controller."""

from __future__ import annotations

import threading
from collections import Counter

from actors.net import rpc
from tests.faults.daemons import Daemons, Refused

PAUSE_S = 0.25


class Load:
    """`clients` threads that submit until they are stopped; every job writes its id to one file when it runs."""

    def __init__(self, cluster: Daemons, clients: int = 8, pause_s: float = PAUSE_S) -> None:
        self.cluster = cluster
        self.runs = cluster.place / "runs"
        self.acknowledged: dict[int, str] = {}
        self.failed: list[tuple[str, str]] = []
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._submit, args=(number,)) for number in range(clients)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Have every client finish what it does, and wait for that."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _submit(self, client: int) -> None:
        serial = 0
        while not self._stop.wait(self._pause_s):
            serial += 1
            name = f"c{client}-{serial}"
            try:
                job_id = self.cluster.client.submit(f"echo $SLURM_JOB_ID >> {self.runs}", name=name)
            except (rpc.Unreachable, Refused) as error:
                self.failed.append((name, str(error)))
            else:
                self.acknowledged[job_id] = name

    def check(self, patience_s: float = 60.0) -> None:
        """No acknowledged job is lost, none ran twice, and no submission became two jobs."""
        jobs = self.cluster.await_end(set(self.acknowledged), patience_s)
        for job_id, name in self.acknowledged.items():
            assert jobs[job_id].name == name
            assert jobs[job_id].exit_code == 0, f"job {job_id} ended with {jobs[job_id].exit_code}"
        ran = Counter(int(line) for line in self.runs.read_text().split())
        assert [job_id for job_id, count in ran.items() if count > 1] == []
        assert self.acknowledged.keys() - ran.keys() == set()
        names = Counter(job.name for job in jobs.values())
        assert [name for name, count in names.items() if count > 1] == []
