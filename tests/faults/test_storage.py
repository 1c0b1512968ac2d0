"""The state directory under bad conditions: no room, a torn log, two owners."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.net import rpc
from protocol.constants import JobState
from tests.faults.daemons import BASE_STATE, Client, Daemons, Refused, is_running

TMPFS = "4m"


def test_a_second_controller_on_the_same_state_directory_says_who_holds_it():
    with Daemons() as cluster:
        holder = str(cluster.controller.pid)
        for command in ("foreground", "start"):
            second = cluster.run(command)
            assert second.returncode == 1
            assert str(cluster.state_dir) in second.stderr
            assert holder in second.stderr.split() or f"process {holder} " in second.stderr
        cluster.client.ping()


def test_a_full_log_disk_costs_log_lines_only(tmp_path):
    """Every write to /dev/full fails with ENOSPC."""
    with Daemons() as cluster:
        cluster.kill_controller()
        cluster.log.unlink()
        cluster.log.symlink_to("/dev/full")
        cluster.start()
        cluster.await_node()
        job_id = cluster.client.submit("exit 7")
        assert cluster.await_end({job_id})[job_id].exit_code == 7 << 8
        cluster.log.unlink()


class Room:
    """A state directory of limited size: `fill` takes all of it, `free` gives it back."""

    def __init__(self, cluster: Daemons) -> None:
        self.cluster = cluster

    def fill(self) -> None:
        raise NotImplementedError

    def free(self) -> None:
        raise NotImplementedError


class TmpfsRoom(Room):
    """A small tmpfs that is mounted in a mount namespace of the controller's own."""

    def __init__(self, cluster: Daemons, holder: int) -> None:
        super().__init__(cluster)
        self._filler = Path(f"/proc/{holder}/root{cluster.state_dir}/filler")

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"\0" * 4096)

    def free(self) -> None:
        self._filler.unlink()


