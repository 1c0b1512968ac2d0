"""A disk that forgets: the real storage code on real files, whose unsynced writes are lost or torn when power goes.

Files live in a directory in memory (``/dev/shm`` where there is one). The device below the log keeps what each write
replaced until the file is synced. When the machine loses power each such write is undone, kept, or kept in some of its
sectors. A sync takes time, fails where a plan says so, and leaves then what a failed sync leaves: nobody knows what.

The log writer is the real one; its thread is a task of the simulation.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flurm.otp.runtime.sim import Scheduler, SimEvent, SimInbox, Task
from flurm.raft.effects import Append, StoreChunk
from flurm.raft.records import Configuration, HardState
from flurm.simulation.tree.recording import Recorder
from flurm.storage.errors import StorageError, StorageFull
from flurm.storage.files import Device
from flurm.storage.hard_state import HardStateFile
from flurm.storage.layout import Store
from flurm.storage.writer import LogWriter, Notify

SECTOR = 512
SYNC_S = (0.0002, 0.002)
SEGMENT_BYTES = 64 * 1024


class Write:
    """A write that is not durable: where, and what stood there before."""

    __slots__ = ("before", "data", "offset")

    def __init__(self, offset: int, before: bytes, data: bytes) -> None:
        self.offset, self.before, self.data = offset, before, data


class Disk:
    """How the disk of one machine is at the moment, and what on it is not durable yet."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.slow_s = 0.0
        """How much longer than usual each sync takes."""
        self.full = False
        self.failing_syncs = 0
        """So many more syncs fail."""
        self.syncs = 0
        self.lost = 0
        self._unsynced: dict[int, tuple[int, list[Write]]] = {}  # inode -> (own descriptor, writes)

    def wait(self) -> None:
        """Take the time of one sync; nobody waits outside of the simulation's tasks."""
        if self.scheduler.running is not None:
            took_s = self.scheduler.random.uniform(*SYNC_S) + self.slow_s
            self.scheduler.park(self.scheduler.now_s + took_s)

    def remember(self, fd: int, offset: int, data: bytes) -> None:
        """A write is about to happen."""
        inode = os.fstat(fd).st_ino
        if inode not in self._unsynced:
            self._unsynced[inode] = (os.dup(fd), [])
        self._unsynced[inode][1].append(Write(offset, os.pread(fd, len(data), offset), data))

    def durable(self, fd: int) -> None:
        """What the file holds is there to stay."""
        own, _ = self._unsynced.pop(os.fstat(fd).st_ino, (-1, []))
        if own >= 0:
            os.close(own)

    def fail(self, fd: int) -> None:
        """A sync failed: the file holds what the disk happens to have got."""
        found = self._unsynced.pop(os.fstat(fd).st_ino, None)
        if found is not None:
            self._lose(*found)

    def lose_power(self) -> None:
        """Every write that was not synced may be gone, whole or in part."""
        while self._unsynced:
            self._lose(*self._unsynced.popitem()[1])

    def _lose(self, fd: int, writes: list[Write]) -> None:
        random = self.scheduler.random
        before = os.fstat(fd).st_size
        size = min([before, *(write.offset for write in writes if not write.before)])
        for write in reversed(writes):
            os.pwrite(fd, write.before, write.offset)
        for write in writes:
            fate = random.choice(("lost", "kept", "torn"))
            self.lost += fate != "kept"
            for start, data in _sectors(write):
                if fate == "kept" or (fate == "torn" and random.random() < 0.5):
                    os.pwrite(fd, data, start)
                    size = max(size, start + len(data))
        os.ftruncate(fd, size)
        os.close(fd)


