"""A node for tests: a launcher on a spool of its own, a user to run jobs as, and events to wait for."""

from __future__ import annotations

import os
import pwd
import queue
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TypeVar

from flurm.node.launcher import Launcher
from flurm.node.spec import Event, LaunchSpec, StepEnded

PATIENCE_S = 20.0
USER = pwd.getpwnam("daemon") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())

_E = TypeVar("_E")


def make_workplace() -> Path:
    """A directory that the test's user may enter, with `work` (the user's own) in it."""
    place = Path(tempfile.mkdtemp(prefix="flurm-node-"))
    place.chmod(0o755)
    work = place / "work"
    work.mkdir()
    os.chown(work, USER.pw_uid, USER.pw_gid)
    return place


def batch(job_id: int, body: str, work: Path, **changes: object) -> LaunchSpec:
    """A batch script to run in `work` as the test's user."""
    given: dict = {
        "job_id": job_id,
        "uid": USER.pw_uid,
        "gid": USER.pw_gid,
        "user_name": USER.pw_name,
        "script": b"#!/bin/sh\n" + body.encode(),
        "work_dir": str(work),
        "environment": ("PATH=/usr/local/bin:/usr/bin:/bin",),
        "node_list": "n1",
    }
    return LaunchSpec(**(given | changes))


class Node:
    """A launcher and what it has announced."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.work = place / "work"
        self.spool = place / "spool"
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.seen: list[Event] = []
        self.launcher = Launcher(self.spool, "n1", self.events.put, use_cgroups=False)
        self.launcher.start()

    def run(self, job_id: int, script: str, **changes: object) -> StepEnded:
        """Runs a script to its end."""
        self.launcher.launch(batch(job_id, script, self.work, **changes))
        return self.wait_for(StepEnded, job_id)

    def wait_for(self, kind: type[_E], job_id: int) -> _E:
        """The next event of a kind for a job; events that came before it stay in `seen`."""
        while True:
            for event in self.seen:
                if isinstance(event, kind) and event.key.job_id == job_id:
                    self.seen.remove(event)
                    return event
            self.seen.append(self.events.get(timeout=PATIENCE_S))

    def output(self, job_id: int) -> str:
        """What a job printed to its default output file."""
        return (self.work / f"slurm-{job_id}.out").read_text()

    def fifo(self, name: str) -> Path:
        """A named pipe in the job's directory: whoever reads waits for whoever writes."""
        path = self.work / name
        os.mkfifo(path)
        path.chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
        return path

    def close(self) -> None:
        """Ends what still runs and removes everything."""
        for key in self.launcher.running():
            self.launcher.terminate(key.job_id, 0)
            self.wait_for(StepEnded, key.job_id)
        self.launcher.stop()
        shutil.rmtree(self.place)