class LimitedRoom(Room):
    """No file of the controller may grow (RLIMIT_FSIZE), which needs no privilege."""

    def fill(self) -> None:
        self._limit(1)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        resource.prlimit(self.cluster.controller.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextlib.contextmanager
def tmpfs_room() -> Iterator[Room]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    cluster = Daemons()
    cluster.state_dir.mkdir()
    script = f"mount -t tmpfs -o size={TMPFS},mode=700 tmpfs {cluster.state_dir} && echo mounted && exec sleep 300"
    holder = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"mounted\n":
            pytest.skip("no mount namespace here")
        cluster.wrap = ("nsenter", "-t", str(holder.pid), "-m", "--")
        with cluster:
            yield TmpfsRoom(cluster, holder.pid)
    finally:
        cluster.close()
        holder.kill()
        holder.communicate()


@contextlib.contextmanager
def limited_room() -> Iterator[Room]:
    with Daemons() as cluster:
        yield LimitedRoom(cluster)


@pytest.mark.parametrize("make_room", [tmpfs_room, limited_room])
def test_a_full_disk_refuses_submissions_loses_nothing_and_is_over_when_there_is_room(make_room):
    with make_room() as room:
        cluster: Daemons = room.cluster
        cluster.await_node()
        gate = cluster.place / "gate"
        running = cluster.client.submit(f"until test -e {gate}; do sleep 0.05; done; exit 9")
        held = {cluster.client.submit("exit 3", priority=0) for _ in range(10)}
        cluster.await_that("the job runs", lambda: state(cluster.client, running) == JobState.RUNNING)

        room.fill()
        with pytest.raises(Refused) as refused:
            for _ in range(100):  # what still fits into the log's last page is taken
                held.add(cluster.client.submit("true", priority=0))
        assert refused.value.code == errno.ENOSPC
        with pytest.raises(Refused) as refused:
            cluster.client.submit("true # " + "x" * 200_000)
        assert refused.value.code == errno.ENOSPC
        told = cluster.run("sbatch", "--wrap", "true")
        assert told.returncode == 1
        assert told.stderr == "sbatch: error: Batch job submission failed: No space left on device\n"
        gate.touch()
        assert cluster.client.jobs().keys() == held | {running}

        room.free()
        later = cluster.client.submit("exit 4")
        jobs = cluster.await_end({running, later})
        assert jobs[running].exit_code == 9 << 8, "it ended while its end could not be written down"
        assert jobs[later].exit_code == 4 << 8

        cluster.kill_controller()
        cluster.start()
        assert cluster.client.jobs().keys() == held | {running, later}


def test_a_start_that_could_not_be_written_down_is_tried_again_when_there_is_room():
    with tmpfs_room() as room:
        cluster: Daemons = room.cluster
        cluster.await_node()
        due_s = int(time.time()) + 3
        delayed = cluster.client.submit("exit 6", begin_time=due_s)
        room.fill()
        with pytest.raises(Refused):
            while True:
                cluster.client.submit("true", priority=0)
        assert time.time() < due_s, "this machine is too slow for this test"
        refused = cluster.log.read_text().count("command refused")
        cluster.await_that("the start is refused", lambda: cluster.log.read_text().count("command refused") > refused)
        room.free()
        assert cluster.await_end({delayed}, patience_s=10)[delayed].exit_code == 6 << 8


def state(client: Client, job_id: int) -> int:
    return client.jobs()[job_id].job_state & BASE_STATE


def last_segment(cluster: Daemons) -> Path:
    return max((cluster.state_dir / "raft").glob("log-*.seg"))


def written(segment: Path) -> int:
    """Where the entries of a segment end; behind them is room that was taken in advance."""
    return len(segment.read_bytes().rstrip(b"\0"))


@pytest.mark.parametrize("cut", [1, 30, 1000])
def test_a_torn_log_loses_nothing_that_was_acknowledged_before_the_tear(cut):
    with Daemons() as cluster:
        acknowledged: list[tuple[int, int]] = []
        enough, stop = threading.Event(), threading.Event()

        def submit() -> None:
            with contextlib.suppress(rpc.Unreachable, Refused):
                while not stop.is_set():
                    job_id = cluster.client.submit("true", priority=0)
                    acknowledged.append((job_id, written(last_segment(cluster))))
                    if len(acknowledged) >= 100:
                        enough.set()

        clients = [threading.Thread(target=submit) for _ in range(8)]
        for client in clients:
            client.start()
        assert enough.wait(30), cluster.tail()
        cluster.kill_controller()
        stop.set()
        for client in clients:
            client.join(30)

        segment = last_segment(cluster)
        left = written(segment) - cut
        os.truncate(segment, left)
        cluster.start()

        before_the_tear = {job_id for job_id, size in acknowledged if size <= left}
        assert len(before_the_tear) > 50
        assert before_the_tear <= cluster.client.jobs().keys()
        assert "torn tail cut off" in cluster.log.read_text()
        assert cluster.client.submit("true", priority=0) in cluster.client.jobs()


def test_what_is_not_the_tail_is_never_skipped():
    """A log that is damaged in the middle is reported, and nothing is served from it."""
    with Daemons() as cluster:
        for _ in range(20):
            cluster.client.submit("true", priority=0)
        cluster.kill_controller()
        segment = last_segment(cluster)
        with segment.open("r+b") as file:
            file.seek(written(segment) // 2)
            file.write(b"\xff" * 8)
        before = segment.read_bytes()
        refused = cluster.run("foreground")
        assert refused.returncode == 1
        assert str(segment) in refused.stderr
        assert segment.read_bytes() == before


def test_a_node_daemon_goes_with_the_cluster_it_belongs_to():
    """The embedded node daemon ends with `flurm stop`, and its jobs do not."""
    with Daemons() as cluster:
        cluster.await_node()
        begun, gate, over = (cluster.place / name for name in ("begun", "gate", "over"))
        cluster.client.submit(f"touch {begun}; until test -e {gate}; do sleep 0.05; done; touch {over}")
        cluster.await_that("the job runs", begun.exists)
        node = cluster.node_pid()
        assert cluster.run("stop").returncode == 0
        assert not is_running(node)
        gate.touch()
        cluster.await_that("the job goes on", over.exists)


def test_a_directory_that_cannot_be_made_is_named():
    cluster = Daemons(log_dir="/dev/null/log")
    try:
        refused = cluster.run("foreground")
        assert refused.returncode == 1
        assert refused.stderr == "Error: cannot create /dev/null/log: Not a directory; make it, or name another\n"
    finally:
        cluster.close()