def _sectors(write: Write) -> Iterable[tuple[int, bytes]]:
    """The write cut at the sectors' bounds."""
    start, end = write.offset, write.offset + len(write.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield start, write.data[start - write.offset : stop - write.offset]
        start = stop


class SimDevice(Device):
    """The log's device. ``waits`` is false where the code above holds a thread's lock meanwhile."""

    def __init__(self, disk: Disk, waits: bool) -> None:
        self._disk = disk
        self._waits = waits

    def write(self, fd: int, data: bytes, offset: int) -> None:
        if self._disk.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._disk.remember(fd, offset, data)
        super().write(fd, data, offset)

    def allocate(self, fd: int, size: int) -> None:
        if self._disk.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().allocate(fd, size)

    def sync(self, fd: int) -> None:
        if self._waits:
            self._disk.wait()
        self._disk.syncs += 1
        if self._disk.failing_syncs:
            self._disk.failing_syncs -= 1
            self._disk.fail(fd)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._disk.durable(fd)

    def truncate(self, fd: int, size: int) -> None:
        if self._waits:
            self._disk.wait()
        os.ftruncate(fd, size)
        self._disk.durable(fd)


class SimHardState(HardStateFile):
    """Term and vote: replaced as a whole, which takes a sync's time and may find no room."""

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        self._disk = disk

    def save(self, state: HardState) -> None:
        self._disk.wait()
        if self._disk.full:
            raise StorageFull(f"writing {self.path}: no space left on device")
        if self._disk.failing_syncs:
            self._disk.failing_syncs -= 1
            raise StorageError(f"writing {self.path}: input/output error")
        super().save(state)
        self._disk.wait()


class SimQueue(SimInbox):
    """What the log writer uses of a SimpleQueue."""

    def get_nowait(self) -> Any:
        """The next item. Raises queue.Empty."""
        return self.get(0)


class SimWriter(LogWriter):
    """The log writer with a task in the place of its thread."""

    def __init__(self, store: SimStore, *args: Any) -> None:
        super().__init__(*args)
        self._of = store
        self._queue = SimQueue(store.disk.scheduler)  # type: ignore[assignment]
        self._ended = SimEvent(store.disk.scheduler)

    def submit(self, work: Append | StoreChunk) -> None:
        if isinstance(work, Append) and self._of.recorder is not None:
            self._of.recorder.appended(self._of.directory.name, work.entries)
        super().submit(work)

    def start(self) -> None:
        self._of.disk.scheduler.spawn(self._work_until_stopped, owner=self._of.owner)

    def stop(self, timeout_s: float = 30.0) -> None:
        self._queue.put(_stop())
        if not self._ended.wait(timeout_s):
            raise StorageError(f"the log writer did not finish within {timeout_s:g} s: the device does not answer")

    def _work_until_stopped(self) -> None:
        self._run()
        self._ended.set()


def _stop() -> Any:
    from flurm.storage import writer

    return writer._Stop()


class SimMutex:
    """Held by one task at a time, again and again by the same one; has what is used of an RLock."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._holder: Task | None = None
        self._times = 0
        self._waiters: list[Task] = []

    def __enter__(self) -> None:
        me = self._scheduler.running
        self._scheduler.wait_for(lambda: self._holder in (None, me), None, self._waiters)
        self._holder = me
        self._times += 1

    def __exit__(self, *_exc: object) -> None:
        self._times -= 1
        if not self._times:
            self._holder = None
            for task in self._waiters:
                self._scheduler.wake(task)


class SimStore(Store):
    """A state directory on a simulated disk, used by the tasks of ``owner``."""

    def __init__(self, directory: Path, disk: Disk, recorder: Recorder | None = None) -> None:
        self.disk = disk
        self.recorder = recorder
        self.owner: Any = None
        device, blob_device = SimDevice(disk, waits=True), SimDevice(disk, waits=False)
        super().__init__(directory, SEGMENT_BYTES, device, blob_device)
        self.use = SimMutex(disk.scheduler)  # type: ignore[assignment]
        self.hard_state = SimHardState(directory / "raft" / "hard_state", disk)

    def writer(self, notify: Notify, refused_epoch: int = -1) -> LogWriter:
        return SimWriter(self, self.segments, self.hard_state, notify, self._incoming, self.blobs.sync, refused_epoch)

    def take_snapshot(
        self,
        index: int,
        term: int,
        chunks: Iterable[bytes],
        writer: LogWriter,
        configuration: Configuration | bytes | None = None,
    ) -> None:
        self.disk.wait()
        if self.disk.full:
            raise StorageFull("writing a snapshot: no space left on device")
        super().take_snapshot(index, term, self._slowly(chunks), writer, configuration)

    def _slowly(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        for chunk in chunks:
            self.disk.wait()
            yield chunk
